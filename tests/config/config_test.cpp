#include "config/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "config/byte_size.h"
#include "config/target_groups.h"

namespace pipit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

Config load(std::string_view text) {
  auto config = parse_config(text, "test.yml");
  EXPECT_TRUE(config.ok()) << config.error().message;
  return config.ok() ? std::move(*config) : Config();
}

std::string error_of(std::string_view text) {
  const auto config = parse_config(text, "test.yml");
  return config.ok() ? "loads" : config.error().message;
}

std::vector<std::string> warnings_of(std::string_view text) {
  std::vector<std::string> messages;
  for (const ConfigWarning& warning : load(text).warnings) messages.push_back(warning.message);
  return messages;
}

TEST(Config, EveryMistakeIsNamedWithItsPlace) {
  std::ifstream file(PIPIT_SOURCE_DIR "/tests/config/data/errors.txt");
  ASSERT_TRUE(file.is_open());
  std::string text;
  int cases = 0;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("--- ")) {
      EXPECT_EQ(error_of(text), line.substr(4)) << text;
      text.clear();
      ++cases;
    } else if (!line.empty() && line.front() != '#') {
      text += line + "\n";
    }
  }
  EXPECT_GT(cases, 30);
}

TEST(Config, AnEmptyFileHasPrometheusDefaults) {
  for (const char* text : {"", "# nothing\n", "global:\n", "{}", "---\n"}) {
    const Config config = load(text);
    EXPECT_EQ(config.scrape_interval, 60'000);
    EXPECT_EQ(config.scrape_timeout, 10'000);
    EXPECT_EQ(config.evaluation_interval, 60'000);
    EXPECT_TRUE(config.scrape_configs.empty());
    EXPECT_TRUE(config.warnings.empty());
    EXPECT_FALSE(config.retention_time.has_value());
  }
}

TEST(Config, AJobHasPrometheusDefaults) {
  const Config config = load("scrape_configs: [{job_name: a}]");
  ASSERT_EQ(config.scrape_configs.size(), 1u);
  const ScrapeConfig& job = config.scrape_configs.front();
  EXPECT_EQ(job.job_name, "a");
  EXPECT_EQ(job.scrape_interval, 60'000);
  EXPECT_EQ(job.scrape_timeout, 10'000);
  EXPECT_EQ(job.metrics_path, "/metrics");
  EXPECT_EQ(job.scheme, "http");
  EXPECT_FALSE(job.honor_labels);
  EXPECT_TRUE(job.honor_timestamps);
  EXPECT_FALSE(job.track_timestamps_staleness);
  EXPECT_TRUE(job.enable_compression);
  EXPECT_EQ(job.sample_limit, 0u);
  EXPECT_EQ(job.body_size_limit, 0u);
}

TEST(Config, AJobTakesWhatItDoesNotSayFromGlobal) {
  const Config config = load(R"yaml(
global:
  scrape_interval: 15s
  scrape_timeout: 12s
  sample_limit: 1500
  body_size_limit: 15MB
  label_limit: 30
scrape_configs:
- job_name: a
- job_name: b
  scrape_interval: 5s
  sample_limit: 7
  body_size_limit: 1KB
)yaml");
  ASSERT_EQ(config.scrape_configs.size(), 2u);
  const ScrapeConfig& a = config.scrape_configs[0];
  EXPECT_EQ(a.scrape_interval, 15'000);
  EXPECT_EQ(a.scrape_timeout, 12'000);
  EXPECT_EQ(a.sample_limit, 1500u);
  EXPECT_EQ(a.body_size_limit, 15u << 20);
  const ScrapeConfig& b = config.scrape_configs[1];
  EXPECT_EQ(b.scrape_interval, 5'000);
  EXPECT_EQ(b.scrape_timeout, 5'000) << "the global timeout, but never more than the interval";
  EXPECT_EQ(b.sample_limit, 7u);
  EXPECT_EQ(b.body_size_limit, 1024u);
  EXPECT_EQ(b.label_limit, 30u);
}

TEST(Config, AJobIsReadInFull) {
  const Config config = load(R"yaml(
scrape_configs:
- job_name: web
  scheme: https
  metrics_path: /probe
  honor_labels: yes
  honor_timestamps: off
  track_timestamps_staleness: true
  enable_compression: false
  target_limit: 1e2
  params:
    module: [http_2xx, tcp]
    target: [x]
  static_configs:
  - targets: ['a:1', "b:2"]
    labels: {env: prod, port: 8080}
  - targets: [c:3]
)yaml");
  ASSERT_EQ(config.scrape_configs.size(), 1u);
  const ScrapeConfig& job = config.scrape_configs.front();
  EXPECT_EQ(job.scheme, "https");
  EXPECT_EQ(job.metrics_path, "/probe");
  EXPECT_TRUE(job.honor_labels);
  EXPECT_FALSE(job.honor_timestamps);
  EXPECT_TRUE(job.track_timestamps_staleness);
  EXPECT_FALSE(job.enable_compression);
  EXPECT_EQ(job.target_limit, 100u);
  ASSERT_EQ(job.params.size(), 2u);
  EXPECT_EQ(job.params[0].first, "module");
  EXPECT_THAT(job.params[0].second, ElementsAre("http_2xx", "tcp"));
  ASSERT_EQ(job.static_configs.size(), 2u);
  EXPECT_THAT(job.static_configs[0].targets, ElementsAre("a:1", "b:2"));
  EXPECT_EQ(job.static_configs[0].labels.get("port"), "8080");
  EXPECT_EQ(job.position.line, 3);
  EXPECT_TRUE(config.warnings.empty());
}

TEST(Config, EveryRelabelActionIsRead) {
  const Config config = load(R"yaml(
scrape_configs:
- job_name: a
  relabel_configs:
  - {source_labels: [a, b], separator: "-", regex: "(.*)x", target_label: "y_${1}", replacement: "${1}"}
  - {source_labels: [a], regex: x, action: Keep}
  - {source_labels: [a], regex: x, action: drop}
  - {source_labels: [a], target_label: b, action: keepequal}
  - {source_labels: [a], target_label: b, action: dropequal}
  - {source_labels: [a], target_label: b, modulus: 8, action: hashmod}
  - {regex: "__meta_(.+)", action: labelmap}
  - {regex: tmp, action: labeldrop}
  - {regex: tmp, action: labelkeep}
  metric_relabel_configs:
  - {source_labels: [a], target_label: b, action: lowercase}
  - {source_labels: [a], target_label: b, action: uppercase}
  - {source_labels: [a], target_label: b, regex: null}
)yaml");
  ASSERT_EQ(config.scrape_configs.size(), 1u);
  const auto& steps = config.scrape_configs.front().relabel_configs;
  ASSERT_EQ(steps.size(), 9u);
  EXPECT_EQ(steps[0].action, RelabelAction::replace);
  EXPECT_THAT(steps[0].source_labels, ElementsAre("a", "b"));
  EXPECT_EQ(steps[0].separator, "-");
  EXPECT_EQ(steps[0].regex.pattern(), "(.*)x");
  EXPECT_EQ(steps[1].action, RelabelAction::keep);
  EXPECT_EQ(steps[2].action, RelabelAction::drop);
  EXPECT_EQ(steps[3].action, RelabelAction::keepequal);
  EXPECT_EQ(steps[4].action, RelabelAction::dropequal);
  EXPECT_EQ(steps[5].action, RelabelAction::hashmod);
  EXPECT_EQ(steps[5].modulus, 8u);
  EXPECT_EQ(steps[6].action, RelabelAction::labelmap);
  EXPECT_EQ(steps[7].action, RelabelAction::labeldrop);
  EXPECT_EQ(steps[8].action, RelabelAction::labelkeep);
  const auto& metric_steps = config.scrape_configs.front().metric_relabel_configs;
  ASSERT_EQ(metric_steps.size(), 3u);
  EXPECT_EQ(metric_steps[0].action, RelabelAction::lowercase);
  EXPECT_EQ(metric_steps[1].action, RelabelAction::uppercase);
  EXPECT_EQ(metric_steps[2].regex.pattern(), "") << "an empty regex is not the default one";
}

TEST(Config, ExternalLabelsAreExpandedFromTheEnvironment) {
  ::setenv("PIPIT_CONFIG_TEST", "paris", 1);
  ::unsetenv("PIPIT_CONFIG_MISSING");
  const Config config = load(R"yaml(
global:
  external_labels:
    a: x-${PIPIT_CONFIG_TEST}-y
    b: $PIPIT_CONFIG_TEST
    c: 100$$
    d: ${PIPIT_CONFIG_MISSING}
    e: plain
)yaml");
  EXPECT_EQ(config.external_labels.get("a"), "x-paris-y");
  EXPECT_EQ(config.external_labels.get("b"), "paris");
  EXPECT_EQ(config.external_labels.get("c"), "100$");
  EXPECT_FALSE(config.external_labels.has("d"));
  EXPECT_EQ(config.external_labels.get("e"), "plain");
}

TEST(Config, WhatIsNotBuiltLoadsWithOneWarningThatNamesTheLine) {
  EXPECT_THAT(warnings_of(R"yaml(global:
  query_log_file: q.log
rule_files: [a.yml, b.yml]
alerting:
  alertmanagers:
  - basic_auth: {username: a, password: b}
    static_configs: [{targets: [localhost:9093]}]
tracing: {endpoint: a}
)yaml"),
              ElementsAre("test.yml:2: global.query_log_file is not supported yet: queries are not logged",
                          "test.yml:8: tracing is not supported yet: no traces are sent"));
}

TEST(Config, DiscoveryThatIsNotBuiltIsRefusedByNameAndLineAfterAllOtherFaults) {
  const char* const unbuilt = R"yaml(scrape_configs:
- job_name: a
  consul_sd_configs: [{server: 'consul:8500'}]
  ec2_sd_configs: [{region: x}]
  gce_sd_configs: []
)yaml";
  EXPECT_EQ(error_of(unbuilt),
            "test.yml:3:3: consul_sd_configs is not supported yet: its targets could not be scraped\n"
            "test.yml:4:3: ec2_sd_configs is not supported yet: its targets could not be scraped");
  EXPECT_EQ(error_of(std::string(unbuilt) + "- job_name: a\n"),
            "test.yml:6:13: found multiple scrape configs with job name \"a\", first found in test.yml:2");
  EXPECT_EQ(error_of("scrape_configs: [{job_name: a, tls_config: {ca_ref: x}}]"),
            "test.yml:1:45: tls_config.ca_ref is not supported: there is no secret manager to ask");
  EXPECT_EQ(error_of("scrape_configs: [{job_name: a, proxy_url: 'socks5://x:1'}]"),
            "test.yml:1:43: proxy_url is not supported yet with socks5: proxies are spoken to by http");
  EXPECT_EQ(error_of("alerting: {alertmanagers: [{sigv4: {region: x}}]}"),
            "test.yml:1:29: alertmanagers.sigv4 is not supported: an Alertmanager that asks for signatures would refuse "
            "all alerts");
}

TEST(Config, TheOptionsOfRequestsAreRead) {
  const auto parsed = parse_config(R"yaml(
scrape_configs:
- job_name: a
  basic_auth: {username: me, password_file: pw}
  tls_config: {ca_file: /etc/ca.pem, cert: C, key: K, server_name: s, insecure_skip_verify: true, min_version: TLS13}
  proxy_url: http://proxy:3128
  no_proxy: a,b
  proxy_connect_header: {X-P: [one, two]}
  follow_redirects: false
  http_headers: {X-A: {values: [v], secrets: [s], files: [f]}}
- job_name: b
  bearer_token_file: token
  oauth2:
- job_name: c
  oauth2: {client_id: i, client_secret_file: s, token_url: http://t, scopes: [x], endpoint_params: {p: q}}
)yaml",
                                   "etc/test.yml");
  ASSERT_TRUE(parsed.ok()) << parsed.error().message;
  const HttpClientConfig& a = parsed->scrape_configs[0].http_client;
  EXPECT_EQ(a.basic_auth->username.text, "me");
  EXPECT_EQ(a.basic_auth->password.file, "etc/pw") << "paths start at the configuration's folder";
  EXPECT_EQ(a.tls.ca.file, "/etc/ca.pem");
  EXPECT_EQ(a.tls.certificate.text, "C");
  EXPECT_EQ(a.tls.key.text, "K");
  EXPECT_TRUE(a.tls.insecure_skip_verify);
  EXPECT_EQ(a.tls.min_version, TlsVersion::tls13);
  EXPECT_EQ(a.proxy.url, "http://proxy:3128");
  EXPECT_EQ(a.proxy.no_proxy, "a,b");
  EXPECT_EQ(a.proxy.connect_headers.front().second, (std::vector<std::string>{"one", "two"}));
  EXPECT_FALSE(a.follow_redirects);
  EXPECT_EQ(a.headers.front().values, (std::vector<std::string>{"v", "s"}));
  EXPECT_EQ(a.headers.front().files, (std::vector<std::string>{"etc/f"}));
  const HttpClientConfig& b = parsed->scrape_configs[1].http_client;
  EXPECT_EQ(b.authorization->type, "Bearer");
  EXPECT_EQ(b.authorization->credentials.file, "etc/token");
  EXPECT_FALSE(b.oauth2.has_value());
  const HttpClientConfig& c = parsed->scrape_configs[2].http_client;
  EXPECT_EQ(c.oauth2->client_secret.file, "etc/s");
  EXPECT_EQ(c.oauth2->endpoint_params.front().second, "q");
  EXPECT_EQ(load("scrape_configs: [{job_name: a}]").scrape_configs[0].http_client, HttpClientConfig());
}

TEST(Config, DiscoveriesAreReadWithPrometheusDefaults) {
  const Config config = load(R"yaml(
scrape_configs:
- job_name: a
  dns_sd_configs: [{names: [x.y], type: mx, port: 25}]
  file_sd_configs: [{files: ['t/*.json'], refresh_interval: 10s}]
  http_sd_configs: [{url: 'http://x/y', basic_auth: {username: u}}]
  docker_sd_configs: [{host: 'unix:///d.sock', filters: [{name: label, values: [a, b]}], match_first_network: false}]
)yaml");
  const auto& found = config.scrape_configs.front().discoveries;
  ASSERT_EQ(found.size(), 4u);
  const auto& dns = std::get<DnsDiscoveryConfig>(found[0]);
  EXPECT_EQ(dns.type, DnsRecordType::mx);
  EXPECT_EQ(dns.port, 25);
  EXPECT_EQ(dns.refresh_interval, 30'000);
  const auto& file = std::get<FileDiscoveryConfig>(found[1]);
  EXPECT_EQ(file.files, (std::vector<std::string>{"t/*.json"}));
  EXPECT_EQ(file.refresh_interval, 10'000);
  const auto& http = std::get<HttpDiscoveryConfig>(found[2]);
  EXPECT_EQ(http.http_client.basic_auth->username.text, "u");
  EXPECT_EQ(http.refresh_interval, 60'000);
  const auto& docker = std::get<DockerDiscoveryConfig>(found[3]);
  EXPECT_EQ(docker.port, 80);
  EXPECT_EQ(docker.host_networking_host, "localhost");
  EXPECT_EQ(docker.filters.front().second, (std::vector<std::string>{"a", "b"}));
  EXPECT_FALSE(docker.match_first_network);
}

TEST(TargetGroups, JsonAndYamlSayTheSame) {
  const auto json = parse_json_target_groups(R"([{"targets": ["a:1"], "labels": {"x": "y"}}, {"targets": []}])", "t");
  const auto yaml = parse_yaml_target_groups("- targets: ['a:1']\n  labels: {x: y}\n- targets: []\n", "t");
  ASSERT_TRUE(json.ok());
  ASSERT_TRUE(yaml.ok());
  EXPECT_EQ(*json, *yaml);
  ASSERT_EQ(json->size(), 2u);
  EXPECT_EQ(json->front().labels.get("x"), "y");
}

TEST(TargetGroups, WhatIsNotAListOfGroupsIsRefused) {
  for (const char* text :
       {"", "{}", "[1]", "[null]", R"([{"targets": "a"}])", R"([{"targets": [1]}])", R"([{"x": []}])",
        R"([{"labels": {"a": 1}}])", R"([{"labels": {"": "a"}}])", R"([{"labels": []}])", "[{}"}) {
    EXPECT_FALSE(parse_json_target_groups(text, "t").ok()) << text;
  }
  for (const char* text : {"a: b", "- 1", "-\n", "- targets: a", "- x: []", "- labels: [a]", "- [", "a"}) {
    EXPECT_FALSE(parse_yaml_target_groups(text, "t").ok()) << text;
  }
  EXPECT_EQ(parse_json_target_groups(std::string(1 << 20, '['), "t").error().message,
            "t: nested too deeply for target groups");
  EXPECT_TRUE(parse_json_target_groups(R"([{"targets": ["[[{{\"[["]}])", "t").ok());
  EXPECT_TRUE(parse_json_target_groups("null", "t").ok());
  EXPECT_TRUE(parse_yaml_target_groups("", "t").ok());
}

TEST(Config, WhatAsksForNothingNeedsNoWarning) {
  EXPECT_THAT(warnings_of(R"yaml(global:
  scrape_native_histograms: false
  keep_dropped_targets: 0
rule_files:
alerting: {}
remote_write: []
scrape_configs:
- job_name: a
  follow_redirects: true
  metric_name_validation_scheme: utf8
  enable_http2: true
  scrape_protocols: [PrometheusText0.0.4]
  fallback_scrape_protocol: PrometheusText0.0.4
)yaml"),
              ElementsAre());
}

TEST(Config, RetentionInTheFileIsRead) {
  EXPECT_EQ(load("storage: {tsdb: {retention: {time: 30d}}}").retention_time, 30LL * 24 * 3600 * 1000);
  EXPECT_FALSE(load("storage: {tsdb: {retention: {}}}").retention_time.has_value());
  EXPECT_EQ(load("storage: {tsdb: {retention: {size: 2GB}}}").retention_bytes, std::uint64_t{2} << 30);
  EXPECT_FALSE(load("storage: {tsdb: {retention: {size: 0}}}").retention_bytes.has_value());
}

TEST(Config, AnchorsAndMergeKeysWork) {
  const Config config = load(R"yaml(
scrape_configs:
- &base
  job_name: a
  scrape_interval: 10s
  metrics_path: /x
- <<: *base
  job_name: b
  metrics_path: /y
)yaml");
  ASSERT_EQ(config.scrape_configs.size(), 2u);
  EXPECT_EQ(config.scrape_configs[1].job_name, "b");
  EXPECT_EQ(config.scrape_configs[1].scrape_interval, 10'000);
  EXPECT_EQ(config.scrape_configs[1].metrics_path, "/y");
}

TEST(Config, SecretsAreNotShown) {
  const std::string text = load(R"yaml(
# password: commented-secret
scrape_configs:
- job_name: a
  basic_auth: {username: admin, password: "first\nsecret"}
  http_headers: {X-Key: {secrets: [second-secret], values: [shown]}}
  proxy_url: http://user:third-secret@proxy:3128
  proxy_connect_header: {X-Proxy: [fourth-secret]}
  http_sd_configs: [{url: 'http://x/y', authorization: {credentials: fifth-secret}}]
- job_name: b
  oauth2: {client_id: id, client_secret: &s sixth-secret, token_url: http://a/b, tls_config: {key: *s, cert: c}}
)yaml")
                               .redacted_text;
  EXPECT_THAT(text, Not(HasSubstr("-secret\n")));
  EXPECT_THAT(text, Not(HasSubstr("first")));
  EXPECT_THAT(text, Not(HasSubstr("third")));
  EXPECT_THAT(text, Not(HasSubstr("sixth")));
  EXPECT_THAT(text, HasSubstr("password: <secret>"));
  EXPECT_THAT(text, HasSubstr("username: admin"));
  EXPECT_THAT(text, HasSubstr("- shown"));
  EXPECT_THAT(text, HasSubstr("job_name: b"));
}

TEST(Config, TheShownTextLoadsAgain) {
  const Config config = load(R"yaml(
global: {external_labels: {quote: 'a "b" \ c', hash: "# no comment", colon: "a: b", empty: "", number: "1"}}
scrape_configs:
- job_name: "odd: name #1"
  relabel_configs: [{regex: "a|b\n", target_label: x, replacement: "- y"}]
  static_configs: [{targets: [], labels: {}}]
  params: {a: ["", "null", "~"]}
)yaml");
  const Config again = load(config.redacted_text);
  EXPECT_EQ(again.redacted_text, config.redacted_text);
  EXPECT_EQ(again.external_labels, config.external_labels);
  ASSERT_EQ(again.scrape_configs.size(), 1u);
  EXPECT_EQ(again.scrape_configs[0].job_name, "odd: name #1");
  EXPECT_EQ(again.scrape_configs[0].relabel_configs[0].regex.pattern(), "a|b\n");
  EXPECT_EQ(again.scrape_configs[0].params, config.scrape_configs[0].params);
}

TEST(Config, TheShownTextIsAlwaysUtf8AndYaml) {
  const Config config = load(R"yaml(
global: {external_labels: {a: "\u0085\u2028\ufeff\x01\ud7ff", b: "günstig 測試 😀"}}
scrape_configs:
- job_name: a
  relabel_configs: [{target_label: x, replacement: !!binary "/w=="}]
)yaml");
  EXPECT_TRUE(is_valid_utf8(config.redacted_text));
  const Config again = load(config.redacted_text);
  EXPECT_EQ(again.external_labels, config.external_labels);
  EXPECT_THAT(config.redacted_text, HasSubstr("replacement: \"\\xff\""));
}

TEST(Config, DebiansOwnConfigurationLoads) {
  const std::string path = "/etc/prometheus/prometheus.yml";
  if (!std::filesystem::exists(path)) {
    std::printf("SKIPPED: %s is not installed\n", path.c_str());
    return;
  }
  const auto config = load_config(path);
  ASSERT_TRUE(config.ok()) << config.error().message;
  EXPECT_EQ(config->scrape_configs.size(), 2u);
  EXPECT_EQ(config->warnings.size(), 0u);
}

TEST(Config, UpstreamsReleaseConfigurationLoads) {
  const Config config = load(R"yaml(
global:
  scrape_interval: 15s
  evaluation_interval: 15s
alerting:
  alertmanagers:
    - static_configs:
        - targets:
          # - alertmanager:9093
rule_files:
  # - "first_rules.yml"
scrape_configs:
  - job_name: "prometheus"
    static_configs:
      - targets: ["localhost:9090"]
        labels:
          app: "prometheus"
)yaml");
  ASSERT_EQ(config.scrape_configs.size(), 1u);
  EXPECT_EQ(config.scrape_configs[0].static_configs[0].labels.get("app"), "prometheus");
}

TEST(Config, AlertmanagersAreTargetsWithAPathOfTheirOwn) {
  const Config config = load(R"yaml(
global: {rule_query_offset: 30s}
alerting:
  alert_relabel_configs: [{action: labeldrop, regex: replica}]
  alertmanagers:
  - scheme: https
    path_prefix: /am/
    timeout: 3s
    static_configs: [{targets: ['a:9093']}]
    relabel_configs: [{source_labels: [__alerts_path__], regex: '(.*)', target_label: path}]
    alert_relabel_configs: [{target_label: via, replacement: a}]
)yaml");
  EXPECT_EQ(config.rule_query_offset, 30'000);
  EXPECT_EQ(config.alerting.alert_relabel_configs.size(), 1u);
  ASSERT_EQ(config.alerting.alertmanagers.size(), 1u);
  const AlertmanagerConfig& each = config.alerting.alertmanagers[0];
  EXPECT_EQ(each.timeout, 3'000);
  EXPECT_EQ(each.source.scheme, "https");
  EXPECT_EQ(each.source.metrics_path, "/am/api/v2/alerts");
  EXPECT_EQ(each.alert_relabel_configs.size(), 1u);
}

TEST(Config, AFileThatIsNotThereIsNamed) {
  const auto config = load_config("/nowhere/prometheus.yml");
  ASSERT_FALSE(config.ok());
  EXPECT_EQ(config.error().message, "cannot read /nowhere/prometheus.yml: No such file or directory");
  EXPECT_FALSE(load_config("/").ok());
}

TEST(Config, NotUtf8IsRefused) { EXPECT_THAT(error_of("global: {a: \xff}"), HasSubstr("test.yml: not UTF-8 text")); }

TEST(Config, HostileFilesAreRefusedQuickly) {
  const std::string deep(100'000, '[');
  EXPECT_THAT(error_of(deep), HasSubstr("nested deeper than"));
  std::string nested;
  for (int i = 0; i < 1'000; ++i) nested += std::string(static_cast<std::size_t>(i), ' ') + "a:\n";
  EXPECT_THAT(error_of(nested), HasSubstr("nested deeper than"));

  std::string bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n";
  for (int i = 1; i < 12; ++i) {
    const std::string before = "*a" + std::to_string(i - 1);
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + before;
    for (int j = 0; j < 9; ++j) bomb += "," + before;
    bomb += "]\n";
  }
  EXPECT_THAT(error_of(bomb), HasSubstr("too large once its aliases are written out"));
  EXPECT_THAT(error_of("a: &a [*a]"), HasSubstr("unknown anchor"));
  EXPECT_THAT(error_of(std::string(17u << 20, ' ')), HasSubstr("larger than 16 MiB"));
}

TEST(ByteSize, IsReadInPowersOf1024) {
  EXPECT_EQ(*parse_byte_size("0"), 0u);
  EXPECT_EQ(*parse_byte_size("10B"), 10u);
  EXPECT_EQ(*parse_byte_size("1KB"), 1024u);
  EXPECT_EQ(*parse_byte_size("1.5MiB"), 1024u * 1536);
  EXPECT_EQ(*parse_byte_size("1GB512MB"), (1u << 30) + (512u << 20));
  for (const char* bad : {"", "100", "1XB", "-1GB", "MB", "1MB ", "99999EB", "1e5MB", "..B"}) {
    EXPECT_FALSE(parse_byte_size(bad).ok()) << bad;
  }
}

}  // namespace
}  // namespace pipit
