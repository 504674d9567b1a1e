#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "config/http_client_config.h"
#include "model/result.h"
#include "model/sample.h"

namespace pipit {

class SchemaChecker;
struct Section;
struct YamlNode;

struct EmailConfig {
  bool send_resolved = false;
  std::string to;  ///< a template, as all texts below
  std::string from;
  std::string hello = "localhost";
  std::string smarthost_host;
  std::string smarthost_port;
  std::string auth_username;
  SecretSource auth_password;
  SecretSource auth_secret;
  std::string auth_identity;
  bool require_tls = true;
  std::optional<bool> implicit_tls;  ///< unset: on port 465
  TlsConfig tls;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string html;
  std::string text;
  enum class Threading { off, by_group, by_group_and_day } threading = Threading::off;
};

struct WebhookConfig {
  bool send_resolved = true;
  SecretSource url;
  std::uint64_t max_alerts = 0;  ///< 0: all
  DurationMs timeout = 0;        ///< 0: what integrations have
  HttpClientConfig http;
};

struct SlackField {
  std::string title;
  std::string value;
  std::optional<bool> is_short;
};

struct SlackAction {
  std::string type;
  std::string text;
  std::string url;
  std::string style;
  std::string name;
  std::string value;
  /// Of `confirm`: text, title, ok_text, dismiss_text; no text: none.
  std::string confirm_text;
  std::string confirm_title;
  std::string confirm_ok;
  std::string confirm_dismiss;
};

struct SlackConfig {
  bool send_resolved = false;
  SecretSource api_url;
  SecretSource app_token;
  std::string app_url;
  std::string channel;
  std::string username;
  std::string color;
  std::string title;
  std::string title_link;
  std::string pretext;
  std::string text;
  std::string message_text;
  std::vector<SlackField> fields;
  bool short_fields = false;
  std::string footer;
  std::string fallback;
  std::string callback_id;
  std::string icon_emoji;
  std::string icon_url;
  std::string image_url;
  std::string thumb_url;
  bool link_names = false;
  std::vector<std::string> mrkdwn_in;
  std::vector<SlackAction> actions;
  DurationMs timeout = 0;
  HttpClientConfig http;
};

struct TelegramConfig {
  bool send_resolved = true;
  std::string api_url;
  SecretSource bot_token;
  SecretSource chat_id;
  std::int64_t message_thread_id = 0;
  std::string message;
  std::string parse_mode;
  bool disable_notifications = false;
  HttpClientConfig http;
};

struct DiscordConfig {
  bool send_resolved = true;
  SecretSource webhook_url;
  std::string title;
  std::string message;
  std::string content;
  std::string username;
  std::string avatar_url;
  HttpClientConfig http;
};

using IntegrationConfig = std::variant<EmailConfig, WebhookConfig, SlackConfig, TelegramConfig, DiscordConfig>;

struct ReceiverConfig {
  std::string name;
  std::vector<IntegrationConfig> integrations;  ///< of each kind in the file's order, kinds in that of the variant
};

/// What `global` says, where a receiver's own section does not.
struct DeliveryDefaults {
  DurationMs resolve_timeout = DurationMs{5} * 60'000;
  HttpClientConfig http;
  EmailConfig email;  ///< but for what it says and to whom
  SecretSource slack_api_url;
  SecretSource slack_app_token;
  std::string slack_app_url;
  std::string telegram_api_url;
  SecretSource telegram_bot_token;
};

/// The keys of `global` and of an entry of `receivers`. Those of Alertmanager's integrations that are not built are
/// refused by name and line.
extern const Section kDeliveryGlobalSection;
extern const Section kReceiverSection;

/// Both build from sections that were found right; `global` may be null. Errors: what no table can say, such as an
/// e-mail without a smarthost.
Result<DeliveryDefaults> build_delivery_defaults(const YamlNode* global, const SchemaChecker& checker);
Result<ReceiverConfig> build_receiver(const YamlNode& node, const DeliveryDefaults& defaults,
                                      const SchemaChecker& checker);

/// All files that the receiver names, for `pipit check alertmanager` and for watching.
std::vector<std::string> named_files(const ReceiverConfig& receiver);
/// Its settings that are templates, each with its key, for the check of a configuration.
std::vector<std::pair<std::string, std::string>> template_texts(const ReceiverConfig& receiver);

}  // namespace pipit
