#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "storage/record_store.h"

namespace pipit {

class Counter;
class MetricsRegistry;

/// Puts records on the disk behind what happens: many in one write, and one write at a time. A record that changes
/// again before it is written is written once. What can't be written is kept and tried again. Of one thread.
///
/// Changes reach the disk in the order of `put`, each with or after those before it.
class RecordWriter {
 public:
  using Changes = std::vector<RecordStore::Change>;
  /// Writes on some other thread; calls `done` later, on this one.
  using Write = std::function<void(std::shared_ptr<const Changes>, std::function<void(Status)> done)>;

  RecordWriter(Write write, MetricsRegistry& metrics);

  /// No value: the record goes.
  void put(std::string key, std::optional<std::string> value);
  /// The number of the newest change, for `settled`.
  std::uint64_t newest() const { return newest_; }
  /// Whether the change of that number is on the disk, or nothing can be written just now.
  bool settled(std::uint64_t number) const { return failing_ || number <= durable_; }
  /// Begins a write when one is due. Returns when to call again; what is on its way comes by itself.
  std::int64_t run(std::int64_t steady_now);
  /// What is not known to be on the disk, for the end.
  Changes remaining() const;

 private:
  struct Item {
    std::uint64_t number;
    RecordStore::Change change;
  };

  void written(const Status& status);

  Write write_;
  Counter& writes_;
  Counter& failures_;
  std::list<Item> waiting_;
  std::unordered_map<std::string_view, std::list<Item>::iterator> places_;  ///< of the keys in waiting_
  std::list<Item> on_its_way_;
  std::uint64_t newest_ = 0;
  std::uint64_t durable_ = 0;
  bool failing_ = false;
  std::int64_t backoff_ = 0;
  std::int64_t not_before_ = 0;
  std::int64_t steady_ = 0;  ///< of the last run
};

/// `KIND/` and a hash of what the record is of, as long as keys may be.
std::string record_key(std::string_view kind, std::string_view identity);

}  // namespace pipit
