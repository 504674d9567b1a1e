#pragma once

#include <gtest/gtest.h>

#include <bit>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "storage/store.h"
#include "telemetry/metrics.h"
#include "tests/temporary_folder.h"

namespace pipit {

/// Samples of a series: time and the value's bits.
using SampleList = std::vector<std::pair<TimestampMs, std::uint64_t>>;
using SeriesList = std::map<std::string, SampleList>;

inline std::uint64_t bits(double v) { return std::bit_cast<std::uint64_t>(v); }

/// What a select gives, by the series' text.
inline SeriesList select_all(const Queryable& store, const std::vector<Matcher>& matchers,
                             TimestampMs min_time = kMinTimestamp, TimestampMs max_time = kMaxTimestamp) {
  SymbolTable symbols;
  SeriesList found;
  auto cursor = store.select({matchers, min_time, max_time, nullptr}, symbols);
  EXPECT_TRUE(cursor.ok()) << cursor.error().message;
  for (;;) {
    auto more = (*cursor)->next();
    EXPECT_TRUE(more.ok()) << more.error().message;
    if (!more.ok() || !*more) return found;
    std::vector<Label> labels;
    for (const LabelPair& pair : (*cursor)->labels()) {
      labels.push_back({std::string(symbols.text(pair.name)), std::string(symbols.text(pair.value))});
    }
    const std::string text = Labels(labels).to_string();
    EXPECT_EQ(found.count(text), 0u) << text << " came twice";
    SampleList& samples = found[text];
    for (std::size_t i = 0; i < (*cursor)->times().size(); ++i) {
      samples.emplace_back((*cursor)->times()[i], bits((*cursor)->values()[i]));
    }
    EXPECT_FALSE(samples.empty());
  }
}

inline Matcher match(MatchType type, std::string name, std::string value) {
  return Matcher::make(type, std::move(name), std::move(value)).value();
}
inline std::vector<Matcher> metric(std::string name) { return {Matcher::equal("__name__", std::move(name))}; }

class StoreTest : public testing::Test {
 protected:
  void open() {
    auto opened = Store::open(options(), metrics_);
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    store_ = std::move(*opened);
  }
  void reopen() {
    store_.reset();
    open();
  }
  void checkpoint() {
    const Status status = store_->checkpoint();
    ASSERT_TRUE(status.ok()) << status.error().message;
  }
  StoreOptions options() const {
    StoreOptions options;
    options.path = folder_.path() / "pipit";
    options.retention = retention_;
    options.retention_bytes = retention_bytes_;
    return options;
  }
  /// Appends one sample, the series made if need be.
  AppendReport add(const Labels& labels, TimestampMs time, double value) {
    const SeriesRef ref = store_->series(labels).value();
    auto report = store_->append({{&ref, 1}, {&value, 1}, {&time, 1}});
    EXPECT_TRUE(report.ok()) << report.error().message;
    return *report;
  }

  TemporaryFolder folder_;
  MetricsRegistry metrics_;
  DurationMs retention_ = 0;
  std::uint64_t retention_bytes_ = 0;
  std::unique_ptr<Store> store_;
};

}  // namespace pipit
