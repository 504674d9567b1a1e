#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>

#include "tools/graph.h"
#include "tools/plan_output.h"
#include "tools/query_answer.h"
#include "tools/query_client.h"
#include "tools/query_listing.h"
#include "tools/query_options.h"
#include "tools/query_output.h"
#include "tools/query_prompt.h"
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

/// Sends a request and keeps its data as text. On failure says why; `exit_code` is then the program's.
std::optional<std::string> fetch_data(const QueryOptions& options, const ApiRequest& request, int& exit_code,
                                      QueryAnswer& answer, bool keep_json = true) {
  const Result<ServerReply> reply = send_request(options, request);
  if (!reply) {
    print(stderr, "error: " + printable(reply.error().message) + '\n');
    exit_code = reply.error().kind == ErrorKind::bad_data ? kWrongUsage : kNoServer;
    return std::nullopt;
  }
  AnswerError error;
  if (!read_answer(reply->status, reply->body, keep_json, answer, error)) {
    if (!error.api) error.message = reply->origin + ' ' + error.message;
    if (reply->status == 401)
      error.message = reply->origin + " wants another name, password or token; see --user and --bearer-token-file";
    print(stderr, format_error(error, options.expr));
    exit_code = error.api ? kQueryFailed : kNoServer;
    return std::nullopt;
  }
  for (const std::string& warning : answer.warnings) print(stderr, "warning: " + printable(warning) + '\n');
  for (const std::string& info : answer.infos) print(stderr, "info: " + printable(info) + '\n');
  exit_code = kAnswered;
  return answer.data_json;
}

int stranger(const QueryOptions& options) {
  print(stderr, "error: " + printable(server_origin(options.url)) + " answered, but not as Prometheus's API does\n");
  return kNoServer;
}

int print_listing(const QueryListing& listing, const QueryOptions& options) {
  print(stdout, options.output == QueryOutput::csv ? format_csv(listing) : format_table(listing));
  if (listing.rows.empty()) print(stderr, "nothing matches\n");
  return kAnswered;
}

/// Names of metrics from the series, what they are from the metadata of targets.
int list_metrics(const QueryOptions& options) {
  int exit_code = kAnswered;
  QueryOptions names = options;
  names.kind = QueryKind::labels;
  names.expr = "__name__";
  if (!options.expr.empty()) names.limit = 0;  // it would cut before the part is looked for
  QueryAnswer answer;
  const auto names_json = fetch_data(names, api_request(names), exit_code, answer);
  if (!names_json) return exit_code;
  const auto metadata_json = fetch_data(options, api_request(options), exit_code, answer);
  if (!metadata_json) return exit_code;
  QueryListing listing;
  if (!read_metrics(*names_json, *metadata_json, options.expr, listing)) return stranger(options);
  if (options.limit > 0 && listing.rows.size() > options.limit) listing.rows.resize(options.limit);
  if (options.output != QueryOutput::json) return print_listing(listing, options);
  print(stdout, format_json(listing) + '\n');
  return kAnswered;
}

int list(const QueryOptions& options) {
  if (options.kind == QueryKind::metrics) return list_metrics(options);
  int exit_code = kAnswered;
  QueryAnswer answer;
  const auto data = fetch_data(options, api_request(options), exit_code, answer);
  if (!data) return exit_code;
  if (options.output == QueryOutput::json) {
    print(stdout, *data + '\n');
    return kAnswered;
  }
  QueryListing listing;
  if (!read_listing(options.kind, *data, options.output == QueryOutput::csv, listing)) return stranger(options);
  if (options.kind == QueryKind::labels && !options.expr.empty() && options.output == QueryOutput::csv)
    listing.columns = {options.expr};
  return print_listing(listing, options);
}

int evaluate(const QueryOptions& options) {
  int exit_code = kAnswered;
  QueryAnswer answer;
  const bool keep_json = options.explain || options.output == QueryOutput::json;
  if (!fetch_data(options, api_request(options), exit_code, answer, keep_json)) return exit_code;
  if (options.explain && options.output != QueryOutput::json) {
    const auto plan = format_plan(answer.data_json);
    if (plan) {
      print(stdout, *plan);
      return kAnswered;
    }
    print(stderr, "error: " + printable(server_origin(options.url)) + " answered, but does not explain queries\n");
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

}  // namespace

int run_query(int argc, char** argv) {
  const auto parsed = parse_query_options(argc, argv);
  if (const int* exit_code = std::get_if<int>(&parsed)) return *exit_code;
  const QueryOptions& options = std::get<QueryOptions>(parsed);
  if (options.interactive) {
    if (isatty(STDIN_FILENO) && isatty(STDOUT_FILENO)) return run_query_prompt(options, evaluate);
    print(stderr, "EXPR is required, as this is no terminal to ask on\nRun with --help for more information.\n");
    return kWrongUsage;
  }
  return options.kind == QueryKind::instant || options.kind == QueryKind::range ? evaluate(options) : list(options);
}

}  // namespace pipit
