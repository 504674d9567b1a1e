#pragma once

#include "api/http_message.h"
#include "api/server.h"

namespace pipit {

/// `/federate`: the newest sample of each series that a `match[]` selects, unless it is stale or older than `lookback`, in
/// text format 0.0.4, with the external labels. Thread-safe.
HttpResponse handle_federate(const ServerContext& context, const HttpRequest& request, DurationMs lookback);

}  // namespace pipit
