#include "tools/liveness.h"

#include <algorithm>

#include "telemetry/metrics.h"

namespace pipit {
namespace {

/// What a busy machine may be late, beside the intervals.
constexpr DurationMs kSlack = 30'000;
/// What comes so soon is waited for at the start.
constexpr DurationMs kSoon = 120'000;
constexpr const char* kRecord = "heartbeat/last";

/// How long nothing may be heard of what happens at an interval.
DurationMs patience_of(DurationMs interval) { return 2 * interval + kSlack; }

/// A time in the future is as old: the clock was set back, and since then nothing has happened.
DurationMs age_of(TimestampMs time, TimestampMs now) { return time <= now ? now - time : time - now; }

std::string seconds(DurationMs time) { return std::to_string(time / 1000) + " s"; }

}  // namespace

std::string Liveness::fault(const std::vector<TargetStatus>& targets, const std::vector<GroupProgress>& groups,
                            TimestampMs now) {
  if (began_ == 0) began_ = now;
  DurationMs patience = 0;
  std::string what = scraping_fault(targets, patience, now);
  if (what.empty()) what = rules_fault(groups, now);
  return what.empty() ? storing_fault(!targets.empty(), patience, now) : what;
}

/// `patience` becomes how long the quickest target may keep silent.
std::string Liveness::scraping_fault(const std::vector<TargetStatus>& targets, DurationMs& patience, TimestampMs now) {
  if (targets.empty()) return "";
  TimestampMs last_scrape = 0;
  bool in_time = false;
  patience = kMaxTimestamp;
  DurationMs shortest = kMaxTimestamp;
  for (const TargetStatus& target : targets) {
    const DurationMs own = patience_of(target.scrape_interval) + target.scrape_timeout;
    patience = std::min(patience, own);
    shortest = std::min(shortest, target.scrape_interval);
    last_scrape = std::max(last_scrape, target.last_scrape);
    in_time = in_time || (target.last_scrape != 0 && age_of(target.last_scrape, now) <= own);
  }
  if (in_time) return "";
  if (last_scrape != 0) return "no target was scraped for " + seconds(age_of(last_scrape, now));
  return shortest > kSoon && now - began_ <= patience ? "" : "no target was scraped yet";
}

std::string Liveness::rules_fault(const std::vector<GroupProgress>& groups, TimestampMs now) {
  for (const GroupProgress& group : groups) {
    if (group.last_evaluation != kMinTimestamp) {
      ever_evaluated_ = true;
      first_seen_.erase(group.name);
    }
  }
  for (const GroupProgress& group : groups) {
    const bool never = group.last_evaluation == kMinTimestamp;
    const DurationMs since =
        age_of(never ? first_seen_.try_emplace(group.name, now).first->second : group.last_evaluation, now);
    if (since > patience_of(group.interval) || (never && !ever_evaluated_ && group.interval <= kSoon)) {
      return "the rule group " + group.name +
             (never ? " was not evaluated yet" : " was not evaluated for " + seconds(since));
    }
  }
  return "";
}

std::string Liveness::storing_fault(bool expects_samples, DurationMs patience, TimestampMs now) {
  const double stored = stored_.value();
  if (stored != last_stored_ || last_progress_ > now) last_progress_ = now;
  last_stored_ = stored;
  if (expects_samples && now - last_progress_ > patience) {
    return "no sample was stored for " + seconds(now - last_progress_);
  }
  const RecordStore::Change change{kRecord, std::to_string(now)};
  const Status written = records_.write_records({&change, 1});
  return written.ok() ? "" : "the store can't be written: " + written.error().message;
}

std::vector<GroupProgress> progress_of(const std::vector<std::shared_ptr<RuleGroup>>& groups) {
  std::vector<GroupProgress> progress;
  progress.reserve(groups.size());
  for (const auto& group : groups) {
    progress.push_back({group->file() + ";" + group->name(), group->interval(), group->last_evaluation()});
  }
  return progress;
}

}  // namespace pipit
