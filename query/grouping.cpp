#include "query/grouping.h"

#include <algorithm>

namespace pipit {

const LabelSet& Grouping::key(const LabelSet& labels) {
  key_.clear();
  for (const auto& label : labels) {
    bool named = std::find(names_.begin(), names_.end(), label.name) != names_.end();
    bool keep = without_ ? !named && !context_.is_metadata_label(label.name) : named;
    if (keep) key_.push_back(label);
  }
  return key_;
}

}  // namespace pipit
