// Source of the rules and wordings: promlint of Prometheus's Go client, as promtool 3.14 has it.

#include "tools/metrics_lint.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <map>
#include <set>
#include <unordered_map>
#include <utility>

#include "scrape/sample_value.h"
#include "scrape/text_format.h"

namespace pipit {
namespace {

/// Units and what to use in their place; those that are fine stand for themselves.
constexpr std::pair<std::string_view, std::string_view> kUnits[] = {
    {"amperes", "amperes"}, {"bytes", "bytes"},     {"celsius", "celsius"}, {"grams", "grams"},
    {"joules", "joules"},   {"kelvin", "kelvin"},   {"meters", "meters"},   {"metres", "metres"},
    {"seconds", "seconds"}, {"volts", "volts"},     {"minutes", "seconds"}, {"hours", "seconds"},
    {"days", "seconds"},    {"weeks", "seconds"},   {"kelvins", "kelvin"},  {"fahrenheit", "celsius"},
    {"rankine", "celsius"}, {"inches", "meters"},   {"yards", "meters"},    {"miles", "meters"},
    {"bits", "bytes"},      {"calories", "joules"}, {"pounds", "grams"},    {"ounces", "grams"}};

constexpr std::string_view kUnitPrefixes[] = {"pico", "nano",  "micro", "milli", "centi", "deci",
                                              "deca", "hecto", "kilo",  "kibi",  "mega",  "mibi",
                                              "giga", "gibi",  "tera",  "tebi",  "peta",  "pebi"};

constexpr std::string_view kAbbreviations[] = {"s",  "ms", "us", "ns", "sec", "b", "kb",
                                               "mb", "gb", "tb", "pb", "m",   "h", "d"};

constexpr std::string_view kTypesInNames[] = {"counter", "gauge", "summary", "histogram", "gauge_histogram"};

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](unsigned char c) { return std::tolower(c); });
  return out;
}

/// Whether the name has `word` as a part that is set off by underscores, but not as its first.
bool has_part(const std::string& name, std::string_view word) {
  const std::string part = "_" + std::string(word);
  return name.find(part + "_") != std::string::npos || name.ends_with(part);
}

std::string_view base_unit(std::string_view unit) {
  const auto found = std::find_if(std::begin(kUnits), std::end(kUnits), [&](const auto& u) { return u.first == unit; });
  return found == std::end(kUnits) ? std::string_view() : found->second;
}

/// The base unit of a part of a name, with or without a prefix; "" when it is no unit.
std::string_view base_unit_of_part(std::string_view part) {
  if (const auto base = base_unit(part); !base.empty()) return base;
  for (const std::string_view prefix : kUnitPrefixes) {
    if (!part.starts_with(prefix)) continue;
    if (const auto base = base_unit(part.substr(prefix.size())); !base.empty()) return base;
  }
  return {};
}

bool is_camel_case(std::string_view name) {
  for (std::size_t i = 1; i < name.size(); ++i) {
    if (name[i - 1] >= 'a' && name[i - 1] <= 'z' && name[i] >= 'A' && name[i] <= 'Z') return true;
  }
  return false;
}

/// Collects the problems of one family.
class FamilyLint {
 public:
  FamilyLint(const LintedFamily& family, std::vector<LintProblem>& problems)
      : family_(family), problems_(problems), lower_name_(lower(family.name)) {}

  void run() {
    if (!family_.has_help) add("no help text");
    lint_units();
    lint_suffixes();
    lint_labels();
    for (const std::string_view type : kTypesInNames) {
      if (has_part(lower_name_, type)) add("metric name should not include type '" + std::string(type) + "'");
    }
    if (family_.name.find(':') != std::string::npos) add("metric names should not contain ':'");
    if (is_camel_case(family_.name)) add("metric names should be written in 'snake_case' not 'camelCase'");
    for (const std::string_view unit : kAbbreviations) {
      if (has_part(lower_name_, unit)) add("metric names should not contain abbreviated units");
    }
    for (std::size_t i = 0; i < family_.repeated; ++i) add("metric not unique");
  }

 private:
  void add(std::string text) { problems_.push_back({family_.name, std::move(text)}); }
  bool is(MetricType type) const { return family_.type == type; }

  void lint_units() {
    std::string_view rest = family_.name;
    for (bool more = true; more;) {
      const auto end = rest.find('_');
      more = end != std::string_view::npos;
      const std::string_view part = rest.substr(0, end);
      if (more) rest.remove_prefix(end + 1);
      const std::string_view base = base_unit_of_part(part);
      if (base.empty()) continue;
      if (base != part) add("use base unit \"" + std::string(base) + "\" instead of \"" + std::string(part) + "\"");
      return;
    }
  }

  void lint_suffixes() {
    const std::string& name = family_.name;
    if (is(MetricType::counter) && !name.ends_with("_total")) add("counter metrics should have \"_total\" suffix");
    if (is(MetricType::unknown)) return;
    if (!is(MetricType::counter) && name.ends_with("_total")) {
      add("non-counter metrics should not have \"_total\" suffix");
    }
    if (!is(MetricType::gauge) && name.ends_with("_timestamp_seconds")) {
      add("non-gauge metrics should not have \"_timestamp_seconds\" suffix");
    }
    if (!is(MetricType::histogram) && name.ends_with("_bucket")) {
      add("non-histogram metrics should not have \"_bucket\" suffix");
    }
    if (is(MetricType::histogram) || is(MetricType::summary)) return;
    for (const std::string suffix : {"_count", "_sum"}) {
      if (name.ends_with(suffix)) {
        add("non-histogram and non-summary metrics should not have \"" + suffix + "\" suffix");
      }
    }
  }

  void lint_labels() {
    for (const auto& labels : family_.metrics) {
      for (const std::string& label : labels) {
        if (is_camel_case(label)) add("label names should be written in 'snake_case' not 'camelCase'");
        if (is(MetricType::unknown)) continue;
        if (!is(MetricType::histogram) && label == "le") add("non-histogram metrics should not have \"le\" label");
        if (!is(MetricType::summary) && label == "quantile") {
          add("non-summary metrics should not have \"quantile\" label");
        }
      }
    }
  }

  const LintedFamily& family_;
  std::vector<LintProblem>& problems_;
  std::string lower_name_;
};

/// Sorts a page's lines into families.
class FamilyReader {
 public:
  /// What is wrong with the line, or "".
  std::string take(const MetadataLine& line) {
    LintedFamily& family = family_named(unescape_text(line.metric, true));
    const std::string name = "\"" + family.name + "\"";
    if (line.kind == MetadataLine::Kind::help) {
      return std::exchange(family.has_help, true) ? "second HELP line for metric name " + name : std::string();
    }
    family.type = line.type;
    return std::exchange(family.has_type, true)
               ? "second TYPE line for metric name " + name + ", or TYPE reported after samples"
               : std::string();
  }

  void take_sample(std::vector<Label> labels) {
    const std::string name = std::move(labels.front().value);
    labels.erase(labels.begin());
    LintedFamily& family = family_of_sample(name);
    family.has_type = true;  // a TYPE line comes too late now
    std::string_view part_label;
    if (family.type == MetricType::histogram) part_label = "le";
    if (family.type == MetricType::summary) part_label = "quantile";
    const std::size_t all = labels.size();
    if (!part_label.empty()) {
      std::erase_if(labels, [&](const Label& label) { return label.name == part_label; });
    }
    const bool is_new = metrics_[family.name].insert(labels).second;
    const bool is_part = labels.size() != all;
    if (is_new || part_label.empty()) {
      std::vector<std::string> names;
      names.reserve(labels.size());
      for (Label& label : labels) names.push_back(std::move(label.name));
      family.metrics.push_back(std::move(names));
      family.repeated += is_new ? 0 : 1;
    }
    if (is_part && family.metrics.size() == 1) ++family.first_parts;
  }

  std::vector<LintedFamily> finish() {
    std::erase_if(families_, [](const LintedFamily& family) { return family.metrics.empty(); });
    return std::move(families_);
  }

 private:
  LintedFamily* find(const std::string& name) {
    const auto found = index_.find(name);
    return found == index_.end() ? nullptr : &families_[found->second];
  }

  LintedFamily& family_named(const std::string& name) {
    if (LintedFamily* known = find(name)) return *known;
    index_.emplace(name, families_.size());
    LintedFamily& family = families_.emplace_back();
    family.name = name;
    return family;
  }

  LintedFamily& family_of_sample(const std::string& name) {
    if (LintedFamily* known = find(name)) return *known;
    for (const std::string_view suffix : {"_count", "_sum", "_bucket"}) {
      if (!name.ends_with(suffix)) continue;
      LintedFamily* base = find(name.substr(0, name.size() - suffix.size()));
      if (base == nullptr) continue;
      if (base->type == MetricType::histogram || (base->type == MetricType::summary && suffix != "_bucket"))
        return *base;
    }
    return family_named(name);
  }

  std::vector<LintedFamily> families_;
  std::unordered_map<std::string, std::size_t> index_;
  std::unordered_map<std::string, std::set<std::vector<Label>>> metrics_;
};

Error parsing_error(const PageFault& fault, std::string_view page) {
  return bad_data("text format parsing error in " + describe_fault(fault, page));
}

}  // namespace

std::size_t LintedFamily::cardinality() const {
  const bool has_parts = type == MetricType::histogram || type == MetricType::summary;
  return metrics.size() * (has_parts ? 2 + first_parts : 1);
}

Result<std::vector<LintedFamily>> read_families(std::string page) {
  if (!page.empty() && page.back() != '\n') page += '\n';
  FamilyReader reader;
  const char* p = page.data();
  const char* const end = p + page.size();
  std::vector<MetadataLine> lines;
  while (p != end) {
    lines.clear();
    SeriesText series;
    PageFault fault;
    const bool scanned = scan_series(p, end, lines, series, fault);
    for (const MetadataLine& line : lines) {
      const std::string wrong = reader.take(line);
      if (!wrong.empty()) return parsing_error({line.metric.data(), wrong}, page);
    }
    if (!scanned) return parsing_error(fault, page);
    if (series.begin == nullptr) break;
    SampleTail tail;
    p = parse_sample_tail(series.end, tail, fault);
    if (p == nullptr) return parsing_error(fault, page);
    reader.take_sample(parse_series({series.begin, series.end}));
  }
  return reader.finish();
}

std::vector<LintProblem> lint_families(const std::vector<LintedFamily>& families) {
  std::vector<LintProblem> problems;
  for (const LintedFamily& family : families) FamilyLint(family, problems).run();
  std::stable_sort(problems.begin(), problems.end(), [](const LintProblem& a, const LintProblem& b) {
    return std::tie(a.metric, a.text) < std::tie(b.metric, b.text);
  });
  return problems;
}

}  // namespace pipit
