#pragma once

#include <atomic>
#include <cstddef>
#include <vector>

#include "api/http_message.h"
#include "api/remote_read_request.h"
#include "api/server.h"
#include "model/result.h"

namespace pipit {

/// The answer to a remote read that takes `STREAMED_XOR_CHUNKS`: for each query its series in the order of their
/// labels, in messages (`prometheus.ChunkedReadResponse`) with one series each, of about `bytes_in_frame` at most.
///
/// What is selected is held as XOR chunks, one to three bytes a sample, as its order is known only at the end.
/// Errors: of the store; bad_data when the chunks have more than 256 MB.
Result<HttpResponse> stream_remote_read(const ServerContext& context, std::vector<ReadQuery> queries,
                                        std::size_t bytes_in_frame, const std::atomic<bool>* canceled);

}  // namespace pipit
