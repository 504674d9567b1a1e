#include "tools/conformance_report.h"

#include <algorithm>
#include <filesystem>

namespace pipit {
namespace {

using Kind = ScriptOutcome::Kind;

struct Counts {
  std::size_t passed = 0;
  std::size_t failed = 0;
  std::size_t skipped = 0;
  void add(const ScriptReport& report) {
    passed += report.count(Kind::passed);
    failed += report.count(Kind::failed);
    skipped += report.count(Kind::skipped);
  }
  std::string cells() const {
    return std::to_string(passed + failed + skipped) + " | " + std::to_string(passed) + " | " + std::to_string(failed) +
           " | " + std::to_string(skipped) + " |\n";
  }
};

template <class Predicate>
std::size_t count_if(const ScriptReport& report, Predicate predicate) {
  return static_cast<std::size_t>(std::ranges::count_if(report.outcomes, predicate));
}

std::string name_of(const ScriptReport& report) { return std::filesystem::path(report.file).filename().string(); }

std::string code(std::string text) {
  // Wide enough for most expressions.
  constexpr std::size_t kShown = 100;
  if (text.size() > kShown) {
    text.resize(kShown);
    text += "...";
  }
  // A backquote inside takes a longer fence.
  return text.find('`') == text.npos ? "`" + text + "`" : "`` " + text + " ``";
}

std::string line_of(const std::string& name, const ScriptOutcome& outcome) {
  return "- " + name + ":" + std::to_string(outcome.line) + " " + code(outcome.expr) + "\n";
}

std::string failures_of(const ScriptReport& report) {
  std::string text;
  for (const auto& outcome : report.outcomes) {
    if (outcome.kind != Kind::failed) continue;
    text += line_of(name_of(report), outcome) + "  expected " + code(outcome.mismatch->expected) + ", got " +
            code(outcome.mismatch->got) + "\n";
  }
  return text;
}

/// The skipped evaluations of a script, under their reasons.
std::string skipped_of(const ScriptReport& report) {
  std::map<std::string, std::string> lines;
  std::map<std::string, int> counts;
  for (const auto& outcome : report.outcomes) {
    if (outcome.kind != Kind::skipped) continue;
    lines[outcome.needs] += line_of(name_of(report), outcome);
    ++counts[outcome.needs];
  }
  if (lines.empty()) return {};
  std::string text = "\n### " + name_of(report) + "\n";
  for (const auto& [reason, list] : lines) {
    text += "\n" + reason + ", " + std::to_string(counts[reason]) + ":\n\n" + list;
  }
  return text;
}

}  // namespace

std::size_t passed_without_histograms(std::span<const ScriptReport> reports) {
  std::size_t count = 0;
  for (const auto& report : reports) {
    count += count_if(report, [](const auto& o) { return o.kind == Kind::passed && o.expects_histograms; });
  }
  return count;
}

std::map<std::string, std::size_t> skipped_by_reason(std::span<const ScriptReport> reports) {
  std::map<std::string, std::size_t> counts;
  for (const auto& report : reports) {
    for (const auto& outcome : report.outcomes) {
      if (outcome.kind == Kind::skipped) ++counts[outcome.needs];
    }
  }
  return counts;
}

std::string conformance_page(std::span<const ScriptReport> reports) {
  Counts total;
  std::string table = "| script | evaluations | passed | failed | skipped |\n|---|---|---|---|---|\n";
  std::size_t passed_and_needing = 0;
  for (const auto& report : reports) {
    Counts counts;
    counts.add(report);
    total.add(report);
    table += "| " + name_of(report) + " | " + counts.cells();
    passed_and_needing += count_if(
        report, [](const auto& o) { return o.kind == Kind::passed && !o.needs.empty() && !o.expects_histograms; });
  }
  table += "| all | " + total.cells();

  const std::size_t without_histograms = passed_without_histograms(reports);
  std::string text =
      "# Conformance of PromQL\n\n"
      "How Pipit does on the PromQL test scripts of Prometheus 3.14. This page is made by a command, and a test holds\n"
      "it against what the program does. [cli.md](cli.md) says what the command does.\n\n"
      "    build/pipit test promql --report docs/conformance.md ../shared/conformance/promqltest/*.test\n\n"
      "Of " +
      std::to_string(total.passed + total.failed + total.skipped) + " evaluations **" + std::to_string(total.passed) +
      " pass**, " + std::to_string(total.failed) + " fail and " + std::to_string(total.skipped) +
      " are skipped. Skipped is what does not pass and needs native\n"
      "histograms or start timestamps, which are not stored yet. Series lines with these are left out, of what is\n"
      "loaded and of what is expected, and the rest of a script runs. Of those that pass\n\n"
      "- " +
      std::to_string(total.passed - passed_and_needing - without_histograms) +
      " have nothing to do with either,\n"
      "- " +
      std::to_string(passed_and_needing) +
      " select series that were left out, and expect floats, nothing or an error,\n"
      "- " +
      std::to_string(without_histograms) +
      " expect native histograms, and pass as far as the rest of the answer goes: its float series, its remarks, and\n"
      "  that there is nothing else. To pass in full they need the histograms.\n\n" +
      table + "\n| reason | skipped |\n|---|---|\n";
  for (const auto& [reason, count] : skipped_by_reason(reports)) {
    text += "| " + reason + " | " + std::to_string(count) + " |\n";
  }
  std::string failures;
  for (const auto& report : reports) failures += failures_of(report);
  if (!failures.empty()) text += "\n## Failed\n\n" + failures;
  text += "\n## Skipped\n";
  for (const auto& report : reports) text += skipped_of(report);
  return text;
}

}  // namespace pipit
