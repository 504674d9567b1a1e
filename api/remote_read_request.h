#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "model/labels.h"
#include "model/matcher.h"
#include "model/result.h"
#include "model/sample.h"

namespace pipit {

/// A `prometheus.Query`.
struct ReadQuery {
  TimestampMs start = 0;
  TimestampMs end = 0;
  std::vector<Matcher> matchers;
};

/// A `prometheus.ReadRequest`.
struct ReadRequest {
  std::vector<ReadQuery> queries;
  std::vector<std::uint64_t> accepted_types;
};

/// Reads the body of a remote read: protobuf in snappy's block format. Errors: bad_data.
Result<ReadRequest> decode_read_request(std::string_view body);

/// Takes the matchers away that ask for exactly an external label: stored series lack them, and the client knows the
/// series by them.
void drop_external_matchers(ReadQuery& query, const Labels& external);

}  // namespace pipit
