#pragma once

#include "api/http_message.h"
#include "api/server.h"

namespace pipit {

// Handlers of /api/v1 about rules and alerts. All are thread-safe.

/// /api/v1/rules with its filters and pages.
HttpResponse handle_rules(const ServerContext& context, const HttpRequest& request);
/// /api/v1/alerts
HttpResponse handle_alerts(const ServerContext& context);
/// /api/v1/alertmanagers
HttpResponse handle_alertmanagers(const ServerContext& context);

}  // namespace pipit
