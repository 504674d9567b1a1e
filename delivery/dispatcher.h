#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "delivery/alert_book.h"
#include "delivery/alert_group.h"
#include "delivery/delivery.h"
#include "delivery/inhibition.h"
#include "delivery/integration_pool.h"
#include "delivery/notification_log.h"
#include "delivery/record_writer.h"
#include "delivery/silences.h"
#include "storage/record_store.h"

namespace pipit {

class Counter;
class Gauge;

/// All that delivery decides: which alerts make a group, when it is told, what is muted, who was told already. Of one
/// thread, whose clocks are told with each call; it waits for nothing and nobody.
class Dispatcher {
 public:
  /// `make` makes the integrations of a receiver. `wake` is called when `run` has something to do.
  struct Seams {
    RecordWriter::Write write;
    IntegrationPool::Make make;
    std::function<void()> wake;
  };

  /// `metrics` must outlive this.
  Dispatcher(MetricsRegistry& metrics, const DeliveryOptions& options, Seams seams);
  ~Dispatcher();
  Dispatcher(const Dispatcher&) = delete;
  Dispatcher& operator=(const Dispatcher&) = delete;

  /// Reads what an earlier process left. Once, before `apply`. Errors: unavailable.
  Status load(const RecordStore& records);
  void apply(DeliveryConfig config, Moment now);
  void take(std::vector<AlertNotice> notices, Moment now);
  /// Does what is due. Returns when it is to be called next, on the steady clock.
  std::int64_t run(Moment now);
  /// Ends what is on its way. Nothing else may be called but `remaining`.
  void stop(Moment now);
  /// What is not known to be on the disk.
  RecordWriter::Changes remaining() const { return writer_.remaining(); }

  Silences& silences() { return silences_; }
  std::vector<AlertView> alert_views(TimestampMs now);
  std::vector<AlertGroupView> group_views(TimestampMs now);
  std::vector<IntegrationView> integration_views() const;
  const DeliveryConfig& config() const { return *config_; }

 private:
  using Groups = std::map<std::pair<const RouteConfig*, Labels>, std::unique_ptr<AlertGroup>>;
  using Fingerprints = std::vector<std::uint64_t>;

  // Groups
  void route(AlertEntry& entry, Moment now);
  AlertGroup* group_for(const RouteConfig& route, const AlertEntry& entry, Moment now);
  void insert(AlertGroup& group, AlertEntry& entry, Moment now);
  void schedule(AlertGroup& group, std::int64_t at);
  void remove(Groups::iterator at, TimestampMs now);
  void adopt(AlertGroup& group, const AlertGroup& old, bool was_telling, Moment now);
  void resume(AlertGroup& group, Moment now);

  // Flushes: dispatcher_flush.cpp
  void flush(AlertGroup& group, Moment now);
  void drop_muted(const AlertGroup& group, std::vector<DeliveredAlertPtr>& alerts,
                  std::unordered_map<const DeliveredAlert*, AlertEntry*>& entries, TimestampMs now);
  std::vector<std::string> muting_intervals(const RouteConfig& route, TimestampMs now, bool& inactive) const;
  void decide(Telling& telling, const std::vector<DeliveredAlertPtr>& alerts, Moment now);
  void settle(AlertGroup& group, TimestampMs now);

  // Attempts: dispatcher_attempts.cpp
  void start(Telling& telling, Moment now);
  void look_at_finished(Moment now);
  void look_at(Telling& telling, Moment now);
  void cancel(Telling& telling);
  void cancel_all();
  void back_off(Telling& telling, const DeliveryOutcome& outcome, Moment now);
  void free_instance(Telling& telling);
  void start_waiting(Moment now);

  void maintain(Moment now);
  void count_alerts(TimestampMs now);
  AlertView view_of(AlertEntry& entry, TimestampMs now);
  bool is_muted(AlertEntry& entry, TimestampMs now);

  MetricsRegistry& metrics_;
  const DeliveryOptions options_;
  Seams seams_;
  RecordWriter writer_;
  Silences silences_;
  NotificationLog log_;
  std::unique_ptr<Inhibition> inhibition_;
  AlertBook book_;
  std::vector<std::pair<std::string, std::string>> stored_alerts_;  ///< until the first `apply`

  std::unique_ptr<const DeliveryConfig> config_;
  std::map<std::string, std::vector<std::unique_ptr<IntegrationPool>>> pools_;  ///< by receiver
  Groups groups_;
  std::set<std::pair<std::int64_t, AlertGroup*>> flushes_;
  std::set<std::pair<std::int64_t, Telling*>> retries_;
  std::vector<std::weak_ptr<Telling>> finished_;   ///< with an outcome
  std::vector<std::weak_ptr<Telling>> unwritten_;  ///< wait for the disk
  std::vector<IntegrationPool*> freed_;            ///< may have an instance for those that wait
  std::int64_t next_maintenance_ = 0;
  std::int64_t next_garbage_ = 0;
  bool too_many_groups_ = false;
  bool complained_ = false;  ///< of alerts that were refused

  Counter& received_firing_;
  Counter& received_resolved_;
  Counter& invalid_;
  Counter& silenced_;
  Counter& inhibited_;
  Counter& muted_;
  Counter& inactive_;
};

}  // namespace pipit
