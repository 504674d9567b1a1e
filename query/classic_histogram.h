#pragma once

#include <vector>

#include "query/operator.h"
#include "query/query_context.h"
#include "query/scalar_column.h"

namespace pipit {

// Functions of classic histograms: series that differ in their label `le` only.

/// A bucket: the count of observations at most `upper_bound`.
struct Bucket {
  double upper_bound = 0;
  double count = 0;
};

/// The q-quantile, interpolated inside its bucket. `buckets` ascend; they are changed: equal bounds are united and
/// counts made to grow, `forced` saying whether a count had to be raised by more than rounding explains. Source:
/// Prometheus, bucketQuantile.
double bucket_quantile(double q, std::vector<Bucket>& buckets, bool& forced);

/// The fraction of observations between `lower` and `upper`. Source: Prometheus, BucketFraction.
double bucket_fraction(double lower, double upper, std::vector<Bucket>& buckets);

/// histogram_quantile and histogram_quantiles: for each quantile a series per histogram, told apart by `labels`
/// (value 0: no label).
struct HistogramQuantiles {
  struct Quantile {
    ScalarColumn q;
    SymbolId label_value = 0;
    PositionRange position;
    std::vector<MaskWord> steps{};  ///< at which it is wanted; empty: at all
  };
  std::vector<Quantile> quantiles;
  SymbolId label_name = 0;
  PositionRange vector_position;
};
OperatorPtr make_histogram_quantiles(QueryContext& context, OperatorPtr input, HistogramQuantiles call);

OperatorPtr make_histogram_fraction(QueryContext& context, OperatorPtr input, ScalarColumn lower, ScalarColumn upper,
                                    PositionRange vector_position);

/// Remarks on quantiles outside of 0 to 1.
void remark_bad_quantiles(QueryContext& context, const ScalarColumn& q, PositionRange position);

}  // namespace pipit
