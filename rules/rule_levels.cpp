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

}  // namespace

std::vector<std::vector<std::uint32_t>> rule_levels(const std::vector<std::unique_ptr<Rule>>& rules) {
  struct Use {
    std::size_t above_writers = 0;  ///< the lowest level above all that write it
    std::size_t above_readers = 0;
  };
  std::unordered_map<std::string, Use> metrics;
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
