#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "model/duration.h"
#include "storage/store.h"
#include "telemetry/metrics.h"
#include "tests/temporary_folder.h"
#include "tools/subcommands.h"

namespace pipit {
namespace {

using ::testing::HasSubstr;

struct Outcome {
  int code = 0;
  std::string out, err;
};

Outcome tsdb(std::vector<std::string> words) {
  words.insert(words.begin(), "pipit tsdb");
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  ::testing::internal::CaptureStdout();
  ::testing::internal::CaptureStderr();
  Outcome outcome;
  outcome.code = run_tsdb(static_cast<int>(argv.size()), argv.data());
  outcome.out = ::testing::internal::GetCapturedStdout();
  outcome.err = ::testing::internal::GetCapturedStderr();
  return outcome;
}

class TsdbTest : public ::testing::Test {
 protected:
  void open() {
    StoreOptions options;
    options.path = folder_.path() / "pipit";
    store_ = Store::open(options, metrics_).value();
  }

  TemporaryFolder folder_;
  MetricsRegistry metrics_;
  std::unique_ptr<Store> store_;
};

TEST_F(TsdbTest, AnalyzeShowsWhereTheSeriesComeFrom) {
  open();
  for (int i = 0; i < 30; ++i) {
    const SeriesRef ref = store_->series({{"__name__", "up"}, {"instance", std::to_string(i)}, {"job", "web"}}).value();
    const double value = 1;
    const TimestampMs time = now_ms();
    ASSERT_TRUE(store_->append({{&ref, 1}, {&value, 1}, {&time, 1}}).ok());
  }
  store_.reset();
  for (const std::filesystem::path& path : {folder_.path(), folder_.path() / "pipit"}) {
    const Outcome found = tsdb({"analyze", "--storage.tsdb.path", path.string(), "--limit=2"});
    EXPECT_EQ(found.code, 0) << found.err;
    EXPECT_THAT(found.out, HasSubstr("Series: 30 of 1 metrics, with 32 pairs of 3 labels\n"));
    EXPECT_THAT(found.out, HasSubstr("          30  up\n"));
    EXPECT_THAT(found.out, HasSubstr("          30  instance\n"));
    EXPECT_THAT(found.out, HasSubstr("          30  job=web\n"));
    EXPECT_THAT(found.out, HasSubstr("Files, in bytes:\n"));
    EXPECT_EQ(found.err, "");
  }
}

TEST_F(TsdbTest, AFolderInUseSaysHowToAskTheServer) {
  open();
  const Outcome found = tsdb({"analyze", "--storage.tsdb.path=" + folder_.path().string()});
  EXPECT_EQ(found.code, 1);
  EXPECT_THAT(found.err, HasSubstr("is in use by a running server"));
  EXPECT_THAT(found.err, HasSubstr("--server"));
}

TEST_F(TsdbTest, WhatIsWrongIsSaid) {
  const Outcome empty = tsdb({"analyze", "--storage.tsdb.path", folder_.path().string()});
  EXPECT_EQ(empty.code, 1);
  EXPECT_THAT(empty.err, HasSubstr("there is no data of Pipit"));
  EXPECT_TRUE(std::filesystem::is_empty(folder_.path())) << "looking makes nothing";
  EXPECT_EQ(tsdb({}).code, 2);
  EXPECT_THAT(tsdb({"analyse"}).err, HasSubstr("analyze"));
  EXPECT_EQ(tsdb({"analyze", "--limit", "0"}).code, 2);
  EXPECT_EQ(tsdb({"analyze", "--limit"}).code, 2);
  EXPECT_EQ(tsdb({"analyze", "--server", "nonsense"}).code, 2);
  EXPECT_EQ(tsdb({"analyze", "--server", "http://127.0.0.1:1"}).code, 1);
  EXPECT_EQ(tsdb({"analyze", "--server", "http://127.0.0.1:1", "--storage.tsdb.path", "x"}).code, 2);
  EXPECT_EQ(tsdb({"--help"}).code, 0);
}

}  // namespace
}  // namespace pipit
