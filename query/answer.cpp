#include "query/answer.h"

#include <algorithm>
#include <chrono>
#include <unordered_set>

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
bool put_between(ResultSeries& series, const ResultSeries& more) {
  Times times;
  CellVector values(series.values.get_allocator());
  values.reserve(series.values.size() + more.values.size());
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

/// Collects series.
class SeriesCollector {
 public:
  SeriesCollector(QueryContext& context, QueryResult& result) : context_(context), result_(result) {
    result.cells = std::make_shared<CellArena>();
  }

  /// None, which grow where the answer's are.
  CellVector cells() const { return CellVector(result_.cells.get()); }

  /// False when the query has failed.
  bool add(ResultSeries series) {
    // The answer outlives the query: its samples are never released.
    std::size_t bytes = sizeof(ResultSeries) + bytes_of(series.labels);
    if (series.times.use_count() == 1) bytes += series.times->size() * sizeof(TimestampMs);
    if (!context_.hold(series.values.size(), bytes)) return false;
    result_.series.push_back(std::move(series));
    return true;
  }

  /// Sorts the series by their labels and unites those with equal ones.
  void sort_and_unite() {
    const auto begin = std::chrono::steady_clock::now();
    const auto less = [this](const ResultSeries& a, const ResultSeries& b) {
      return labels_less(a.labels, b.labels, context_.symbols());
    };
    auto& all = result_.series;
    if (!sort_interruptibly(all.begin(), all.end(), less, [this] { return context_.check(); })) return;
    std::size_t kept = 0;
    for (std::size_t i = 1; i < all.size(); ++i) {
      if (all[i].labels != all[kept].labels) {
        if (++kept != i) all[kept] = std::move(all[i]);
      } else if (!unite_or_fail(all[kept], all[i])) {
        return;
      }
    }
    if (!all.empty()) all.resize(kept + 1);
    result_.stats.sort = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  }

  /// Unites series with equal labels where the first of them stands.
  void unite() {
    auto& all = result_.series;
    const auto hash = [&all](std::size_t i) { return LabelSetHash()(all[i].labels); };
    const auto equal = [&all](std::size_t i, std::size_t j) { return all[i].labels == all[j].labels; };
    if (!context_.hold(0, all.size() * kTableEntryBytes)) return;
    std::unordered_set<std::size_t, decltype(hash), decltype(equal)> seen(all.size(), hash, equal);
    std::size_t kept = 0;
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (kept != i) all[kept] = std::move(all[i]);
      const auto [first, is_new] = seen.insert(kept);
      if (is_new) {
        ++kept;
      } else if (!unite_or_fail(all[*first], all[kept])) {
        return;
      }
    }
    all.resize(kept);
  }

 private:
  bool unite_or_fail(ResultSeries& series, const ResultSeries& more) {
    if (put_between(series, more)) return true;
    context_.fail(execution_error(kSameLabelset));
    return false;
  }

  QueryContext& context_;
  QueryResult& result_;
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
      ResultSeries series{final_labels(context, std::move(block.labels(row))), shared_times, collector.cells()};
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
  collector.unite();
}

void collect_matrix(QueryContext& context, Operator& root, const StepGrid& grid, QueryResult& result) {
  result.type = ResultType::matrix;
  SeriesCollector collector(context, result);
  collect_rows(context, root, grid, collector);
  collector.sort_and_unite();
}

void collect_samples(QueryContext& context, SampleStream& stream, QueryResult& result) {
  result.type = ResultType::matrix;
  SeriesCollector collector(context, result);
  while (context.check() && stream.next()) {
    if (stream.times().empty()) continue;
    context.sample_count().current().add(stream.times().size());
    auto times = std::make_shared<const Times>(stream.times().begin(), stream.times().end());
    ResultSeries series{final_labels(context, stream.labels()), std::move(times), collector.cells()};
    series.values.assign(stream.values().begin(), stream.values().end());
    if (!collector.add(std::move(series))) return;
  }
  collector.sort_and_unite();
}

void collect_scalar(const ScalarColumn& scalar, const StepGrid& grid, QueryResult& result) {
  ResultSeries series{{}, all_times(grid), {}};
  for (std::size_t i = 0; i < grid.count; ++i) series.values.push_back(scalar.at(i));
  result.series.push_back(std::move(series));
}

}  // namespace pipit
