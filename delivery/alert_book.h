#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "delivery/delivery_config.h"
#include "delivery/notification.h"
#include "delivery/silences.h"
#include "model/keyed_hash.h"
#include "rules/alert.h"

namespace pipit {

class RecordWriter;

/// What an alert takes in RAM.
std::size_t alert_bytes(const Labels& labels, const std::vector<Label>& annotations, const std::string& url);

/// An alert that is known, at an address that stays.
struct AlertEntry {
  DeliveredAlertPtr alert;  ///< another one with each change
  std::uint64_t fingerprint = 0;
  std::vector<const RouteConfig*> routes;  ///< that it takes in the running configuration
  std::size_t groups = 0;                  ///< that hold it
  Silences::Matches silences;
  /// What the disk says of it.
  enum class Stored { nothing, firing, resolved } stored = Stored::nothing;
  bool texts_changed = false;  ///< since they were stored
  bool looked_at = false;      ///< by a group's flush
  std::size_t bytes = 0;
};

/// The alerts that are known, and until when they fire. Of one thread.
///
/// An alert is on the disk as long as it fires or a group has not told yet that it is over. Its end is put off with
/// each notice; that is not written, so an alert that fired when the process ended gets its last notice's length of
/// time once more.
class AlertBook {
 public:
  struct Limits {
    std::size_t alerts = 100'000;
    std::size_t bytes_each = 128 << 10;
    std::size_t bytes = 128 << 20;
  };
  /// Called with an entry when it comes and before it goes.
  using Watch = std::function<void(AlertEntry&)>;

  AlertBook(RecordWriter& writer, Limits limits, Watch added, Watch removed)
      : writer_(writer), limits_(limits), added_(std::move(added)), removed_(std::move(removed)) {}

  /// Takes what an earlier process left. Returns how many records can't be read.
  std::size_t load(const std::vector<std::pair<std::string, std::string>>& records, DurationMs resolve_timeout,
                   TimestampMs now);

  enum class Taken { changed, unchanged, refused };
  /// Merges a notice with what is known. The entry is that of its alert unless it is refused: for its size, for want of
  /// room, or as it makes no sense.
  std::pair<Taken, AlertEntry*> take(AlertNotice notice, DurationMs resolve_timeout, TimestampMs now);

  /// Writes down that the alert is over, if that isn't known yet: its time was up.
  void store_end(AlertEntry& entry);
  /// A group has let go of the alert.
  void release(AlertEntry& entry, TimestampMs now);
  /// Stores changed annotations, and forgets alerts that have been over for a while.
  void maintain(TimestampMs now);

  template <class F>
  void each(F&& visit) {
    for (auto& [labels, entry] : entries_) visit(entry);
  }
  std::size_t size() const { return entries_.size(); }

 private:
  struct Hash {
    std::size_t operator()(const Labels* labels) const;
  };
  struct Equal {
    bool operator()(const Labels* a, const Labels* b) const { return *a == *b; }
  };
  using Entries = std::unordered_map<const Labels*, AlertEntry, Hash, Equal>;

  AlertEntry* add(DeliveredAlertPtr alert, std::size_t bytes, TimestampMs now);
  Entries::iterator remove(Entries::iterator at);
  void store(AlertEntry& entry, bool resolved);
  bool make_room(TimestampMs now);

  RecordWriter& writer_;
  Limits limits_;
  Watch added_;
  Watch removed_;
  Entries entries_;  ///< by the labels of `Entry::labels`, which the alert holds
  std::size_t bytes_ = 0;
  TimestampMs no_room_before_ = 0;
};

/// What is known of an alert with what was known before, as Alertmanager merges them.
DeliveredAlert merge_alerts(const DeliveredAlert& old, DeliveredAlert fresh, TimestampMs now);

/// An alert's record. docs/storage.md.
std::string encode_alert(const DeliveredAlert& alert, bool resolved);
struct StoredAlert {
  DeliveredAlert alert;
  bool resolved = false;
};
std::optional<StoredAlert> decode_alert(std::string_view record);

}  // namespace pipit
