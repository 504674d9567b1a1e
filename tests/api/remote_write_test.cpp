#include "api/remote_write.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "api/server.h"
#include "model/duration.h"
#include "query/engine.h"
#include "telemetry/metrics.h"
#include "tests/api/http_client.h"
#include "tests/api/remote_write_message.h"
#include "tests/storage/memory_store.h"

namespace pipit {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;
using Message = RemoteWriteMessage;
using Samples = std::map<TimestampMs, double>;

constexpr TimestampMs kTime = 1'700'000'000'000;

/// A store that fails or forgets on demand.
class MoodyStore final : public Appender {
 public:
  explicit MoodyStore(MemoryStore& store) : store_(store) {}

  Result<SeriesRef> series(const Labels& labels) override {
    if (broken) return Error{ErrorKind::unavailable, "the disk is full"};
    ++created;
    return store_.series(labels);
  }
  void find_encoded(std::span<const std::string_view> encodings, std::span<SeriesRef> refs) const override {
    store_.find_encoded(encodings, refs);
  }
  Result<AppendReport> append(const AppendBatch& batch) override {
    if (broken) return Error{ErrorKind::unavailable, "the disk is full"};
    ++appends;
    if (refuse_all != AppendReport::Refusal::none) {
      AppendReport report;
      for (std::size_t i = 0; i < batch.refs.size(); ++i) report.refuse(refuse_all, static_cast<std::uint32_t>(i));
      return report;
    }
    last_times = batch.times.size();
    if (forget_next == 0) return store_.append(batch);
    --forget_next;
    // Of every two samples the second has a series that left RAM meanwhile.
    std::vector<SeriesRef> refs(batch.refs.begin(), batch.refs.end());
    for (std::size_t i = 1; i < refs.size(); i += 2) refs[i] = kNoSeries;
    return store_.append({refs, batch.values, batch.times});
  }
  Status set_metadata(std::string_view metric, const Metadata& metadata) override {
    return store_.set_metadata(metric, metadata);
  }

  bool broken = false;
  AppendReport::Refusal refuse_all = AppendReport::Refusal::none;
  int forget_next = 0;
  int created = 0;
  int appends = 0;
  std::size_t last_times = 0;

 private:
  MemoryStore& store_;
};

class RemoteWriteTest : public ::testing::Test {
 protected:
  RemoteWriteTest() {
    options_.listen_addresses = {"127.0.0.1:0"};
    options_.enable_remote_write_receiver = true;
  }

  void start() {
    server_ = std::make_unique<Server>(options_, ServerContext{.engine = engine_,
                                                               .source = store_,
                                                               .store = nullptr,
                                                               .scraping = nullptr,
                                                               .metrics = metrics_,
                                                               .config_text = nullptr,
                                                               .flags = {},
                                                               .reload = nullptr,
                                                               .quit = nullptr,
                                                               .exemplars = &exemplars_,
                                                               .appender = &appender_});
    ASSERT_TRUE(server_->start().ok());
    server_->set_ready();
  }

  TestResponse post(std::string_view body, std::string_view headers = kHeaders) {
    if (!server_) start();
    return fetch(server_->ports().at(0), "POST", "/api/v1/write", headers, body);
  }
  TestResponse post(const Message& message) { return post(message.compressed()); }

  /// What is stored of a series, by its labels as text.
  Samples stored(const std::string& series) const {
    SymbolTable symbols;
    auto cursor = store_.select(SelectRequest{}, symbols).value();
    while (cursor->next().value()) {
      std::vector<Label> labels;
      for (const auto& [name, value] : cursor->labels()) {
        labels.push_back({std::string(symbols.text(name)), std::string(symbols.text(value))});
      }
      if (Labels(labels).to_string() != series) continue;
      Samples samples;
      for (std::size_t i = 0; i < cursor->times().size(); ++i) samples[cursor->times()[i]] = cursor->values()[i];
      return samples;
    }
    return {};
  }
  std::size_t stored_series() const { return store_.series({}, kMinTimestamp, kMaxTimestamp, 0).value().size(); }
  std::string metrics() const { return metrics_.render(); }

  static constexpr std::string_view kHeaders =
      "Content-Type: application/x-protobuf\r\nContent-Encoding: snappy\r\n"
      "X-Prometheus-Remote-Write-Version: 0.1.0\r\n";

  MemoryStore store_;
  MoodyStore appender_{store_};
  MetricsRegistry metrics_;
  ExemplarStore exemplars_{metrics_};
  Engine engine_{store_, EngineOptions(), metrics_};
  ServerOptions options_;
  std::unique_ptr<Server> server_;
};

// ---- what is stored ------------------------------------------------------------------------------------------

TEST_F(RemoteWriteTest, StoresSamplesBitForBit) {
  const double odd = std::bit_cast<double>(std::uint64_t{0x7ff8dead00000001});
  Message message;
  message.series({{"__name__", "up"}, {"job", "a"}}, {{kTime, 1.5}})
      .series({{"__name__", "up"}, {"job", "b"}}, {{kTime, -0.0}, {kTime + 1, stale_nan()}, {kTime + 2, odd}})
      .series({{"__name__", "zero"}}, {{0, 0}, {1, 0}})
      .series({{"__name__", "old"}}, {{-5, 2}})
      .series({{"__name__", "unicode.name"}, {"label with space", "ü\n"}}, {{kTime, 3}});
  const TestResponse response = post(message);
  EXPECT_EQ(response.status, 204) << response.body;
  EXPECT_EQ(response.body, "");
  EXPECT_EQ(stored("up{job=\"a\"}"), (Samples{{kTime, 1.5}}));
  EXPECT_EQ(stored("zero"), (Samples{{0, 0}, {1, 0}}));
  EXPECT_EQ(stored("old"), (Samples{{-5, 2}}));
  EXPECT_EQ(stored("{\"unicode.name\", \"label with space\"=\"ü\\n\"}"), (Samples{{kTime, 3}}));
  const Samples b = stored("up{job=\"b\"}");
  ASSERT_EQ(b.size(), 3u);
  EXPECT_TRUE(std::signbit(b.at(kTime)));
  EXPECT_TRUE(is_stale_nan(b.at(kTime + 1)));
  EXPECT_EQ(std::bit_cast<std::uint64_t>(b.at(kTime + 2)), std::bit_cast<std::uint64_t>(odd));
}

TEST_F(RemoteWriteTest, FindsKnownSeriesWithoutMakingThemAgain) {
  for (TimestampMs step = 0; step < 3; ++step) {
    Message message;
    message.series({{"__name__", "up"}, {"job", "a"}}, {{kTime + step, 1}});
    message.series({{"__name__", "up"}, {"job", "b"}}, {{kTime + step, 2}});
    EXPECT_EQ(post(message).status, 204);
    EXPECT_EQ(appender_.last_times, 1u) << "one time for all";
  }
  EXPECT_EQ(appender_.created, 2);
  EXPECT_EQ(stored("up{job=\"b\"}").size(), 3u);
}

TEST_F(RemoteWriteTest, TakesLabelsInAnyOrderAndLeavesEmptyValuesOut) {
  Message message;
  message.series({{"job", "a"}, {"empty", ""}, {"__name__", "up"}}, {{kTime, 1}});
  EXPECT_EQ(post(message).status, 204);
  Message next;
  next.series({{"zone", ""}, {"job", "a"}, {"__name__", "up"}}, {{kTime + 1, 2}});
  EXPECT_EQ(post(next).status, 204);
  EXPECT_EQ(stored("up{job=\"a\"}"), (Samples{{kTime, 1}, {kTime + 1, 2}}));
  EXPECT_EQ(appender_.created, 1) << "the second was found";
}

TEST_F(RemoteWriteTest, TakesEveryWayToWriteTheSameMessage) {
  const std::string name = Message::label("__name__", "up");
  const std::string backwards = Message::field(1, Message::field(2, "a") + Message::field(1, "job"));
  const std::string long_length = std::string("\x0a\x87\x80\x00", 4) + Message::field(1, "job") + Message::field(2, "");
  const std::string unknown = Message::field(15, "?") + std::string("\x78\x05\x7d", 3) + "1234" + "\x79" + "12345678";
  const std::string value_last = Message::field(2, std::string("\x10\x07\x09\0\0\0\0\0\0\xf0\x3f", 11));
  Message message;
  message.add(unknown)
      .add(Message::field(1, Message::sample(5, 1) + name + Message::sample(6, 1) + backwards + unknown + value_last))
      .add(Message::field(1, long_length + name + Message::sample(9, 4)));
  const TestResponse response = post(message);
  EXPECT_EQ(response.status, 204) << response.body;
  EXPECT_EQ(stored("up{job=\"a\"}"), (Samples{{5, 1}, {6, 1}, {7, 1}}));
  EXPECT_EQ(stored("up"), (Samples{{9, 4}}));
}

TEST_F(RemoteWriteTest, TakesOldClientsWithoutHeadersAndAnEmptyMessage) {
  EXPECT_EQ(post(Message().series({{"__name__", "up"}}, {{kTime, 1}}).compressed(), "").status, 204);
  EXPECT_EQ(post(Message()).status, 204);
  EXPECT_EQ(post(Message().compressed(),
                 "Content-Type: application/x-protobuf; proto=prometheus.WriteRequest\r\nContent-Encoding: Snappy\r\n")
                .status,
            204);
}

TEST_F(RemoteWriteTest, StoresMetadata) {
  Message message;
  message.metadata(1, "requests_total", "Requests.", "").metadata(99, "odd", "From the future.", "s");
  message.metadata(2, "", "nameless", "")
      .metadata(2, "bad\xff", "", "")
      .metadata(2, "long", std::string(1 << 20, 'x'), "");
  const TestResponse response = post(message);
  EXPECT_EQ(response.status, 204) << response.body;
  const auto metadata = store_.metadata("", 0).value();
  ASSERT_EQ(metadata.size(), 2u);
  EXPECT_EQ(metadata[0].metadata, (Metadata{MetricType::unknown, "From the future.", "s"}));
  EXPECT_EQ(metadata[1].metadata, (Metadata{MetricType::counter, "Requests.", ""}));
}

TEST_F(RemoteWriteTest, StoresExemplars) {
  const auto exemplar = [](const Message::LabelList& labels, TimestampMs time, double value) {
    std::string fields;
    for (const auto& [name, label_value] : labels) fields += Message::label(name, label_value);
    // A sample's fields, but for their numbers: value is 2 and time 3.
    std::string sample = Message::sample(time, value);
    sample.erase(0, 2);
    sample[0] = '\x11';
    sample[9] = '\x18';
    return Message::field(3, fields + sample);
  };
  Message message;
  // As Prometheus sends them: on their own, here even before the sample that makes the series.
  message.series(
      {{"__name__", "hits"}, {"le", "1"}}, {},
      exemplar({{"trace_id", "a"}, {"span", "1"}}, kTime, 0.5) + exemplar({{"trace_id", "b"}}, kTime + 5, 2));
  message.series({{"le", "1"}, {"__name__", "hits"}}, {{kTime, 1}}, exemplar({{"trace_id", "c"}}, kTime + 9, 3));
  EXPECT_EQ(post(message).status, 204);
  message = Message();
  message.series({{"__name__", "hits"}, {"le", "1"}}, {},
                 exemplar({{"trace_id", "c"}}, kTime + 9, 3) +              // once more, which is no fault
                     exemplar({{"trace_id", "old"}}, kTime, 1) +            // older than the newest
                     exemplar({{"id", "\xff"}}, kTime + 10, 1) +            // no UTF-8
                     exemplar({{"id", "1"}, {"id", "2"}}, kTime + 11, 1) +  // repeated
                     exemplar({{"id", std::string(200, 'x')}}, kTime + 12, 1) +
                     exemplar({{"id", std::string(70'000, '\x80')}}, kTime + 13, 1) +
                     exemplar({{"id", "ahead"}}, now_ms() + 3'600'000, 1));
  message.series({{"__name__", "unknown"}}, {}, exemplar({{"id", "1"}}, kTime, 1));
  EXPECT_EQ(post(message).status, 204);
  const std::vector<std::vector<Matcher>> all = {{Matcher::equal("__name__", "hits")}};
  const auto found = exemplars_.select(all, kMinTimestamp, kMaxTimestamp);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].series, (Labels{{"__name__", "hits"}, {"le", "1"}}));
  EXPECT_EQ(found[0].exemplars, (std::vector<Exemplar>{{Labels{{"span", "1"}, {"trace_id", "a"}}, 0.5, kTime},
                                                       {Labels{{"trace_id", "b"}}, 2, kTime + 5},
                                                       {Labels{{"trace_id", "c"}}, 3, kTime + 9}}));
  EXPECT_THAT(metrics(), HasSubstr("pipit_remote_write_ignored_exemplars_total 7"));
  message = Message();
  message.series({{"__name__", "up"}}, {{kTime, 1}}, Message::field(3, "exemplar"));
  EXPECT_EQ(post(message).status, 400);
  EXPECT_EQ(stored("up"), Samples()) << "nothing is stored of a malformed message";
}

TEST_F(RemoteWriteTest, ExemplarsThatAreNotKeptAreCounted) {
  exemplars_.set_capacity(0);
  Message message;
  message.series({{"__name__", "up"}}, {{kTime, 1}}, Message::field(3, "") + Message::field(3, ""));
  EXPECT_EQ(post(message).status, 204);
  EXPECT_THAT(metrics(), HasSubstr("pipit_remote_write_ignored_exemplars_total 2"));
}

TEST_F(RemoteWriteTest, ALargeMessageIsStoredInParts) {
  Message message;
  Message::SampleList samples;
  for (int i = 0; i < 40'000; ++i) samples.emplace_back(kTime + i, i);
  message.series({{"__name__", "a"}}, {{kTime, 1}}).series({{"__name__", "long"}}, samples);
  for (int i = 0; i < 30'000; ++i) message.series({{"__name__", "few"}}, {{kTime + i, i}});
  message.series({{"__name__", "z"}}, {{kTime, 1}});
  const TestResponse response = post(message);
  EXPECT_EQ(response.status, 204) << response.body;
  EXPECT_EQ(stored("long").size(), 40'000u);
  EXPECT_EQ(stored("few").size(), 30'000u);
  EXPECT_EQ(stored("a").size() + stored("z").size(), 2u);
  EXPECT_EQ(appender_.appends, 5);
  EXPECT_THAT(metrics(), HasSubstr("pipit_remote_write_samples_total 70002"));
}

TEST_F(RemoteWriteTest, NothingOfALargeMessageIsStoredWhenItsEndIsMalformed) {
  Message message;
  for (int i = 0; i < 40'000; ++i) message.series({{"__name__", "few"}}, {{kTime + i, i}});
  EXPECT_EQ(post(Message(message).add("\x0a\x7f")).status, 400);
  EXPECT_EQ(post(Message(message).add(Message::field(1, Message::field(1, "\x0a\x7f") + Message::sample(1, 1)))).status,
            400);
  EXPECT_EQ(stored_series(), 0u);
}

// ---- what is refused -----------------------------------------------------------------------------------------

TEST_F(RemoteWriteTest, StoresTheRestOfWhatIsRefused) {
  EXPECT_EQ(post(Message().series({{"__name__", "up"}, {"job", "a"}}, {{kTime, 1}})).status, 204);
  struct Case {
    const char* about;
    Message::LabelList labels;
    Message::SampleList samples;
    std::string more;
    const char* text;
  };
  const Message::LabelList up = {{"__name__", "up"}, {"job", "a"}};
  const std::string histogram = Message::field(4, "histogram");
  const Case cases[] = {
      {"late",
       up,
       {{kTime - 1, 1}},
       "",
       "out of order sample for series up{job=\"a\"}; 1 of 2 samples were not stored (out_of_order: 1)"},
      {"other value", up, {{kTime, 2}}, "", "duplicate sample for timestamp for series up{job=\"a\"}; 1 of 2 "},
      {"both",
       up,
       {{kTime, 2}, {kTime - 1, 1}, {kTime, 3}},
       "",
       "duplicate sample for timestamp for series up{job=\"a\"}; 3 of 4 samples were not stored (out_of_order: 1, "
       "duplicate: 2)"},
      {"far ahead", up, {{now_ms() + 3'600'000, 1}}, "", "out of bounds for series up{job=\"a\"}; 1 of 2 "},
      {"end of time", up, {{kMaxTimestamp, 1}}, "", "out of bounds for series up"},
      {"start of time", up, {{kMinTimestamp, 1}}, "", "out of order sample for series up"},
      {"no labels", {}, {{kTime, 1}}, "", "invalid metric name or labels (no metric name) for series {};"},
      {"no metric",
       {{"job", "a"}},
       {{kTime, 1}},
       "",
       "invalid metric name or labels (no metric name) for series {job=\"a\"};"},
      {"empty metric", {{"__name__", ""}, {"job", "a"}}, {{kTime, 1}}, "", "(no metric name)"},
      {"empty name",
       {{"", "x"}, {"__name__", "up"}},
       {{kTime, 1}, {kTime + 1, 1}},
       "",
       "invalid metric name or labels (empty label name) for series up{\"\"=\"x\"}; 2 of 3 samples were not stored "
       "(invalid_labels: 2)"},
      {"twice",
       {{"__name__", "up"}, {"job", "a"}, {"job", "b"}},
       {{kTime, 1}},
       "",
       "(duplicate label name) for series up{job=\"a\", job=\"b\"};"},
      {"twice the same", {{"__name__", "up"}, {"job", "a"}, {"job", "a"}}, {{kTime, 1}}, "", "(duplicate label name)"},
      {"two metrics", {{"__name__", "up"}, {"__name__", "down"}}, {{kTime, 1}}, "", "(duplicate label name)"},
      {"bytes in a value",
       {{"__name__", "up"}, {"job", "\xff"}},
       {{kTime, 1}},
       "",
       "(invalid UTF-8) for series up{job=\"\\xff\"};"},
      {"bytes in a name", {{"__name__", "up"}, {"\xc0\xaf", "a"}}, {{kTime, 1}}, "", "(invalid UTF-8)"},
      {"bytes in the metric", {{"__name__", "\xed\xa0\x80"}}, {{kTime, 1}}, "", "(invalid UTF-8)"},
      {"histogram",
       up,
       {},
       histogram + histogram,
       "native histograms are not supported: not stored for series up{job=\"a\"}; 2 of 3 "},
      {"long", {{"__name__", "up"}, {"long", std::string(5000, 'x')}, {"", "1"}}, {{kTime, 1}}, "", "xxx...; 1 of 2 "},
  };
  TimestampMs good = kTime;
  for (const Case& c : cases) {
    SCOPED_TRACE(c.about);
    Message message;
    message.series(c.labels, c.samples, c.more).series({{"__name__", "good"}}, {{++good, 1}});
    const TestResponse response = post(message);
    EXPECT_EQ(response.status, 400);
    EXPECT_THAT(response.body, HasSubstr(c.text));
    EXPECT_LT(response.body.size(), 1024u) << "clients show so much";
    EXPECT_EQ(response.body.find('\n'), response.body.size() - 1) << "and one line";
    EXPECT_EQ(stored("good").count(good), 1u);
  }
  EXPECT_EQ(stored("up{job=\"a\"}"), (Samples{{kTime, 1}}));
  EXPECT_EQ(stored_series(), 2u);
  const std::string page = metrics();
  EXPECT_THAT(page, HasSubstr("pipit_remote_write_refused_samples_total{reason=\"duplicate\"} 3"));
  EXPECT_THAT(page, HasSubstr("pipit_remote_write_refused_samples_total{reason=\"out_of_bounds\"} 2"));
  EXPECT_THAT(page, HasSubstr("pipit_remote_write_refused_samples_total{reason=\"native_histogram\"} 2"));
  EXPECT_THAT(page, HasSubstr("pipit_remote_write_requests_total{code=\"204\"} 1"));
  EXPECT_THAT(page, HasSubstr("pipit_remote_write_requests_total{code=\"400\"} " + std::to_string(std::size(cases))));
}

/// Prometheus's words: too old where there is a window for late samples, out of bounds where there is none.
TEST_F(RemoteWriteTest, SaysWhetherSamplesAreTooOldOrOutOfBounds) {
  const Message message = Message().series({{"__name__", "up"}}, {{kTime, 1}, {kTime + 1, 1}});
  appender_.refuse_all = AppendReport::Refusal::too_old;
  const TestResponse too_old = post(message);
  EXPECT_EQ(too_old.status, 400);
  EXPECT_EQ(too_old.body, "too old sample for series up; 2 of 2 samples were not stored (too_old: 2)\n");
  appender_.refuse_all = AppendReport::Refusal::out_of_bounds;
  const TestResponse out_of_bounds = post(message);
  EXPECT_EQ(out_of_bounds.status, 400);
  EXPECT_EQ(out_of_bounds.body, "out of bounds for series up; 2 of 2 samples were not stored (out_of_bounds: 2)\n");
  EXPECT_THAT(metrics(), HasSubstr("pipit_remote_write_refused_samples_total{reason=\"too_old\"} 2"));
}

TEST_F(RemoteWriteTest, RefusedSeriesLeaveTheOthersTheirSamples) {
  Message message;
  for (int i = 0; i < 200; ++i) {
    const std::string number = std::to_string(i);
    Message::LabelList labels = {{"__name__", "m"}, {"i", number}};
    if (i % 3 == 0) labels.emplace_back("", "empty");
    message.series(labels, {{kTime, i}, {kTime + 1 + i % 2, i * 10}});
  }
  EXPECT_THAT(post(message).body, HasSubstr("134 of 400 samples were not stored"));
  for (int i = 0; i < 200; ++i) {
    const Samples expected = i % 3 == 0 ? Samples{} : Samples{{kTime, i}, {kTime + 1 + i % 2, i * 10}};
    EXPECT_EQ(stored("m{i=\"" + std::to_string(i) + "\"}"), expected);
  }
}

TEST_F(RemoteWriteTest, RefusesHostileBodies) {
  std::string long_varint(10, '\xff');
  std::string million_labels;
  for (int i = 0; i < 1'000'000; ++i) million_labels += std::string_view("\x0a\x00", 2);
  struct Case {
    const char* about;
    std::string body;
    const char* text;
  };
  const auto raw = [](std::string_view bytes) { return Message::compress(bytes); };
  const Case cases[] = {
      {"nothing", "", "snappy: corrupt input"},
      {"no snappy", "up 1\n", "snappy: corrupt input"},
      {"length of 4 GiB", "\xff\xff\xff\xff\x0f", "snappy: the body would decompress to 4294967295 bytes"},
      {"more than 4 GiB", "\xff\xff\xff\xff\x7f", "snappy: corrupt input"},
      {"a length without end", long_varint, "snappy: corrupt input"},
      {"32 MiB promised", std::string("\x80\x80\x80\x10\x00x", 6), "too short for its length"},
      {"a bomb", raw(std::string(33 << 20, '\0')), "would decompress to 34603008 bytes; at most 33554432"},
      {"cut off", Message().series({{"__name__", "up"}}, {{kTime, 1}}).compressed().substr(0, 20),
       "snappy: corrupt input"},
      {"a copy from before the start", std::string("\x40\xfe\x09\x00", 4), "snappy: corrupt input"},
      {"framed snappy", std::string("\xff\x06\x00\x00sNaPpY", 10), "snappy"},
      {"text", raw("requests 1\n"), "malformed protobuf after byte 0"},
      {"zeros", raw(std::string(1000, '\0')), "malformed protobuf after byte 0"},
      {"series past the end", raw("\x0a\x05\x0a\x01"), "malformed protobuf"},
      {"length of 4 GiB in protobuf", raw("\x0a\xff\xff\xff\xff\x0f"), "malformed protobuf"},
      {"length of 2^64", raw("\x0a" + std::string(9, '\xff') + "\x01"), "malformed protobuf"},
      {"a varint too long", raw("\x78" + long_varint + "\x01"), "malformed protobuf"},
      {"series as a number", raw("\x08\x05"), "malformed protobuf"},
      {"a label past its series", raw(Message::field(1, "\x0a\x05zz")), "malformed protobuf"},
      {"a long label past its series", raw(Message::field(1, "\x0a\xff\x7fzz")), "malformed protobuf"},
      {"a name past its label", raw(Message::field(1, Message::field(1, "\x0a\x05zz") + Message::sample(1, 1))),
       "malformed labels"},
      {"half a sample", raw(Message::field(1, Message::label("a", "b") + "\x12\x05\x09zzzz")), "malformed protobuf"},
      {"a sample of text", raw(Message::field(1, Message::field(2, "text"))), "malformed protobuf"},
      {"a time that is too long",
       raw(Message::field(1, Message::field(2,
                                            "\x09"
                                            "12345678\x10" +
                                                long_varint))),
       "malformed protobuf"},
      {"a group", raw("\x7b\x7c"), "malformed protobuf"},
      {"field 0", raw(std::string("\x02\x00", 2)), "malformed protobuf"},
      {"good, then bad", raw(Message().series({{"__name__", "up"}}, {{kTime, 1}}).bytes() + "\x0a"),
       "malformed protobuf after byte"},
      {"deep", raw(std::string(100'000, '\x0a')), "malformed protobuf"},
      {"a million labels", raw(Message::field(1, million_labels + Message::sample(1, 1))), "malformed labels"},
  };
  start();
  { std::ofstream("/proc/self/clear_refs") << 5; }  // the peak starts at what is resident now
  const auto kilobytes = [](std::string_view field) {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);) {
      if (line.starts_with(field)) return std::strtol(line.c_str() + field.size() + 1, nullptr, 10);
    }
    return 0L;
  };
  const long before = kilobytes("VmRSS");
  for (const Case& c : cases) {
    SCOPED_TRACE(c.about);
    const TestResponse response = post(c.body);
    EXPECT_EQ(response.status, 400);
    EXPECT_THAT(response.body, HasSubstr(c.text));
  }
  EXPECT_LT(kilobytes("VmHWM") - before, 16 << 10) << "no memory spike";
  EXPECT_EQ(stored_series(), 0u);
  EXPECT_EQ(post(Message().series({{"__name__", "up"}}, {{kTime, 1}})).status, 204) << "and the server lives";
}

TEST_F(RemoteWriteTest, ReferencesToSymbolsAreBounded) {
  const std::string v2 =
      "Content-Type: application/x-protobuf;proto=io.prometheus.write.v2.Request\r\nContent-Encoding: snappy\r\n";
  const std::string symbols = Message::field(4, "") + Message::field(4, "a");
  for (const std::size_t count : {std::size_t{8194}, std::size_t{4} << 20}) {
    const TestResponse response =
        post(Message::compress(symbols + Message::field(5, Message::field(1, std::string(count, '\1')))), v2);
    EXPECT_EQ(response.status, 400);
    EXPECT_THAT(response.body, HasSubstr("malformed protobuf"));
  }
  EXPECT_EQ(stored_series(), 0u);
}

TEST_F(RemoteWriteTest, RefusesPagesOfOtherSites) {
  const std::string body = Message().series({{"__name__", "up"}}, {{kTime, 1}}).compressed();
  for (const char* foreign :
       {"Origin: http://evil.example\r\n", "Sec-Fetch-Site: cross-site\r\n", "Origin: null\r\n"}) {
    EXPECT_EQ(post(body, foreign).status, 403) << foreign;
  }
  EXPECT_EQ(stored_series(), 0u);
  EXPECT_EQ(post(body, "Sec-Fetch-Site: same-origin\r\n").status, 204);
}

TEST_F(RemoteWriteTest, RefusesOtherFormatsAndMethods) {
  const std::string body = Message().series({{"__name__", "up"}}, {{kTime, 1}}).compressed();
  const TestResponse second =
      post(body,
           "Content-Type: application/x-protobuf;proto=io.prometheus.write.v3.Request\r\nContent-Encoding: snappy\r\n");
  EXPECT_EQ(second.status, 415);
  EXPECT_EQ(second.body,
            "io.prometheus.write.v3.Request protobuf message is not accepted by this server; accepted "
            "[prometheus.WriteRequest io.prometheus.write.v2.Request]\n");
  const TestResponse json = post(body, "Content-Type: application/json\r\nContent-Encoding: snappy\r\n");
  EXPECT_EQ(json.status, 415);
  EXPECT_EQ(json.body,
            "expected application/x-protobuf as the first (media) part, got application/json content-type\n");
  const TestResponse zstd = post(body, "Content-Type: application/x-protobuf\r\nContent-Encoding: zstd\r\n");
  EXPECT_EQ(zstd.status, 415);
  EXPECT_EQ(zstd.body, "zstd encoding (compression) is not accepted by this server; only snappy is acceptable\n");
  const TestResponse form = post("a=b", "Content-Type: application/x-www-form-urlencoded\r\n");
  EXPECT_EQ(form.status, 415);
  EXPECT_EQ(fetch(server_->ports().at(0), "GET", "/api/v1/write").status, 405);
  const TestResponse long_body = fetch(server_->ports().at(0), "POST", "/api/v1/write", "Content-Length: 99999999\r\n");
  EXPECT_EQ(long_body.status, 413);
  EXPECT_EQ(stored_series(), 0u);
}

TEST_F(RemoteWriteTest, IsOffUnlessEnabled) {
  options_.enable_remote_write_receiver = false;
  const TestResponse response = post(Message().series({{"__name__", "up"}}, {{kTime, 1}}));
  EXPECT_EQ(response.status, 404);
  EXPECT_EQ(response.body, "remote write receiver needs to be enabled with --web.enable-remote-write-receiver\n");
  EXPECT_EQ(stored_series(), 0u);
}

// ---- a store that is in trouble -------------------------------------------------------------------------------

TEST_F(RemoteWriteTest, AsksAgainForSeriesThatLeftMemory) {
  appender_.forget_next = 1;
  Message message;
  for (int i = 0; i < 5; ++i) message.series({{"__name__", "m" + std::to_string(i)}}, {{kTime, i}, {kTime + 1, i}});
  const TestResponse response = post(message);
  EXPECT_EQ(response.status, 204) << response.body;
  EXPECT_EQ(appender_.appends, 2);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(stored("m" + std::to_string(i)).at(kTime + 1), i);
}

TEST_F(RemoteWriteTest, TellsClientsToComeBackLater) {
  const Message message = Message().series({{"__name__", "up"}}, {{kTime, 1}});
  appender_.forget_next = 2;
  Message twice = Message().series({{"__name__", "up"}}, {{kTime, 1}}).series({{"__name__", "m"}}, {{kTime, 1}});
  twice.series({{"__name__", "n"}}, {{kTime, 1}}).series({{"__name__", "o"}}, {{kTime, 1}});
  EXPECT_EQ(post(twice).status, 503);
  appender_.broken = true;
  const TestResponse response = post(message);
  EXPECT_EQ(response.status, 503);
  EXPECT_EQ(response.header("Retry-After"), "5");
  EXPECT_EQ(response.body, "the disk is full\n");
  appender_.broken = false;
  EXPECT_EQ(post(message).status, 204);
}

}  // namespace
}  // namespace pipit
