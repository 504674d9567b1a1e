#pragma once

#include <span>
#include <string_view>

#include "query/ast.h"

namespace pipit {

/// A function's signature: what the parser checks. How it is computed stands with the engine, keyed by name.
struct FunctionSpec {
  std::string_view name;
  std::span<const ValueType> arg_types;
  /// 0: exactly arg_types.size() arguments. Else the last may be left out and may repeat, at most N times when
  /// N > 0, any number of times when -1: `round` has 1 or 2 arguments, `label_join` 3 or more.
  int variadic = 0;
  ValueType return_type = ValueType::instant_vector;
};

/// Every function of Prometheus 3.14, or null for a name that is none.
const FunctionSpec* find_function(std::string_view name);
/// All of them, sorted by name.
std::span<const FunctionSpec> all_functions();

}  // namespace pipit
