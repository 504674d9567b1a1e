// Source of the format and of how answers are meant: Alertmanager 0.28, notify/slack.

#include "delivery/slack.h"

#include <nlohmann/json.hpp>

#include "delivery/http_integration.h"
#include "delivery/text_limits.h"

namespace pipit {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kLongestTitle = 1024;
constexpr std::size_t kLongestText = 40'000;  // Slack cuts what is longer, and shows less of an attachment

void add(Json& object, const char* key, std::string text) {
  if (!text.empty()) object[key] = std::move(text);
}

class Slack final : public HttpIntegration {
 public:
  Slack(const SlackConfig& config, const IntegrationContext& context)
      : HttpIntegration(context, config.send_resolved, config.http, config.timeout),
        config_(config),
        api_url_(config.api_url),
        app_token_(config.app_token) {}
  std::string_view kind() const override { return "slack"; }

 private:
  Result<Message> compose(const Notification& notification) override {
    Message message;
    if (config_.app_token.empty()) {
      auto url = read_secret(api_url_);
      if (!url.ok()) return url.error();
      message.url = std::move(*url);
    } else {
      auto token = read_secret(app_token_);
      if (!token.ok()) return token.error();
      message.url = config_.app_url;
      message.authorization = "Bearer " + *token;
      message.secrets.push_back(std::move(*token));
    }
    Texts texts(context(), notification);
    message.body = body(texts).dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
    if (!texts.failed().ok()) return texts.failed().error();
    return message;
  }

  Json body(Texts& texts) const {
    Json request;
    add(request, "channel", texts.plain(config_.channel));
    add(request, "username", texts.plain(config_.username));
    add(request, "icon_emoji", texts.plain(config_.icon_emoji));
    add(request, "icon_url", texts.plain(config_.icon_url));
    if (config_.link_names) request["link_names"] = true;
    add(request, "text", limit_characters(texts.plain(config_.message_text), kLongestText));
    if (config_.message_text.empty()) request["attachments"] = Json::array({attachment(texts)});
    return request;
  }

  Json attachment(Texts& texts) const {
    Json out;
    add(out, "title", limit_characters(texts.plain(config_.title), kLongestTitle));
    add(out, "title_link", texts.plain(config_.title_link));
    add(out, "pretext", texts.plain(config_.pretext));
    out["text"] = limit_characters(texts.plain(config_.text), kLongestText);
    out["fallback"] = texts.plain(config_.fallback);
    out["callback_id"] = texts.plain(config_.callback_id);
    for (const SlackField& field : config_.fields) {
      Json each;
      each["title"] = texts.plain(field.title);
      each["value"] = texts.plain(field.value);
      each["short"] = field.is_short.value_or(config_.short_fields);
      out["fields"].push_back(std::move(each));
    }
    for (const SlackAction& action : config_.actions) out["actions"].push_back(button(action, texts));
    add(out, "image_url", texts.plain(config_.image_url));
    add(out, "thumb_url", texts.plain(config_.thumb_url));
    out["footer"] = texts.plain(config_.footer);
    add(out, "color", texts.plain(config_.color));
    out["mrkdwn_in"] = config_.mrkdwn_in;
    if (config_.mrkdwn_in.empty()) out["mrkdwn_in"] = {"fallback", "pretext", "text"};
    return out;
  }

  static Json button(const SlackAction& action, Texts& texts) {
    Json out;
    add(out, "type", texts.plain(action.type));
    add(out, "text", texts.plain(action.text));
    add(out, "url", texts.plain(action.url));
    add(out, "style", texts.plain(action.style));
    add(out, "name", texts.plain(action.name));
    add(out, "value", texts.plain(action.value));
    if (action.confirm_text.empty()) return out;
    Json confirm;
    add(confirm, "text", texts.plain(action.confirm_text));
    add(confirm, "title", texts.plain(action.confirm_title));
    add(confirm, "ok_text", texts.plain(action.confirm_ok));
    add(confirm, "dismiss_text", texts.plain(action.confirm_dismiss));
    out["confirm"] = std::move(confirm);
    return out;
  }

  /// Slack says 200 also when it has refused.
  DeliveryOutcome judge(const Answer& answer) const override {
    DeliveryOutcome outcome = HttpIntegration::judge(answer);
    if (outcome.kind != DeliveryOutcome::Kind::delivered || answer.status != 200) return outcome;
    if (!answer.content_type.starts_with("application/json")) {
      if (answer.body == "ok") return outcome;
      return {DeliveryOutcome::Kind::refused,
              "received an error response from Slack: " + limit_characters(answer.body, 256),
              {},
              std::nullopt};
    }
    const auto said = nlohmann::json::parse(answer.body, nullptr, false);
    if (said.is_object() && said.contains("ok") && said["ok"] == true) return outcome;
    if (!said.is_object()) {
      return {DeliveryOutcome::Kind::failed, "could not unmarshal JSON response", {}, std::nullopt};
    }
    const auto error = said.find("error");
    const std::string why = error != said.end() && error->is_string() ? error->get<std::string>() : "";
    return {
        DeliveryOutcome::Kind::refused, "error response from Slack: " + limit_characters(why, 256), {}, std::nullopt};
  }

  SlackConfig config_;
  Secret api_url_;
  Secret app_token_;
};

}  // namespace

std::unique_ptr<Integration> make_slack(const SlackConfig& config, const IntegrationContext& context) {
  return std::make_unique<Slack>(config, context);
}

}  // namespace pipit
