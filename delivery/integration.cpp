#include "delivery/integration.h"

#include "delivery/discord.h"
#include "delivery/email.h"
#include "delivery/slack.h"
#include "delivery/telegram.h"
#include "delivery/webhook.h"

namespace pipit {
namespace {

struct Maker {
  const IntegrationContext& context;

  std::unique_ptr<Integration> operator()(const EmailConfig& config) const { return make_email(config, context); }
  std::unique_ptr<Integration> operator()(const WebhookConfig& config) const { return make_webhook(config, context); }
  std::unique_ptr<Integration> operator()(const SlackConfig& config) const { return make_slack(config, context); }
  std::unique_ptr<Integration> operator()(const TelegramConfig& config) const { return make_telegram(config, context); }
  std::unique_ptr<Integration> operator()(const DiscordConfig& config) const { return make_discord(config, context); }
};

}  // namespace

std::vector<std::unique_ptr<Integration>> make_integrations(const ReceiverConfig& receiver,
                                                            const IntegrationContext& context) {
  std::vector<std::unique_ptr<Integration>> integrations;
  integrations.reserve(receiver.integrations.size());
  for (const IntegrationConfig& config : receiver.integrations) {
    integrations.push_back(std::visit(Maker{context}, config));
  }
  return integrations;
}

}  // namespace pipit
