#include "tests/storage/memory_database.h"

#include <rocksdb/comparator.h>

#include <array>
#include <atomic>
#include <map>
#include <mutex>

#include "storage/postings.h"

namespace pipit {

namespace {

/// Values are shared by the versions of a map.
using Map = std::map<std::string, std::shared_ptr<const std::string>, std::less<>>;

/// Handles have no lists of their own here: a family is its number.
class MemoryFamily final : public rocksdb::ColumnFamilyHandle {
 public:
  MemoryFamily(std::uint32_t id, std::string name) : id_(id), name_(std::move(name)) {}
  const std::string& GetName() const override { return name_; }
  std::uint32_t GetID() const override { return id_; }
  rocksdb::Status GetDescriptor(rocksdb::ColumnFamilyDescriptor*) override { return rocksdb::Status::NotSupported(); }
  const rocksdb::Comparator* GetComparator() const override { return rocksdb::BytewiseComparator(); }

 private:
  std::uint32_t id_;
  std::string name_;
};

class MemoryIterator final : public rocksdb::Iterator {
 public:
  explicit MemoryIterator(std::shared_ptr<const Map> map) : map_(std::move(map)), at_(map_->end()) {}
  bool Valid() const override { return at_ != map_->end(); }
  void SeekToFirst() override { at_ = map_->begin(); }
  void SeekToLast() override { at_ = map_->empty() ? map_->end() : std::prev(map_->end()); }
  void Seek(const rocksdb::Slice& target) override { at_ = map_->lower_bound(view(target)); }
  void SeekForPrev(const rocksdb::Slice& target) override {
    at_ = map_->upper_bound(view(target));
    Prev();
  }
  void Next() override { ++at_; }
  void Prev() override { at_ = at_ == map_->begin() ? map_->end() : std::prev(at_); }
  rocksdb::Slice key() const override { return slice(at_->first); }
  rocksdb::Slice value() const override { return slice(*at_->second); }
  rocksdb::Status status() const override { return rocksdb::Status::OK(); }

 private:
  std::shared_ptr<const Map> map_;
  Map::const_iterator at_;
};

}  // namespace

class MemoryDisk {
 public:
  static constexpr std::size_t kMaxFamilies = 16;

  void sync() { ++syncs_; }
  std::uint64_t syncs() const { return syncs_; }

  /// The family as it is now. It will not change.
  std::shared_ptr<const Map> look(std::uint32_t family) {
    std::lock_guard lock(mutex_);
    Content& content = families_.at(family);
    content.seen = true;
    return content.map;
  }
  bool find(std::uint32_t family, std::string_view key, std::string& value) {
    std::lock_guard lock(mutex_);
    const Map& map = *families_.at(family).map;
    const auto found = map.find(key);
    if (found == map.end()) return false;
    value = *found->second;
    return true;
  }
  std::uint64_t bytes(std::uint32_t family) {
    std::lock_guard lock(mutex_);
    std::uint64_t bytes = 0;
    for (const auto& [key, value] : *families_.at(family).map) bytes += key.size() + value->size();
    return bytes;
  }
  /// Applies all of it at one moment.
  template <class Change>
  rocksdb::Status change(Change apply) {
    std::lock_guard lock(mutex_);
    return apply([this](std::uint32_t family) -> Map& { return changeable(family); });
  }

 private:
  struct Content {
    std::shared_ptr<Map> map = std::make_shared<Map>();
    bool seen = false;  // somebody may hold the map
  };

  Map& changeable(std::uint32_t family) {
    Content& content = families_.at(family);
    if (content.seen) content = {std::make_shared<Map>(*content.map), false};
    return *content.map;
  }

  std::atomic<std::uint64_t> syncs_ = 0;
  std::mutex mutex_;
  std::array<Content, kMaxFamilies> families_;
};

namespace {

template <class Families>
class BatchApplier final : public rocksdb::WriteBatch::Handler {
 public:
  explicit BatchApplier(Families& families) : families_(families) {}
  rocksdb::Status PutCF(std::uint32_t family, const rocksdb::Slice& key, const rocksdb::Slice& value) override {
    families_(family).insert_or_assign(key.ToString(), std::make_shared<const std::string>(value.ToString()));
    return rocksdb::Status::OK();
  }
  rocksdb::Status DeleteCF(std::uint32_t family, const rocksdb::Slice& key) override {
    families_(family).erase(key.ToString());
    return rocksdb::Status::OK();
  }
  rocksdb::Status DeleteRangeCF(std::uint32_t family, const rocksdb::Slice& begin, const rocksdb::Slice& end) override {
    Map& map = families_(family);
    map.erase(map.lower_bound(view(begin)), map.lower_bound(view(end)));
    return rocksdb::Status::OK();
  }
  rocksdb::Status MergeCF(std::uint32_t family, const rocksdb::Slice& key, const rocksdb::Slice& value) override {
    auto& stored = families_(family)[key.ToString()];
    PostingRuns merged;
    if ((stored && !merge_postings(merged, *stored)) || !merge_postings(merged, view(value))) {
      return rocksdb::Status::Corruption("a posting list");
    }
    stored = std::make_shared<const std::string>(encode_postings(merged));
    return rocksdb::Status::OK();
  }
  void LogData(const rocksdb::Slice&) override {}

 private:
  Families& families_;
};

class MemoryReplacement final : public Database::Replacement {
 public:
  MemoryReplacement(MemoryDisk& disk, std::uint32_t family) : disk_(disk), family_(family) {}
  Status put(std::string_view key, std::string_view value) override {
    entries_.emplace_hint(entries_.end(), key, std::make_shared<const std::string>(value));
    return {};
  }
  Result<bool> commit(std::string_view begin, std::string_view end) override {
    bool replaces = false;
    (void)disk_.change([&](auto families) {
      Map& map = families(family_);
      const auto from = map.lower_bound(begin);
      const auto to = map.lower_bound(end);
      replaces = from != to;
      map.erase(from, to);
      map.insert(entries_.begin(), entries_.end());
      return rocksdb::Status::OK();
    });
    return replaces;
  }

 private:
  MemoryDisk& disk_;
  std::uint32_t family_;
  Map entries_;
};

class MemoryDatabase final : public Database {
 public:
  explicit MemoryDatabase(std::shared_ptr<MemoryDisk> disk) : Database("memory"), disk_(std::move(disk)) {
    for (std::uint32_t id = 0; id < MemoryDisk::kMaxFamilies; ++id) {
      families_.push_back(std::make_unique<MemoryFamily>(id, std::to_string(id)));
      handles_.push_back(families_.back().get());
    }
  }
  Status close() override { return {}; }

  Status get(Family* family, std::string_view key, std::string& value, bool& found) const override {
    found = disk_->find(family->GetID(), key, value);
    return {};
  }
  Status write(rocksdb::WriteBatch& batch, bool) override {
    const auto status = disk_->change([&](auto families) {
      BatchApplier applier(families);
      return batch.Iterate(&applier);
    });
    if (!status.ok()) return error(status, "write");
    return {};
  }
  std::unique_ptr<rocksdb::Iterator> iterate(Family* family, bool) const override {
    return std::make_unique<MemoryIterator>(disk_->look(family->GetID()));
  }
  Status flush(Family*) override { return {}; }
  Status append_log(Family*, LogRecords, std::uint64_t) override { return {}; }
  Status switch_log(rocksdb::WriteBatch& state_changes) override { return write(state_changes, true); }
  Result<std::uint64_t> last_sequence(Family*) const override { return 0; }
  Status sync_log() override {
    disk_->sync();
    return {};
  }
  Status drop_before(Family* family, std::string_view end) override {
    (void)disk_->change([&](auto families) {
      Map& map = families(family->GetID());
      map.erase(map.begin(), map.lower_bound(end));
      return rocksdb::Status::OK();
    });
    return {};
  }
  Result<std::unique_ptr<Replacement>> replace(Family* family) override {
    return std::unique_ptr<Replacement>(std::make_unique<MemoryReplacement>(*disk_, family->GetID()));
  }
  Status compact(Family*, std::string_view, std::string_view) override { return {}; }
  /// A folder, so that a caller finds what it made.
  Status snapshot(const std::filesystem::path& path) const override {
    std::filesystem::create_directory(path);
    return {};
  }
  Status keep_image() override { return {}; }
  Status drop_image() override { return {}; }
  Status resume() override { return {}; }
  bool needs_resume() const override { return false; }
  bool refuses_writes() const override { return false; }
  std::uint64_t file_bytes(Family* family) const override { return disk_->bytes(family->GetID()); }
  std::uint64_t range_bytes(Family* family, std::string_view begin, std::string_view end) const override {
    const std::shared_ptr<const Map> map = disk_->look(family->GetID());
    std::uint64_t bytes = 0;
    for (auto it = map->lower_bound(begin); it != map->lower_bound(end); ++it) {
      bytes += it->first.size() + it->second->size();
    }
    return bytes;
  }
  std::uint64_t total_bytes() const override {
    std::uint64_t bytes = 0;
    for (const auto& family : families_) bytes += disk_->bytes(family->GetID());
    return bytes;
  }
  std::uint64_t cache_bytes() const override { return 0; }

 private:
  std::shared_ptr<MemoryDisk> disk_;
  std::vector<std::unique_ptr<MemoryFamily>> families_;
};

}  // namespace

std::uint64_t syncs(const MemoryDisk& disk) { return disk.syncs(); }
std::shared_ptr<MemoryDisk> make_memory_disk() { return std::make_shared<MemoryDisk>(); }

std::unique_ptr<Database> open_memory_database(std::shared_ptr<MemoryDisk> disk) {
  return std::make_unique<MemoryDatabase>(std::move(disk));
}

}  // namespace pipit
