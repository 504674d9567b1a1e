#include "api/remote_write.h"

#include <snappy.h>

#include <memory>

#include "api/api_answer.h"
#include "api/remote_write_v2.h"
#include "model/duration.h"
#include "telemetry/log.h"

namespace pipit {
namespace {

/// Prometheus's, too: who is further ahead has a wrong clock.
constexpr DurationMs kMaxAhead = DurationMs{10} * 60'000;
/// Three bytes of snappy stand for 64 at most.
constexpr std::size_t kMaxExpansion = 22;
constexpr std::string_view kVersion1 = "prometheus.WriteRequest";
constexpr std::string_view kVersion2 = "io.prometheus.write.v2.Request";

HttpResponse text_line(int status, std::string text) {
  HttpResponse response;
  response.status = status;
  response.body = std::move(text);
  response.body += '\n';
  return response;
}

std::string_view trim(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return out;
}

/// The message that the headers announce, or why it can't be taken. Old clients send no headers.
struct Announced {
  bool v2 = false;
  std::string fault;
};

Announced read_headers(const HttpRequest& request, RemoteWriteVersions versions) {
  Announced announced;
  std::string message(kVersion1);
  std::string_view type = request.content_type;
  if (!type.empty()) {
    std::size_t end = type.find(';');
    if (lower(trim(type.substr(0, end))) != "application/x-protobuf") {
      announced.fault =
          "expected application/x-protobuf as the first (media) part, got " + request.content_type + " content-type";
      return announced;
    }
    while (end != std::string_view::npos) {
      type.remove_prefix(end + 1);
      end = type.find(';');
      const std::string_view parameter = trim(type.substr(0, end));
      if (parameter.starts_with("proto=")) message = parameter.substr(6);
    }
  }
  announced.v2 = message == kVersion2;
  if (!(announced.v2 ? versions.v2 : message == kVersion1 && versions.v1)) {
    std::string accepted;
    if (versions.v1) accepted = kVersion1;
    if (versions.v2) accepted.append(accepted.empty() ? "" : " ").append(kVersion2);
    announced.fault = message + " protobuf message is not accepted by this server; accepted [" + accepted + "]";
  } else if (!request.content_encoding.empty() && lower(request.content_encoding) != "snappy") {
    announced.fault =
        request.content_encoding + " encoding (compression) is not accepted by this server; only snappy is acceptable";
  }
  return announced;
}

/// What remote write 2.0 asks of every answer to a message of it.
void add_counts(HttpResponse& response, const RemoteWriteOutcome& outcome) {
  response.headers.emplace_back("X-Prometheus-Remote-Write-Samples-Written", std::to_string(outcome.stored));
  response.headers.emplace_back("X-Prometheus-Remote-Write-Histograms-Written", "0");
  response.headers.emplace_back("X-Prometheus-Remote-Write-Exemplars-Written",
                                std::to_string(outcome.stored_exemplars));
}

/// A buffer and columns for each thread that answers, so that nothing is allocated request after request.
struct Workspace {
  std::unique_ptr<char[]> buffer;
  std::size_t capacity = 0;
  RemoteWriteBatch batch;

  char* reserve(std::size_t bytes) {
    if (bytes <= capacity) return buffer.get();
    buffer.reset();
    capacity = 0;
    buffer = std::make_unique_for_overwrite<char[]>(bytes);
    capacity = bytes;
    return buffer.get();
  }
};
thread_local Workspace workspace;

}  // namespace

RemoteWriteReceiver::RemoteWriteReceiver(Appender& appender, MetricsRegistry& metrics, ExemplarStore* exemplars,
                                         RemoteWriteVersions versions)
    : appender_(appender),
      exemplar_store_(exemplars),
      versions_(versions),
      metrics_(metrics),
      stored_(metrics.counter("pipit_remote_write_samples_total", "Samples that came by remote write and are stored.")),
      bytes_(metrics.counter("pipit_remote_write_received_bytes_total", "Compressed bodies of remote write.")),
      ignored_exemplars_(metrics.counter("pipit_remote_write_ignored_exemplars_total",
                                         "Exemplars that came by remote write and were not stored.")) {
  for (std::size_t i = 0; i < kRemoteWriteRefusals; ++i) {
    const Labels reason{{"reason", std::string(refusal_name(static_cast<RemoteWriteRefusal>(i)))}};
    refused_[i] = &metrics.counter("pipit_remote_write_refused_samples_total",
                                   "Samples that came by remote write and were not stored.", reason);
  }
}

HttpResponse RemoteWriteReceiver::handle(const HttpRequest& request) {
  bytes_.add(static_cast<double>(request.body.size()));
  HttpResponse response = answer(request);
  count_request(response.status);
  return response;
}

HttpResponse RemoteWriteReceiver::answer(const HttpRequest& request) {
  Announced announced = read_headers(request, versions_);
  if (!announced.fault.empty()) return text_line(415, std::move(announced.fault));
  const std::string_view body = request.body;
  std::size_t size = 0;
  if (!snappy::GetUncompressedLength(body.data(), body.size(), &size)) {
    return text_line(400, "snappy: corrupt input: no length at the start of the body");
  }
  if (size > kMaxMessageBytes) {
    return text_line(400, "snappy: the body would decompress to " + std::to_string(size) + " bytes; at most " +
                              std::to_string(kMaxMessageBytes) + " are taken, send fewer samples at once");
  }
  if (size / kMaxExpansion > body.size()) return text_line(400, "snappy: corrupt input: too short for its length");

  std::unique_lock<std::mutex> one_large_message;
  if (size > kKeptBytes) one_large_message = std::unique_lock(large_message_mutex_);
  std::unique_ptr<char[]> large;
  if (size > kKeptBytes) large = std::make_unique_for_overwrite<char[]>(size);
  char* const message = large ? large.get() : workspace.reserve(size);
  if (!snappy::RawUncompress(body.data(), body.size(), message)) return text_line(400, "snappy: corrupt input");
  if (!announced.v2) return store({message, size}, false);
  const auto translated = translate_remote_write_v2({message, size}, kMaxMessageBytes);
  if (translated.ok()) return store(*translated, true);
  HttpResponse response = text_line(400, translated.error().message);
  add_counts(response, {});
  return response;
}

HttpResponse RemoteWriteReceiver::store(std::string_view message, bool v2) {
  const auto outcome = workspace.batch.store(message, now_ms() + kMaxAhead, appender_, exemplar_store_);
  if (!outcome.ok()) {
    const Error& error = outcome.error();
    HttpResponse response = text_line(http_status(error.kind), error.message);
    // The store looks again every five seconds whether it can write.
    if (error.kind == ErrorKind::unavailable) response.headers.emplace_back("Retry-After", "5");
    if (error.kind != ErrorKind::bad_data) log_warn("Remote write failed", {{"error", error}});
    if (v2) add_counts(response, {});
    return response;
  }
  stored_.add(static_cast<double>(outcome->stored));
  if (outcome->ignored_exemplars != 0) ignored_exemplars_.add(static_cast<double>(outcome->ignored_exemplars));
  const std::uint64_t refused = outcome->refused_total();
  if (refused == 0) {
    HttpResponse response;
    response.status = 204;
    if (v2) add_counts(response, *outcome);
    return response;
  }
  std::string text = outcome->first_refusal + "; " + std::to_string(refused) + " of " +
                     std::to_string(refused + outcome->stored) + " samples were not stored (";
  bool first = true;
  for (std::size_t i = 0; i < kRemoteWriteRefusals; ++i) {
    const std::uint64_t count = outcome->refused[i];
    if (count == 0) continue;
    refused_[i]->add(static_cast<double>(count));
    if (!std::exchange(first, false)) text += ", ";
    text.append(refusal_name(static_cast<RemoteWriteRefusal>(i))).append(": ").append(std::to_string(count));
  }
  HttpResponse response = text_line(400, text + ")");
  if (v2) add_counts(response, *outcome);
  return response;
}

void RemoteWriteReceiver::count_request(int status) {
  std::lock_guard lock(counters_mutex_);
  for (const auto& [code, counter] : requests_) {
    if (code == status) return counter->add();
  }
  Counter& counter =
      metrics_.counter("pipit_remote_write_requests_total", "Requests of remote write that were answered.",
                       {{"code", std::to_string(status)}});
  requests_.emplace_back(status, &counter);
  counter.add();
}

}  // namespace pipit
