#pragma once

#include <array>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/http_message.h"
#include "api/remote_write_batch.h"
#include "api/remote_write_versions.h"
#include "storage/appender.h"
#include "telemetry/metrics.h"

namespace pipit {

/// Answers POST /api/v1/write: the receiver of remote write 1.0 and 2.0. docs/http-api.md says what it takes and
/// answers.
/// Thread-safe.
///
/// Memory: what a body decompresses to, at most kMaxMessageBytes. Bodies above kKeptBytes are taken one after the
/// other, and their room is given back.
class RemoteWriteReceiver {
 public:
  /// VictoriaMetrics's default limit, too; Prometheus's senders make messages of a few hundred kilobytes.
  static constexpr std::size_t kMaxMessageBytes = 32 << 20;
  static constexpr std::size_t kKeptBytes = 1 << 20;

  /// All must outlive the receiver. Without `exemplars` those are dropped.
  RemoteWriteReceiver(Appender& appender, MetricsRegistry& metrics, ExemplarStore* exemplars = nullptr,
                      RemoteWriteVersions versions = {});

  HttpResponse handle(const HttpRequest& request);

 private:
  HttpResponse answer(const HttpRequest& request);
  HttpResponse store(std::string_view message, bool v2);
  void count_request(int status);

  Appender& appender_;
  ExemplarStore* exemplar_store_;
  const RemoteWriteVersions versions_;
  MetricsRegistry& metrics_;
  std::mutex large_message_mutex_;
  std::mutex counters_mutex_;
  std::vector<std::pair<int, Counter*>> requests_;  ///< by status; made when first needed
  Counter& stored_;
  Counter& bytes_;
  Counter& ignored_exemplars_;
  std::array<Counter*, kRemoteWriteRefusals> refused_;
};

}  // namespace pipit
