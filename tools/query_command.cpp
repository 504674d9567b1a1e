#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "tools/graph.h"
#include "tools/plan_output.h"
#include "tools/query_answer.h"
#include "tools/query_client.h"
#include "tools/query_options.h"
#include "tools/query_output.h"
#include "tools/subcommands.h"

namespace pipit {
namespace {

constexpr int kAnswered = 0;
constexpr int kQueryFailed = 1;
constexpr int kWrongUsage = 2;
constexpr int kNoServer = 3;

void print(std::FILE* stream, const std::string& text) { std::fwrite(text.data(), 1, text.size(), stream); }

/// A size from the environment, as a shell exports COLUMNS and LINES.
int environment_size(const char* name) {
  const char* text = std::getenv(name);
  return text ? std::atoi(text) : 0;
}

/// Colours and braille on a terminal that can show them; plain letters in a file, or where the locale isn't UTF-8.
GraphStyle graph_style(const QueryOptions& options) {
  GraphStyle style;
  style.start = options.start;
  style.end = options.end;
  style.step = options.step;
  const char* terminal = std::getenv("TERM");
  const char* no_color = std::getenv("NO_COLOR");
  const bool dumb = !terminal || std::strcmp(terminal, "dumb") == 0;
  const bool is_terminal = isatty(STDOUT_FILENO) != 0;
  style.color = is_terminal && !dumb && !(no_color && *no_color);
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const char* locale = std::getenv(name);
    if (!locale || !*locale) continue;
    const std::string_view text = locale;
    style.unicode = text.find("UTF-8") != text.npos || text.find("utf8") != text.npos;
    break;
  }
  winsize size{};
  if (is_terminal && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
    style.width = size.ws_col;
    style.height = size.ws_row * 2 / 3;
  } else if (const int columns = environment_size("COLUMNS"); columns > 0) {
    style.width = columns;
  }
  return style;
}

}  // namespace

int run_query(int argc, char** argv) {
  const auto parsed = parse_query_options(argc, argv);
  if (const int* exit_code = std::get_if<int>(&parsed)) return *exit_code;
  const QueryOptions& options = std::get<QueryOptions>(parsed);

  const Result<ServerReply> reply = send_query(options);
  if (!reply) {
    print(stderr, "error: " + printable(reply.error().message) + '\n');
    return reply.error().kind == ErrorKind::bad_data ? kWrongUsage : kNoServer;
  }
  QueryAnswer answer;
  AnswerError error;
  const bool keep_json = options.explain || options.output == QueryOutput::json;
  if (!read_answer(reply->status, reply->body, keep_json, answer, error)) {
    if (!error.api) error.message = reply->origin + ' ' + error.message;
    if (reply->status == 401)
      error.message = reply->origin + " wants another name, password or token; see --user and --bearer-token-file";
    print(stderr, format_error(error, options.expr));
    return error.api ? kQueryFailed : kNoServer;
  }
  for (const std::string& warning : answer.warnings) print(stderr, "warning: " + printable(warning) + '\n');
  for (const std::string& info : answer.infos) print(stderr, "info: " + printable(info) + '\n');

  if (options.explain && options.output != QueryOutput::json) {
    const auto plan = format_plan(answer.data_json);
    if (plan) {
      print(stdout, *plan);
      return kAnswered;
    }
    print(stderr, "error: " + reply->origin + " answered, but does not explain queries\n");
    return kNoServer;
  }
  switch (options.output) {
    case QueryOutput::json:
      print(stdout, answer.data_json + '\n');
      return kAnswered;
    case QueryOutput::csv:
      print(stdout, format_csv(answer));
      return kAnswered;
    case QueryOutput::table:
      print(stdout, format_table(answer));
      break;
    case QueryOutput::graph:
      print(stdout, format_graph(answer, graph_style(options)));
      break;
  }
  if (answer.series.empty()) print(stderr, "no series match\n");
  return kAnswered;
}

}  // namespace pipit
