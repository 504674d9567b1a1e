// Pages of many series, which are written aside so that they keep nobody waiting.

#include <condition_variable>
#include <mutex>

#include "tests/scrape/scrape_fixture.h"

namespace pipit {
namespace {

/// A store that makes no series named "large" until it is told to.
class GatedStore final : public Appender {
 public:
  explicit GatedStore(Appender& store) : store_(store) {}

  void open() {
    std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  bool has_visitor() const {
    std::lock_guard lock(mutex_);
    return visited_;
  }

  Result<SeriesRef> series(const Labels& labels) override {
    if (labels.metric_name() == "large") {
      std::unique_lock lock(mutex_);
      visited_ = true;
      changed_.wait(lock, [this] { return open_; });
    }
    return store_.series(labels);
  }
  void find_encoded(std::span<const std::string_view> encodings, std::span<SeriesRef> refs) const override {
    store_.find_encoded(encodings, refs);
  }
  Result<AppendReport> append(const AppendBatch& batch) override { return store_.append(batch); }
  Status set_metadata(std::string_view metric, const Metadata& metadata) override {
    return store_.set_metadata(metric, metadata);
  }

 private:
  Appender& store_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
  bool visited_ = false;
};

class LargePageTest : public ScrapeFixture {
 protected:
  static constexpr int kSeries = 12'000;

  LargePageTest() {
    for (int i = 0; i < kSeries; ++i) {
      page_ += "large{number=\"" + std::to_string(i) + "\",filler=\"a label as long as labels are\"} 1\n";
    }
    manager = std::make_unique<ScrapeManager>(gate_, metrics, options);
  }
  ~LargePageTest() override {
    gate_.open();
    manager.reset();
  }

  ScrapeConfig large_job() const { return job(large_.address(), "large"); }
  ScrapeConfig small_job() const { return job(small_.address(), "small"); }
  std::string of(const PageServer& server, const std::string& name) const {
    return "{instance=\"" + server.address() + "\", job=\"" + name + "\"}";
  }
  /// Applies both jobs and waits until the large page is being written.
  void begin() {
    apply({large_job(), small_job()});
    ASSERT_TRUE(wait_for([&] { return gate_.has_visitor(); }));
  }
  /// Waits until the small target has been scraped some times more.
  bool small_goes_on() const {
    const std::string up = "up" + of(small_, "small");
    const std::size_t before = count(up);
    return wait_for([&] { return count(up) > before + 3; });
  }
  bool all_stale() const {
    std::size_t stale = 0;
    for (const auto& [time, value] : samples("large")) stale += is_stale_nan(value) ? 1 : 0;
    return stale == kSeries;
  }

  GatedStore gate_{store};
  std::string page_;
  std::atomic<bool> broken_{false};
  PageServer large_{[this](const std::string&, PageServer::Peer& peer) {
    return broken_ ? peer.send("HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n")
                   : peer.send(PageServer::ok(page_));
  }};
  PageServer small_{[](const std::string&, PageServer::Peer& peer) { return peer.send(PageServer::ok("a 1\n")); }};
};

TEST_F(LargePageTest, DelaysNoOtherTarget) {
  begin();
  EXPECT_TRUE(small_goes_on());
  EXPECT_EQ(count("up" + of(large_, "large")), 0U) << "the large page is still being written";
  int visited = 0;
  manager->visit_pages([&](const Labels&, const SeriesCache&) {
    ++visited;
    return true;
  });
  EXPECT_EQ(visited, 1) << "the page that is being written is not looked into";
  gate_.open();
  ASSERT_TRUE(wait_for([&] { return has("up" + of(large_, "large"), 1); }));
  EXPECT_TRUE(has("scrape_series_added" + of(large_, "large"), kSeries));
  EXPECT_GE(count("large"), static_cast<std::size_t>(kSeries));
}

TEST_F(LargePageTest, SeriesEndWhenTheTargetFails) {
  gate_.open();
  apply({large_job()});
  ASSERT_TRUE(wait_for([&] { return has("up" + of(large_, "large"), 1); }));
  broken_ = true;
  ASSERT_TRUE(wait_for([&] { return has("up" + of(large_, "large"), 0); }));
  EXPECT_TRUE(wait_for([&] { return all_stale(); }));
}

TEST_F(LargePageTest, ATargetThatIsRemovedMeanwhileEndsItsSeries) {
  begin();
  apply({small_job()});
  EXPECT_TRUE(small_goes_on());
  gate_.open();
  EXPECT_TRUE(wait_for([&] { return is_stale("up" + of(large_, "large")); }));
  EXPECT_TRUE(all_stale());
}

TEST_F(LargePageTest, AReloadCountsFromTheNextPageOn) {
  begin();
  auto changed = large_job();
  changed.metric_relabel_configs.emplace_back();
  changed.metric_relabel_configs.back().source_labels = {"__name__"};
  changed.metric_relabel_configs.back().regex = Regex::compile("large").value();
  changed.metric_relabel_configs.back().action = RelabelAction::drop;
  apply({changed, small_job()});
  EXPECT_TRUE(small_goes_on());
  gate_.open();
  const std::string kept = "scrape_samples_post_metric_relabeling" + of(large_, "large");
  EXPECT_TRUE(wait_for([&] { return has(kept, 0); }));
  EXPECT_TRUE(has(kept, kSeries));
  EXPECT_TRUE(all_stale());
}

TEST_F(LargePageTest, AServerThatStopsDoesNotWaitForTheWholePage) {
  begin();
  std::thread stopping([this] { manager->stop(); });
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  gate_.open();
  stopping.join();
  EXPECT_EQ(count("up" + of(large_, "large")), 0U);
}

}  // namespace
}  // namespace pipit
