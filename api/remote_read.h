#pragma once

#include <cstdint>

#include "api/http_message.h"
#include "api/remote_read_limits.h"
#include "api/server.h"

namespace pipit {

/// `POST /api/v1/read`: the samples of what a ReadRequest's queries select, protobuf in snappy's block format, as one
/// ReadResponse or as a stream of chunks (`remote_read_stream.h`), whatever the client likes better.
///
/// A ReadResponse is held whole, so a request with more samples than the limit, or more than 256 MB of them with their
/// labels, is refused. Thread-safe.
HttpResponse handle_remote_read(const ServerContext& context, const HttpRequest& request,
                                const RemoteReadLimits& limits);

}  // namespace pipit
