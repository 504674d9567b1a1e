#include "query/binary.h"

#include <algorithm>
#include <cmath>

namespace pipit {
namespace {

template <class F>
void map_cells(const double* a, const double* b, double* out, std::size_t steps, F f) {
  for (std::size_t i = 0; i < steps; ++i) out[i] = f(a[i], b[i]);
}

void combine_arithmetic(BinaryOp op, const double* a, const double* b, double* out, std::size_t steps) {
  switch (op) {
    case BinaryOp::add:
      return map_cells(a, b, out, steps, [](double x, double y) { return x + y; });
    case BinaryOp::sub:
      return map_cells(a, b, out, steps, [](double x, double y) { return x - y; });
    case BinaryOp::mul:
      return map_cells(a, b, out, steps, [](double x, double y) { return x * y; });
    case BinaryOp::div:
      return map_cells(a, b, out, steps, [](double x, double y) { return x / y; });
    case BinaryOp::mod:
      return map_cells(a, b, out, steps, [](double x, double y) { return std::fmod(x, y); });
    case BinaryOp::pow:
      return map_cells(a, b, out, steps, [](double x, double y) { return std::pow(x, y); });
    default:
      return map_cells(a, b, out, steps, [](double x, double y) { return std::atan2(x, y); });
  }
}

/// Calls `use` with the comparison as a function object.
template <class Use>
void with_comparison(BinaryOp op, Use use) {
  switch (op) {
    case BinaryOp::eq:
      return use([](double x, double y) { return x == y; });
    case BinaryOp::ne:
      return use([](double x, double y) { return x != y; });
    case BinaryOp::lt:
      return use([](double x, double y) { return x < y; });
    case BinaryOp::le:
      return use([](double x, double y) { return x <= y; });
    case BinaryOp::gt:
      return use([](double x, double y) { return x > y; });
    default:
      return use([](double x, double y) { return x >= y; });
  }
}

class VectorScalar : public Operator {
 public:
  VectorScalar(const BinaryExpr& binary, OperatorPtr vector, const ScalarColumn& scalar, ScalarSide side,
               const StepGrid& grid)
      : binary_(binary), vector_(std::move(vector)), side_(side) {
    scalar_.reserve(grid.count);
    for (std::size_t i = 0; i < grid.count; ++i) scalar_.push_back(scalar.at(i));
  }

  bool next(Block& out) override {
    if (!vector_->next(out)) return false;
    for (std::size_t row = 0; row < out.rows(); ++row) {
      double* values = out.values(row);
      const double* a = side_ == ScalarSide::left ? scalar_.data() : values;
      const double* b = side_ == ScalarSide::left ? values : scalar_.data();
      combine_cells(binary_.op, binary_.return_bool, a, b, values, values, out.mask(row), out.steps());
      if (drops_name(binary_)) out.labels(row).drop_name = true;
    }
    return true;
  }

 private:
  const BinaryExpr& binary_;
  OperatorPtr vector_;
  std::vector<double> scalar_;
  ScalarSide side_;
};

class Negate : public Operator {
 public:
  explicit Negate(OperatorPtr input) : input_(std::move(input)) {}
  bool next(Block& out) override {
    if (!input_->next(out)) return false;
    for (std::size_t row = 0; row < out.rows(); ++row) {
      out.labels(row).drop_name = true;
      double* values = out.values(row);
      for (std::size_t i = 0; i < out.steps(); ++i) values[i] = -values[i];
    }
    return true;
  }

 private:
  OperatorPtr input_;
};

}  // namespace

void combine_cells(BinaryOp op, bool return_bool, const double* a, const double* b, const double* kept, double* out,
                   MaskWord* mask, std::size_t steps) {
  if (!is_comparison(op)) return combine_arithmetic(op, a, b, out, steps);
  with_comparison(op, [&](auto holds) {
    if (return_bool) return map_cells(a, b, out, steps, [&](double x, double y) { return holds(x, y) ? 1.0 : 0.0; });
    for (std::size_t i = 0; i < steps; ++i) {
      if (!holds(a[i], b[i])) mask_clear(mask, i);
      out[i] = kept[i];
    }
  });
}

namespace {

template <class F>
ScalarColumn map_scalars(const ScalarColumn& a, const ScalarColumn& b, F f) {
  std::vector<double> result(std::max(a.values().size(), b.values().size()));
  for (std::size_t i = 0; i < result.size(); ++i) result[i] = f(a.at(i), b.at(i));
  return a.constant() && b.constant() ? ScalarColumn(result[0]) : ScalarColumn(std::move(result));
}

}  // namespace

ScalarColumn combine_scalars(BinaryOp op, const ScalarColumn& a, const ScalarColumn& b) {
  return map_scalars(a, b, [op](double x, double y) {
    double result = 0;
    combine_cells(op, true, &x, &y, &x, &result, nullptr, 1);
    return result;
  });
}

ScalarColumn extreme_of_scalars(const ScalarColumn& a, const ScalarColumn& b, bool maximum) {
  return map_scalars(a, b, [maximum](double x, double y) {
    if (std::isnan(x) || std::isnan(y)) return std::nan("");
    return maximum ? std::max(x, y) : std::min(x, y);
  });
}

OperatorPtr make_vector_scalar_binary(const BinaryExpr& binary, OperatorPtr vector, const ScalarColumn& scalar,
                                      ScalarSide side, const StepGrid& grid) {
  return std::make_unique<VectorScalar>(binary, std::move(vector), scalar, side, grid);
}

OperatorPtr make_negate(OperatorPtr input) { return std::make_unique<Negate>(std::move(input)); }

}  // namespace pipit
