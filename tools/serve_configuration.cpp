#include "tools/serve_configuration.h"

#include "model/duration.h"
#include "telemetry/log.h"

namespace pipit {

Result<DeliveryConfig> load_logged_delivery_config(const std::string& path) {
  auto config = load_delivery_config(path);
  if (!config.ok()) return config;
  for (const ConfigWarning& warning : config->warnings) log_warn(warning.message);
  log_info("Loaded Alertmanager's configuration", {{"file", path}, {"receivers", config->receivers.size()}});
  return config;
}

ServedConfiguration::DeliveryMetrics::DeliveryMetrics(MetricsRegistry& metrics)
    : successful(metrics.gauge("alertmanager_config_last_reload_successful",
                               "Whether the last attempt to load the configuration succeeded.")),
      success_time(metrics.gauge("alertmanager_config_last_reload_success_timestamp_seconds",
                                 "When the configuration was last loaded.")),
      hash(metrics.gauge("alertmanager_config_hash",
                         "A hash of the configuration, without secrets: the same where it is the same.")) {}

void ServedConfiguration::DeliveryMetrics::adopt(const std::string& redacted_text) {
  successful.set(1);
  success_time.set(static_cast<double>(now_ms()) / 1000);
  // 48 bits are a whole number in a double. This hash is the same on each machine.
  hash.set(static_cast<double>(Labels({{"config", redacted_text}}).hash() >> 16));
}

ServedConfiguration::ServedConfiguration(std::string path, MetricsRegistry& metrics)
    : path_(std::move(path)),
      successful_(metrics.gauge("pipit_config_last_reload_successful",
                                "Whether the last attempt to load the configuration succeeded.")),
      success_time_(metrics.gauge("pipit_config_last_reload_success_timestamp_seconds",
                                  "When the configuration was last loaded.")) {}

Result<Config> ServedConfiguration::load() {
  auto config = load_config(path_);
  if (!config.ok()) return config;
  for (const ConfigWarning& warning : config->warnings) log_warn(warning.message);
  return config;
}

void ServedConfiguration::adopt(const Config& config) {
  std::size_t targets = 0;
  for (const ScrapeConfig& job : config.scrape_configs) {
    for (const TargetGroup& group : job.static_configs) targets += group.targets.size();
  }
  {
    const std::lock_guard lock(mutex_);
    redacted_text_ = config.redacted_text;
    external_labels_ = config.external_labels;
    state_ = {true, now_ms()};
    evaluation_interval_ = config.evaluation_interval;
    retention_time_ = config.retention_time;
    retention_bytes_ = config.retention_bytes;
    success_time_.set(static_cast<double>(state_.time) / 1000);
  }
  successful_.set(1);
  log_info("Loaded the configuration", {{"file", path_},
                                        {"jobs", config.scrape_configs.size()},
                                        {"targets", targets},
                                        {"warnings", config.warnings.size()}});
}

void ServedConfiguration::attach(ScrapeManager& scraping, Store& store, ExemplarStore& exemplars) {
  const std::lock_guard lock(reload_mutex_);
  scraping_ = &scraping;
  store_ = &store;
  exemplars_ = &exemplars;
}

void ServedConfiguration::attach(RemoteWriteSender& remote_write, MergedSource& source) {
  const std::lock_guard lock(reload_mutex_);
  source_ = &source;
  remote_write_ = &remote_write;
}

void ServedConfiguration::attach(RuleManager& rules, AlertSender& alerts) {
  const std::lock_guard lock(reload_mutex_);
  rules_ = &rules;
  alerts_ = &alerts;
}

void ServedConfiguration::attach(Delivery& delivery, AlertFanOut& fan_out, std::string path, MetricsRegistry& metrics) {
  const std::lock_guard lock(reload_mutex_);
  delivery_ = &delivery;
  fan_out_ = &fan_out;
  delivery_path_ = std::move(path);
  delivery_metrics_.emplace(metrics).adopt(delivery.config_text());
}

Status ServedConfiguration::reload() {
  const std::lock_guard one_at_a_time(reload_mutex_);
  if (scraping_ == nullptr) return Error{ErrorKind::unavailable, "not started yet"};
  const auto refuse = [this](const Error& error) -> Status {
    successful_.set(0);
    if (delivery_metrics_) delivery_metrics_->successful.set(0);
    {
      const std::lock_guard lock(mutex_);
      state_.success = false;
    }
    log_error("The new configuration is refused, the old one stays", {{"err", error}});
    return error;
  };
  auto config = load();
  if (!config.ok()) return refuse(config.error());
  auto groups = RuleManager::load(*config);
  if (!groups.ok()) return refuse(groups.error());
  std::optional<DeliveryConfig> delivery;
  if (delivery_ != nullptr) {
    auto loaded = load_logged_delivery_config(delivery_path_);
    if (!loaded.ok()) return refuse(loaded.error());
    delivery = std::move(*loaded);
  }
  {
    const std::lock_guard lock(mutex_);
    // The store and the query engine take these once, when they start.
    if (config->retention_time != retention_time_) {
      log_warn("storage.tsdb.retention.time of the configuration takes effect with the next start");
    }
    if (config->retention_bytes != retention_bytes_) {
      log_warn("storage.tsdb.retention.size of the configuration takes effect with the next start");
    }
    if (config->evaluation_interval != evaluation_interval_) {
      log_warn("global.evaluation_interval takes effect as the step of subqueries with the next start");
    }
  }
  apply(*config, std::move(*groups), std::move(delivery));
  adopt(*config);
  return {};
}

/// Makes all parts those of what was read.
void ServedConfiguration::apply(const Config& config, std::vector<RuleGroupConfig> groups,
                                std::optional<DeliveryConfig> delivery) {
  store_->set_out_of_order_window(config.out_of_order_time_window);
  exemplars_->set_capacity(config.max_exemplars);
  if (source_ != nullptr) source_->apply(config.remote_reads, config.external_labels);
  if (remote_write_ != nullptr) {
    const Status applied = remote_write_->apply(config.remote_writes, config.external_labels);
    if (!applied.ok()) log_error("Remote write is not as configured", {{"err", applied.error()}});
  }
  scraping_->apply(config);
  if (delivery) {
    const Status applied = delivery_->apply(std::move(*delivery));
    if (!applied.ok()) log_error("Delivery is not as configured", {{"err", applied.error()}});
    fan_out_->apply(config.alerting, config.external_labels);
    if (applied.ok()) delivery_metrics_->adopt(delivery_->config_text());
  }
  if (rules_ != nullptr) {
    alerts_->apply(config.alerting, config.external_labels);
    rules_->apply(std::move(groups), config);
  }
}

std::string ServedConfiguration::redacted_text() const {
  const std::lock_guard lock(mutex_);
  return redacted_text_;
}

Labels ServedConfiguration::external_labels() const {
  const std::lock_guard lock(mutex_);
  return external_labels_;
}

ReloadState ServedConfiguration::state() const {
  const std::lock_guard lock(mutex_);
  return state_;
}

}  // namespace pipit
