#pragma once

#include <string_view>

#include "query/ast.h"
#include "query/block.h"
#include "query/window.h"

namespace pipit {

/// Where a kernel writes: one row of a block.
struct RowOut {
  double* values;
  MaskWord* mask;
  void set(std::size_t step, double value) {
    values[step] = value;
    mask_set(mask, step);
  }
};

/// The scalar arguments of a function over a range, in their order.
using KernelArgs = std::span<const ScalarColumn>;

/// Computes a function of a range over all windows of one series.
using RangeKernel = void (*)(const Windows& windows, KernelArgs args, RowOut out);

struct RangeFunction {
  std::string_view name;
  RangeKernel kernel;
  bool keeps_name = false;
};

/// Null for a name that is no function of one range over floats.
const RangeFunction* find_range_function(std::string_view name);

/// The same for a range with `anchored` or `smoothed`, which few functions take.
const RangeFunction* find_extended_function(std::string_view name, RangeExtension extension);
/// The names that find_extended_function knows, as an error lists them: "delta, increase, rate".
std::string_view extended_function_names(RangeExtension extension);
/// An instant selector with `smoothed`: the value between the neighbours of each step, or that of the last sample.
const RangeFunction& smoothed_selector();

// By file: *_over_time; rates and counters; regressions and smoothing.
std::span<const RangeFunction> over_time_functions();
std::span<const RangeFunction> rate_functions();
std::span<const RangeFunction> trend_functions();

}  // namespace pipit
