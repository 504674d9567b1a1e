#pragma once

#include <memory>

#include "delivery/integration.h"

namespace pipit {

/// POSTs Alertmanager's JSON, version 4.
std::unique_ptr<Integration> make_webhook(const WebhookConfig& config, const IntegrationContext& context);

/// The body of a notification of which all alerts are told.
std::string webhook_body(const Notification& notification, const std::string& external_url,
                         std::uint64_t truncated_alerts);

}  // namespace pipit
