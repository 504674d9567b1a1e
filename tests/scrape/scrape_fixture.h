#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "config/config.h"
#include "scrape/scrape_manager.h"
#include "telemetry/metrics.h"
#include "tests/scrape/page_server.h"
#include "tests/storage/memory_store.h"

namespace pipit {

/// A manager over a store in memory, and words for what a test wants to know of it.
class ScrapeFixture : public ::testing::Test {
 protected:
  static constexpr DurationMs kInterval = 50;

  static ScrapeConfig job(const std::string& address, const std::string& name = "test") {
    ScrapeConfig config;
    config.job_name = name;
    config.scrape_interval = kInterval;
    config.scrape_timeout = kInterval;
    config.static_configs = {{{address}, {}}};
    return config;
  }

  void apply(std::vector<ScrapeConfig> jobs) {
    if (!manager) manager = std::make_unique<ScrapeManager>(store, metrics, options);
    Config config;
    config.scrape_configs = std::move(jobs);
    manager->apply(config);
  }

  template <class Condition>
  static bool wait_for(Condition condition) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!condition()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return true;
  }

  /// The samples of all series of a metric whose labels print as `series`, or of the metric when it is only a name.
  std::vector<std::pair<TimestampMs, double>> samples(const std::string& series) const {
    SymbolTable symbols;
    SelectRequest request;
    const std::vector<Matcher> matchers = {Matcher::equal("__name__", series.substr(0, series.find('{')))};
    request.matchers = matchers;
    auto cursor = store.select(request, symbols).value();
    std::vector<std::pair<TimestampMs, double>> out;
    while (cursor->next().value()) {
      std::vector<Label> labels;
      for (LabelPair pair : cursor->labels()) {
        labels.push_back({std::string(symbols.text(pair.name)), std::string(symbols.text(pair.value))});
      }
      if (series.find('{') != std::string::npos && Labels(labels).to_string() != series) continue;
      for (std::size_t i = 0; i < cursor->times().size(); ++i) {
        out.emplace_back(cursor->times()[i], cursor->values()[i]);
      }
    }
    return out;
  }

  bool has(const std::string& series, double value) const {
    auto all = samples(series);
    return std::any_of(all.begin(), all.end(), [&](const auto& s) { return s.second == value; });
  }

  bool is_stale(const std::string& series) const {
    auto all = samples(series);
    return !all.empty() && is_stale_nan(all.back().second);
  }

  std::size_t count(const std::string& series) const { return samples(series).size(); }

  /// Waits until the first target's error is `expected`; returns the last one that was seen. A busy machine may put a
  /// timeout before it.
  std::string error_after_waiting_for(const std::string& expected) const {
    std::string error;
    wait_for([&] {
      auto targets = manager->active_targets();
      if (!targets.empty() && !targets.front().last_error.empty()) error = targets.front().last_error;
      return error == expected;
    });
    return error;
  }

  /// The error of the first target once it has one.
  std::string first_error() const {
    std::string error;
    wait_for([&] {
      auto targets = manager->active_targets();
      if (!targets.empty()) error = targets.front().last_error;
      return !error.empty();
    });
    return error;
  }

  double metric(const std::string& line_start) const {
    const std::string page = metrics.render();
    const auto at = page.find("\n" + line_start + " ");
    return at == std::string::npos ? -1 : std::stod(page.substr(at + line_start.size() + 2));
  }

  MemoryStore store;
  MetricsRegistry metrics;
  ScrapeOptions options;
  std::unique_ptr<ScrapeManager> manager;
};

}  // namespace pipit
