#pragma once

#include <span>
#include <string>

namespace pipit {

/// A cursor that may lack something can say so: what implements SeriesCursor may implement this beside it.
class PartialSelection {
 public:
  virtual ~PartialSelection() = default;
  /// What is missing and why, for the user; known from the beginning.
  virtual std::span<const std::string> warnings() const = 0;
};

}  // namespace pipit
