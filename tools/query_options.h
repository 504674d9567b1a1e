#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "model/result.h"
#include "model/sample.h"

namespace CLI {
class App;
}

namespace pipit {

enum class QueryOutput { table, json, csv, graph };

/// What is asked of the server: `pipit query range`, and so on. `pipit query EXPR` is one of the first two.
enum class QueryKind { instant, range, series, labels, exemplars, metrics };

/// How a server is reached, beside its URL. Texts are empty when not given.
struct ServerAccess {
  std::string user;  ///< of basic auth; "NAME:PASSWORD" or "NAME" with a password file
  std::string password_file;
  std::string bearer_token_file;
  std::string ca_file;    ///< PEM; else the system's authorities
  std::string cert_file;  ///< PEM, of the client
  std::string key_file;   ///< PEM, of the client
  bool insecure = false;  ///< any certificate of the server will do
};

/// What `pipit query` was asked to do, with every time resolved.
struct QueryOptions {
  QueryKind kind = QueryKind::instant;
  bool interactive = false;  ///< no expression was given: ask for them
  std::string expr;          ///< of labels: the label, or "" for the names of labels; of metrics: a part of their names
  std::vector<std::string> matches{};  ///< selectors of series and labels
  std::size_t limit = 0;               ///< 0: none
  std::string url;
  ServerAccess access{};
  QueryOutput output = QueryOutput::table;
  TimestampMs start = 0;
  TimestampMs end = 0;
  DurationMs step = 0;  ///< 0: an instant query at `end`
  DurationMs timeout = 0;
  bool has_span = false;  ///< start and end were given
  bool explain = false;   ///< show what the server did instead of the answer
  bool is_range() const { return step > 0; }
};

/// The time options as they were typed; what is absent was not given.
struct TimeArguments {
  std::optional<std::string> time{}, start{}, end{}, range{}, step{};
};

/// A duration of more than zero, for the option of that name.
Result<DurationMs> positive_duration(std::string_view option, const std::string& text);

/// A point in time as the command line takes it: RFC 3339, seconds since the epoch, `now`, `now-5m`, `now+1h`.
Result<TimestampMs> parse_query_time(std::string_view text, TimestampMs now);

/// Fills kind, start, end and step. `always_range` asks for a range query even when no range was given: the hour before
/// `time`. Errors are of the kind bad_data and name the option.
Status resolve_times(const TimeArguments& arguments, bool always_range, TimestampMs now, QueryOptions& options);

/// Fills start, end and has_span for what has no step. With `needs_span` the hour before now is the default.
Status resolve_span(const TimeArguments& arguments, bool needs_span, TimestampMs now, QueryOptions& options);

/// The step of a range query that names none: 250 points, at least a second and whole seconds.
DurationMs default_step(DurationMs range);

/// Adds the options behind `access` to a command.
void add_access_options(CLI::App& app, ServerAccess& access);

/// The options, or the exit code with which the program ends at once (after help, or after a message about wrong
/// usage).
std::variant<QueryOptions, int> parse_query_options(int argc, char** argv);

}  // namespace pipit
