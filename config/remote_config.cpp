// Source of keys and defaults: Prometheus 3.14, config/config.go.

#include "config/remote_config.h"

#include <algorithm>

#include "config/relabel_config.h"
#include "config/schema.h"
#include "config/scrape_config.h"
#include "config/yaml_emit.h"

namespace pipit {
namespace {

bool boolean_of(const YamlNode& node, std::string_view key, bool fallback) {
  const YamlNode* value = node.find(key);
  return value == nullptr ? fallback : yaml_boolean(*value).value_or(fallback);
}

/// REQUIRES: the section's rule has found it positive, if it is there.
std::size_t count_of(const YamlNode& node, std::string_view key, std::size_t fallback) {
  const YamlNode* value = node.find(key);
  const std::int64_t count = value == nullptr ? 0 : yaml_integer(*value).value_or(0);
  return count > 0 ? static_cast<std::size_t>(count) : fallback;
}

std::vector<std::pair<std::string, std::string>> strings_of(const YamlNode& node, std::string_view key) {
  std::vector<std::pair<std::string, std::string>> strings;
  if (const YamlNode* map = node.find(key)) {
    for (const auto& [name, value] : map->entries) strings.emplace_back(name->text, value->text);
  }
  return strings;
}

void read_queue(const YamlNode& queue, RemoteWriteConfig& config) {
  // More connections than that are no help, and each costs memory.
  constexpr std::size_t kMostShards = 1'000;
  constexpr std::size_t kMostSamples = 100'000;
  config.max_shards = std::min(count_of(queue, "max_shards", config.max_shards), kMostShards);
  config.min_shards = std::min(count_of(queue, "min_shards", config.min_shards), config.max_shards);
  config.max_samples_per_send =
      std::min(count_of(queue, "max_samples_per_send", config.max_samples_per_send), kMostSamples);
  config.batch_send_deadline = duration_or(queue, "batch_send_deadline", config.batch_send_deadline);
  config.min_backoff = duration_or(queue, "min_backoff", config.min_backoff);
  config.max_backoff = duration_or(queue, "max_backoff", config.max_backoff);
  config.retry_on_http_429 = boolean_of(queue, "retry_on_http_429", config.retry_on_http_429);
  config.sample_age_limit = duration_or(queue, "sample_age_limit", 0);
}

}  // namespace

Result<RemoteWriteConfig> build_remote_write_config(const YamlNode& node, const SchemaChecker& checker) {
  RemoteWriteConfig config;
  config.name = node.text_of("name");
  config.url = node.text_of("url");
  config.remote_timeout = duration_or(node, "remote_timeout", config.remote_timeout);
  config.headers = strings_of(node, "headers");
  auto steps = build_relabel_configs(node.find("write_relabel_configs"), checker, checker.legacy_names);
  if (!steps.ok()) return steps.error();
  config.write_relabel_configs = std::move(*steps);
  config.send_exemplars = boolean_of(node, "send_exemplars", false);
  if (node.text_of("protobuf_message") == "io.prometheus.write.v2.Request") config.protocol = RemoteWriteProtocol::v2;
  config.http_client = build_http_client_config(node, checker);
  if (const YamlNode* queue = node.find("queue_config")) read_queue(*queue, config);
  if (const YamlNode* metadata = node.find("metadata_config")) {
    config.send_metadata = boolean_of(*metadata, "send", true);
    config.metadata_send_interval = duration_or(*metadata, "send_interval", config.metadata_send_interval);
    config.metadata_max_samples_per_send =
        count_of(*metadata, "max_samples_per_send", config.metadata_max_samples_per_send);
  }
  config.text = emit_yaml(node, {});
  return config;
}

Result<RemoteReadConfig> build_remote_read_config(const YamlNode& node, const SchemaChecker& checker) {
  RemoteReadConfig config;
  config.name = node.text_of("name");
  config.url = node.text_of("url");
  config.remote_timeout = duration_or(node, "remote_timeout", config.remote_timeout);
  config.chunked_read_limit = count_of(node, "chunked_read_limit", config.chunked_read_limit);
  config.headers = strings_of(node, "headers");
  config.read_recent = boolean_of(node, "read_recent", false);
  std::vector<Label> matchers;
  for (auto& [name, value] : strings_of(node, "required_matchers")) matchers.push_back({name, value});
  config.required_matchers = Labels(std::move(matchers));
  config.filter_external_labels = boolean_of(node, "filter_external_labels", true);
  config.http_client = build_http_client_config(node, checker);
  config.text = emit_yaml(node, {});
  return config;
}

}  // namespace pipit
