// Source of the format and its limits: Alertmanager 0.28, notify/discord.

#include "delivery/discord.h"

#include <nlohmann/json.hpp>

#include "delivery/http_integration.h"
#include "delivery/notification_data.h"
#include "delivery/text_limits.h"

namespace pipit {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kLongestTitle = 256;
constexpr std::size_t kLongestMessage = 4096;
constexpr std::size_t kLongestContent = 2000;
constexpr int kRed = 0x992d22;
constexpr int kGreen = 0x2ecc71;

class Discord final : public HttpIntegration {
 public:
  Discord(const DiscordConfig& config, const IntegrationContext& context)
      : HttpIntegration(context, config.send_resolved, config.http, 0), config_(config), url_(config.webhook_url) {}
  std::string_view kind() const override { return "discord"; }

 private:
  Result<Message> compose(const Notification& notification) override {
    auto url = read_secret(url_);
    if (!url.ok()) return url.error();
    Texts texts(context(), notification);
    Json embed;
    embed["title"] = limit_characters(texts.plain(config_.title), kLongestTitle);
    embed["description"] = limit_characters(texts.plain(config_.message), kLongestMessage);
    embed["color"] = is_firing(notification) ? kRed : kGreen;
    Json body;
    body["content"] = limit_characters(texts.plain(config_.content), kLongestContent);
    body["embeds"] = Json::array({embed});
    const auto add = [&](const char* key, const std::string& setting) {
      const std::string text = texts.plain(setting);
      if (!text.empty()) body[key] = text;
    };
    add("username", config_.username);
    add("avatar_url", config_.avatar_url);
    if (!texts.failed().ok()) return texts.failed().error();
    Message message;
    message.url = std::move(*url);
    message.body = body.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
    return message;
  }

  DiscordConfig config_;
  Secret url_;
};

}  // namespace

std::unique_ptr<Integration> make_discord(const DiscordConfig& config, const IntegrationContext& context) {
  return std::make_unique<Discord>(config, context);
}

}  // namespace pipit
