#pragma once

#include <memory>

#include "delivery/integration.h"

namespace pipit {

/// A message with one embed by a webhook of Discord.
std::unique_ptr<Integration> make_discord(const DiscordConfig& config, const IntegrationContext& context);

}  // namespace pipit
