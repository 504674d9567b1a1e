// The image of the folder that is kept while RocksDB resumes: its files. Full disks and kills are in life_test.cpp.

#include "storage/resume_image.h"

#include <rocksdb/env.h>
#include <sys/fsuid.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <fstream>
#include <map>
#include <sstream>
#include <thread>

#include "storage/open_store.h"
#include "tests/storage/database_proxy.h"
#include "tests/storage/store_fixture.h"

namespace pipit {
namespace {

namespace fs = std::filesystem;

constexpr uid_t kNobody = 65534;

using Files = std::map<std::string, std::string>;

class ResumeImageTest : public testing::Test {
 protected:
  void SetUp() override {
    for (const auto& [name, content] : before_) write(name, content);
  }
  void write(const std::string& name, const std::string& content) {
    std::ofstream(folder_.path() / name, std::ios::binary) << content;
  }
  /// By name, save the lock and what is in folders.
  Files files() const {
    Files found;
    for (const fs::directory_entry& entry : fs::directory_iterator(folder_.path())) {
      const std::string name = entry.path().filename().string();
      if (!entry.is_regular_file() || name == "LOCK") continue;
      std::ostringstream content;
      content << std::ifstream(entry.path(), std::ios::binary).rdbuf();
      found[name] = content.str();
    }
    return found;
  }
  std::size_t folders() const {
    std::size_t count = 0;
    for (const fs::directory_entry& entry : fs::directory_iterator(folder_.path())) count += entry.is_directory();
    return count;
  }
  /// What RocksDB does when it resumes: another log, other tables, a manifest that knows of them.
  void resume() {
    fs::remove(folder_.path() / "000003.log");
    fs::remove(folder_.path() / "000004.sst");
    write("MANIFEST-000001", "and another table");
    write("MANIFEST-000007", "a new one");
    write("CURRENT", "MANIFEST-000007");
    write("000006.log", "");
    write("000005.sst", "head");
  }
  void expect_as_before() {
    const Status status = restore_resume_image(folder_.path());
    ASSERT_TRUE(status.ok()) << status.error().message;
    EXPECT_EQ(files(), before_);
    EXPECT_EQ(folders(), 0u);
  }
  void expect_ok(const Status& status) { ASSERT_TRUE(status.ok()) << status.error().message; }

  const Files before_{{"CURRENT", "MANIFEST-000001"}, {"IDENTITY", "me"},     {"MANIFEST-000001", "a table"},
                      {"OPTIONS-000002", "none"},     {"000003.log", "rows"}, {"000004.sst", "table"}};
  TemporaryFolder folder_;
};

TEST_F(ResumeImageTest, BringsEveryFileBack) {
  expect_ok(keep_resume_image(folder_.path()));
  resume();
  expect_ok(keep_resume_image(folder_.path()));  // the one that is there stays
  expect_as_before();
  resume();
  const Files after = files();
  expect_ok(restore_resume_image(folder_.path()));
  EXPECT_EQ(files(), after) << "there is none any more";
}

TEST_F(ResumeImageTest, IsForgottenWhenItIsDropped) {
  expect_ok(keep_resume_image(folder_.path()));
  resume();
  const Files after = files();
  expect_ok(drop_resume_image(folder_.path()));
  expect_ok(drop_resume_image(folder_.path()));
  EXPECT_EQ(folders(), 0u);
  expect_ok(restore_resume_image(folder_.path()));
  EXPECT_EQ(files(), after);
}

/// At any moment between the first file that goes and the last one that comes back.
TEST_F(ResumeImageTest, AKillWhileItIsTakenBackIsMadeUpFor) {
  expect_ok(keep_resume_image(folder_.path()));
  resume();
  for (const auto& [name, content] : files()) fs::remove(folder_.path() / name);
  fs::create_hard_link(folder_.path() / "before-resume" / "000004.sst", folder_.path() / "000004.sst");
  expect_as_before();
}

TEST_F(ResumeImageTest, AnUnfinishedOneCountsForNothing) {
  fs::create_directory(folder_.path() / "before-resume.unfinished");
  write("before-resume.unfinished/CURRENT", "MANIFEST-000001");
  expect_as_before();
}

/// It may be making one, or be done with one in a moment.
TEST_F(ResumeImageTest, OfAProcessThatRunsIsLeftAlone) {
  rocksdb::FileLock* lock = nullptr;
  ASSERT_TRUE(rocksdb::Env::Default()->LockFile((folder_.path() / "LOCK").string(), &lock).ok());
  for (const char* name : {"before-resume.unfinished", "before-resume"}) {
    SCOPED_TRACE(name);
    fs::create_directory(folder_.path() / name);
    write(std::string(name) + "/CURRENT", "MANIFEST-000001");
    const Status status = restore_resume_image(folder_.path());
    ASSERT_FALSE(status.ok());
    EXPECT_EQ(status.error().kind, ErrorKind::unavailable);
    EXPECT_NE(status.error().message.find("in use"), std::string::npos) << status.error().message;
    EXPECT_TRUE(fs::exists(folder_.path() / name / "CURRENT"));
    EXPECT_EQ(files(), before_);
    fs::remove_all(folder_.path() / name);
  }
  rocksdb::Env::Default()->UnlockFile(lock);
}

/// Memory cards and network shares have no links. Here the kernel refuses them, of files that others own.
TEST_F(ResumeImageTest, IsCopiedWhereThereAreNoLinks) {
  fs::permissions(folder_.path(), fs::perms::all);
  const auto user = static_cast<uid_t>(setfsuid(geteuid() == 0 ? kNobody : geteuid()));
  std::error_code refused;
  fs::create_hard_link(folder_.path() / "000004.sst", folder_.path() / "link", refused);
  const Status kept = refused ? keep_resume_image(folder_.path()) : Status();
  setfsuid(user);
  if (!refused) GTEST_SKIP() << "all files can be linked here";
  expect_ok(kept);
  resume();
  expect_as_before();
}

/// RocksDB has an error that lets it go on writing; the image is made, but keeping it ends with an error.
class FailingImage final : public DatabaseProxy {
 public:
  FailingImage(std::unique_ptr<Database> inner, const fs::path& path, std::atomic<bool>& stopped,
               std::atomic<bool>& kept)
      : DatabaseProxy(std::move(inner), path), stopped_(stopped), kept_(kept) {}
  bool needs_resume() const override { return stopped_ || DatabaseProxy::needs_resume(); }
  Status keep_image() override {
    const Status status = DatabaseProxy::keep_image();
    kept_ = status.ok();
    return Error{ErrorKind::unavailable, "the folder did not reach the disk"};
  }

 private:
  std::atomic<bool>& stopped_;
  std::atomic<bool>& kept_;
};

TEST_F(StoreTest, NothingIsTakenThatAnImageLacks) {
  std::atomic<bool> stopped = false;
  std::atomic<bool> kept = false;
  store_ = open_store(open_behind<FailingImage>(stopped, kept), options(), metrics_).value();
  const SeriesRef ref = store_->series({{"__name__", "m"}}).value();
  TimestampMs time = 0;
  std::size_t acknowledged = 0;
  const auto append = [&] {
    const double value = 1;
    time += 1000;
    const bool ok = store_->append({{&ref, 1}, {&value, 1}, {&time, 1}}).ok();
    acknowledged += ok ? 1 : 0;
    return ok;
  };
  ASSERT_TRUE(append());
  stopped = true;
  for (int waited = 0; waited < 1000 && !kept; ++waited) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  ASSERT_TRUE(kept);
  ASSERT_TRUE(store_->checkpoint().ok());  // begins a log that the image does not have
  for (int i = 0; i < 5; ++i) append();
  const fs::path killed = folder_.path() / "killed";
  fs::copy(options().path, killed, fs::copy_options::recursive);
  store_.reset();
  StoreOptions after_kill = options();
  after_kill.path = killed;
  store_ = Store::open(after_kill, metrics_).value();
  EXPECT_EQ(select_all(*store_, metric("m")).at("m").size(), acknowledged);
}

}  // namespace
}  // namespace pipit
