#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "delivery/silence.h"
#include "model/labels.h"
#include "model/result.h"
#include "storage/record_store.h"

namespace pipit {

/// The silences, and which of them mute an alert. Of one thread. Nothing changes here that is not on the disk before:
/// `prepare_*` says what is to be written, `commit` takes it over.
class Silences {
 private:
  struct Held {
    Silence silence;
    std::uint64_t version = 0;
    std::size_t bytes = 0;
    std::size_t programs = 0;  ///< of these, what the regular expressions compile to
  };

 public:
  /// Which silences match an alert, so that each pair is looked at once.
  class Matches {
   private:
    friend class Silences;
    std::uint64_t seen = 0;
    std::vector<std::shared_ptr<const Held>> matching;
  };

  struct Limits {
    std::size_t silences = 10'000;
    std::size_t bytes_each = 64 << 10;
    std::size_t bytes = 64 << 20;  ///< with what their regular expressions compile to
    DurationMs retention = DurationMs{120} * 3'600'000;
  };

  /// What a change leads to.
  struct Change {
    std::string id;  ///< under which the silence is in force
    std::vector<Silence> silences;
  };

  explicit Silences(Limits limits) : limits_(limits) {}

  /// Takes what an earlier process left; records that can't be read are left out and counted.
  std::size_t load(const std::vector<std::pair<std::string, std::string>>& records);

  /// Errors: bad_data, not_found, as Alertmanager words them.
  Result<Change> prepare_set(Silence silence, TimestampMs now) const;
  Result<Change> prepare_expire(const std::string& id, TimestampMs now) const;
  static std::vector<RecordStore::Change> records(const Change& change);
  void commit(Change change);

  bool mutes(const Labels& labels, Matches& matches, TimestampMs now) const;
  std::vector<std::string> muting(const Labels& labels, Matches& matches, TimestampMs now) const;

  std::vector<Silence> all() const;
  std::size_t count(SilenceState state, TimestampMs now) const;
  /// Forgets those that are over for longer than they are kept; returns their records' keys.
  std::vector<std::string> collect_garbage(TimestampMs now);

 private:
  void refresh(const Labels& labels, Matches& matches, TimestampMs now) const;

  Limits limits_;
  std::uint64_t version_ = 0;
  std::size_t bytes_ = 0;
  std::map<std::string, std::shared_ptr<Held>> by_id_;
  std::map<std::uint64_t, std::shared_ptr<Held>> by_version_;
};

/// A silence's record. docs/storage.md.
std::string encode_silence(const Silence& silence);
std::optional<Silence> decode_silence(std::string_view id, std::string_view record);

}  // namespace pipit
