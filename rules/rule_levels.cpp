#include "rules/rule_levels.h"

#include <algorithm>
#include <string>
#include <unordered_map>

#include "model/matcher.h"
#include "query/function_table.h"
#include "query/parser.h"

namespace pipit {
namespace {

/// The metrics that an expression names; false when it may read others.
bool collect_read_metrics(const Expr& expr, std::vector<std::string>& names) {
  if (const auto* selector = expr.as<VectorSelector>()) {
    for (const Matcher& matcher : selector->matchers) {
      if (matcher.name() != kMetricName) continue;
      if (matcher.type() == MatchType::equal) {
        names.push_back(matcher.value());
        return true;
      }
      if (matcher.type() == MatchType::regex && !matcher.regex().literals().empty()) {
        names.insert(names.end(), matcher.regex().literals().begin(), matcher.regex().literals().end());
        return true;
      }
    }
    return false;
  }
  // info() reads metrics that it does not name.
  bool named = true;
  if (const auto* call = expr.as<Call>()) named = call->function->name != "info";
  for_each_child(expr, [&](const Expr& child) { named = collect_read_metrics(child, names) && named; });
  return named;
}

bool collect_read_metrics(const RuleConfig& config, std::vector<std::string>& names) {
  const auto expr = parse_query(config.expression);
  return expr.ok() && collect_read_metrics(**expr, names);
}

/// Who writes a metric so far. Rules whose series differ in a label that each of them sets can't meet in a series, and
/// thousands may record one metric so.
class Writers {
 public:
  /// The lowest level above all that may write a series of the rule.
  std::size_t above(const RuleConfig& config) const {
    const std::string names = label_names(config);
    std::size_t level = names == names_ ? others_ : std::max(first_, others_);
    const auto same = by_labels_.find(labels_of(config));
    if (same != by_labels_.end()) level = std::max(level, same->second);
    return level;
  }
  void add(const RuleConfig& config, std::size_t above) {
    const std::string names = label_names(config);
    if (by_labels_.empty()) names_ = names;
    std::size_t& level = names == names_ ? first_ : others_;
    level = std::max(level, above);
    std::size_t& same = by_labels_[labels_of(config)];
    same = std::max(same, above);
    // Of those with other names it isn't known which can meet: they are all one after another.
  }

 private:
  /// A template may come to anything.
  static bool is_fixed(const Label& label) { return label.value.find("{{") == std::string::npos; }
  static std::string label_names(const RuleConfig& config) {
    std::string names;
    for (const Label& label : config.labels) {
      if (is_fixed(label)) names += label.name + '\xff';
    }
    return names;
  }
  static std::string labels_of(const RuleConfig& config) {
    std::string labels;
    for (const Label& label : config.labels) {
      if (is_fixed(label)) labels += label.name + '\xff' + label.value + '\xff';
    }
    return labels;
  }

  std::string names_;       ///< of the first rule's labels
  std::size_t first_ = 0;   ///< above those with these names
  std::size_t others_ = 0;  ///< above the others
  std::unordered_map<std::string, std::size_t> by_labels_;
};

}  // namespace

std::vector<std::vector<std::uint32_t>> rule_levels(const std::vector<std::unique_ptr<Rule>>& rules) {
  struct Use {
    std::size_t above_writers = 0;  ///< the lowest level above all that write it
    std::size_t above_readers = 0;
  };
  std::unordered_map<std::string, Use> metrics;
  std::unordered_map<std::string, Writers> writers;  // by the metric or, behind an "a", the alert
  std::vector<std::vector<std::uint32_t>> levels;
  std::size_t floor = 0;  ///< above the last rule that may read anything
  for (std::uint32_t i = 0; i < rules.size(); ++i) {
    std::vector<std::string> reads;
    const bool named = !rules[i]->reads_all() && collect_read_metrics(rules[i]->config(), reads);
    const std::vector<std::string> writes = rules[i]->written_metrics();
    std::size_t level = named ? floor : levels.size();
    if (named) {
      for (const std::string& name : reads) level = std::max(level, metrics[name].above_writers);
      for (const std::string& name : writes) level = std::max(level, metrics[name].above_readers);
    }
    const RuleConfig& config = rules[i]->config();
    Writers& same = writers[(config.alerting ? "a" : "r") + config.name];
    if (named) level = std::max(level, same.above(config));
    same.add(config, level + 1);
    if (levels.size() <= level) levels.resize(level + 1);
    levels[level].push_back(i);
    for (const std::string& name : reads)
      metrics[name].above_readers = std::max(metrics[name].above_readers, level + 1);
    for (const std::string& name : writes) {
      metrics[name].above_writers = std::max(metrics[name].above_writers, level + 1);
    }
    if (!named) floor = level + 1;
  }
  return levels;
}

}  // namespace pipit
