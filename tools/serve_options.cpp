#include "tools/serve_options.h"

#include <algorithm>
#include <charconv>

#include "config/byte_size.h"
#include "config/config_file.h"
#include "model/matcher.h"
#include "scrape/target.h"
#include "tools/version.h"

namespace pipit {
namespace {

// Prometheus's bound, too: more overflows its nanoseconds.
constexpr DurationMs kMaxRetention = 100LL * 365 * 24 * 3600 * 1000;

Error wrong(std::string_view flag, const std::string& what) {
  return bad_data("flag --" + std::string(flag) + ": " + what);
}

/// HOST:PORT, :PORT or [IPV6]:PORT.
Status check_address(const std::string& address) {
  const auto fail = [&address](const char* what) {
    return wrong("web.listen-address", std::string(what) + " (got \"" + address + "\"); write it as HOST:PORT");
  };
  const std::size_t colon = address.rfind(':');
  if (colon == std::string::npos) return fail("the port is missing");
  const std::string_view host = std::string_view(address).substr(0, colon);
  if (host.find(':') != std::string_view::npos && !(host.starts_with('[') && host.ends_with(']'))) {
    return fail("an IPv6 address needs brackets");
  }
  const std::string_view port = std::string_view(address).substr(colon + 1);
  unsigned number = 0;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
  if (port.empty() || error != std::errc() || end != port.data() + port.size() || number > 65535) {
    return fail("the port must be a number from 0 to 65535");
  }
  return {};
}

Status check_external_url(std::string_view url) {
  const auto fail = [url](const char* what) {
    return wrong("web.external-url", std::string(what) + " (got \"" + std::string(url) + "\")");
  };
  if (url.empty()) return {};
  for (const char quote : {'"', '\''}) {
    if (url.front() == quote || url.back() == quote) return fail("the URL must not begin or end with quotes");
  }
  const bool printable = std::all_of(url.begin(), url.end(), [](char c) { return c > ' ' && c != 0x7f; });
  if (!printable) return fail("a URL has no blanks");
  const std::size_t scheme = url.find("://");
  if (scheme == std::string_view::npos) {
    if (url.front() == '/') return {};
    return fail("the URL must begin with http:// or https://, or be a path");
  }
  if (url.substr(0, scheme) != "http" && url.substr(0, scheme) != "https") {
    return fail("the URL must begin with http:// or https://");
  }
  const std::string_view rest = url.substr(scheme + 3);
  if (rest.empty() || rest.front() == '/') return fail("the host is missing");
  return {};
}

Result<unsigned> positive_count(const ParsedFlags& flags, std::string_view name) {
  const double number = flags.number(name);
  if (number < 1 || number > 1e9) return wrong(name, "must be from 1 to 1000000000");
  return static_cast<unsigned>(number);
}

Result<std::optional<DurationMs>> retention_of(const ParsedFlags& flags) {
  for (const std::string_view name : {"storage.tsdb.retention.time", "storage.tsdb.retention"}) {
    if (!flags.given(name)) continue;
    const DurationMs retention = flags.duration_ms(name);
    if (retention < 0) return wrong(name, "must not be negative");
    // 0 means "not set" to Prometheus.
    if (retention > 0) return std::optional<DurationMs>(std::min(retention, kMaxRetention));
  }
  return std::optional<DurationMs>();
}

Status read_server_options(const ParsedFlags& flags, ServerOptions& server) {
  server.listen_addresses = flags.texts("web.listen-address");
  for (const std::string& address : server.listen_addresses) {
    if (Status status = check_address(address); !status.ok()) return status;
  }
  server.external_url = flags.text("web.external-url");
  if (Status status = check_external_url(server.external_url); !status.ok()) return status;
  server.route_prefix = flags.text("web.route-prefix");
  server.page_title = flags.text("web.page-title");
  server.version = pipit_version();
  server.cors_origin = flags.text("web.cors.origin");
  if (const auto regex = Regex::compile(server.cors_origin); !regex.ok()) {
    return wrong("web.cors.origin", regex.error().message);
  }
  server.read_timeout = flags.duration_ms("web.read-timeout");
  if (server.read_timeout <= 0) return wrong("web.read-timeout", "must be more than 0");
  const auto connections = positive_count(flags, "web.max-connections");
  if (!connections.ok()) return connections.error();
  server.max_connections = *connections;
  server.enable_lifecycle = flags.boolean("web.enable-lifecycle");
  server.enable_admin_api = flags.boolean("web.enable-admin-api");
  server.enable_remote_write_receiver = flags.boolean("web.enable-remote-write-receiver");
  if (flags.given("web.remote-write-receiver.accepted-protobuf-messages")) {
    server.remote_write_versions = {false, false};
    for (const std::string& message : flags.texts("web.remote-write-receiver.accepted-protobuf-messages")) {
      (message == "prometheus.WriteRequest" ? server.remote_write_versions.v1 : server.remote_write_versions.v2) = true;
    }
  }
  return {};
}

Status read_engine_options(const ParsedFlags& flags, EngineOptions& engine) {
  engine.lookback_delta = flags.duration_ms("query.lookback-delta");
  if (engine.lookback_delta <= 0) return wrong("query.lookback-delta", "must be more than 0");
  engine.timeout = flags.duration_ms("query.timeout");
  if (engine.timeout <= 0) return wrong("query.timeout", "must be more than 0");
  const auto samples = positive_count(flags, "query.max-samples");
  if (!samples.ok()) return samples.error();
  engine.max_samples = *samples;
  const auto memory = parse_byte_size(flags.text("query.max-memory"));
  if (!memory.ok()) return wrong("query.max-memory", memory.error().message);
  if (*memory == 0) return wrong("query.max-memory", "must be more than 0");
  engine.max_memory = *memory;
  const auto concurrency = positive_count(flags, "query.max-concurrency");
  if (!concurrency.ok()) return concurrency.error();
  engine.max_concurrency = *concurrency;
  return {};
}

Status read_remote_write_options(const ParsedFlags& flags, WriteSenderOptions& remote_write) {
  remote_write.flush_deadline = flags.duration_ms("storage.remote.flush-deadline");
  if (remote_write.flush_deadline < 0) return wrong("storage.remote.flush-deadline", "must not be negative");
  const auto bytes = parse_byte_size(flags.text("storage.remote.queue-size"));
  if (!bytes.ok()) return wrong("storage.remote.queue-size", bytes.error().message);
  if (*bytes == 0) return wrong("storage.remote.queue-size", "must be more than 0");
  remote_write.max_bytes = *bytes;
  remote_write.max_age = flags.duration_ms("storage.remote.queue-age");
  if (remote_write.max_age < 0) return wrong("storage.remote.queue-age", "must not be negative");
  return {};
}

Status read_rule_options(const ParsedFlags& flags, RuleManagerOptions& rules, AlertSenderOptions& alerts) {
  const std::pair<const char*, DurationMs*> durations[] = {
      {"rules.alert.for-outage-tolerance", &rules.outage_tolerance},
      {"rules.alert.for-grace-period", &rules.grace_period},
      {"rules.alert.resend-delay", &rules.resend_delay},
  };
  for (const auto& [flag, value] : durations) {
    *value = flags.duration_ms(flag);
    if (*value < 0) return wrong(flag, "must not be negative");
  }
  const auto evaluations = positive_count(flags, "rules.max-concurrent-evals");
  if (!evaluations.ok()) return evaluations.error();
  rules.max_concurrent_evals = *evaluations;
  const auto capacity = positive_count(flags, "alertmanager.notification-queue-capacity");
  if (!capacity.ok()) return capacity.error();
  alerts.queue_capacity = *capacity;
  const auto batch = positive_count(flags, "alertmanager.notification-batch-size");
  if (!batch.ok()) return batch.error();
  alerts.batch_size = *batch;
  alerts.drain_on_stop = flags.boolean("alertmanager.drain-notification-queue-on-shutdown");
  alerts.user_agent = "Pipit/" + std::string(pipit_version());
  return {};
}

Status read_heartbeat_options(const ParsedFlags& flags, HeartbeatOptions& heartbeat, std::vector<std::string>& names) {
  heartbeat.url = flags.text("heartbeat.url");
  const std::string file(flags.text("heartbeat.url-file"));
  const std::string_view given = file.empty() ? "heartbeat.url" : "heartbeat.url-file";
  if (!file.empty()) {
    if (!heartbeat.url.empty()) return wrong(given, "must not be given beside --heartbeat.url");
    auto text = read_config_file(file);
    if (!text.ok()) return wrong(given, text.error().message);
    heartbeat.url = std::move(*text);
    while (!heartbeat.url.empty() && static_cast<unsigned char>(heartbeat.url.back()) <= ' ') heartbeat.url.pop_back();
    if (heartbeat.url.empty()) return wrong(given, "the file is empty");
  }
  if (!heartbeat.url.empty() && !parse_http_url(heartbeat.url).ok()) {
    return wrong(given, "must be of the form http://HOST[:PORT]/PATH");
  }
  heartbeat.interval = flags.duration_ms("heartbeat.interval");
  if (heartbeat.interval < 1000) return wrong("heartbeat.interval", "must be a second at least");
  heartbeat.timeout = flags.duration_ms("heartbeat.timeout");
  if (heartbeat.timeout <= 0) return wrong("heartbeat.timeout", "must be more than 0");
  heartbeat.post = flags.text("heartbeat.method") == "POST";
  heartbeat.user_agent = "Pipit/" + std::string(pipit_version());
  if (!flags.given("heartbeat.receive")) return {};
  names = flags.texts("heartbeat.receive");
  for (const std::string& name : names) {
    const bool plain = std::all_of(name.begin(), name.end(), [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
             c == '-';
    });
    if (name.empty() || !plain) return wrong("heartbeat.receive", "a name has letters, digits, '.', '_' and '-'");
  }
  return {};
}

}  // namespace

Result<ServeOptions> build_serve_options(const ParsedFlags& flags) {
  ServeOptions options;
  options.config_file = flags.text("config.file");
  options.web_config_file = flags.text("web.config.file");
  if (options.config_file.empty()) return wrong("config.file", "must name a file");
  options.data_path = std::filesystem::path(flags.text("storage.tsdb.path"));
  if (options.data_path.empty()) return wrong("storage.tsdb.path", "must name a directory");
  auto retention = retention_of(flags);
  if (!retention.ok()) return retention.error();
  options.retention = *retention;
  options.log_sync_interval = flags.duration_ms("storage.log.sync-interval");
  if (options.log_sync_interval < 0) return wrong("storage.log.sync-interval", "must not be negative");
  if (flags.given("storage.tsdb.retention.size")) {
    const auto bytes = parse_byte_size(flags.text("storage.tsdb.retention.size"));
    if (!bytes.ok()) return wrong("storage.tsdb.retention.size", bytes.error().message);
    options.retention_bytes = *bytes;
  }
  const auto level = parse_log_level(flags.text("log.level"));
  if (!level.ok()) return level.error();
  options.log_level = *level;
  const auto format = parse_log_format(flags.text("log.format"));
  if (!format.ok()) return format.error();
  options.log_format = *format;
  if (const Status status = read_server_options(flags, options.server); !status.ok()) return status.error();
  if (const Status status = read_engine_options(flags, options.engine); !status.ok()) return status.error();
  const auto read_limit = positive_count(flags, "storage.remote.read-sample-limit");
  if (!read_limit.ok()) return read_limit.error();
  options.server.remote_read.samples = *read_limit;
  const auto frame = positive_count(flags, "storage.remote.read-max-bytes-in-frame");
  if (!frame.ok()) return frame.error();
  options.server.remote_read.bytes_in_frame = *frame;
  if (const Status status = read_remote_write_options(flags, options.remote_write); !status.ok()) return status.error();
  options.remote_write.path = options.data_path / "pipit" / "remote_write";
  options.remote_write.user_agent = "Pipit/" + std::string(pipit_version());
  options.remote_write.sync_interval = options.log_sync_interval;
  options.server.lookback_delta = options.engine.lookback_delta;
  if (const Status status = read_rule_options(flags, options.rules, options.alerts); !status.ok()) {
    return status.error();
  }
  options.alertmanager_config_file = flags.text("alertmanager.config.file");
  options.delivery.user_agent = options.alerts.user_agent;
  if (const Status status = read_heartbeat_options(flags, options.heartbeat, options.server.heartbeat_names);
      !status.ok()) {
    return status.error();
  }
  return options;
}

}  // namespace pipit
