#include "remote/write_message.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <snappy.h>

#include <map>

#include "api/remote_write.h"
#include "api/remote_write_v2.h"
#include "storage/coding.h"
#include "telemetry/metrics.h"
#include "tests/storage/memory_store.h"
#include "tests/storage/store_fixture.h"

namespace pipit {
namespace {

using ::testing::HasSubstr;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

constexpr TimestampMs kTime = 1'700'000'000'000;
constexpr const char* kVersion2 = "application/x-protobuf;proto=io.prometheus.write.v2.Request";

std::string encoded(const Labels& labels) {
  std::string out;
  encode_labels(labels, out);
  return out;
}

/// What a message is made of, and a receiver that takes it.
class WriteMessageTest : public testing::Test {
 protected:
  void add(const Labels& labels, TimestampMs time, double value) {
    const auto [found, fresh] = labels_.try_emplace(labels, encoded(labels));
    samples_.push_back(
        {&found->second, static_cast<std::uint64_t>(std::distance(labels_.begin(), found)), time, value});
  }
  std::string version2() {
    // Ids by place, as more labels may have come since.
    for (OutgoingSample& sample : samples_) sample.series = reinterpret_cast<std::uintptr_t>(sample.labels);
    order_samples(samples_);
    std::string message;
    encode_write_v2(
        samples_, exemplars_,
        [this](std::string_view metric) -> const Metadata* {
          const auto found = metadata_.find(std::string(metric));
          return found == metadata_.end() ? nullptr : &found->second;
        },
        message);
    return message;
  }
  HttpResponse receive(const std::string& message, const std::string& type = kVersion2,
                       RemoteWriteVersions versions = {}) {
    HttpRequest request;
    request.method = "POST";
    request.content_type = type;
    request.content_encoding = "snappy";
    snappy::Compress(message.data(), message.size(), &request.body);
    RemoteWriteReceiver receiver(store_, metrics_, &exemplar_store_, versions);
    return receiver.handle(request);
  }
  static std::string header(const HttpResponse& response, const std::string& name) {
    for (const auto& [key, value] : response.headers) {
      if (key == "X-Prometheus-Remote-Write-" + name) return value;
    }
    return "";
  }

  std::map<Labels, std::string> labels_;
  std::vector<OutgoingSample> samples_;
  std::vector<OutgoingExemplar> exemplars_;
  std::map<std::string, Metadata> metadata_;
  MemoryStore store_;
  MetricsRegistry metrics_;
  ExemplarStore exemplar_store_{metrics_};
};

TEST_F(WriteMessageTest, VersionTwoArrivesWhole) {
  const Labels bucket{{"__name__", "latency_bucket"}, {"le", "0.1"}, {"name.with.dots", "ü"}};
  add(bucket, kTime, 3);
  add({{"__name__", "up"}, {"job", "a"}}, kTime, 1);
  add(bucket, kTime + 1000, 4);
  add({{"__name__", "up"}, {"job", "a"}}, kTime + 1000, stale_nan());
  metadata_["latency"] = {MetricType::histogram, "How long.", "seconds"};
  metadata_["up"] = {MetricType::gauge, "", ""};
  exemplars_.push_back({encoded(bucket), encoded({{"trace_id", "x"}}), 0.05, kTime});
  const HttpResponse response = receive(version2());
  EXPECT_EQ(response.status, 204) << response.body;
  EXPECT_EQ(header(response, "Samples-Written"), "4");
  EXPECT_EQ(header(response, "Histograms-Written"), "0");
  EXPECT_EQ(header(response, "Exemplars-Written"), "1");
  const auto found = select_all(store_, {Matcher::make(MatchType::regex, "__name__", ".+").value()});
  EXPECT_THAT(found, UnorderedElementsAre(
                         Pair(bucket.to_string(), SampleList{{kTime, bits(3)}, {kTime + 1000, bits(4)}}),
                         Pair("up{job=\"a\"}", SampleList{{kTime, bits(1)}, {kTime + 1000, bits(stale_nan())}})));
  EXPECT_EQ(store_.metadata("latency", 1)->at(0).metadata, metadata_["latency"]);
  EXPECT_EQ(store_.metadata("up", 1)->at(0).metadata, metadata_["up"]);
  EXPECT_EQ(exemplar_store_.size(), 1u);
}

TEST_F(WriteMessageTest, OfSamplesThatASeriesHasTwiceTheFirstIsSent) {
  add({{"__name__", "a"}}, 2000, 2);
  add({{"__name__", "a"}}, 1000, 1);
  add({{"__name__", "a"}}, 2000, 3);
  EXPECT_EQ(receive(version2()).status, 204);
  EXPECT_EQ(select_all(store_, metric("a")).at("a"), (SampleList{{1000, bits(1)}, {2000, bits(2)}}));
}

TEST_F(WriteMessageTest, PartOfAMessageOfVersionTwoIsStoredAndCounted) {
  add({{"__name__", "a"}}, kTime, 1);
  ASSERT_EQ(receive(version2()).status, 204);
  add({{"__name__", "a"}}, kTime, 5);
  samples_.erase(samples_.begin());
  add({{"__name__", "b"}}, kTime, 5);
  // A series whose labels lead nowhere: symbol 99 twice, and a histogram.
  std::string message = version2();
  message += std::string("\x2a\x06\x0a\x02\x63\x63\x1a\x00", 8);
  const HttpResponse response = receive(message);
  EXPECT_EQ(response.status, 400);
  EXPECT_THAT(response.body, HasSubstr("2 of 3 samples were not stored (duplicate: 1, native_histogram: 1)"));
  EXPECT_EQ(header(response, "Samples-Written"), "1");
}

TEST_F(WriteMessageTest, OnlyAcceptedMessagesAreTaken) {
  add({{"__name__", "a"}}, kTime, 1);
  const std::string message = version2();
  HttpResponse response = receive(message, kVersion2, {.v1 = true, .v2 = false});
  EXPECT_EQ(response.status, 415);
  EXPECT_EQ(response.body,
            "io.prometheus.write.v2.Request protobuf message is not accepted by this server; accepted "
            "[prometheus.WriteRequest]\n");
  response = receive("", "application/x-protobuf", {.v1 = false, .v2 = true});
  EXPECT_EQ(response.status, 415);
  response = receive(message, "application/x-protobuf;proto=io.prometheus.write.v3.Request");
  EXPECT_EQ(response.status, 415);
  EXPECT_THAT(response.body, HasSubstr("accepted [prometheus.WriteRequest io.prometheus.write.v2.Request]"));
}

TEST_F(WriteMessageTest, MalformedMessagesOfVersionTwoStoreNothing) {
  add({{"__name__", "a"}, {"b", "c"}}, kTime, 1);
  metadata_["a"] = {MetricType::counter, "h", "u"};
  exemplars_.push_back({encoded({{"__name__", "a"}}), encoded({{"t", "1"}}), 1, kTime});
  const std::string message = version2();
  for (std::size_t size = 1; size < message.size(); ++size) {
    const HttpResponse response = receive(message.substr(0, size));
    EXPECT_TRUE(response.status == 400 || response.status == 204) << size;
  }
}

TEST(RemoteWriteV2Test, ReferencesThatExpandWithoutEndAreRefused) {
  // A symbol of 10 KB, and a series of 8,000 references to it.
  const std::string symbol(10'000, 'x');
  std::string message = "\x22";
  put_text(message, "");
  message += '\x22';
  put_text(message, symbol);
  std::string labels = "\x0a";
  put_text(labels, std::string(8'000, '\x01'));
  message += '\x2a';
  put_text(message, labels);
  const auto translated = translate_remote_write_v2(message, 1u << 20);
  ASSERT_FALSE(translated.ok());
  EXPECT_THAT(translated.error().message, HasSubstr("send fewer samples at once"));
}

TEST(RemoteWriteV2Test, TooManySymbolsAreRefused) {
  std::string message;
  for (std::size_t i = 0; i <= kMaxRemoteWriteSymbols; ++i) message += std::string("\x22\x00", 2);
  const auto translated = translate_remote_write_v2(message, 32u << 20);
  ASSERT_FALSE(translated.ok());
  EXPECT_THAT(translated.error().message, HasSubstr("symbols"));
}

}  // namespace
}  // namespace pipit
