#include "tools/query_options.h"

#include <CLI/CLI.hpp>
#include <cstdio>

#include "model/duration.h"

namespace pipit {
namespace {

constexpr const char* kFooter = R"(
pipit query EXPR is an instant query, or a range query when a range is given. Other questions:
  pipit query instant EXPR      as promtool has it
  pipit query range EXPR        the last hour if nothing else is said
  pipit query series --match=SELECTOR ...
  pipit query labels [NAME]     the values of a label, or the names of all labels
  pipit query exemplars EXPR
  pipit query metrics [PART]    names of metrics with type, unit and help
  pipit query                   on a terminal: a prompt with history and completion
"pipit query KIND --help" lists the options of each. A server's URL before the expression is taken as promtool does.

Times are RFC 3339 (2026-11-22T10:00:00Z), seconds since the epoch, or relative to now: now, now-5m, now+1h.
An expression that starts with a minus sign goes behind "--":  pipit query -- '-up'

Exit codes: 0 answered (an answer without series too), 1 the server refused the query or it failed,
2 wrong usage, 3 the server could not be reached or does not speak Prometheus's API.

Examples:
  pipit query up
  pipit query 'rate(node_network_receive_bytes_total[5m])' --range 6h -o graph
  pipit query 'sum by (job) (up)' --start now-1d --end now --step 5m -o csv > up.csv
  pipit query labels instance --match 'up{job="node"}')";

struct KindName {
  std::string_view name;
  QueryKind kind;
  const char* help;
};
constexpr KindName kKinds[] = {
    {"instant", QueryKind::instant, "Evaluates a PromQL expression at one point in time."},
    {"range", QueryKind::range, "Evaluates a PromQL expression over a range of time."},
    {"series", QueryKind::series, "Lists the series that selectors match."},
    {"labels", QueryKind::labels, "Lists the values of a label, or the names of labels."},
    {"exemplars", QueryKind::exemplars, "Lists the exemplars of the series in an expression."},
    {"metrics", QueryKind::metrics, "Lists metrics with their type, unit and help."},
};

const KindName* find_kind(std::string_view name) {
  for (const KindName& kind : kKinds) {
    if (kind.name == name) return &kind;
  }
  return nullptr;
}

/// What was typed, before it is looked at.
struct Typed {
  std::vector<std::string> words;  ///< [URL] [EXPR]
  TimeArguments times{};
  std::string timeout = "2m";
  std::string output = "table";
};

void add_times(CLI::App& app, const KindName* named, TimeArguments& times) {
  const bool any = named == nullptr;
  const bool instant = any || named->kind == QueryKind::instant;
  const bool range = any || named->kind == QueryKind::range;
  if (instant || range) app.add_option("--time", times.time, "Evaluate at this time (default: now)");
  if (instant && !any) return;
  app.add_option("--start", times.start, "Start of a range");
  app.add_option("--end", times.end, "End of a range (default: now)");
  app.add_option("--range", times.range, "Length of a range that ends now, or at --end, or that starts at --start");
  if (range)
    app.add_option("--step", times.step, "Distance of the points of a range (default: a 250th of it, at least 1s)");
}

void add_options(CLI::App& app, const KindName* named, Typed& typed, QueryOptions& options) {
  const QueryKind kind = named ? named->kind : QueryKind::instant;
  const bool evaluates = kind == QueryKind::instant || kind == QueryKind::range;
  if (kind == QueryKind::labels) {
    app.add_option("NAME", typed.words, "The label whose values to list; all labels' names without it");
  } else if (kind == QueryKind::metrics) {
    app.add_option("PART", typed.words, "Only metrics with this in their name");
  } else if (kind != QueryKind::series) {
    app.add_option("EXPR", typed.words, "The PromQL expression");
  } else {
    app.add_option("URL", typed.words, "The server");
  }
  app.add_option("--url", options.url, "The server, with a path prefix if it has one")
      ->envname("PIPIT_URL")
      ->capture_default_str();
  if (kind != QueryKind::metrics) add_times(app, named, typed.times);
  if (kind == QueryKind::series || kind == QueryKind::labels) {
    auto* match = app.add_option("--match", options.matches, "A selector; may be repeated")->option_text("SELECTOR");
    match->allow_extra_args(false);
    if (kind == QueryKind::series) match->required();
  }
  if (!evaluates && kind != QueryKind::exemplars)
    app.add_option("--limit", options.limit, "List at most so many")->option_text("N");
  app.add_option("--timeout", typed.timeout, "How long to wait for the answer")->capture_default_str();
  const bool graphs = evaluates;
  app.add_option("-o,--output", typed.output,
                 graphs ? "table, json (the data of the server's answer), csv or graph"
                        : "table, json (the data of the server's answer) or csv")
      ->check(CLI::IsMember(graphs ? std::vector<std::string>{"table", "json", "csv", "graph"}
                                   : std::vector<std::string>{"table", "json", "csv"})
                  .description(""))
      ->option_text("FORMAT")
      ->capture_default_str();
  if (evaluates)
    app.add_flag("--explain", options.explain, "Run it and show its plan: series, samples and time of each node");
  add_access_options(app, options.access);
}

/// Takes the URL and the expression from the words.
Status take_words(std::vector<std::string> words, const KindName* named, QueryOptions& options) {
  const QueryKind kind = named ? named->kind : QueryKind::instant;
  if (!words.empty() && (words[0].starts_with("http://") || words[0].starts_with("https://"))) {
    options.url = words[0];
    words.erase(words.begin());
  }
  const std::size_t most = kind == QueryKind::series ? 0 : 1;
  if (words.size() > most) return bad_data("\"" + words[most] + "\" is one argument too many; quote the expression");
  if (!words.empty()) {
    options.expr = words[0];
    return {};
  }
  options.interactive = named == nullptr;
  if (kind == QueryKind::range || kind == QueryKind::exemplars || (named && kind == QueryKind::instant))
    return bad_data("EXPR is required");
  return {};
}

Status resolve(const Typed& typed, const KindName* named, QueryOptions& options) {
  options.output = typed.output == "json"    ? QueryOutput::json
                   : typed.output == "csv"   ? QueryOutput::csv
                   : typed.output == "graph" ? QueryOutput::graph
                                             : QueryOutput::table;
  if (Status status = take_words(typed.words, named, options); !status.ok()) return status;
  const Result<DurationMs> limit = positive_duration("--timeout", typed.timeout);
  if (!limit) return limit.error();
  options.timeout = *limit;
  const QueryKind kind = named ? named->kind : QueryKind::instant;
  if (kind == QueryKind::instant || kind == QueryKind::range) {
    const bool always = kind == QueryKind::range || options.output == QueryOutput::graph;
    return resolve_times(typed.times, always, now_ms(), options);
  }
  options.kind = kind;
  return resolve_span(typed.times, kind == QueryKind::exemplars, now_ms(), options);
}

}  // namespace

void add_access_options(CLI::App& app, ServerAccess& access) {
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
}

std::variant<QueryOptions, int> parse_query_options(int argc, char** argv) {
  QueryOptions options;
  Typed typed;
  options.url = "http://127.0.0.1:9090";
  const KindName* named = argc > 1 ? find_kind(argv[1]) : nullptr;
  CLI::App app(named ? named->help : "Asks a running Pipit or Prometheus.",
               named ? "pipit query " + std::string(named->name) : "pipit query");
  if (!named) app.footer(kFooter);
  add_options(app, named, typed, options);
  try {
    const int first = named ? 1 : 0;
    app.parse(argc - first, argv + first);
  } catch (const CLI::CallForHelp& help) {
    app.exit(help);
    return 0;
  } catch (const CLI::ParseError& error) {
    app.exit(error);
    return 2;
  }
  if (Status status = resolve(typed, named, options); !status.ok()) {
    std::fprintf(stderr, "%s\nRun with --help for more information.\n", status.error().message.c_str());
    return 2;
  }
  return options;
}

}  // namespace pipit
