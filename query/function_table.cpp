#include "query/function_table.h"

#include <algorithm>
#include <array>

namespace pipit {
namespace {

constexpr ValueType kScalar = ValueType::scalar;
constexpr ValueType kVector = ValueType::instant_vector;
constexpr ValueType kMatrix = ValueType::range_vector;
constexpr ValueType kString = ValueType::string;

template <ValueType... types>
inline constexpr std::array<ValueType, sizeof...(types)> kArgs = {types...};

constexpr int kOneOptional = 1;
constexpr int kAnyNumber = -1;

// Sorted by name, which find_function relies on. Source of the signatures: Prometheus 3.14, promql/parser.
constexpr FunctionSpec kFunctions[] = {
    {"abs", kArgs<kVector>},
    {"absent", kArgs<kVector>},
    {"absent_over_time", kArgs<kMatrix>},
    {"acos", kArgs<kVector>},
    {"acosh", kArgs<kVector>},
    {"asin", kArgs<kVector>},
    {"asinh", kArgs<kVector>},
    {"atan", kArgs<kVector>},
    {"atanh", kArgs<kVector>},
    {"avg_over_time", kArgs<kMatrix>},
    {"ceil", kArgs<kVector>},
    {"changes", kArgs<kMatrix>},
    {"clamp", kArgs<kVector, kScalar, kScalar>},
    {"clamp_max", kArgs<kVector, kScalar>},
    {"clamp_min", kArgs<kVector, kScalar>},
    {"cos", kArgs<kVector>},
    {"cosh", kArgs<kVector>},
    {"count_over_time", kArgs<kMatrix>},
    {"day_of_month", kArgs<kVector>, kOneOptional},
    {"day_of_week", kArgs<kVector>, kOneOptional},
    {"day_of_year", kArgs<kVector>, kOneOptional},
    {"days_in_month", kArgs<kVector>, kOneOptional},
    {"deg", kArgs<kVector>},
    {"delta", kArgs<kMatrix>},
    {"deriv", kArgs<kMatrix>},
    {"double_exponential_smoothing", kArgs<kMatrix, kScalar, kScalar>, 0, kVector},
    {"end", kArgs<>, 0, kScalar},
    {"exp", kArgs<kVector>},
    {"first_over_time", kArgs<kMatrix>, 0, kVector},
    {"floor", kArgs<kVector>},
    {"histogram_avg", kArgs<kVector>, 0, kVector},
    {"histogram_count", kArgs<kVector>, 0, kVector},
    {"histogram_fraction", kArgs<kScalar, kScalar, kVector>, 0, kVector},
    {"histogram_quantile", kArgs<kScalar, kVector>},
    {"histogram_quantiles", kArgs<kVector, kString, kScalar, kScalar>, 9, kVector},
    {"histogram_stddev", kArgs<kVector>, 0, kVector},
    {"histogram_stdvar", kArgs<kVector>, 0, kVector},
    {"histogram_sum", kArgs<kVector>, 0, kVector},
    {"hour", kArgs<kVector>, kOneOptional},
    {"idelta", kArgs<kMatrix>},
    {"increase", kArgs<kMatrix>},
    {"info", kArgs<kVector, kVector>, kOneOptional, kVector},
    {"irate", kArgs<kMatrix>},
    {"label_join", kArgs<kVector, kString, kString, kString>, kAnyNumber},
    {"label_replace", kArgs<kVector, kString, kString, kString, kString>},
    {"last_over_time", kArgs<kMatrix>},
    {"ln", kArgs<kVector>},
    {"log10", kArgs<kVector>},
    {"log2", kArgs<kVector>},
    {"mad_over_time", kArgs<kMatrix>, 0, kVector},
    {"max_of", kArgs<kScalar, kScalar>, 0, kScalar},
    {"max_over_time", kArgs<kMatrix>},
    {"min_of", kArgs<kScalar, kScalar>, 0, kScalar},
    {"min_over_time", kArgs<kMatrix>},
    {"minute", kArgs<kVector>, kOneOptional},
    {"month", kArgs<kVector>, kOneOptional},
    {"pi", kArgs<>, 0, kScalar},
    {"predict_linear", kArgs<kMatrix, kScalar>},
    {"present_over_time", kArgs<kMatrix>},
    {"quantile_over_time", kArgs<kScalar, kMatrix>},
    {"rad", kArgs<kVector>},
    {"range", kArgs<>, 0, kScalar},
    {"rate", kArgs<kMatrix>},
    {"resets", kArgs<kMatrix>},
    {"round", kArgs<kVector, kScalar>, kOneOptional},
    {"scalar", kArgs<kVector>, 0, kScalar},
    {"sgn", kArgs<kVector>},
    {"sin", kArgs<kVector>},
    {"sinh", kArgs<kVector>},
    {"sort", kArgs<kVector>},
    {"sort_by_label", kArgs<kVector, kString>, kAnyNumber},
    {"sort_by_label_desc", kArgs<kVector, kString>, kAnyNumber},
    {"sort_desc", kArgs<kVector>},
    {"sqrt", kArgs<kVector>},
    {"start", kArgs<>, 0, kScalar},
    {"start_timestamp", kArgs<kVector>, 0, kVector},
    {"stddev_over_time", kArgs<kMatrix>},
    {"stdvar_over_time", kArgs<kMatrix>},
    {"step", kArgs<>, 0, kScalar},
    {"sum_over_time", kArgs<kMatrix>},
    {"tan", kArgs<kVector>},
    {"tanh", kArgs<kVector>},
    {"time", kArgs<>, 0, kScalar},
    {"timestamp", kArgs<kVector>},
    {"ts_of_first_over_time", kArgs<kMatrix>, 0, kVector},
    {"ts_of_last_over_time", kArgs<kMatrix>, 0, kVector},
    {"ts_of_max_over_time", kArgs<kMatrix>, 0, kVector},
    {"ts_of_min_over_time", kArgs<kMatrix>, 0, kVector},
    {"vector", kArgs<kScalar>},
    {"year", kArgs<kVector>, kOneOptional},
};
static_assert(std::ranges::is_sorted(kFunctions, {}, &FunctionSpec::name));

}  // namespace

const FunctionSpec* find_function(std::string_view name) {
  const auto* found = std::ranges::lower_bound(kFunctions, name, {}, &FunctionSpec::name);
  return found != std::end(kFunctions) && found->name == name ? found : nullptr;
}

std::span<const FunctionSpec> all_functions() { return kFunctions; }

}  // namespace pipit
