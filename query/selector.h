#pragma once

#include "query/operator.h"
#include "query/query_context.h"
#include "query/sample_stream.h"
#include "query/window.h"

namespace pipit {

/// What the store is asked for: all that the windows of a grid cover. `selector` must outlive the request.
SelectRequest request_of(const QueryContext& context, const VectorSelector& selector, const StepGrid& grid,
                         const RangeWindow& window);

/// The samples of a series but for stale markers. Copies them only when there is a marker.
class WithoutStaleMarkers {
 public:
  void assign(std::span<const TimestampMs> times, std::span<const double> values);
  std::span<const TimestampMs> times() const { return times_; }
  std::span<const double> values() const { return values_; }

 private:
  std::span<const TimestampMs> times_;
  std::span<const double> values_;
  std::vector<TimestampMs> kept_times_;
  std::vector<double> kept_values_;
};

/// What a selector's value at a step is made of.
enum class SelectorValue { sample, timestamp };

/// What is needed of a selector's series: less spares the store from reading it.
struct SelectorNeeds {
  enum class Labels { all, name, none };
  Labels labels = Labels::all;
  bool values = true;  ///< else it is enough to know at which steps there is a sample
};

/// An instant selector: for every step the newest sample of (t - lookback, t], unless it is a stale marker.
/// `window.range` is the lookback. With SelectorValue::timestamp the values are the samples' times in seconds.
/// `selector` must outlive the operator, as must the context.
OperatorPtr make_vector_selector(QueryContext& context, const VectorSelector& selector, const StepGrid& grid,
                                 const RangeWindow& window, SelectorValue value, SelectorNeeds needs = {});

/// A range selector: the samples that any step's window covers, in one piece.
SampleStreamPtr make_range_selector(QueryContext& context, const VectorSelector& selector, const StepGrid& grid,
                                    const RangeWindow& window);

}  // namespace pipit
