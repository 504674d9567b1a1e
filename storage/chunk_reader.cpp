#include "storage/chunk_reader.h"

#include <algorithm>

#include "storage/chunk.h"

namespace pipit {
namespace {

/// How far a walker steps before it seeks: a few steps cost less than a search.
constexpr int kSteps = 4;

/// Both lists ascend; of equal times the first list's sample stays.
void merge_overlap(TimeColumn& times, ValueColumn& values, std::size_t second) {
  const auto overlap =
      std::lower_bound(times.begin(), times.begin() + static_cast<std::ptrdiff_t>(second), times[second]);
  const auto kept = static_cast<std::size_t>(overlap - times.begin());
  const TimeColumn all_times(overlap, times.end());
  const ValueColumn all_values(values.begin() + static_cast<std::ptrdiff_t>(kept), values.end());
  times.resize(kept);
  values.resize(kept);
  second -= kept;
  std::size_t a = 0;
  std::size_t b = second;
  while (a < second || b < all_times.size()) {
    const bool take_first = b == all_times.size() || (a < second && all_times[a] <= all_times[b]);
    const std::size_t from = take_first ? a++ : b++;
    if (times.size() > kept && times.back() == all_times[from]) continue;
    times.push_back(all_times[from]);
    values.push_back(all_values[from]);
  }
}

}  // namespace

Status append_chunk(std::string_view chunk, TimestampMs start, TimestampMs min_time, TimeColumn& times,
                    ValueColumn& values) {
  auto header = read_chunk_header(chunk, start);
  if (!header.ok()) return header.error();
  if (header->end < min_time) return {};
  const std::size_t before = times.size();
  if (Status status = decode_chunk(*header, times, values); !status.ok()) return status;
  if (before != 0 && times[before] <= times[before - 1]) merge_overlap(times, values, before);
  return {};
}

void ChunkReader::refresh(std::uint64_t departures) {
  if (looked_ && departures <= departures_) return;
  // In this order: what leaves RAM after the count was taken is seen by no later than the next refresh.
  looked_ = true;
  departures_ = departures;
  const Database& database = core_.database();
  sources_.clear();
  const std::vector<Partition> in_chunks = core_.unmerged_days(min_time_, max_time_);
  chunk_walkers_.clear();
  chunk_walkers_.resize(std::min(in_chunks.size(), kMaxIterators));
  for (Walker& walker : chunk_walkers_) walker.it = database.iterate(database.chunks());
  const std::vector<Partition> in_merged = core_.merged_days(min_time_, max_time_);
  merged_walkers_.clear();
  merged_walkers_.resize(std::min(in_merged.size(), kMaxIterators));
  add_sources(in_merged, merged_walkers_);
  add_sources(in_chunks, chunk_walkers_);
  std::stable_sort(sources_.begin(), sources_.end(),
                   [](const Source& a, const Source& b) { return a.partition < b.partition; });
}

void ChunkReader::add_sources(const std::vector<Partition>& days, std::vector<Walker>& walkers) {
  for (std::size_t i = 0; i < days.size(); ++i) sources_.push_back({days[i], &walkers[i % walkers.size()]});
}

Result<rocksdb::Iterator*> ChunkReader::place(const Source& source, SeriesId id) {
  target_.clear();
  put_chunk_prefix(target_, source.partition, id);
  Walker& walker = *source.walker;
  if (!walker.it) walker.it = core_.database().iterate(core_.database().merged());
  rocksdb::Iterator& it = *walker.it;
  const rocksdb::Slice target = slice(target_);
  bool there = walker.placed && walker.target <= target_;
  if (there) {
    for (int step = 0; step < kSteps && it.Valid() && it.key().compare(target) < 0; ++step) it.Next();
    there = !it.Valid() || it.key().compare(target) >= 0;
  }
  if (!there || (!it.Valid() && !it.status().ok())) it.Seek(target);
  if (!it.Valid() && !it.status().ok()) return core_.database().error(it.status(), "read");
  walker.placed = true;
  walker.target = target_;
  return &it;
}

/// Calls `visit(key, chunk)` for the series' chunks that start in the range or before; stops on false.
template <class Visit>
Status ChunkReader::visit_chunks(SeriesId id, Visit visit) {
  for (const Source& source : sources_) {
    auto go_on = visit_source(source, id, visit);
    if (!go_on.ok()) return go_on.error();
    if (!*go_on) return {};
  }
  return {};
}

/// The same for those of one source. False when `visit` stopped it.
template <class Visit>
Result<bool> ChunkReader::visit_source(const Source& source, SeriesId id, Visit visit) {
  auto placed = place(source, id);
  if (!placed.ok()) return placed.error();
  rocksdb::Iterator& it = **placed;
  for (; it.Valid(); it.Next()) {
    if (canceled_ != nullptr && canceled_->load(std::memory_order_relaxed)) {
      return Error{ErrorKind::canceled, "query was canceled"};
    }
    ChunkKey key;
    if (!parse_chunk_key(view(it.key()), key)) return internal_error("the chunks are damaged: a key");
    if (key.id != id || key.partition != source.partition || key.start > max_time_) break;
    auto go_on = visit(key, view(it.value()));
    if (!go_on.ok()) return go_on.error();
    if (!*go_on) {
      source.walker->placed = false;
      return false;
    }
  }
  if (!it.Valid() && !it.status().ok()) return core_.database().error(it.status(), "read");
  source.walker->target.append(kChunkKeyBytes, '\xff');  // it has left the series' first chunk behind
  return true;
}

Status ChunkReader::read(SeriesId id, TimeColumn& times, ValueColumn& values) {
  condensed_until_ = kMinTimestamp;
  if (extreme_ == nullptr) return read_all(id, times, values);
  bool overlap = false;
  Status status = visit_chunks(id, [&](const ChunkKey& key, std::string_view chunk) -> Result<bool> {
    overlap = key.late != 0 || key.start <= condensed_until_;
    if (overlap) return false;
    auto condensed = condense(chunk, key.start, times, values);
    if (!condensed.ok()) return condensed.error();
    if (*condensed) return true;
    Status added = append_chunk(chunk, key.start, min_time_, times, values);
    if (!added.ok()) return added.error();
    return true;
  });
  if (!overlap || !status.ok()) return status;
  condensed_until_ = kMinTimestamp;
  times.clear();
  values.clear();
  return read_all(id, times, values);
}

/// Puts one sample for all of a chunk. False when the windows part it, or its summary does not tell its extremes.
Result<bool> ChunkReader::condense(std::string_view chunk, TimestampMs start, TimeColumn& times,
                                   ValueColumn& values) {
  auto header = read_chunk_header(chunk, start);
  if (!header.ok()) return header.error();
  const bool whole = start >= min_time_ && header->end <= max_time_ && (times.empty() || times.back() < start);
  if (!whole || extreme_->part(start, header->end)) return false;
  auto summary = stored_summary(*header);
  if (!summary.ok()) return summary.error();
  if (!*summary) return false;
  times.push_back(header->end);
  values.push_back(extreme_->greatest ? (*summary)->max : (*summary)->min);
  condensed_until_ = header->end;
  return true;
}

Status ChunkReader::read_all(SeriesId id, TimeColumn& times, ValueColumn& values) {
  // Late samples after the others: of two with one time the first stays.
  std::vector<std::pair<TimestampMs, std::string>> late;
  Status status = visit_chunks(id, [&](const ChunkKey& key, std::string_view chunk) -> Result<bool> {
    if (key.late != 0) {
      late.emplace_back(key.start, chunk);
      return true;
    }
    Status added = append_chunk(chunk, key.start, min_time_, times, values);
    if (!added.ok()) return added.error();
    return true;
  });
  for (const auto& [start, chunk] : late) {
    if (status.ok()) status = append_chunk(chunk, start, min_time_, times, values);
  }
  return status;
}

/// Day by day from the newest on, as a chunk never leaves its day.
Result<bool> ChunkReader::read_newest(SeriesId id, bool want_value, TimestampMs& time, double& value) {
  for (std::size_t end = sources_.size(); end > 0;) {
    std::size_t begin = end - 1;
    while (begin > 0 && sources_[begin - 1].partition == sources_[begin].partition) --begin;
    Newest newest(min_time_, max_time_, want_value, scratch_);
    Newest newest_late(min_time_, max_time_, want_value, scratch_);
    for (std::size_t i = begin; i < end; ++i) {
      auto visited = visit_source(sources_[i], id, [&](const ChunkKey& key, std::string_view chunk) -> Result<bool> {
        Status status = (key.late == 0 ? newest : newest_late).add(chunk, key.start);
        if (!status.ok()) return status.error();
        return true;
      });
      if (!visited.ok()) return visited;
    }
    for (Newest* each : {&newest, &newest_late}) {
      if (Status status = each->finish(); !status.ok()) return status.error();
    }
    const Newest& found = newest_late.time() > newest.time() ? newest_late : newest;
    if (found.time() != kMinTimestamp) {
      time = found.time();
      value = found.value();
      return true;
    }
    end = begin;
  }
  return false;
}

Status ChunkReader::Newest::add(std::string_view chunk, TimestampMs start) {
  auto header = read_chunk_header(chunk, start);
  if (!header.ok()) return header.error();
  if (header->end < min_time_ || header->end <= time_) return {};
  if (!last_.empty() && start <= last_end_) {
    if (Status status = finish(); !status.ok()) return status;
  }
  last_ = chunk;
  last_start_ = start;
  last_end_ = header->end;
  return {};
}

/// Of two samples with one time the first stays, as for `append_chunk`.
Status ChunkReader::Newest::finish() {
  if (last_.empty()) return {};
  auto header = read_chunk_header(last_, last_start_);
  if (!header.ok()) return header.error();
  TimestampMs time;
  double value;
  auto found = newest_sample(*header, max_time_, want_value_, scratch_, time, value);
  if (!found.ok()) return found.error();
  last_.clear();
  if (*found && time >= min_time_ && time > time_) {
    time_ = time;
    value_ = value;
  }
  return {};
}

Result<bool> ChunkReader::has(SeriesId id) {
  bool found = false;
  Status status = visit_chunks(id, [&](const ChunkKey& key, std::string_view chunk) -> Result<bool> {
    auto header = read_chunk_header(chunk, key.start);
    if (!header.ok()) return header.error();
    found = header->end >= min_time_;
    return !found;
  });
  if (!status.ok()) return status.error();
  return found;
}

Result<std::optional<SeriesId>> ChunkReader::next_id(SeriesId from, SeriesId end) {
  std::optional<SeriesId> smallest;
  for (const Source& source : sources_) {
    auto placed = place(source, from);
    if (!placed.ok()) return placed.error();
    ChunkKey key;
    if (!(*placed)->Valid() || !parse_chunk_key(view((*placed)->key()), key)) continue;
    if (key.partition != source.partition || key.id >= end) continue;
    if (!smallest || key.id < *smallest) smallest = key.id;
  }
  return smallest;
}

}  // namespace pipit
