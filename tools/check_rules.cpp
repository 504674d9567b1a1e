#include "tools/check_rules.h"

#include <cstdio>
#include <map>
#include <utility>

#include "config/suggestion.h"

namespace pipit {

const char* const kCheckRulesUsage =
    "usage: pipit check rules [OPTIONS] FILE...\n"
    "\n"
    "Reads rule files as `pipit serve` would, and says of each what is wrong with it, with line and column. - reads\n"
    "standard input, as does no file at all.\n"
    "\n"
    "  --lint LIST              what else to look for: all, duplicate-rules (the default) or none\n"
    "  --lint-fatal             what is found so is an error (exit code 3)\n"
    "  --ignore-unknown-fields  lets unknown fields pass\n"
    "\n"
    "exit codes: 0 all load, 1 one is refused, 2 wrong usage, 3 --lint-fatal and something was found\n";

namespace {

constexpr int kRefused = 1;
constexpr int kWrongUsage = 2;

std::string read_standard_input() {
  std::string text;
  char buffer[16384];
  while (const std::size_t size = std::fread(buffer, 1, sizeof buffer, stdin)) {
    text.append(buffer, size);
    if (text.size() > (64u << 20)) break;  // more than a rule file may have
  }
  return text;
}

struct Options {
  LintOptions lint;
  RuleFileOptions files;
  std::vector<std::string> paths;
};

std::string read_words(const std::vector<std::string>& words, Options& options) {
  constexpr std::string_view kLint = "--lint=";
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (word == "--lint") {
      if (++i == words.size()) return "--lint needs a list";
      if (std::string wrong = read_lint(words[i], options.lint); !wrong.empty()) return wrong;
    } else if (word.starts_with(kLint)) {
      if (std::string wrong = read_lint(word.substr(kLint.size()), options.lint); !wrong.empty()) return wrong;
    } else if (word == "--lint-fatal" || word == "--no-lint-fatal") {
      options.lint.fatal = word == "--lint-fatal";
    } else if (word == "--ignore-unknown-fields") {
      options.files.ignore_unknown_fields = true;
    } else if (word.size() > 1 && word.front() == '-') {
      static constexpr std::string_view kFlags[] = {"--lint", "--lint-fatal", "--ignore-unknown-fields"};
      return "unknown flag " + word + suggestion(word, kFlags);
    } else {
      options.paths.push_back(word);
    }
  }
  if (options.paths.empty()) options.paths.emplace_back("-");
  return "";
}

std::string described(const RuleConfig& rule) {
  std::string text = "{";
  for (const Label& label : rule.labels) {
    if (text.size() > 1) text += ", ";
    text += label.name + "=";
    append_quoted(text, label.value);
  }
  return rule.name + text + "}";
}

/// The exit code of one file.
int check_file(const std::string& path, const Options& options) {
  RuleFiles read;
  const std::string name = path == "-" ? "stdin" : path;
  if (path == "-") {
    parse_rule_file(read_standard_input(), name, options.files, read);
  } else {
    load_rule_file(path, options.files, read);
  }
  for (const std::string& fault : read.faults) {
    std::fprintf(stderr, "%s: FAILED: %s\n", name.c_str(), fault.c_str());
  }
  if (!read.ok()) return kRefused;
  std::size_t rules = 0;
  for (const RuleGroupConfig& group : read.groups) rules += group.rules.size();
  const auto duplicates = options.lint.duplicate_rules ? duplicate_rules(read.groups) : std::vector<std::string>();
  const bool failed = options.lint.fatal && !duplicates.empty();
  std::printf("%s: %s: %zu rule%s found\n", name.c_str(), failed ? "FAILED" : "SUCCESS", rules, rules == 1 ? "" : "s");
  for (const std::string& warning : read.warnings) std::printf("  warning: %s\n", warning.c_str());
  for (const std::string& duplicate : duplicates) std::printf("  warning: %s\n", duplicate.c_str());
  return failed ? LintOptions::kFatalCode : 0;
}

}  // namespace

std::string read_lint(std::string_view list, LintOptions& options) {
  options.duplicate_rules = options.too_long_scrape_interval = false;
  for (;;) {
    const std::size_t comma = list.find(',');
    const std::string_view word = list.substr(0, comma);
    if (word == "all" || word == "duplicate-rules") {
      options.duplicate_rules = true;
    }
    if (word == "all" || word == "too-long-scrape-interval") {
      options.too_long_scrape_interval = true;
    } else if (word != "duplicate-rules" && word != "none") {
      static constexpr std::string_view kWords[] = {"all", "duplicate-rules", "too-long-scrape-interval", "none"};
      return "unknown lint option \"" + std::string(word) + "\"" + suggestion(word, kWords);
    }
    if (comma == std::string_view::npos) return "";
    list.remove_prefix(comma + 1);
  }
}

std::vector<std::string> duplicate_rules(const std::vector<RuleGroupConfig>& groups) {
  std::map<std::pair<bool, std::string>, std::size_t> seen;
  for (const RuleGroupConfig& group : groups) {
    for (const RuleConfig& rule : group.rules) ++seen[{rule.alerting, described(rule)}];
  }
  std::vector<std::string> found;
  for (const auto& [rule, count] : seen) {
    if (count < 2) continue;
    found.push_back(std::to_string(count) + " rules " + (rule.first ? "are the alert " : "record ") + rule.second +
                    (rule.first ? "" : ", which might be inconsistent then"));
  }
  return found;
}

int check_rules(const std::vector<std::string>& words) {
  Options options;
  if (const std::string wrong = read_words(words, options); !wrong.empty()) {
    std::fprintf(stderr, "pipit check rules: %s\n\n%s", wrong.c_str(), kCheckRulesUsage);
    return kWrongUsage;
  }
  int code = 0;
  for (const std::string& path : options.paths) {
    const int own = check_file(path, options);
    if (own == kRefused || code == 0) code = own;
  }
  return code;
}

}  // namespace pipit
