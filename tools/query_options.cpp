#include "tools/query_options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>

#include "model/duration.h"

namespace pipit {
namespace {

constexpr DurationMs kDefaultGraphRange = 3'600'000;
constexpr DurationMs kPointsOfDefaultStep = 250;
constexpr DurationMs kSecond = 1000;

constexpr const char* kFooter = R"(
Times are RFC 3339 (2026-11-22T10:00:00Z), seconds since the epoch, or relative to now: now, now-5m, now+1h.
An expression that starts with a minus sign goes behind "--":  pipit query -- '-up'

Exit codes: 0 answered (an answer without series too), 1 the server refused the query or it failed,
2 wrong usage, 3 the server could not be reached or does not speak Prometheus's API.

Examples:
  pipit query up
  pipit query 'rate(node_network_receive_bytes_total[5m])' --range 6h -o graph
  pipit query 'sum by (job) (up)' --start now-1d --end now --step 5m -o csv > up.csv)";

Error option_error(std::string_view option, const Error& error) {
  return bad_data(std::string(option) + ": " + error.message);
}

Result<DurationMs> positive_duration(std::string_view option, const std::string& text) {
  Result<DurationMs> parsed = parse_api_duration(text);
  if (!parsed) return option_error(option, parsed.error());
  if (*parsed <= 0) return bad_data(std::string(option) + " must be more than zero");
  return parsed;
}

Result<std::optional<TimestampMs>> optional_time(std::string_view option, const std::optional<std::string>& text,
                                                 TimestampMs now) {
  if (!text) return std::optional<TimestampMs>();
  Result<TimestampMs> parsed = parse_query_time(*text, now);
  if (!parsed) return option_error(option, parsed.error());
  return std::optional<TimestampMs>(*parsed);
}

/// Sets the two ends from whichever of start, end and range were given.
Status resolve_range(const TimeArguments& arguments, TimestampMs now, QueryOptions& options) {
  const auto start = optional_time("--start", arguments.start, now);
  if (!start) return start.error();
  const auto end = optional_time("--end", arguments.end, now);
  if (!end) return end.error();
  if (arguments.range && *start && *end) return bad_data("of --start, --end and --range give at most two");
  DurationMs range = kDefaultGraphRange;
  if (arguments.range) {
    const Result<DurationMs> parsed = positive_duration("--range", *arguments.range);
    if (!parsed) return parsed.error();
    range = *parsed;
  } else if (*end && !*start) {
    return bad_data("--end needs --start or --range");
  }
  if (*start) {
    options.start = **start;
    options.end = *end ? **end : arguments.range ? options.start + range : now;
  } else {
    options.end = *end ? **end : now;
    options.start = options.end - range;
  }
  if (options.end < options.start) return bad_data("the end of the range is before its start");
  return {};
}

}  // namespace

Result<TimestampMs> parse_query_time(std::string_view text, TimestampMs now) {
  constexpr std::string_view kNow = "now";
  if (!text.starts_with(kNow)) return parse_api_time(text);
  const std::string_view shift = text.substr(kNow.size());
  if (shift.empty()) return now;
  if (shift[0] != '-' && shift[0] != '+')
    return bad_data("cannot parse \"" + std::string(text) + "\" to a valid timestamp");
  const Result<DurationMs> duration = parse_duration(shift.substr(1));
  if (!duration) return duration.error();
  return shift[0] == '-' ? now - *duration : now + *duration;
}

DurationMs default_step(DurationMs range) {
  return std::max(range / kPointsOfDefaultStep / kSecond, DurationMs{1}) * kSecond;
}

Status resolve_times(const TimeArguments& arguments, bool always_range, TimestampMs now, QueryOptions& options) {
  const bool has_range = arguments.start || arguments.end || arguments.range;
  if (arguments.time && has_range)
    return bad_data("--time is for one point in time, so it excludes --start, --end and --range");
  if (!has_range && !always_range) {
    if (arguments.step) return bad_data("--step needs --range or --start");
    const auto time = optional_time("--time", arguments.time, now);
    if (!time) return time.error();
    options.start = options.end = *time ? **time : now;
    return {};
  }
  const auto time = optional_time("--time", arguments.time, now);
  if (!time) return time.error();
  if (Status status = resolve_range(arguments, *time ? **time : now, options); !status.ok()) return status;
  options.step = default_step(options.end - options.start);
  if (arguments.step) {
    const Result<DurationMs> step = positive_duration("--step", *arguments.step);
    if (!step) return step.error();
    options.step = *step;
  }
  return {};
}

std::variant<QueryOptions, int> parse_query_options(int argc, char** argv) {
  QueryOptions options;
  TimeArguments times;
  options.url = "http://127.0.0.1:9090";
  std::string timeout = "2m";

  CLI::App app("Evaluates a PromQL expression on a running Pipit or Prometheus.", "pipit query");
  app.footer(kFooter);
  app.add_option("EXPR", options.expr, "The PromQL expression")->required();
  app.add_option("--url", options.url, "The server, with a path prefix if it has one")
      ->envname("PIPIT_URL")
      ->capture_default_str();
  app.add_option("--time", times.time, "Evaluate at this time (default: now)");
  app.add_option("--start", times.start, "Start of a range");
  app.add_option("--end", times.end, "End of a range (default: now)");
  app.add_option("--range", times.range, "Length of a range that ends now, or at --end, or that starts at --start");
  app.add_option("--step", times.step, "Distance of the points of a range (default: a 250th of it, at least 1s)");
  app.add_option("--timeout", timeout, "How long to wait for the answer")->capture_default_str();
  std::string output = "table";
  app.add_option("-o,--output", output, "table, json (the data of the server's answer), csv or graph")
      ->check(CLI::IsMember({"table", "json", "csv", "graph"}).description(""))
      ->option_text("FORMAT")
      ->capture_default_str();
  app.add_flag("--explain", options.explain, "Run it and show its plan: series, samples and time of each node");
  ServerAccess& access = options.access;
  app.add_option("--user", access.user, "NAME:PASSWORD, or NAME with --password-file")->option_text("NAME[:PASSWORD]");
  app.add_option("--password-file", access.password_file, "A file with the password")->option_text("FILE");
  app.add_option("--bearer-token-file", access.bearer_token_file, "A file with a token")
      ->option_text("FILE")
      ->excludes("--user");
  app.add_option("--ca-file", access.ca_file, "Authorities that the server's certificate is checked with")
      ->option_text("PEM");
  auto* cert = app.add_option("--cert-file", access.cert_file, "The client's certificate")->option_text("PEM");
  app.add_option("--key-file", access.key_file, "The client's key")->option_text("PEM")->needs(cert);
  app.add_flag("--insecure", access.insecure, "Take any certificate of the server");
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp& help) {
    app.exit(help);
    return 0;
  } catch (const CLI::ParseError& error) {
    app.exit(error);
    return 2;
  }

  options.output = output == "json"    ? QueryOutput::json
                   : output == "csv"   ? QueryOutput::csv
                   : output == "graph" ? QueryOutput::graph
                                       : QueryOutput::table;
  Status status = resolve_times(times, options.output == QueryOutput::graph, now_ms(), options);
  const Result<DurationMs> limit = positive_duration("--timeout", timeout);
  if (status.ok() && !limit) status = limit.error();
  if (!status.ok()) {
    std::fprintf(stderr, "%s\nRun with --help for more information.\n", status.error().message.c_str());
    return 2;
  }
  options.timeout = *limit;
  return options;
}

}  // namespace pipit
