#include "query/classic_histogram.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <map>
#include <optional>

#include "model/duration.h"
#include "model/number.h"
#include "query/label_set.h"
#include "query/label_table.h"
#include "query/row_store.h"

namespace pipit {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// Unites buckets with the same bound: histograms of several sources may write it differently.
void unite_equal_bounds(std::vector<Bucket>& buckets) {
  std::size_t kept = 0;
  for (std::size_t i = 1; i < buckets.size(); ++i) {
    if (buckets[i].upper_bound == buckets[kept].upper_bound) {
      buckets[kept].count += buckets[i].count;
    } else {
      buckets[++kept] = buckets[i];
    }
  }
  if (!buckets.empty()) buckets.resize(kept + 1);
}

bool almost_equal(double a, double b, double tolerance) {
  if (a == b) return true;
  double magnitude = std::fabs(a) + std::fabs(b);
  double difference = std::fabs(a - b);
  constexpr double kSmallest = std::numeric_limits<double>::min();
  if (a == 0 || b == 0 || magnitude < kSmallest) return difference < tolerance * kSmallest;
  return difference / std::min(magnitude, std::numeric_limits<double>::max()) < tolerance;
}

/// Raises counts that are below the one before. Scrapes of buckets at different moments, and sums of floats, give such.
RaisedBuckets make_monotonic(std::vector<Bucket>& buckets) {
  constexpr double kRoundingTolerance = 1e-12;
  RaisedBuckets raised;
  double before = buckets[0].count;
  for (std::size_t i = 1; i < buckets.size(); ++i) {
    double count = buckets[i].count;
    if (count == before) continue;
    if (almost_equal(before, count, kRoundingTolerance)) {
      buckets[i].count = before;
    } else if (count < before) {
      if (!raised.any) raised.lowest_bound = buckets[i].upper_bound;
      raised.any = true;
      raised.highest_bound = buckets[i].upper_bound;
      raised.most = std::max(raised.most, before - count);
      buckets[i].count = before;
    } else {
      before = count;
    }
  }
  return raised;
}

}  // namespace

double bucket_quantile(double q, std::vector<Bucket>& buckets, RaisedBuckets& raised) {
  if (buckets.empty() || std::isnan(q)) return std::nan("");
  if (q < 0) return -kInfinity;
  if (q > 1) return kInfinity;
  if (buckets.back().upper_bound != kInfinity) return std::nan("");
  unite_equal_bounds(buckets);
  raised = make_monotonic(buckets);
  if (buckets.size() < 2) return std::nan("");
  double observations = buckets.back().count;
  if (observations == 0) return std::nan("");
  double rank = q * observations;
  auto found = std::find_if(buckets.begin(), buckets.end() - 1, [&](const Bucket& b) { return b.count >= rank; });
  auto b = static_cast<std::size_t>(found - buckets.begin());
  if (b == buckets.size() - 1) return buckets[b - 1].upper_bound;
  if (b == 0 && buckets[0].upper_bound <= 0) return buckets[0].upper_bound;
  double start = 0;
  double end = buckets[b].upper_bound;
  double count = buckets[b].count;
  if (b > 0) {
    start = buckets[b - 1].upper_bound;
    count -= buckets[b - 1].count;
    rank -= buckets[b - 1].count;
  }
  return start + (end - start) * (rank / count);
}

double bucket_fraction(double lower, double upper, std::vector<Bucket>& buckets) {
  if (buckets.empty() || buckets.back().upper_bound != kInfinity) return std::nan("");
  unite_equal_bounds(buckets);
  double count = buckets.back().count;
  if (count == 0 || std::isnan(lower) || std::isnan(upper)) return std::nan("");
  if (lower >= upper) return 0;
  /// Observations at or below `v`. A bucket that is infinitely wide has all of them at its finite end.
  auto observations_until = [&](double v) {
    double rank = 0;
    for (std::size_t i = 0; i < buckets.size(); ++i) {
      double bucket_end = buckets[i].upper_bound;
      double bucket_start = i > 0 ? buckets[i - 1].upper_bound : bucket_end > 0 ? 0 : -kInfinity;
      if (bucket_start >= v) return rank;
      if (bucket_end > v) {
        if (bucket_start == -kInfinity) return buckets[i].count;
        return rank + (buckets[i].count - rank) * (v - bucket_start) / (bucket_end - bucket_start);
      }
      rank = buckets[i].count;
    }
    return rank;
  };
  return (std::min(observations_until(upper), count) - std::min(observations_until(lower), count)) / count;
}

void remark_bad_quantiles(QueryContext& context, const ScalarColumn& q, PositionRange position) {
  double last = 0;
  for (const double v : q.values()) {
    if ((v >= 0 && v <= 1) || v == last) continue;
    last = v;
    context.annotations().warn("quantile value should be between 0 and 1, got " + format_float_g(v), position);
  }
}

namespace {

/// Collects buckets into histograms, then lets `Compute` turn each histogram into rows.
template <class Compute>
class HistogramOperator : public Operator {
 public:
  HistogramOperator(QueryContext& context, OperatorPtr input, PositionRange position, Compute compute)
      : context_(context),
        input_(std::move(input)),
        position_(position),
        compute_(std::move(compute)),
        le_(context.symbols().intern("le")),
        held_(context) {}

  bool next(Block& out) override {
    if (!store_ && !read_all(out)) return false;
    out.reset(store_->steps());
    for (; at_ < histograms_.size() && !out.full(); ++at_) {
      if (!context_.check()) return false;
      emit(histograms_[at_], out);
    }
    if (at_ == histograms_.size()) compute_.remark(context_);
    return !out.empty();
  }

 private:
  struct Histogram {
    LabelSet labels;
    std::vector<std::pair<double, std::size_t>> buckets;  // upper bound, row in the store
  };

  bool read_all(Block& block) {
    LabelTable<std::size_t> places;
    while (input_->next(block)) {
      if (!store_) store_.emplace(context_, block.steps());
      for (std::size_t row = 0; row < block.rows(); ++row) {
        LabelSet labels = block.labels(row).labels;
        auto le = context_.symbols().text(get_label(labels, le_));
        auto upper_bound = parse_float(le);
        if (!upper_bound || std::isnan(*upper_bound)) {
          remark_bad_bound(labels, le);
          continue;
        }
        remove_label(labels, le_);
        auto [place, is_new] = places.find_or_add(labels);
        std::size_t bytes = sizeof(Histogram::buckets[0]);
        if (is_new) {
          *place = histograms_.size();
          bytes += sizeof(Histogram) + kTableEntryBytes + 2 * bytes_of(labels);
          histograms_.push_back({std::move(labels), {}});
        }
        histograms_[*place].buckets.emplace_back(*upper_bound, store_->size());
        if (!held_.add_bytes(bytes) || !store_->add(block, row)) return false;
      }
    }
    for (auto& histogram : histograms_) std::sort(histogram.buckets.begin(), histogram.buckets.end());
    return store_.has_value() && !context_.failed();
  }

  void remark_bad_bound(const LabelSet& labels, std::string_view le) {
    std::string text = "bucket label \"le\" is missing or has a malformed value of " + quoted(le);
    auto name = context_.symbols().text(get_label(labels, context_.name_id()));
    if (!name.empty()) text += " for metric name " + quoted(name);
    context_.annotations().warn(text, position_);
  }

  void emit(const Histogram& histogram, Block& out) {
    auto first = compute_.add_rows(context_, histogram.labels, out);
    std::vector<Bucket> buckets;
    for (std::size_t i = 0; i < out.steps(); ++i) {
      buckets.clear();
      for (auto [upper_bound, row] : histogram.buckets) {
        const auto& series = store_->rows()[row];
        if (mask_get(series.mask.data(), i)) buckets.push_back({upper_bound, series.values[i]});
      }
      if (!buckets.empty()) compute_.set(context_, histogram.labels, buckets, i, first, out);
    }
  }

  QueryContext& context_;
  OperatorPtr input_;
  PositionRange position_;
  Compute compute_;
  SymbolId le_;
  HeldCells held_;  ///< beside the store
  std::optional<RowStore> store_;
  std::vector<Histogram> histograms_;
  std::size_t at_ = 0;
};

class ComputeQuantiles {
 public:
  explicit ComputeQuantiles(HistogramQuantiles call) : call_(std::move(call)) {}

  std::size_t add_rows(QueryContext& context, const LabelSet& labels, Block& out) const {
    std::size_t first = out.rows();
    for (const auto& quantile : call_.quantiles) {
      LabelSet row_labels = labels;
      if (call_.label_name != 0) set_label(row_labels, call_.label_name, quantile.label_value, context.symbols());
      out.add_row(std::move(row_labels), true);
    }
    return first;
  }
  void set(QueryContext& context, const LabelSet& labels, const std::vector<Bucket>& buckets, std::size_t step,
           std::size_t first_row, Block& out) {
    for (std::size_t k = 0; k < call_.quantiles.size(); ++k) {
      const auto& steps = call_.quantiles[k].steps;
      if (!steps.empty() && !mask_get(steps.data(), step)) continue;
      RaisedBuckets raised;
      auto scratch = buckets;
      out.set(first_row + k, step, bucket_quantile(call_.quantiles[k].q.at(step), scratch, raised));
      if (raised.any) repairs_[get_label(labels, context.name_id())].add(raised, call_.grid.time(step));
    }
  }

  /// Of each metric, what had to be raised in all of its histograms and steps.
  void remark(QueryContext& context) {
    for (const auto& [name, repair] : repairs_) {
      std::string text =
          "input to histogram_quantile needed to be fixed for monotonicity (see "
          "https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)";
      if (name != 0) text += " for metric name " + quoted(context.symbols().text(name));
      char most[32];
      std::snprintf(most, sizeof most, "%.2g", repair.raised.most);
      text += ", from buckets " + format_float_g(repair.raised.lowest_bound) + " to " +
              format_float_g(repair.raised.highest_bound) + ", with a max diff of " + most + ", over " +
              std::to_string(repair.samples) + " samples from " + in_seconds(repair.first) + " to " +
              in_seconds(repair.last);
      context.annotations().info(text, call_.vector_position);
    }
    repairs_.clear();
  }

 private:
  struct Repair {
    RaisedBuckets raised;
    std::uint64_t samples = 0;
    TimestampMs first = kMaxTimestamp;
    TimestampMs last = kMinTimestamp;
    void add(const RaisedBuckets& more, TimestampMs time) {
      raised.lowest_bound = samples == 0 ? more.lowest_bound : std::min(raised.lowest_bound, more.lowest_bound);
      raised.highest_bound = samples == 0 ? more.highest_bound : std::max(raised.highest_bound, more.highest_bound);
      raised.most = std::max(raised.most, more.most);
      ++samples;
      first = std::min(first, time);
      last = std::max(last, time);
    }
  };

  /// RFC 3339 without a fraction.
  static std::string in_seconds(TimestampMs time) {
    auto text = format_rfc3339(time / 1000 * 1000);
    if (auto point = text.find('.'); point != std::string::npos) text.erase(point, text.size() - point - 1);
    return text;
  }

  HistogramQuantiles call_;
  std::map<SymbolId, Repair> repairs_;  ///< by the metric's name
};

struct ComputeFraction {
  ScalarColumn lower;
  ScalarColumn upper;

  std::size_t add_rows(QueryContext&, const LabelSet& labels, Block& out) const { return out.add_row(labels, true); }
  void set(QueryContext&, const LabelSet&, std::vector<Bucket>& buckets, std::size_t step, std::size_t row,
           Block& out) const {
    out.set(row, step, bucket_fraction(lower.at(step), upper.at(step), buckets));
  }
  void remark(QueryContext&) const {}
};

}  // namespace

OperatorPtr make_histogram_quantiles(QueryContext& context, OperatorPtr input, HistogramQuantiles call) {
  for (const auto& quantile : call.quantiles) remark_bad_quantiles(context, quantile.q, quantile.position);
  auto position = call.vector_position;
  return std::make_unique<HistogramOperator<ComputeQuantiles>>(context, std::move(input), position,
                                                               ComputeQuantiles(std::move(call)));
}

OperatorPtr make_histogram_fraction(QueryContext& context, OperatorPtr input, ScalarColumn lower, ScalarColumn upper,
                                    PositionRange vector_position) {
  return std::make_unique<HistogramOperator<ComputeFraction>>(context, std::move(input), vector_position,
                                                              ComputeFraction{std::move(lower), std::move(upper)});
}

}  // namespace pipit
