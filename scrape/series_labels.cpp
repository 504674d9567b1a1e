#include "scrape/series_labels.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "model/relabel.h"
#include "scrape/bucket_labels.h"
#include "scrape/text_format.h"

namespace pipit {
namespace {

bool same_steps(const std::vector<RelabelConfig>& a, const std::vector<RelabelConfig>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const RelabelConfig& x, const RelabelConfig& y) {
    return x.source_labels == y.source_labels && x.separator == y.separator && x.regex.pattern() == y.regex.pattern() &&
           x.modulus == y.modulus && x.target_label == y.target_label && x.replacement == y.replacement &&
           x.action == y.action;
  });
}

std::string shorten(std::string_view text) { return std::string(text.substr(0, 50)); }

std::string quoted(std::string_view text) {
  std::string out;
  append_quoted(out, text);
  return out;
}

/// Puts exposed labels that the target's own have displaced under `exported_` names.
void restore_displaced(Labels& labels, std::vector<Label> displaced) {
  // Short names first, as in Prometheus, so that `exported_x` beside `x` comes out the same each time.
  std::stable_sort(displaced.begin(), displaced.end(),
                   [](const Label& a, const Label& b) { return a.name.size() < b.name.size(); });
  for (const Label& label : displaced) {
    std::string name = label.name;
    do {
      name.insert(0, "exported_");
    } while (labels.has(name));
    labels.set(name, label.value);
  }
}

Status check_limits(const Labels& labels, const ScrapeConfig& config) {
  const std::string metric = shorten(labels.metric_name());
  if (config.label_limit > 0 && labels.size() > config.label_limit) {
    return bad_data("label_limit exceeded (metric: " + metric + ", number of labels: " + std::to_string(labels.size()) +
                    ", limit: " + std::to_string(config.label_limit) + ")");
  }
  for (const Label& label : labels) {
    const std::string where = " exceeded (metric: " + metric + ", label name: " + shorten(label.name);
    if (auto limit = config.label_name_length_limit; limit > 0 && label.name.size() > limit) {
      return bad_data("label_name_length_limit" + where + ", length: " + std::to_string(label.name.size()) +
                      ", limit: " + std::to_string(limit) + ")");
    }
    if (auto limit = config.label_value_length_limit; limit > 0 && label.value.size() > limit) {
      return bad_data("label_value_length_limit" + where + ", value: " + quoted(shorten(label.value)) +
                      ", length: " + std::to_string(label.value.size()) + ", limit: " + std::to_string(limit) + ")");
    }
  }
  return {};
}

}  // namespace

bool same_series(const ScrapeConfig& a, const ScrapeConfig& b) {
  return a.honor_labels == b.honor_labels && a.legacy_names == b.legacy_names && a.label_limit == b.label_limit &&
         a.label_name_length_limit == b.label_name_length_limit &&
         a.label_value_length_limit == b.label_value_length_limit &&
         same_steps(a.metric_relabel_configs, b.metric_relabel_configs);
}

Labels merge_labels(std::vector<Label> exposed, const Labels& target, bool honor) {
  auto exposed_value = [&exposed](const std::string& name) {
    auto found = std::find_if(exposed.begin(), exposed.end(), [&](const Label& l) { return l.name == name; });
    return found == exposed.end() ? nullptr : &found->value;
  };
  std::vector<Label> own;
  std::vector<Label> displaced;
  for (const Label& label : target) {
    const std::string* value = exposed_value(label.name);
    if (honor && value != nullptr) continue;  // an empty one too: that is how a page says "no such label"
    own.push_back(label);
    if (value != nullptr && !value->empty()) displaced.push_back({label.name, *value});
  }
  Labels merged(std::move(exposed));
  for (const Label& label : own) merged.set(label.name, label.value);
  restore_displaced(merged, std::move(displaced));
  return merged;
}

Result<std::optional<Labels>> series_labels(std::string_view series, MetricType family, const Labels& target,
                                            const ScrapeConfig& config) {
  std::vector<Label> exposed = parse_series(series);
  normalize_bucket_label(family, exposed);
  std::vector<std::string_view> names;
  names.reserve(exposed.size());
  for (const Label& label : exposed) names.push_back(label.name);
  std::sort(names.begin(), names.end());
  if (auto twice = std::adjacent_find(names.begin(), names.end()); twice != names.end()) {
    return bad_data("label name " + quoted(*twice) + " is not unique");
  }
  Labels labels = merge_labels(std::move(exposed), target, config.honor_labels);
  if (!relabel(labels, config.metric_relabel_configs) || labels.empty()) return std::optional<Labels>();
  if (labels.metric_name().empty()) return bad_data("missing metric name (__name__ label)");
  if (config.legacy_names && !is_legacy_metric_name(labels.metric_name())) {
    return bad_data("invalid metric name or label names: " + labels.to_string());
  }
  for (const Label& label : labels) {
    if (!is_valid_utf8(label.name) || !is_valid_utf8(label.value) ||
        (config.legacy_names && !is_legacy_label_name(label.name))) {
      return bad_data("invalid metric name or label names: " + labels.to_string());
    }
  }
  if (Status within = check_limits(labels, config); !within) return within.error();
  return std::optional<Labels>(std::move(labels));
}

}  // namespace pipit
