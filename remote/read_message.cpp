// Source of the fields and frames: prometheus/prometheus, prompb/remote.proto, types.proto, storage/remote/chunked.go.

#include "remote/read_message.h"

#include <snappy.h>

#include <bit>
#include <cstring>

#include "model/crc32c.h"
#include "model/xor_chunk.h"
#include "storage/protobuf.h"

namespace pipit {
namespace {

using protobuf::Fields;
using protobuf::kBytes;
using protobuf::kFixed64;
using protobuf::kVarint;
using protobuf::put_bytes;
using protobuf::put_number;

constexpr std::uint64_t kXorEncoding = 1;

Error malformed() { return bad_data("the answer to a remote read is malformed"); }

/// The RAM that an answer may still take. A message of two bytes can be a label, or a series, of a hundred.
class Budget {
 public:
  explicit Budget(std::size_t bytes) : limit_(bytes), left_(bytes) {}

  bool take(std::size_t bytes) {
    if (bytes > left_) return false;
    left_ -= bytes;
    return true;
  }
  Error exceeded() const {
    return bad_data("the answer to a remote read takes more than " + std::to_string(limit_ >> 20) +
                    " MB; ask for fewer series or less time");
  }

 private:
  std::size_t limit_;
  std::size_t left_;
};

constexpr std::size_t kSampleBytes = sizeof(TimestampMs) + sizeof(double);

Status read_label(std::string_view message, std::vector<Label>& labels, Budget& budget) {
  Label label;
  Fields fields(message);
  while (fields.next()) {
    if (fields.is(1, kBytes)) label.name = fields.bytes;
    if (fields.is(2, kBytes)) label.value = fields.bytes;
  }
  if (!fields.good()) return malformed();
  if (!budget.take(sizeof(Label) + label.name.size() + label.value.size())) return budget.exceeded();
  labels.push_back(std::move(label));
  return {};
}

/// Adds a sample if it lies in the range and behind the last one.
void add_sample(RemoteSeries& series, TimestampMs time, double value, TimestampMs start, TimestampMs end) {
  if (time < start || time > end || (!series.times.empty() && time <= series.times.back())) return;
  series.times.push_back(time);
  series.values.push_back(value);
}

bool read_sample(std::string_view message, TimestampMs& time, double& value) {
  time = 0;
  value = 0;
  Fields fields(message);
  while (fields.next()) {
    if (fields.is(1, kFixed64)) std::memcpy(&value, fields.bytes.data(), sizeof value);
    if (fields.is(2, kVarint)) time = static_cast<TimestampMs>(fields.varint);
  }
  return fields.good();
}

/// Reads the XOR chunks of one answer.
class ChunkAnswer {
 public:
  ChunkAnswer(TimestampMs start, TimestampMs end, const ReadAnswerLimits& limits)
      : start_(start), end_(end), budget_(limits.answer_bytes) {}

  Status add_series(std::string_view message) {
    std::vector<Label> labels;
    RemoteSeries fresh;
    Fields heads(message);
    while (heads.next()) {
      if (!heads.is(1, kBytes)) continue;
      if (Status status = read_label(heads.bytes, labels, budget_); !status.ok()) return status;
    }
    if (!heads.good()) return malformed();
    fresh.labels = Labels(std::move(labels));
    // A series that is spread over frames comes in frames one after another.
    if (series_.empty() || series_.back().labels != fresh.labels) {
      if (!budget_.take(sizeof(RemoteSeries))) return budget_.exceeded();
      series_.push_back(std::move(fresh));
    }
    Fields fields(message);
    while (fields.next()) {
      if (!fields.is(2, kBytes)) continue;
      if (Status status = add_chunk(fields.bytes, series_.back()); !status.ok()) return status;
    }
    return {};
  }

  std::vector<RemoteSeries> take() { return std::move(series_); }

 private:
  Status add_chunk(std::string_view message, RemoteSeries& series) {
    std::uint64_t encoding = 0;
    std::string_view data;
    Fields fields(message);
    while (fields.next()) {
      if (fields.is(3, kVarint)) encoding = fields.varint;
      if (fields.is(4, kBytes)) data = fields.bytes;
    }
    if (!fields.good()) return malformed();
    if (encoding != kXorEncoding) return {};  // native histograms, which queries know nothing of
    times_.clear();
    values_.clear();
    if (!decode_xor_chunk(data, times_, values_)) return malformed();
    if (!budget_.take(times_.size() * kSampleBytes)) return budget_.exceeded();
    for (std::size_t i = 0; i < times_.size(); ++i) add_sample(series, times_[i], values_[i], start_, end_);
    return {};
  }

  const TimestampMs start_;
  const TimestampMs end_;
  Budget budget_;
  std::vector<RemoteSeries> series_;
  std::vector<TimestampMs> times_;
  std::vector<double> values_;
};

}  // namespace

std::string encode_read_request(std::span<const Matcher> matchers, TimestampMs start, TimestampMs end) {
  std::string query;
  put_number(query, 1, static_cast<std::uint64_t>(start));
  put_number(query, 2, static_cast<std::uint64_t>(end));
  for (const Matcher& matcher : matchers) {
    std::string fields;
    put_number(fields, 1, static_cast<std::uint64_t>(matcher.type()));
    put_bytes(fields, 2, matcher.name());
    put_bytes(fields, 3, matcher.value());
    put_bytes(query, 3, fields);
  }
  std::string message;
  put_bytes(message, 1, query);
  put_bytes(message, 2, std::string_view("\x01\x00", 2));  // STREAMED_XOR_CHUNKS, SAMPLES
  std::string body;
  snappy::Compress(message.data(), message.size(), &body);
  return body;
}

Result<std::vector<RemoteSeries>> decode_read_response(std::string_view body, TimestampMs start, TimestampMs end,
                                                       const ReadAnswerLimits& limits) {
  std::size_t size = 0;
  if (!snappy::GetUncompressedLength(body.data(), body.size(), &size)) return malformed();
  if (size > limits.message_bytes) return bad_data("the answer to a remote read is larger than it may be");
  std::string message(size, '\0');
  if (!snappy::RawUncompress(body.data(), body.size(), message.data())) return malformed();
  std::vector<RemoteSeries> all;
  Budget budget(limits.answer_bytes);
  Fields answer(message);
  while (answer.next()) {
    if (!answer.is(1, kBytes)) continue;
    Fields result(answer.bytes);
    while (result.next()) {
      if (!result.is(1, kBytes)) continue;
      std::vector<Label> labels;
      RemoteSeries series;
      if (!budget.take(sizeof(RemoteSeries))) return budget.exceeded();
      Fields fields(result.bytes);
      while (fields.next()) {
        TimestampMs time;
        double value;
        if (fields.is(1, kBytes)) {
          if (Status status = read_label(fields.bytes, labels, budget); !status.ok()) return status.error();
        }
        if (!fields.is(2, kBytes)) continue;
        if (!read_sample(fields.bytes, time, value)) return malformed();
        if (!budget.take(kSampleBytes)) return budget.exceeded();
        add_sample(series, time, value, start, end);
      }
      if (!fields.good()) return malformed();
      series.labels = Labels(std::move(labels));
      all.push_back(std::move(series));
    }
    if (!result.good()) return malformed();
  }
  if (!answer.good()) return malformed();
  return all;
}

Result<std::vector<RemoteSeries>> decode_read_stream(std::string_view body, TimestampMs start, TimestampMs end,
                                                     const ReadAnswerLimits& limits) {
  ChunkAnswer answer(start, end, limits);
  ByteReader frames(body);
  while (!frames.done()) {
    std::uint64_t size;
    std::string_view checksum;
    std::string_view message;
    if (!frames.varint(size)) return malformed();
    if (size > limits.frame_bytes) {
      return bad_data("a message of a remote read has " + std::to_string(size) +
                      " bytes, more than chunked_read_limit allows");
    }
    if (!frames.bytes(4, checksum) || !frames.bytes(size, message)) return malformed();
    if (big_endian32(checksum.data()) != crc32c(message)) {
      return bad_data("a message of a remote read is damaged: its checksum is wrong");
    }
    Fields fields(message);
    while (fields.next()) {
      if (!fields.is(1, kBytes)) continue;
      if (Status status = answer.add_series(fields.bytes); !status.ok()) return status.error();
    }
    if (!fields.good()) return malformed();
  }
  return answer.take();
}

}  // namespace pipit
