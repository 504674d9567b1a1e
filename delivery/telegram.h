#pragma once

#include <memory>

#include "delivery/integration.h"

namespace pipit {

/// A message of a Telegram bot.
std::unique_ptr<Integration> make_telegram(const TelegramConfig& config, const IntegrationContext& context);

}  // namespace pipit
