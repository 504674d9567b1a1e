#include "storage/series_cursor.h"

#include <algorithm>

namespace pipit {

// ---- SeriesWalk -----------------------------------------------------------------------------------------

namespace {

/// A range of more windows is walked by chunks: most of what has chunks has samples in it, too.
constexpr std::uint64_t kMaxWindows = 14 * kWindowsPerPartition;
/// So few series are looked up on disk sooner than lists are read.
constexpr std::size_t kFewSeries = 16;

}  // namespace

Result<bool> SeriesWalk::next() {
  for (;;) {
    if (exhausted_) {
      if (at_ == selections_.size()) return false;
      if (Status status = next_metric(); !status.ok()) return status.error();
    }
    auto found = metric().all_but ? next_of_all() : Result<bool>(next_listed());
    if (!found.ok() || *found) return found;
    exhausted_ = true;
  }
}

Status SeriesWalk::next_metric() {
  if (at_ != 0) selections_[at_ - 1].ordinals = {};
  ++at_;
  exhausted_ = false;
  ordinal_ = 0;
  member_ = 0;
  members_ = metric().all_but ? core_.head_members(metric().metric)
                              : core_.head_members(metric().metric, metric().ordinals);
  departures_ = core_.departures();
  next_id_ = make_series_id(metric().metric, 0);
  const bool all_in_head = !metric().all_but && members_.size() == metric().ordinals.size();
  if (all_in_head || (!metric().all_but && metric().ordinals.size() <= kFewSeries)) return {};
  const auto [from, to] = core_.stored_range(min_time_, max_time_);
  const WindowRange windows = windows_of(from, to);
  if (windows.count() <= kMaxWindows) return narrow_to_active(windows);
  chunks_.refresh(departures_);
  return {};
}

/// Makes the selection a list of the series that are in the head or in the lists of the range's windows.
Status SeriesWalk::narrow_to_active(const WindowRange& windows) {
  MetricSelection& selection = selections_[at_ - 1];
  PostingRuns active;
  for (const Head::Member& member : members_) add_number(active, member.ordinal);
  if (windows.count() != 0) {
    if (!activity_ || activity_departures_ != departures_) {
      activity_ = std::make_unique<ActivityReader>(core_.database());
      activity_departures_ = departures_;
    }
    Status status = activity_->unite_windows(selection.metric, windows.first, windows.last, active);
    if (!status.ok()) return status;
  }
  if (selection.all_but) {
    Postings numbers = numbers_of(active);
    subtract(numbers, selection.ordinals);
    selection.ordinals = std::move(numbers);
    selection.all_but = false;
  } else {
    intersect(selection.ordinals, active);
  }
  return {};
}

bool SeriesWalk::next_listed() {
  const Postings& ordinals = metric().ordinals;
  if (ordinal_ == ordinals.size()) return false;
  const std::uint32_t ordinal = ordinals[ordinal_++];
  while (member_ < members_.size() && members_[member_].ordinal < ordinal) ++member_;
  id_ = make_series_id(metric().metric, ordinal);
  slot_ = member_ < members_.size() && members_[member_].ordinal == ordinal ? members_[member_].slot : Head::kNoSlot;
  return true;
}

/// Of a long range: what has chunks or is in the head, but for those that the matchers exclude.
Result<bool> SeriesWalk::next_of_all() {
  const SeriesId end = make_series_id(metric().metric, 0) + (SeriesId{1} << 32);
  const Postings& excluded = metric().ordinals;
  for (;;) {
    auto found = chunks_.next_id(next_id_, end);
    if (!found.ok()) return found.error();
    std::optional<SeriesId> id = *found;
    slot_ = Head::kNoSlot;
    if (member_ < members_.size()) {
      const SeriesId in_head = make_series_id(metric().metric, members_[member_].ordinal);
      if (!id || in_head <= *id) {
        id = in_head;
        slot_ = members_[member_++].slot;
      }
    }
    if (!id) return false;
    id_ = *id;
    next_id_ = *id + 1;
    while (ordinal_ < excluded.size() && excluded[ordinal_] < ordinal_of(*id)) ++ordinal_;
    if (ordinal_ == excluded.size() || excluded[ordinal_] != ordinal_of(*id)) return true;
  }
}

// ---- samples ----------------------------------------------------------------------------------------------

/// First the copy of what is in RAM, then the disk: what moves in between is seen twice and not missed.
Status read_samples(const StoreCore& core, const SeriesPlace& place, ChunkReader& chunks, TimestampMs min_time,
                    TimestampMs max_time, HeadCopy& head, TimeColumn& times,
                    ValueColumn& values) {
  times.clear();
  values.clear();
  if (place.slot == Head::kNoSlot) {
    chunks.refresh(place.departures);
    return chunks.read(place.id, times, values);
  }
  core.copy_head(place.id, place.slot, min_time, max_time, head);
  if (head.complete_from > min_time && head.stored_max >= min_time && head.stored_min <= max_time) {
    chunks.refresh(head.departures);
    if (Status status = chunks.read(place.id, times, values); !status.ok()) return status;
    const bool overlap = std::any_of(head.pieces.begin(), head.pieces.end(),
                                     [&](const auto& piece) { return piece.start <= chunks.condensed_until(); });
    if (overlap) {
      chunks.set_extreme(nullptr);
      times.clear();
      values.clear();
      if (Status status = chunks.read(place.id, times, values); !status.ok()) return status;
    }
  }
  for (std::size_t i = 0; i < head.pieces.size(); ++i) {
    Status status = append_chunk(head.piece(i), head.pieces[i].start, min_time, times, values);
    if (!status.ok()) return status;
  }
  return {};
}

// ---- LabelReader ----------------------------------------------------------------------------------------

Result<bool> LabelReader::find_record(SeriesId id) {
  const std::string key = series_key(id);
  for (const bool fresh : {false, true}) {
    if (fresh || !it_) {
      it_ = core_.database().iterate(core_.database().series());
      it_->Seek(slice(key));
    } else {
      if (it_->Valid() && view(it_->key()) < key) it_->Next();
      if (!it_->Valid() || view(it_->key()) != key) it_->Seek(slice(key));
    }
    if (it_->Valid() && view(it_->key()) == key) return true;
    if (!it_->status().ok()) return core_.database().error(it_->status(), "read");
  }
  return false;
}

void LabelReader::set(std::size_t i, std::string_view name, std::string_view value, LabelSet& labels) {
  if (i == last_.size()) last_.emplace_back();
  LabelPair& pair = last_[i];
  if (symbols_.text(pair.name) != name) pair.name = symbols_.intern(name);
  if (symbols_.text(pair.value) != value) pair.value = symbols_.intern(value);
  labels.push_back(pair);
}

void LabelReader::enter_metric(SeriesId id, std::string_view metric_name) {
  if (name_label_ == 0) name_label_ = symbols_.intern(kMetricName);
  if (metric_ == metric_of(id)) return;
  metric_ = metric_of(id);
  metric_name_ = symbols_.intern(metric_name);
}

void LabelReader::set_name(SeriesId id, std::string_view metric_name, LabelSet& labels) {
  enter_metric(id, metric_name);
  labels.assign(1, {name_label_, metric_name_});
}

Result<bool> LabelReader::read(SeriesId id, std::string_view metric_name, LabelSet& labels) {
  auto found = find_record(id);
  if (!found.ok() || !*found) return found;
  enter_metric(id, metric_name);
  labels.clear();
  std::size_t i = 0;
  bool named = false;
  const bool good = read_series_record(view(it_->value()), [&](std::string_view name, std::string_view value) {
    if (!named && name > kMetricName) {
      labels.push_back({name_label_, metric_name_});
      named = true;
    }
    set(i++, name, value, labels);
  });
  if (!named) labels.push_back({name_label_, metric_name_});
  if (!good) return internal_error("the labels of a series of " + std::string(metric_name) + " are damaged");
  return true;
}

// ---- SampleReader ---------------------------------------------------------------------------------------

SampleReader::SampleReader(const StoreCore& core, ChunkReader& chunks, const SelectRequest& request)
    : core_(core),
      chunks_(chunks),
      min_time_(core.visible_from(request.min_time)),
      max_time_(request.max_time),
      newest_only_(request.newest_only),
      want_values_(request.values),
      extreme_(request.extreme) {
  chunks_.set_canceled(request.canceled);
  if (core.has_tombstones()) tombstones_.emplace(core.database());
}

Status SampleReader::read(const SeriesPlace& place) {
  first_ = 0;
  size_ = 0;
  const DeletedIntervals* deleted = nullptr;
  if (tombstones_) {
    auto found = tombstones_->find(place.id);
    if (!found.ok()) return found.error();
    if (!(*found)->empty()) deleted = *found;
  }
  if (newest_only_ && deleted == nullptr) {
    auto done = read_newest(place);
    if (!done.ok()) return done.error();
    if (*done) return {};
  }
  chunks_.set_extreme(extreme_ && deleted == nullptr ? &*extreme_ : nullptr);
  Status status = read_samples(core_, place, chunks_, min_time_, max_time_, head_, times_, values_);
  if (status.ok() && deleted != nullptr) drop_deleted(*deleted, times_, values_);
  if (!status.ok() || times_.empty()) return status;
  std::size_t end = times_.size();
  if (times_.front() < min_time_) {
    first_ = static_cast<std::size_t>(std::lower_bound(times_.begin(), times_.end(), min_time_) - times_.begin());
  }
  if (times_.back() > max_time_) {
    end = static_cast<std::size_t>(std::upper_bound(times_.begin(), times_.end(), max_time_) - times_.begin());
  }
  size_ = end > first_ ? end - first_ : 0;
  return {};
}

Result<bool> SampleReader::read_newest(const SeriesPlace& place) {
  times_.resize(1);
  values_.resize(1);
  if (place.slot == Head::kNoSlot) {
    chunks_.refresh(place.departures);
  } else {
    if (core_.newest_in_head(place.id, place.slot, min_time_, max_time_, times_[0], values_[0])) {
      size_ = 1;
      return true;
    }
    core_.copy_head(place.id, place.slot, min_time_, max_time_, head_);
    if (!head_.pieces.empty()) return false;
    if (head_.stored_min > max_time_ || head_.stored_max < min_time_) return true;
    chunks_.refresh(head_.departures);
  }
  auto found = chunks_.read_newest(place.id, want_values_, times_[0], values_[0]);
  if (!found.ok()) return found;
  size_ = *found ? 1 : 0;
  return true;
}

// ---- StoreCursor ----------------------------------------------------------------------------------------

StoreCursor::StoreCursor(const StoreCore& core, std::vector<MetricSelection> selections, const SelectRequest& request,
                         SymbolTable& symbols)
    : canceled_(request.canceled),
      want_labels_(request.labels),
      name_only_(request.name_only),
      chunks_(core, core.visible_from(request.min_time), request.max_time),
      walk_(core, std::move(selections), chunks_, core.visible_from(request.min_time), request.max_time),
      label_reader_(core, symbols),
      samples_(core, chunks_, request) {}

Result<bool> StoreCursor::next() {
  for (;;) {
    if (canceled_ != nullptr && canceled_->load(std::memory_order_relaxed)) {
      return Error{ErrorKind::canceled, "query was canceled"};
    }
    auto more = walk_.next();
    if (!more.ok() || !*more) return more;
    if (Status status = samples_.read(walk_.place()); !status.ok()) return status.error();
    if (samples_.times().empty()) continue;
    if (!want_labels_) return true;
    if (name_only_) {
      label_reader_.set_name(walk_.id(), walk_.metric().name, labels_);
      return true;
    }
    auto labeled = label_reader_.read(walk_.id(), walk_.metric().name, labels_);
    if (!labeled.ok() || *labeled) return labeled;
  }
}

}  // namespace pipit
