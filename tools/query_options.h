#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "model/result.h"
#include "model/sample.h"

namespace pipit {

enum class QueryOutput { table, json, csv, graph };

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
  std::string expr;
  std::string url;
  ServerAccess access{};
  QueryOutput output = QueryOutput::table;
  TimestampMs start = 0;
  TimestampMs end = 0;
  DurationMs step = 0;  ///< 0: an instant query at `end`
  DurationMs timeout = 0;
  bool explain = false;  ///< show what the server did instead of the answer
  bool is_range() const { return step > 0; }
};

/// The time options as they were typed; what is absent was not given.
struct TimeArguments {
  std::optional<std::string> time{}, start{}, end{}, range{}, step{};
};

/// A point in time as the command line takes it: RFC 3339, seconds since the epoch, `now`, `now-5m`, `now+1h`.
Result<TimestampMs> parse_query_time(std::string_view text, TimestampMs now);

/// Fills start, end and step. `always_range` asks for a range query even when no range was given: the hour before
/// `time`. Errors are of the kind bad_data and name the option.
Status resolve_times(const TimeArguments& arguments, bool always_range, TimestampMs now, QueryOptions& options);

/// The step of a range query that names none: 250 points, at least a second and whole seconds.
DurationMs default_step(DurationMs range);

/// The options, or the exit code with which the program ends at once (after help, or after a message about wrong
/// usage).
std::variant<QueryOptions, int> parse_query_options(int argc, char** argv);

}  // namespace pipit
