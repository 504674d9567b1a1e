// Source of the messages: prometheus/prometheus, prompb/remote.proto.

#include "api/remote_read.h"

#include <snappy.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "api/api_answer.h"
#include "api/remote_read_request.h"
#include "api/remote_read_stream.h"
#include "api/remote_read_wire.h"
#include "model/labels.h"
#include "model/symbol_table.h"

namespace pipit {
namespace {

static_assert(std::endian::native == std::endian::little, "doubles are put on the wire as they are");

constexpr std::size_t kMaxAnswerBytes = 256 << 20;
// ReadRequest.ResponseType
constexpr std::uint64_t kSamples = 0;
constexpr std::uint64_t kStreamedXorChunks = 1;

/// As protobuf 3 has it: zeros are left out.
void append_sample(std::string& out, TimestampMs time, double value) {
  const auto bits = std::bit_cast<std::uint64_t>(value);
  const auto wire_time = static_cast<std::uint64_t>(time);
  append_head(out, 2, (bits != 0 ? 9 : 0) + (time != 0 ? 1 + varint_size(wire_time) : 0));
  if (bits != 0) {
    char bytes[9] = {0x09};
    std::memcpy(bytes + 1, &bits, sizeof bits);
    out.append(bytes, sizeof bytes);
  }
  if (time != 0) {
    out += '\x10';
    put_varint(out, wire_time);
  }
}

// ---- answering ---------------------------------------------------------------------------------------------------

/// Collects the answer of one request.
class ReadAnswer {
 public:
  ReadAnswer(const ServerContext& context, std::uint64_t sample_limit, const std::atomic<bool>* canceled)
      : context_(context),
        sample_limit_(sample_limit),
        canceled_(canceled),
        external_(context.external_labels ? context.external_labels() : Labels()) {}

  /// Appends the QueryResult of `query`.
  Status add(ReadQuery query) {
    drop_external_matchers(query, external_);
    if (query.matchers.empty()) {
      protobuf::put_bytes(message_, 1, "");
      return {};
    }
    SymbolTable symbols;
    SelectRequest select{.matchers = query.matchers, .min_time = query.start, .max_time = query.end};
    select.canceled = canceled_;
    auto cursor = context_.source.select(select, symbols);
    if (!cursor.ok()) return cursor.error();
    // The result grows where it stays, behind room for its head, whose length is known at last.
    constexpr std::size_t kHeadRoom = 11;
    const std::size_t begin = message_.size();
    message_.append(kHeadRoom, '\0');
    while (true) {
      const auto more = (*cursor)->next();
      if (!more.ok()) return more.error();
      if (!*more) break;
      samples_ += (*cursor)->times().size();
      if (samples_ > sample_limit_) {
        return bad_data("exceeded sample limit (" + std::to_string(sample_limit_) + ")");
      }
      append_series(symbols, **cursor);
      protobuf::put_bytes(message_, 1, series_);
      if (message_.size() > kMaxAnswerBytes) {
        return bad_data("the answer exceeds " + std::to_string(kMaxAnswerBytes >> 20) +
                        " MB; ask for fewer series or less time");
      }
    }
    std::string head;
    append_head(head, 1, message_.size() - begin - kHeadRoom);
    message_.replace(begin, kHeadRoom, head);
    return {};
  }

  const std::string& message() const { return message_; }

 private:
  /// Writes the TimeSeries of the cursor's series to `series_`.
  void append_series(const SymbolTable& symbols, const SeriesCursor& cursor) {
    series_.clear();
    append_series_labels(series_, symbols, cursor.labels(), external_, labels_);
    const auto times = cursor.times();
    const auto values = cursor.values();
    for (std::size_t i = 0; i < times.size(); ++i) append_sample(series_, times[i], values[i]);
  }

  const ServerContext& context_;
  const std::uint64_t sample_limit_;
  const std::atomic<bool>* canceled_;
  const Labels external_;
  std::uint64_t samples_ = 0;
  std::string message_;
  std::string series_;
  std::vector<std::pair<std::string_view, std::string_view>> labels_;
};

HttpResponse text_error(const Error& error) {
  HttpResponse response;
  response.status = http_status(error.kind);
  response.body = error.message + "\n";
  return response;
}

}  // namespace

HttpResponse handle_remote_read(const ServerContext& context, const HttpRequest& request,
                                const RemoteReadLimits& limits) {
  auto asked = decode_read_request(request.body);
  if (!asked.ok()) return text_error(asked.error());
  // The first type that is known here, as Prometheus does; clients that name none are old and want samples.
  const auto& types = asked->accepted_types;
  const auto known = std::find_if(types.begin(), types.end(),
                                  [](std::uint64_t type) { return type == kSamples || type == kStreamedXorChunks; });
  if (!types.empty() && known == types.end()) {
    return text_error(bad_data(
        "server does not support any of the requested response types; supported: [SAMPLES STREAMED_XOR_CHUNKS]"));
  }
  if (known != types.end() && *known == kStreamedXorChunks) {
    auto stream = stream_remote_read(context, std::move(asked->queries), limits.bytes_in_frame, request.canceled);
    return stream.ok() ? std::move(*stream) : text_error(stream.error());
  }
  ReadAnswer answer(context, limits.samples, request.canceled);
  for (ReadQuery& query : asked->queries) {
    if (Status status = answer.add(std::move(query)); !status.ok()) return text_error(status.error());
  }
  HttpResponse response;
  response.content_type = "application/x-protobuf";
  response.headers.emplace_back("Content-Encoding", "snappy");
  snappy::Compress(answer.message().data(), answer.message().size(), &response.body);
  return response;
}

}  // namespace pipit
