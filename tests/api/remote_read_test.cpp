#include "api/remote_read.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <snappy.h>

#include <string>

#include "model/crc32c.h"
#include "model/sample.h"
#include "model/xor_chunk.h"
#include "query/engine.h"
#include "storage/coding.h"
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
    return handle_remote_read(context_, request, {.samples = limit, .bytes_in_frame = bytes_in_frame_});
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

  std::size_t bytes_in_frame_ = 1u << 20;
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

TEST_F(RemoteReadTest, TheFirstKnownTypeIsAnswered) {
  const std::string question = query(0, 1, matcher(kEqual, "job", "a"));
  const auto type_of = [&](const std::string& types) { return ask(question + types).content_type; };
  const std::string samples = "application/x-protobuf";
  const std::string stream = "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse";
  EXPECT_EQ(type_of(""), samples);
  EXPECT_EQ(type_of(Message::field(2, std::string("\x01\x00", 2))), stream);
  EXPECT_EQ(type_of(number_field(2, 0) + number_field(2, 1)), samples);
  EXPECT_EQ(type_of(number_field(2, 7) + number_field(2, 1)), stream);
  const HttpResponse unknown = ask(question + number_field(2, 7));
  EXPECT_EQ(unknown.status, 400);
  EXPECT_THAT(unknown.body, HasSubstr("server does not support any of the requested response types"));
}

/// A streamed answer as text: `query labels min..max: times`, a line for each chunk, with an empty line behind each
/// frame.
std::string describe_stream(const HttpResponse& response) {
  std::string bytes = response.body;
  if (response.rest) {
    while (response.rest->next(bytes)) {
    }
  }
  std::string text;
  ByteReader frames(bytes);
  while (!frames.done()) {
    std::uint64_t size;
    std::string_view crc;
    std::string_view message;
    if (!frames.varint(size) || !frames.bytes(4, crc) || !frames.bytes(size, message)) return text + "cut off";
    if (big_endian32(crc.data()) != crc32c(message)) return text + "checksum";
    std::string labels;
    std::vector<std::string> chunks;
    std::uint64_t query = 0;
    std::uint8_t tag;
    ByteReader fields(message);
    while (fields.byte(tag)) {
      std::string_view series;
      if (tag == 0x10 ? !fields.varint(query) : !fields.text(series)) return text + "frame";
      ByteReader parts(series);
      std::string_view part;
      while (parts.byte(tag) && parts.text(part)) {
        ByteReader inner(part);
        if (tag == 0x0a) {
          std::string_view name;
          std::string_view value;
          inner.byte(tag);
          inner.text(name);
          inner.byte(tag);
          inner.text(value);
          labels.append(" ").append(name).append("=").append(value);
          continue;
        }
        std::uint64_t number[4] = {};
        std::string_view data;
        while (inner.byte(tag) && (tag == 0x22 ? inner.text(data) : inner.varint(number[tag >> 3]))) {
        }
        std::vector<TimestampMs> times;
        std::vector<double> values;
        if (number[3] != 1 || !decode_xor_chunk(data, times, values)) return text + "chunk";
        chunks.push_back(std::to_string(number[1]) + ".." + std::to_string(number[2]) + ":");
        for (std::size_t i = 0; i < times.size() && times.size() < 10; ++i) {
          chunks.back() += " " + std::to_string(times[i]) + "=" +
                           (is_stale_nan(values[i]) ? "stale" : std::to_string(static_cast<int>(values[i])));
        }
      }
    }
    for (const std::string& chunk : chunks) text += std::to_string(query) + labels + " " + chunk + "\n";
    text += "\n";
  }
  return text;
}

TEST_F(RemoteReadTest, ChunksAreStreamedInTheOrderOfLabels) {
  store_.add({{"__name__", "up"}, {"job", "0"}}, 15'000, 7);
  const std::string types = number_field(2, 1);
  const std::string text = describe_stream(ask(query(1, 30'000, matcher(kEqual, "__name__", "up")) +
                                               query(60'000, 60'000, matcher(kEqual, "job", "a")) +
                                               query(0, 1, matcher(kEqual, "job", "none")) + types));
  EXPECT_EQ(text,
            "0 __name__=up job=0 region=eu zone=z 15000..15000: 15000=7\n\n"
            "0 __name__=up job=a region=eu zone=z 15000..30000: 15000=15 30000=30\n\n"
            "0 __name__=up job=b region=eu zone=own 15000..30000: 15000=1 30000=stale\n\n"
            "1 __name__=up job=a region=eu zone=z 60000..60000: 60000=60\n\n");
}

TEST_F(RemoteReadTest, LongSeriesAreSpreadOverChunksAndFrames) {
  for (TimestampMs t = 1; t <= 300; ++t) store_.add({{"__name__", "m"}}, t * 1000, static_cast<double>(t));
  const std::string question = query(1, 300'000, matcher(kEqual, "__name__", "m")) + number_field(2, 1);
  const std::string head = "0 __name__=m region=eu zone=z ";
  EXPECT_EQ(describe_stream(ask(question)),
            head + "1000..120000:\n" + head + "121000..240000:\n" + head + "241000..300000:\n\n");
  bytes_in_frame_ = 1;
  EXPECT_EQ(describe_stream(ask(question)),
            head + "1000..120000:\n\n" + head + "121000..240000:\n\n" + head + "241000..300000:\n\n");
}

TEST(Crc32cTest, IsCastagnolis) { EXPECT_EQ(crc32c("123456789"), 0xe3069283u); }

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
