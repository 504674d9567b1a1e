#include "api/remote_read.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <snappy.h>

#include <string>

#include "model/sample.h"
#include "query/engine.h"
#include "telemetry/metrics.h"
#include "tests/api/remote_write_message.h"
#include "tests/storage/memory_store.h"

namespace pipit {
namespace {

using ::testing::HasSubstr;
using Message = RemoteWriteMessage;

std::string number_field(int field, std::uint64_t value) {
  std::string out;
  Message::put_varint(out, static_cast<std::uint64_t>(field) << 3);
  Message::put_varint(out, value);
  return out;
}

enum MatcherType { kEqual, kNotEqual, kRegex, kNotRegex };
std::string matcher(std::uint64_t type, std::string_view name, std::string_view value) {
  return Message::field(3, (type ? number_field(1, type) : "") + Message::field(2, name) + Message::field(3, value));
}

std::string query(TimestampMs start, TimestampMs end, const std::string& matchers) {
  return Message::field(1, number_field(1, static_cast<std::uint64_t>(start)) +
                               number_field(2, static_cast<std::uint64_t>(end)) + matchers);
}

std::string compress(const std::string& text) {
  std::string out;
  snappy::Compress(text.data(), text.size(), &out);
  return out;
}

class RemoteReadTest : public ::testing::Test {
 protected:
  RemoteReadTest() {
    for (TimestampMs t = 0; t <= 60'000; t += 15'000) {
      store_.add({{"__name__", "up"}, {"job", "a"}}, t, static_cast<double>(t) / 1000);
      store_.add({{"__name__", "up"}, {"job", "b"}, {"zone", "own"}}, t, t == 30'000 ? stale_nan() : 1);
    }
  }

  HttpResponse ask_raw(std::string body, std::uint64_t limit = 1000) {
    HttpRequest request;
    request.body = std::move(body);
    return handle_remote_read(context_, request, limit);
  }
  HttpResponse ask(const std::string& message, std::uint64_t limit = 1000) { return ask_raw(compress(message), limit); }

  /// The ReadResponse.
  std::string read(const std::string& message) {
    const HttpResponse response = ask(message);
    EXPECT_EQ(response.status, 200) << response.body;
    EXPECT_EQ(response.content_type, "application/x-protobuf");
    std::string out;
    EXPECT_TRUE(snappy::Uncompress(response.body.data(), response.body.size(), &out));
    return out;
  }

  MemoryStore store_;
  MetricsRegistry metrics_;
  Engine engine_{store_, EngineOptions(), metrics_};
  ServerContext context_{.engine = engine_,
                         .source = store_,
                         .store = nullptr,
                         .scraping = nullptr,
                         .metrics = metrics_,
                         .config_text = nullptr,
                         .flags = {},
                         .reload = nullptr,
                         .quit = nullptr,
                         .external_labels = [] {
                           return Labels{{"region", "eu"}, {"zone", "z"}};
                         }};
};

/// A TimeSeries of a QueryResult, and a QueryResult of a ReadResponse.
std::string result(const std::string& series) { return Message::field(1, series); }
std::string series(const std::string& fields) { return Message::field(1, fields); }

TEST_F(RemoteReadTest, SamplesComeWithExternalLabels) {
  const std::string a =
      series(Message::label("__name__", "up") + Message::label("job", "a") + Message::label("region", "eu") +
             Message::label("zone", "z") + Message::sample(15'000, 15) + Message::sample(30'000, 30));
  const std::string b =
      series(Message::label("__name__", "up") + Message::label("job", "b") + Message::label("region", "eu") +
             Message::label("zone", "own") + Message::sample(15'000, 1) + Message::sample(30'000, stale_nan()));
  EXPECT_EQ(read(query(1, 30'000, matcher(kEqual, "__name__", "up"))), result(a + b));
  EXPECT_EQ(read(query(1, 30'000, matcher(kRegex, "job", "a|c") + matcher(kEqual, "region", "eu"))), result(a));
  EXPECT_EQ(read(query(1, 30'000, matcher(kNotEqual, "job", "a") + matcher(kNotRegex, "job", "c.*"))), result(b));
}

TEST_F(RemoteReadTest, EachQueryHasAResult) {
  EXPECT_EQ(read(query(0, 0, matcher(kEqual, "job", "none")) + query(0, 0, "")), result("") + result(""));
  EXPECT_EQ(read(""), "");
}

TEST_F(RemoteReadTest, SamplesAreAnsweredToWhoTakesThem) {
  const std::string both = Message::field(2, std::string("\x01\x00", 2));
  EXPECT_EQ(ask(query(0, 1, "") + both).status, 200);
  EXPECT_EQ(ask(query(0, 1, "") + number_field(2, 1) + number_field(2, 0)).status, 200);
  const HttpResponse only_chunks = ask(query(0, 1, "") + number_field(2, 1));
  EXPECT_EQ(only_chunks.status, 400);
  EXPECT_THAT(only_chunks.body, HasSubstr("server does not support any of the requested response types"));
}

TEST_F(RemoteReadTest, LimitsHold) {
  const std::string all = query(0, 60'000, matcher(kEqual, "__name__", "up"));
  EXPECT_EQ(ask(all, 10).status, 200);
  const HttpResponse refused = ask(all, 9);
  EXPECT_EQ(refused.status, 400);
  EXPECT_EQ(refused.body, "exceeded sample limit (9)\n");
}

TEST_F(RemoteReadTest, TooManyMatchersAreRefusedBeforeTheyFillTheMemory) {
  std::string matchers;
  for (int i = 0; i < 6'000; ++i) matchers += matcher(kNotEqual, "job", "");
  EXPECT_EQ(ask(query(0, 1, matchers)).status, 200);
  const HttpResponse refused = ask(query(0, 1, matchers) + query(0, 1, matchers));
  EXPECT_EQ(refused.status, 400);
  EXPECT_EQ(refused.body, "remote read: too many matchers in one request\n");
}

TEST_F(RemoteReadTest, BrokenBodiesAreRefused) {
  EXPECT_EQ(ask_raw("").status, 400);
  EXPECT_EQ(ask_raw("\xff\xff\xff\xff\x0fxxxx").status, 400);
  const std::string good = query(0, 60'000, matcher(kRegex, "job", "a.*"));
  for (std::size_t size = 1; size < good.size(); ++size) EXPECT_EQ(ask(good.substr(0, size)).status, 400) << size;
  EXPECT_EQ(ask(query(0, 1, matcher(kRegex, "job", "("))).status, 400);
  EXPECT_EQ(ask(query(0, 1, matcher(7, "job", "a"))).status, 400);
}

}  // namespace
}  // namespace pipit
