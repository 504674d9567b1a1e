#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "api/server.h"
#include "delivery/delivery.h"
#include "delivery/heartbeat.h"
#include "model/result.h"
#include "query/engine.h"
#include "remote/write_sender.h"
#include "rules/alert_sender.h"
#include "rules/rule_manager.h"
#include "telemetry/log.h"
#include "tools/flags.h"

namespace pipit {

/// What the flags of `pipit serve` ask for.
struct ServeOptions {
  std::string config_file;
  std::string web_config_file;          ///< --web.config.file, "" when not given
  std::filesystem::path data_path;      ///< --storage.tsdb.path
  std::optional<DurationMs> retention;  ///< of the flags; the configuration file has precedence
  DurationMs log_sync_interval = 0;     ///< of the flag
  std::uint64_t retention_bytes = 0;    ///< of the flag, 0 when not given
  LogLevel log_level = LogLevel::info;
  LogFormat log_format = LogFormat::logfmt;
  EngineOptions engine;
  ServerOptions server;
  WriteSenderOptions remote_write;
  RuleManagerOptions rules;
  AlertSenderOptions alerts;
  std::string alertmanager_config_file;  ///< "": Pipit itself tells nobody
  DeliveryOptions delivery;
  HeartbeatOptions heartbeat;  ///< no URL: none
};

/// How long samples are kept when nobody says.
inline constexpr DurationMs kDefaultRetention = 15LL * 24 * 3600 * 1000;

/// Errors (bad_data) are of wrong usage: they name the flag, what is wrong with its value and what it should be.
Result<ServeOptions> build_serve_options(const ParsedFlags& flags);

}  // namespace pipit
