// Source of the messages and their frames: prometheus/prometheus, prompb/remote.proto, storage/remote/chunked.go.

#include "api/remote_read_stream.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "api/remote_read_wire.h"
#include "model/crc32c.h"
#include "model/labels.h"
#include "model/symbol_table.h"
#include "model/xor_chunk.h"

namespace pipit {
namespace {

constexpr std::size_t kMaxHeldBytes = 256u << 20;
/// Of a chunk, as Prometheus cuts them.
constexpr std::size_t kChunkSamples = 120;
constexpr std::uint64_t kXorEncoding = 1;

/// A series of an answer: its labels as protobuf and its chunks, in the bytes that all of them share.
struct HeldSeries {
  std::size_t query = 0;
  std::string sort_key;  ///< the labels, so that they compare as Prometheus compares them
  std::string labels;
  std::size_t begin = 0;  ///< of the chunks, each a field of ChunkedSeries
  std::size_t end = 0;
};

/// Makes the frames while they are sent.
class ChunkStream final : public BodySource {
 public:
  ChunkStream(std::vector<HeldSeries> series, std::string chunks, std::size_t bytes_in_frame)
      : series_(std::move(series)), chunks_(std::move(chunks)), bytes_in_frame_(bytes_in_frame) {}

  bool next(std::string& out) override {
    for (const std::size_t end = out.size() + kPieceBytes; next_ < series_.size() && out.size() < end;) add_frame(out);
    return next_ < series_.size();
  }

 private:
  /// As many chunks of the series as a frame takes; at least one.
  void add_frame(std::string& out) {
    const HeldSeries& series = series_[next_];
    if (at_ == 0) at_ = series.begin;
    fields_ = series.labels;
    do {
      const std::size_t size = field_size(at_);
      fields_.append(chunks_, at_, size);
      at_ += size;
    } while (at_ < series.end && fields_.size() + field_size(at_) <= bytes_in_frame_);
    message_.clear();
    protobuf::put_bytes(message_, 1, fields_);
    protobuf::put_number(message_, 2, series.query);
    put_varint(out, message_.size());
    const std::uint32_t checksum = crc32c(message_);
    for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(checksum >> shift);
    out += message_;
    if (at_ == series.end) {
      ++next_;
      at_ = 0;
    }
  }

  /// Of the chunk that begins there, its head included.
  std::size_t field_size(std::size_t at) const {
    std::size_t head = 1;
    std::size_t size = 0;
    unsigned shift = 0;
    unsigned char byte;
    do {
      byte = static_cast<unsigned char>(chunks_[at + head++]);
      size |= static_cast<std::size_t>(byte & 0x7f) << shift;
      shift += 7;
    } while (byte >= 0x80);
    return head + size;
  }

  const std::vector<HeldSeries> series_;
  const std::string chunks_;
  const std::size_t bytes_in_frame_;
  std::size_t next_ = 0;
  std::size_t at_ = 0;  ///< in the series' chunks; 0 before the first
  std::string fields_;
  std::string message_;
};

/// Collects what the queries select.
class ChunkCollector {
 public:
  ChunkCollector(const ServerContext& context, const std::atomic<bool>* canceled)
      : context_(context),
        canceled_(canceled),
        external_(context.external_labels ? context.external_labels() : Labels()) {}

  Status add(ReadQuery query, std::size_t number) {
    drop_external_matchers(query, external_);
    if (query.matchers.empty()) return {};
    SymbolTable symbols;
    SelectRequest select{.matchers = query.matchers, .min_time = query.start, .max_time = query.end};
    select.canceled = canceled_;
    auto cursor = context_.source.select(select, symbols);
    if (!cursor.ok()) return cursor.error();
    const std::size_t first = series_.size();
    while (true) {
      const auto more = (*cursor)->next();
      if (!more.ok()) return more.error();
      if (!*more) break;
      HeldSeries series;
      series.query = number;
      append_series_labels(series.labels, symbols, (*cursor)->labels(), external_, labels_);
      for (const auto& [name, value] : labels_) {
        series.sort_key.append(name).append(1, '\0').append(value).append(1, '\0');
      }
      series.begin = chunks_.size();
      append_chunks((*cursor)->times(), (*cursor)->values());
      series.end = chunks_.size();
      held_ += sizeof series + series.labels.size() + series.sort_key.size();
      series_.push_back(std::move(series));
      if (held_ + chunks_.size() > kMaxHeldBytes) {
        return bad_data("the answer exceeds " + std::to_string(kMaxHeldBytes >> 20) +
                        " MB; ask for fewer series or less time");
      }
    }
    std::sort(series_.begin() + static_cast<std::ptrdiff_t>(first), series_.end(),
              [](const HeldSeries& a, const HeldSeries& b) { return a.sort_key < b.sort_key; });
    for (auto it = series_.begin() + static_cast<std::ptrdiff_t>(first); it != series_.end(); ++it) it->sort_key = {};
    return {};
  }

  std::unique_ptr<BodySource> finish(std::size_t bytes_in_frame) {
    return std::make_unique<ChunkStream>(std::move(series_), std::move(chunks_), bytes_in_frame);
  }

 private:
  void append_chunks(std::span<const TimestampMs> times, std::span<const double> values) {
    for (std::size_t begin = 0; begin < times.size(); begin += kChunkSamples) {
      const std::size_t count = std::min(kChunkSamples, times.size() - begin);
      data_.clear();
      encode_xor_chunk(times.subspan(begin, count), values.subspan(begin, count), data_);
      chunk_.clear();
      protobuf::put_number(chunk_, 1, static_cast<std::uint64_t>(times[begin]));
      protobuf::put_number(chunk_, 2, static_cast<std::uint64_t>(times[begin + count - 1]));
      protobuf::put_number(chunk_, 3, kXorEncoding);
      protobuf::put_bytes(chunk_, 4, data_);
      protobuf::put_bytes(chunks_, 2, chunk_);
    }
  }

  const ServerContext& context_;
  const std::atomic<bool>* canceled_;
  const Labels external_;
  std::vector<HeldSeries> series_;
  std::string chunks_;
  std::size_t held_ = 0;
  std::string data_;
  std::string chunk_;
  std::vector<std::pair<std::string_view, std::string_view>> labels_;
};

}  // namespace

Result<HttpResponse> stream_remote_read(const ServerContext& context, std::vector<ReadQuery> queries,
                                        std::size_t bytes_in_frame, const std::atomic<bool>* canceled) {
  ChunkCollector collector(context, canceled);
  for (std::size_t i = 0; i < queries.size(); ++i) {
    if (Status status = collector.add(std::move(queries[i]), i); !status.ok()) return status.error();
  }
  HttpResponse response;
  response.content_type = "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse";
  response.rest = collector.finish(bytes_in_frame);
  return response;
}

}  // namespace pipit
