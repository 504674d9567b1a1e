#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "model/labels.h"
#include "model/matcher.h"
#include "model/result.h"
#include "model/sample.h"
#include "storage/appender.h"

namespace pipit {

class Counter;
class ExemplarLog;
class Gauge;
class MetricsRegistry;

/// A single observation that stands for many: a trace that was counted in a bucket.
struct Exemplar {
  Labels labels;
  double value = 0;
  TimestampMs time = 0;
  /// Whether the time is its own and not that of the sample: one without it is the same one scrape after scrape.
  bool has_time = true;
  bool operator==(const Exemplar&) const = default;
};

/// The exemplars of a series, oldest first.
struct SeriesExemplars {
  Labels series;
  std::vector<Exemplar> exemplars;
};

/// The newest exemplars of all series in RAM, a bounded number of them: a new one takes the place of the oldest.
/// On request they are on disk too. Memory is taken as they come, about 150 bytes each; without exemplars there is
/// none.
///
/// Invariants:
/// 1. `entries_` is a ring whose oldest element is `next_` once it is full.
/// 2. The exemplars of a series are linked from its newest one backwards, in the order of their times.
///
/// Thread-safe.
class ExemplarStore {
 public:
  /// Prometheus's default of `storage.exemplars.max_exemplars`.
  static constexpr std::size_t kDefaultCapacity = 100'000;
  /// Characters that the names and values of an exemplar's labels may have together (OpenMetrics).
  static constexpr std::size_t kLongestLabels = 128;

  explicit ExemplarStore(MetricsRegistry& metrics, std::size_t capacity = kDefaultCapacity);
  ~ExemplarStore();

  /// Takes back what an earlier process left at `path` and writes there from now on, so that exemplars outlive this
  /// one. REQUIRES: nothing was added yet.
  void keep_on_disk(const std::filesystem::path& path);

  /// Keeps so many exemplars from now on; 0 keeps none. Forgets the oldest.
  void set_capacity(std::size_t capacity);
  bool enabled() const;

  enum class Outcome { stored, duplicate, out_of_order, too_long, disabled };
  /// Adds an exemplar of the series `ref`. `labels_of` is asked for the series' labels if it is not known; without
  /// labels nothing is stored.
  Outcome add(SeriesRef ref, const std::function<Labels()>& labels_of, Exemplar exemplar);

  /// The exemplars within `min_time` and `max_time`, both inclusive, of the series that match all matchers of a set, by
  /// the series' labels. No set matches nothing.
  std::vector<SeriesExemplars> select(std::span<const std::vector<Matcher>> matcher_sets, TimestampMs min_time,
                                      TimestampMs max_time) const;

  /// From now on `listener` is told of every exemplar that is stored; null: nobody. When this returns nobody else is
  /// told any more. It is called under a lock and must not call the store.
  using Listener = std::function<void(const Labels& series, const Exemplar& exemplar)>;
  void set_listener(Listener listener);

  std::size_t size() const;

 private:
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};

  struct Entry {
    std::uint32_t series = 0;
    std::uint32_t older = kNone;  ///< of the same series
    TimestampMs time = 0;
    double value = 0;
    bool has_time = false;
    std::string labels;  ///< as encode_labels writes them
  };
  struct Series {
    Labels labels;
    SeriesRef ref = kNoSeries;  ///< by which it was added last
    std::uint32_t newest = kNone;
    std::uint32_t count = 0;
  };

  std::uint32_t find_series(SeriesRef ref, const std::function<Labels()>& labels_of);
  void push(std::uint32_t series, const Exemplar& exemplar, std::string labels);
  void forget(Entry& entry);
  std::vector<Exemplar> exemplars_of(const Series& series, TimestampMs min_time, TimestampMs max_time) const;
  void publish_size();

  Counter& stored_;
  Counter& out_of_order_;
  Counter& too_long_;
  Gauge& in_store_;
  Gauge& series_in_store_;

  mutable std::mutex mutex_;
  Listener listener_;
  std::unique_ptr<ExemplarLog> log_;  ///< null: they are in RAM alone
  std::size_t capacity_;
  std::deque<Entry> entries_;
  std::size_t next_ = 0;  ///< where the next one goes once the ring is full
  std::deque<Series> series_;
  std::vector<std::uint32_t> free_series_;
  std::unordered_map<SeriesRef, std::uint32_t> by_ref_;
  std::unordered_map<std::uint64_t, std::uint32_t> by_hash_;  ///< of labels; of two with one hash only one is kept
};

}  // namespace pipit
