#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
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

/// Windows (end - range, end], whose ends are a step apart, of which only the greatest or the least value is asked for.
struct ExtremeWindows {
  bool greatest = true;
  TimestampMs first_end = 0;
  DurationMs range = 0;
  DurationMs step = 1;
  std::size_t count = 1;

  /// Whether some window has one of two times and not the other. REQUIRES: first <= last.
  bool part(TimestampMs first, TimestampMs last) const {
    return any_edge(first_end, first, last) || any_edge(first_end - range, first, last);
  }

 private:
  /// Whether an edge is at `first` or later and before `last`; it belongs to what is before it.
  bool any_edge(TimestampMs edge, TimestampMs first, TimestampMs last) const {
    const std::uint64_t steps = first <= edge ? 0 : static_cast<std::uint64_t>((first - edge + step - 1) / step);
    return steps < count && edge + static_cast<DurationMs>(steps) * step < last;
  }
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
  /// Whether of the labels only the metric's name is wanted. More may come.
  bool name_only = false;
  /// Of samples that no window parts, only the greatest or the least is wanted, and its time may be that of any of
  /// them. More may come.
  std::optional<ExtremeWindows> extreme = std::nullopt;
  /// Whether the values are wanted. If not, they may be any, but stale markers are where they are.
  bool values = true;
};

/// A selection that several threads read, each series by one of them. It is handed out in the order of `select`, some
/// series at a time.
class SharedSelection {
 public:
  virtual ~SharedSelection() = default;

  /// Belongs to one thread.
  class Reader {
   public:
    virtual ~Reader() = default;
    /// Takes the selection's next series, so many or, at the end, fewer. REQUIRES: no other reader of the selection
    /// does it at the same time.
    virtual Result<std::size_t> take(std::size_t series) = 0;
    /// Moves to the next one of them that has at least one sample in the range. False after the last.
    virtual Result<bool> next() = 0;

    // Of the current series, as of a SeriesCursor.
    virtual std::uint64_t series() const = 0;  ///< for `labels`
    virtual std::span<const TimestampMs> times() const = 0;
    virtual std::span<const double> values() const = 0;
  };
  /// Must not outlive the selection.
  virtual std::unique_ptr<Reader> reader() = 0;
  /// The labels of a series that a reader gave, for the symbol table's thread alone. False when it is gone meanwhile.
  virtual Result<bool> labels(std::uint64_t series, LabelSet& labels) = 0;
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

  /// As `select`, for several threads; null where that can't be.
  virtual Result<std::unique_ptr<SharedSelection>> select_shared(const SelectRequest&, SymbolTable&) const {
    return std::unique_ptr<SharedSelection>();
  }
};

}  // namespace pipit
