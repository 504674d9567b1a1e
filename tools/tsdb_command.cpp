#include <charconv>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "config/suggestion.h"
#include "model/duration.h"
#include "storage/store.h"
#include "telemetry/metrics.h"
#include "tools/query_client.h"
#include "tools/subcommands.h"

namespace pipit {
namespace {

constexpr int kFailed = 1;
constexpr int kWrongUsage = 2;
constexpr std::size_t kMaxLimit = 10'000;
constexpr DurationMs kServerTimeoutMs = 120'000;

constexpr const char* kUsage =
    "usage: pipit tsdb analyze [--storage.tsdb.path DIR | --server URL] [--limit N]\n"
    "\n"
    "Says where the series come from: the largest metrics, labels and pairs of a label and a value, what came and "
    "went\n"
    "in the last days, and how large the files are.\n"
    "\n"
    "  --storage.tsdb.path DIR  the server's data folder, data/ by default; the server must not run\n"
    "  --server URL             ask a running server instead, of its newest data, without churn and files\n"
    "  --limit N                how many lines of each list, 20 by default\n"
    "\n"
    "exit codes: 0 done, 1 the folder or the server can't be read, 2 wrong usage\n";

struct Options {
  std::filesystem::path path = "data/";
  std::string server;
  std::size_t limit = 20;
};

std::string line_of(std::uint64_t count, const std::string& name) {
  char text[32];
  std::snprintf(text, sizeof text, "%12llu  ", static_cast<unsigned long long>(count));
  return text + name + "\n";
}

void print(const std::string& text) { std::fwrite(text.data(), 1, text.size(), stdout); }

void print_list(const char* title, const std::vector<Cardinality::Count>& counts) {
  std::string text = std::string("\n") + title + ":\n";
  for (const Cardinality::Count& count : counts) text += line_of(count.count, count.name);
  if (counts.empty()) text += "  none\n";
  print(text);
}

void print_lists(const Cardinality& found) {
  print_list("Metrics with the most series", found.series_by_metric);
  print_list("Labels with the most values", found.values_by_label);
  print_list("Labels whose values are the longest, in bytes over all series", found.bytes_by_label);
  print_list("Pairs of label and value with the most series", found.series_by_pair);
}

void print_churn(const Cardinality& found) {
  std::string text =
      "\nSeries with samples, by two hours (UTC):\n  start                      series    appeared    vanished\n";
  for (const Cardinality::Hours& hours : found.churn) {
    char line[96];
    std::snprintf(line, sizeof line, "  %-20s %12llu%12llu%12llu\n", format_rfc3339(hours.start).substr(0, 16).c_str(),
                  static_cast<unsigned long long>(hours.series), static_cast<unsigned long long>(hours.appeared),
                  static_cast<unsigned long long>(hours.vanished));
    text += line;
  }
  print(text);
}

int fail(const std::string& message) {
  std::fprintf(stderr, "pipit tsdb analyze: %s\n", message.c_str());
  return kFailed;
}

/// The folder with the database: `path` may be the server's data folder, or one in it such as a snapshot.
std::filesystem::path database_folder(const std::filesystem::path& path) {
  std::error_code ignored;
  for (const auto& folder : {path / "pipit", path}) {
    if (std::filesystem::exists(folder / "CURRENT", ignored)) return folder;
  }
  return {};
}

int analyze_folder(const Options& options) {
  StoreOptions store_options;
  store_options.path = database_folder(options.path);
  if (store_options.path.empty()) {
    return fail("there is no data of Pipit in " + options.path.string() + "; name the folder with --storage.tsdb.path");
  }
  store_options.retention = 0;  // looking drops nothing
  MetricsRegistry metrics;
  auto store = Store::open(store_options, metrics);
  if (!store.ok()) {
    std::string message = store.error().message;
    if (message.find("in use by another process") != std::string::npos) {
      message = "the data folder " + options.path.string() +
                " is in use by a running server. Ask the server: pipit tsdb analyze --server http://127.0.0.1:9090";
    }
    return fail(message);
  }
  const auto found = (*store)->cardinality(options.limit);
  if (!found.ok()) return fail(found.error().message);
  const StoreStats stats = (*store)->stats();
  std::string head = "Data folder: " + store_options.path.string() + "\n";
  if (stats.max_time >= stats.min_time) {
    head += "Samples from " + format_rfc3339(stats.min_time) + " to " + format_rfc3339(stats.max_time) + "\n";
  }
  head += "Series: " + std::to_string(found->series) + " of " + std::to_string(found->metrics) + " metrics, with " +
          std::to_string(found->label_pairs) + " pairs of " + std::to_string(found->label_names) + " labels\n";
  print(head);
  print_lists(*found);
  print_churn(*found);
  print_list("Files, in bytes", found->file_bytes);
  return 0;
}

/// False when it is no list of names and values.
bool read_counts(const nlohmann::json& data, const char* member, std::vector<Cardinality::Count>& counts) {
  const auto list = data.find(member);
  if (list == data.end() || !list->is_array()) return false;
  for (const auto& entry : *list) {
    if (!entry.is_object() || !entry.contains("name") || !entry.contains("value")) return false;
    if (!entry["name"].is_string() || !entry["value"].is_number()) return false;
    counts.push_back({entry["name"].get<std::string>(), entry["value"].get<std::uint64_t>()});
  }
  return true;
}

int analyze_server(const Options& options) {
  const std::string path = "/api/v1/status/tsdb?limit=" + std::to_string(options.limit);
  const Result<ServerReply> reply = send_get(options.server, path, kServerTimeoutMs);
  if (!reply && reply.error().kind == ErrorKind::bad_data) {
    fail("--server: \"" + options.server + "\" is not of the form http://HOST[:PORT][/PREFIX]");
    return kWrongUsage;
  }
  if (!reply) return fail(reply.error().message);
  const auto answer = nlohmann::json::parse(reply->body, nullptr, false);
  const auto data = answer.is_object() ? answer.find("data") : answer.end();
  Cardinality found;
  if (reply->status != 200 || data == answer.end() || !data->is_object() ||
      !read_counts(*data, "seriesCountByMetricName", found.series_by_metric) ||
      !read_counts(*data, "labelValueCountByLabelName", found.values_by_label) ||
      !read_counts(*data, "memoryInBytesByLabelName", found.bytes_by_label) ||
      !read_counts(*data, "seriesCountByLabelValuePair", found.series_by_pair)) {
    return fail(reply->origin + " did not answer as a server does (HTTP status " + std::to_string(reply->status) + ")");
  }
  std::string head = "Server: " + reply->origin + "\n";
  if (const auto stats = data->find("headStats"); stats != data->end() && stats->is_object()) {
    const auto number = [&](const char* name) {
      const auto member = stats->find(name);
      return member != stats->end() && member->is_number() ? std::to_string(member->get<std::uint64_t>()) : "?";
    };
    head += "Series in RAM: " + number("numSeries") + ", pairs of labels and values: " + number("numLabelPairs") + "\n";
  }
  print(head);
  print_lists(found);
  return 0;
}

}  // namespace

int run_tsdb(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  const auto wrong_usage = [](const std::string& what) {
    std::fprintf(stderr, "pipit tsdb: %s\n\n%s", what.c_str(), kUsage);
    return kWrongUsage;
  };
  for (const std::string& word : words) {
    if (word != "--help" && word != "-h") continue;
    std::fputs(kUsage, stdout);
    return 0;
  }
  if (words.empty()) return wrong_usage("say what to do: analyze");
  if (words.front() != "analyze") {
    static constexpr std::string_view kWords[] = {"analyze"};
    return wrong_usage("unknown word \"" + words.front() + "\"" + suggestion(words.front(), kWords));
  }
  Options options;
  bool has_path = false;
  for (std::size_t i = 1; i < words.size(); ++i) {
    std::string name = words[i];
    std::string value;
    if (const std::size_t equals = name.find('='); equals != std::string::npos) {
      value = name.substr(equals + 1);
      name.resize(equals);
    } else if (i + 1 < words.size()) {
      value = words[++i];
    } else {
      return wrong_usage(name + " needs a value");
    }
    if (name == "--storage.tsdb.path") {
      options.path = value;
      has_path = true;
    } else if (name == "--server") {
      options.server = value;
    } else if (name == "--limit") {
      const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), options.limit);
      if (error != std::errc() || end != value.data() + value.size() || options.limit < 1 ||
          options.limit > kMaxLimit) {
        return wrong_usage("--limit: \"" + value + "\" is no number from 1 to " + std::to_string(kMaxLimit));
      }
    } else {
      static constexpr std::string_view kFlags[] = {"--storage.tsdb.path", "--server", "--limit"};
      return wrong_usage("unknown flag " + name + suggestion(name, kFlags));
    }
  }
  if (has_path && !options.server.empty()) return wrong_usage("give --storage.tsdb.path or --server, not both");
  return options.server.empty() ? analyze_folder(options) : analyze_server(options);
}

}  // namespace pipit
