#include "remote/write_sender.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/config.h"
#include "model/duration.h"
#include "remote/retry_after.h"
#include "tests/remote/receiver.h"
#include "tests/storage/store_fixture.h"

namespace pipit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

/// A store whose samples are sent to receivers.
class WriteSenderTest : public StoreTest {
 protected:
  void SetUp() override { open(); }
  void TearDown() override { sender_.reset(); }

  /// `remote_write` of a configuration.
  void configure(const std::string& entries, const std::string& global = "") {
    auto config = parse_config(global + "remote_write:\n" + entries, "test.yml");
    ASSERT_TRUE(config.ok()) << config.error().message;
    if (!sender_) start_sender();
    const Status status = sender_->apply(config->remote_writes, config->external_labels);
    ASSERT_TRUE(status.ok()) << status.error().message;
  }
  void start_sender() {
    WriteSenderOptions options;
    options.path = folder_.path() / "pipit" / "remote_write";
    options.max_bytes = queue_bytes_;
    options.flush_deadline = 5000;
    sender_ = std::make_unique<RemoteWriteSender>(*store_, exemplars_, metrics_, options);
  }
  static std::string entry(const WriteReceiver& receiver, const std::string& more = "") {
    return "- url: " + receiver.url() +
           "\n  queue_config: {batch_send_deadline: 20ms, min_backoff: 1ms, max_backoff: 10ms" + more + "}\n";
  }
  double counted(const std::string& line) const {
    const std::string page = metrics_.render();
    const auto at = page.find("\n" + line);
    if (at == std::string::npos) return -1;
    return std::stod(page.substr(page.find(' ', at + line.size())));
  }
  /// A counter of the only endpoint.
  double total(const std::string& name) const { return counted("prometheus_remote_storage_" + name + "{"); }

  ExemplarStore exemplars_{metrics_};
  std::unique_ptr<RemoteWriteSender> sender_;
  std::uint64_t queue_bytes_ = 1u << 30;
};

TEST_F(WriteSenderTest, SendsWhatTheStoreTakesWithExternalLabelsAndRelabelling) {
  WriteReceiver receiver;
  configure("- url: " + receiver.url() + R"(
  headers: {X-Scope-OrgID: tenant}
  basic_auth: {username: u, password: p}
  queue_config: {batch_send_deadline: 20ms}
  write_relabel_configs:
  - {source_labels: [__name__], regex: secret.*, action: drop}
  - {target_label: added, replacement: x}
)",
            "global: {external_labels: {region: eu, job: ext}}\n");
  add({{"__name__", "up"}, {"job", "a"}}, 1000, 1);
  add({{"__name__", "secret_things"}}, 1000, 1);
  add({{"__name__", "up"}, {"job", "a"}}, 2000, stale_nan());
  ASSERT_TRUE(receiver.wait_for_samples(2));
  const auto samples = receiver.samples();
  ASSERT_EQ(samples.size(), 1u);
  const auto& [series, points] = *samples.begin();
  EXPECT_EQ(series, "up{added=\"x\", job=\"a\", region=\"eu\"}");
  ASSERT_EQ(points.size(), 2u);
  EXPECT_EQ(points[0], std::pair(TimestampMs{1000}, 1.0));
  EXPECT_TRUE(is_stale_nan(points[1].second));
  const std::string head = receiver.heads().front();
  EXPECT_THAT(head, HasSubstr("POST /write HTTP/1.1\r\n"));
  EXPECT_THAT(head, HasSubstr("Content-Encoding: snappy\r\n"));
  EXPECT_THAT(head, HasSubstr("Content-Type: application/x-protobuf\r\n"));
  EXPECT_THAT(head, HasSubstr("X-Prometheus-Remote-Write-Version: 0.1.0\r\n"));
  EXPECT_THAT(head, HasSubstr("X-Scope-OrgID: tenant\r\n"));
  EXPECT_THAT(head, HasSubstr("Authorization: Basic dTpw\r\n"));
  EXPECT_TRUE(receiver.wait_until([&] { return total("samples_total") == 2; }));
  EXPECT_EQ(counted("prometheus_remote_storage_samples_dropped_total{reason=\"dropped_series\""), 1);
}

TEST_F(WriteSenderTest, SendsNothingOfWhatTheStoreRefuses) {
  WriteReceiver receiver;
  configure(entry(receiver));
  const Labels series{{"__name__", "a"}};
  add(series, 2000, 1);
  EXPECT_EQ(add(series, 1000, 1).out_of_order, 1u);
  EXPECT_EQ(add(series, 2000, 2).duplicates, 1u);
  add(series, 2000, 1);
  add(series, 3000, 3);
  ASSERT_TRUE(receiver.wait_for_samples(2));
  EXPECT_THAT(receiver.samples().at("a"), ElementsAre(Pair(2000, 1), Pair(3000, 3)));
}

TEST_F(WriteSenderTest, SendsLateSamplesThatTheStoreTakes) {
  WriteReceiver receiver;
  store_->set_out_of_order_window(3600'000);
  configure(entry(receiver));
  add({{"__name__", "a"}}, 2000, 2);
  ASSERT_TRUE(receiver.wait_for_samples(1));
  add({{"__name__", "a"}}, 1000, 1);
  ASSERT_TRUE(receiver.wait_for_samples(2));
}

TEST_F(WriteSenderTest, KeepsTheOrderOfEachSeriesOverManyShards) {
  WriteReceiver receiver;
  configure(entry(receiver, ", min_shards: 4, max_shards: 4, max_samples_per_send: 50"));
  constexpr int kSeries = 37;
  constexpr int kSteps = 60;
  for (int t = 1; t <= kSteps; ++t) {
    for (int s = 0; s < kSeries; ++s) add({{"__name__", "m"}, {"s", std::to_string(s)}}, t * 1000, t + s);
  }
  ASSERT_TRUE(receiver.wait_for_samples(kSeries * kSteps));
  const auto samples = receiver.samples();
  EXPECT_EQ(samples.size(), std::size_t{kSeries});
  for (const auto& [series, points] : samples) {
    ASSERT_EQ(points.size(), std::size_t{kSteps}) << series;
    EXPECT_TRUE(std::is_sorted(points.begin(), points.end())) << series;
  }
  for (const std::size_t batch : receiver.batches()) EXPECT_LE(batch, 50u);
}

TEST_F(WriteSenderTest, RepeatsWhatServersFailAndNotWhatTheyRefuse) {
  // 503 twice, 429 once, then good; what comes after gets a 400 and then good again.
  WriteReceiver receiver([](int request) -> WriteReceiver::Answer {
    if (request <= 2) return {503, "", "later"};
    if (request == 3) return {429, "Retry-After: 0\r\n", ""};
    if (request == 5) return {400, "", "out of order sample\nand more"};
    return {};
  });
  configure(entry(receiver));
  add({{"__name__", "a"}}, 1000, 1);
  ASSERT_TRUE(receiver.wait_for_samples(1));
  EXPECT_EQ(receiver.requests(), 4);
  EXPECT_TRUE(receiver.wait_until([&] { return total("samples_total") == 1; }));
  EXPECT_EQ(total("samples_retried_total"), 3);
  add({{"__name__", "a"}}, 2000, 2);
  ASSERT_TRUE(receiver.wait_until([&] { return total("samples_failed_total") == 1; }));
  add({{"__name__", "a"}}, 3000, 3);
  ASSERT_TRUE(receiver.wait_for_samples(2));
  EXPECT_THAT(receiver.samples().at("a"), ElementsAre(Pair(1000, 1), Pair(3000, 3)));
}

TEST_F(WriteSenderTest, LosesNothingWhenItIsStoppedWhileTheReceiverIsDown) {
  bool down = true;
  WriteReceiver receiver([&](int) { return WriteReceiver::Answer{down ? 500 : 204, "", ""}; });
  configure(entry(receiver, ", max_samples_per_send: 7"));
  for (int i = 1; i <= 100; ++i) add({{"__name__", "a"}, {"i", std::to_string(i % 5)}}, i * 1000, i);
  ASSERT_TRUE(receiver.wait_until([&] { return receiver.requests() > 2; }));
  sender_->stop();
  sender_.reset();
  reopen();
  receiver.judge_by([](int) { return WriteReceiver::Answer(); });
  down = false;
  configure(entry(receiver, ", max_samples_per_send: 7"));
  for (int i = 101; i <= 120; ++i) add({{"__name__", "a"}, {"i", std::to_string(i % 5)}}, i * 1000, i);
  ASSERT_TRUE(receiver.wait_for_samples(120));
  sender_->stop();
  std::size_t total = 0;
  for (const auto& [series, points] : receiver.samples()) {
    EXPECT_EQ(points.size(), 24u) << series;
    EXPECT_TRUE(std::is_sorted(points.begin(), points.end()));
    total += points.size();
  }
  EXPECT_EQ(total, 120u) << "each sample once";
}

TEST_F(WriteSenderTest, GoesOnWhenTheQueueEndsBeforeWhatWasDelivered) {
  WriteReceiver receiver;
  configure(entry(receiver));
  add({{"__name__", "a"}}, 1000, 1);
  ASSERT_TRUE(receiver.wait_for_samples(1));
  // Each start begins another segment.
  sender_->stop();
  sender_.reset();
  configure(entry(receiver));
  add({{"__name__", "a"}}, 2000, 2);
  ASSERT_TRUE(receiver.wait_for_samples(2));
  sender_->stop();
  sender_.reset();
  for (const auto& file : std::filesystem::directory_iterator(folder_.path() / "pipit" / "remote_write")) {
    if (file.path().extension() == ".segment") std::filesystem::remove(file.path());
  }
  configure(entry(receiver));
  add({{"__name__", "a"}}, 3000, 3);
  EXPECT_TRUE(receiver.wait_for_samples(3));
}

TEST_F(WriteSenderTest, RepeatsTheVeryBatchThatWasOnItsWay) {
  // The receiver takes a batch, but its answer is lost; then the process ends.
  std::atomic<bool> lose{true};
  WriteReceiver receiver([&](int) { return WriteReceiver::Answer{lose ? 500 : 204, "", ""}; });
  configure(entry(receiver, ", max_samples_per_send: 10"));
  for (int i = 1; i <= 10; ++i) add({{"__name__", "a"}}, i * 1000, i);
  ASSERT_TRUE(receiver.wait_until([&] { return receiver.requests() > 0; }));
  for (int i = 11; i <= 25; ++i) add({{"__name__", "a"}}, i * 1000, i);
  sender_.reset();  // as by a kill: nothing is flushed
  lose = false;
  // With a larger batch the first one would otherwise be another.
  configure(entry(receiver, ", max_samples_per_send: 1000"));
  ASSERT_TRUE(receiver.wait_for_samples(25));
  EXPECT_THAT(receiver.batches(), ElementsAre(10, 15));
}

TEST_F(WriteSenderTest, FlushesAtTheStopWithoutWaitingForTheDeadline) {
  WriteReceiver receiver;
  configure("- url: " + receiver.url() + "\n  queue_config: {batch_send_deadline: 1h}\n");
  for (int i = 1; i <= 10; ++i) add({{"__name__", "a"}}, i * 1000, i);
  sender_->stop();
  EXPECT_EQ(receiver.sample_count(), 10u);
}

TEST_F(WriteSenderTest, AReloadChangesOnlyWhatChanged) {
  WriteReceiver first;
  WriteReceiver second;
  configure("- name: one\n  " + entry(first).substr(2) + "- name: two\n  " + entry(second).substr(2));
  add({{"__name__", "a"}}, 1000, 1);
  ASSERT_TRUE(first.wait_for_samples(1));
  ASSERT_TRUE(second.wait_for_samples(1));
  // Who has not read the answer yet may send again.
  const auto sent = [&](const std::string& name) {
    return counted("prometheus_remote_storage_samples_total{remote_name=\"" + name + "\"") == 1;
  };
  ASSERT_TRUE(second.wait_until([&] { return sent("one") && sent("two"); }));
  WriteReceiver third;  // the second's place moves there
  configure("- name: one\n  " + entry(first).substr(2) + "- name: two\n  " + entry(third).substr(2));
  add({{"__name__", "a"}}, 2000, 2);
  ASSERT_TRUE(first.wait_for_samples(2));
  ASSERT_TRUE(third.wait_for_samples(1));
  EXPECT_THAT(first.samples().at("a"), ElementsAre(Pair(1000, 1), Pair(2000, 2)));
  EXPECT_THAT(third.samples().at("a"), ElementsAre(Pair(2000, 2)));
  EXPECT_EQ(second.sample_count(), 1u);
  ASSERT_TRUE(sender_->apply({}, {}).ok());
  EXPECT_FALSE(std::filesystem::exists(folder_.path() / "pipit" / "remote_write"));
  add({{"__name__", "a"}}, 3000, 3);
  EXPECT_EQ(first.sample_count(), 2u);
}

TEST_F(WriteSenderTest, AnEndpointThatHangsHoldsNoOtherUp) {
  PageServer hanging([](const std::string&, PageServer::Peer& peer) {
    peer.hang();
    return false;
  });
  WriteReceiver receiver;
  configure("- url: http://" + hanging.address() + "/\n  queue_config: {batch_send_deadline: 1ms}\n" + entry(receiver));
  for (int i = 1; i <= 10; ++i) {
    add({{"__name__", "a"}}, i * 1000, i);
    ASSERT_TRUE(receiver.wait_for_samples(static_cast<std::size_t>(i)));
  }
}

TEST_F(WriteSenderTest, GivesUpTheOldestWhenTheQueueIsFullAndCountsIt) {
  queue_bytes_ = 1;
  std::atomic<bool> down{true};
  WriteReceiver receiver([&](int) { return WriteReceiver::Answer{down ? 503 : 204, "", ""}; });
  configure(entry(receiver, ", max_samples_per_send: 10"));
  // Two segments and more of 8 MB.
  std::vector<SeriesRef> refs;
  for (int s = 0; s < 5000; ++s) refs.push_back(store_->series({{"__name__", "m"}, {"s", std::to_string(s)}}).value());
  std::size_t stored = 0;
  for (int t = 1; t <= 200; ++t) {
    std::vector<double> values(refs.size(), t + 0.123456789012345);
    const TimestampMs time = t * 1000;
    stored += (*store_->append({refs, values, {&time, 1}})).stored;
  }
  const std::string dropped = "prometheus_remote_storage_samples_dropped_total{reason=\"unintentional_dropped_series\"";
  ASSERT_TRUE(receiver.wait_until([&] { return counted(dropped) > 0; }));
  const auto lost = static_cast<std::size_t>(counted(dropped));
  EXPECT_LT(lost, stored);
  sender_.reset();
}

TEST_F(WriteSenderTest, SendsMetadataAndExemplars) {
  WriteReceiver receiver;
  configure("- url: " + receiver.url() +
            "\n  send_exemplars: true\n  metadata_config: {send_interval: 20ms}\n  queue_config: "
            "{batch_send_deadline: 10ms}\n");
  ASSERT_TRUE(store_->set_metadata("a", {MetricType::counter, "Helps.", ""}).ok());
  const Labels series{{"__name__", "a"}};
  add(series, 1000, 1);
  exemplars_.add(store_->series(series).value(), [&] { return series; }, {Labels{{"trace", "1"}}, 1, 1000});
  ASSERT_TRUE(receiver.wait_until([&] { return !receiver.metadata().empty() && receiver.exemplar_count() == 1; }));
  EXPECT_EQ(receiver.metadata().front(), "a counter Helps.");
}

TEST_F(WriteSenderTest, FallsBackToVersionOneWhereTwoIsUnknown) {
  WriteReceiver receiver([&](int request) { return WriteReceiver::Answer{request == 1 ? 415 : 204, "", ""}; });
  configure("- url: " + receiver.url() +
            "\n  protobuf_message: io.prometheus.write.v2.Request\n  queue_config: {batch_send_deadline: 10ms}\n");
  add({{"__name__", "a"}}, 1000, 1);
  ASSERT_TRUE(receiver.wait_for_samples(1));
  EXPECT_THAT(receiver.heads()[0], HasSubstr("X-Prometheus-Remote-Write-Version: 2.0.0\r\n"));
  EXPECT_THAT(receiver.heads()[0],
              HasSubstr("Content-Type: application/x-protobuf;proto=io.prometheus.write.v2.Request\r\n"));
  EXPECT_THAT(receiver.heads()[1], HasSubstr("X-Prometheus-Remote-Write-Version: 0.1.0\r\n"));
}

TEST(RetryAfterTest, ReadsSecondsAndDates) {
  EXPECT_EQ(parse_retry_after("", 0), 0);
  EXPECT_EQ(parse_retry_after("7", 0), 7000);
  EXPECT_EQ(parse_retry_after("-7", 0), 0);
  EXPECT_EQ(parse_retry_after("soon", 0), 0);
  EXPECT_EQ(parse_retry_after("99999999999", 0), 24 * 3600 * 1000);
  EXPECT_EQ(parse_retry_after("Wed, 21 Oct 2015 07:28:00 GMT", 1445412470'000), 10'000);
  EXPECT_EQ(parse_retry_after("Wed, 21 Oct 2015 07:28:00 GMT", 1445412490'000), 0);
}

}  // namespace
}  // namespace pipit
