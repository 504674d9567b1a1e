#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/labels.h"
#include "model/matcher.h"
#include "model/result.h"
#include "tools/query_client.h"
#include "tools/query_options.h"

namespace CLI {
class App;
}

namespace pipit {

// What `pipit silence` and `pipit alert` have in common. They speak Alertmanager's API v2, so that an Alertmanager
// answers them as well.

/// Exit codes.
inline constexpr int kDone = 0;
inline constexpr int kRefused = 1;      ///< by the server
inline constexpr int kMisused = 2;      ///< wrong usage
inline constexpr int kUnreachable = 3;  ///< no server, or none that speaks the API

/// Which server, and how what it says is shown.
struct DeliveryClient {
  std::string url = "http://127.0.0.1:9090";
  ServerAccess access{};
  std::string timeout = "30s";
  std::string output = "table";

  /// Adds `--url`, `--timeout`, `--output` and what reaches a server.
  void add_options(CLI::App& app);
  bool wants_json() const { return output == "json"; }

  /// Asks the server. Nothing when there was no good answer: why is printed, and `exit_code` set.
  std::optional<std::string> ask(const std::string& method, const ApiRequest& request, const std::string& json,
                                 int& exit_code) const;
  /// The same where nothing is told when it is done. True when it is.
  bool order(const std::string& method, const ApiRequest& request, const std::string& json, int& exit_code) const;
  /// The same as `ask` for an answer that is a JSON array.
  std::optional<nlohmann::json> ask_list(const ApiRequest& request, int& exit_code, std::string* text) const;
  /// Says that what answered does not speak the API; the exit code.
  int not_the_api() const;
};

/// Parses a command line; the exit code when the program ends at once.
std::optional<int> parse_command(CLI::App& app, int argc, char** argv);

/// Matchers as amtool takes them: `severity=page`, `instance=~"db.*"`, and a first word without a sign is an alert's
/// name. Errors: bad_data.
Result<std::vector<Matcher>> read_matcher_words(const std::vector<std::string>& words);
/// Texts of `NAME=VALUE`. False when one is none.
bool read_pairs(const std::vector<std::string>& words, std::vector<Label>& pairs);
/// An option of NAME=VALUE that may be given several times, and leaves the words behind it alone.
void add_pairs_option(CLI::App& app, const char* name, std::vector<std::string>& pairs, const char* help);
/// The matchers as `filter` parameters.
void add_filters(const std::vector<Matcher>& matchers, ApiRequest& request);

/// `2026-11-22 10:00:00 UTC` of a time in JSON; what is no time stays as it is.
std::string shown_time(std::string_view json_time);
/// A member that is a text, or "".
std::string text_member(const nlohmann::json& object, const char* name);
/// `{a="b", c="d"}` of an object of texts.
std::string shown_labels(const nlohmann::json& labels);

/// Prints why the command line is wrong; the exit code.
int misused(const std::string& why);

}  // namespace pipit
