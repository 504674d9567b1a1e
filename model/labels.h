#pragma once

#include <compare>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace pipit {

inline constexpr std::string_view kMetricName = "__name__";

struct Label {
  std::string name;
  std::string value;
  auto operator<=>(const Label&) const = default;
};

/// The identity of a series: labels sorted by name, each name once, no empty value (an empty value is the
/// same as no label). The metric's name is the label `__name__`.
///
/// This is the form for the edges (configuration, relabelling, creation of a series, tests). The query
/// engine carries `LabelSet`s of symbol ids instead; see symbol_table.h.
class Labels {
 public:
  Labels() = default;
  /// Sorts; of duplicate names the last wins; drops empty values.
  Labels(std::initializer_list<Label> labels) : Labels(std::vector<Label>(labels)) {}
  explicit Labels(std::vector<Label> labels);

  /// The label's value, or "" when there is no such label.
  std::string_view get(std::string_view name) const;
  bool has(std::string_view name) const { return !get(name).empty(); }
  std::string_view metric_name() const { return get(kMetricName); }

  /// An empty value removes the label.
  void set(std::string_view name, std::string_view value);
  void remove(std::string_view name) { set(name, {}); }

  bool empty() const { return labels_.empty(); }
  std::size_t size() const { return labels_.size(); }
  auto begin() const { return labels_.begin(); }
  auto end() const { return labels_.end(); }

  /// A 64-bit hash that is the same on every machine and in every version (FNV-1a over name, 0xff, value, 0xff),
  /// as it decides a target's offset in its interval and the `hashmod` of files that outlive a process.
  std::uint64_t hash() const;

  /// As Prometheus prints a series: `name{a="b", c="d"}`, `{a="b"}` without a name, `{}` when empty.
  std::string to_string() const;

  auto operator<=>(const Labels&) const = default;

 private:
  std::vector<Label> labels_;
};

/// Appends the labels as Prometheus's remote write has them on the wire: of each, in order, a protobuf field 1 with
/// a length, which holds the name as field 1 and the value as field 2.
void encode_labels(const Labels& labels, std::string& out);

/// A label name of the old charset: [a-zA-Z_][a-zA-Z0-9_]*.
bool is_legacy_label_name(std::string_view name);
/// A metric name of the old charset: [a-zA-Z_:][a-zA-Z0-9_:]*.
bool is_legacy_metric_name(std::string_view name);
bool is_valid_utf8(std::string_view text);
/// Appends `text` in double quotes with `\`, `"`, newline and unprintable bytes escaped as Go's strconv.Quote does.
void append_quoted(std::string& out, std::string_view text);

}  // namespace pipit
