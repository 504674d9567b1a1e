#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <ctime>
#include <memory>
#include <span>
#include <system_error>

#include "api/listener.h"
#include "api/server.h"
#include "api/web_security.h"
#include "delivery/delivery.h"
#include "model/duration.h"
#include "query/active_queries.h"
#include "query/engine.h"
#include "remote/merged_source.h"
#include "remote/write_sender.h"
#include "scrape/scrape_manager.h"
#include "storage/exemplar_store.h"
#include "storage/store.h"
#include "telemetry/log.h"
#include "telemetry/metrics.h"
#include "tools/alert_fan_out.h"
#include "tools/liveness.h"
#include "tools/open_files.h"
#include "tools/prometheus_data.h"
#include "tools/resident_memory.h"
#include "tools/serve_configuration.h"
#include "tools/serve_flags.h"
#include "tools/serve_options.h"
#include "tools/subcommands.h"
#include "tools/version.h"

namespace pipit {
namespace {

constexpr int kFailed = 1;
constexpr int kWrongUsage = 2;

/// The signals that the main thread waits for. Blocked before any thread starts, so that all threads inherit it.
class Signals {
 public:
  Signals() {
    ::sigemptyset(&set_);
    for (const int signal : {SIGTERM, SIGINT, SIGHUP}) ::sigaddset(&set_, signal);
    ::pthread_sigmask(SIG_BLOCK, &set_, nullptr);
    ::signal(SIGPIPE, SIG_IGN);
  }

  int wait() const {
    int signal = 0;
    while (::sigwait(&set_, &signal) != 0) {
    }
    return signal;
  }

  /// Whether a signal comes within so many seconds; `wait` returns it then.
  bool comes_within(int seconds) const {
    const timespec limit{.tv_sec = seconds, .tv_nsec = 0};
    int signal = -1;
    do {
      signal = ::sigtimedwait(&set_, nullptr, &limit);
    } while (signal == -1 && errno == EINTR);
    if (signal != -1) ::kill(::getpid(), signal);
    return signal != -1;
  }

  /// From now on SIGTERM and SIGINT end the process at once.
  void release() const { ::pthread_sigmask(SIG_UNBLOCK, &set_, nullptr); }

 private:
  sigset_t set_;
};

int fail(const std::string& message) {
  log_error(message);
  return kFailed;
}

/// Makes the data directory and makes sure that it can be written.
Status prepare_directory(const std::filesystem::path& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) {
    return Error{ErrorKind::unavailable, "cannot make the data directory " + path.string() + ": " + error.message() +
                                             "; choose another with --storage.tsdb.path"};
  }
  if (::access(path.c_str(), R_OK | W_OK | X_OK) != 0) {
    return Error{ErrorKind::unavailable, "the data directory " + path.string() +
                                             " cannot be written: " + std::generic_category().message(errno) +
                                             "; change its owner or choose another with --storage.tsdb.path"};
  }
  return {};
}

StoreOptions store_options(const ServeOptions& options, const Config& config) {
  StoreOptions store;
  store.path = options.data_path / "pipit";
  store.retention_bytes = config.retention_bytes.value_or(options.retention_bytes);
  const DurationMs when_none_is_set = store.retention_bytes == 0 ? kDefaultRetention : 0;
  store.retention = config.retention_time.value_or(options.retention.value_or(when_none_is_set));
  store.log_sync_interval = options.log_sync_interval;
  store.out_of_order_window = config.out_of_order_time_window;
  return store;
}

void log_ports(const ServerOptions& options, const std::vector<int>& ports) {
  for (std::size_t i = 0; i < ports.size() && i < options.listen_addresses.size(); ++i) {
    const std::string& address = options.listen_addresses[i];
    log_info("Listening", {{"address", address.substr(0, address.rfind(':') + 1) + std::to_string(ports[i])}});
  }
}

/// The URL in links that leave the program: as Prometheus makes one, of the host's name and the port.
std::string shown_url(const ServerOptions& options) {
  if (options.external_url.find("://") != std::string::npos) return options.external_url;
  std::string host = "localhost";
  char name[256] = {};
  if (::gethostname(name, sizeof name - 1) == 0 && name[0] != '\0') host = name;
  const std::string& address = options.listen_addresses.front();
  return "http://" + host + ":" + address.substr(address.rfind(':') + 1) + options.external_url;
}

/// The first scrapes of all targets, which make their series, need much code that later ones do not.
constexpr int kSettledSeconds = 120;

/// Runs until a signal ends it. Reloads on SIGHUP.
void run(const Signals& signals, ServedConfiguration& configuration) {
  if (!signals.comes_within(kSettledSeconds)) release_startup_code();
  for (;;) {
    const int signal = signals.wait();
    if (signal != SIGHUP) {
      log_info("Stopping", {{"signal", signal == SIGTERM ? "SIGTERM" : "SIGINT"}});
      return;
    }
    // A refused configuration is logged there, and nobody else waits for the answer.
    static_cast<void>(configuration.reload());
  }
}

/// Telling people, when it is asked for.
struct OwnDelivery {
  std::unique_ptr<Delivery> delivery;
  std::unique_ptr<AlertFanOut> fan_out;

  static Result<OwnDelivery> start(const ServeOptions& options, std::optional<DeliveryConfig> config, Store& store,
                                   AlertSender& alerts, MetricsRegistry& metrics) {
    OwnDelivery own;
    if (!config) return own;
    DeliveryOptions delivery = options.delivery;
    delivery.external_url = shown_url(options.server);
    while (delivery.external_url.ends_with('/')) delivery.external_url.pop_back();
    own.delivery = std::make_unique<Delivery>(store, metrics, std::move(delivery));
    own.fan_out = std::make_unique<AlertFanOut>(alerts, *own.delivery);
    const Status applied = own.delivery->apply(std::move(*config));
    if (!applied.ok()) return applied.error();
    return own;
  }
};

/// As the API shows them.
std::vector<std::pair<std::string, std::string>> shown_flags(const ParsedFlags& flags) {
  auto shown = flags.all();
  for (auto& [name, value] : shown) {
    if (name == "heartbeat.url" && !value.empty()) value = shown_heartbeat_url(value);
  }
  return shown;
}

/// Null when none is asked for.
Result<std::unique_ptr<Heartbeat>> start_heartbeat(const HeartbeatOptions& options, Store& store,
                                                   const ScrapeManager& scraping, const RuleManager& rules,
                                                   MetricsRegistry& metrics) {
  if (options.url.empty()) return std::unique_ptr<Heartbeat>();
  const Counter& stored = metrics.counter("pipit_storage_samples_appended_total", "Samples that were stored.");
  auto fault = [liveness = std::make_shared<Liveness>(store, stored), &scraping, &rules] {
    return liveness->fault(scraping.active_targets(), progress_of(rules.groups()), now_ms());
  };
  return Heartbeat::start(options, metrics, std::move(fault));
}

int serve(const ServeOptions& options, const ParsedFlags& flags, const Signals& signals) {
  const TimestampMs started = now_ms();
  log_info("Starting Pipit", {{"version", pipit_version()}, {"pid", static_cast<int>(::getpid())}});
  for (const std::string& line : flags.ignored()) log_warn(line);

  raise_open_file_limit();
  MetricsRegistry metrics;
  register_process_metrics(metrics);
  metrics.gauge("pipit_build_info", "1, with the version as label.", {{"version", std::string(pipit_version())}})
      .set(1);
  std::unique_ptr<WebSecurity> security;
  if (!options.web_config_file.empty()) {
    auto opened = WebSecurity::open(options.web_config_file, metrics);
    if (!opened.ok()) return fail(opened.error().message);
    security = std::move(*opened);
  }
  ServedConfiguration configuration(options.config_file, metrics);
  auto config = configuration.load();
  if (!config.ok()) {
    std::error_code ignored;
    const bool missing = !std::filesystem::exists(options.config_file, ignored);
    return fail(config.error().message + (missing ? "; --config.file names another" : ""));
  }
  auto groups = RuleManager::load(*config);
  if (!groups.ok()) return fail(groups.error().message);
  std::optional<DeliveryConfig> delivery_config;
  if (!options.alertmanager_config_file.empty()) {
    auto loaded = load_logged_delivery_config(options.alertmanager_config_file);
    if (!loaded.ok()) return fail(loaded.error().message);
    delivery_config = std::move(*loaded);
  }
  configuration.adopt(*config);

  // Before the store is opened, so that a second Pipit ends at once and touches nothing. Who connects meanwhile waits.
  auto listeners = listen_on(options.server.listen_addresses);
  if (!listeners.ok()) return fail(listeners.error().message);
  if (const Status status = prepare_directory(options.data_path); !status.ok()) return fail(status.error().message);
  if (const std::string found = describe_prometheus_data(options.data_path); !found.empty()) {
    log_info("Found Prometheus's own data, which is neither read nor changed",
             {{"path", options.data_path.string()}, {"found", found}});
  }
  auto store = Store::open(store_options(options, *config), metrics);
  if (!store.ok()) return fail(store.error().message);
  const StoreStats stats = (*store)->stats();
  log_info("Opened the store", {{"path", (options.data_path / "pipit").string()},
                                {"series", stats.head_series},
                                {"replayed_records", stats.replayed_records},
                                {"replay_ms", stats.replay_time}});

  auto active_queries =
      ActiveQueries::open(options.data_path / "pipit" / "queries.active", options.engine.max_concurrency);
  if (!active_queries.ok()) log_warn(active_queries.error().message);
  EngineOptions engine_options = options.engine;
  if (active_queries.ok()) engine_options.active_queries = active_queries->get();
  engine_options.default_subquery_step = config->evaluation_interval;
  MergedSource source(**store, metrics, "Pipit/" + std::string(pipit_version()));
  source.apply(config->remote_reads, config->external_labels);
  const Engine engine(source, engine_options, metrics);
  ExemplarStore exemplars(metrics, config->max_exemplars);
  exemplars.keep_on_disk(options.data_path / "pipit" / "exemplars");
  ScrapeManager scraping(**store, metrics,
                         {.user_agent = "Pipit/" + std::string(pipit_version()), .exemplars = &exemplars});
  RemoteWriteSender remote_write(**store, exemplars, metrics, options.remote_write);
  if (const Status status = remote_write.apply(config->remote_writes, config->external_labels); !status.ok()) {
    return fail(status.error().message);
  }
  configuration.attach(scraping, **store, exemplars);
  configuration.attach(remote_write, source);
  RuleManagerOptions rule_options = options.rules;
  rule_options.external_url = shown_url(options.server);
  AlertSender alerts(metrics, options.alerts);
  auto own = OwnDelivery::start(options, std::move(delivery_config), **store, alerts, metrics);
  if (!own.ok()) return fail(own.error().message);
  AlertSink* sink = &alerts;
  if (own->delivery) {
    own->fan_out->apply(config->alerting, config->external_labels);
    configuration.attach(*own->delivery, *own->fan_out, options.alertmanager_config_file, metrics);
    sink = own->fan_out.get();
  }
  const std::string own_url = rule_options.external_url;
  RuleManager rules(engine, **store, **store, metrics, sink, std::move(rule_options));

  ServerContext context{.engine = engine,
                        .source = **store,
                        .store = store->get(),
                        .scraping = &scraping,
                        .metrics = metrics,
                        .config_text = [&configuration] { return configuration.redacted_text(); },
                        .flags = shown_flags(flags),
                        .reload = [&configuration] { return configuration.reload(); },
                        .quit = [] { ::kill(::getpid(), SIGTERM); },
                        .reload_state = [&configuration] { return configuration.state(); },
                        .external_labels = [&configuration] { return configuration.external_labels(); },
                        .security = security.get(),
                        .exemplars = &exemplars,
                        .appender = store->get(),
                        .rules = &rules,
                        .alerts = &alerts,
                        .delivery = own->delivery.get(),
                        .delivery_url = own_url};
  Server server(options.server, std::move(context));
  if (const Status status = server.start(std::move(*listeners)); !status.ok()) return fail(status.error().message);
  log_ports(options.server, server.ports());
  scraping.apply(*config);
  alerts.apply(config->alerting, config->external_labels);
  rules.apply(std::move(*groups), *config);
  configuration.attach(rules, alerts);
  *config = Config();
  server.set_ready();
  log_info("Ready", {{"after_ms", now_ms() - started}});
  auto heartbeat = start_heartbeat(options.heartbeat, **store, scraping, rules, metrics);
  if (!heartbeat.ok()) return fail(heartbeat.error().message);
  release_startup_code();

  run(signals, configuration);
  signals.release();
  const TimestampMs stopping = now_ms();
  heartbeat->reset();
  server.stop();
  rules.stop();
  scraping.stop();
  alerts.stop();
  if (own->delivery) own->delivery->stop();
  remote_write.stop();
  const Status closed = (*store)->close();
  if (!closed.ok()) return fail("the store did not close cleanly: " + closed.error().message);
  log_info("Stopped", {{"after_ms", now_ms() - stopping}});
  return 0;
}

}  // namespace

int run_serve(int argc, char** argv) {
  const std::span<const char* const> arguments(argv + 1, argv + argc);
  for (const char* const argument : arguments) {
    const std::string_view word = argument;
    if (word == "--help" || word == "-h" || word == "--help-long" || word == "--help-man") {
      std::printf(
          "usage: pipit [serve] [flags]\n\nScrapes targets, stores their samples and answers PromQL over HTTP, in "
          "Prometheus's place and with its flags.\n%s",
          flags_help(serve_flags()).c_str());
      return 0;
    }
    if (word == "--version") {
      std::printf("pipit %s, with the flags, configuration, PromQL and HTTP API of Prometheus %s\n",
                  std::string(pipit_version()).c_str(), std::string(kPrometheusVersion).c_str());
      return 0;
    }
  }
  const auto wrong_usage = [](const Error& error) {
    std::fprintf(stderr, "pipit: %s\nTry pipit serve --help.\n", error.message.c_str());
    return kWrongUsage;
  };
  const auto flags = ParsedFlags::parse(serve_flags(), arguments);
  if (!flags.ok()) return wrong_usage(flags.error());
  const auto options = build_serve_options(*flags);
  if (!options.ok()) return wrong_usage(options.error());
  configure_log(options->log_level, options->log_format);
  const Signals signals;
  return serve(*options, *flags, signals);
}

}  // namespace pipit
