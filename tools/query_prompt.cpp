#include "tools/query_prompt.h"

#include <editline/readline.h>
#include <signal.h>
#include <sys/stat.h>

#include <clocale>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>

#include "model/duration.h"
#include "tools/query_client.h"
#include "tools/query_completion.h"
#include "tools/query_output.h"
#include "tools/query_suggestions.h"

namespace pipit {
namespace {

constexpr int kMostHistory = 1000;
constexpr const char* kHelp =
    "An expression is evaluated now, or over the range that is set. Tab completes names.\n"
    "  \\range 6h      range queries of the last six hours; \\range alone: instant queries again\n"
    "  \\step 1m       the distance of their points; \\step alone: a 250th of the range\n"
    "  \\time now-1h   evaluate at that time; \\time alone: now\n"
    "  \\output graph  or table, json, csv\n"
    "  \\explain EXPR  run it and show its plan\n"
    "  \\quit          or Ctrl-D\n";

/// Where the lines are kept: $XDG_STATE_HOME/pipit/query_history, by default below ~/.local/state. "" without a home.
std::string history_path() {
  namespace fs = std::filesystem;
  const char* state = std::getenv("XDG_STATE_HOME");
  const char* home = std::getenv("HOME");
  fs::path folder;
  if (state && *state == '/') {
    folder = state;
  } else if (home && *home == '/') {
    folder = fs::path(home) / ".local" / "state";
  } else {
    return {};
  }
  folder /= "pipit";
  std::error_code error;
  fs::create_directories(folder, error);
  return error ? std::string() : (folder / "query_history").string();
}

/// libedit's callbacks have no argument.
QuerySuggestions* suggestions = nullptr;

char** complete(const char* word, int, int end) {
  rl_attempted_completion_over = 1;  // never names of files
  if (!suggestions) return nullptr;
  const CompletionContext context = completion_context(std::string_view(rl_line_buffer, static_cast<std::size_t>(end)));
  // What libedit takes for the word may begin later than ours, within a value with dashes.
  const std::size_t skipped = context.word.size() - std::min(context.word.size(), std::strlen(word));
  std::vector<std::string> found = suggestions->find(context);
  if (found.empty()) return nullptr;
  std::string common = found.front();
  for (const std::string& name : found) {
    std::size_t same = 0;
    while (same < common.size() && same < name.size() && common[same] == name[same]) ++same;
    common.resize(same);
  }
  const auto copy = [&](const std::string& text) {
    return strdup(text.size() >= skipped ? text.c_str() + skipped : text.c_str());
  };
  // The list that readline wants: the common start, the names, null; libedit frees it.
  char** list = static_cast<char**>(std::malloc((found.size() + 2) * sizeof(char*)));
  if (!list) return nullptr;
  std::size_t n = 0;
  list[n++] = copy(common);
  for (const std::string& name : found) list[n++] = copy(name);
  list[n] = nullptr;
  return list;
}

std::optional<std::string> read_line(const char* prompt) {
  const std::unique_ptr<char, decltype(&std::free)> line(readline(prompt), &std::free);
  if (!line) return std::nullopt;
  return std::string(line.get());
}

/// An expression, over as many lines as it has open brackets. Nothing at the end of the input.
std::optional<std::string> read_expression() {
  std::optional<std::string> text = read_line("pipit> ");
  while (text && !text->empty() && (*text)[0] != '\\' && is_unfinished(*text)) {
    const auto more = read_line("  ...> ");
    if (!more || more->empty()) break;  // an empty line sends it as it is, for the error
    *text += '\n' + *more;
  }
  return text;
}

std::string trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\n");
  if (first == std::string_view::npos) return {};
  return std::string(text.substr(first, text.find_last_not_of(" \t\n") - first + 1));
}

void set_up_terminal() {
  std::setlocale(LC_CTYPE, "");
  rl_readline_name = "pipit";
  rl_initialize();
  rl_attempted_completion_function = complete;
  static char breaks[] = " \t\n\"'`{}()[]=!~<>,+-*/%^@";
  rl_completer_word_break_characters = breaks;
  rl_completion_append_character = 0;
  using_history();
  stifle_history(kMostHistory);
}

void save_history(const std::string& path) {
  if (path.empty()) return;
  const mode_t before = umask(077);  // expressions may name what others must not know
  write_history(path.c_str());
  umask(before);
}

void resolve_and_ask(QueryOptions options, const PromptSettings& settings, const std::string& expr, bool explain,
                     const std::function<void(const QueryOptions&)>& ask) {
  options.expr = expr;
  options.output = settings.output;
  options.explain = explain;
  const Status status = resolve_times(settings.times(), options.output == QueryOutput::graph, now_ms(), options);
  if (!status.ok()) {
    std::fprintf(stderr, "%s\n", status.error().message.c_str());
    return;
  }
  ask(options);
  std::fflush(stdout);
}

}  // namespace

TimeArguments PromptSettings::times() const {
  TimeArguments arguments;
  arguments.range = range;
  arguments.step = step;
  (range ? arguments.end : arguments.time) = time;
  return arguments;
}

PromptCommand run_prompt_command(std::string_view line, PromptSettings& settings) {
  using Kind = PromptCommand::Kind;
  const std::size_t space = std::min(line.find_first_of(" \t"), line.size());
  const std::string_view name = line.substr(1, space - 1);
  const std::string value = trimmed(line.substr(space));
  const auto set = [&](std::optional<std::string>& field, const auto& check) -> PromptCommand {
    if (value.empty()) {
      field.reset();
      return {Kind::changed, ""};
    }
    if (const auto parsed = check(value); !parsed) return {Kind::wrong, parsed.error().message};
    field = value;
    return {Kind::changed, ""};
  };
  const auto duration = [&](const std::string& text) { return positive_duration("\\" + std::string(name), text); };
  const auto time = [](const std::string& text) { return parse_query_time(text, now_ms()); };
  if (name == "q" || name == "quit") return {Kind::quit, ""};
  if (name == "h" || name == "help" || name == "?") return {Kind::help, kHelp};
  if (name == "explain" && !value.empty()) return {Kind::explain, value};
  if (name == "range") {
    PromptCommand done = set(settings.range, duration);
    if (!settings.range) settings.step.reset();
    return done;
  }
  if (name == "step") {
    if (!settings.range) return {Kind::wrong, "\\step needs \\range"};
    return set(settings.step, duration);
  }
  if (name == "time") return set(settings.time, time);
  if (name == "output" || name == "o") {
    constexpr std::pair<std::string_view, QueryOutput> kOutputs[] = {{"table", QueryOutput::table},
                                                                     {"json", QueryOutput::json},
                                                                     {"csv", QueryOutput::csv},
                                                                     {"graph", QueryOutput::graph}};
    for (const auto& [text, output] : kOutputs) {
      if (text != value) continue;
      settings.output = output;
      return {Kind::changed, ""};
    }
    return {Kind::wrong, "\\output is table, json, csv or graph"};
  }
  return {Kind::wrong, "there is no " + printable(line.substr(0, space)) + "; \\help lists what there is"};
}

int run_query_prompt(const QueryOptions& options, const std::function<void(const QueryOptions&)>& ask) {
  using Kind = PromptCommand::Kind;
  QuerySuggestions names(options);
  suggestions = &names;
  set_up_terminal();
  const std::string history = history_path();
  if (!history.empty()) read_history(history.c_str());
  struct sigaction interrupt {};
  interrupt.sa_handler = [](int) { interrupt_request(); };
  sigaction(SIGINT, &interrupt, nullptr);

  PromptSettings settings;
  settings.output = options.output;
  std::puts("\\help for help, Tab completes, Ctrl-D ends");
  for (;;) {
    const std::optional<std::string> text = read_expression();
    if (take_interrupt()) {
      std::putchar('\n');
      continue;
    }
    if (!text) break;
    const std::string line = trimmed(*text);
    if (line.empty()) continue;
    add_history(line.c_str());
    save_history(history);
    if (line[0] != '\\') {
      resolve_and_ask(options, settings, line, false, ask);
      take_interrupt();
      continue;
    }
    const PromptCommand command = run_prompt_command(line, settings);
    if (command.kind == Kind::quit) break;
    if (command.kind == Kind::explain) resolve_and_ask(options, settings, command.text, true, ask);
    if (command.kind == Kind::help) std::fputs(command.text.c_str(), stdout);
    if (command.kind == Kind::wrong) std::fprintf(stderr, "%s\n", command.text.c_str());
    take_interrupt();
  }
  suggestions = nullptr;
  std::putchar('\n');
  return 0;
}

}  // namespace pipit
