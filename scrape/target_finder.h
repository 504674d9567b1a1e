#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "config/config.h"
#include "scrape/target.h"

namespace pipit {

class MetricsRegistry;

/// A job with the targets that it has now.
struct FoundJob {
  std::shared_ptr<const ScrapeConfig> config;  ///< as given to `apply`, which tells a job from its successor
  TargetSet targets;
};

/// Works out the targets of jobs: static ones and those that discovery finds. Discovery and the relabelling of what it
/// finds happen on a thread of their own, which is there only while a job needs it.
/// REQUIRES: one call at a time.
class TargetFinder {
 public:
  /// `changed` is called on that thread when discovery has found other targets for a job.
  TargetFinder(MetricsRegistry& metrics, std::string user_agent, std::function<void(FoundJob)> changed);
  ~TargetFinder();

  /// Makes `jobs` those whose targets are looked for. Discoveries whose configuration has not changed go on, and what
  /// they have found is among the targets. `all` gets the jobs in order before this returns, and before `changed` gets
  /// any of them.
  void apply(std::vector<std::shared_ptr<const ScrapeConfig>> jobs,
             const std::function<void(std::vector<FoundJob>)>& all);

  /// Whether all discoveries have answered at least once.
  bool all_answered() const;

 private:
  class Thread;

  MetricsRegistry& metrics_;
  std::string user_agent_;
  std::function<void(FoundJob)> changed_;
  std::unique_ptr<Thread> thread_;
};

}  // namespace pipit
