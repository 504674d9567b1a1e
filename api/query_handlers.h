#pragma once

#include <string_view>

#include "api/http_message.h"
#include "api/server.h"

namespace pipit {

// Handlers of /api/v1 that read the store. All are thread-safe.

HttpResponse handle_query(const ServerContext& context, const HttpRequest& request);
HttpResponse handle_query_range(const ServerContext& context, const HttpRequest& request);
/// `query`, formatted; `query`'s syntax tree.
HttpResponse handle_format_query(const ServerContext& context, const HttpRequest& request);
HttpResponse handle_parse_query(const ServerContext& context, const HttpRequest& request);
HttpResponse handle_labels(const ServerContext& context, const HttpRequest& request);
/// `name` is the path's part between `label/` and `/values`.
HttpResponse handle_label_values(const ServerContext& context, const HttpRequest& request, std::string_view name);
HttpResponse handle_series(const ServerContext& context, const HttpRequest& request);

}  // namespace pipit
