#include "tools/check_discovery.h"

#include <signal.h>

#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <thread>

#include "config/config.h"
#include "config/suggestion.h"
#include "model/duration.h"
#include "scrape/target_finder.h"
#include "telemetry/metrics.h"
#include "tools/version.h"

namespace pipit {
namespace {

constexpr int kRefused = 1;
constexpr int kWrongUsage = 2;
constexpr DurationMs kDefaultTimeout = 15'000;

struct Options {
  std::vector<std::string> names;  ///< file and job
  DurationMs timeout = kDefaultTimeout;
  bool json = false;
};

Result<Options> parse_options(const std::vector<std::string>& words) {
  Options options;
  for (const std::string& word : words) {
    if (word == "--json") {
      options.json = true;
    } else if (word.starts_with("--timeout=")) {
      const auto timeout = parse_duration(word.substr(10));
      if (!timeout.ok()) return bad_data("--timeout: " + timeout.error().message);
      options.timeout = *timeout;
    } else if (word.starts_with("--")) {
      return bad_data("unknown flag " + word);
    } else {
      options.names.push_back(word);
    }
  }
  if (options.names.size() != 2) return bad_data("name a configuration file and a job");
  return options;
}

/// Looks for targets until each discovery has answered, or the time is over.
FoundJob find_targets(const ScrapeConfig& job, DurationMs timeout) {
  MetricsRegistry metrics;
  TargetFinder finder(metrics, "Pipit/" + std::string(pipit_version()), [](const FoundJob&) {});
  const auto config = std::make_shared<const ScrapeConfig>(job);
  FoundJob found;
  const auto take = [&found](std::vector<FoundJob> jobs) { found = std::move(jobs.front()); };
  finder.apply({config}, take);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout);
  while (!finder.all_answered() && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  if (!finder.all_answered()) {
    std::fprintf(stderr, "pipit check: some discovery has not answered within %s\n", format_duration(timeout).c_str());
  }
  finder.apply({config}, take);
  return found;
}

void print_text(const std::string& job, const TargetSet& targets) {
  std::printf("job \"%s\": %zu to scrape, %zu dropped\n", job.c_str(), targets.active.size(), targets.dropped.size());
  for (const Target& target : targets.active) {
    std::printf("\n%s\n  before %s\n  after  %s\n", target.url.text.c_str(), target.discovered.to_string().c_str(),
                target.public_labels().to_string().c_str());
    if (!target.fault.empty()) std::printf("  error  %s\n", target.fault.c_str());
  }
  for (const Labels& labels : targets.dropped) {
    std::printf("\ndropped\n  before %s\n", labels.to_string().c_str());
  }
  for (const std::string& error : targets.errors) std::printf("\nnot valid: %s\n", error.c_str());
}

nlohmann::json json_of(const Labels& labels) {
  nlohmann::json out = nlohmann::json::object();
  for (const Label& label : labels) out[label.name] = label.value;
  return out;
}

void print_json(const TargetSet& targets) {
  nlohmann::json out = nlohmann::json::array();
  for (const Target& target : targets.active) {
    out.push_back({{"discoveredLabels", json_of(target.discovered)}, {"labels", json_of(target.public_labels())}});
  }
  for (const Labels& labels : targets.dropped) {
    out.push_back({{"discoveredLabels", json_of(labels)}, {"labels", nlohmann::json::object()}});
  }
  std::printf("%s\n", out.dump(2, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
}

}  // namespace

const char* const kCheckDiscoveryUsage =
    "usage: pipit check discovery [--timeout=15s] [--json] FILE JOB\n"
    "\n"
    "Looks for the targets of a job as `pipit serve` would, and shows each with its URL and its labels before and\n"
    "after relabelling, and those that relabelling drops. --json writes what `promtool check service-discovery` does.\n"
    "\n"
    "exit codes: 0 there are targets, 1 there are none, or the configuration is refused, 2 wrong usage\n";

int check_discovery(const std::vector<std::string>& words) {
  ::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes to sockets plainly
  const auto options = parse_options(words);
  if (!options.ok()) {
    std::fprintf(stderr, "pipit check: %s\n\n%s", options.error().message.c_str(), kCheckDiscoveryUsage);
    return kWrongUsage;
  }
  const auto config = load_config(options->names[0]);
  if (!config.ok()) {
    std::fprintf(stderr, "%s: FAILED: %s\n", options->names[0].c_str(), config.error().message.c_str());
    return kRefused;
  }
  std::vector<std::string_view> known;
  for (const ScrapeConfig& job : config->scrape_configs) {
    known.push_back(job.job_name);
    if (job.job_name != options->names[1]) continue;
    const FoundJob found = find_targets(job, options->timeout);
    options->json ? print_json(found.targets) : print_text(job.job_name, found.targets);
    return found.targets.active.empty() ? kRefused : 0;
  }
  std::fprintf(stderr, "pipit check: %s has no job \"%s\"%s\n", options->names[0].c_str(), options->names[1].c_str(),
               suggestion(options->names[1], known).c_str());
  return kRefused;
}

}  // namespace pipit
