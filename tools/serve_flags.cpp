// Source of names, types and defaults: Prometheus 3.14, cmd/prometheus/main.go.

#include "tools/serve_flags.h"

namespace pipit {
namespace {

using enum FlagType;

constexpr std::string_view kNoGo = "has no effect: there is no Go runtime to tune";
constexpr std::string_view kNoBlocks = "has no effect: Pipit keeps its data in RocksDB, not in Prometheus's blocks";
constexpr std::string_view kNoAgent = "is not supported: Pipit always stores and answers queries";
constexpr std::string_view kNoConsoles = "has no effect: there are no console templates";

constexpr FlagSpec kFlags[] = {
    {"config.file", text, "prometheus.yml", "The configuration file, as Prometheus reads it."},
    {"config.auto-reload-interval", duration, "30s", "",
     "has no effect: SIGHUP or POST /-/reload reloads the configuration"},

    {"storage.tsdb.path", text, "data/",
     "The data directory. Pipit uses the folder \"pipit\" in it and leaves the rest alone."},
    {"storage.tsdb.retention.time", duration, "",
     "How long samples are kept; 15d when neither a time nor a size is set here or in the configuration file."},
    {"storage.tsdb.retention", duration, "", "The old name of --storage.tsdb.retention.time.", "", "", false, true},
    {"storage.tsdb.retention.size", size, "",
     "How large all files of the store may be together (512MB, 10GB; powers of 1024) before whole days are dropped, "
     "oldest first; 0 is no limit. Without a retention time it is the only limit."},
    {"storage.log.sync-interval", duration, "2s",
     "How much a power failure may cost: how often what was stored is forced to the disk. 0 does so before every "
     "answer "
     "and after every scrape. The death of the process alone costs nothing."},
    {"storage.tsdb.no-lockfile", boolean, "false", "", "has no effect: the store is always locked"},
    {"storage.tsdb.head-chunks-write-queue-size", integer, "0", "", kNoBlocks},
    {"storage.tsdb.delay-compact-file.path", text, "", "", kNoBlocks},
    {"storage.tsdb.min-block-duration", duration, "2h", "", kNoBlocks, "", false, true},
    {"storage.tsdb.max-block-duration", duration, "", "", kNoBlocks, "", false, true},
    {"storage.tsdb.max-block-chunk-segment-size", size, "", "", kNoBlocks, "", false, true},
    {"storage.tsdb.wal-segment-size", size, "", "", kNoBlocks, "", false, true},
    {"storage.tsdb.allow-overlapping-compaction", boolean, "true", "", kNoBlocks, "", false, true},
    {"storage.tsdb.allow-overlapping-blocks", boolean, "true", "", kNoBlocks, "", false, true},
    {"storage.tsdb.wal-compression", boolean, "true", "", kNoBlocks, "", false, true},
    {"storage.tsdb.wal-compression-type", choice, "snappy", "", kNoBlocks, "snappy|zstd", false, true},
    {"storage.tsdb.samples-per-chunk", integer, "120", "", kNoBlocks, "", false, true},
    {"storage.tsdb.delayed-compaction.max-percent", integer, "10", "", kNoBlocks, "", false, true},
    {"storage.tsdb.block-reload-interval", duration, "1m", "", kNoBlocks, "", false, true},
    {"storage.agent.path", text, "data-agent/", "", kNoAgent},
    {"storage.agent.wal-compression", boolean, "true", "", kNoAgent},
    {"storage.agent.wal-compression-type", choice, "snappy", "", kNoAgent, "snappy|zstd", false, true},
    {"storage.agent.wal-segment-size", size, "", "", kNoAgent, "", false, true},
    {"storage.agent.wal-truncate-frequency", duration, "", "", kNoAgent, "", false, true},
    {"storage.agent.retention.min-time", duration, "", "", kNoAgent},
    {"storage.agent.retention.max-time", duration, "", "", kNoAgent},
    {"storage.agent.no-lockfile", boolean, "false", "", kNoAgent},
    {"storage.remote.flush-deadline", duration, "1m",
     "How long the end of the program may wait for what remote write has still to send. The rest stays in the queue "
     "and "
     "is sent after the next start."},
    {"storage.remote.queue-size", size, "1GB",
     "How large the queue of remote write may be (512MB, 10GB; powers of 1024) before its oldest samples are given up. "
     "Prometheus has no such flag."},
    {"storage.remote.queue-age", duration, "24h",
     "How long samples wait in the queue of remote write before they are given up; 0 is no limit. Prometheus has no "
     "such flag."},
    {"storage.remote.read-sample-limit", integer, "5e7",
     "How many samples a remote read may answer that is no stream of chunks."},
    {"storage.remote.read-concurrent-limit", integer, "10", "",
     "has no effect: remote reads have the four threads of the queries"},
    {"storage.remote.read-max-bytes-in-frame", integer, "1048576",
     "How large a message of a streamed remote read becomes before the next one begins."},

    {"web.listen-address", text, "0.0.0.0:9090", "HOST:PORT to answer HTTP on. May be given several times.", "", "",
     true},
    {"web.external-url", text, "",
     "The URL under which browsers reach Pipit, for links; its path is the route prefix."},
    {"web.route-prefix", text, "",
     "What the paths of all pages begin with; by default the path of --web.external-url."},
    {"web.page-title", text, "Pipit", "The title of the pages."},
    {"web.cors.origin", text, ".*",
     "A regular expression, matched as a whole: the origins whose pages a browser lets read the answers."},
    {"web.read-timeout", duration, "5m",
     "How long a request may take to arrive, and how long a connection may be idle."},
    {"web.max-connections", integer, "512", "How many connections may be open at once."},
    {"web.enable-lifecycle", boolean, "false", "Lets POST /-/reload and POST /-/quit reload and end the program."},
    {"web.enable-admin-api", boolean, "false",
     "Lets POST /api/v1/admin/tsdb/ delete series, clean up after it and make snapshots."},
    {"web.enable-remote-write-receiver", boolean, "false",
     "Lets others store samples by POST /api/v1/write (remote write 1.0 and 2.0)."},
    {"web.remote-write-receiver.accepted-protobuf-messages", choice, "",
     "Which messages of remote write are taken; both by default. May be given several times.", "",
     "prometheus.WriteRequest|io.prometheus.write.v2.Request", true},
    {"web.enable-otlp-receiver", boolean, "false", "", "is not supported yet: OTLP is not received"},
    {"web.config.file", text, "",
     "A file in Prometheus's format that asks for TLS, passwords, headers and a rate limit; read again when it "
     "changes."},
    {"web.max-notifications-subscribers", integer, "16", "", "has no effect: there are no live notifications"},
    {"web.user-assets", text, "", "", "is not supported yet: nothing is served under /user"},
    {"web.console.templates", text, "consoles", "", kNoConsoles},
    {"web.console.libraries", text, "console_libraries", "", kNoConsoles},

    {"query.timeout", duration, "2m", "How long a query may take."},
    {"query.max-samples", integer, "50000000", "How many samples a query may hold at once."},
    {"query.max-memory", size, "1GB",
     "How much memory a query may hold at once (512MB, 2GB; powers of 1024). Prometheus has no such flag."},
    {"query.max-concurrency", integer, "20", "How many queries may run at once."},
    {"query.lookback-delta", duration, "5m", "How far back an instant selector looks for the latest sample."},

    {"rules.alert.for-outage-tolerance", duration, "1h",
     "How long the program may have been away for the state of alerts to be restored."},
    {"rules.alert.for-grace-period", duration, "10m",
     "How long a restored alert is pending at least. Alerts with a shorter \"for\" are not restored."},
    {"rules.alert.resend-delay", duration, "1m", "How long to wait at least before an alert is sent again."},
    {"rules.max-concurrent-evals", integer, "4",
     "How many rules may be evaluated at once, and never more than there are cores."},
    {"alertmanager.config.file", text, "",
     "Alertmanager's configuration file: with it Pipit itself tells people of alerts. Prometheus has no such flag."},
    {"alertmanager.notification-queue-capacity", integer, "10000",
     "How many alerts may wait for an Alertmanager before the oldest are given up."},
    {"alertmanager.notification-batch-size", integer, "256", "How many alerts are sent in a request at most."},
    {"alertmanager.drain-notification-queue-on-shutdown", boolean, "true",
     "Whether the end of the program waits until alerts that wait are sent, for ten seconds at most."},
    {"alertmanager.timeout", text, "", "", "has no effect: the timeout stands in the configuration", "", false, true},

    {"heartbeat.url", text, "",
     "A URL to call at an interval as long as scraping, storing and rule evaluation are alive, so that somebody else "
     "notices when they are not. Its path is a secret and is not shown. Prometheus has no such flag, nor those below."},
    {"heartbeat.url-file", text, "", "A file with the URL, in place of --heartbeat.url."},
    {"heartbeat.interval", duration, "1m", "How often the heartbeat's URL is called."},
    {"heartbeat.timeout", duration, "10s", "How long the heartbeat's URL may take to answer."},
    {"heartbeat.method", choice, "GET", "How the heartbeat's URL is called.", "", "GET|POST"},
    {"heartbeat.receive", text, "",
     "The name of a heartbeat that others send here, to /-/heartbeat/NAME. When it came last is the metric "
     "pipit_heartbeat_received_timestamp_seconds. May be given several times.",
     "", "", true},

    {"scrape.adjust-timestamps", boolean, "true", "", "has no effect: timestamps are always aligned", "", false, true},
    {"scrape.timestamp-tolerance", duration, "2ms", "", "has no effect: the tolerance is fixed", "", false, true},
    {"scrape.discovery-reload-interval", duration, "5s", "", "has no effect: targets are updated at once", "", false,
     true},
    {"scrape.name-escaping-scheme", choice, "values", "", "has no effect: names are asked for as they are",
     "values|underscores|dots", false, true},

    {"enable-feature", text, "", "", "has no effect: what Pipit has of Prometheus's optional features is always on", "",
     true},
    {"agent", boolean, "false", "", kNoAgent},
    {"auto-gomaxprocs", boolean, "true", "", kNoGo},
    {"auto-gomemlimit", boolean, "true", "", kNoGo},
    {"auto-gomemlimit.ratio", number, "0.9", "", kNoGo},

    {"log.level", choice, "info", "Lines below this are not logged.", "", "debug|info|warn|error"},
    {"log.format", choice, "logfmt", "How lines are written.", "", "logfmt|json"},
};

}  // namespace

std::span<const FlagSpec> serve_flags() { return kFlags; }

}  // namespace pipit
