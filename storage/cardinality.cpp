// Counts over the whole index, in RAM that does not grow with it: the largest are kept in heaps, and label pairs are
// counted so many at a time.

#include "storage/cardinality.h"

#include <algorithm>
#include <map>

#include "storage/activity.h"
#include "storage/hash.h"
#include "storage/store.h"
#include "storage/store_core.h"

namespace pipit {
namespace {

/// Label pairs that are counted in one pass over the posting lists, at least; an eighth of all of them if that is more.
constexpr std::size_t kPairsAtOnce = 256 << 10;
constexpr Window kHoursShown = 7 * kWindowsPerPartition;

using Count = Cardinality::Count;

/// Whether a comes before b.
bool larger(const Count& a, const Count& b) { return a.count != b.count ? a.count > b.count : a.name < b.name; }

/// The largest counts of many.
class Largest {
 public:
  explicit Largest(std::size_t limit) : limit_(limit) {}
  void add(std::string_view name, std::uint64_t count) {
    if (limit_ == 0 || (heap_.size() == limit_ && count < heap_.front().count)) return;
    heap_.push_back({std::string(name), count});
    std::push_heap(heap_.begin(), heap_.end(), larger);
    if (heap_.size() <= limit_) return;
    std::pop_heap(heap_.begin(), heap_.end(), larger);
    heap_.pop_back();
  }
  std::vector<Count> take() {
    std::sort(heap_.begin(), heap_.end(), larger);
    return std::move(heap_);
  }

 private:
  std::size_t limit_;
  std::vector<Count> heap_;  // the least wanted in front
};

class Counting {
 public:
  Counting(const StoreCore& core, std::size_t limit)
      : core_(core), database_(core.database()), by_metric_(limit), values_(limit), bytes_(limit), by_pair_(limit) {}

  Result<Cardinality> run() {
    if (Status status = count_metrics(); !status.ok()) return status.error();
    if (Status status = count_pairs(); !status.ok()) return status.error();
    result_.series_by_metric = by_metric_.take();
    result_.values_by_label = values_.take();
    result_.bytes_by_label = bytes_.take();
    result_.series_by_pair = by_pair_.take();
    for (const auto& [window, hours] : hours_) result_.churn.push_back(hours);
    for (const auto& [name, family] :
         std::initializer_list<std::pair<const char*, Database::Family*>>{{"chunks", database_.chunks()},
                                                                          {"series", database_.series()},
                                                                          {"index", database_.index()},
                                                                          {"metadata", database_.metadata()},
                                                                          {"state", database_.state()}}) {
      result_.file_bytes.push_back({name, database_.file_bytes(family)});
    }
    return std::move(result_);
  }

 private:
  static Error damaged() { return internal_error("the index is damaged: its lists can't be counted"); }

  /// Calls `visit(rest of the key, value)` for the index's keys from `from` that start with `prefix`; stops on false.
  template <class Visit>
  Status scan(const std::string& prefix, const std::string& from, Visit visit) {
    auto it = database_.iterate(database_.index(), false);
    for (it->Seek(slice(from)); it->Valid() && view(it->key()).starts_with(prefix); it->Next()) {
      if (!visit(view(it->key()).substr(prefix.size()), view(it->value()))) break;
    }
    if (!it->status().ok()) return database_.error(it->status(), "read");
    return {};
  }

  // ---- metrics ----

  Status count_metrics() {
    ActivityReader lists(database_);
    const StoreStats stats = core_.stats();
    const WindowRange shown = windows_of(stats.min_time, stats.max_time);
    const std::string names(1, kIndexMetric);
    Status failed;
    Status status = scan(names, names, [&](std::string_view id, std::string_view name) {
      if (id.size() != 4) {
        failed = damaged();
        return false;
      }
      const std::uint32_t metric = big_endian32(id.data());
      auto series = series_of(metric);
      failed = series.ok() ? count_hours(lists, metric, shown) : Status(series.error());
      if (!failed.ok()) return false;
      ++result_.metrics;
      result_.series += *series;
      by_metric_.add(name, *series);
      return true;
    });
    return status.ok() ? failed : status;
  }

  Result<std::uint64_t> series_of(std::uint32_t metric) {
    std::string value;
    bool found;
    Status status = database_.get(database_.index(), metric_key(kIndexNextOrdinal, metric), value, found);
    if (!status.ok()) return status.error();
    if (!found) return std::uint64_t{0};  // it has just gone
    if (value.size() != 16) return damaged();
    return big_endian64(value.data()) - big_endian64(value.data() + 8);
  }

  Status count_hours(ActivityReader& lists, std::uint32_t metric, const WindowRange& shown) {
    if (shown.count() == 0) return {};
    const Window first = std::max(shown.first, shown.last - kHoursShown + 1);
    Window before_window = first - 2;
    PostingRuns before;
    const auto add = [&](Window window, PostingRuns now) {
      if (before_window + 1 < window && before_window + 1 >= first && !before.empty()) {
        hours(before_window + 1).vanished += count_of(before);
      }
      if (before_window + 1 != window) before.clear();
      if (window >= first) {
        const std::uint64_t count = count_of(now);
        const std::uint64_t stayed = count_common(now, before);
        Cardinality::Hours& sums = hours(window);
        sums.series += count;
        sums.appeared += count - stayed;
        sums.vanished += count_of(before) - stayed;
      }
      before = std::move(now);
      before_window = window;
      return true;
    };
    PostingRuns newest;
    Status status = lists.visit(metric, first - 1, shown.last, [&](Window window, std::string_view list) {
      PostingRuns now;
      if (!unite_stored(now, list)) return false;
      if (window != shown.last) return add(window, std::move(now));
      newest = std::move(now);
      return true;
    });
    if (!status.ok()) return status;
    PostingRuns in_head;
    for (const Head::Member& member : core_.head_members(metric)) add_number(in_head, member.ordinal);
    unite(newest, in_head);
    if (!newest.empty() || !before.empty()) add(shown.last, std::move(newest));
    return {};
  }

  Cardinality::Hours& hours(Window window) {
    Cardinality::Hours& hours = hours_[window];
    hours.start = window_start(window);
    return hours;
  }

  // ---- labels ----

  struct Pair {
    std::uint64_t hash;
    std::uint64_t series;
  };
  static std::uint64_t hash_of(std::string_view pair) { return hash_bytes(pair, {}).low; }

  Status count_pairs() {
    const std::string prefix(1, kIndexLabelMetrics);
    std::size_t all = 0;
    Status status = scan(prefix, prefix, [&](std::string_view, std::string_view) { return ++all != 0; });
    const std::size_t at_once = std::max(kPairsAtOnce, all / 8 + 1);
    std::vector<Pair> pairs;
    for (std::string from = prefix; status.ok() && !from.empty();) {
      pairs.clear();
      std::string next;
      status = scan(prefix, from, [&](std::string_view pair, std::string_view) {
        if (pairs.size() == at_once) {
          next = prefix + std::string(pair);
          return false;
        }
        pairs.push_back({hash_of(pair), 0});
        return true;
      });
      std::sort(pairs.begin(), pairs.end(), [](const Pair& a, const Pair& b) { return a.hash < b.hash; });
      if (status.ok()) status = count_series_of(pairs);
      if (status.ok()) status = tell(pairs, from, next);
      from = next;
    }
    end_label();
    return status;
  }

  static Pair* find(std::vector<Pair>& pairs, std::string_view pair) {
    const std::uint64_t hash = hash_of(pair);
    auto found = std::lower_bound(pairs.begin(), pairs.end(), hash,
                                  [](const Pair& p, std::uint64_t wanted) { return p.hash < wanted; });
    return found == pairs.end() || found->hash != hash ? nullptr : &*found;
  }

  Status count_series_of(std::vector<Pair>& pairs) {
    const std::string prefix(1, kIndexPosting);
    bool good = true;
    Status status = scan(prefix, prefix, [&](std::string_view key, std::string_view list) {
      if (key.size() < 4) return good = false;
      Pair* pair = find(pairs, key.substr(4));
      if (pair == nullptr) return true;
      return good = visit_runs(list, [&](std::uint32_t first, std::uint32_t last) {
               pair->series += std::uint64_t{last} - first + 1;
             });
    });
    return status.ok() && !good ? damaged() : status;
  }

  /// Counts the pairs of the keys from `from` until `end`, or all that follow if that is empty.
  Status tell(std::vector<Pair>& pairs, const std::string& from, const std::string& end) {
    Status failed;
    Status status = scan(std::string(1, kIndexLabelMetrics), from, [&](std::string_view pair, std::string_view list) {
      if (!end.empty() && pair == std::string_view(end).substr(1)) return false;
      std::string_view name;
      ByteReader reader(pair);
      const Pair* known = find(pairs, pair);
      if (!reader.text(name)) return (failed = damaged()).ok();
      const std::string_view value = pair.substr(pair.size() - reader.remaining());
      std::uint64_t series = known == nullptr ? 0 : known->series;
      if (name == kMetricName) {
        PostingRuns metrics;
        auto of = unite_stored(metrics, list) && count_of(metrics) == 1 ? series_of(metrics[0].first) : damaged();
        if (!of.ok()) return (failed = of.error()).ok();
        series = *of;
      }
      if (name != label_ || label_values_ == 0) {
        end_label();
        label_ = name;
      }
      ++label_values_;
      label_bytes_ += value.size() * series;
      by_pair_.add(std::string(name) + "=" + std::string(value), series);
      return true;
    });
    return status.ok() ? failed : status;
  }

  void end_label() {
    if (label_values_ == 0) return;
    ++result_.label_names;
    result_.label_pairs += label_values_;
    values_.add(label_, label_values_);
    bytes_.add(label_, label_bytes_);
    label_values_ = 0;
    label_bytes_ = 0;
  }

  const StoreCore& core_;
  const Database& database_;
  Cardinality result_;
  Largest by_metric_;
  Largest values_;
  Largest bytes_;
  Largest by_pair_;
  std::map<Window, Cardinality::Hours> hours_;
  std::string label_;  // whose values are being counted
  std::uint64_t label_values_ = 0;
  std::uint64_t label_bytes_ = 0;
};

}  // namespace

Result<Cardinality> Store::cardinality(std::size_t limit) const {
  if (Status status = impl_->can_read(); !status.ok()) return status.error();
  return Counting(*impl_, limit).run();
}

}  // namespace pipit
