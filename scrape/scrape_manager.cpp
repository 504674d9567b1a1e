#include "scrape/scrape_manager.h"

#include <csignal>

#include <algorithm>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <future>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include "scrape/http_client.h"
#include "scrape/page_buffer.h"
#include "scrape/scrape_loop.h"
#include "scrape/target.h"
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
  std::vector<std::pair<std::uint64_t, std::shared_ptr<ScrapeLoop>>> loops;  ///< by hash, in configured order
  std::vector<Labels> dropped;
};

/// A job as configured, with its targets worked out.
struct Job {
  std::shared_ptr<const JobSettings> settings;
  TargetSet targets;
};

}  // namespace

class ScrapeManager::Impl {
 public:
  Impl(Appender& appender, MetricsRegistry& metrics, ScrapeOptions options)
      : options_(std::move(options)), registry_(metrics), writers_(appender, metrics), client_(io_, pages_) {
    // Signals are the main thread's business; SIGPIPE comes from OpenSSL, which writes to sockets plainly.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    thread_ = std::thread([this] { io_.run(); });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }

  ~Impl() { stop(); }

  void apply(const Config& config) {
    std::lock_guard one_at_a_time(apply_mutex_);
    if (stopped_) return;
    std::vector<Job> jobs;
    jobs.reserve(config.scrape_configs.size());
    for (const ScrapeConfig& scrape_config : config.scrape_configs) jobs.push_back(make_job(scrape_config));
    std::promise<void> done;
    boost::asio::post(io_, [&] {
      sync(jobs);
      done.set_value();
    });
    done.get_future().wait();
  }

  void stop() {
    std::lock_guard one_at_a_time(apply_mutex_);
    if (std::exchange(stopped_, true)) return;
    boost::asio::post(io_, [this] {
      for (auto& pool : pools_) {
        for (auto& [hash, loop] : pool.loops) loop->stop(false);
      }
      work_.reset();  // the thread ends once the canceled operations have said so
    });
    thread_.join();
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

  std::vector<std::string> scrape_pools() const {
    std::lock_guard lock(status_mutex_);
    std::vector<std::string> out;
    out.reserve(pools_.size());
    for (const auto& pool : pools_) out.push_back(pool.name);
    return out;
  }

 private:
  Job make_job(const ScrapeConfig& config) const {
    Job job;
    job.targets = build_targets(config);
    for (const std::string& error : job.targets.errors) {
      log_error("A target is not valid and is not scraped", {{"scrape_pool", config.job_name}, {"err", error}});
    }
    auto settings = std::make_shared<JobSettings>();
    if (config.target_limit > 0 && job.targets.active.size() > config.target_limit) {
      settings->forced_error =
          "target_limit exceeded (number of targets: " + std::to_string(job.targets.active.size()) +
          ", limit: " + std::to_string(config.target_limit) + ")";
    }
    auto kept = std::make_shared<ScrapeConfig>(config);
    kept->static_configs = {};
    settings->config = std::move(kept);
    settings->user_agent = options_.user_agent;
    settings->body_limit =
        std::min(kLargestPage, config.body_size_limit > 0 ? config.body_size_limit : options_.default_body_size_limit);
    job.settings = std::move(settings);
    return job;
  }

  /// On the io thread: makes the running targets those of `jobs`.
  void sync(std::vector<Job>& jobs) {
    std::vector<ScrapePool> pools;
    std::vector<std::shared_ptr<ScrapeLoop>> fresh;
    std::map<std::string, std::map<std::uint64_t, std::shared_ptr<ScrapeLoop>>> running;
    for (auto& pool : pools_) running[pool.name].insert(pool.loops.begin(), pool.loops.end());
    for (Job& job : jobs) {
      ScrapePool pool;
      pool.name = job.settings->config->job_name;
      pool.dropped = std::move(job.targets.dropped);
      auto& known = running[pool.name];
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
  HttpClient client_;
  LoopContext context_{io_, client_, pages_, writers_, status_mutex_};
  std::vector<ScrapePool> pools_;  ///< written with status_mutex_ held
  std::thread thread_;
};

ScrapeManager::ScrapeManager(Appender& appender, MetricsRegistry& metrics, ScrapeOptions options)
    : impl_(std::make_unique<Impl>(appender, metrics, std::move(options))) {}
ScrapeManager::~ScrapeManager() = default;

void ScrapeManager::apply(const Config& config) { impl_->apply(config); }
void ScrapeManager::stop() { impl_->stop(); }
std::vector<TargetStatus> ScrapeManager::active_targets() const { return impl_->active_targets(); }
std::vector<DroppedTarget> ScrapeManager::dropped_targets() const { return impl_->dropped_targets(); }
std::vector<std::string> ScrapeManager::scrape_pools() const { return impl_->scrape_pools(); }

}  // namespace pipit
