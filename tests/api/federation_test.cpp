#include "api/federation.h"

#include <gtest/gtest.h>

#include <string>

#include "model/duration.h"
#include "query/engine.h"
#include "telemetry/metrics.h"
#include "tests/storage/memory_store.h"

namespace pipit {
namespace {

constexpr DurationMs kLookback = 300'000;

class FederationTest : public ::testing::Test {
 protected:
  HttpResponse ask(const std::string& parameters, const std::string& accept = "") {
    HttpRequest request;
    request.form_status = request.form.parse(parameters);
    request.accept = accept;
    return handle_federate(context_, request, kLookback);
  }
  /// The whole body, with the samples' time written T.
  std::string text(const std::string& parameters, const std::string& accept = "") {
    HttpResponse response = ask(parameters, accept);
    EXPECT_EQ(response.status, 200) << response.body;
    std::string body = response.body;
    while (response.rest && response.rest->next(body)) {
    }
    const std::string time = std::to_string(time_);
    for (std::size_t at = 0; (at = body.find(time, at)) != std::string::npos;) body.replace(at, time.size(), "T");
    return body;
  }
  void add(const Labels& labels, double value) { store_.add(labels, time_, value); }

  const TimestampMs time_ = now_ms() - 1000;
  MemoryStore store_;
  MetricsRegistry metrics_;
  Engine engine_{store_, EngineOptions(), metrics_};
  Labels external_{{"region", "eu"}, {"zone", "a"}};
  ServerContext context_{.engine = engine_,
                         .source = store_,
                         .store = nullptr,
                         .scraping = nullptr,
                         .metrics = metrics_,
                         .config_text = nullptr,
                         .flags = {},
                         .reload = nullptr,
                         .quit = nullptr,
                         .external_labels = [this] { return external_; }};
};

TEST_F(FederationTest, NewestSamplesComeSortedWithExternalLabels) {
  store_.add({{"__name__", "up"}, {"job", "b"}}, time_ - 5000, 0);
  add({{"__name__", "up"}, {"job", "b"}}, 1);
  add({{"__name__", "up"}, {"instance", "i"}, {"job", "a"}, {"zone", "its own"}}, 1e6);
  add({{"__name__", "build_info"}, {"text", "a \"quoted\" \\ \n"}}, 0.5);
  add({{"__name__", "else"}}, 1);
  EXPECT_EQ(text("match[]=up&match[]={job=\"a\"}&match[]=build_info"),
            "# TYPE build_info untyped\n"
            "build_info{text=\"a \\\"quoted\\\" \\\\ \\n\",instance=\"\",region=\"eu\",zone=\"a\"} 0.5 T\n"
            "# TYPE up untyped\n"
            "up{instance=\"i\",job=\"a\",zone=\"its own\",region=\"eu\"} 1e+06 T\n"
            "up{job=\"b\",instance=\"\",region=\"eu\",zone=\"a\"} 1 T\n");
}

TEST_F(FederationTest, ASeriesThatManySelectorsMatchComesOnce) {
  external_ = Labels();
  std::string selectors = "match[]=b";
  for (int i = 0; i < 50; ++i) selectors += "&match[]={job=~\"a|" + std::to_string(i) + "\"}";
  add({{"__name__", "b"}, {"job", "a"}}, 1);
  add({{"__name__", "a"}, {"job", "a"}}, 2);
  add({{"__name__", "a"}, {"job", "49"}}, 3);
  EXPECT_EQ(text(selectors),
            "# TYPE a untyped\na{job=\"49\",instance=\"\"} 3 T\na{job=\"a\",instance=\"\"} 2 T\n"
            "# TYPE b untyped\nb{job=\"a\",instance=\"\"} 1 T\n");
}

TEST_F(FederationTest, WhatIsStaleOrOldIsLeftOut) {
  external_ = Labels();
  add({{"__name__", "up"}, {"job", "stale"}}, stale_nan());
  store_.add({{"__name__", "up"}, {"job", "old"}}, time_ - kLookback, 1);
  EXPECT_EQ(text("match[]=up"), "");
  add({{"__name__", "up"}, {"job", "here"}}, 1);
  EXPECT_EQ(text("match[]=up"), "# TYPE up untyped\nup{job=\"here\",instance=\"\"} 1 T\n");
}

TEST_F(FederationTest, NamesAreWrittenAsTheClientReadsThem) {
  external_ = Labels();
  add({{"__name__", "http.status"}, {"größe", "x"}}, 1);
  EXPECT_EQ(text("match[]={\"http.status\"}"),
            "# TYPE http_status untyped\nhttp_status{gr__e=\"x\",instance=\"\"} 1 T\n");
  EXPECT_EQ(text("match[]={\"http.status\"}", "text/plain;version=1.0.0;escaping=allow-utf-8"),
            "# TYPE \"http.status\" untyped\n{\"http.status\",\"größe\"=\"x\",instance=\"\"} 1 T\n");
}

TEST_F(FederationTest, ManySeriesComeInPieces) {
  for (int i = 0; i < 2000; ++i) add({{"__name__", "up"}, {"job", std::to_string(i)}}, i);
  HttpResponse response = ask("match[]=up");
  std::string piece;
  ASSERT_TRUE(response.rest->next(piece));
  EXPECT_LT(piece.size(), 2 * BodySource::kPieceBytes);
}

TEST_F(FederationTest, SelectorsAreChecked) {
  add({{"__name__", "up"}}, 1);
  EXPECT_EQ(text(""), "");
  EXPECT_EQ(text("match[]={}"), "");
  EXPECT_EQ(ask("match[]=up{").status, 400);
  EXPECT_EQ(ask("match[]=").status, 400);
  EXPECT_EQ(ask("match[]=%zz").status, 400);
}

}  // namespace
}  // namespace pipit
