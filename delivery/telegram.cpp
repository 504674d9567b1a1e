// Source of settings: Alertmanager 0.28, notify/telegram; of the method sendMessage: Telegram's Bot API.

#include "delivery/telegram.h"

#include <charconv>
#include <nlohmann/json.hpp>

#include "delivery/http_integration.h"
#include "delivery/text_limits.h"

namespace pipit {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kLongestMessage = 4096;  // characters
constexpr std::int64_t kLongestWait = 3600;    // seconds

/// A chat's number, or the name of a channel.
Json chat_of(const std::string& text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? Json(number) : Json(text);
}

class Telegram final : public HttpIntegration {
 public:
  Telegram(const TelegramConfig& config, const IntegrationContext& context)
      : HttpIntegration(context, config.send_resolved, config.http, 0),
        config_(config),
        token_(config.bot_token),
        chat_(config.chat_id) {}
  std::string_view kind() const override { return "telegram"; }

 private:
  Result<Message> compose(const Notification& notification) override {
    auto token = read_secret(token_);
    if (!token.ok()) return token.error();
    auto chat = read_secret(chat_);
    if (!chat.ok()) return chat.error();
    Texts texts(context(), notification);
    const bool html = config_.parse_mode == "HTML";
    const std::string text = html ? texts.html(config_.message) : texts.plain(config_.message);
    if (!texts.failed().ok()) return texts.failed().error();
    Json body;
    body["chat_id"] = chat_of(*chat);
    if (config_.message_thread_id != 0) body["message_thread_id"] = config_.message_thread_id;
    body["text"] = html ? limit_html_characters(text, kLongestMessage) : limit_characters(text, kLongestMessage);
    if (!config_.parse_mode.empty()) body["parse_mode"] = config_.parse_mode;
    body["disable_web_page_preview"] = true;
    if (config_.disable_notifications) body["disable_notification"] = true;
    Message message;
    std::string base = config_.api_url;
    while (base.ends_with('/')) base.pop_back();
    message.url = base + "/bot" + *token + "/sendMessage";
    message.body = body.dump(-1, ' ', false, Json::error_handler_t::replace);
    message.secrets.push_back(std::move(*token));
    return message;
  }

  /// The body says why, and when to come again.
  DeliveryOutcome judge(const Answer& answer) const override {
    DeliveryOutcome outcome = HttpIntegration::judge(answer);
    const auto said = nlohmann::json::parse(answer.body, nullptr, false);
    if (!said.is_object()) return outcome;
    if (outcome.kind == DeliveryOutcome::Kind::delivered && said.value("ok", Json(true)) == false) {
      outcome.kind = DeliveryOutcome::Kind::refused;
    }
    if (outcome.kind == DeliveryOutcome::Kind::delivered) return outcome;
    if (const auto why = said.find("description"); why != said.end() && why->is_string()) {
      outcome.reason =
          "telegram: " + limit_characters(why->get<std::string>(), 256) + " (" + std::to_string(answer.status) + ")";
    }
    const auto parameters = said.find("parameters");
    if (parameters == said.end() || !parameters->is_object()) return outcome;
    const auto wait = parameters->find("retry_after");
    if (wait != parameters->end() && wait->is_number_integer()) {
      outcome.retry_after = std::clamp<std::int64_t>(wait->get<std::int64_t>(), 0, kLongestWait) * 1000;
    }
    return outcome;
  }

  TelegramConfig config_;
  Secret token_;
  Secret chat_;
};

}  // namespace

std::unique_ptr<Integration> make_telegram(const TelegramConfig& config, const IntegrationContext& context) {
  return std::make_unique<Telegram>(config, context);
}

}  // namespace pipit
