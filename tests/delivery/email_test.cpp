#include <gmock/gmock.h>
#include <openssl/ssl.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>

#include "delivery/email_message.h"
#include "delivery/email_smtp.h"
#include "tests/api/certificates.h"
#include "tests/delivery/integration_fixture.h"
#include "tests/scrape/page_server.h"

namespace pipit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using Kind = DeliveryOutcome::Kind;

/// What a mail server of a test does otherwise than take every mail in the clear.
struct Manners {
  std::string greeting = "220 test ESMTP";
  std::string auth;  ///< its mechanisms
  std::string to_mail = "250 ok";
  std::map<std::string, std::string> to_recipients;  ///< by address
  std::string to_data = "250 taken";
  bool starttls = false;
  bool implicit_tls = false;
  bool only_helo = false;
  std::string close_at;  ///< the command at which it hangs up
};

/// A mail server with one mailbox.
class MailServer {
 public:
  explicit MailServer(Manners manners) : manners_(std::move(manners)) {
    folder_ = std::filesystem::temp_directory_path() / ("pipit_mail_" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder_);
    const auto own = TestCertificate::make("localhost", "DNS:localhost,IP:127.0.0.1");
    own.write(folder_ / "cert.pem", folder_ / "key.pem");
    tls_ = SSL_CTX_new(TLS_server_method());
    SSL_CTX_use_certificate(tls_, own.certificate.get());
    SSL_CTX_use_PrivateKey(tls_, own.key.get());
    server_ = std::make_unique<PageServer>(PageServer::RawScript([this](int fd) { serve(fd); }));
  }
  ~MailServer() {
    server_.reset();
    SSL_CTX_free(tls_);
    std::filesystem::remove_all(folder_);
  }

  std::string address() const { return server_->address(); }
  std::string authority() const { return (folder_ / "cert.pem").string(); }
  std::string mail() const { return locked(mail_); }
  std::vector<std::string> commands() const { return locked(commands_); }

 private:
  struct Connection {
    int fd;
    SSL* tls = nullptr;
    std::string bytes = {};

    void say(const std::string& line) {
      const std::string out = line + "\r\n";
      if (tls != nullptr) {
        SSL_write(tls, out.data(), static_cast<int>(out.size()));
      } else {
        (void)::send(fd, out.data(), out.size(), MSG_NOSIGNAL);
      }
    }
    bool line(std::string& out, const std::string& end = "\r\n") {
      for (;;) {
        if (const auto at = bytes.find(end); at != std::string::npos) {
          out = bytes.substr(0, at);
          bytes.erase(0, at + end.size());
          return true;
        }
        char buffer[4096];
        const auto got = tls != nullptr ? SSL_read(tls, buffer, sizeof buffer)
                                        : static_cast<int>(::recv(fd, buffer, sizeof buffer, 0));
        if (got <= 0) return false;
        bytes.append(buffer, static_cast<std::size_t>(got));
      }
    }
    bool secure(SSL_CTX* context) {
      tls = SSL_new(context);
      SSL_set_fd(tls, fd);
      return SSL_accept(tls) == 1;
    }
    ~Connection() { SSL_free(tls); }
  };

  template <class T>
  T locked(const T& value) const {
    std::lock_guard lock(mutex_);
    return value;
  }

  void serve(int fd) {
    Connection client{fd};
    if (manners_.implicit_tls && !client.secure(tls_)) return;
    if (manners_.greeting == "hang") {
      char byte;
      (void)::recv(fd, &byte, 1, 0);
      return;
    }
    client.say(manners_.greeting);
    std::string line;
    while (client.line(line)) {
      {
        std::lock_guard lock(mutex_);
        commands_.push_back(line);
      }
      const std::string word = line.substr(0, line.find(' '));
      if (word == manners_.close_at || !answer(client, word, line)) break;
    }
    ::shutdown(fd, SHUT_RDWR);
  }

  bool answer(Connection& client, const std::string& word, const std::string& line) {
    if (word == "EHLO" && manners_.only_helo) {
      client.say("502 what");
    } else if (word == "EHLO") {
      client.say("250-test");
      if (!manners_.auth.empty()) client.say("250-AUTH " + manners_.auth);
      if (manners_.starttls && client.tls == nullptr) client.say("250-STARTTLS");
      client.say("250-SIZE 1000000");
      client.say("250 ok");
    } else if (word == "HELO" || word == "RSET") {
      client.say("250 ok");
    } else if (word == "STARTTLS") {
      client.say("220 go on");
      return client.secure(tls_);
    } else if (word == "AUTH") {
      log_in(client, line);
    } else if (word == "MAIL") {
      client.say(manners_.to_mail);
    } else if (word == "RCPT") {
      const std::string to = line.substr(9, line.size() - 10);
      const auto found = manners_.to_recipients.find(to);
      client.say(found == manners_.to_recipients.end() ? "250 ok" : found->second);
    } else if (word == "DATA") {
      client.say("354 go on");
      std::string mail;
      if (!client.line(mail, "\r\n.\r\n")) return false;
      {
        std::lock_guard lock(mutex_);
        mail_ = mail;
      }
      client.say(manners_.to_data);
    } else if (word == "QUIT") {
      client.say("221 bye");
      return false;
    } else {
      client.say("500 what");
    }
    return true;
  }

  void log_in(Connection& client, const std::string& line) {
    std::string said = line, name, password;
    if (line == "AUTH LOGIN") {
      client.say("334 VXNlcm5hbWU6");
      client.line(name);
      client.say("334 UGFzc3dvcmQ6");
      client.line(password);
      said = name + " " + password;
    } else if (line == "AUTH CRAM-MD5") {
      client.say("334 PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+");  // of RFC 2195
      client.line(said);
    }
    const bool right = said == "AUTH PLAIN AHRpbQB0YW5zdGFhZnRhbnN0YWFm" || said == "dGlt dGFuc3RhYWZ0YW5zdGFhZg==" ||
                       said == "dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw";
    client.say(right ? "235 welcome" : "535 no: " + said);
  }

  Manners manners_;
  std::filesystem::path folder_;
  SSL_CTX* tls_;
  mutable std::mutex mutex_;
  std::string mail_;
  std::vector<std::string> commands_;
  std::unique_ptr<PageServer> server_;
};

class EmailTest : public IntegrationTest {
 protected:
  EmailTest() { std::signal(SIGPIPE, SIG_IGN); }  // OpenSSL writes to sockets plainly, here and in the test's server

  DeliveryOutcome mail(const MailServer& server, const std::string& more = "",
                       const Notification& notification = test_notification()) {
    return tell("name: m\nemail_configs: [{to: 'Ann <ann@site>, bob@site', from: 'Pipit <pipit@site>', smarthost: '" +
                    server.address() + "'" + more + "}]",
                "", notification);
  }
};

constexpr const char* kClear = ", require_tls: false";

TEST_F(EmailTest, ComesWithTextAndHtml) {
  MailServer server({});
  const DeliveryOutcome outcome = mail(server, kClear);
  ASSERT_EQ(outcome.kind, Kind::delivered) << outcome.reason;
  auto commands = server.commands();
  commands.resize(5);  // QUIT may still be on its way
  EXPECT_THAT(commands, ElementsAre("EHLO localhost", "MAIL FROM:<pipit@site>", "RCPT TO:<ann@site>",
                                    "RCPT TO:<bob@site>", "DATA"));
  const std::string mail = server.mail();
  EXPECT_THAT(mail, HasSubstr("Date: Mon, 23 Nov 2026 05:40:00 +0000\r\n"));
  EXPECT_THAT(mail, ::testing::ContainsRegex("Message-ID: <pipit-0123456789abcdef@[A-Za-z0-9.-]+>\r\n"));
  EXPECT_THAT(mail, HasSubstr("Subject: [FIRING:1] Down (page)\r\n"));
  EXPECT_THAT(mail, HasSubstr("To: \"Ann\" <ann@site>,\r\n bob@site\r\n"));
  EXPECT_THAT(mail, HasSubstr("Content-Type: text/plain; charset=UTF-8\r\n"));
  EXPECT_THAT(mail, HasSubstr("FIRING: Down on a:80: It is down\r\n"));
  EXPECT_THAT(mail, HasSubstr("Content-Type: text/html; charset=UTF-8\r\n"));
  EXPECT_THAT(outcome.conversation, HasSubstr("> DATA\n< 354 go on\n"));
}

TEST_F(EmailTest, AnAttemptHasTheSameMessageIdAsTheOneBefore) {
  MailServer server({});
  (void)mail(server, kClear);
  const std::string first = server.mail();
  (void)mail(server, kClear);
  EXPECT_EQ(first, server.mail());
}

TEST_F(EmailTest, MailsOfAGroupAreAThread) {
  MailServer server({});
  const auto thread_of = [&](const std::string& by_date) {
    EXPECT_EQ(mail(server, std::string(kClear) + ", threading: {enabled: true, thread_by_date: " + by_date + "}").kind,
              Kind::delivered);
    const std::string mail = server.mail();
    const auto header = [&](const std::string& name) {
      const std::size_t at = mail.find("\r\n" + name + ": ") + name.size() + 4;
      return mail.substr(at, mail.find("\r\n", at) - at);
    };
    EXPECT_EQ(header("References"), header("In-Reply-To"));
    return header("References");
  };
  EXPECT_THAT(thread_of("daily"), ::testing::MatchesRegex("<alert-[0-9a-f]{16}-2026-11-23@[A-Za-z0-9.-]+>"));
  EXPECT_THAT(thread_of("none"), ::testing::MatchesRegex("<alert-[0-9a-f]{16}@[A-Za-z0-9.-]+>"));
}

TEST_F(EmailTest, EncryptsByStarttlsOrFromTheBeginning) {
  for (const bool implicit : {false, true}) {
    Manners manners;
    manners.starttls = !implicit;
    manners.implicit_tls = implicit;
    MailServer server(manners);
    const std::string trust = std::string(", force_implicit_tls: ") + (implicit ? "true" : "false") +
                              ", tls_config: {ca_file: '" + server.authority() + "'}";
    EXPECT_EQ(mail(server, trust).kind, Kind::delivered);
    EXPECT_THAT(server.mail(), HasSubstr("Subject:"));
    const DeliveryOutcome distrusted =
        mail(server, std::string(", force_implicit_tls: ") + (implicit ? "true" : "false"));
    EXPECT_EQ(distrusted.kind, Kind::failed);
    EXPECT_THAT(distrusted.reason, HasSubstr("tls: failed to verify certificate"));
    EXPECT_EQ(mail(server, std::string(", tls_config: {insecure_skip_verify: true}, force_implicit_tls: ") +
                               (implicit ? "true" : "false"))
                  .kind,
              Kind::delivered);
  }
}

TEST_F(EmailTest, SendsNothingInTheClearWhereTlsIsRequired) {
  MailServer server({});
  const DeliveryOutcome outcome = mail(server);
  EXPECT_EQ(outcome.kind, Kind::failed);
  EXPECT_THAT(outcome.reason, HasSubstr("does not advertise the STARTTLS extension"));
  EXPECT_THAT(server.commands(), ElementsAre("EHLO localhost"));
}

TEST_F(EmailTest, LogsInAsTheServerWantsIt) {
  for (const char* mechanism : {"PLAIN", "LOGIN", "CRAM-MD5", "XOAUTH2 LOGIN PLAIN"}) {
    Manners manners;
    manners.auth = mechanism;
    MailServer server(manners);
    const std::string login =
        std::string(kClear) +
        ", auth_username: tim, auth_password: tanstaaftanstaaf, auth_secret: " + "tanstaaftanstaaf";
    const DeliveryOutcome outcome = mail(server, login);
    EXPECT_EQ(outcome.kind, Kind::delivered) << mechanism << ": " << outcome.reason;
    EXPECT_THAT(outcome.conversation, HasSubstr("<secret>"));
    EXPECT_THAT(outcome.conversation, Not(HasSubstr("dGFuc3RhYWZ0YW5zdGFhZg")));
  }
}

TEST_F(EmailTest, ShowsNoPasswordThatIsRefused) {
  Manners plain;
  plain.auth = "PLAIN";
  MailServer repeats(plain);
  const DeliveryOutcome said = mail(repeats, std::string(kClear) + ", auth_username: tim, auth_password: geheimnis");
  EXPECT_THAT(said.reason, HasSubstr("535 no: AUTH PLAIN <secret>"));
  EXPECT_THAT(said.reason + said.conversation, Not(HasSubstr("AHRpbQBnZWhlaW1uaXM")));
  Manners manners;
  manners.auth = "LOGIN";
  MailServer server(manners);
  const DeliveryOutcome outcome = mail(server, std::string(kClear) + ", auth_username: tim, auth_password: geheimnis");
  EXPECT_EQ(outcome.kind, Kind::refused);
  EXPECT_THAT(outcome.reason, HasSubstr("the login: 535 no"));
  EXPECT_THAT(outcome.reason + outcome.conversation, Not(HasSubstr("geheimnis")));
  EXPECT_THAT(outcome.reason + outcome.conversation, Not(HasSubstr("Z2VoZWltbmlz")));
}

struct Trouble {
  Manners manners;
  Kind kind;
  const char* reason;
};

TEST_F(EmailTest, TellsWhatMayGoWellLaterFromWhatWillNot) {
  std::vector<Trouble> cases(8);
  cases[0] = {{}, Kind::failed, "the greeting: 421 busy"};
  cases[0].manners.greeting = "421 busy";
  cases[1] = {{}, Kind::refused, "the greeting: 554 go away"};
  cases[1].manners.greeting = "554 go away";
  cases[2] = {{}, Kind::failed, "RCPT TO: 451 greylisted"};
  cases[2].manners.to_recipients["bob@site"] = "451 greylisted";
  cases[3] = {{}, Kind::refused, "ann@site: 550 who?; bob@site: 550 who?"};
  cases[3].manners.to_recipients = {{"ann@site", "550 who?"}, {"bob@site", "550 who?"}};
  cases[4] = {{}, Kind::failed, "delivery: 452 full"};
  cases[4].manners.to_data = "452 full";
  cases[5] = {{}, Kind::refused, "delivery: 554 spam"};
  cases[5].manners.to_data = "554 spam";
  cases[6] = {{}, Kind::failed, "in MAIL"};
  cases[6].manners.close_at = "MAIL";
  cases[7] = {{}, Kind::failed, "the server does not speak SMTP: SSH-2.0"};
  cases[7].manners.greeting = "SSH-2.0";
  for (const Trouble& each : cases) {
    MailServer server(each.manners);
    const DeliveryOutcome outcome = mail(server, kClear);
    EXPECT_EQ(outcome.kind, each.kind) << each.reason << ": " << outcome.reason;
    EXPECT_THAT(outcome.reason, HasSubstr(each.reason));
  }
}

TEST_F(EmailTest, OneWrongRecipientDoesNotKeepItFromTheOthers) {
  Manners manners;
  manners.to_recipients["ann@site"] = "550 who?";
  MailServer server(manners);
  const DeliveryOutcome outcome = mail(server, kClear);
  EXPECT_EQ(outcome.kind, Kind::delivered);
  EXPECT_EQ(outcome.reason, "ann@site: 550 who?");
  EXPECT_THAT(server.mail(), HasSubstr("Subject:"));
}

TEST_F(EmailTest, SpeaksToOldServers) {
  Manners manners;
  manners.only_helo = true;
  MailServer server(manners);
  EXPECT_EQ(mail(server, kClear).kind, Kind::delivered);
}

TEST_F(EmailTest, CanBeCancelledAtAnyTime) {
  Manners manners;
  manners.greeting = "hang";
  MailServer server(manners);
  auto receiver =
      read_receiver("name: m\nemail_configs: [{to: a@b, from: c@d, smarthost: '" + server.address() + "'}]");
  ASSERT_TRUE(receiver.ok());
  auto integrations = make_integrations(*receiver, context());
  for (int runs = 0; runs < 5; ++runs) {
    integrations[0]->notify(std::make_shared<const Notification>(test_notification()),
                            [](DeliveryOutcome) { FAIL() << "it was cancelled"; });
    io_.restart();
    for (int i = 0; i < runs; ++i) io_.run_one_for(std::chrono::milliseconds(20));
    integrations[0]->cancel();
    io_.restart();
    io_.run_for(std::chrono::milliseconds(5));
  }
}

TEST_F(EmailTest, SaysWhatASilentServerWasWaitedFor) {
  const PageServer silent(PageServer::RawScript([](int fd) {
    char byte = 0;
    (void)::recv(fd, &byte, 1, 0);
  }));
  const std::string address = silent.address();
  SmtpMail mail;
  mail.host = address.substr(0, address.rfind(':'));
  mail.port = static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1)));
  DeliveryOutcome outcome;
  bool done = false;
  const auto delivery = send_mail(io_, client_, std::move(mail), 300, [&](DeliveryOutcome how) {
    outcome = std::move(how);
    done = true;
  });
  while (!done && io_.run_one_for(std::chrono::seconds(20)) > 0) {
  }
  EXPECT_EQ(outcome.kind, Kind::failed);
  EXPECT_EQ(outcome.reason, "it took too long; last was: waiting for the greeting");
  EXPECT_THAT(outcome.conversation, HasSubstr("* connected\n"));
}

TEST_F(EmailTest, RefusesAddressesThatAreNone) {
  Notification notification = test_notification();
  const DeliveryOutcome outcome =
      tell("name: m\nemail_configs: [{to: '{{ .CommonLabels.severity }}', from: c@d, smarthost: '127.0.0.1:1'}]", "",
           notification);
  EXPECT_EQ(outcome.kind, Kind::refused);
  EXPECT_THAT(outcome.reason, HasSubstr("parse 'to' addresses: \"page\" is not an address"));
}

// ---- the message ---------------------------------------------------------------------------------------------------
TEST(EmailMessageTest, HeadersHaveNoWayOut) {
  MailMessage message;
  message.id = "pipit-1@host";
  message.headers = {{"Subject", "a\r\nBcc: evil@site\r\n\r\nbody"}, {"X-Long", std::string(2000, 'x')}};
  message.text = "hi";
  const std::string mail = format_mail(message);
  EXPECT_THAT(mail, HasSubstr("Subject: a Bcc: evil@site body\r\n"));
  EXPECT_EQ(mail.find("\r\nBcc"), std::string::npos);
  for (std::size_t begin = 0; begin < mail.size();) {
    const std::size_t end = mail.find("\r\n", begin);
    ASSERT_NE(end, std::string::npos);
    EXPECT_LE(end - begin, 998u);
    begin = end + 2;
  }
}

TEST(EmailMessageTest, EncodesWhatIsNotAscii) {
  MailMessage message;
  message.id = "pipit-1@host";
  message.headers = {{"Subject", "Störung: größer"}, {"To", "Jörg <j@site>, \"A, B\" <ab@site>"}};
  message.html = "<p>ü = x \n.</p>";
  const std::string mail = format_mail(message);
  EXPECT_THAT(mail, HasSubstr("Subject: =?UTF-8?Q?St=C3=B6rung=3A_gr=C3=B6=C3=9Fer?=\r\n"));
  EXPECT_THAT(mail, HasSubstr("To: =?UTF-8?Q?J=C3=B6rg?= <j@site>,\r\n \"A, B\" <ab@site>\r\n"));
  EXPECT_THAT(mail, HasSubstr("<p>=C3=BC =3D x=20\r\n.</p>\r\n"));
}

TEST(EmailMessageTest, ReadersDecodeNothingThatAnAlertSays) {
  MailMessage message;
  message.id = "pipit-1@host";
  message.headers = {{"Subject", "a =?UTF-8?Q?b?="}, {"To", "\"=?UTF-8?Q?b?=\" <j@site>"}};
  const std::string mail = format_mail(message);
  EXPECT_THAT(mail, HasSubstr("Subject: =?UTF-8?Q?a_=3D=3FUTF=2D8=3FQ=3Fb=3F=3D?=\r\n"));
  EXPECT_THAT(mail, HasSubstr("To: =?UTF-8?Q?=3D=3FUTF=2D8=3FQ=3Fb=3F=3D?= <j@site>\r\n"));
}

TEST(EmailMessageTest, QuotedPrintableLinesAreShort) {
  const std::string out = quoted_printable(std::string(200, 'a') + "\nb \n");
  EXPECT_EQ(out,
            std::string(75, 'a') + "=\r\n" + std::string(75, 'a') + "=\r\n" + std::string(50, 'a') + "\r\nb=20\r\n");
}

TEST(EmailMessageTest, AddressesOfAllKinds) {
  const auto addresses = parse_addresses(R"(a@b, "Doe, Jane \"J\"" <jane@x.org>,Bob B <b@c> ,)");
  ASSERT_TRUE(addresses.ok()) << addresses.error().message;
  ASSERT_EQ(addresses->size(), 3u);
  EXPECT_EQ((*addresses)[1].name, "Doe, Jane \"J\"");
  EXPECT_EQ((*addresses)[1].address, "jane@x.org");
  for (const char* wrong :
       {"", "x", "@b", "a@", "a b@c", "<a@b", "a@b>", "a@b\r\nRCPT TO:<c@d>", "a@b<c@d>e", "a@\xc3\xa4"}) {
    EXPECT_FALSE(parse_addresses(wrong).ok()) << wrong;
  }
}

}  // namespace
}  // namespace pipit
