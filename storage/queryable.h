#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/labels.h"
#include "model/matcher.h"
#include "model/metadata.h"
#include "model/result.h"
#include "model/sample.h"
#include "model/symbol_table.h"

namespace pipit {

/// Streams series one after another. A cursor belongs to one thread and must not outlive its Queryable nor
/// the SymbolTable it was given. It sees the store as of `select` (samples appended later may or may not appear).
class SeriesCursor {
 public:
  virtual ~SeriesCursor() = default;

  /// Moves to the next series that has at least one sample in the range. False at the end.
  virtual Result<bool> next() = 0;

  // Of the current series; the views live until the next call of next().
  virtual const LabelSet& labels() const = 0;  ///< with `__name__`; may be empty if the request wants none
  /// Strictly increasing; times().size() == values().size(). Stale markers are included.
  virtual std::span<const TimestampMs> times() const = 0;
  virtual std::span<const double> values() const = 0;
};

struct SelectRequest {
  std::span<const Matcher> matchers;     ///< all must match
  TimestampMs min_time = kMinTimestamp;  ///< inclusive
  TimestampMs max_time = kMaxTimestamp;  ///< inclusive
  /// When set by another thread, `next` and `select` soon fail with `canceled`. May be null.
  const std::atomic<bool>* canceled = nullptr;
  /// Whether the series' labels are wanted. To count or add up all of a million series, they need not be read.
  bool labels = true;
  /// Whether of each series only the newest sample in the range is wanted, as an instant query does. More may come.
  bool newest_only = false;
};

struct MetricMetadata {
  std::string metric;
  Metadata metadata;
};

/// The way out: what the query engine and the HTTP API know of the store. Thread-safe.
///
/// `matcher_sets` is a disjunction of conjunctions, as the API's repeated `match[]`; empty means everything.
/// `limit` 0 means no limit. Results are sorted and without duplicates.
class Queryable {
 public:
  virtual ~Queryable() = default;

  virtual Result<std::unique_ptr<SeriesCursor>> select(const SelectRequest& request, SymbolTable& symbols) const = 0;

  using MatcherSets = std::span<const std::vector<Matcher>>;
  virtual Result<std::vector<std::string>> label_names(MatcherSets matcher_sets, TimestampMs min_time,
                                                       TimestampMs max_time, std::size_t limit) const = 0;
  virtual Result<std::vector<std::string>> label_values(std::string_view name, MatcherSets matcher_sets,
                                                        TimestampMs min_time, TimestampMs max_time,
                                                        std::size_t limit) const = 0;
  virtual Result<std::vector<Labels>> series(MatcherSets matcher_sets, TimestampMs min_time, TimestampMs max_time,
                                             std::size_t limit) const = 0;
  /// By metric name; `metric` "" means all.
  virtual Result<std::vector<MetricMetadata>> metadata(std::string_view metric, std::size_t limit) const = 0;
};

}  // namespace pipit
