#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "model/labels.h"
#include "model/matcher.h"
#include "model/result.h"
#include "storage/database.h"
#include "storage/hash.h"
#include "storage/keys.h"
#include "storage/postings.h"

namespace pipit {

/// The series of one metric that matchers select.
struct MetricSelection {
  std::uint32_t metric = 0;
  std::string name;
  /// Whether all but `ordinals` are selected, otherwise `ordinals` are. The first comes of matchers that a series
  /// without the label satisfies too, and needs no list of what there is.
  bool all_but = true;
  Postings ordinals;
};

/// Which series there are: ids, labels and posting lists, in the families `series` and `index`.
///
/// Every series is in a list of activity (activity.h): of the windows of its samples, once a checkpoint has moved them
/// to the disk, else in the metric's list of series without a window.
///
/// Creation and removal are for one thread at a time (the store's commit lock), removal and activity too (its
/// checkpoint lock); reading is thread-safe and sees what has been written by `write_pending`.
class SeriesIndex {
 public:
  SeriesIndex(Database& database, const HashSeed& seed) : database_(database), seed_(seed) {}
  /// Reads what creation needs to know.
  Status load();

  Hash128 hash(const Labels& labels) const { return hash_labels(labels, seed_); }
  Hash128 hash_encoded(std::string_view labels) const { return hash_bytes(labels, seed_); }
  /// The series with this hash, or 0. Doesn't see pending ones.
  Result<SeriesId> find(const Hash128& hash) const;

  /// The labels of a series, or nothing when it is gone. Doesn't see pending ones.
  Result<std::optional<Labels>> labels(SeriesId id) const;

  /// Whether there is a metric with this name. Doesn't see pending ones.
  Result<bool> has_metric(std::string_view name) const;

  /// Gives the labels an id. It reaches the database with the next write_pending().
  /// REQUIRES: there is no such series, pending ones included; a metric name.
  Result<SeriesId> create(const Labels& labels, const Hash128& hash);
  bool has_pending() const { return !pending_.series.empty(); }
  std::size_t pending_bytes() const { return pending_.bytes; }
  /// On failure everything stays pending.
  Status write_pending();

  struct Removed {
    std::size_t series = 0;
    std::vector<std::string> metrics;  ///< names of those that had no other series
  };
  /// Removes series and all that leads to them: lists that become empty go, and a metric with its last series. Ids that
  /// are not there are passed over. What is pending is written first. Lists of activity keep their numbers, which mean
  /// nothing any more, as ids are never given again.
  Result<Removed> remove(std::span<const SeriesId> ids);

  /// Adds series of a metric to the lists of windows, and takes them from the list of those without a window. Lists
  /// that are known to have them are not written.
  Status add_activity(std::uint32_t metric, const std::map<Window, PostingRuns>& windows);
  /// Lists of the metric's windows were removed.
  void forget_activity(std::uint32_t metric);
  /// `listed` are removed from the list of the metric's series without a window, `unlisted` get into it.
  Status change_unlisted(std::uint32_t metric, const Postings& listed, const Postings& unlisted);

  using Canceled = const std::atomic<bool>*;
  /// By metric, in the order of metric ids.
  Result<std::vector<MetricSelection>> select(std::span<const Matcher> matchers, Canceled canceled) const;

  /// All names, `__name__` included, sorted.
  Result<std::vector<std::string>> label_names() const;
  /// All values of a label, sorted. At most `limit`, if that isn't 0.
  Result<std::vector<std::string>> label_values(std::string_view name, std::size_t limit) const;

 private:
  struct Metric {
    std::uint32_t id = 0;
    std::uint64_t next_ordinal = 0;
    std::uint64_t removed = 0;
    bool is_new = false;
  };
  struct Pending {
    std::vector<std::pair<SeriesId, std::string>> series;  // and their records
    std::vector<std::pair<Hash128, SeriesId>> hashes;
    std::unordered_map<std::string, Postings> postings;
    std::unordered_map<std::string, Metric*> metrics;
    std::size_t bytes = 0;
  };

  /// What is to be taken from a posting list, by key.
  using Removals = std::map<std::string, Postings>;

  Result<Metric*> metric(std::string_view name);
  Result<std::string> metric_name(std::uint32_t metric) const;
  Result<bool> find_removals(SeriesId id, Removals& removals, rocksdb::WriteBatch& batch) const;
  Status shrink_lists(const Removals& removals, rocksdb::WriteBatch& batch, std::vector<std::string>& emptied) const;
  Status remove_metric(std::uint32_t metric, const std::string& name, rocksdb::WriteBatch& batch) const;

  Database& database_;
  HashSeed seed_;
  std::uint32_t next_metric_ = 1;
  std::unordered_map<std::string, Metric> metrics_;  // those that series were made of
  Pending pending_;
  /// Hashes of labels and metrics whose `v` lists are known to have the metric: a new target brings the same again for
  /// nearly all of its series. Bounded; forgotten when anything leaves the index.
  std::unordered_set<std::uint64_t> known_metrics_of_labels_;
  /// By metric: the newest window whose list was written, and a hash of what was.
  std::unordered_map<std::uint32_t, std::pair<Window, std::uint64_t>> activity_written_;
};

/// A series' labels without its name, as the family `series` holds them: a count, then names and values.
std::string encode_series_record(const Labels& labels);
/// Calls `visit(name, value)` for each. False when the bytes are damaged.
template <class Visit>
bool read_series_record(std::string_view record, Visit visit) {
  ByteReader reader(record);
  std::uint64_t count;
  if (!reader.varint(count)) return false;
  for (; count > 0; --count) {
    std::string_view name;
    std::string_view value;
    if (!reader.text(name) || !reader.text(value)) return false;
    visit(name, value);
  }
  return reader.done();
}

}  // namespace pipit
