#include "scrape/scrape_manager.h"

#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <mutex>

#include "tests/scrape/scrape_fixture.h"

namespace pipit {
namespace {

RelabelConfig relabel_step(RelabelAction action, std::vector<std::string> source, const std::string& regex,
                           const std::string& target = "", const std::string& replacement = "$1") {
  RelabelConfig step;
  step.source_labels = std::move(source);
  step.regex = Regex::compile(regex).value();
  step.target_label = target;
  step.replacement = replacement;
  step.action = action;
  return step;
}

/// One target whose page a test changes as it goes.
class ScrapeManagerTest : public ScrapeFixture {
 protected:
  ~ScrapeManagerTest() override { manager.reset(); }

  void set_page(std::string page) {
    std::lock_guard lock(page_mutex_);
    page_ = std::move(page);
  }
  /// Waits until the target has been scraped `n` more times, wholly after this call.
  void wait_scrapes(int n = 1) {
    const std::size_t before = count("up" + labels());
    ASSERT_TRUE(wait_for([&] { return count("up" + labels()) > before + static_cast<std::size_t>(n); }));
  }
  std::string labels() const { return "{instance=\"" + server_.address() + "\", job=\"test\"}"; }
  ScrapeConfig the_job() const { return job(server_.address()); }
  /// For tests in which no scrape may fail, busy as the machine may be.
  ScrapeConfig patient_job() const {
    auto config = the_job();
    config.scrape_interval = config.scrape_timeout = 250;
    return config;
  }

  std::mutex page_mutex_;
  std::string page_ = "a 1\n";
  PageServer server_{[this](const std::string&, PageServer::Peer& peer) {
    std::lock_guard lock(page_mutex_);
    return page_.empty() ? peer.send("HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n")
                         : peer.send(PageServer::ok(page_));
  }};
};

TEST_F(ScrapeManagerTest, StoresSamplesAndTheReportAtOneTime) {
  set_page("# HELP a Some help.\n# TYPE a counter\na 1\nb{x=\"y\"} 2.5\n");
  apply({patient_job()});
  wait_scrapes();
  EXPECT_TRUE(has("a" + labels(), 1));
  EXPECT_TRUE(has("b{instance=\"" + server_.address() + "\", job=\"test\", x=\"y\"}", 2.5));
  EXPECT_TRUE(has("up" + labels(), 1));
  EXPECT_TRUE(has("scrape_samples_scraped" + labels(), 2));
  EXPECT_TRUE(has("scrape_samples_post_metric_relabeling" + labels(), 2));
  EXPECT_TRUE(has("scrape_series_added" + labels(), 2));
  EXPECT_TRUE(has("scrape_series_added" + labels(), 0));
  const auto duration = samples("scrape_duration_seconds" + labels());
  EXPECT_GT(duration.front().second, 0);
  EXPECT_LT(duration.front().second, 0.5);
  EXPECT_EQ(samples("a").front().first, samples("up").front().first);
  const auto metadata = store.metadata("a", 0).value();
  ASSERT_EQ(metadata.size(), 1U);
  EXPECT_EQ(metadata[0].metadata, (Metadata{MetricType::counter, "Some help.", ""}));
  const auto target = manager->active_targets().front();
  EXPECT_EQ(target.scrape_url, "http://" + server_.address() + "/metrics");
  EXPECT_EQ(target.scrape_pool, "test");
  EXPECT_EQ(target.labels.to_string(), labels());
  EXPECT_EQ(target.discovered_labels.get("__address__"), server_.address());
  EXPECT_GT(target.last_scrape, 0);
  EXPECT_GE(metric("pipit_scrapes_total{result=\"success\"}"), 1);
  EXPECT_EQ(metric("pipit_scrape_pool_targets{scrape_job=\"test\"}"), 1);
  EXPECT_EQ(metric("pipit_scrape_cached_series"), 2);
}

TEST_F(ScrapeManagerTest, ScrapesAreOnTheSlotsOfTheTarget) {
  auto config = the_job();
  config.scrape_interval = config.scrape_timeout = 200;
  apply({config});
  ASSERT_TRUE(wait_for([&] { return count("up") >= 4; }));
  const auto times = samples("up");
  int aligned = 0;
  for (std::size_t i = 1; i < times.size(); ++i) {
    aligned += times[i].first % 200 == times[0].first % 200 ? 1 : 0;
    EXPECT_LE(times[i].first - times[i - 1].first, 1000);
  }
  EXPECT_GE(aligned, 1);
}

TEST_F(ScrapeManagerTest, SeriesThatVanishGetStaleMarkers) {
  set_page("a 1\nb 2\n");
  apply({patient_job()});
  ASSERT_TRUE(wait_for([&] { return has("b", 2); }));
  set_page("a 1\n");
  ASSERT_TRUE(wait_for([&] { return is_stale("b"); }));
  EXPECT_FALSE(is_stale("a"));
  const std::size_t with_marker = count("b");
  wait_scrapes(2);
  EXPECT_EQ(count("b"), with_marker);
  set_page("a 1\nb 3\n");
  EXPECT_TRUE(wait_for([&] { return has("b", 3); }));
}

TEST_F(ScrapeManagerTest, ATargetThatFailsEndsItsSeriesOnce) {
  apply({patient_job()});
  ASSERT_TRUE(wait_for([&] { return has("a", 1); }));
  set_page("");
  ASSERT_TRUE(wait_for([&] { return has("up", 0); }));
  EXPECT_TRUE(is_stale("a"));
  EXPECT_FALSE(is_stale("up"));
  const std::size_t with_marker = count("a");
  wait_scrapes(2);
  EXPECT_EQ(count("a"), with_marker);
  set_page("a 5\n");
  EXPECT_TRUE(wait_for([&] { return has("a", 5); }));
  EXPECT_EQ(manager->active_targets().front().last_error, "");
}

TEST_F(ScrapeManagerTest, APageThatBreaksStoresNothingAndEndsTheSeries) {
  set_page("a 1\nb 1\n");
  apply({the_job()});
  ASSERT_TRUE(wait_for([&] { return has("b", 1); }));
  set_page("a 77\nb{ 1\n");
  ASSERT_TRUE(wait_for([&] { return has("up", 0); }));
  EXPECT_FALSE(has("a", 77));
  EXPECT_TRUE(is_stale("a"));
  EXPECT_TRUE(is_stale("b"));
  const std::string expected = "line 2: expected label name, got \"1\"";
  EXPECT_EQ(error_after_waiting_for(expected), expected);
}

TEST_F(ScrapeManagerTest, ARemovedTargetEndsAllItsSeries) {
  apply({the_job()});
  ASSERT_TRUE(wait_for([&] { return has("a", 1); }));
  apply({});
  EXPECT_TRUE(is_stale("a"));
  EXPECT_TRUE(is_stale("up"));
  EXPECT_TRUE(is_stale("scrape_series_added"));
  EXPECT_TRUE(manager->active_targets().empty());
  EXPECT_EQ(metric("pipit_scrape_pool_targets{scrape_job=\"test\"}"), 0);
}

TEST_F(ScrapeManagerTest, AStoppedServerEndsNothing) {
  apply({the_job()});
  ASSERT_TRUE(wait_for([&] { return has("a", 1); }));
  manager->stop();
  EXPECT_FALSE(is_stale("a"));
  EXPECT_FALSE(is_stale("up"));
  const std::size_t before = count("up");
  apply({the_job()});
  EXPECT_EQ(count("up"), before);
}

TEST_F(ScrapeManagerTest, ExplicitTimestampsAreKeptAndGetNoStaleMarkers) {
  set_page("a 1 1000\nb 2\n");
  apply({the_job()});
  ASSERT_TRUE(wait_for([&] { return has("b", 2); }));
  EXPECT_EQ(samples("a").front().first, 1000);
  set_page("b 2\n");
  wait_scrapes(2);
  EXPECT_FALSE(is_stale("a"));
  EXPECT_EQ(count("a"), 1U);
}

TEST_F(ScrapeManagerTest, TrackedTimestampsGetStaleMarkers) {
  auto config = the_job();
  config.track_timestamps_staleness = true;
  set_page("a 1 1000\nb 2\n");
  apply({config});
  ASSERT_TRUE(wait_for([&] { return has("a", 1); }));
  set_page("b 2\n");
  EXPECT_TRUE(wait_for([&] { return is_stale("a"); }));
}

TEST_F(ScrapeManagerTest, TimestampsAreIgnoredWhereNotHonored) {
  auto config = the_job();
  config.honor_timestamps = false;
  set_page("a 1 1000\n");
  apply({config});
  ASSERT_TRUE(wait_for([&] { return has("a", 1); }));
  EXPECT_EQ(samples("a").front().first, samples("up").front().first);
  set_page("b 1 1000\n");
  EXPECT_TRUE(wait_for([&] { return is_stale("a"); }));
}

TEST_F(ScrapeManagerTest, RefusedSamplesAreCounted) {
  set_page("a 1 1000\nb 1\nb 2\nc 1 99999999999999\n");
  apply({patient_job()});
  ASSERT_TRUE(wait_for([&] { return has("a", 1); }));
  set_page("a 1 900\nb 1\n");
  EXPECT_TRUE(wait_for([&] { return metric("pipit_scrape_samples_out_of_order_total") >= 1; }));
  EXPECT_GE(metric("pipit_scrape_samples_duplicate_timestamp_total"), 1);
  EXPECT_GE(metric("pipit_scrape_samples_out_of_bounds_total"), 1);
  EXPECT_FALSE(has("b", 2));
  EXPECT_EQ(count("c"), 0U);
  EXPECT_FALSE(has("up", 0));
}

TEST_F(ScrapeManagerTest, HonorLabelsDecidesWhoseLabelsWin) {
  set_page("a{job=\"page\",exported_job=\"taken\"} 1\nb{instance=\"\"} 1\n");
  auto honest = job(server_.address(), "honest");
  honest.honor_labels = true;
  apply({the_job(), honest});
  ASSERT_TRUE(
      wait_for([&] { return count("a") > 0 && has("up{instance=\"" + server_.address() + "\", job=\"honest\"}", 1); }));
  ASSERT_TRUE(wait_for([&] { return has("up" + labels(), 1); }));
  const std::string instance = "instance=\"" + server_.address() + "\", ";
  EXPECT_TRUE(has("a{exported_exported_job=\"page\", exported_job=\"taken\", " + instance + "job=\"test\"}", 1));
  EXPECT_TRUE(has("a{exported_job=\"taken\", " + instance + "job=\"page\"}", 1));
  EXPECT_TRUE(has("b" + labels(), 1));
  EXPECT_TRUE(has("b{job=\"honest\"}", 1));
}

TEST_F(ScrapeManagerTest, BucketAndQuantileLabelsAreWrittenAsOpenMetricsWritesNumbers) {
  set_page(
      "# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"0.5\"} 1\nh_bucket{le=\"1000000\"} "
      "1\nh_bucket{le=\"+Inf\"} 1\n"
      "# TYPE s summary\ns{quantile=\"1\",le=\"1\"} 1\n# TYPE g gauge\ng{le=\"1\",quantile=\"1\"} 1\n");
  apply({the_job()});
  ASSERT_TRUE(wait_for([&] { return has("up" + labels(), 1); }));
  const std::string instance = "instance=\"" + server_.address() + "\", job=\"test\", ";
  EXPECT_TRUE(has("h_bucket{" + instance + "le=\"1.0\"}", 1));
  EXPECT_TRUE(has("h_bucket{" + instance + "le=\"0.5\"}", 1));
  EXPECT_TRUE(has("h_bucket{" + instance + "le=\"1e+06\"}", 1));
  EXPECT_TRUE(has("h_bucket{" + instance + "le=\"+Inf\"}", 1));
  EXPECT_TRUE(has("s{" + instance + "le=\"1\", quantile=\"1.0\"}", 1));
  EXPECT_TRUE(has("g{" + instance + "le=\"1\", quantile=\"1\"}", 1));
}

TEST_F(ScrapeManagerTest, MetricRelabellingRenamesAndDrops) {
  auto config = patient_job();
  config.metric_relabel_configs = {
      relabel_step(RelabelAction::drop, {"__name__"}, "drop_.*"),
      relabel_step(RelabelAction::replace, {"__name__"}, "old_(.*)", "__name__", "new_$1")};
  set_page("drop_me 1\nold_a 2\nb 3\n");
  apply({config});
  wait_scrapes(2);
  EXPECT_EQ(count("drop_me"), 0U);
  EXPECT_EQ(count("old_a"), 0U);
  EXPECT_TRUE(has("new_a", 2));
  EXPECT_TRUE(has("scrape_samples_scraped", 3));
  EXPECT_TRUE(has("scrape_samples_post_metric_relabeling", 2));
  EXPECT_TRUE(has("scrape_series_added", 2));
  // Other rules: the series that they no longer make end, the others go on.
  config.metric_relabel_configs.pop_back();
  apply({config});
  EXPECT_TRUE(wait_for([&] { return is_stale("new_a") && has("old_a", 2); }));
  EXPECT_FALSE(is_stale("b"));
  EXPECT_EQ(server_.connections(), 1);
}

struct LimitCase {
  const char* name;
  std::uint64_t ScrapeConfig::*limit;
  std::uint64_t value;
  const char* error;
};

TEST_F(ScrapeManagerTest, LimitsFailTheWholeScrape) {
  const LimitCase cases[] = {
      {"samples", &ScrapeConfig::sample_limit, 2, "sample limit exceeded"},
      {"labels", &ScrapeConfig::label_limit, 3,
       "line 3: label_limit exceeded (metric: c, number of labels: 4, limit: 3)"},
      {"names", &ScrapeConfig::label_name_length_limit, 8,
       "line 3: label_name_length_limit exceeded (metric: c, label name: a_long_name, length: 11, limit: 8)"},
      {"values", &ScrapeConfig::label_value_length_limit, 20,
       "line 3: label_value_length_limit exceeded (metric: c, label name: a_long_name, value: "
       "\"a value over the limit\", length: 22, limit: 20)"},
      {"body", &ScrapeConfig::body_size_limit, 20, nullptr},
      {"targets", &ScrapeConfig::target_limit, 1, "target_limit exceeded (number of targets: 2, limit: 1)"},
  };
  set_page("a 1\nb 1\nc{a_long_name=\"a value over the limit\"} 1\n");
  for (const LimitCase& c : cases) {
    auto config = job(server_.address(), c.name);
    config.*c.limit = c.value;
    if (c.limit == &ScrapeConfig::target_limit) config.static_configs.push_back({{"127.0.0.1:1"}, {}});
    apply({config});
    const std::string expected =
        c.error != nullptr ? c.error : "Get \"http://" + server_.address() + "/metrics\": body size limit exceeded";
    EXPECT_EQ(error_after_waiting_for(expected), expected);
    EXPECT_EQ(count("a{instance=\"" + server_.address() + "\", job=\"" + c.name + "\"}"), 0U);
  }
  EXPECT_GE(metric("pipit_scrape_sample_limit_exceeded_total"), 1);
}

TEST_F(ScrapeManagerTest, AnAddressThatMakesNoSenseIsDown) {
  apply({job("127.0.0.1:91OO", "typo")});
  const std::string expected = "invalid port \"91OO\" in \"http://127.0.0.1:91OO/metrics\"";
  EXPECT_EQ(error_after_waiting_for(expected), expected);
  EXPECT_TRUE(has("up{instance=\"127.0.0.1:91OO\", job=\"typo\"}", 0));
}

TEST_F(ScrapeManagerTest, TheReportSaysByHowMuchTheSampleLimitIsExceeded) {
  set_page("a 1\nb 1\nc 1\nd 1\n");
  auto config = job(server_.address(), "samples");
  config.sample_limit = 1;
  apply({config});
  const std::string labels = "{instance=\"" + server_.address() + "\", job=\"samples\"}";
  EXPECT_TRUE(wait_for([&] { return has("scrape_samples_post_metric_relabeling" + labels, 4); }));
  EXPECT_TRUE(has("scrape_samples_scraped" + labels, 4));
  EXPECT_TRUE(has("up" + labels, 0));
  EXPECT_EQ(count("a" + labels), 0U);
}

TEST_F(ScrapeManagerTest, AReloadKeepsScheduleConnectionAndSeries) {
  apply({patient_job()});
  ASSERT_TRUE(wait_for([&] { return has("a", 1); }));
  for (int i = 0; i < 2; ++i) {
    apply({patient_job(), job("127.0.0.1:1", "other")});
    wait_scrapes();
  }
  EXPECT_EQ(server_.connections(), 1);
  EXPECT_FALSE(has("up" + labels(), 0));
  for (const auto& [time, value] : samples("a")) EXPECT_FALSE(is_stale_nan(value));
  double added = 0;
  for (const auto& [time, value] : samples("scrape_series_added" + labels())) added += value;
  EXPECT_EQ(added, 1);
  auto slower = patient_job();
  slower.scrape_interval = 500;
  apply({slower});
  EXPECT_EQ(manager->active_targets().front().scrape_interval, 500);
  wait_scrapes();
  EXPECT_EQ(server_.connections(), 1);
}

/// A store that forgets references or refuses to append when told to.
class MoodyStore final : public Appender {
 public:
  explicit MoodyStore(MemoryStore& store) : store_(store) {}
  Result<SeriesRef> series(const Labels& labels) override {
    auto ref = store_.series(labels);
    return ref.ok() ? Result<SeriesRef>(*ref + generation * 1000) : ref;
  }
  void find_encoded(std::span<const std::string_view> encodings, std::span<SeriesRef> refs) const override {
    store_.find_encoded(encodings, refs);
  }
  Result<AppendReport> append(const AppendBatch& batch) override {
    if (full) return Error{ErrorKind::unavailable, "no space left on device"};
    std::vector<SeriesRef> refs;
    for (SeriesRef ref : batch.refs) refs.push_back(ref / 1000 == generation ? ref % 1000 : 999);
    return store_.append({refs, batch.values, batch.times});
  }
  Status set_metadata(std::string_view metric, const Metadata& metadata) override {
    return store_.set_metadata(metric, metadata);
  }

  std::atomic<bool> full{false};
  std::atomic<std::uint64_t> generation{0};

 private:
  MemoryStore& store_;
};

TEST_F(ScrapeManagerTest, AsksAgainForSeriesThatTheStoreForgot) {
  MoodyStore moody(store);
  manager = std::make_unique<ScrapeManager>(moody, metrics);
  set_page("a 1\nb 2\n");
  apply({patient_job()});
  ASSERT_TRUE(wait_for([&] { return has("a", 1); }));
  set_page("a 3\nb 2\n");
  moody.generation = 1;
  EXPECT_TRUE(wait_for([&] { return has("a", 3); }));
  const std::size_t before = count("b");
  wait_scrapes(2);
  EXPECT_GT(count("b"), before);
  for (const auto& [time, value] : samples("a")) EXPECT_FALSE(is_stale_nan(value));
  manager.reset();
}

TEST_F(ScrapeManagerTest, AFullDiskFailsTheScrapeAndNoMore) {
  MoodyStore moody(store);
  manager = std::make_unique<ScrapeManager>(moody, metrics);
  set_page("a 1\nb 1\n");
  apply({the_job()});
  ASSERT_TRUE(wait_for([&] { return has("a", 1); }));
  moody.full = true;
  EXPECT_EQ(error_after_waiting_for("no space left on device"), "no space left on device");
  EXPECT_EQ(manager->active_targets().front().health, TargetHealth::down);
  set_page("a 2\n");
  moody.full = false;
  EXPECT_TRUE(wait_for([&] { return has("a", 2); }));
  EXPECT_TRUE(is_stale("b"));
  manager.reset();
}

TEST_F(ScrapeManagerTest, ExtraMetricsAreStoredAndEndWhenTheyAreNoLongerAskedFor) {
  PageServer server([](const std::string&, PageServer::Peer& peer) { return peer.send(PageServer::ok("a 1\n")); });
  auto config = job(server.address());
  config.extra_scrape_metrics = true;
  config.sample_limit = 7;
  apply({config});
  ASSERT_TRUE(wait_for([&] { return count("scrape_body_size_bytes") >= 2; }));
  EXPECT_TRUE(has("scrape_timeout_seconds", static_cast<double>(kInterval) / 1000));
  EXPECT_TRUE(has("scrape_sample_limit", 7));
  EXPECT_TRUE(has("scrape_body_size_bytes", 4));
  config.extra_scrape_metrics = false;
  apply({config});
  EXPECT_TRUE(wait_for([&] { return is_stale("scrape_body_size_bytes") && is_stale("scrape_timeout_seconds"); }));
  EXPECT_FALSE(is_stale("up"));
}

TEST_F(ScrapeManagerTest, FailedScrapesAreLoggedToTheJobsFile) {
  const auto path = std::filesystem::temp_directory_path() / ("pipit_failures_" + std::to_string(getpid()));
  PageServer server([](const std::string&, PageServer::Peer& peer) {
    return peer.send("HTTP/1.1 500 Broken \"here\"\r\nContent-Length: 0\r\n\r\n");
  });
  auto config = job(server.address());
  config.scrape_failure_log_file = path.string();
  apply({config});
  std::string line;
  EXPECT_TRUE(wait_for([&] {
    std::ifstream file(path);
    return static_cast<bool>(std::getline(file, line));
  }));
  const std::string rest =
      "\"level\":\"ERROR\",\"msg\":\"server returned HTTP status 500 Broken \\\"here\\\"\",\"job_name\":"
      "\"test\",\"target\":\"http://" +
      server.address() + "/metrics\"}";
  EXPECT_TRUE(line.ends_with(rest)) << line;
  manager.reset();
  std::filesystem::remove(path);
}

TEST_F(ScrapeManagerTest, DroppedTargetsAreCountedAndAFewKept) {
  auto config = job("127.0.0.1:1");
  config.static_configs = {{{"a:1", "b:1", "c:1"}, {}}};
  RelabelConfig drop;
  drop.action = RelabelAction::drop;
  drop.regex = Regex::compile("").value();
  config.relabel_configs = {drop};
  config.keep_dropped_targets = 2;
  apply({config});
  EXPECT_TRUE(manager->active_targets().empty());
  EXPECT_EQ(manager->dropped_targets().size(), 2U);
  EXPECT_EQ(manager->dropped_target_counts().at("test"), 3U);
}

TEST_F(ScrapeManagerTest, DiscoveredTargetsComeAndGoAndTheOthersGoOn) {
  const auto path = std::filesystem::temp_directory_path() / ("pipit_targets_" + std::to_string(getpid()) + ".json");
  PageServer server([](const std::string&, PageServer::Peer& peer) { return peer.send(PageServer::ok("a 1\n")); });
  const std::string one = R"({"targets": [")" + server.address() + R"("], "labels": {"who": "one"}})";
  const std::string two = R"({"targets": [")" + server.address() + R"("], "labels": {"who": "two"}})";
  std::ofstream(path) << "[" << one << "]";
  auto config = job("unused");
  config.static_configs.clear();
  config.discoveries = {FileDiscoveryConfig{{path.string()}}};
  apply({config});
  const std::string labels = "{instance=\"" + server.address() + "\", job=\"test\", who=";
  ASSERT_TRUE(wait_for([&] { return count("a" + labels + "\"one\"}") >= 2; }));
  std::ofstream(path) << "[" << one << "," << two << "]";
  ASSERT_TRUE(wait_for([&] { return count("a" + labels + "\"two\"}") >= 2; }));
  apply({config});
  EXPECT_EQ(manager->active_targets().size(), 2U) << "a reload has what was found before, at once";
  EXPECT_EQ(server.connections(), 2) << "each target kept its connection";
  std::ofstream(path) << "[" << two << "]";
  EXPECT_TRUE(wait_for([&] { return is_stale("up" + labels + "\"one\"}"); }));
  EXPECT_FALSE(is_stale("up" + labels + "\"two\"}"));
  manager.reset();
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace pipit
