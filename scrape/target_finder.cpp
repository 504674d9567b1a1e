#include "scrape/target_finder.h"

#include <algorithm>
#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <thread>

#include "model/thread_without_signals.h"
#include "scrape/blocking_calls.h"
#include "scrape/discovery.h"
#include "scrape/http_client.h"
#include "scrape/run_on.h"
#include "telemetry/metrics.h"

namespace pipit {
namespace {

/// Look-ups of names at the same time.
constexpr std::size_t kMostBlockingCalls = 8;
/// Updates of a job that come together are one; a discovery that flaps costs ten relabellings a second at most.
constexpr std::chrono::milliseconds kSettleTime{100};

bool has_discovery(const std::vector<std::shared_ptr<const ScrapeConfig>>& jobs) {
  return std::any_of(jobs.begin(), jobs.end(), [](const auto& job) { return !job->discoveries.empty(); });
}

}  // namespace

/// The thread and what lives on it.
class TargetFinder::Thread {
 public:
  Thread(MetricsRegistry& metrics, std::string user_agent, std::function<void(FoundJob)> changed)
      : changed_(std::move(changed)),
        client_(io_, pages_),
        calls_(io_, kMostBlockingCalls),
        context_{io_, client_, calls_, metrics, std::move(user_agent)},
        metrics_(metrics) {
    thread_ = thread_without_signals([this] { io_.run(); });
  }

  ~Thread() {
    boost::asio::post(io_, [this] {
      for (const auto& job : jobs_) job->settle.cancel();
      for (const auto& source : sources_) source->discovery->stop();
      work_.reset();  // the thread ends once the canceled operations have said so
    });
    thread_.join();
  }

  void apply(std::vector<std::shared_ptr<const ScrapeConfig>> configs,
             const std::function<void(std::vector<FoundJob>)>& all) {
    run_on(io_, [&] {
      reconfigure(std::move(configs));
      std::vector<FoundJob> found;
      for (const auto& job : jobs_) found.push_back(targets_of(*job));
      all(std::move(found));
      for (const auto& source : sources_) start(source);
    });
  }

  bool all_answered() const { return unanswered_ == 0; }

 private:
  /// A discovery, of all jobs that want the same.
  struct Source {
    DiscoveryConfig config;
    std::shared_ptr<Discovery> discovery;
    std::vector<TargetGroup> groups;
    bool started = false;
    bool answered = false;
  };

  struct Job {
    explicit Job(boost::asio::io_context& io) : settle(io) {}
    std::shared_ptr<const ScrapeConfig> config;
    std::vector<std::shared_ptr<Source>> sources;
    boost::asio::steady_timer settle;
    bool waits = false;
  };

  void reconfigure(std::vector<std::shared_ptr<const ScrapeConfig>> configs) {
    for (const auto& job : std::exchange(jobs_, {})) job->settle.cancel();
    const auto before = std::exchange(sources_, {});
    for (auto& config : configs) {
      Job& job = *jobs_.emplace_back(std::make_shared<Job>(io_));
      job.config = std::move(config);
      for (const DiscoveryConfig& wanted : job.config->discoveries) {
        auto source = find_source(sources_, wanted);
        if (!source) {
          source = find_source(before, wanted);
          if (!source) source = make_source(wanted);
          sources_.push_back(source);
        }
        if (std::find(job.sources.begin(), job.sources.end(), source) == job.sources.end()) {
          job.sources.push_back(std::move(source));
        }
      }
    }
    for (const auto& source : before) {
      if (std::find(sources_.begin(), sources_.end(), source) != sources_.end()) continue;
      unanswered_ -= source->answered ? 0 : 1;
      source->discovery->stop();
    }
  }

  static std::shared_ptr<Source> find_source(const std::vector<std::shared_ptr<Source>>& sources,
                                             const DiscoveryConfig& wanted) {
    const auto found =
        std::find_if(sources.begin(), sources.end(), [&](const auto& source) { return source->config == wanted; });
    return found == sources.end() ? nullptr : *found;
  }

  std::shared_ptr<Source> make_source(const DiscoveryConfig& wanted) {
    auto source = std::make_shared<Source>();
    source->config = wanted;
    source->discovery = make_discovery(wanted, context_);
    ++unanswered_;
    return source;
  }

  void start(const std::shared_ptr<Source>& source) {
    if (std::exchange(source->started, true)) return;
    source->discovery->start([this, weak = std::weak_ptr<Source>(source)](std::vector<TargetGroup> groups) {
      const auto still_there = weak.lock();
      if (!still_there) return;
      still_there->groups = std::move(groups);
      if (!std::exchange(still_there->answered, true)) --unanswered_;
      for (const auto& job : jobs_) {
        const auto& own = job->sources;
        if (std::find(own.begin(), own.end(), still_there) != own.end()) update_soon(job);
      }
    });
  }

  void update_soon(const std::shared_ptr<Job>& job) {
    if (std::exchange(job->waits, true)) return;
    job->settle.expires_after(kSettleTime);
    job->settle.async_wait([this, weak = std::weak_ptr<Job>(job)](const boost::system::error_code& ec) {
      const auto still_there = weak.lock();
      if (ec || !still_there) return;
      still_there->waits = false;
      changed_(targets_of(*still_there));
    });
  }

  FoundJob targets_of(const Job& job) const {
    FoundJob found{job.config, {}};
    std::vector<const std::vector<TargetGroup>*> groups = {&job.config->static_configs};
    std::size_t discovered = 0;
    for (const auto& source : job.sources) {
      groups.push_back(&source->groups);
      for (const TargetGroup& group : source->groups) discovered += group.targets.size();
    }
    found.targets = build_targets(*job.config, groups);
    if (!job.sources.empty()) {
      metrics_
          .gauge("pipit_sd_discovered_targets", "Targets that discovery has found, before relabelling.",
                 {{"scrape_job", job.config->job_name}})
          .set(static_cast<double>(discovered));
    }
    return found;
  }

  std::function<void(FoundJob)> changed_;
  boost::asio::io_context io_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{io_.get_executor()};
  PageBufferPool pages_;
  HttpClient client_;
  BlockingCalls calls_;
  DiscoveryContext context_;
  MetricsRegistry& metrics_;
  std::vector<std::shared_ptr<Job>> jobs_;
  std::vector<std::shared_ptr<Source>> sources_;  ///< of all jobs, each once
  std::atomic<int> unanswered_{0};
  std::thread thread_;
};

TargetFinder::TargetFinder(MetricsRegistry& metrics, std::string user_agent, std::function<void(FoundJob)> changed)
    : metrics_(metrics), user_agent_(std::move(user_agent)), changed_(std::move(changed)) {}
TargetFinder::~TargetFinder() = default;

void TargetFinder::apply(std::vector<std::shared_ptr<const ScrapeConfig>> jobs,
                         const std::function<void(std::vector<FoundJob>)>& all) {
  if (has_discovery(jobs)) {
    if (!thread_) thread_ = std::make_unique<Thread>(metrics_, user_agent_, changed_);
    thread_->apply(std::move(jobs), all);
    return;
  }
  thread_.reset();
  std::vector<FoundJob> found;
  for (auto& job : jobs) {
    const std::vector<const std::vector<TargetGroup>*> groups = {&job->static_configs};
    TargetSet targets = build_targets(*job, groups);
    found.push_back({std::move(job), std::move(targets)});
  }
  all(std::move(found));
}

bool TargetFinder::all_answered() const { return thread_ == nullptr || thread_->all_answered(); }

}  // namespace pipit
