#pragma once

#include <string>
#include <vector>

#include "config/config.h"
#include "config/schema.h"
#include "model/result.h"

namespace pipit {

/// What `global` gives to jobs that do not say otherwise.
struct ScrapeDefaults {
  DurationMs scrape_interval = 60'000;
  DurationMs scrape_timeout = 10'000;
  std::uint64_t body_size_limit = 0;
  std::uint64_t sample_limit = 0;
  std::uint64_t target_limit = 0;
  std::uint64_t label_limit = 0;
  std::uint64_t label_name_length_limit = 0;
  std::uint64_t label_value_length_limit = 0;
  std::uint64_t keep_dropped_targets = 0;
  bool extra_scrape_metrics = false;
  std::string scrape_failure_log_file;
  std::vector<ScrapeProtocol> scrape_protocols;
  bool legacy_names = false;    ///< metric_name_validation_scheme
  std::string escaping_scheme;  ///< metric_name_escaping_scheme; "" follows the names
};

/// Reads a checked `global` section (null: all defaults) and validates what its keys say together.
Result<ScrapeDefaults> build_scrape_defaults(const YamlNode* global, const SchemaChecker& checker);

/// Builds a job from a checked scrape config and validates it as Prometheus does.
Result<ScrapeConfig> build_scrape_config(const YamlNode& node, const ScrapeDefaults& defaults,
                                         const SchemaChecker& checker);

/// A checked duration or size under `key`, or `fallback` when it is missing, null or 0.
DurationMs duration_or(const YamlNode& node, std::string_view key, DurationMs fallback);
std::uint64_t size_or(const YamlNode& node, std::string_view key, std::uint64_t fallback);

}  // namespace pipit
