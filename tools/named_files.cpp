#include "tools/named_files.h"

#include "config/target_groups.h"
#include "rules/rule_file.h"
#include "scrape/secret_file.h"
#include "scrape/target.h"
#include "scrape/tls.h"
#include "tools/check_rules.h"

namespace pipit {
namespace {

class Checker {
 public:
  explicit Checker(bool ignore_unknown_rule_fields) : ignore_unknown_rule_fields_(ignore_unknown_rule_fields) {}

  void check(const Config& config) {
    legacy_names_ = config.legacy_names;
    for (const std::string& pattern : config.rule_files) check_rule_files(pattern);
    for (const ScrapeConfig& job : config.scrape_configs) {
      where_ = "job \"" + job.job_name + "\": ";
      check_client(job.http_client);
      for (const DiscoveryConfig& discovery : job.discoveries) check_discovery(discovery);
    }
    for (const AlertmanagerConfig& each : config.alerting.alertmanagers) {
      where_ = each.source.job_name + ": ";
      check_client(each.source.http_client);
      for (const DiscoveryConfig& discovery : each.source.discoveries) check_discovery(discovery);
      for (const std::string& error : build_targets(each.source).errors) faults.errors.push_back(where_ + error);
    }
    for (const RemoteWriteConfig& remote : config.remote_writes)
      check_remote("remote_write", remote.url, remote.http_client);
    for (const RemoteReadConfig& remote : config.remote_reads)
      check_remote("remote_read", remote.url, remote.http_client);
  }

  NamedFileFaults faults;

 private:
  void check_remote(const std::string& section, const std::string& url, const HttpClientConfig& client) {
    where_ = section + ": ";
    if (const auto parsed = parse_http_url(url); !parsed.ok()) {
      faults.errors.push_back(where_ + parsed.error().message);
    } else {
      where_ = section + " " + parsed->text + ": ";
    }
    check_client(client);
  }

  void check_rule_files(const std::string& pattern) {
    const auto paths = expand_path_pattern(pattern);
    if (paths.empty()) {
      const bool literal = pattern.find_first_of("*?[") == std::string::npos;
      (literal ? faults.errors : faults.warnings).push_back("no rule file matches " + pattern);
    }
    for (const std::string& path : paths) {
      RuleFiles read;
      load_rule_file(path, {.ignore_unknown_fields = ignore_unknown_rule_fields_, .legacy_names = legacy_names_}, read);
      faults.errors.insert(faults.errors.end(), read.faults.begin(), read.faults.end());
      faults.warnings.insert(faults.warnings.end(), read.warnings.begin(), read.warnings.end());
      const auto duplicates = read.ok() ? duplicate_rules(read.groups) : std::vector<std::string>();
      for (const std::string& duplicate : duplicates) faults.lint.push_back(path + ": " + duplicate);
    }
  }

  void check_discovery(const DiscoveryConfig& discovery) {
    if (const auto* http = std::get_if<HttpDiscoveryConfig>(&discovery)) check_client(http->http_client);
    if (const auto* docker = std::get_if<DockerDiscoveryConfig>(&discovery)) check_client(docker->http_client);
    const auto* file = std::get_if<FileDiscoveryConfig>(&discovery);
    if (file == nullptr) return;
    for (const std::string& pattern : file->files) {
      const auto paths = expand_path_pattern(pattern);
      if (paths.empty()) faults.warnings.push_back(where_ + "no list of targets matches " + pattern);
      for (const std::string& path : paths) {
        if (const auto groups = read_target_groups(path); !groups.ok()) {
          faults.errors.push_back(where_ + groups.error().message);
        }
      }
    }
  }

  void check_client(const HttpClientConfig& client) {
    bool readable = true;
    for (const std::string& path : named_files(client)) {
      Secret secret(SecretSource{{}, path});
      if (const auto text = secret.read(); !text.ok()) {
        faults.errors.push_back(where_ + text.error().message);
        readable = false;
      }
    }
    if (!readable) return;
    check_tls(client.tls);
    if (client.oauth2) check_tls(client.oauth2->tls);
  }

  void check_tls(const TlsConfig& tls) {
    if (tls == TlsConfig()) return;
    TlsContext context(tls);
    if (const Status loaded = context.load(); !loaded.ok()) faults.errors.push_back(where_ + loaded.error().message);
  }

  std::string where_;
  bool ignore_unknown_rule_fields_;
  bool legacy_names_ = false;
};

}  // namespace

NamedFileFaults check_named_files(const Config& config, bool ignore_unknown_rule_fields) {
  Checker checker(ignore_unknown_rule_fields);
  checker.check(config);
  return std::move(checker.faults);
}

}  // namespace pipit
