// Names, values and series without samples. Without matchers the index answers alone; with them, a series counts
// if one of its chunks touches the range.

#include <algorithm>
#include <set>

#include "storage/series_cursor.h"
#include "storage/store.h"

namespace pipit {
namespace {

/// Whether a series has a sample in a range, judged by its chunks' ends, or by its samples where some are deleted.
class SampleFinder {
 public:
  SampleFinder(const StoreCore& core, ChunkReader& chunks, TimestampMs min_time, TimestampMs max_time)
      : core_(core), chunks_(chunks), min_time_(min_time), max_time_(max_time) {
    if (core.has_tombstones()) tombstones_ = std::make_unique<TombstoneReader>(core.database());
  }

  Result<bool> has(const SeriesWalk& walk) {
    if (tombstones_) {
      auto deleted = tombstones_->find(walk.id());
      if (!deleted.ok()) return deleted.error();
      if (!(*deleted)->empty()) return has_besides(walk, **deleted);
    }
    if (core_.head_overlaps(walk.id(), min_time_, max_time_)) return true;
    // Counted after the look at the head: a chunk that had left it by then is seen on disk.
    chunks_.refresh(core_.departures());
    return chunks_.has(walk.id());
  }

 private:
  Result<bool> has_besides(const SeriesWalk& walk, const DeletedIntervals& deleted) {
    Status status = read_samples(core_, walk.place(), chunks_, min_time_, max_time_, head_, times_, values_);
    if (!status.ok()) return status.error();
    drop_deleted(deleted, times_, values_);
    const auto first = std::lower_bound(times_.begin(), times_.end(), min_time_);
    return first != times_.end() && *first <= max_time_;
  }

  const StoreCore& core_;
  ChunkReader& chunks_;
  TimestampMs min_time_;
  TimestampMs max_time_;
  std::unique_ptr<TombstoneReader> tombstones_;  // none when nothing is deleted
  HeadCopy head_;
  TimeColumn times_;
  ValueColumn values_;
};

/// Calls `visit(labels as text pairs)` once for each series that one of the sets selects.
template <class Visit>
Status for_each_series(const StoreCore& core, Queryable::MatcherSets sets, TimestampMs min_time, TimestampMs max_time,
                       Visit visit) {
  const std::vector<Matcher> everything;
  const std::span<const std::vector<Matcher>> wanted =
      sets.empty() ? std::span<const std::vector<Matcher>>(&everything, 1) : sets;
  min_time = core.visible_from(min_time);
  SymbolTable symbols;
  LabelReader labels(core, symbols);
  LabelSet set;
  for (const std::vector<Matcher>& matchers : wanted) {
    auto selections = core.index().select(matchers, nullptr);
    if (!selections.ok()) return selections.error();
    ChunkReader chunks(core, min_time, max_time);
    SampleFinder finder(core, chunks, min_time, max_time);
    SeriesWalk walk(core, std::move(*selections), chunks, min_time, max_time);
    for (;;) {
      auto more = walk.next();
      if (!more.ok()) return more.error();
      if (!*more) break;
      auto there = finder.has(walk);
      if (!there.ok()) return there.error();
      if (!*there) continue;
      auto labeled = labels.read(walk.id(), walk.metric().name, set);
      if (!labeled.ok()) return labeled.error();
      if (*labeled && !visit(set, symbols)) return {};
    }
  }
  return {};
}

std::vector<std::string> first_of(const std::set<std::string>& all, std::size_t limit) {
  const std::size_t n = limit == 0 ? all.size() : std::min(limit, all.size());
  return {all.begin(), std::next(all.begin(), static_cast<std::ptrdiff_t>(n))};
}

}  // namespace

Result<std::vector<std::string>> Store::label_names(MatcherSets matcher_sets, TimestampMs min_time,
                                                    TimestampMs max_time, std::size_t limit) const {
  if (Status status = impl_->can_read(); !status.ok()) return status.error();
  if (matcher_sets.empty()) {
    auto names = impl_->index().label_names();
    if (names.ok() && limit != 0 && names->size() > limit) names->resize(limit);
    return names;
  }
  std::set<SymbolId> seen;
  std::set<std::string> names;
  Status status = for_each_series(*impl_, matcher_sets, min_time, max_time,
                                  [&](const LabelSet& labels, const SymbolTable& symbols) {
                                    for (const LabelPair& pair : labels) {
                                      if (seen.insert(pair.name).second) names.emplace(symbols.text(pair.name));
                                    }
                                    return true;
                                  });
  if (!status.ok()) return status.error();
  return first_of(names, limit);
}

Result<std::vector<std::string>> Store::label_values(std::string_view name, MatcherSets matcher_sets,
                                                     TimestampMs min_time, TimestampMs max_time,
                                                     std::size_t limit) const {
  if (Status status = impl_->can_read(); !status.ok()) return status.error();
  if (matcher_sets.empty()) return impl_->index().label_values(name, limit);
  std::set<std::string> values;
  Status status = for_each_series(*impl_, matcher_sets, min_time, max_time,
                                  [&](const LabelSet& labels, const SymbolTable& symbols) {
                                    for (const LabelPair& pair : labels) {
                                      if (symbols.text(pair.name) == name) values.emplace(symbols.text(pair.value));
                                    }
                                    return true;
                                  });
  if (!status.ok()) return status.error();
  return first_of(values, limit);
}

Result<std::vector<Labels>> Store::series(MatcherSets matcher_sets, TimestampMs min_time, TimestampMs max_time,
                                          std::size_t limit) const {
  if (Status status = impl_->can_read(); !status.ok()) return status.error();
  std::vector<Labels> found;
  Status status = for_each_series(
      *impl_, matcher_sets, min_time, max_time, [&](const LabelSet& labels, const SymbolTable& symbols) {
        std::vector<Label> texts;
        texts.reserve(labels.size());
        for (const LabelPair& pair : labels) {
          texts.push_back({std::string(symbols.text(pair.name)), std::string(symbols.text(pair.value))});
        }
        found.emplace_back(std::move(texts));
        return true;
      });
  if (!status.ok()) return status.error();
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  if (limit != 0 && found.size() > limit) found.resize(limit);
  return found;
}

}  // namespace pipit
