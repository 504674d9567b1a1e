#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "config/suggestion.h"
#include "tools/check_discovery.h"
#include "tools/check_metrics.h"
#include "tools/check_rules.h"
#include "tools/named_files.h"
#include "tools/subcommands.h"

namespace pipit {
namespace {

constexpr int kRefused = 1;
constexpr int kWrongUsage = 2;

constexpr const char* kUsage =
    "usage: pipit check config FILE...\n"
    "       pipit check discovery FILE JOB        (pipit check discovery --help says more)\n"
    "       pipit check metrics [OPTIONS] < PAGE  (pipit check metrics --help says more)\n"
    "       pipit check rules [OPTIONS] FILE...   (pipit check rules --help says more)\n"
    "\n"
    "Reads each configuration as `pipit serve` would and says whether it loads, with all files that it names: other\n"
    "jobs, rules, secrets, certificates and lists of targets. - reads standard input.\n"
    "\n"
    "exit codes: 0 all load, 1 one is refused (its error is on standard error), 2 wrong usage\n";

std::string read_standard_input() {
  std::string text;
  char buffer[16384];
  while (const std::size_t size = std::fread(buffer, 1, sizeof buffer, stdin)) {
    text.append(buffer, size);
    if (text.size() > (64u << 20)) break;  // more than a configuration may have
  }
  return text;
}

std::string counted(std::size_t count, const char* noun) {
  return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
}

bool check_file(const std::string& file) {
  const std::string name = file == "-" ? "stdin" : file;
  const auto config = file == "-" ? parse_config(read_standard_input(), name) : load_config(file);
  if (!config.ok()) {
    std::fprintf(stderr, "%s: FAILED: %s\n", name.c_str(), config.error().message.c_str());
    return false;
  }
  NamedFileFaults named = check_named_files(*config);
  for (const std::string& error : named.errors) std::fprintf(stderr, "%s: FAILED: %s\n", name.c_str(), error.c_str());
  if (!named.errors.empty()) return false;
  std::size_t targets = 0;
  for (const ScrapeConfig& job : config->scrape_configs) {
    for (const TargetGroup& group : job.static_configs) targets += group.targets.size();
  }
  std::string line =
      name + ": SUCCESS: " + counted(config->scrape_configs.size(), "job") + ", " + counted(targets, "target");
  const std::size_t warnings = config->warnings.size() + named.warnings.size();
  if (warnings > 0) line += ", " + counted(warnings, "warning");
  std::printf("%s\n", line.c_str());
  for (const ConfigWarning& warning : config->warnings) std::printf("  warning: %s\n", warning.message.c_str());
  for (const std::string& warning : named.warnings) std::printf("  warning: %s\n", warning.c_str());
  return true;
}

}  // namespace

int run_check(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  const auto wrong_usage = [](const std::string& what) {
    std::fprintf(stderr, "pipit check: %s\n\n%s", what.c_str(), kUsage);
    return kWrongUsage;
  };
  for (const std::string& word : words) {
    if (word != "--help" && word != "-h") continue;
    const bool discovery = words.front() == "discovery";
    if (words.front() == "rules") {
      std::fputs(kCheckRulesUsage, stdout);
    } else {
      std::fputs(words.front() == "metrics" ? kCheckMetricsUsage : discovery ? kCheckDiscoveryUsage : kUsage, stdout);
    }
    return 0;
  }
  if (words.empty()) return wrong_usage("say what to check");
  if (words.front() == "discovery") return check_discovery({words.begin() + 1, words.end()});
  if (words.front() == "metrics") return check_metrics({words.begin() + 1, words.end()});
  if (words.front() == "rules") return check_rules({words.begin() + 1, words.end()});
  if (words.front() != "config") {
    static constexpr std::string_view kChecks[] = {"config", "discovery", "metrics", "rules"};
    return wrong_usage("unknown check \"" + words.front() + "\"" + suggestion(words.front(), kChecks));
  }
  if (words.size() == 1) return wrong_usage("name a configuration file, or - for standard input");
  bool all_load = true;
  for (std::size_t i = 1; i < words.size(); ++i) {
    if (words[i].size() > 1 && words[i].front() == '-') return wrong_usage("unknown flag " + words[i]);
    all_load = check_file(words[i]) && all_load;
  }
  return all_load ? 0 : kRefused;
}

}  // namespace pipit
