// Source of defaults: Alertmanager 0.28, config/notifiers.go.

#include "delivery/receiver_config.h"

#include <cctype>

#include "config/schema.h"
#include "config/scrape_config.h"

namespace pipit {
namespace {

/// The texts with which integrations begin; `{{ template "NAME" . }}` each.
std::string call(std::string_view name) { return "{{ template \"" + std::string(name) + "\" . }}"; }

std::string text_or(const YamlNode& node, std::string_view key, const std::string& fallback) {
  return node.has(key) ? std::string(node.text_of(key)) : fallback;
}

bool boolean_or(const YamlNode& node, std::string_view key, bool fallback) {
  return node.has(key) ? yaml_boolean(*node.find(key)).value_or(fallback) : fallback;
}

std::int64_t integer_of(const YamlNode& node, std::string_view key) {
  return node.has(key) ? yaml_integer(*node.find(key)).value_or(0) : 0;
}

SecretSource secret_or(const YamlNode& node, const std::string& key, const SchemaChecker& checker,
                       const SecretSource& fallback) {
  SecretSource source{std::string(node.text_of(key)), checker.path_of(node.text_of(key + "_file"))};
  return source.empty() ? fallback : source;
}

HttpClientConfig http_or(const YamlNode& node, const SchemaChecker& checker, const HttpClientConfig& fallback) {
  return node.has("http_config") ? build_http_client_config(*node.find("http_config"), checker) : fallback;
}

/// `subject` -> `Subject`, `x-my-header` -> `X-My-Header`.
std::string header_name(std::string name) {
  bool begins = true;
  for (char& c : name) {
    c = static_cast<char>(begins ? std::toupper(static_cast<unsigned char>(c))
                                 : std::tolower(static_cast<unsigned char>(c)));
    begins = c == '-';
  }
  return name;
}

/// The keys that `global` has with `smtp_` before them.
void read_smtp(const YamlNode& node, const std::string& prefix, const SchemaChecker& checker, EmailConfig& email) {
  if (node.has_text(prefix + "from")) email.from = node.text_of(prefix + "from");
  if (node.has_text(prefix + "hello")) email.hello = node.text_of(prefix + "hello");
  if (const std::string smarthost(node.text_of(prefix + "smarthost")); !smarthost.empty()) {
    const std::size_t colon = smarthost.rfind(':');
    email.smarthost_host = smarthost.substr(0, colon);
    if (email.smarthost_host.starts_with('[')) {
      email.smarthost_host = email.smarthost_host.substr(1, email.smarthost_host.size() - 2);
    }
    email.smarthost_port = smarthost.substr(colon + 1);
  }
  if (node.has_text(prefix + "auth_username")) email.auth_username = node.text_of(prefix + "auth_username");
  email.auth_password = secret_or(node, prefix + "auth_password", checker, email.auth_password);
  email.auth_secret = secret_or(node, prefix + "auth_secret", checker, email.auth_secret);
  if (node.has_text(prefix + "auth_identity")) email.auth_identity = node.text_of(prefix + "auth_identity");
  email.require_tls = boolean_or(node, prefix + "require_tls", email.require_tls);
  if (const std::string key = prefix + "force_implicit_tls"; node.has(key)) {
    email.implicit_tls = yaml_boolean(*node.find(key)).value_or(false);
  }
  if (const std::string key = prefix + "tls_config"; node.has(key)) {
    email.tls = build_tls_config(*node.find(key), checker);
  }
}

Result<EmailConfig> build_email(const YamlNode& node, const DeliveryDefaults& defaults, const SchemaChecker& checker) {
  EmailConfig email = defaults.email;
  read_smtp(node, "", checker, email);
  if (email.smarthost_host.empty() && email.smarthost_port.empty()) {
    return checker.fail(node, "no global SMTP smarthost set");
  }
  if (email.from.empty()) return checker.fail(node, "no global SMTP from set");
  email.send_resolved = boolean_or(node, "send_resolved", false);
  email.to = node.text_of("to");
  email.html = text_or(node, "html", call("email.default.html"));
  email.text = text_or(node, "text", call("email.default.text"));
  if (const YamlNode* threading = node.find("threading"); threading && boolean_or(*threading, "enabled", false)) {
    email.threading = threading->text_of("thread_by_date") == "daily" ? EmailConfig::Threading::by_group_and_day
                                                                      : EmailConfig::Threading::by_group;
  }
  bool has_subject = false, has_to = false, has_from = false;
  if (const YamlNode* headers = node.find("headers")) {
    for (const auto& [name, value] : headers->entries) {
      email.headers.emplace_back(header_name(name->text), value->text);
      has_subject |= email.headers.back().first == "Subject";
      has_to |= email.headers.back().first == "To";
      has_from |= email.headers.back().first == "From";
    }
  }
  if (!has_subject) email.headers.emplace_back("Subject", call("email.default.subject"));
  if (!has_to) email.headers.emplace_back("To", email.to);
  if (!has_from) email.headers.emplace_back("From", email.from);
  return email;
}

WebhookConfig build_webhook(const YamlNode& node, const DeliveryDefaults& defaults, const SchemaChecker& checker) {
  WebhookConfig webhook;
  webhook.send_resolved = boolean_or(node, "send_resolved", true);
  webhook.url = secret_or(node, "url", checker, {});
  webhook.max_alerts = static_cast<std::uint64_t>(integer_of(node, "max_alerts"));
  webhook.timeout = duration_or(node, "timeout", 0);
  webhook.http = http_or(node, checker, defaults.http);
  return webhook;
}

SlackAction build_slack_action(const YamlNode& node) {
  SlackAction action;
  action.type = node.text_of("type");
  action.text = node.text_of("text");
  action.url = node.text_of("url");
  action.style = node.text_of("style");
  if (!action.url.empty()) return action;  // a link button has none of what follows
  action.name = node.text_of("name");
  action.value = node.text_of("value");
  if (const YamlNode* confirm = node.find("confirm"); confirm != nullptr) {
    action.confirm_text = confirm->text_of("text");
    action.confirm_title = confirm->text_of("title");
    action.confirm_ok = confirm->text_of("ok_text");
    action.confirm_dismiss = confirm->text_of("dismiss_text");
  }
  return action;
}

void read_slack_parts(const YamlNode& node, SlackConfig& slack) {
  if (const YamlNode* fields = node.find("fields")) {
    for (const YamlNodePtr& item : fields->items) {
      SlackField& field = slack.fields.emplace_back();
      field.title = item->text_of("title");
      field.value = item->text_of("value");
      if (item->has("short")) field.is_short = yaml_boolean(*item->find("short"));
    }
  }
  if (const YamlNode* marked = node.find("mrkdwn_in")) {
    for (const YamlNodePtr& item : marked->items) slack.mrkdwn_in.push_back(item->text);
  }
  if (const YamlNode* actions = node.find("actions")) {
    for (const YamlNodePtr& item : actions->items) slack.actions.push_back(build_slack_action(*item));
  }
}

Result<SlackConfig> build_slack(const YamlNode& node, const DeliveryDefaults& defaults, const SchemaChecker& checker) {
  SlackConfig slack;
  slack.send_resolved = boolean_or(node, "send_resolved", false);
  slack.api_url = secret_or(node, "api_url", checker, {});
  slack.app_token = secret_or(node, "app_token", checker, {});
  if (slack.api_url.empty() && slack.app_token.empty()) {
    slack.app_token = defaults.slack_app_token;
    if (slack.app_token.empty()) slack.api_url = defaults.slack_api_url;
  }
  if (slack.api_url.empty() && slack.app_token.empty()) {
    return checker.fail(node, "no global Slack API URL set either inline or in a file");
  }
  slack.app_url = text_or(node, "app_url", defaults.slack_app_url);
  slack.channel = node.text_of("channel");
  slack.username = text_or(node, "username", call("slack.default.username"));
  slack.color = text_or(node, "color", "{{ if eq .Status \"firing\" }}danger{{ else }}good{{ end }}");
  slack.title = text_or(node, "title", call("slack.default.title"));
  slack.title_link = text_or(node, "title_link", call("slack.default.titlelink"));
  slack.pretext = text_or(node, "pretext", call("slack.default.pretext"));
  slack.text = text_or(node, "text", call("slack.default.text"));
  slack.message_text = node.text_of("message_text");
  slack.short_fields = boolean_or(node, "short_fields", false);
  slack.footer = text_or(node, "footer", call("slack.default.footer"));
  slack.fallback = text_or(node, "fallback", call("slack.default.fallback"));
  slack.callback_id = text_or(node, "callback_id", call("slack.default.callbackid"));
  slack.icon_emoji = text_or(node, "icon_emoji", call("slack.default.iconemoji"));
  slack.icon_url = text_or(node, "icon_url", call("slack.default.iconurl"));
  slack.image_url = node.text_of("image_url");
  slack.thumb_url = node.text_of("thumb_url");
  slack.link_names = boolean_or(node, "link_names", false);
  slack.timeout = duration_or(node, "timeout", 0);
  slack.http = http_or(node, checker, defaults.http);
  read_slack_parts(node, slack);
  return slack;
}

Result<TelegramConfig> build_telegram(const YamlNode& node, const DeliveryDefaults& defaults,
                                      const SchemaChecker& checker) {
  TelegramConfig telegram;
  telegram.send_resolved = boolean_or(node, "send_resolved", true);
  telegram.api_url = text_or(node, "api_url", defaults.telegram_api_url);
  telegram.bot_token = secret_or(node, "bot_token", checker, defaults.telegram_bot_token);
  if (telegram.bot_token.empty()) return checker.fail(node, "missing bot_token or bot_token_file on telegram_config");
  telegram.chat_id = secret_or(node, "chat_id", checker, {});
  telegram.message_thread_id = integer_of(node, "message_thread_id");
  telegram.message = text_or(node, "message", call("telegram.default.message"));
  telegram.parse_mode = text_or(node, "parse_mode", "HTML");
  telegram.disable_notifications = boolean_or(node, "disable_notifications", false);
  telegram.http = http_or(node, checker, defaults.http);
  return telegram;
}

DiscordConfig build_discord(const YamlNode& node, const DeliveryDefaults& defaults, const SchemaChecker& checker) {
  DiscordConfig discord;
  discord.send_resolved = boolean_or(node, "send_resolved", true);
  discord.webhook_url = secret_or(node, "webhook_url", checker, {});
  discord.title = text_or(node, "title", call("discord.default.title"));
  discord.message = text_or(node, "message", call("discord.default.message"));
  discord.content = text_or(node, "content", call("discord.default.content"));
  discord.username = node.text_of("username");
  discord.avatar_url = node.text_of("avatar_url");
  discord.http = http_or(node, checker, defaults.http);
  return discord;
}

struct Named {
  std::vector<std::string> files;

  void add(const SecretSource& source) {
    if (!source.file.empty()) files.push_back(source.file);
  }
  void add(const HttpClientConfig& http) {
    for (std::string& file : named_files(http)) files.push_back(std::move(file));
  }
  void operator()(const EmailConfig& email) {
    for (const SecretSource* source :
         {&email.auth_password, &email.auth_secret, &email.tls.ca, &email.tls.certificate, &email.tls.key}) {
      add(*source);
    }
  }
  void operator()(const WebhookConfig& webhook) { add(webhook.url), add(webhook.http); }
  void operator()(const SlackConfig& slack) { add(slack.api_url), add(slack.app_token), add(slack.http); }
  void operator()(const TelegramConfig& telegram) {
    add(telegram.bot_token), add(telegram.chat_id), add(telegram.http);
  }
  void operator()(const DiscordConfig& discord) { add(discord.webhook_url), add(discord.http); }
};

/// The settings that are templates.
struct Templates {
  std::vector<std::pair<std::string, std::string>> texts;

  void add(std::initializer_list<std::pair<const char*, const std::string*>> list) {
    for (const auto& [key, text] : list) {
      if (!text->empty()) texts.emplace_back(key, *text);
    }
  }
  void operator()(const EmailConfig& email) {
    add({{"email_configs.to", &email.to},
         {"email_configs.from", &email.from},
         {"email_configs.html", &email.html},
         {"email_configs.text", &email.text}});
    for (const auto& [name, value] : email.headers) texts.emplace_back("email_configs.headers." + name, value);
  }
  void operator()(const WebhookConfig&) {}  // its URL is a secret, which no message may show
  void operator()(const SlackConfig& slack) {
    add({{"slack_configs.channel", &slack.channel},
         {"slack_configs.username", &slack.username},
         {"slack_configs.color", &slack.color},
         {"slack_configs.title", &slack.title},
         {"slack_configs.title_link", &slack.title_link},
         {"slack_configs.pretext", &slack.pretext},
         {"slack_configs.text", &slack.text},
         {"slack_configs.message_text", &slack.message_text},
         {"slack_configs.footer", &slack.footer},
         {"slack_configs.fallback", &slack.fallback},
         {"slack_configs.callback_id", &slack.callback_id},
         {"slack_configs.icon_emoji", &slack.icon_emoji},
         {"slack_configs.icon_url", &slack.icon_url},
         {"slack_configs.image_url", &slack.image_url},
         {"slack_configs.thumb_url", &slack.thumb_url}});
    for (const SlackField& field : slack.fields) {
      add({{"slack_configs.fields.title", &field.title}, {"slack_configs.fields.value", &field.value}});
    }
    for (const SlackAction& action : slack.actions) {
      add({{"slack_configs.actions.type", &action.type},
           {"slack_configs.actions.text", &action.text},
           {"slack_configs.actions.url", &action.url},
           {"slack_configs.actions.style", &action.style},
           {"slack_configs.actions.name", &action.name},
           {"slack_configs.actions.value", &action.value},
           {"slack_configs.actions.confirm.text", &action.confirm_text},
           {"slack_configs.actions.confirm.title", &action.confirm_title},
           {"slack_configs.actions.confirm.ok_text", &action.confirm_ok},
           {"slack_configs.actions.confirm.dismiss_text", &action.confirm_dismiss}});
    }
  }
  void operator()(const TelegramConfig& telegram) { add({{"telegram_configs.message", &telegram.message}}); }
  void operator()(const DiscordConfig& discord) {
    add({{"discord_configs.title", &discord.title},
         {"discord_configs.message", &discord.message},
         {"discord_configs.content", &discord.content},
         {"discord_configs.username", &discord.username},
         {"discord_configs.avatar_url", &discord.avatar_url}});
  }
};

}  // namespace

Result<DeliveryDefaults> build_delivery_defaults(const YamlNode* global, const SchemaChecker& checker) {
  DeliveryDefaults defaults;
  defaults.slack_app_url = "https://slack.com/api/chat.postMessage";
  defaults.telegram_api_url = "https://api.telegram.org";
  if (global == nullptr || global->is_null()) return defaults;
  defaults.resolve_timeout = duration_or(*global, "resolve_timeout", defaults.resolve_timeout);
  defaults.http = http_or(*global, checker, {});
  read_smtp(*global, "smtp_", checker, defaults.email);
  defaults.slack_api_url = secret_or(*global, "slack_api_url", checker, {});
  defaults.slack_app_token = secret_or(*global, "slack_app_token", checker, {});
  defaults.slack_app_url = text_or(*global, "slack_app_url", defaults.slack_app_url);
  defaults.telegram_api_url = text_or(*global, "telegram_api_url", defaults.telegram_api_url);
  defaults.telegram_bot_token = secret_or(*global, "telegram_bot_token", checker, {});
  return defaults;
}

Result<ReceiverConfig> build_receiver(const YamlNode& node, const DeliveryDefaults& defaults,
                                      const SchemaChecker& checker) {
  ReceiverConfig receiver;
  receiver.name = node.text_of("name");
  std::optional<Error> failure;
  const auto build_all = [&](std::string_view key, auto build) {
    const YamlNode* list = node.find(key);
    for (std::size_t i = 0; list != nullptr && i < list->items.size() && !failure; ++i) {
      auto built = Result(build(*list->items[i], defaults, checker));
      if (built.ok()) {
        receiver.integrations.emplace_back(std::move(*built));
      } else {
        failure = built.error();
      }
    }
  };
  build_all("email_configs", build_email);
  build_all("webhook_configs", build_webhook);
  build_all("slack_configs", build_slack);
  build_all("telegram_configs", build_telegram);
  build_all("discord_configs", build_discord);
  if (failure) return *failure;
  return receiver;
}

std::vector<std::string> named_files(const ReceiverConfig& receiver) {
  Named named;
  for (const IntegrationConfig& integration : receiver.integrations) std::visit(named, integration);
  return std::move(named.files);
}

std::vector<std::pair<std::string, std::string>> template_texts(const ReceiverConfig& receiver) {
  Templates templates;
  for (const IntegrationConfig& integration : receiver.integrations) std::visit(templates, integration);
  return std::move(templates.texts);
}

}  // namespace pipit
