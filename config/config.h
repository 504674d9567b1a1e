#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/discovery_config.h"
#include "config/http_client_config.h"
#include "config/remote_config.h"
#include "model/labels.h"
#include "model/relabel.h"
#include "model/result.h"
#include "model/sample.h"

namespace pipit {

/// A place in a configuration file, for messages: `prometheus.yml:12:5`.
struct ConfigPosition {
  int line = 0;
  int column = 0;
};

/// Formats that a job can ask its targets for.
enum class ScrapeProtocol { openmetrics_0_0_1, openmetrics_1_0_0, protobuf, text_0_0_4, text_1_0_0 };

/// How names of other characters than the old ones are asked for.
enum class NameEscaping { allow_utf8, underscores, dots, values };

/// One `scrape_configs` entry with the globals already applied.
struct ScrapeConfig {
  std::string job_name;
  DurationMs scrape_interval = 60'000;
  DurationMs scrape_timeout = 10'000;
  std::string metrics_path = "/metrics";
  std::string scheme = "http";
  std::vector<std::pair<std::string, std::vector<std::string>>> params;
  bool honor_labels = false;
  bool honor_timestamps = true;
  bool track_timestamps_staleness = false;
  bool enable_compression = true;
  std::uint64_t sample_limit = 0;  ///< 0: none; also the limits below
  std::uint64_t label_limit = 0;
  std::uint64_t label_name_length_limit = 0;
  std::uint64_t label_value_length_limit = 0;
  std::uint64_t target_limit = 0;
  std::uint64_t body_size_limit = 0;  ///< bytes, uncompressed
  std::uint64_t keep_dropped_targets = 0;
  bool extra_scrape_metrics = false;
  std::string scrape_failure_log_file;  ///< "": none
  std::vector<ScrapeProtocol> scrape_protocols;  ///< in order of preference; empty: Prometheus's default
  std::optional<ScrapeProtocol> fallback_scrape_protocol;
  bool legacy_names = false;  ///< metric_name_validation_scheme
  NameEscaping name_escaping = NameEscaping::allow_utf8;
  HttpClientConfig http_client;
  std::vector<TargetGroup> static_configs;
  std::vector<DiscoveryConfig> discoveries;
  std::vector<RelabelConfig> relabel_configs;
  std::vector<RelabelConfig> metric_relabel_configs;
  ConfigPosition position;
};

/// An `alerting.alertmanagers` entry.
struct AlertmanagerConfig {
  /// Where they are: a job whose targets are the URLs that take alerts.
  ScrapeConfig source;
  DurationMs timeout = 10'000;
  std::vector<RelabelConfig> alert_relabel_configs;
};

/// The section `alerting`.
struct AlertingConfig {
  std::vector<RelabelConfig> alert_relabel_configs;
  std::vector<AlertmanagerConfig> alertmanagers;
  /// The section as written, secrets included: two sections are the same when their texts are.
  std::string text;
};

/// Something in the file that loads but does nothing yet: `prometheus.yml:7: rule_files is not supported yet ...`.
struct ConfigWarning {
  std::string message;
};

struct Config {
  DurationMs scrape_interval = 60'000;
  DurationMs scrape_timeout = 10'000;
  DurationMs evaluation_interval = 60'000;
  DurationMs rule_query_offset = 0;
  bool legacy_names = false;  ///< global.metric_name_validation_scheme
  Labels external_labels;
  std::vector<ScrapeConfig> scrape_configs;
  AlertingConfig alerting;
  std::vector<std::string> rule_files;  ///< patterns, joined with the folder of the configuration
  /// `storage.tsdb.retention.time`, which takes the place of the flag; 0 keeps everything.
  std::optional<DurationMs> retention_time;
  /// `storage.tsdb.retention.size`, which takes the place of the flag; 0 is no limit.
  std::optional<std::uint64_t> retention_bytes;
  DurationMs out_of_order_time_window = 0;  ///< `storage.tsdb.out_of_order_time_window`
  std::size_t max_exemplars = 100'000;      ///< `storage.exemplars.max_exemplars`; 0 keeps none
  std::vector<RemoteWriteConfig> remote_writes;
  std::vector<RemoteReadConfig> remote_reads;
  std::vector<ConfigWarning> warnings;
  /// The file as YAML with secrets replaced by `<secret>`, without its comments, for /api/v1/status/config.
  std::string redacted_text;
};

/// Reads Prometheus 3.14's configuration format. Unknown keys, wrong types and bad values are errors of the form
/// `FILE:LINE:COLUMN: what is wrong`. Sections that Pipit does not build yet load with a warning. Files that
/// `scrape_config_files` names are read from beside `path`.
Result<Config> load_config(const std::string& path);
/// The same from memory; `name` stands for the file in messages. `scrape_config_files` are not read, with a warning.
Result<Config> parse_config(std::string_view text, const std::string& name);

}  // namespace pipit
