// Disks that can't be written, and a log that must stay short.

#include <sys/fsuid.h>
#include <sys/mount.h>
#include <unistd.h>

#include <fstream>
#include <random>

#include "tests/storage/store_fixture.h"

namespace pipit {
namespace {

namespace fs = std::filesystem;

constexpr uid_t kNobody = 65534;

class FaultTest : public StoreTest {
 protected:
  std::uintmax_t log_bytes() const {
    std::uintmax_t bytes = 0;
    for (const fs::directory_entry& entry : fs::directory_iterator(options().path)) {
      if (entry.path().extension() == ".log") bytes += entry.file_size();
    }
    return bytes;
  }
  static std::uint64_t resident_bytes() {
    std::ifstream file("/proc/self/statm");
    std::uint64_t pages = 0;
    file >> pages >> pages;
    return pages * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
  }
};

/// An hour of 500 series at 1 s. Metadata came once, and no new series: their families are never full, and would pin
/// all of the log.
TEST_F(FaultTest, QuietFamiliesDoNotPinTheLog) {
  open();
  ASSERT_TRUE(store_->set_metadata("m", {MetricType::gauge, "quiet", ""}).ok());
  std::vector<SeriesRef> refs;
  for (int i = 0; i < 500; ++i) refs.push_back(store_->series({{"__name__", "m"}, {"n", std::to_string(i)}}).value());
  std::vector<double> values(refs.size());
  std::mt19937_64 random(1);
  TimestampMs time = 0;
  [[maybe_unused]] std::uint64_t resident = 0;  // sanitizers have RAM of their own
  for (int round = 0; round < 12; ++round) {
    for (int second = 0; second < 300; ++second) {
      time += 1000;
      for (double& value : values) value = std::bit_cast<double>(random() >> 2);
      ASSERT_EQ(store_->append({refs, values, {&time, 1}}).value().stored, refs.size());
    }
    EXPECT_GT(log_bytes(), 1u << 20);
    checkpoint();
    EXPECT_LT(log_bytes(), 64u << 10) << "round " << round;
    if (round == 3) resident = resident_bytes();
  }
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  EXPECT_LT(resident_bytes(), resident + (12u << 20));
#endif
  EXPECT_EQ(select_all(*store_, metric("m")).begin()->second.size(), 3600u);
}

TEST_F(FaultTest, AReadOnlyDiskIsNamed) {
  open();
  add({{"__name__", "m"}}, 1000, 1);
  store_.reset();
  const std::string path = folder_.path().string();
  const bool mounted = mount(path.c_str(), path.c_str(), nullptr, MS_BIND, nullptr) == 0;
  const bool read_only =
      mounted && mount(nullptr, path.c_str(), nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY, nullptr) == 0;
  if (read_only) {
    auto opened = Store::open(options(), metrics_);
    ASSERT_FALSE(opened.ok());
    EXPECT_EQ(opened.error().kind, ErrorKind::unavailable);
    EXPECT_NE(opened.error().message.find(options().path.string()), std::string::npos) << opened.error().message;
    EXPECT_NE(opened.error().message.find("Read-only file system"), std::string::npos) << opened.error().message;
  }
  if (mounted) umount2(path.c_str(), MNT_DETACH);
  open();
  EXPECT_EQ(select_all(*store_, {}).size(), 1u);
  if (!read_only) GTEST_SKIP() << "a folder can't be made read-only here";
}

/// Root may write anywhere: its thread gives that right up for a while.
TEST_F(FaultTest, AFolderWithoutPermissionIsNamed) {
  open();
  store_.reset();
  fs::permissions(options().path, fs::perms::none);
  fs::permissions(folder_.path(), fs::perms::owner_all | fs::perms::group_exec | fs::perms::others_exec);
  const auto user = static_cast<uid_t>(setfsuid(geteuid() == 0 ? kNobody : geteuid()));
  auto opened = Store::open(options(), metrics_);
  setfsuid(user);
  fs::permissions(options().path, fs::perms::owner_all);
  ASSERT_FALSE(opened.ok());
  EXPECT_NE(opened.error().message.find(options().path.string()), std::string::npos) << opened.error().message;
  EXPECT_NE(opened.error().message.find("Permission denied"), std::string::npos) << opened.error().message;
}

}  // namespace
}  // namespace pipit
