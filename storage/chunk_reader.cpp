#include "storage/chunk_reader.h"

#include <algorithm>

#include "storage/chunk.h"

namespace pipit {
namespace {

/// How far a walker steps before it seeks: a few steps cost less than a search.
constexpr int kSteps = 4;

/// Both lists ascend; of equal times the first list's sample stays.
void merge_overlap(std::vector<TimestampMs>& times, std::vector<double>& values, std::size_t second) {
  const std::vector<TimestampMs> all_times = times;
  const std::vector<double> all_values = values;
  times.clear();
  values.clear();
  std::size_t a = 0;
  std::size_t b = second;
  while (a < second || b < all_times.size()) {
    const bool take_first = b == all_times.size() || (a < second && all_times[a] <= all_times[b]);
    const std::size_t from = take_first ? a++ : b++;
    if (!times.empty() && times.back() == all_times[from]) continue;
    times.push_back(all_times[from]);
    values.push_back(all_values[from]);
  }
}

}  // namespace

Status append_chunk(std::string_view chunk, TimestampMs start, TimestampMs min_time, std::vector<TimestampMs>& times,
                    std::vector<double>& values) {
  auto header = read_chunk_header(chunk, start);
  if (!header.ok()) return header.error();
  if (header->end < min_time) return {};
  const std::size_t before = times.size();
  if (Status status = decode_chunk(*header, times, values); !status.ok()) return status;
  if (before != 0 && times[before] <= times[before - 1]) merge_overlap(times, values, before);
  return {};
}

void ChunkReader::refresh(std::uint64_t departures) {
  if (looked_ && departures == departures_) return;
  // In this order: what leaves RAM after the count was taken is seen by no later than the next refresh.
  looked_ = true;
  departures_ = departures;
  partitions_ = core_.partitions(min_time_, max_time_);
  walkers_.clear();
  walkers_.resize(std::min(partitions_.size(), kMaxIterators));
}

Result<rocksdb::Iterator*> ChunkReader::place(std::size_t i, SeriesId id) {
  target_.clear();
  put_chunk_prefix(target_, partitions_[i], id);
  Walker& walker = walkers_[i % walkers_.size()];
  if (!walker.it) walker.it = core_.database().iterate(core_.database().chunks());
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

/// Calls `visit(start, chunk)` for the series' chunks that start in the range or before; stops on false.
template <class Visit>
Status ChunkReader::visit_chunks(SeriesId id, Visit visit) {
  for (std::size_t i = 0; i < partitions_.size(); ++i) {
    auto placed = place(i, id);
    if (!placed.ok()) return placed.error();
    rocksdb::Iterator& it = **placed;
    for (; it.Valid(); it.Next()) {
      ChunkKey key;
      if (!parse_chunk_key(view(it.key()), key)) return internal_error("the chunks are damaged: a key");
      if (key.id != id || key.partition != partitions_[i] || key.start > max_time_) break;
      auto go_on = visit(key.start, view(it.value()));
      if (!go_on.ok()) return go_on.error();
      if (!*go_on) {
        walkers_[i % walkers_.size()].placed = false;
        return {};
      }
    }
    if (!it.Valid() && !it.status().ok()) return core_.database().error(it.status(), "read");
    walkers_[i % walkers_.size()].target.append(kChunkKeyBytes, '\xff');  // it has left the series' first chunk behind
  }
  return {};
}

Status ChunkReader::read(SeriesId id, std::vector<TimestampMs>& times, std::vector<double>& values) {
  return visit_chunks(id, [&](TimestampMs start, std::string_view chunk) -> Result<bool> {
    if (Status status = append_chunk(chunk, start, min_time_, times, values); !status.ok()) return status.error();
    return true;
  });
}

Result<bool> ChunkReader::has(SeriesId id) {
  bool found = false;
  Status status = visit_chunks(id, [&](TimestampMs start, std::string_view chunk) -> Result<bool> {
    auto header = read_chunk_header(chunk, start);
    if (!header.ok()) return header.error();
    found = header->end >= min_time_;
    return !found;
  });
  if (!status.ok()) return status.error();
  return found;
}

Result<std::optional<SeriesId>> ChunkReader::next_id(SeriesId from, SeriesId end) {
  std::optional<SeriesId> smallest;
  for (std::size_t i = 0; i < partitions_.size(); ++i) {
    auto placed = place(i, from);
    if (!placed.ok()) return placed.error();
    ChunkKey key;
    if (!(*placed)->Valid() || !parse_chunk_key(view((*placed)->key()), key)) continue;
    if (key.partition != partitions_[i] || key.id >= end) continue;
    if (!smallest || key.id < *smallest) smallest = key.id;
  }
  return smallest;
}

}  // namespace pipit
