#include "query/instant_functions.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numbers>

namespace pipit {
namespace {

/// Calls `change(out, row)` for each row that the input gives, and marks the name for removal.
template <class Change>
class ChangeRows : public Operator {
 public:
  ChangeRows(OperatorPtr input, Change change) : input_(std::move(input)), change_(std::move(change)) {}

  bool next(Block& out) override {
    if (!input_->next(out)) return false;
    for (std::size_t row = 0; row < out.rows(); ++row) {
      out.labels(row).drop_name = true;
      change_(out, row);
    }
    return true;
  }

 private:
  OperatorPtr input_;
  Change change_;
};

template <class Change>
OperatorPtr change_rows(OperatorPtr input, Change change) {
  return std::make_unique<ChangeRows<Change>>(std::move(input), std::move(change));
}

/// Go's math.Max and math.Min: an infinity on the winning side beats NaN, NaN beats the rest.
double go_max(double a, double b) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (a == kInfinity || b == kInfinity) return kInfinity;
  if (std::isnan(a) || std::isnan(b)) return std::nan("");
  return std::max(a, b);
}
double go_min(double a, double b) { return -go_max(-a, -b); }

template <class F>
OperatorPtr map_with_step(OperatorPtr input, F f) {
  return change_rows(std::move(input), [f = std::move(f)](Block& block, std::size_t row) {
    double* values = block.values(row);
    for (std::size_t i = 0; i < block.steps(); ++i) values[i] = f(values[i], i);
  });
}

OperatorPtr make_clamp(OperatorPtr input, std::vector<ScalarColumn> args) {
  return change_rows(std::move(input), [args = std::move(args)](Block& block, std::size_t row) {
    double* values = block.values(row);
    for (std::size_t i = 0; i < block.steps(); ++i) {
      double low = args[0].at(i);
      double high = args[1].at(i);
      if (low > high) mask_clear(block.mask(row), i);
      values[i] = go_max(low, go_min(high, values[i]));
    }
  });
}

class VectorOfScalar : public Operator {
 public:
  VectorOfScalar(ScalarColumn scalar, const StepGrid& grid) : scalar_(std::move(scalar)), grid_(grid) {}
  bool next(Block& out) override {
    out.reset(grid_.count);
    if (done_) return false;
    done_ = true;
    auto row = out.add_row({}, false);
    for (std::size_t i = 0; i < grid_.count; ++i) out.values(row)[i] = scalar_.at(i);
    mask_fill(out.mask(row), out.steps());
    return true;
  }

 private:
  ScalarColumn scalar_;
  StepGrid grid_;
  bool done_ = false;
};

class Absent : public Operator {
 public:
  Absent(OperatorPtr input, const StepGrid& grid, LabelSet labels)
      : input_(std::move(input)), grid_(grid), labels_(std::move(labels)) {}
  bool next(Block& out) override {
    if (done_) return false;
    done_ = true;
    std::vector<MaskWord> absent(mask_words(grid_.count));
    mask_fill(absent.data(), grid_.count);
    while (input_->next(out)) {
      for (std::size_t row = 0; row < out.rows(); ++row) {
        for (std::size_t w = 0; w < absent.size(); ++w) absent[w] &= ~out.mask(row)[w];
      }
    }
    out.reset(grid_.count);
    auto row = out.add_row(std::move(labels_), false);
    std::fill_n(out.values(row), out.steps(), 1.0);
    std::copy(absent.begin(), absent.end(), out.mask(row));
    return mask_any(out.mask(row), out.words());
  }

 private:
  OperatorPtr input_;
  StepGrid grid_;
  LabelSet labels_;
  bool done_ = false;
};

class Repeat : public Operator {
 public:
  Repeat(OperatorPtr input, const StepGrid& grid) : input_(std::move(input)), grid_(grid) {}
  bool next(Block& out) override {
    out.reset(grid_.count);
    for (; !out.full(); ++row_) {
      if (row_ >= single_.rows()) {
        if (!input_->next(single_)) break;
        row_ = 0;
      }
      if (!mask_get(single_.mask(row_), 0)) continue;
      auto row = out.add_row(single_.labels(row_).labels, single_.labels(row_).drop_name);
      std::fill_n(out.values(row), out.steps(), single_.values(row_)[0]);
      mask_fill(out.mask(row), out.steps());
    }
    return !out.empty();
  }

 private:
  OperatorPtr input_;
  StepGrid grid_;
  Block single_;
  std::size_t row_ = 0;
};

class Empty : public Operator {
 public:
  bool next(Block&) override { return false; }
};

struct NamedFunction {
  std::string_view name;
  SampleFunction function;
};

constexpr std::array<NamedFunction, 23> kMathFunctions = {{
    {"abs", [](double v) { return std::fabs(v); }},
    {"acos", [](double v) { return std::acos(v); }},
    {"acosh", [](double v) { return std::acosh(v); }},
    {"asin", [](double v) { return std::asin(v); }},
    {"asinh", [](double v) { return std::asinh(v); }},
    {"atan", [](double v) { return std::atan(v); }},
    {"atanh", [](double v) { return std::atanh(v); }},
    {"ceil", [](double v) { return std::ceil(v); }},
    {"cos", [](double v) { return std::cos(v); }},
    {"cosh", [](double v) { return std::cosh(v); }},
    {"deg", [](double v) { return v * 180 / std::numbers::pi; }},
    {"exp", [](double v) { return std::exp(v); }},
    {"floor", [](double v) { return std::floor(v); }},
    {"ln", [](double v) { return std::log(v); }},
    {"log10", [](double v) { return std::log10(v); }},
    {"log2", [](double v) { return std::log2(v); }},
    {"rad", [](double v) { return v * std::numbers::pi / 180; }},
    {"sgn", [](double v) { return v < 0   ? -1
                                  : v > 0 ? 1
                                          : v; }},
    {"sin", [](double v) { return std::sin(v); }},
    {"sinh", [](double v) { return std::sinh(v); }},
    {"sqrt", [](double v) { return std::sqrt(v); }},
    {"tan", [](double v) { return std::tan(v); }},
    {"tanh", [](double v) { return std::tanh(v); }},
}};

}  // namespace

SampleFunction find_math_function(std::string_view name) {
  for (const auto& entry : kMathFunctions) {
    if (entry.name == name) return entry.function;
  }
  return nullptr;
}

OperatorPtr make_sample_function(OperatorPtr input, SampleFunction function) {
  return change_rows(std::move(input), [function](Block& block, std::size_t row) {
    double* values = block.values(row);
    for (std::size_t i = 0; i < block.steps(); ++i) values[i] = function(values[i]);
  });
}

OperatorPtr make_bounded_function(std::string_view name, OperatorPtr input, std::vector<ScalarColumn> args) {
  if (name == "clamp") return make_clamp(std::move(input), std::move(args));
  if (name == "clamp_min") {
    return map_with_step(std::move(input),
                         [low = std::move(args[0])](double v, std::size_t i) { return go_max(low.at(i), v); });
  }
  if (name == "clamp_max") {
    return map_with_step(std::move(input),
                         [high = std::move(args[0])](double v, std::size_t i) { return go_min(high.at(i), v); });
  }
  if (name == "round") {
    if (args.empty()) args.emplace_back(1.0);
    return map_with_step(std::move(input), [nearest = std::move(args[0])](double v, std::size_t i) {
      // Dividing by the inverse keeps round(x, 0.1) free of 0.1's own error, as upstream does.
      double inverse = 1 / nearest.at(i);
      return std::floor(v * inverse + 0.5) / inverse;
    });
  }
  return nullptr;
}

OperatorPtr make_evaluation_timestamp(OperatorPtr input, const StepGrid& grid) {
  return map_with_step(std::move(input),
                       [grid](double, std::size_t i) { return static_cast<double>(grid.time(i)) / 1000; });
}

OperatorPtr make_vector_of_scalar(ScalarColumn scalar, const StepGrid& grid) {
  return std::make_unique<VectorOfScalar>(std::move(scalar), grid);
}

ScalarColumn scalar_of_vector(OperatorPtr input, const StepGrid& grid) {
  std::vector<double> values(grid.count, std::nan(""));
  std::vector<MaskWord> once(mask_words(grid.count), 0);
  Block block;
  while (input->next(block)) {
    for (std::size_t row = 0; row < block.rows(); ++row) {
      mask_for_each(block.mask(row), block.words(), [&](std::size_t i) {
        values[i] = mask_get(once.data(), i) ? std::nan("") : block.values(row)[i];
        mask_set(once.data(), i);
      });
    }
  }
  return ScalarColumn(std::move(values));
}

OperatorPtr make_absent(OperatorPtr input, const StepGrid& grid, LabelSet labels) {
  return std::make_unique<Absent>(std::move(input), grid, std::move(labels));
}

OperatorPtr make_repeat(OperatorPtr input, const StepGrid& grid) {
  return std::make_unique<Repeat>(std::move(input), grid);
}

OperatorPtr make_empty() { return std::make_unique<Empty>(); }

}  // namespace pipit
