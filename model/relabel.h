#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "model/labels.h"
#include "model/matcher.h"

namespace pipit {

enum class RelabelAction {
  replace,
  keep,
  drop,
  keepequal,
  dropequal,
  hashmod,
  labelmap,
  labeldrop,
  labelkeep,
  lowercase,
  uppercase,
};

/// One step of `relabel_configs` or `metric_relabel_configs`, with Prometheus's defaults. Validity (which
/// fields an action needs or forbids) is the configuration loader's business.
struct RelabelConfig {
  std::vector<std::string> source_labels;
  std::string separator = ";";
  Regex regex;  ///< default `(.*)`
  std::uint64_t modulus = 0;
  std::string target_label;
  std::string replacement = "$1";
  RelabelAction action = RelabelAction::replace;
};

/// Applies the steps in order. False: the series or target is dropped, and `labels` is unspecified.
/// Source: Prometheus, model/relabel.
bool relabel(Labels& labels, std::span<const RelabelConfig> steps);

}  // namespace pipit
