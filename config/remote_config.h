#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "config/http_client_config.h"
#include "model/labels.h"
#include "model/relabel.h"
#include "model/result.h"
#include "model/sample.h"

namespace pipit {

class SchemaChecker;
struct YamlNode;

/// `protobuf_message`.
enum class RemoteWriteProtocol { v1, v2 };

/// A `remote_write` entry, with Prometheus's defaults but for retry_on_http_429.
struct RemoteWriteConfig {
  std::string name;  ///< "": none
  std::string url;
  DurationMs remote_timeout = 30'000;
  std::vector<std::pair<std::string, std::string>> headers;
  std::vector<RelabelConfig> write_relabel_configs;
  bool send_exemplars = false;
  RemoteWriteProtocol protocol = RemoteWriteProtocol::v1;
  HttpClientConfig http_client;

  std::size_t max_shards = 50;
  std::size_t min_shards = 1;
  std::size_t max_samples_per_send = 2'000;
  DurationMs batch_send_deadline = 5'000;
  DurationMs min_backoff = 30;
  DurationMs max_backoff = 5'000;
  /// Prometheus's default is false, which loses what a receiver asks to be sent later.
  bool retry_on_http_429 = true;
  DurationMs sample_age_limit = 0;  ///< 0: none

  bool send_metadata = true;
  DurationMs metadata_send_interval = 60'000;
  std::size_t metadata_max_samples_per_send = 2'000;

  /// The entry as written, secrets included: two entries are the same when their texts are.
  std::string text;
};

/// A `remote_read` entry.
struct RemoteReadConfig {
  std::string name;
  std::string url;
  DurationMs remote_timeout = 60'000;
  std::uint64_t chunked_read_limit = 50u << 20;  ///< bytes of a frame
  std::vector<std::pair<std::string, std::string>> headers;
  bool read_recent = false;
  Labels required_matchers;
  bool filter_external_labels = true;
  HttpClientConfig http_client;
  std::string text;
};

/// Build entries that their sections have found right.
Result<RemoteWriteConfig> build_remote_write_config(const YamlNode& node, const SchemaChecker& checker);
Result<RemoteReadConfig> build_remote_read_config(const YamlNode& node, const SchemaChecker& checker);

}  // namespace pipit
