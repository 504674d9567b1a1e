#include <signal.h>

#include <atomic>
#include <cstdio>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "config/suggestion.h"
#include "tools/conformance_report.h"
#include "tools/promql_script_runner.h"
#include "tools/subcommands.h"
#include "tools/test_rules.h"

namespace pipit {
namespace {

constexpr int kFailed = 1;
constexpr int kWrongUsage = 2;

constexpr const char* kUsage =
    "usage: pipit test promql [--report FILE] [--verbose] FILE...\n"
    "       pipit test rules [OPTIONS] FILE...      (pipit test rules --help says more)\n"
    "\n"
    "Runs scripts of Prometheus's PromQL test language (load, clear, eval instant, eval range, expect) on a store in "
    "a\n"
    "temporary folder, and prints each evaluation that does not give what the script expects.\n"
    "\n"
    "  --report FILE  writes a page in Markdown: counts by script, and each evaluation that did not pass\n"
    "  --verbose      prints the skipped evaluations too\n"
    "\n"
    "exit codes: 0 nothing failed, 1 an evaluation failed, 2 wrong usage or a script that can't be read\n";

std::atomic<bool> interrupted = false;

/// The first SIGINT or SIGTERM ends the run in order, so that the temporary store is removed; the second at once.
void end_in_order() {
  for (const int signal : {SIGINT, SIGTERM}) {
    struct sigaction action = {};
    action.sa_handler = [](int) { interrupted = true; };
    action.sa_flags = static_cast<int>(SA_RESETHAND);
    ::sigaction(signal, &action, nullptr);
  }
}

/// The text's further lines stand below its first.
std::string indented(std::string_view text) {
  std::string out;
  for (const char c : text) {
    out += c;
    if (c == '\n') out.append(12, ' ');
  }
  return out;
}

void print_outcome(const std::string& file, const ScriptOutcome& outcome) {
  std::string text = file + ":" + std::to_string(outcome.line) + ": " + outcome.expr + "\n";
  if (outcome.kind == ScriptOutcome::Kind::skipped) text += "  skipped:  " + outcome.needs + "\n";
  if (!outcome.variant.empty()) text += "  evaluated " + outcome.variant + "\n";
  text += "  expected: " + indented(outcome.mismatch->expected) + "\n";
  text += "  got:      " + indented(outcome.mismatch->got) + "\n";
  std::fwrite(text.data(), 1, text.size(), stdout);
}

void print_counts(const std::vector<ScriptReport>& reports) {
  std::size_t passed = 0;
  std::size_t failed = 0;
  for (const auto& report : reports) {
    passed += report.count(ScriptOutcome::Kind::passed);
    failed += report.count(ScriptOutcome::Kind::failed);
  }
  for (const auto& [reason, count] : skipped_by_reason(reports)) {
    std::printf("%zu skipped: %s\n", count, reason.c_str());
  }
  if (const std::size_t count = passed_without_histograms(reports); count > 0) {
    std::printf("%zu of the passed expect native histograms, which were left out\n", count);
  }
  std::printf("%zu passed, %zu failed\n", passed, failed);
}

int test_promql(const std::vector<std::string>& files, const std::string& report_path, bool verbose) {
  end_in_order();
  std::vector<ScriptReport> reports;
  bool failed = false;
  for (const std::string& file : files) {
    auto report = run_promql_script_file(file, &interrupted);
    if (!report.ok()) {
      std::fprintf(stderr, "pipit test: %s\n", report.error().message.c_str());
      return report.error().kind == ErrorKind::bad_data ? kWrongUsage : kFailed;
    }
    for (const auto& outcome : report->outcomes) {
      failed |= outcome.kind == ScriptOutcome::Kind::failed;
      const bool shown =
          outcome.kind == ScriptOutcome::Kind::failed || (verbose && outcome.kind == ScriptOutcome::Kind::skipped);
      if (shown) print_outcome(file, outcome);
    }
    reports.push_back(std::move(*report));
  }
  print_counts(reports);
  if (!report_path.empty()) {
    std::ofstream out(report_path);
    out << conformance_page(reports);
    if (!out.flush()) {
      std::fprintf(stderr, "pipit test: %s: can't be written\n", report_path.c_str());
      return kFailed;
    }
  }
  return failed ? kFailed : 0;
}

int wrong_usage(const std::string& what) {
  std::fprintf(stderr, "pipit test: %s\n\n%s", what.c_str(), kUsage);
  return kWrongUsage;
}

}  // namespace

int run_test(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  for (const std::string& word : words) {
    if (word != "--help" && word != "-h") continue;
    std::fputs(words.front() == "rules" ? kTestRulesUsage : kUsage, stdout);
    return 0;
  }
  if (words.empty()) return wrong_usage("say what to test: promql or rules");
  if (words.front() == "rules") {
    end_in_order();
    return test_rules({words.begin() + 1, words.end()}, interrupted);
  }
  if (words.front() != "promql") {
    static constexpr std::string_view kWords[] = {"promql", "rules"};
    return wrong_usage("unknown word \"" + words.front() + "\"" + suggestion(words.front(), kWords));
  }
  std::vector<std::string> files;
  std::string report_path;
  bool verbose = false;
  for (std::size_t i = 1; i < words.size(); ++i) {
    const std::string& word = words[i];
    constexpr std::string_view kReport = "--report=";
    if (word == "--verbose") {
      verbose = true;
    } else if (word == "--report") {
      if (++i == words.size()) return wrong_usage("--report needs a file");
      report_path = words[i];
    } else if (word.starts_with(kReport)) {
      report_path = word.substr(kReport.size());
    } else if (word.starts_with("--")) {
      static constexpr std::string_view kFlags[] = {"--report", "--verbose"};
      return wrong_usage("unknown flag " + word + suggestion(word, kFlags));
    } else {
      files.push_back(word);
    }
  }
  if (files.empty()) return wrong_usage("name a script at least");
  return test_promql(files, report_path, verbose);
}

}  // namespace pipit
