#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include "model/sample.h"
#include "storage/coding.h"

namespace pipit {

// Keys of the store's column families; docs/storage.md lists them. Everything is big endian, so that keys sort.

/// The metric's id above, the series' ordinal within the metric below. Never reused.
using SeriesId = std::uint64_t;

inline constexpr SeriesId make_series_id(std::uint32_t metric, std::uint32_t ordinal) {
  return SeriesId{metric} << 32 | ordinal;
}
inline constexpr std::uint32_t metric_of(SeriesId id) { return static_cast<std::uint32_t>(id >> 32); }
inline constexpr std::uint32_t ordinal_of(SeriesId id) { return static_cast<std::uint32_t>(id); }

/// Days since the epoch. A chunk never leaves its partition.
using Partition = std::int32_t;
inline constexpr DurationMs kPartitionMs = 24LL * 3600 * 1000;

inline constexpr Partition partition_of(TimestampMs time) {
  return static_cast<Partition>(time / kPartitionMs - (time % kPartitionMs < 0 ? 1 : 0));
}
/// Timestamps that can be stored: 5.8 million years around the epoch. The last partition is left out, so that every
/// partition has a key behind it.
inline constexpr TimestampMs kMinStorableTime = std::numeric_limits<Partition>::min() * kPartitionMs;
inline constexpr TimestampMs kMaxStorableTime = std::numeric_limits<Partition>::max() * kPartitionMs - 1;

inline constexpr TimestampMs partition_start(Partition p) { return p * kPartitionMs; }

inline constexpr std::size_t kPartitionBytes = 4;
inline constexpr std::size_t kChunkKeyBytes = 20;
inline constexpr std::size_t kLateChunkKeyBytes = 28;

inline void put_partition(std::string& out, Partition p) {
  put_big_endian32(out, static_cast<std::uint32_t>(p) ^ 0x80000000U);  // so that negative ones sort first
}

struct ChunkKey {
  Partition partition = 0;
  SeriesId id = 0;
  TimestampMs start = 0;
  std::uint64_t late = 0;  ///< not 0 for samples that came out of order: see SealedChunk
};

/// A chunk's key, or without a start the prefix of a series' chunks in a partition.
inline void put_chunk_prefix(std::string& out, Partition p, SeriesId id) {
  put_partition(out, p);
  put_big_endian64(out, id);
}
inline std::string chunk_key(SeriesId id, TimestampMs start, std::uint64_t late = 0) {
  std::string key;
  put_chunk_prefix(key, partition_of(start), id);
  put_big_endian64(key, static_cast<std::uint64_t>(start) ^ (std::uint64_t{1} << 63));
  if (late != 0) put_big_endian64(key, late);
  return key;
}
/// False when the bytes are no chunk key.
inline bool parse_chunk_key(std::string_view key, ChunkKey& parsed) {
  if (key.size() != kChunkKeyBytes && key.size() != kLateChunkKeyBytes) return false;
  parsed.partition = static_cast<Partition>(big_endian32(key.data()) ^ 0x80000000U);
  parsed.id = big_endian64(key.data() + 4);
  parsed.start = static_cast<TimestampMs>(big_endian64(key.data() + 12) ^ (std::uint64_t{1} << 63));
  parsed.late = key.size() == kLateChunkKeyBytes ? big_endian64(key.data() + kChunkKeyBytes) : 0;
  return true;
}

inline std::string series_key(SeriesId id) {
  std::string key;
  put_big_endian64(key, id);
  return key;
}

/// Hours of a day for which the index remembers which series had samples: windows since the epoch, twelve a day.
using Window = std::int64_t;
inline constexpr DurationMs kWindowMs = 2LL * 3600 * 1000;
inline constexpr Window kWindowsPerPartition = kPartitionMs / kWindowMs;

inline constexpr Window window_of(TimestampMs time) { return time / kWindowMs - (time % kWindowMs < 0 ? 1 : 0); }
inline constexpr TimestampMs window_start(Window window) { return window * kWindowMs; }
inline constexpr Partition partition_of_window(Window window) { return partition_of(window_start(window)); }
inline constexpr Window first_window_of(Partition p) { return p * kWindowsPerPartition; }

// Of the index. The last part of a key runs to its end, the others have a fixed or a written length.
inline constexpr char kIndexActivity = 'a';      ///< metric id, window -> ordinals of series with samples then
inline constexpr char kIndexHash = 'h';          ///< labels' hash -> series id
inline constexpr char kIndexNextMetric = 'i';    ///< the next metric's id
inline constexpr char kIndexMetricName = 'm';    ///< metric name -> metric id
inline constexpr char kIndexMetric = 'n';        ///< metric id -> metric name
inline constexpr char kIndexNextOrdinal = 'o';   ///< metric id -> the next series' ordinal, how many series are gone
inline constexpr char kIndexPosting = 'p';       ///< metric id, label name, value -> ordinals
inline constexpr char kIndexLabelMetrics = 'v';  ///< label name, value -> metric ids

inline std::string metric_name_key(std::string_view name) { return std::string(1, kIndexMetricName) += name; }
inline std::string metric_key(char kind, std::uint32_t metric) {
  std::string key(1, kind);
  put_big_endian32(key, metric);
  return key;
}
/// The prefix of all values of a label within a metric; with the value appended, the key of its posting list.
inline std::string posting_prefix(std::uint32_t metric, std::string_view label_name) {
  std::string key = metric_key(kIndexPosting, metric);
  put_text(key, label_name);
  return key;
}
/// In place of a window: the list of series that are in no window's list.
inline constexpr Window kNoWindow = first_window_of(std::numeric_limits<Partition>::max());

/// The key of a window's list within a metric: the day and the window's number in it.
inline constexpr std::size_t kActivityKeyBytes = 10;
inline std::string activity_key(std::uint32_t metric, Window window) {
  std::string key = metric_key(kIndexActivity, metric);
  const Partition day = partition_of_window(window);
  put_partition(key, day);
  key.push_back(static_cast<char>(window - first_window_of(day)));
  return key;
}
/// False when the bytes are no such key.
inline bool parse_activity_key(std::string_view key, std::uint32_t& metric, Window& window) {
  if (key.size() != kActivityKeyBytes || key[0] != kIndexActivity) return false;
  const auto number = static_cast<unsigned char>(key[9]);
  if (number >= kWindowsPerPartition) return false;
  metric = big_endian32(key.data() + 1);
  window = first_window_of(static_cast<Partition>(big_endian32(key.data() + 5) ^ 0x80000000U)) + number;
  return true;
}
inline std::string label_metrics_prefix(std::string_view label_name) {
  std::string key(1, kIndexLabelMetrics);
  put_text(key, label_name);
  return key;
}

/// The smallest key that is greater than every key with this prefix. REQUIRES: not all bytes are 0xff.
inline std::string prefix_end(std::string prefix) {
  while (static_cast<unsigned char>(prefix.back()) == 0xff) prefix.pop_back();
  prefix.back() = static_cast<char>(static_cast<unsigned char>(prefix.back()) + 1);
  return prefix;
}

// Of the default family.
inline constexpr std::string_view kStateRange = "chunks.range";  ///< oldest and newest time of any stored chunk
inline constexpr std::string_view kStateHashSeed = "hash.seed";  ///< of the labels' hashes in the index
inline constexpr std::string_view kStateFormat = "format";       ///< the layout's version
inline constexpr char kTombstonePrefix = 't';                    ///< with a series id: what is deleted of it

inline constexpr char kRecordPrefix = 'r';                       ///< with a name: a record of `RecordStore`

inline std::string tombstone_key(SeriesId id) {
  std::string key(1, kTombstonePrefix);
  put_big_endian64(key, id);
  return key;
}

/// Of the anchor families: the number of the newest write-ahead record.
inline constexpr std::string_view kLogSequence = "log.seq";

}  // namespace pipit
