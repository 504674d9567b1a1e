#pragma once

#include "api/http_message.h"
#include "api/server.h"

namespace pipit {

// Handlers of /api/v1/search: names and values by parts of them, for completion. The answer is lines of JSON: batches of
// results, then a line with the status. All are thread-safe.

HttpResponse handle_search_metric_names(const ServerContext& context, const HttpRequest& request);
HttpResponse handle_search_label_names(const ServerContext& context, const HttpRequest& request);
HttpResponse handle_search_label_values(const ServerContext& context, const HttpRequest& request);

}  // namespace pipit
