#pragma once

#include "api/http_message.h"
#include "api/server.h"

namespace pipit {

// Handlers of /api/v1 that describe the API itself. Thread-safe.

/// /api/v1/features: what this server can do, by Prometheus 3.14's names; what it can't do is false or not named.
HttpResponse handle_features(const ServerOptions& options);
/// /api/v1/openapi.yaml, for the address at which clients find the API. `version` "3.2": as that version of OpenAPI;
/// anything else: as 3.1.
HttpResponse handle_openapi(const ServerOptions& options, std::string_view path_prefix, std::string_view version);

}  // namespace pipit
