#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "model/sample.h"
#include "rules/rule_group.h"
#include "scrape/scrape_manager.h"
#include "storage/record_store.h"

namespace pipit {

class Counter;

/// How far a rule group has come.
struct GroupProgress {
  std::string name;  ///< FILE;NAME, as files may have groups of one name
  DurationMs interval = 0;
  TimestampMs last_evaluation = kMinTimestamp;  ///< kMinTimestamp: never
};

/// Whether the parts of the server go on, for the heartbeat: each is judged by what it did last, and not by a flag that
/// it sets. Not thread-safe.
class Liveness {
 public:
  /// `stored_samples` counts what is appended. Both must outlive this.
  Liveness(RecordStore& records, const Counter& stored_samples) : records_(records), stored_(stored_samples) {}

  /// What has stopped, in words for the log; "" when nothing has. Scraping goes on when any target was tried of late,
  /// whatever it answered; storing when samples were appended since, and a small record reaches the disk; rules when
  /// each group was evaluated of late. What does not exist can't stop. What was never scraped or evaluated has its time
  /// to begin; where that is short, as at most starts, the fault stays until then.
  std::string fault(const std::vector<TargetStatus>& targets, const std::vector<GroupProgress>& groups,
                    TimestampMs now);

 private:
  std::string scraping_fault(const std::vector<TargetStatus>& targets, DurationMs& patience, TimestampMs now);
  std::string rules_fault(const std::vector<GroupProgress>& groups, TimestampMs now);
  std::string storing_fault(bool expects_samples, DurationMs patience, TimestampMs now);

  RecordStore& records_;
  const Counter& stored_;
  std::map<std::string, TimestampMs> first_seen_;  ///< of groups that were never evaluated
  bool ever_evaluated_ = false;
  TimestampMs began_ = 0;
  double last_stored_ = -1;
  TimestampMs last_progress_ = 0;
};

/// Of all groups.
std::vector<GroupProgress> progress_of(const std::vector<std::shared_ptr<RuleGroup>>& groups);

}  // namespace pipit
