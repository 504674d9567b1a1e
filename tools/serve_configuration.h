#pragma once

#include <mutex>
#include <string>

#include "api/server.h"
#include "config/config.h"
#include "delivery/delivery.h"
#include "model/result.h"
#include "remote/merged_source.h"
#include "remote/write_sender.h"
#include "rules/alert_sender.h"
#include "rules/rule_manager.h"
#include "scrape/scrape_manager.h"
#include "storage/exemplar_store.h"
#include "storage/store.h"
#include "telemetry/metrics.h"
#include "tools/alert_fan_out.h"

namespace pipit {

/// Reads Alertmanager's configuration and logs what it warns of.
Result<DeliveryConfig> load_logged_delivery_config(const std::string& path);

/// The configuration that the server runs with, and its reloading. Thread-safe.
class ServedConfiguration {
 public:
  /// `metrics` must outlive this.
  ServedConfiguration(std::string path, MetricsRegistry& metrics);

  /// Reads the file for the start. On an error nothing is kept.
  Result<Config> load();
  /// Makes `config` the one that runs.
  void adopt(const Config& config);
  /// From now on `reload` applies what it reads to these, which must outlive this.
  void attach(ScrapeManager& scraping, Store& store, ExemplarStore& exemplars);
  /// The same for remote write and remote read.
  void attach(RemoteWriteSender& remote_write, MergedSource& source);
  /// The same for rules and alerts.
  void attach(RuleManager& rules, AlertSender& alerts);
  /// The same for delivery, with its file, which `delivery` runs with.
  void attach(Delivery& delivery, AlertFanOut& fan_out, std::string path, MetricsRegistry& metrics);
  /// Reads the files again. A configuration with a mistake is logged and refused, and the old one stays.
  Status reload();

  std::string redacted_text() const;
  ReloadState state() const;
  Labels external_labels() const;

 private:
  void apply(const Config& config, std::vector<RuleGroupConfig> groups, std::optional<DeliveryConfig> delivery);

  /// What Alertmanager tells of its own configuration, for whoever watches it with Alertmanager's rules.
  struct DeliveryMetrics {
    explicit DeliveryMetrics(MetricsRegistry& metrics);
    void adopt(const std::string& redacted_text);

    Gauge& successful;
    Gauge& success_time;
    Gauge& hash;
  };

  const std::string path_;
  Gauge& successful_;
  Gauge& success_time_;
  mutable std::mutex mutex_;  ///< of what is below
  std::mutex reload_mutex_;   ///< one reload at a time
  ScrapeManager* scraping_ = nullptr;
  Store* store_ = nullptr;
  ExemplarStore* exemplars_ = nullptr;
  RemoteWriteSender* remote_write_ = nullptr;
  RuleManager* rules_ = nullptr;
  AlertSender* alerts_ = nullptr;
  MergedSource* source_ = nullptr;
  Delivery* delivery_ = nullptr;
  AlertFanOut* fan_out_ = nullptr;
  std::string delivery_path_;
  std::optional<DeliveryMetrics> delivery_metrics_;
  std::string redacted_text_;
  Labels external_labels_;
  ReloadState state_;
  DurationMs evaluation_interval_ = 0;
  std::optional<DurationMs> retention_time_;
  std::optional<std::uint64_t> retention_bytes_;
};

}  // namespace pipit
