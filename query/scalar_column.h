#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

namespace pipit {

/// A scalar expression's value at every step; one value when it does not depend on the step.
class ScalarColumn {
 public:
  explicit ScalarColumn(double constant = 0) : values_{constant}, constant_(true) {}
  explicit ScalarColumn(std::vector<double> values) : values_(std::move(values)), constant_(false) {}

  bool constant() const { return constant_; }
  double at(std::size_t step) const { return values_[constant_ ? 0 : step]; }
  double first() const { return values_.front(); }

  const std::vector<double>& values() const { return values_; }
  std::vector<double>& values() { return values_; }

  bool any_nan() const {
    return std::any_of(values_.begin(), values_.end(), [](double v) { return std::isnan(v); });
  }
  double min() const { return *std::min_element(values_.begin(), values_.end()); }
  double max() const { return *std::max_element(values_.begin(), values_.end()); }

 private:
  std::vector<double> values_;
  bool constant_;
};

}  // namespace pipit
