// Arbitrary bytes as the body of a remote write: as they are (odd first byte) or as what snappy unpacked; with its
// second bit, of version 2.0. What the parser takes must be taken in any number of appends alike, and no more samples
// may be counted than fit into the bytes.

#include <snappy.h>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "api/remote_write.h"
#include "api/remote_write_batch.h"
#include "api/remote_write_v2.h"
#include "telemetry/metrics.h"

namespace {

/// Takes everything. Handles are given out as the labels come, and every fifth is forgotten once.
class Sink final : public pipit::Appender {
 public:
  pipit::Result<pipit::SeriesRef> series(const pipit::Labels& labels) override {
    if (labels.metric_name().empty()) std::abort();
    for (const pipit::Label& label : labels) {
      if (label.name.empty() || label.value.empty()) std::abort();
      if (!pipit::is_valid_utf8(label.name) || !pipit::is_valid_utf8(label.value)) std::abort();
    }
    return next_++;
  }
  void find_encoded(std::span<const std::string_view> encodings, std::span<pipit::SeriesRef> refs) const override {
    if (encodings.size() != refs.size()) std::abort();
    for (std::size_t i = 0; i < refs.size(); ++i) refs[i] = encodings[i].size() % 3 == 0 ? 1 : pipit::kNoSeries;
  }
  pipit::Result<pipit::AppendReport> append(const pipit::AppendBatch& batch) override {
    const std::size_t count = batch.refs.size();
    if (count == 0 || batch.values.size() != count || (batch.times.size() != count && batch.times.size() != 1)) {
      std::abort();
    }
    pipit::AppendReport report;
    for (std::uint32_t i = 0; i < count; ++i) {
      if (batch.refs[i] == pipit::kNoSeries) std::abort();
      if (batch.refs[i] % 5 == 4 && !forgot_) {
        report.unknown.push_back(i);
      } else if (i % 7 == 6) {
        report.refuse(pipit::AppendReport::Refusal::duplicate, i);
      } else {
        ++report.stored;
      }
    }
    forgot_ = !report.unknown.empty();
    return report;
  }
  pipit::Status set_metadata(std::string_view metric, const pipit::Metadata& metadata) override {
    if (metric.empty() || !pipit::is_valid_utf8(metadata.help)) std::abort();
    return {};
  }

 private:
  pipit::SeriesRef next_ = 2;
  bool forgot_ = false;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  Sink sink;
  if (data[0] % 2 == 1) {
    pipit::MetricsRegistry metrics;
    pipit::RemoteWriteReceiver receiver(sink, metrics);
    pipit::HttpRequest request;
    request.body = input;
    const bool v2 = (data[0] & 2) != 0;
    if (v2) request.content_type = "application/x-protobuf;proto=io.prometheus.write.v2.Request";
    const pipit::HttpResponse response = receiver.handle(request);
    if (response.status != 204 && response.status != 400) std::abort();
    if (response.body.size() > 4096) std::abort();
    return 0;
  }
  if ((data[0] & 2) != 0) {
    constexpr std::size_t kLimit = 1 << 16;
    const auto translated = pipit::translate_remote_write_v2(input, kLimit);
    if (!translated.ok()) return 0;
    if (translated->size() > kLimit) std::abort();
    pipit::RemoteWriteBatch translated_batch;
    const auto outcome = translated_batch.store(*translated, pipit::kMaxTimestamp / 2, sink);
    if (outcome.ok() && outcome->stored + outcome->refused_total() > size) std::abort();
    return 0;
  }
  static pipit::RemoteWriteBatch batch;
  const auto outcome = batch.store(input, pipit::kMaxTimestamp / 2, sink);
  const bool good = pipit::is_well_formed(pipit::RemoteWriteParser(input));
  if (good && !outcome.ok()) std::abort();
  if (outcome.ok() && outcome->stored + outcome->refused_total() > size) std::abort();
  return 0;
}
