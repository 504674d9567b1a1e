#pragma once

#include <memory>

#include "delivery/integration.h"

namespace pipit {

/// An attachment to a message of Slack, or of what speaks its language, by an incoming webhook or `chat.postMessage`.
std::unique_ptr<Integration> make_slack(const SlackConfig& config, const IntegrationContext& context);

}  // namespace pipit
