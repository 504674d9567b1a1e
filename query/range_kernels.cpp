#include "query/range_kernels.h"

namespace pipit {

const RangeFunction* find_range_function(std::string_view name) {
  for (auto family : {over_time_functions(), rate_functions(), trend_functions()}) {
    for (const auto& function : family) {
      if (function.name == name) return &function;
    }
  }
  return nullptr;
}

}  // namespace pipit
