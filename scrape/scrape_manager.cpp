#include "scrape/scrape_manager.h"

#include <algorithm>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <future>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include "model/thread_without_signals.h"
#include "scrape/blocking_calls.h"
#include "scrape/failure_log.h"
#include "scrape/http_access.h"
#include "scrape/http_client.h"
#include "scrape/page_buffer.h"
#include "scrape/run_on.h"
#include "scrape/scrape_loop.h"
#include "scrape/target.h"
#include "scrape/target_finder.h"
#include "scrape/target_writer.h"
#include "telemetry/log.h"
#include "telemetry/metrics.h"

namespace pipit {
namespace {

/// A page's positions are 32-bit numbers.
constexpr std::uint64_t kLargestPage = 2ULL << 30;

/// The running targets of a job.
struct ScrapePool {
  std::string name;
  std::shared_ptr<const ScrapeConfig> config;  ///< tells a job from its successor of the same name
  std::shared_ptr<HttpAccess> access;
  std::vector<std::pair<std::uint64_t, std::shared_ptr<ScrapeLoop>>> loops;  ///< by hash, in configured order
  std::vector<Labels> dropped;                                               ///< keep_dropped_targets at most
  std::size_t dropped_count = 0;                                             ///< with those that are not kept
};

/// A job's targets, and what they share but for the access, which is made on the io thread.
struct Job {
  std::shared_ptr<const ScrapeConfig> config;
  std::shared_ptr<JobSettings> settings;
  TargetSet targets;
};

}  // namespace

class ScrapeManager::Impl {
 public:
  Impl(Appender& appender, MetricsRegistry& metrics, ScrapeOptions options)
      : options_(std::move(options)), registry_(metrics), writers_(appender, metrics), client_(io_, pages_) {
    writers_.exemplars = options_.exemplars;
    thread_ = thread_without_signals([this] { io_.run(); });
    finder_ = std::make_unique<TargetFinder>(metrics, options_.user_agent, [this](FoundJob found) {
      auto job = std::make_shared<Job>(make_job(std::move(found)));
      boost::asio::post(io_, [this, job] { update(*job); });
    });
  }

  ~Impl() { stop(); }

  void apply(const Config& config) {
    std::lock_guard one_at_a_time(apply_mutex_);
    if (stopped_) return;
    std::vector<std::shared_ptr<const ScrapeConfig>> configs;
    configs.reserve(config.scrape_configs.size());
    for (const ScrapeConfig& job : config.scrape_configs) configs.push_back(std::make_shared<const ScrapeConfig>(job));
    std::promise<void> done;
    finder_->apply(std::move(configs), [this, &done](std::vector<FoundJob> found) {
      auto jobs = std::make_shared<std::vector<Job>>();
      for (FoundJob& job : found) jobs->push_back(make_job(std::move(job)));
      // Posted from here, it comes before whatever discovery finds later.
      boost::asio::post(io_, [this, jobs, &done] {
        sync(*jobs);
        done.set_value();
      });
    });
    done.get_future().wait();
  }

  void stop() {
    std::lock_guard one_at_a_time(apply_mutex_);
    if (std::exchange(stopped_, true)) return;
    finder_.reset();
    boost::asio::post(io_, [this] {
      for (auto& pool : pools_) {
        for (auto& [hash, loop] : pool.loops) loop->stop(false);
        if (pool.access) pool.access->stop();
      }
      work_.reset();  // the thread ends once the canceled operations have said so
    });
    thread_.join();
    do {  // what is still being written ends here, while everything that it needs is there
      large_pages_.wait_until_idle();
      io_.restart();
    } while (io_.poll() > 0);
  }

  std::vector<TargetStatus> active_targets() const {
    std::lock_guard lock(status_mutex_);
    std::vector<TargetStatus> out;
    for (const auto& pool : pools_) {
      for (const auto& [hash, loop] : pool.loops) out.push_back(loop->status());
    }
    return out;
  }

  std::vector<DroppedTarget> dropped_targets() const {
    std::lock_guard lock(status_mutex_);
    std::vector<DroppedTarget> out;
    for (const auto& pool : pools_) {
      for (const Labels& labels : pool.dropped) out.push_back({labels, pool.name});
    }
    return out;
  }

  std::map<std::string, std::size_t> dropped_target_counts() const {
    std::lock_guard lock(status_mutex_);
    std::map<std::string, std::size_t> out;
    for (const auto& pool : pools_) out[pool.name] = pool.dropped_count;
    return out;
  }

  std::vector<std::string> scrape_pools() const {
    std::lock_guard lock(status_mutex_);
    std::vector<std::string> out;
    out.reserve(pools_.size());
    for (const auto& pool : pools_) out.push_back(pool.name);
    return out;
  }

  std::shared_ptr<const ScrapeConfig> pool_config(std::string_view name) const {
    std::lock_guard lock(status_mutex_);
    const auto pool = std::find_if(pools_.begin(), pools_.end(), [&](const auto& p) { return p.name == name; });
    return pool == pools_.end() ? nullptr : pool->config;
  }

  void visit_pages(const PageVisitor& visit) {
    std::lock_guard one_at_a_time(apply_mutex_);
    if (stopped_) return;
    // Of the io thread, as is the end of a loop that was replaced meanwhile.
    std::vector<std::shared_ptr<ScrapeLoop>> loops;
    run_on(io_, [&] {
      for (const auto& pool : pools_) {
        for (const auto& [hash, loop] : pool.loops) loops.push_back(loop);
      }
    });
    // A few at a time, so that scrapes wait for milliseconds.
    constexpr std::size_t kTargetsAtOnce = 16;
    bool go_on = true;
    for (std::size_t i = 0; go_on && i < loops.size(); i += kTargetsAtOnce) {
      run_on(io_, [&] {
        const std::size_t end = std::min(loops.size(), i + kTargetsAtOnce);
        for (std::size_t k = i; go_on && k < end; ++k) {
          if (const SeriesCache* page = loops[k]->page()) go_on = visit(loops[k]->labels(), *page);
        }
      });
    }
    run_on(io_, [&] { loops.clear(); });
  }

 private:
  Job make_job(FoundJob found) const {
    const ScrapeConfig& config = *found.config;
    for (const std::string& error : found.targets.errors) {
      log_error("A target is not valid and is not scraped", {{"scrape_pool", config.job_name}, {"err", error}});
    }
    auto settings = std::make_shared<JobSettings>();
    if (config.target_limit > 0 && found.targets.active.size() > config.target_limit) {
      settings->forced_error =
          "target_limit exceeded (number of targets: " + std::to_string(found.targets.active.size()) +
          ", limit: " + std::to_string(config.target_limit) + ")";
    }
    // A job with thousands of addresses needs them only while it is looked for others.
    auto kept = std::make_shared<ScrapeConfig>(config);
    kept->static_configs = {};
    settings->config = std::move(kept);
    settings->user_agent = options_.user_agent;
    settings->body_limit =
        std::min(kLargestPage, config.body_size_limit > 0 ? config.body_size_limit : options_.default_body_size_limit);
    return {std::move(found.config), std::move(settings), std::move(found.targets)};
  }

  using Loops = std::map<std::uint64_t, std::shared_ptr<ScrapeLoop>>;

  /// On the io thread: makes the running targets those of `jobs`.
  void sync(std::vector<Job>& jobs) {
    std::vector<ScrapePool> pools;
    std::vector<std::shared_ptr<ScrapeLoop>> fresh;
    std::map<std::string, Loops> running;
    for (auto& pool : pools_) running[pool.name].insert(pool.loops.begin(), pool.loops.end());
    for (Job& job : jobs) {
      ScrapePool pool;
      pool.name = job.config->job_name;
      pool.access = access_for(*job.config);
      fill(pool, job, running[pool.name], fresh);
      pools.push_back(std::move(pool));
    }
    {
      std::lock_guard lock(status_mutex_);
      pools_ = std::move(pools);
    }
    for (auto& [name, loops] : running) {
      for (auto& [hash, loop] : loops) loop->stop(true);
      const bool job_is_gone =
          std::none_of(pools_.begin(), pools_.end(), [&](const auto& p) { return p.name == name; });
      if (job_is_gone) count_targets(name, 0);
    }
    // After the old ones have ended, as a new target may go on with an old one's series.
    for (auto& loop : fresh) loop->start();
    writers_.metrics.syncs.add();
  }

  /// On the io thread: discovery has found other targets for a job.
  void update(Job& job) {
    const auto pool = std::find_if(pools_.begin(), pools_.end(), [&](const auto& p) { return p.config == job.config; });
    if (pool == pools_.end()) return;  // of a configuration that is gone
    Loops known(pool->loops.begin(), pool->loops.end());
    std::vector<std::shared_ptr<ScrapeLoop>> fresh;
    ScrapePool renewed;
    renewed.name = pool->name;
    renewed.access = pool->access;
    fill(renewed, job, known, fresh);
    {
      std::lock_guard lock(status_mutex_);
      *pool = std::move(renewed);
    }
    for (auto& [hash, loop] : known) loop->stop(true);
    for (auto& loop : fresh) loop->start();
    writers_.metrics.syncs.add();
  }

  /// Gives a pool the targets of a job: running ones, which leave `known`, and new ones, which go to `fresh`, too.
  void fill(ScrapePool& pool, Job& job, Loops& known, std::vector<std::shared_ptr<ScrapeLoop>>& fresh) {
    // Without discovery nothing is compared with it later: the copy without the addresses is enough.
    pool.config = job.config->discoveries.empty() ? job.settings->config : job.config;
    pool.dropped = std::move(job.targets.dropped);
    pool.dropped_count = pool.dropped.size();
    if (const auto limit = job.config->keep_dropped_targets; limit > 0 && pool.dropped.size() > limit) {
      pool.dropped.resize(limit);
      pool.dropped.shrink_to_fit();
    }
    job.settings->access = pool.access;
    job.settings->failure_log = failure_log_for(job.config->scrape_failure_log_file);
    for (Target& target : job.targets.active) {
      const std::uint64_t hash = target.hash();
      std::shared_ptr<ScrapeLoop> loop;
      if (auto found = known.find(hash); found != known.end()) {
        loop = std::move(found->second);
        known.erase(found);
        loop->reconfigure(std::move(target), job.settings);
      } else {
        loop = std::make_shared<ScrapeLoop>(context_, std::move(target), job.settings);
        fresh.push_back(loop);
      }
      pool.loops.emplace_back(hash, std::move(loop));
    }
    count_targets(pool.name, pool.loops.size());
  }

  /// What the job had before if its options are still the same, so that connections and tokens stay.
  std::shared_ptr<HttpAccess> access_for(const ScrapeConfig& config) {
    for (const ScrapePool& old : pools_) {
      if (old.name == config.job_name && old.config->http_client == config.http_client) return old.access;
    }
    return client_.access(config.http_client);
  }

  /// One log a file, however many jobs name it.
  std::shared_ptr<FailureLog> failure_log_for(const std::string& path) {
    if (path.empty()) return nullptr;
    std::erase_if(failure_logs_, [](const auto& log) { return log.expired(); });
    for (const auto& known : failure_logs_) {
      if (auto log = known.lock(); log && log->path() == path) return log;
    }
    auto log = std::make_shared<FailureLog>(path);
    failure_logs_.push_back(log);
    return log;
  }

  void count_targets(const std::string& job, std::size_t count) {
    registry_.gauge("pipit_scrape_pool_targets", "Targets of a job that are scraped.", {{"scrape_job", job}})
        .set(static_cast<double>(count));
  }

  ScrapeOptions options_;
  MetricsRegistry& registry_;
  std::mutex apply_mutex_;
  bool stopped_ = false;  ///< guarded by apply_mutex_
  mutable std::mutex status_mutex_;

  boost::asio::io_context io_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{io_.get_executor()};
  // Of the io thread from here on, but for what status_mutex_ guards.
  PageBufferPool pages_;
  WriterContext writers_;
  WriteBuffers buffers_;
  BlockingCalls large_pages_{io_, 1};
  HttpClient client_;
  LoopContext context_{io_, client_, pages_, writers_, buffers_, large_pages_, status_mutex_};
  std::vector<ScrapePool> pools_;  ///< written with status_mutex_ held
  std::vector<std::weak_ptr<FailureLog>> failure_logs_;
  std::thread thread_;
  std::unique_ptr<TargetFinder> finder_;  ///< guarded by apply_mutex_
};

ScrapeManager::ScrapeManager(Appender& appender, MetricsRegistry& metrics, ScrapeOptions options)
    : impl_(std::make_unique<Impl>(appender, metrics, std::move(options))) {}
ScrapeManager::~ScrapeManager() = default;

void ScrapeManager::apply(const Config& config) { impl_->apply(config); }
void ScrapeManager::stop() { impl_->stop(); }
std::vector<TargetStatus> ScrapeManager::active_targets() const { return impl_->active_targets(); }
std::vector<DroppedTarget> ScrapeManager::dropped_targets() const { return impl_->dropped_targets(); }
std::map<std::string, std::size_t> ScrapeManager::dropped_target_counts() const {
  return impl_->dropped_target_counts();
}
std::vector<std::string> ScrapeManager::scrape_pools() const { return impl_->scrape_pools(); }
std::shared_ptr<const ScrapeConfig> ScrapeManager::pool_config(std::string_view name) const {
  return impl_->pool_config(name);
}
void ScrapeManager::visit_pages(const PageVisitor& visit) const { impl_->visit_pages(visit); }

}  // namespace pipit
