#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "config/suggestion.h"
#include "model/duration.h"
#include "tools/check_alertmanager.h"
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
    "usage: pipit check config [OPTIONS] FILE...\n"
    "       pipit check alertmanager FILE...      (pipit check alertmanager --help says more)\n"
    "       pipit check discovery FILE JOB        (pipit check discovery --help says more)\n"
    "       pipit check metrics [OPTIONS] < PAGE  (pipit check metrics --help says more)\n"
    "       pipit check rules [OPTIONS] FILE...   (pipit check rules --help says more)\n"
    "\n"
    "Reads each configuration as `pipit serve` would and says whether it loads, with all files that it names: other\n"
    "jobs, rules, secrets, certificates and lists of targets. - reads standard input.\n"
    "\n"
    "  --syntax-only  does not look at the files that it names\n"
    "  --lint LIST    what else to look for: all, duplicate-rules (the default), too-long-scrape-interval or none\n"
    "  --lint-fatal   what is found so is an error\n"
    "  --ignore-unknown-fields\n"
    "                 lets unknown fields of rule files pass, though a server would not\n"
    "\n"
    "exit codes: 0 all load, 1 one is refused (its error is on standard error), 2 wrong usage, 3 --lint-fatal and\n"
    "something was found\n";

struct Options {
  LintOptions lint;
  bool syntax_only = false;
  bool ignore_unknown_fields = false;  ///< of rule files
};
/// Samples are looked for no further back than that.
constexpr DurationMs kLookback = DurationMs{5} * 60'000;

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

std::vector<std::string> lint(const Config& config, NamedFileFaults& named, const LintOptions& options) {
  std::vector<std::string> found;
  if (options.duplicate_rules) found = std::move(named.lint);
  for (const ScrapeConfig& job : config.scrape_configs) {
    if (!options.too_long_scrape_interval || job.scrape_interval <= kLookback) continue;
    found.push_back("job \"" + job.job_name + "\": its scrape interval of " + format_duration(job.scrape_interval) +
                    " is longer than the look-back of " + format_duration(kLookback) +
                    ": samples are stale in between");
  }
  return found;
}

/// The exit code of one file.
int check_file(const std::string& file, const Options& options) {
  const std::string name = file == "-" ? "stdin" : file;
  const auto config = file == "-" ? parse_config(read_standard_input(), name) : load_config(file);
  if (!config.ok()) {
    std::fprintf(stderr, "%s: FAILED: %s\n", name.c_str(), config.error().message.c_str());
    return kRefused;
  }
  NamedFileFaults named =
      options.syntax_only ? NamedFileFaults() : check_named_files(*config, options.ignore_unknown_fields);
  for (const std::string& error : named.errors) std::fprintf(stderr, "%s: FAILED: %s\n", name.c_str(), error.c_str());
  if (!named.errors.empty()) return kRefused;
  const std::vector<std::string> linted = lint(*config, named, options.lint);
  const bool fatal = options.lint.fatal && !linted.empty();
  std::size_t targets = 0;
  for (const ScrapeConfig& job : config->scrape_configs) {
    for (const TargetGroup& group : job.static_configs) targets += group.targets.size();
  }
  std::string line = name + (fatal ? ": FAILED: " : ": SUCCESS: ") + counted(config->scrape_configs.size(), "job") +
                     ", " + counted(targets, "target");
  const std::size_t warnings = config->warnings.size() + named.warnings.size() + linted.size();
  if (warnings > 0) line += ", " + counted(warnings, "warning");
  std::printf("%s\n", line.c_str());
  for (const ConfigWarning& warning : config->warnings) std::printf("  warning: %s\n", warning.message.c_str());
  for (const std::string& warning : named.warnings) std::printf("  warning: %s\n", warning.c_str());
  for (const std::string& warning : linted) std::printf("  warning: %s\n", warning.c_str());
  return fatal ? LintOptions::kFatalCode : 0;
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
    if (words.front() == "alertmanager") {
      std::fputs(kCheckAlertmanagerUsage, stdout);
    } else if (words.front() == "rules") {
      std::fputs(kCheckRulesUsage, stdout);
    } else {
      std::fputs(words.front() == "metrics" ? kCheckMetricsUsage : discovery ? kCheckDiscoveryUsage : kUsage, stdout);
    }
    return 0;
  }
  if (words.empty()) return wrong_usage("say what to check");
  if (words.front() == "alertmanager") return check_alertmanager({words.begin() + 1, words.end()});
  if (words.front() == "discovery") return check_discovery({words.begin() + 1, words.end()});
  if (words.front() == "metrics") return check_metrics({words.begin() + 1, words.end()});
  if (words.front() == "rules") return check_rules({words.begin() + 1, words.end()});
  if (words.front() != "config") {
    static constexpr std::string_view kChecks[] = {"alertmanager", "config", "discovery", "metrics", "rules"};
    return wrong_usage("unknown check \"" + words.front() + "\"" + suggestion(words.front(), kChecks));
  }
  if (words.size() == 1) return wrong_usage("name a configuration file, or - for standard input");
  Options options;
  std::vector<std::string> files;
  constexpr std::string_view kLint = "--lint=";
  for (std::size_t i = 1; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (word == "--lint" || word.starts_with(kLint)) {
      if (word == "--lint" && ++i == words.size()) return wrong_usage("--lint needs a list");
      const std::string list = word == "--lint" ? words[i] : word.substr(kLint.size());
      if (const std::string wrong = read_lint(list, options.lint); !wrong.empty()) return wrong_usage(wrong);
    } else if (word == "--lint-fatal" || word == "--no-lint-fatal") {
      options.lint.fatal = word == "--lint-fatal";
    } else if (word == "--syntax-only") {
      options.syntax_only = true;
    } else if (word == "--ignore-unknown-fields") {
      options.ignore_unknown_fields = true;
    } else if (word.size() > 1 && word.front() == '-') {
      static constexpr std::string_view kFlags[] = {"--lint", "--lint-fatal", "--syntax-only",
                                                    "--ignore-unknown-fields"};
      return wrong_usage("unknown flag " + word + suggestion(word, kFlags));
    } else {
      files.push_back(word);
    }
  }
  int code = 0;
  for (const std::string& file : files) {
    const int own = check_file(file, options);
    if (own == kRefused || code == 0) code = own;
  }
  return code;
}

}  // namespace pipit
