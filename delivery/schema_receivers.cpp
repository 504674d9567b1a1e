// The tables of Alertmanager's receivers and of its `global`, and which of their keys exclude each other.
// Source of keys, rules and wordings: Alertmanager 0.28, config/config.go and config/notifiers.go, and the keys that
// came up to 0.31.

#include <algorithm>
#include <cctype>
#include <set>

#include "config/schema.h"
#include "delivery/receiver_config.h"
#include "scrape/target.h"

namespace pipit {
namespace {

using enum FieldType;
using Failure = std::optional<Error>;

bool has_both(const YamlNode& node, const std::string& key) {
  return node.has_text(key) && node.has_text(key + "_file");
}

/// `key` and `key_file` exclude each other.
Failure check_one_source(const YamlNode& node, const std::string& key, const SchemaChecker& checker) {
  if (!has_both(node, key)) return std::nullopt;
  return checker.fail(*node.find(key + "_file"), "at most one of " + key + " & " + key + "_file must be configured");
}

/// One of `key` and `key_file` must be there.
Failure check_source(const YamlNode& node, const std::string& key, const SchemaChecker& checker) {
  if (auto error = check_one_source(node, key, checker)) return error;
  if (node.has_text(key) || node.has_text(key + "_file")) return std::nullopt;
  return checker.fail(node, "one of " + key + " or " + key + "_file must be configured");
}

/// The text may hold a secret: messages don't repeat it. A URL with a template in it is made later.
Failure check_secret_url(const YamlNode& node, std::string_view key, const SchemaChecker& checker) {
  const std::string text(node.text_of(key));
  if (text.empty() || text.find("{{") != std::string::npos || parse_http_url(text).ok()) return std::nullopt;
  return checker.fail(*node.find(key), std::string(key) + " is not an http or https URL");
}

/// `host:port`. Go's net.SplitHostPort.
Failure check_host_port(const YamlNode& node, std::string_view key, const SchemaChecker& checker) {
  const std::string text(node.text_of(key));
  if (text.empty()) return std::nullopt;
  const std::size_t colon = text.rfind(':');
  const bool bracketed = text.starts_with('[') && colon != std::string::npos && colon > 0 && text[colon - 1] == ']';
  const std::string what = "address " + quote(text) + ": ";
  if (colon == std::string::npos || (text.starts_with('[') && !bracketed)) {
    return checker.fail(*node.find(key), what + "missing port in address");
  }
  if (!bracketed && text.find(':') != colon) return checker.fail(*node.find(key), what + "too many colons in address");
  const std::string_view port = std::string_view(text).substr(colon + 1);
  if (port.empty()) return checker.fail(*node.find(key), what + "port cannot be empty");
  const bool digits = std::all_of(port.begin(), port.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (!digits || port.size() > 5 || std::stoi(std::string(port)) > 65535 || std::stoi(std::string(port)) == 0) {
    return checker.fail(*node.find(key), what + "the port must be a number up to 65535");
  }
  return std::nullopt;
}

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

// ---- email

bool is_header_name(const std::string& name) {
  return !name.empty() && name.size() <= 64 &&
         std::all_of(name.begin(), name.end(), [](unsigned char c) { return c > ' ' && c < 0x7f && c != ':'; });
}

Failure check_email(const YamlNode& node, SchemaChecker& checker) {
  if (!node.has_text("to")) return checker.fail(node, "missing to address in email config");
  if (auto error = check_host_port(node, "smarthost", checker)) return error;
  for (const char* key : {"auth_password", "auth_secret"}) {
    if (auto error = check_one_source(node, key, checker)) return error;
  }
  const YamlNode* headers = node.find("headers");
  const YamlNode* threading = node.find("threading");
  const bool threaded =
      threading != nullptr && threading->has("enabled") && yaml_boolean(*threading->find("enabled")).value_or(false);
  std::set<std::string> seen;
  for (std::size_t i = 0; headers != nullptr && i < headers->entries.size(); ++i) {
    const YamlNode& name = *headers->entries[i].first;
    if (!is_header_name(name.text)) return checker.fail(name, quote(name.text) + " can't be the name of a header");
    const std::string key = lower(name.text);
    if (!seen.insert(key).second)
      return checker.fail(name, "duplicate header " + quote(name.text) + " in email config");
    if (threaded && (key == "references" || key == "in-reply-to")) {
      return checker.fail(
          name, "conflicting configuration: threading.enabled conflicts with custom " + name.text + " header");
    }
    if (key == "mime-version" || key.starts_with("content-")) {
      checker.warn(name, "headers." + name.text + " has no effect: the mail's parts say what they are");
    }
  }
  return std::nullopt;
}

Failure check_threading(const YamlNode& node, SchemaChecker& checker) {
  if (!node.has("enabled") || !yaml_boolean(*node.find("enabled")).value_or(false)) return std::nullopt;
  const std::string_view by_date = node.text_of("thread_by_date");
  if (by_date == "none" || by_date == "daily") return std::nullopt;
  const YamlNode* at = node.find("thread_by_date");
  return checker.fail(at != nullptr ? *at : node, "threading.thread_by_date must be either 'none' or 'daily'");
}

constexpr Field kThreadingFields[] = {
    {"enabled", boolean},
    {"thread_by_date"},
};
constexpr Section kThreading{"threading", kThreadingFields, {}, check_threading};

constexpr Field kEmailFields[] = {
    {"send_resolved", boolean},
    {"to"},
    {"from"},
    {"hello"},
    {"smarthost"},
    {"auth_username"},
    {"auth_password", secret},
    {"auth_password_file"},
    {"auth_secret", secret},
    {"auth_secret_file"},
    {"auth_identity"},
    {"headers", string_map},
    {"html"},
    {"text"},
    {"require_tls", boolean},
    {"tls_config", section, &kTlsSection},
    {"force_implicit_tls", boolean},
    {"threading", section, &kThreading},
};
constexpr Section kEmail{"email_configs", kEmailFields, {}, check_email};

// ---- webhook

Failure check_webhook(const YamlNode& node, SchemaChecker& checker) {
  if (auto error = check_source(node, "url", checker)) return error;
  return check_secret_url(node, "url", checker);
}

constexpr Field kWebhookFields[] = {
    {"send_resolved", boolean},
    {"http_config", section, &kHttpClientSection},
    {"url", secret},
    {"url_file"},
    {"max_alerts", unsigned_integer},
    {"timeout", duration},
    {"payload", anything, nullptr, "", "is not supported yet: the body has Alertmanager's own form", "", true},
};
constexpr Section kWebhook{"webhook_configs", kWebhookFields, {}, check_webhook};

// ---- slack

Failure check_slack_confirmation(const YamlNode& node, SchemaChecker& checker) {
  if (node.has_text("text")) return std::nullopt;
  return checker.fail(node, "missing text in Slack confirmation configuration");
}

Failure check_slack_action(const YamlNode& node, SchemaChecker& checker) {
  for (const char* key : {"type", "text"}) {
    if (!node.has_text(key))
      return checker.fail(node, "missing " + std::string(key) + " in Slack action configuration");
  }
  if (node.has_text("url") || node.has_text("name")) return std::nullopt;
  return checker.fail(node, "missing name or url in Slack action configuration");
}

Failure check_slack_field(const YamlNode& node, SchemaChecker& checker) {
  for (const char* key : {"title", "value"}) {
    if (!node.has_text(key)) return checker.fail(node, "missing " + std::string(key) + " in Slack field configuration");
  }
  return std::nullopt;
}

Failure check_slack(const YamlNode& node, SchemaChecker& checker) {
  for (const char* key : {"api_url", "app_token"}) {
    if (auto error = check_one_source(node, key, checker)) return error;
  }
  const bool url = node.has_text("api_url") || node.has_text("api_url_file");
  if (url && (node.has_text("app_token") || node.has_text("app_token_file"))) {
    return checker.fail(node, "at most one of api_url/api_url_file & app_token/app_token_file must be configured");
  }
  if (auto error = check_secret_url(node, "api_url", checker)) return error;
  return check_secret_url(node, "app_url", checker);
}

constexpr Field kSlackConfirmationFields[] = {{"text"}, {"title"}, {"ok_text"}, {"dismiss_text"}};
constexpr Section kSlackConfirmation{"confirm", kSlackConfirmationFields, {}, check_slack_confirmation};
constexpr Field kSlackActionFields[] = {
    {"type"}, {"text"}, {"url"}, {"style"}, {"name"}, {"value"}, {"confirm", section, &kSlackConfirmation},
};
constexpr Section kSlackAction{"actions", kSlackActionFields, {}, check_slack_action};
constexpr Field kSlackFieldFields[] = {{"title"}, {"value"}, {"short", boolean}};
constexpr Section kSlackField{"fields", kSlackFieldFields, {}, check_slack_field};

constexpr Field kSlackFields[] = {
    {"send_resolved", boolean},
    {"http_config", section, &kHttpClientSection},
    {"api_url", secret},
    {"api_url_file"},
    {"app_token", secret},
    {"app_token_file"},
    {"app_url", url},
    {"channel"},
    {"username"},
    {"color"},
    {"title"},
    {"title_link"},
    {"pretext"},
    {"text"},
    {"message_text"},
    {"fields", section_list, &kSlackField},
    {"short_fields", boolean},
    {"footer"},
    {"fallback"},
    {"callback_id"},
    {"icon_emoji"},
    {"icon_url"},
    {"image_url"},
    {"thumb_url"},
    {"link_names", boolean},
    {"mrkdwn_in", string_list},
    {"actions", section_list, &kSlackAction},
    {"timeout", duration},
    {"update_message", boolean, nullptr, "", "is not supported yet: each notification is a message of its own"},
};
constexpr Section kSlack{"slack_configs", kSlackFields, {}, check_slack};

// ---- telegram

Failure check_telegram(const YamlNode& node, SchemaChecker& checker) {
  if (auto error = check_one_source(node, "bot_token", checker)) return error;
  const bool file = node.has_text("chat_id_file");
  const YamlNode* chat = node.find("chat_id");
  const bool given = chat != nullptr && !chat->is_null() && chat->text != "0";
  if (given && file) return checker.fail(*chat, "at most one of chat_id & chat_id_file must be configured");
  if (!given && !file) return checker.fail(node, "missing chat_id on telegram_config");
  const std::string_view mode = node.text_of("parse_mode");
  if (!mode.empty() && mode != "Markdown" && mode != "MarkdownV2" && mode != "HTML") {
    return checker.fail(*node.find("parse_mode"),
                        "unknown parse_mode on telegram_config, must be Markdown, MarkdownV2, HTML or empty string");
  }
  return check_secret_url(node, "api_url", checker);
}

constexpr Field kTelegramFields[] = {
    {"send_resolved", boolean},
    {"http_config", section, &kHttpClientSection},
    {"api_url", url},
    {"bot_token", secret},
    {"bot_token_file"},
    {"chat_id", integer},
    {"chat_id_file"},
    {"message_thread_id", integer},
    {"message"},
    {"parse_mode"},
    {"disable_notifications", boolean},
};
constexpr Section kTelegram{"telegram_configs", kTelegramFields, {}, check_telegram};

// ---- discord

Failure check_discord(const YamlNode& node, SchemaChecker& checker) {
  if (auto error = check_source(node, "webhook_url", checker)) return error;
  return check_secret_url(node, "webhook_url", checker);
}

constexpr Field kDiscordFields[] = {
    {"send_resolved", boolean},
    {"http_config", section, &kHttpClientSection},
    {"webhook_url", secret},
    {"webhook_url_file"},
    {"title"},
    {"message"},
    {"content"},
    {"username"},
    {"avatar_url"},
};
constexpr Section kDiscord{"discord_configs", kDiscordFields, {}, check_discord};

// ---- receivers, global

Failure check_receiver(const YamlNode& node, SchemaChecker& checker) {
  if (node.has_text("name")) return std::nullopt;
  return checker.fail(node, "missing name in receiver");
}

constexpr Field without(std::string_view key) {
  return {key, anything, nullptr, "", "is not supported: Pipit tells by email, webhook, slack, telegram and discord",
          "",  true};
}

constexpr Field kReceiverFields[] = {
    {"name"},
    {"email_configs", section_list, &kEmail},
    {"webhook_configs", section_list, &kWebhook},
    {"slack_configs", section_list, &kSlack},
    {"telegram_configs", section_list, &kTelegram},
    {"discord_configs", section_list, &kDiscord},
    without("pagerduty_configs"),
    without("opsgenie_configs"),
    without("victorops_configs"),
    without("pushover_configs"),
    without("sns_configs"),
    without("wechat_configs"),
    without("webex_configs"),
    without("msteams_configs"),
    without("msteamsv2_configs"),
    without("jira_configs"),
    without("rocketchat_configs"),
    without("incidentio_configs"),
    without("mattermost_configs"),
};

Failure check_global(const YamlNode& node, SchemaChecker& checker) {
  for (const char* key : {"slack_api_url", "slack_app_token", "smtp_auth_password", "smtp_auth_secret",
                          "telegram_bot_token", "opsgenie_api_key", "victorops_api_key"}) {
    if (auto error = check_one_source(node, key, checker)) return error;
  }
  if (auto error = check_host_port(node, "smtp_smarthost", checker)) return error;
  for (const char* key : {"slack_api_url", "slack_app_url", "telegram_api_url"}) {
    if (auto error = check_secret_url(node, key, checker)) return error;
  }
  return std::nullopt;
}

/// Of integrations that are not built: whoever uses one is told there.
constexpr Field unused(std::string_view key) { return {key, anything}; }

constexpr Field kGlobalFields[] = {
    {"resolve_timeout", duration},
    {"http_config", section, &kHttpClientSection},
    {"smtp_from"},
    {"smtp_hello"},
    {"smtp_smarthost"},
    {"smtp_auth_username"},
    {"smtp_auth_password", secret},
    {"smtp_auth_password_file"},
    {"smtp_auth_secret", secret},
    {"smtp_auth_secret_file"},
    {"smtp_auth_identity"},
    {"smtp_require_tls", boolean},
    {"smtp_tls_config", section, &kTlsSection},
    {"smtp_force_implicit_tls", boolean},
    {"slack_api_url", secret},
    {"slack_api_url_file"},
    {"slack_app_token", secret},
    {"slack_app_token_file"},
    {"slack_app_url", url},
    {"telegram_api_url", url},
    {"telegram_bot_token", secret},
    {"telegram_bot_token_file"},
    unused("pagerduty_url"),
    unused("opsgenie_api_url"),
    unused("opsgenie_api_key"),
    unused("opsgenie_api_key_file"),
    unused("victorops_api_url"),
    unused("victorops_api_key"),
    unused("victorops_api_key_file"),
    unused("wechat_api_url"),
    unused("wechat_api_secret"),
    unused("wechat_api_secret_file"),
    unused("wechat_api_corp_id"),
    unused("webex_api_url"),
    unused("jira_api_url"),
    unused("rocketchat_api_url"),
    unused("rocketchat_token"),
    unused("rocketchat_token_file"),
    unused("rocketchat_token_id"),
    unused("rocketchat_token_id_file"),
    unused("mattermost_webhook_url"),
    unused("mattermost_webhook_url_file"),
};

}  // namespace

constinit const Section kDeliveryGlobalSection{"global", kGlobalFields, {}, check_global};
constinit const Section kReceiverSection{"receiver", kReceiverFields, {}, check_receiver, "empty receiver"};

}  // namespace pipit
