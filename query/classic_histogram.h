#pragma once

#include <vector>

#include "query/operator.h"
#include "query/query_context.h"
#include "query/scalar_column.h"
#include "query/step_grid.h"

namespace pipit {

// Functions of classic histograms: series that differ in their label `le` only.

/// A bucket: the count of observations at most `upper_bound`.
struct Bucket {
  double upper_bound = 0;
  double count = 0;
};

/// Buckets whose count had to be raised by more than rounding explains, as it was below that of the one before.
struct RaisedBuckets {
  bool any = false;
  double lowest_bound = 0;
  double highest_bound = 0;
  double most = 0;  ///< by which a count was raised
};

/// The q-quantile, interpolated inside its bucket. `buckets` ascend; they are changed: equal bounds are united and
/// counts made to grow. Source: Prometheus, bucketQuantile.
double bucket_quantile(double q, std::vector<Bucket>& buckets, RaisedBuckets& raised);

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
  StepGrid grid;
};
OperatorPtr make_histogram_quantiles(QueryContext& context, OperatorPtr input, HistogramQuantiles call);

OperatorPtr make_histogram_fraction(QueryContext& context, OperatorPtr input, ScalarColumn lower, ScalarColumn upper,
                                    PositionRange vector_position);

/// Remarks on quantiles outside of 0 to 1.
void remark_bad_quantiles(QueryContext& context, const ScalarColumn& q, PositionRange position);

}  // namespace pipit
