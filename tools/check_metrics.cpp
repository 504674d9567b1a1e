#include "tools/check_metrics.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <string_view>

#include "scrape/openmetrics_judge.h"
#include "tools/metrics_lint.h"

namespace pipit {

const char* const kCheckMetricsUsage =
    "usage: pipit check metrics [OPTIONS] < PAGE\n"
    "\n"
    "Judges a page of metrics as an exporter serves it.\n"
    "\n"
    "  --format=text         the text format, by the rules of `promtool check metrics`; the default\n"
    "  --format=openmetrics  OpenMetrics 1.0, by the letter of the standard\n"
    "  --lint=all|none       with none, say only whether a text page can be read\n"
    "  --extended            when nothing is wrong, print how many series each metric of a text page has\n"
    "\n"
    "exit codes: 0 nothing is wrong, 1 the page can't be read, 3 it can, but is not as it should be (text),\n"
    "2 wrong usage. A page that is not OpenMetrics is 1, whatever is wrong.\n";

namespace {

constexpr int kUnreadable = 1;
constexpr int kWrongUsage = 2;
constexpr int kProblems = 3;
constexpr std::size_t kLargestPage = std::size_t{1} << 30;

struct Options {
  bool openmetrics = false;
  bool lint = true;
  bool extended = false;
};

/// False when there is more than a page may have.
bool read_page(std::string& page) {
  char buffer[65536];
  while (const std::size_t size = std::fread(buffer, 1, sizeof buffer, stdin)) {
    page.append(buffer, size);
    if (page.size() > kLargestPage) return false;
  }
  return true;
}

int check_openmetrics(std::string page) {
  if (!page.empty() && page.back() != '\n') page += '\n';
  const PageJudgement judgement = judge_openmetrics(page);
  for (const PageFault& fault : judgement.meaning) {
    std::fprintf(stderr, "%s\n", describe_fault(fault, page).c_str());
  }
  if (judgement.meaning_count > judgement.meaning.size()) {
    std::fprintf(stderr, "and %zu more\n", judgement.meaning_count - judgement.meaning.size());
  }
  if (judgement.syntax) std::fprintf(stderr, "%s\n", describe_fault(*judgement.syntax, page).c_str());
  return judgement.ok() ? 0 : kUnreadable;
}

/// As promtool's table: columns four blanks wider than what they hold.
void print_cardinality(std::vector<LintedFamily> families) {
  std::stable_sort(families.begin(), families.end(),
                   [](const LintedFamily& a, const LintedFamily& b) { return a.cardinality() > b.cardinality(); });
  std::size_t total = 0;
  for (const LintedFamily& family : families) total += family.cardinality();
  std::vector<std::array<std::string, 3>> rows = {{"Metric", "Cardinality", "Percentage"}};
  for (const LintedFamily& family : families) {
    char share[32];
    std::snprintf(share, sizeof share, "%.2f%%",
                  100 * static_cast<double>(family.cardinality()) / static_cast<double>(total));
    rows.push_back({family.name, std::to_string(family.cardinality()), share});
  }
  rows.push_back({"Total", std::to_string(total), "100%"});
  std::array<std::size_t, 3> widths{};
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size() + 4);
  }
  for (auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) row[i].resize(widths[i], ' ');
    std::printf("%s%s%s\n", row[0].c_str(), row[1].c_str(), row[2].c_str());
  }
}

int check_text(std::string page, const Options& options) {
  const auto families = read_families(std::move(page));
  if (!families.ok()) {
    std::fprintf(stderr, "error while linting: %s\n", families.error().message.c_str());
    return kUnreadable;
  }
  int code = 0;
  if (options.lint) {
    for (const LintProblem& problem : lint_families(*families)) {
      std::fprintf(stderr, "%s %s\n", problem.metric.c_str(), problem.text.c_str());
      code = kProblems;
    }
  }
  if (options.extended && code == 0) print_cardinality(*families);  // as promtool
  return code;
}

}  // namespace

int check_metrics(const std::vector<std::string>& words) {
  Options options;
  for (const std::string& word : words) {
    if (word == "--format=openmetrics" || word == "--format=text") {
      options.openmetrics = word == "--format=openmetrics";
    } else if (word == "--lint=all" || word == "--lint=none") {
      options.lint = word == "--lint=all";
    } else if (word == "--extended") {
      options.extended = true;
    } else if (word != "-") {
      std::fprintf(stderr, "pipit check metrics: unknown argument %s; the page comes from standard input\n\n%s",
                   word.c_str(), kCheckMetricsUsage);
      return kWrongUsage;
    }
  }
  std::string page;
  if (!read_page(page)) {
    std::fprintf(stderr, "pipit check metrics: the page has more than %zu bytes\n", kLargestPage);
    return kUnreadable;
  }
  return options.openmetrics ? check_openmetrics(std::move(page)) : check_text(std::move(page), options);
}

}  // namespace pipit
