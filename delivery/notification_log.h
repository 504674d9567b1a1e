#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "model/sample.h"

namespace pipit {

class RecordWriter;

/// What an integration was last told of a group.
struct ToldEntry {
  std::uint64_t number = 0;  ///< 1 is the first that it was told
  TimestampMs at = 0;
  TimestampMs expires_at = 0;           ///< as if nothing had been told from then on
  std::vector<std::uint64_t> firing;    ///< fingerprints, ascending
  std::vector<std::uint64_t> resolved;  ///< likewise
};

/// Whether the alerts are to be told, by what was told before (null: nothing). All sets ascend.
bool needs_telling(const ToldEntry* told, const std::vector<std::uint64_t>& firing,
                   const std::vector<std::uint64_t>& resolved, bool sends_resolved, DurationMs repeat_interval,
                   TimestampMs now);

/// What was told of each group to each integration. Of one thread.
class NotificationLog {
 public:
  NotificationLog(RecordWriter& writer, DurationMs retention) : writer_(writer), retention_(retention) {}

  /// Takes what an earlier process left. Returns how many records can't be read.
  std::size_t load(const std::vector<std::pair<std::string, std::string>>& records);

  /// Also one that has expired, for its number. Null: none.
  const ToldEntry* find(const std::string& key) const;
  /// Puts what was told in place of what was told before.
  void add(const std::string& key, std::vector<std::uint64_t> firing, std::vector<std::uint64_t> resolved,
           DurationMs repeat_interval, TimestampMs now);
  /// Forgets those that have expired and are not used.
  void collect_garbage(TimestampMs now, const std::function<bool(const std::string&)>& is_used);
  std::size_t size() const { return entries_.size(); }

 private:
  void make_room();

  RecordWriter& writer_;
  DurationMs retention_;
  std::unordered_map<std::string, ToldEntry> entries_;
};

/// A told entry's record. docs/storage.md.
std::string encode_told(const std::string& key, const ToldEntry& entry);
std::optional<std::pair<std::string, ToldEntry>> decode_told(std::string_view record);

}  // namespace pipit
