#include "query/answer.h"

#include <algorithm>
#include <chrono>
#include <unordered_map>

#include "query/interruptible_sort.h"
#include "query/label_set.h"
#include "query/row_store.h"

namespace pipit {
namespace {

using Times = std::vector<TimestampMs>;

LabelSet final_labels(const QueryContext& context, RowLabels row) {
  if (row.drop_name) {
    std::erase_if(row.labels, [&](const LabelPair& l) { return context.is_metadata_label(l.name); });
  }
  return std::move(row.labels);
}

/// Puts `more` between the points of `series`; false when both have a point at the same time.
bool unite(ResultSeries& series, const ResultSeries& more) {
  Times times;
  std::vector<double> values;
  std::size_t i = 0;
  std::size_t j = 0;
  while (i < series.values.size() || j < more.values.size()) {
    bool take_first = j == more.values.size() || (i < series.values.size() && (*series.times)[i] < (*more.times)[j]);
    if (!take_first && i < series.values.size() && (*series.times)[i] == (*more.times)[j]) return false;
    times.push_back(take_first ? (*series.times)[i] : (*more.times)[j]);
    values.push_back(take_first ? series.values[i++] : more.values[j++]);
  }
  series.times = std::make_shared<const Times>(std::move(times));
  series.values = std::move(values);
  return true;
}

/// Collects series and unites those with equal labels.
class SeriesCollector {
 public:
  SeriesCollector(QueryContext& context, QueryResult& result) : context_(context), result_(result) {}

  /// False when the query has failed.
  bool add(ResultSeries series) {
    // The answer outlives the query: its samples are never released.
    std::size_t bytes = sizeof(ResultSeries) + kTableEntryBytes + 2 * bytes_of(series.labels);
    if (series.times.use_count() == 1) bytes += series.times->size() * sizeof(TimestampMs);
    if (!context_.hold(series.values.size(), bytes)) return false;
    auto [place, is_new] = places_.try_emplace(series.labels, result_.series.size());
    if (is_new) {
      result_.series.push_back(std::move(series));
      return true;
    }
    if (unite(result_.series[place->second], series)) return true;
    context_.fail(execution_error(kSameLabelset));
    return false;
  }

  void sort_by_labels() {
    const auto begin = std::chrono::steady_clock::now();
    const auto less = [this](const ResultSeries& a, const ResultSeries& b) {
      return labels_less(a.labels, b.labels, context_.symbols());
    };
    sort_interruptibly(result_.series.begin(), result_.series.end(), less, [this] { return context_.check(); });
    result_.stats.sort = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  }

 private:
  QueryContext& context_;
  QueryResult& result_;
  std::unordered_map<LabelSet, std::size_t, LabelSetHash> places_;
};

std::shared_ptr<const Times> all_times(const StepGrid& grid) {
  Times times(grid.count);
  for (std::size_t i = 0; i < grid.count; ++i) times[i] = grid.time(i);
  return std::make_shared<const Times>(std::move(times));
}

void collect_rows(QueryContext& context, Operator& root, const StepGrid& grid, SeriesCollector& collector) {
  auto shared_times = all_times(grid);
  Block block;
  while (context.check() && root.next(block)) {
    for (std::size_t row = 0; row < block.rows(); ++row) {
      std::size_t points = mask_count(block.mask(row), block.words());
      if (points == 0) continue;
      ResultSeries series{final_labels(context, std::move(block.labels(row))), shared_times, {}};
      const double* values = block.values(row);
      if (points == grid.count) {
        series.values.assign(values, values + points);
      } else {
        Times times;
        times.reserve(points);
        series.values.reserve(points);
        mask_for_each(block.mask(row), block.words(), [&](std::size_t i) {
          times.push_back(grid.time(i));
          series.values.push_back(values[i]);
        });
        series.times = std::make_shared<const Times>(std::move(times));
      }
      if (!collector.add(std::move(series))) return;
    }
  }
}

}  // namespace

void collect_vector(QueryContext& context, Operator& root, const StepGrid& grid, QueryResult& result) {
  result.type = ResultType::vector;
  SeriesCollector collector(context, result);
  collect_rows(context, root, grid, collector);
}

void collect_matrix(QueryContext& context, Operator& root, const StepGrid& grid, QueryResult& result) {
  result.type = ResultType::matrix;
  SeriesCollector collector(context, result);
  collect_rows(context, root, grid, collector);
  collector.sort_by_labels();
}

void collect_samples(QueryContext& context, SampleStream& stream, QueryResult& result) {
  result.type = ResultType::matrix;
  SeriesCollector collector(context, result);
  while (context.check() && stream.next()) {
    if (stream.times().empty()) continue;
    auto times = std::make_shared<const Times>(stream.times().begin(), stream.times().end());
    if (!collector.add({final_labels(context, stream.labels()),
                        std::move(times),
                        {stream.values().begin(), stream.values().end()}})) {
      return;
    }
  }
  collector.sort_by_labels();
}

void collect_scalar(const ScalarColumn& scalar, const StepGrid& grid, QueryResult& result) {
  ResultSeries series{{}, all_times(grid), {}};
  for (std::size_t i = 0; i < grid.count; ++i) series.values.push_back(scalar.at(i));
  result.series.push_back(std::move(series));
}

}  // namespace pipit
