// Small records beside the samples.

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <random>

#include "tests/storage/second_self.h"
#include "tests/storage/store_fixture.h"

namespace pipit {
namespace {

namespace fs = std::filesystem;
using Change = RecordStore::Change;
using Records = std::vector<std::pair<std::string, std::string>>;

class RecordsTest : public StoreTest {
 protected:
  void write(const std::vector<Change>& changes) {
    const Status status = store_->write_records(changes);
    ASSERT_TRUE(status.ok()) << status.error().message;
  }
  Records read(std::string_view prefix) const { return store_->read_records(prefix).value(); }
};

TEST_F(RecordsTest, AreReadByPrefixAndOutliveTheProcess) {
  open();
  EXPECT_EQ(read(""), Records());
  write({{"silence/2", "b"}, {"silence/1", "a"}, {"told/1", std::string("\0x", 2)}, {"silencf", "next"}});
  write({{"silence/2", "changed"}, {"told/2", ""}});
  const Records silences = {{"silence/1", "a"}, {"silence/2", "changed"}};
  EXPECT_EQ(read("silence/"), silences);
  const Records told = {{"told/1", std::string("\0x", 2)}, {"told/2", ""}};
  EXPECT_EQ(read("told/"), told);
  write({{"silence/1", std::nullopt}, {"not there", std::nullopt}});
  for (const bool checkpointed : {false, true}) {
    if (checkpointed) checkpoint();
    reopen();
    EXPECT_EQ(read("silence/"), Records({{"silence/2", "changed"}}));
    EXPECT_EQ(read("told/"), told);
    EXPECT_EQ(read("").size(), 4u);
  }
}

TEST_F(RecordsTest, AreApartFromTheStoreItself) {
  open();
  add({{"__name__", "m"}}, 1000, 1);
  write({{"t", "not a tombstone"}, {"chunks.range", "not a range"}, {"\xff", "last"}});
  ASSERT_TRUE(store_->delete_series(std::vector<std::vector<Matcher>>{metric("m")}, 0, 2000).ok());
  checkpoint();
  reopen();
  EXPECT_TRUE(select_all(*store_, metric("m")).empty());
  ASSERT_TRUE(store_->clean_tombstones().ok());
  EXPECT_EQ(read("").size(), 3u);
}

TEST_F(RecordsTest, RefusesWhatIsTooLargeAndKeepsTheRest) {
  open();
  for (const Change& bad :
       std::vector<Change>{{"", "x"}, {std::string(2000, 'k'), "x"}, {"k", std::string(2 << 20, 'v')}}) {
    const std::vector<Change> changes = {{"good", "x"}, bad};
    const Status status = store_->write_records(changes);
    ASSERT_FALSE(status.ok());
    EXPECT_EQ(status.error().kind, ErrorKind::bad_data);
  }
  EXPECT_EQ(read(""), Records());
}

/// A store that gets records and no samples must come to its checkpoints, too.
TEST_F(RecordsTest, DoNotMakeTheLogGrowForEver) {
  open();
  for (int i = 0; i < 3000; ++i) write({{"same", std::string(10'000, static_cast<char>('a' + i % 26))}});
  checkpoint();
  std::uintmax_t bytes = 0;
  for (const fs::directory_entry& entry : fs::directory_iterator(options().path)) {
    if (entry.path().extension() == ".log") bytes += entry.file_size();
  }
  EXPECT_LT(bytes, 1u << 20);
  EXPECT_EQ(read("").size(), 1u);
}

TEST_F(RecordsTest, NothingIsWrittenOnceClosed) {
  open();
  ASSERT_TRUE(store_->close().ok());
  const std::vector<Change> changes = {{"k", "v"}};
  EXPECT_FALSE(store_->write_records(changes).ok());
  EXPECT_FALSE(store_->read_records("").ok());
}

/// In memory that both processes have: how many writes were acknowledged.
std::atomic<int>* shared_count(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0 || ::ftruncate(file, sizeof(std::atomic<int>)) != 0) return nullptr;
  void* memory = ::mmap(nullptr, sizeof(std::atomic<int>), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  ::close(file);
  return memory == MAP_FAILED ? nullptr : static_cast<std::atomic<int>*>(memory);
}

constexpr int kNames = 7;

TEST(RecordsKill, DISABLED_Writer) {
  const char* const folder = std::getenv("PIPIT_RECORDS_FOLDER");
  ASSERT_NE(folder, nullptr);
  std::atomic<int>* const count = shared_count(std::string(folder) + "/count");
  ASSERT_NE(count, nullptr);
  StoreOptions options;
  options.path = std::string(folder) + "/pipit";
  MetricsRegistry metrics;
  auto store = Store::open(options, metrics);
  ASSERT_TRUE(store.ok()) << store.error().message;
  const SeriesRef ref = (*store)->series({{"__name__", "m"}}).value();
  for (int i = *count + 1;; ++i) {
    const TimestampMs time = 1'000'000'000'000 + i * 1000LL;
    const double value = i;
    ASSERT_TRUE((*store)->append({{&ref, 1}, {&value, 1}, {&time, 1}}).ok());
    const std::vector<Change> changes = {{"first/" + std::to_string(i % kNames), std::to_string(i)},
                                         {"second/" + std::to_string(i % kNames), std::to_string(i)}};
    ASSERT_TRUE((*store)->write_records(changes).ok());
    *count = i;
    if (i % 50 == 0) {
      ASSERT_TRUE((*store)->checkpoint().ok());
    }
  }
}

TEST_F(RecordsTest, WhatWasAcknowledgedOutlivesKills) {
  std::atomic<int>* const count = shared_count((folder_.path() / "count").string());
  ASSERT_NE(count, nullptr);
  std::mt19937 random(7);
  for (int round = 0; round < 8; ++round) {
    const int before = *count;
    const pid_t child =
        start_second_self("RecordsKill.DISABLED_Writer", {"PIPIT_RECORDS_FOLDER=" + folder_.path().string()});
    ASSERT_GT(child, 0);
    const int until = before + 1 + static_cast<int>(random() % 120);
    int status = 0;
    while (*count < until) {
      ASSERT_EQ(::waitpid(child, &status, WNOHANG), 0) << "the writer ended by itself";
      ::usleep(500);
    }
    ::kill(child, SIGKILL);
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    const int acknowledged = *count;
    open();
    for (const char* const kind : {"first/", "second/"}) {
      const Records found = read(kind);
      int newest = 0;
      for (const auto& [key, value] : found) newest = std::max(newest, std::atoi(value.c_str()));
      EXPECT_GE(newest, acknowledged);
      EXPECT_LE(newest, acknowledged + 1);
    }
    const Records first = read("first/");
    const Records second = read("second/");
    ASSERT_EQ(first.size(), second.size());
    for (std::size_t i = 0; i < first.size(); ++i) EXPECT_EQ(first[i].second, second[i].second);
    *count = std::atoi(std::max_element(first.begin(), first.end(), [](const auto& a, const auto& b) {
                         return std::atoi(a.second.c_str()) < std::atoi(b.second.c_str());
                       })->second.c_str());
    store_.reset();
  }
}

}  // namespace
}  // namespace pipit
