#include "remote/merged_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <snappy.h>

#include "api/remote_read.h"
#include "config/config.h"
#include "model/crc32c.h"
#include "query/engine.h"
#include "remote/read_message.h"
#include "storage/partial_selection.h"
#include "storage/protobuf.h"
#include "tests/scrape/page_server.h"
#include "tests/scrape/request_stream.h"
#include "tests/storage/memory_store.h"
#include "tests/storage/store_fixture.h"

namespace pipit {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

/// A store, and another database that Pipit's own remote read serves.
class MergedSourceTest : public StoreTest {
 protected:
  void SetUp() override {
    open();
    server_ = std::make_unique<PageServer>(PageServer::RawScript([this](int fd) { serve(fd); }));
    source_ = std::make_unique<MergedSource>(*store_, metrics_, "test");
  }

  void configure(const std::string& more = "", const std::string& global = "") {
    auto config =
        parse_config(global + "remote_read:\n- url: http://" + server_->address() + "/read\n" + more, "t.yml");
    ASSERT_TRUE(config.ok()) << config.error().message;
    source_->apply(config->remote_reads, config->external_labels);
  }

  /// Answers remote reads from `other_`.
  void serve(int fd) {
    RequestStream requests(fd);
    while (requests.next()) {
      HttpRequest request;
      request.body = requests.body;
      ++asked_;
      HttpResponse response;
      if (broken_) {
        response.status = 500;
        response.body = "no\n";
      } else {
        response = handle_remote_read(context_, request, {});
        while (response.rest && response.rest->next(response.body)) {
        }
      }
      if (!requests.answer(
              "HTTP/1.1 " + std::to_string(response.status) + " X\r\nContent-Type: " + response.content_type +
              "\r\nContent-Length: " + std::to_string(response.body.size()) + "\r\n\r\n" + response.body)) {
        return;
      }
    }
  }

  MemoryStore other_;
  MetricsRegistry other_metrics_;
  Engine engine_{other_, EngineOptions(), other_metrics_};
  ServerContext context_{.engine = engine_,
                         .source = other_,
                         .store = nullptr,
                         .scraping = nullptr,
                         .metrics = other_metrics_,
                         .config_text = nullptr,
                         .flags = {},
                         .reload = nullptr,
                         .quit = nullptr};
  std::atomic<int> asked_{0};
  std::atomic<bool> broken_{false};
  std::unique_ptr<PageServer> server_;
  std::unique_ptr<MergedSource> source_;
};

TEST_F(MergedSourceTest, SeriesOfBothAreOne) {
  const Labels both{{"__name__", "up"}, {"job", "a"}};
  for (TimestampMs t = 1; t <= 4; ++t) other_.add(both, t * 1000, 10.0 + static_cast<double>(t));
  other_.add({{"__name__", "up"}, {"job", "there"}}, 1000, 5);
  add(both, 3000, 1);
  add(both, 5000, 2);
  add({{"__name__", "up"}, {"job", "here"}}, 3000, 7);
  configure("  read_recent: true\n");
  const auto found = select_all(*source_, metric("up"));
  EXPECT_THAT(found, SizeIs(3));
  EXPECT_EQ(found.at("up{job=\"a\"}"),
            (SampleList{{1000, bits(11)}, {2000, bits(12)}, {3000, bits(1)}, {4000, bits(14)}, {5000, bits(2)}}));
  EXPECT_EQ(found.at("up{job=\"there\"}"), (SampleList{{1000, bits(5)}}));
  EXPECT_EQ(found.at("up{job=\"here\"}"), (SampleList{{3000, bits(7)}}));
}

TEST_F(MergedSourceTest, OnlyWhatIsOlderThanTheStoreIsReadByDefault) {
  const Labels up{{"__name__", "up"}};
  for (TimestampMs t = 1; t <= 4; ++t) other_.add(up, t * 1000, 9);
  add(up, 3000, 1);
  configure();
  EXPECT_EQ(select_all(*source_, metric("up")).at("up"),
            (SampleList{{1000, bits(9)}, {2000, bits(9)}, {3000, bits(1)}}));
  EXPECT_EQ(asked_, 1);
  EXPECT_THAT(select_all(*source_, metric("up"), 3000, 4000), SizeIs(1));
  EXPECT_EQ(asked_, 1) << "the store has it all";
}

TEST_F(MergedSourceTest, ExternalLabelsAndRequiredMatchersAreHeeded) {
  other_.add({{"__name__", "up"}, {"region", "eu"}}, 1000, 1);
  other_.add({{"__name__", "up"}, {"region", "us"}}, 1000, 2);
  configure("  read_recent: true\n  required_matchers: {__name__: up}\n", "global: {external_labels: {region: eu}}\n");
  EXPECT_EQ(select_all(*source_, metric("up")), (SeriesList{{"up", {{1000, bits(1)}}}}));
  const std::vector<Matcher> us = {Matcher::equal("__name__", "up"), Matcher::equal("region", "us")};
  EXPECT_EQ(select_all(*source_, us), (SeriesList{{"up{region=\"us\"}", {{1000, bits(2)}}}}));
  const int asked = asked_;
  EXPECT_THAT(select_all(*source_, {match(MatchType::regex, "__name__", "up.*")}), IsEmpty());
  EXPECT_EQ(asked_, asked);
}

TEST_F(MergedSourceTest, ADatabaseThatFailsIsAWarning) {
  add({{"__name__", "up"}}, 3000, 1);
  broken_ = true;
  configure("  read_recent: true\n");
  EXPECT_THAT(select_all(*source_, metric("up")), SizeIs(1));
  SymbolTable symbols;
  const auto matchers = metric("up");
  auto cursor = source_->select({.matchers = matchers}, symbols);
  ASSERT_TRUE(cursor.ok());
  const auto* partial = dynamic_cast<const PartialSelection*>(cursor->get());
  ASSERT_NE(partial, nullptr);
  ASSERT_THAT(partial->warnings(), SizeIs(1));
  EXPECT_THAT(partial->warnings()[0], HasSubstr("remote read: server returned HTTP status 500 X: no"));
}

TEST_F(MergedSourceTest, WithoutRemoteReadItIsTheStore) {
  add({{"__name__", "up"}}, 3000, 1);
  EXPECT_THAT(select_all(*source_, metric("up")), SizeIs(1));
  SymbolTable symbols;
  const auto matchers = metric("up");
  EXPECT_NE(source_->select_shared({.matchers = matchers}, symbols)->get(), nullptr);
  configure("  read_recent: true\n");
  EXPECT_EQ(source_->select_shared({.matchers = matchers}, symbols)->get(), nullptr);
}

TEST(ReadMessageTest, DamagedAnswersAreRefused) {
  for (const std::string_view body : {"", "x", "\x05xxxx", "\xff\xff\xff\xff\x7f"}) {
    static_cast<void>(decode_read_response(body, 0, 1, {}));
  }
  EXPECT_FALSE(decode_read_stream(std::string_view("\x03\x00\x00\x00\x00zzz", 8), 0, 1, {}).ok());
  EXPECT_FALSE(decode_read_stream("\xff\xff\xff\xff\x7f", 0, 1, {}).ok());
  EXPECT_TRUE(decode_read_stream("", 0, 1, {}).ok());
}

/// Messages of two bytes can ask for a hundred: what an answer takes is bounded, not how long it is.
TEST(ReadMessageTest, AnswersThatWouldTakeTheRamAreRefused) {
  std::string empty_series;
  for (int i = 0; i < 200'000; ++i) protobuf::put_bytes(empty_series, 1, "");
  std::string labels;
  for (int i = 0; i < 200'000; ++i) protobuf::put_bytes(labels, 1, "");
  std::string samples;
  for (int i = 1; i < 200'000; ++i) {
    std::string sample;
    protobuf::put_number(sample, 2, static_cast<std::uint64_t>(i));
    protobuf::put_bytes(samples, 2, sample);
  }
  const auto wrapped = [](const std::string& message) {
    std::string out;
    protobuf::put_bytes(out, 1, message);
    return out;
  };
  const ReadAnswerLimits limits{.answer_bytes = 1 << 20};
  for (const std::string& message : {wrapped(empty_series), wrapped(wrapped(labels)), wrapped(wrapped(samples))}) {
    std::string body;
    snappy::Compress(message.data(), message.size(), &body);
    EXPECT_TRUE(decode_read_response(body, 0, 1'000'000, {}).ok());
    const auto refused = decode_read_response(body, 0, 1'000'000, limits);
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().message,
              "the answer to a remote read takes more than 1 MB; ask for fewer series or less time");
  }
  for (const std::string& message : {wrapped(labels), [&] {
                                       std::string many;
                                       for (int i = 0; i < 20'000; ++i) {
                                         std::string label;
                                         protobuf::put_bytes(label, 1, "n");
                                         protobuf::put_bytes(label, 2, std::to_string(i));
                                         protobuf::put_bytes(many, 1, wrapped(label));
                                       }
                                       return many;
                                     }()}) {
    std::string frame;
    put_varint(frame, message.size());
    put_big_endian32(frame, crc32c(message));
    frame += message;
    EXPECT_TRUE(decode_read_stream(frame, 0, 1, {}).ok());
    EXPECT_FALSE(decode_read_stream(frame, 0, 1, limits).ok());
  }
}

}  // namespace
}  // namespace pipit
