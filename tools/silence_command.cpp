#include <pwd.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <optional>
#include <tuple>

#include "config/suggestion.h"
#include "model/duration.h"
#include "tools/delivery_client.h"
#include "tools/query_listing.h"
#include "tools/query_output.h"
#include "tools/subcommands.h"

namespace pipit {
namespace {

using nlohmann::json;

constexpr const char* kUsage =
    "usage: pipit silence add MATCHER... --comment TEXT [--duration 1h | --start TIME --end TIME] [--author NAME]\n"
    "       pipit silence list [MATCHER...] [--expired] [--within DURATION]\n"
    "       pipit silence update ID... [--duration 2h | --end TIME] [--start TIME] [--comment TEXT]\n"
    "       pipit silence expire ID...\n"
    "\n"
    "Silences alerts on a server that delivers them: a Pipit with --alertmanager.config.file, or an Alertmanager.\n"
    "Each has --help. A matcher is written name=value, name!=value, name=~regex or name!~regex; a first one without a\n"
    "sign is the alert's name.\n"
    "\n"
    "Exit codes: 0 done, 1 the server refused, 2 wrong usage, 3 the server could not be reached.\n"
    "\n"
    "Examples:\n"
    "  pipit silence add SiteDown instance=shop:8000 --duration 2h --comment 'moving the database'\n"
    "  pipit silence list\n"
    "  pipit silence update 3f1c9a52-6f0b-4d7e-9d0e-0f6a2a3c7b11 --end now+2h\n"
    "  pipit silence expire $(pipit silence list -q)\n";

std::string user_name() {
  if (const char* name = std::getenv("USER"); name != nullptr && *name != '\0') return name;
  const passwd* entry = ::getpwuid(::getuid());
  return entry != nullptr ? entry->pw_name : "pipit";
}

json matchers_json(const std::vector<Matcher>& matchers) {
  json list = json::array();
  for (const Matcher& matcher : matchers) {
    list.push_back({{"name", matcher.name()},
                    {"value", matcher.value()},
                    {"isRegex", matcher.type() == MatchType::regex || matcher.type() == MatchType::not_regex},
                    {"isEqual", matcher.type() == MatchType::equal || matcher.type() == MatchType::regex}});
  }
  return list;
}

/// `{a="b", c!~"d"}` of a silence's matchers.
std::string shown_matchers(const json& silence) {
  std::string text;
  const auto matchers = silence.find("matchers");
  if (matchers == silence.end() || !matchers->is_array()) return "{}";
  for (const json& matcher : *matchers) {
    const auto flag = [&matcher](const char* name, bool fallback) {
      const auto found = matcher.is_object() ? matcher.find(name) : matcher.end();
      return found != matcher.end() && found->is_boolean() ? found->get<bool>() : fallback;
    };
    const bool regex = flag("isRegex", false);
    const bool equal = flag("isEqual", true);
    text += text.empty() ? "" : ", ";
    text += text_member(matcher, "name") + (equal ? (regex ? "=~" : "=") : (regex ? "!~" : "!="));
    append_quoted(text, text_member(matcher, "value"));
  }
  return "{" + text + "}";
}

/// Sets a silence and prints its id.
int send(const DeliveryClient& client, const json& silence) {
  int exit_code = kDone;
  const auto answer = client.ask("POST", {.path = "/api/v2/silences"},
                                 silence.dump(-1, ' ', false, json::error_handler_t::replace), exit_code);
  if (!answer) return exit_code;
  const std::string id = text_member(json::parse(*answer, nullptr, false), "silenceID");
  if (id.empty()) return client.not_the_api();
  std::puts(client.wants_json() ? answer->c_str() : printable(id).c_str());
  return kDone;
}

bool is_id(const std::string& text) {
  return text.size() == 36 && text.find_first_not_of("0123456789abcdefABCDEF-") == std::string::npos;
}

/// The ids on the command line. False, and said, when one is none.
bool check_ids(const std::vector<std::string>& ids) {
  const auto wrong = std::find_if_not(ids.begin(), ids.end(), is_id);
  if (wrong != ids.end()) misused("\"" + *wrong + "\" is no silence's id");
  return wrong == ids.end();
}

int add(int argc, char** argv) {
  DeliveryClient client;
  std::vector<std::string> words;
  std::string duration = "1h", author = user_name(), comment, start, end;
  CLI::App app("Silences the alerts that all matchers match; prints the silence's id.", "pipit silence add");
  app.add_option("MATCHER", words, "name=value, name!=value, name=~regex, name!~regex, or an alert's name")->required();
  app.add_option("-c,--comment", comment, "Why")->required();
  app.add_option("-a,--author", author, "Who (default: the user's name)");
  auto* length = app.add_option("-d,--duration", duration, "How long")->capture_default_str();
  app.add_option("--start", start, "From when: RFC 3339, now+1h (default: now)");
  app.add_option("--end", end, "Until when, in place of a duration")->excludes(length);
  client.add_options(app);
  if (const auto code = parse_command(app, argc, argv)) return *code;

  const auto matchers = read_matcher_words(words);
  if (!matchers) return misused(matchers.error().message);
  const TimestampMs now = now_ms();
  const Result<TimestampMs> from = start.empty() ? Result<TimestampMs>(now) : parse_query_time(start, now);
  if (!from) return misused("--start: " + from.error().message);
  const Result<DurationMs> lasts = positive_duration("--duration", duration);
  if (!lasts) return misused(lasts.error().message);
  const Result<TimestampMs> until = end.empty() ? Result<TimestampMs>(*from + *lasts) : parse_query_time(end, now);
  if (!until) return misused("--end: " + until.error().message);
  if (*until <= *from) return misused("a silence must end after it starts");

  const json silence = {{"matchers", matchers_json(*matchers)},
                        {"startsAt", format_rfc3339(*from)},
                        {"endsAt", format_rfc3339(*until)},
                        {"createdBy", author},
                        {"comment", comment}};
  return send(client, silence);
}

/// Which silences are listed beside those that the matchers choose.
struct Wanted {
  bool expired = false;
  std::string created_by;
  std::optional<DurationMs> within;

  bool operator()(const json& silence, TimestampMs now) const {
    const json status = silence.is_object() ? silence.value("status", json::object()) : json::object();
    if ((text_member(status, "state") == "expired") != expired) return false;
    if (!created_by.empty() && text_member(silence, "createdBy") != created_by) return false;
    const auto end = parse_api_time(text_member(silence, "endsAt"));
    if (!within || !end.ok()) return true;
    return expired ? *end > now - *within : *end < now + *within;
  }
};

int list(int argc, char** argv) {
  DeliveryClient client;
  std::vector<std::string> words;
  Wanted wanted;
  std::string within;
  bool quiet = false;
  CLI::App app("Lists silences that are in force or will be.", "pipit silence list");
  app.add_option("MATCHER", words, "Only silences whose matchers name these values");
  app.add_flag("--expired", wanted.expired, "List those that are over instead");
  app.add_option("--within", within, "Only those that end within this time, or have ended")->option_text("DURATION");
  app.add_option("--created-by", wanted.created_by, "Only this author's")->option_text("NAME");
  app.add_flag("-q,--quiet", quiet, "Print only ids");
  client.add_options(app);
  if (const auto code = parse_command(app, argc, argv)) return *code;
  const auto matchers = read_matcher_words(words);
  if (!matchers) return misused(matchers.error().message);
  if (!within.empty()) {
    const auto time = positive_duration("--within", within);
    if (!time) return misused(time.error().message);
    wanted.within = *time;
  }

  ApiRequest request{.path = "/api/v2/silences"};
  add_filters(*matchers, request);
  int exit_code = kDone;
  const auto silences = client.ask_list(request, exit_code, nullptr);
  if (!silences) return exit_code;
  QueryListing listing{{"ID", "Matchers", "Starts At", "Ends At", "Created By", "Comment"}, {}};
  json chosen = json::array();
  for (const json& silence : *silences) {
    if (!wanted(silence, now_ms())) continue;
    chosen.push_back(silence);
    listing.rows.push_back({text_member(silence, "id"), shown_matchers(silence),
                            shown_time(text_member(silence, "startsAt")), shown_time(text_member(silence, "endsAt")),
                            text_member(silence, "createdBy"), text_member(silence, "comment")});
  }
  if (quiet) {
    for (const auto& row : listing.rows) std::puts(printable(row[0]).c_str());
  } else if (client.wants_json()) {
    std::puts(chosen.dump(-1, ' ', false, json::error_handler_t::replace).c_str());
  } else {
    std::fputs(format_table(listing).c_str(), stdout);
    if (listing.rows.empty()) std::fputs("there are no such silences\n", stderr);
  }
  return kDone;
}

/// What `update` changes; nothing: as it was.
struct SilenceChange {
  std::optional<TimestampMs> start, end;
  std::optional<DurationMs> duration;
  std::optional<std::string> comment;

  /// False when the silence ends before it starts.
  bool apply(json& silence) const {
    if (start) silence["startsAt"] = format_rfc3339(*start);
    if (comment) silence["comment"] = *comment;
    const auto from = parse_api_time(text_member(silence, "startsAt"));
    if (duration && from.ok()) silence["endsAt"] = format_rfc3339(*from + *duration);
    if (end) silence["endsAt"] = format_rfc3339(*end);
    const auto until = parse_api_time(text_member(silence, "endsAt"));
    return from.ok() && until.ok() && *from < *until;
  }
};

int update_one(const DeliveryClient& client, const std::string& id, const SilenceChange& change) {
  int exit_code = kDone;
  const auto answer = client.ask("GET", {.path = "/api/v2/silence/" + id}, "", exit_code);
  if (!answer) return exit_code;
  json silence = json::parse(*answer, nullptr, false);
  if (text_member(silence, "id") != id) return client.not_the_api();
  silence.erase("status");
  silence.erase("updatedAt");
  if (!change.apply(silence)) return misused("a silence must end after it starts");
  return send(client, silence);
}

int update(int argc, char** argv) {
  DeliveryClient client;
  std::vector<std::string> ids;
  std::string duration, start, end, comment;
  CLI::App app(
      "Changes silences; prints their ids. One whose beginning is changed while it is in force, or that is over, "
      "becomes another one.",
      "pipit silence update");
  app.add_option("ID", ids, "The ids, as list shows them")->required();
  auto* length = app.add_option("-d,--duration", duration, "How long in all, from its beginning");
  app.add_option("--start", start, "From when: RFC 3339, now+1h");
  app.add_option("--end", end, "Until when: RFC 3339, now+1h")->excludes(length);
  auto* why = app.add_option("-c,--comment", comment, "Why");
  client.add_options(app);
  if (const auto code = parse_command(app, argc, argv)) return *code;
  if (!check_ids(ids)) return kMisused;

  SilenceChange change;
  const TimestampMs now = now_ms();
  for (const auto& [option, text, time] :
       {std::tuple{"--start: ", &start, &change.start}, std::tuple{"--end: ", &end, &change.end}}) {
    if (text->empty()) continue;
    const auto read = parse_query_time(*text, now);
    if (!read) return misused(option + read.error().message);
    *time = *read;
  }
  if (!duration.empty()) {
    const auto lasts = positive_duration("--duration", duration);
    if (!lasts) return misused(lasts.error().message);
    change.duration = *lasts;
  }
  if (why->count() > 0) change.comment = comment;
  if (!change.start && !change.end && !change.duration && !change.comment) {
    return misused("nothing is to be changed: --duration, --start, --end or --comment says what");
  }
  int worst = kDone;
  for (const std::string& id : ids) worst = std::max(worst, update_one(client, id, change));
  return worst;
}

int expire(int argc, char** argv) {
  DeliveryClient client;
  std::vector<std::string> ids;
  CLI::App app("Ends silences.", "pipit silence expire");
  app.add_option("ID", ids, "The ids, as list shows them")->required();
  client.add_options(app);
  if (const auto code = parse_command(app, argc, argv)) return *code;
  if (!check_ids(ids)) return kMisused;
  int worst = kDone;
  for (const std::string& id : ids) {
    int exit_code = kDone;
    client.order("DELETE", {.path = "/api/v2/silence/" + id}, "", exit_code);
    worst = std::max(worst, exit_code);
  }
  return worst;
}

}  // namespace

int run_silence(int argc, char** argv) {
  const std::string_view word = argc > 1 ? argv[1] : "";
  if (word == "add") return add(argc - 1, argv + 1);
  if (word == "list" || word == "query") return list(argc - 1, argv + 1);
  if (word == "update") return update(argc - 1, argv + 1);
  if (word == "expire") return expire(argc - 1, argv + 1);
  if (word == "--help" || word == "-h") {
    std::fputs(kUsage, stdout);
    return kDone;
  }
  static constexpr std::string_view kWords[] = {"add", "list", "update", "expire"};
  if (!word.empty()) {
    std::fprintf(stderr, "pipit silence: unknown \"%s\"%s\n\n", std::string(word).c_str(),
                 suggestion(word, kWords).c_str());
  }
  std::fputs(kUsage, stderr);
  return kMisused;
}

}  // namespace pipit
