#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/labels.h"
#include "model/matcher.h"
#include "model/result.h"
#include "model/sample.h"

namespace pipit {

/// A series that another database has answered.
struct RemoteSeries {
  Labels labels;
  std::vector<TimestampMs> times;  ///< strictly increasing
  std::vector<double> values;
};

/// The body of a remote read with one query: protobuf in snappy, for clients that take streamed chunks and samples.
std::string encode_read_request(std::span<const Matcher> matchers, TimestampMs start, TimestampMs end);

/// Bounds on what is made of an answer.
struct ReadAnswerLimits {
  std::size_t answer_bytes = 256u << 20;   ///< RAM for series: what labels and samples take
  std::size_t message_bytes = 256u << 20;  ///< what snappy unpacks to
  std::uint64_t frame_bytes = 50u << 20;   ///< chunked_read_limit
};

/// The series of a `ReadResponse` in snappy's block format. Errors: bad_data.
Result<std::vector<RemoteSeries>> decode_read_response(std::string_view body, TimestampMs start, TimestampMs end,
                                                       const ReadAnswerLimits& limits);
/// The series of a stream of `ChunkedReadResponse`s with XOR chunks. Errors: bad_data.
Result<std::vector<RemoteSeries>> decode_read_stream(std::string_view body, TimestampMs start, TimestampMs end,
                                                     const ReadAnswerLimits& limits);

}  // namespace pipit
