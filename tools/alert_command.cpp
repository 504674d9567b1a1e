#include <CLI/CLI.hpp>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "config/suggestion.h"
#include "model/duration.h"
#include "tools/alert_try.h"
#include "tools/delivery_client.h"
#include "tools/query_listing.h"
#include "tools/subcommands.h"

namespace pipit {
namespace {

using nlohmann::json;

constexpr const char* kUsage =
    "usage: pipit alert list [MATCHER...] [--active] [--silenced] [--inhibited] [--receiver REGEX] [--groups]\n"
    "       pipit alert add [ALERTNAME] [NAME=VALUE...] [--annotation NAME=VALUE]... [--start TIME] [--end TIME]\n"
    "                       [--generator-url URL]\n"
    "       pipit alert try RECEIVER\n"
    "\n"
    "Lists and adds the alerts of a server that delivers them: a Pipit with --alertmanager.config.file, or an\n"
    "Alertmanager; and tries whether a receiver of a configuration can be told. Each has --help.\n"
    "\n"
    "Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 the server could not be reached.\n"
    "\n"
    "Examples:\n"
    "  pipit alert list\n"
    "  pipit alert list SiteDown severity=~'page|mail' --silenced --active\n"
    "  pipit alert list --groups\n"
    "  pipit alert add BackupFailed host=db severity=mail --annotation summary='No backup since Monday'\n"
    "  pipit alert add BackupFailed host=db severity=mail --end now\n";

std::string joined(const json& alert, const char* member) {
  std::string text;
  const json status = alert.is_object() ? alert.value("status", json::object()) : json::object();
  const auto list = status.is_object() ? status.find(member) : status.end();
  if (list == status.end() || !list->is_array()) return text;
  for (const json& each : *list) {
    if (each.is_string()) text += (text.empty() ? "" : ", ") + each.get<std::string>();
  }
  return text;
}

/// Why nobody is told, or "active".
std::string shown_state(const json& alert) {
  std::string text;
  for (const auto& [member, words] :
       {std::pair{"silencedBy", "silenced"}, std::pair{"inhibitedBy", "inhibited"}, std::pair{"mutedBy", "muted"}}) {
    if (!joined(alert, member).empty()) text += (text.empty() ? "" : ", ") + std::string(words);
  }
  return text.empty() ? "active" : text;
}

std::vector<std::string> alert_row(const json& alert) {
  json labels = alert.is_object() ? alert.value("labels", json::object()) : json::object();
  const json annotations = alert.is_object() ? alert.value("annotations", json::object()) : json::object();
  const std::string name = text_member(labels, "alertname");
  if (labels.is_object()) labels.erase("alertname");
  std::string summary = text_member(annotations, "summary");
  if (summary.empty()) summary = text_member(annotations, "description");
  return {name, shown_labels(labels), shown_time(text_member(alert, "startsAt")), shown_state(alert), summary};
}

const std::vector<std::string> kColumns = {"Alert", "Labels", "Starts At", "State", "Summary"};

void print_groups(const json& groups) {
  bool first = true;
  for (const json& group : groups) {
    if (!group.is_object()) continue;
    const std::string receiver = text_member(group.value("receiver", json::object()), "name");
    QueryListing listing{kColumns, {}};
    for (const json& alert : group.value("alerts", json::array())) listing.rows.push_back(alert_row(alert));
    const QueryListing head{{""}, {{shown_labels(group.value("labels", json::object())) + " to " + receiver}}};
    std::printf("%s%s", std::exchange(first, false) ? "" : "\n", format_table(head).c_str());
    std::fputs(format_table(listing).c_str(), stdout);
  }
}

int list(int argc, char** argv) {
  DeliveryClient client;
  std::vector<std::string> words;
  bool active = false, silenced = false, inhibited = false, unprocessed = false, groups = false;
  std::string receiver;
  CLI::App app("Lists alerts; only those that are told of, if nothing else is said.", "pipit alert list");
  app.add_option("MATCHER", words, "name=value, name!=value, name=~regex, name!~regex, or an alert's name");
  app.add_flag("-a,--active", active, "Those that are told of");
  app.add_flag("-s,--silenced", silenced, "Those that are silenced");
  app.add_flag("-i,--inhibited", inhibited, "Those that others inhibit");
  app.add_flag("-u,--unprocessed", unprocessed, "Those of which nothing is decided yet");
  app.add_option("-r,--receiver", receiver, "Only those that go to these receivers")->option_text("REGEX");
  app.add_flag("-g,--groups", groups, "By the groups in which they are told");
  client.add_options(app);
  if (const auto code = parse_command(app, argc, argv)) return *code;
  const auto matchers = read_matcher_words(words);
  if (!matchers) return misused(matchers.error().message);
  if (!active && !silenced && !inhibited && !unprocessed) active = true;

  ApiRequest request{.path = groups ? "/api/v2/alerts/groups" : "/api/v2/alerts"};
  add_filters(*matchers, request);
  const auto add = [&request](const char* name, bool value) {
    request.fields.emplace_back(name, value ? "true" : "false");
  };
  add("active", active);
  add("silenced", silenced);
  add("inhibited", inhibited);
  if (!groups) add("unprocessed", unprocessed);
  if (!receiver.empty()) request.fields.emplace_back("receiver", receiver);
  int exit_code = kDone;
  std::string text;
  const auto answer = client.ask_list(request, exit_code, &text);
  if (!answer) return exit_code;
  if (client.wants_json()) {
    std::puts(text.c_str());
  } else if (groups) {
    print_groups(*answer);
  } else {
    QueryListing listing{kColumns, {}};
    for (const json& alert : *answer) listing.rows.push_back(alert_row(alert));
    std::fputs(format_table(listing).c_str(), stdout);
  }
  if (answer->empty() && !client.wants_json()) std::fputs("there are no such alerts\n", stderr);
  return kDone;
}

json object_of(const std::vector<Label>& pairs) {
  json object = json::object();
  for (const Label& pair : pairs) object[pair.name] = pair.value;
  return object;
}

int add(int argc, char** argv) {
  DeliveryClient client;
  std::vector<std::string> words, notes;
  std::string start, end, url;
  CLI::App app("Adds an alert, or ends or changes the one that has the same labels.", "pipit alert add");
  app.add_option("LABEL", words, "NAME=VALUE; a first one without a sign is the alert's name")->required();
  add_pairs_option(app, "--annotation", notes, "What the alert says, such as summary='It is down'");
  app.add_option("--start", start, "Since when: RFC 3339, now-1h (default: now)")->option_text("TIME");
  app.add_option("--end", end, "Until when; \"now\" ends it (default: resolve_timeout from now)")->option_text("TIME");
  app.add_option("--generator-url", url, "A link to where the alert comes from")->option_text("URL");
  client.add_options(app);
  if (const auto code = parse_command(app, argc, argv)) return *code;

  const auto matchers = read_matcher_words(words);
  if (!matchers) return misused(matchers.error().message);
  json labels = json::object();
  for (const Matcher& matcher : *matchers) {
    if (matcher.type() != MatchType::equal) return misused("labels are written NAME=VALUE");
    labels[matcher.name()] = matcher.value();
  }
  std::vector<Label> annotations;
  if (!read_pairs(notes, annotations)) return misused("annotations are written NAME=VALUE");
  json alert = {{"labels", std::move(labels)}, {"annotations", object_of(annotations)}};
  if (!url.empty()) alert["generatorURL"] = url;
  const TimestampMs now = now_ms();
  for (const auto& [option, member, text] :
       {std::tuple{"--start: ", "startsAt", &start}, std::tuple{"--end: ", "endsAt", &end}}) {
    if (text->empty()) continue;
    const auto time = parse_query_time(*text, now);
    if (!time) return misused(option + time.error().message);
    alert[member] = format_rfc3339(*time);
  }
  int exit_code = kDone;
  client.order("POST", {.path = "/api/v2/alerts"},
               json::array({alert}).dump(-1, ' ', false, json::error_handler_t::replace), exit_code);
  return exit_code;
}

}  // namespace

int run_alert(int argc, char** argv) {
  const std::string_view word = argc > 1 ? argv[1] : "";
  if (word == "list" || word == "query") return list(argc - 1, argv + 1);
  if (word == "add") return add(argc - 1, argv + 1);
  if (word == "try") return try_receiver(argc - 1, argv + 1);
  if (word == "--help" || word == "-h") {
    std::fputs(kUsage, stdout);
    return kDone;
  }
  static constexpr std::string_view kWords[] = {"list", "add", "try"};
  if (!word.empty()) {
    std::fprintf(stderr, "pipit alert: unknown \"%s\"%s\n\n", std::string(word).c_str(),
                 suggestion(word, kWords).c_str());
  }
  std::fputs(kUsage, stderr);
  return kMisused;
}

}  // namespace pipit
