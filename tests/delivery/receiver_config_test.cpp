#include "delivery/receiver_config.h"

#include <gmock/gmock.h>

#include "tests/delivery/integration_fixture.h"

namespace pipit {
namespace {

using ::testing::HasSubstr;

struct Wrong {
  const char* yaml;
  const char* error;
};

TEST(ReceiverConfigTest, SaysWhereAndWhatIsWrong) {
  const Wrong cases[] = {
      {"{}", "alertmanager.yml:1:1: missing name in receiver"},
      {"name: a\nmail_configs: []",
       "alertmanager.yml:2:1: unknown field \"mail_configs\" in receiver (did you mean "
       "\"email_configs\"?)"},
      {"name: a\npagerduty_configs:\n- routing_key: abc",
       "alertmanager.yml:2:1: receiver.pagerduty_configs is not supported: Pipit tells by email, webhook, slack, "
       "telegram and discord"},
      {"name: a\nemail_configs:\n- to: a@b", "alertmanager.yml:3:3: no global SMTP smarthost set"},
      {"name: a\nemail_configs:\n- to: a@b\n  smarthost: h:25", "alertmanager.yml:3:3: no global SMTP from set"},
      {"name: a\nemail_configs:\n- smarthost: h:25", "alertmanager.yml:3:3: missing to address in email config"},
      {"name: a\nemail_configs:\n- to: a@b\n  smarthost: h",
       "alertmanager.yml:4:14: address \"h\": missing port in address"},
      {"name: a\nemail_configs:\n- to: a@b\n  headers: {subject: x, Subject: y}",
       "alertmanager.yml:4:25: duplicate header \"Subject\" in email config"},
      {"name: a\nemail_configs:\n- to: a@b\n  threading: {enabled: true, thread_by_date: weekly}",
       "alertmanager.yml:4:46: threading.thread_by_date must be either 'none' or 'daily'"},
      {"name: a\nemail_configs:\n- to: a@b\n  threading: {enabled: true}",
       "alertmanager.yml:4:14: threading.thread_by_date must be either 'none' or 'daily'"},
      {"name: a\nemail_configs:\n- to: a@b\n  threading: {enabled: true, thread_by_date: none}\n  headers: "
       "{references: x}",
       "alertmanager.yml:5:13: conflicting configuration: threading.enabled conflicts with custom references header"},
      {"name: a\nwebhook_configs:\n- send_resolved: true",
       "alertmanager.yml:3:3: one of url or url_file must be configured"},
      {"name: a\nwebhook_configs:\n- url: http://u:secret@h/\n  url_file: f",
       "alertmanager.yml:4:13: at most one of url & url_file must be configured"},
      {"name: a\nwebhook_configs:\n- url: ftp://geheim", "alertmanager.yml:3:8: url is not an http or https URL"},
      {"name: a\nslack_configs:\n- channel: x",
       "alertmanager.yml:3:3: no global Slack API URL set either inline or in a "
       "file"},
      {"name: a\nslack_configs:\n- api_url: http://h/\n  actions: [{type: button, text: t}]",
       "alertmanager.yml:4:13: missing name or url in Slack action configuration"},
      {"name: a\ntelegram_configs:\n- bot_token: t", "alertmanager.yml:3:3: missing chat_id on telegram_config"},
      {"name: a\ntelegram_configs:\n- bot_token: t\n  chat_id: 1\n  parse_mode: html",
       "alertmanager.yml:5:15: unknown parse_mode on telegram_config, must be Markdown, MarkdownV2, HTML or empty "
       "string"},
      {"name: a\ntelegram_configs:\n- chat_id: 1",
       "alertmanager.yml:3:3: missing bot_token or bot_token_file on telegram_config"},
      {"name: a\ndiscord_configs:\n- title: x",
       "alertmanager.yml:3:3: one of webhook_url or webhook_url_file must be configured"},
      {"name: a\nwebhook_configs:\n-", "alertmanager.yml:3:2: empty or null list item"},
  };
  for (const Wrong& each : cases) {
    auto receiver = read_receiver(each.yaml);
    ASSERT_FALSE(receiver.ok()) << each.yaml;
    EXPECT_EQ(receiver.error().message, each.error);
    EXPECT_EQ(receiver.error().message.find("geheim"), std::string::npos);
  }
}

TEST(ReceiverConfigTest, TakesWhatGlobalSays) {
  auto receiver = read_receiver(
      "name: all\n"
      "email_configs: [{to: a@b}, {to: c@d, smarthost: '[::1]:465', require_tls: false, auth_password: own}]\n"
      "slack_configs: [{channel: '#x', title: '', fields: [{title: t, value: v, short: true}]}]\n"
      "telegram_configs: [{chat_id: -100123}]\n",
      "smtp_from: me@site\nsmtp_smarthost: mail:587\nsmtp_auth_username: u\nsmtp_auth_password_file: p\n"
      "smtp_hello: host\nslack_api_url: http://slack/x\ntelegram_bot_token: '1:abc'\nopsgenie_api_key: k\n");
  ASSERT_TRUE(receiver.ok()) << receiver.error().message;
  const auto& first = std::get<EmailConfig>(receiver->integrations[0]);
  EXPECT_EQ(first.smarthost_host + "|" + first.smarthost_port + "|" + first.from, "mail|587|me@site");
  EXPECT_EQ(first.hello + "|" + first.auth_username + "|" + first.auth_password.file, "host|u|p");
  EXPECT_TRUE(first.require_tls);
  EXPECT_FALSE(first.send_resolved);
  const auto& second = std::get<EmailConfig>(receiver->integrations[1]);
  EXPECT_EQ(second.smarthost_host + "|" + second.smarthost_port, "::1|465");
  EXPECT_FALSE(second.require_tls);
  EXPECT_EQ(second.auth_password, (SecretSource{"own", ""}));
  const auto& slack = std::get<SlackConfig>(receiver->integrations[2]);
  EXPECT_EQ(slack.api_url.text, "http://slack/x");
  EXPECT_EQ(slack.title, "");
  EXPECT_EQ(slack.fallback, "{{ template \"slack.default.fallback\" . }}");
  EXPECT_EQ(slack.fields[0].is_short, true);
  const auto& telegram = std::get<TelegramConfig>(receiver->integrations[3]);
  EXPECT_EQ(telegram.bot_token.text + telegram.chat_id.text + telegram.parse_mode, "1:abc-100123HTML");
  EXPECT_EQ(named_files(*receiver), std::vector<std::string>{"p"});
  EXPECT_FALSE(template_texts(*receiver).empty());
}

TEST(ReceiverConfigTest, WarnsOfWhatHasNoEffect) {
  std::vector<ConfigWarning> warnings;
  auto receiver = read_receiver("name: a\nemail_configs:\n- to: a@b\n  headers: {Content-Type: x}",
                                "smtp_from: me@site\nsmtp_smarthost: mail:587", &warnings);
  ASSERT_TRUE(receiver.ok()) << receiver.error().message;
  ASSERT_EQ(warnings.size(), 1u);
  EXPECT_THAT(warnings[0].message, HasSubstr("headers.Content-Type has no effect"));
}

}  // namespace
}  // namespace pipit
