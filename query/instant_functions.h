#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "query/operator.h"
#include "query/query_context.h"
#include "query/scalar_column.h"

namespace pipit {

// Functions of instant vectors.

/// A function of one sample's value: abs, ln, sin, year... Null for a name that is none.
using SampleFunction = double (*)(double);
SampleFunction find_math_function(std::string_view name);
/// year, month, minute...: of a time in seconds, UTC.
SampleFunction find_calendar_function(std::string_view name);

/// Applies `function` to every sample, in place.
OperatorPtr make_sample_function(OperatorPtr input, SampleFunction function);

/// clamp, clamp_min, clamp_max, round: by name and scalar arguments. Null for a name that is none of them.
OperatorPtr make_bounded_function(std::string_view name, OperatorPtr input, std::vector<ScalarColumn> args);

/// Replaces every sample's value by the evaluation time in seconds.
OperatorPtr make_evaluation_timestamp(OperatorPtr input, const StepGrid& grid);

/// vector(): one series without labels.
OperatorPtr make_vector_of_scalar(ScalarColumn scalar, const StepGrid& grid);
/// scalar(): the value where there is exactly one sample, else NaN.
ScalarColumn scalar_of_vector(OperatorPtr input, const StepGrid& grid);
/// absent(): 1 with `labels` at the steps at which `input` has no sample.
OperatorPtr make_absent(OperatorPtr input, const StepGrid& grid, LabelSet labels);
/// An evaluation at one step, repeated at all.
OperatorPtr make_repeat(OperatorPtr input, const StepGrid& grid);
/// No series at all.
OperatorPtr make_empty();

/// label_replace. Fails the query for a bad expression or label name.
struct LabelReplace {
  std::string destination;
  std::string replacement;
  std::string source;
  std::string regex;
};
OperatorPtr make_label_replace(QueryContext& context, OperatorPtr input, const LabelReplace& call);
/// label_join. Fails the query for a bad label name.
OperatorPtr make_label_join(QueryContext& context, OperatorPtr input, const std::string& destination,
                            const std::string& separator, const std::vector<std::string>& sources);

/// sort and sort_desc: by value, NaN last in both; only for a grid of one step.
OperatorPtr make_sort(QueryContext& context, OperatorPtr input, bool descending);
/// sort_by_label and sort_by_label_desc: natural order of the given labels, then all labels.
OperatorPtr make_sort_by_label(QueryContext& context, OperatorPtr input, const std::vector<std::string>& names,
                               bool descending);

}  // namespace pipit
