#include "tools/delivery_client.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "delivery/matcher_syntax.h"
#include "model/duration.h"
#include "tools/query_output.h"

namespace pipit {
namespace {

using nlohmann::json;

/// What the server said is wrong: a JSON string, or an object with a message.
std::string complaint(const ServerReply& reply) {
  const json answer = json::parse(reply.body, nullptr, false);
  if (answer.is_string()) return answer.get<std::string>();
  if (answer.is_object() && answer.contains("message")) return text_member(answer, "message");
  std::string text = "HTTP status " + std::to_string(reply.status);
  if (reply.body.empty()) return text + (reply.status == 404 ? ": there is no such silence" : "");
  const std::string line = reply.body.substr(0, std::min<std::size_t>(reply.body.find('\n'), 200));
  return text + ": " + line;
}

}  // namespace

void DeliveryClient::add_options(CLI::App& app) {
  app.add_option("--url,--server,--alertmanager.url", url, "The server, with a path prefix if it has one")
      ->envname("PIPIT_URL")
      ->option_text("URL")
      ->capture_default_str();
  app.add_option("--timeout", timeout, "How long to wait for the answer")->capture_default_str();
  app.add_option("-o,--output", output, "table, or json: the server's answer")
      ->check(CLI::IsMember(std::vector<std::string>{"table", "json"}).description(""))
      ->option_text("FORMAT")
      ->capture_default_str();
  add_access_options(app, access);
}

std::optional<std::string> DeliveryClient::ask(const std::string& method, const ApiRequest& request,
                                               const std::string& json_text, int& exit_code) const {
  const auto print = [](const std::string& text) {
    std::fprintf(stderr, "error: %s\n", printable(text).c_str());
    return std::nullopt;
  };
  const Result<DurationMs> limit = positive_duration("--timeout", timeout);
  if (!limit) {
    exit_code = kMisused;
    return print(limit.error().message);
  }
  const Result<ServerReply> reply = send_json(url, access, method, request, json_text, *limit);
  if (!reply) {
    exit_code = reply.error().kind == ErrorKind::bad_data ? kMisused : kUnreachable;
    return print(reply.error().message);
  }
  if (reply->status == 200) {
    exit_code = kDone;
    return reply->body;
  }
  exit_code = kRefused;
  if (reply->status == 401) {
    return print(reply->origin + " wants another name, password or token; see --user and --bearer-token-file");
  }
  return print(reply->origin + ": " + complaint(*reply));
}

bool DeliveryClient::order(const std::string& method, const ApiRequest& request, const std::string& json_text,
                           int& exit_code) const {
  const auto answer = ask(method, request, json_text, exit_code);
  // Alertmanager says nothing, others that have its API something in JSON. Many a web server has a page for every path.
  if (answer && !answer->empty() && !json::accept(*answer)) exit_code = not_the_api();
  return exit_code == kDone;
}

std::optional<json> DeliveryClient::ask_list(const ApiRequest& request, int& exit_code, std::string* text) const {
  auto body = ask("GET", request, "", exit_code);
  if (!body) return std::nullopt;
  json list = json::parse(*body, nullptr, false);
  if (!list.is_array()) {
    exit_code = not_the_api();
    return std::nullopt;
  }
  if (text != nullptr) *text = std::move(*body);
  return list;
}

int DeliveryClient::not_the_api() const {
  std::fprintf(stderr, "error: %s answered, but not as Alertmanager's API does\n",
               printable(server_origin(url)).c_str());
  return kUnreachable;
}

std::optional<int> parse_command(CLI::App& app, int argc, char** argv) {
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp& help) {
    app.exit(help);
    return kDone;
  } catch (const CLI::ParseError& error) {
    app.exit(error);
    return kMisused;
  }
  return std::nullopt;
}

Result<std::vector<Matcher>> read_matcher_words(const std::vector<std::string>& words) {
  std::vector<Matcher> matchers;
  for (std::size_t i = 0; i < words.size(); ++i) {
    // A value may hold any sign, so that it is quoted when the name is left out.
    if (i == 0 && words[i].find('=') == std::string::npos && words[i].find('~') == std::string::npos) {
      matchers.push_back(Matcher::equal("alertname", words[i]));
      continue;
    }
    auto matcher = parse_alert_matcher(words[i]);
    if (!matcher.ok()) return matcher.error();
    matchers.push_back(std::move(*matcher));
  }
  return matchers;
}

bool read_pairs(const std::vector<std::string>& words, std::vector<Label>& pairs) {
  for (const std::string& word : words) {
    const std::size_t sign = word.find('=');
    if (sign == 0 || sign == std::string::npos) return false;
    pairs.push_back({word.substr(0, sign), word.substr(sign + 1)});
  }
  return true;
}

void add_pairs_option(CLI::App& app, const char* name, std::vector<std::string>& pairs, const char* help) {
  app.add_option(name, pairs, help)->option_text("NAME=VALUE")->allow_extra_args(false);
}

void add_filters(const std::vector<Matcher>& matchers, ApiRequest& request) {
  for (const Matcher& matcher : matchers) request.fields.emplace_back("filter", alert_matcher_text(matcher));
}

std::string shown_time(std::string_view json_time) {
  const auto time = parse_api_time(json_time);
  if (!time.ok()) return std::string(json_time);
  std::string text = format_rfc3339(*time);
  text[10] = ' ';
  return text.substr(0, 19) + " UTC";
}

std::string text_member(const json& object, const char* name) {
  const auto found = object.is_object() ? object.find(name) : object.end();
  return found == object.end() || !found->is_string() ? "" : found->get<std::string>();
}

std::string shown_labels(const json& labels) {
  if (!labels.is_object()) return "{}";
  std::vector<Label> list;
  for (const auto& [name, value] : labels.items()) {
    if (value.is_string()) list.push_back({name, value.get<std::string>()});
  }
  return Labels(std::move(list)).to_string();
}

int misused(const std::string& why) {
  std::fprintf(stderr, "%s\nRun with --help for more information.\n", printable(why).c_str());
  return kMisused;
}

}  // namespace pipit
