#pragma once

#include <cstdint>

#include "api/http_message.h"
#include "api/server.h"

namespace pipit {

/// `POST /api/v1/read`: the samples of what a ReadRequest's queries select, as one ReadResponse. Both are protobuf in
/// snappy's block format. Streamed chunks are not offered; clients that accept both get samples.
///
/// An answer is held whole, so a request with more than `sample_limit` samples, or more than 256 MB of them with their
/// labels, is refused. Thread-safe.
HttpResponse handle_remote_read(const ServerContext& context, const HttpRequest& request, std::uint64_t sample_limit);

}  // namespace pipit
