#pragma once

#include <string_view>

#include "api/http_message.h"
#include "delivery/delivery.h"

namespace pipit {

// Handlers of Alertmanager's API v2, below /api/v2. Those that write must not be called for other sites' pages. All are
// thread-safe. docs/delivery.md.

inline constexpr std::string_view kDeliveryApi = "/api/v2/";

/// What the paths say while nothing is delivered.
HttpResponse handle_no_delivery();
/// What paths and methods say that the API does not have.
HttpResponse handle_unknown_delivery_path(std::string_view path);
HttpResponse handle_wrong_delivery_method(std::string_view method, std::string_view allowed);

/// status
HttpResponse handle_delivery_status(const Delivery& delivery, std::string_view version);
/// receivers
HttpResponse handle_receivers(const Delivery& delivery);
/// alerts
HttpResponse handle_delivered_alerts(const Delivery& delivery, const HttpRequest& request);
HttpResponse handle_post_alerts(Delivery& delivery, const HttpRequest& request);
/// alerts/groups
HttpResponse handle_alert_groups(const Delivery& delivery, const HttpRequest& request);
/// silences
HttpResponse handle_silences(const Delivery& delivery, const HttpRequest& request);
HttpResponse handle_post_silence(Delivery& delivery, const HttpRequest& request);
/// silence/ID
HttpResponse handle_silence(const Delivery& delivery, std::string_view id);
HttpResponse handle_delete_silence(Delivery& delivery, std::string_view id);
/// integrations, which Alertmanager does not have: what became of each of late.
HttpResponse handle_integrations(const Delivery& delivery);

}  // namespace pipit
