#include "tools/test_rules.h"

#include <algorithm>
#include <cstdio>
#include <fstream>

#include "config/suggestion.h"
#include "telemetry/log.h"
#include "tools/rule_test_runner.h"
#include "web/pages.h"

namespace pipit {

const char* const kTestRulesUsage =
    "usage: pipit test rules [OPTIONS] FILE...\n"
    "\n"
    "Runs unit tests of rules, in promtool's format, on a store in a temporary folder.\n"
    "\n"
    "  --run REGEX              runs only the tests whose name it matches somewhere; may be given several times\n"
    "  --diff                   shows what is missing and what is too much in place of both lists\n"
    "  --debug                  shows all series that a test has in the end, points as VALUE@TIME, and what it took\n"
    "  --junit FILE             writes the results as JUnit's XML, too\n"
    "  --ignore-unknown-fields  lets unknown fields of tests and rules pass\n"
    "\n"
    "exit codes: 0 all passed, 1 something failed or can't be read, 2 wrong usage\n";

namespace {

constexpr int kFailed = 1;
constexpr int kWrongUsage = 2;

struct FileReport {
  std::string file;
  std::string error;
  std::vector<RuleTestOutcome> outcomes;
  bool failed() const {
    for (const RuleTestOutcome& outcome : outcomes) {
      if (!outcome.failures.empty()) return true;
    }
    return !error.empty();
  }
};

/// XML has no way to write most control characters.
std::string escaped(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 32 && c != '\n' && c != '\t'; },
      ' ');
  return escape_html(text);
}

std::string test_name(const RuleTestOutcome& outcome, std::size_t index) {
  return outcome.name.empty() ? "test " + std::to_string(index + 1) : outcome.name;
}

bool write_junit(const std::string& path, const std::vector<FileReport>& reports) {
  std::ofstream out(path);
  out << "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n";
  for (const FileReport& report : reports) {
    out << "  <testsuite name=\"" << escaped(report.file) << "\">\n";
    if (!report.error.empty()) {
      out << "    <testcase name=\"load\"><failure>" << escaped(report.error) << "</failure></testcase>\n";
    }
    for (std::size_t i = 0; i < report.outcomes.size(); ++i) {
      out << "    <testcase name=\"" << escaped(test_name(report.outcomes[i], i)) << "\">";
      for (const std::string& failure : report.outcomes[i].failures) {
        out << "<failure>" << escaped(failure) << "</failure>";
      }
      out << "</testcase>\n";
    }
    out << "  </testsuite>\n";
  }
  out << "</testsuites>\n";
  return static_cast<bool>(out.flush());
}

void print(const FileReport& report, bool debug) {
  std::printf("Unit Testing:  %s\n", report.file.c_str());
  std::printf(report.failed() ? "  FAILED:\n" : "  SUCCESS\n");
  if (!report.error.empty()) std::printf("%s\n", report.error.c_str());
  for (std::size_t i = 0; i < report.outcomes.size(); ++i) {
    const RuleTestOutcome& outcome = report.outcomes[i];
    if (debug) std::printf("DEBUG: %s took %.3f s\n", test_name(outcome, i).c_str(), outcome.seconds);
    for (const std::string& series : outcome.stored) std::printf("DEBUG:   %s\n", series.c_str());
    if (!outcome.failures.empty()) std::printf("  %s:\n", test_name(outcome, i).c_str());
    for (const std::string& failure : outcome.failures) std::printf("%s\n", failure.c_str());
    for (const std::string& skipped : outcome.skipped) std::printf("  SKIPPED:%s\n", skipped.c_str() + 3);
  }
}

int wrong_usage(const std::string& what) {
  std::fprintf(stderr, "pipit test rules: %s\n\n%s", what.c_str(), kTestRulesUsage);
  return kWrongUsage;
}

}  // namespace

int test_rules(const std::vector<std::string>& words, const std::atomic<bool>& interrupted) {
  RuleTestOptions options;
  options.interrupted = &interrupted;
  std::vector<std::string> files;
  std::string junit;
  for (std::size_t i = 0; i < words.size(); ++i) {
    std::string word = words[i];
    std::string value;
    if (const std::size_t equals = word.find('='); word.starts_with("--") && equals != std::string::npos) {
      value = word.substr(equals + 1);
      word.resize(equals);
    } else if (word == "--run" || word == "--junit") {
      if (++i == words.size()) return wrong_usage(word + " needs a value");
      value = words[i];
    }
    if (word == "--run") {
      auto regex = Regex::compile(".*(?:" + value + ").*");
      if (!regex.ok()) return wrong_usage("--run: " + regex.error().message);
      options.run.push_back(std::move(*regex));
    } else if (word == "--junit") {
      junit = value;
    } else if (word == "--diff") {
      options.diff = true;
    } else if (word == "--debug") {
      options.debug = true;
    } else if (word == "--ignore-unknown-fields") {
      options.ignore_unknown_fields = true;
    } else if (word.starts_with("--")) {
      static constexpr std::string_view kFlags[] = {"--run", "--diff", "--debug", "--junit", "--ignore-unknown-fields"};
      return wrong_usage("unknown flag " + word + suggestion(word, kFlags));
    } else {
      files.push_back(word);
    }
  }
  if (files.empty()) return wrong_usage("name a file of tests");
  configure_log(LogLevel::error, LogFormat::logfmt);  // failures are told below
  bool failed = false;
  std::vector<FileReport> reports;
  for (const std::string& file : files) {
    FileReport report{file, "", {}};
    auto outcomes = run_rule_tests(file, options);
    if (outcomes.ok()) {
      report.outcomes = std::move(*outcomes);
    } else {
      report.error = outcomes.error().message;
    }
    print(report, options.debug);
    failed = failed || report.failed();
    reports.push_back(std::move(report));
  }
  if (!junit.empty() && !write_junit(junit, reports)) {
    std::fprintf(stderr, "pipit test: %s: can't be written\n", junit.c_str());
    return kFailed;
  }
  return failed ? kFailed : 0;
}

}  // namespace pipit
