// Which way to log in is chosen as by Alertmanager 0.28, notify/email.

#include "delivery/email_smtp.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cctype>

#include "delivery/text_limits.h"
#include "scrape/http_access.h"
#include "scrape/http_client.h"
#include "scrape/http_stream.h"

namespace pipit {
namespace {

using Progress = HttpStream::Progress;
using Kind = DeliveryOutcome::Kind;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kLongestReply = 64 << 10;
constexpr std::size_t kLongestConversation = 64 << 10;

std::string upper(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return out;
}

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  for (std::size_t begin = text.find_first_not_of(' '); begin < text.size();) {
    const std::size_t end = std::min(text.find(' ', begin), text.size());
    words.emplace_back(text.substr(begin, end - begin));
    begin = std::min(text.find_first_not_of(' ', end), text.size());
  }
  return words;
}

std::string from_base64(std::string_view text) {
  std::string out(text.size() / 4 * 3 + 3, '\0');
  const int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                   reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
  if (size < 0) return {};
  out.resize(static_cast<std::size_t>(size));
  for (std::size_t i = text.size(); i > 0 && text[i - 1] == '=' && !out.empty(); --i) out.pop_back();
  return out;
}

std::string hmac_md5(const std::string& key, const std::string& text) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  if (HMAC(EVP_md5(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(text.data()),
           text.size(), digest, &size) == nullptr) {
    return {};
  }
  std::string out;
  for (unsigned int i = 0; i < size; ++i)
    out += {"0123456789abcdef"[digest[i] >> 4], "0123456789abcdef"[digest[i] & 15]};
  return out;
}

/// A line that begins with a dot gets another one; the mail ends with a line that is a dot.
std::string stuffed(const std::string& data) {
  std::string out;
  out.reserve(data.size() + data.size() / 64 + 8);
  bool line_begins = true;
  for (const char c : data) {
    if (line_begins && c == '.') out += '.';
    out += c;
    line_begins = c == '\n';
  }
  return out + (line_begins ? ".\r\n" : "\r\n.\r\n");
}

struct Reply {
  int code = 0;
  std::vector<std::string> lines;  ///< without the code
  std::string text() const {
    std::string out = std::to_string(code);
    for (const std::string& line : lines) out += " " + line;
    return out;
  }
};

class Smtp final : public SmtpDelivery, public std::enable_shared_from_this<Smtp> {
 public:
  Smtp(boost::asio::io_context& io, HttpClient& client, SmtpMail mail, std::function<void(DeliveryOutcome)> done)
      : io_(io),
        stream_(client.stream()),
        deadline_(io),
        mail_(std::move(mail)),
        tls_(mail_.tls),
        done_(std::move(done)) {}

  void start(DurationMs timeout) {
    for (const std::string* secret : {&mail_.password, &mail_.secret}) {
      if (secret->size() > 1) secrets_.insert(secrets_.end(), {*secret, base64(*secret)});
    }
    const auto self = shared_from_this();
    deadline_.expires_after(std::chrono::milliseconds(timeout));
    deadline_.async_wait([self](const boost::system::error_code& ec) {
      if (!ec) self->finish(Kind::failed, "it took too long; last was: " + self->doing_);
    });
    doing_ = "connecting to " + mail_.host + ":" + std::to_string(mail_.port);
    note("* " + doing_);
    HttpRoute route;
    route.endpoint = {mail_.implicit_tls, mail_.host, mail_.port, {}};
    boost::asio::post(io_, [self, route] {
      if (!self->done_) return;
      self->stream_->open(route, self->tls_, self->deadline_.expiry(), [self](const Status& status) {
        if (!status.ok()) return self->finish(Kind::failed, status.error().message);
        self->doing_ = "waiting for the greeting";
        self->note("* connected");
        self->read([self](const Reply& reply) {
          if (self->expect(reply, 220, "the greeting")) self->hello();
        });
      });
    });
  }

  void cancel() override {
    done_ = nullptr;
    end();
  }

 private:
  using Then = std::function<void(const Reply&)>;

  // ---- the steps -------------------------------------------------------------------------------------------------
  void hello() {
    command("EHLO " + mail_.hello, [self = shared_from_this()](const Reply& reply) {
      if (reply.code / 100 == 2) {
        self->extensions_ = reply.lines;
        return self->greeted();
      }
      self->extensions_.clear();
      self->command("HELO " + self->mail_.hello, [self](const Reply& old) {
        if (self->expect(old, 250, "HELO")) self->greeted();
      });
    });
  }

  void greeted() {
    if (!mail_.require_tls || stream_->is_tls()) return log_in();
    if (extension("STARTTLS") == nullptr) {
      return finish(Kind::failed, "'require_tls' is true (default) but \"" + mail_.host +
                                      "\" does not advertise the STARTTLS extension");
    }
    command("STARTTLS", [self = shared_from_this()](const Reply& reply) {
      if (!self->expect(reply, 220, "STARTTLS")) return;
      // What comes before TLS could be anybody's, and would be taken for what comes inside.
      if (!self->unread_.empty()) return self->finish(Kind::failed, "the server says more before TLS has begun");
      self->doing_ = "the TLS handshake";
      self->stream_->begin_tls([self](const Status& status) {
        if (!status.ok()) return self->finish(Kind::failed, status.error().message);
        self->note("* TLS has begun");
        self->hello();
      });
    });
  }

  void log_in() {
    const std::string* mechanisms = extension("AUTH");
    if (mail_.username.empty() || mechanisms == nullptr) return begin_mail();
    std::string why = "unknown auth mechanism: " + limit_characters(*mechanisms, 200);
    for (const std::string& mechanism : words_of(upper(*mechanisms))) {
      if (mechanism == "CRAM-MD5" && !mail_.secret.empty()) return log_in_by_challenge();
      if (mechanism == "PLAIN" && !mail_.password.empty()) return log_in_plainly();
      if (mechanism == "LOGIN" && !mail_.password.empty()) return log_in_by_steps();
      if (mechanism == "CRAM-MD5") why = "missing secret for CRAM-MD5 auth mechanism";
      if (mechanism == "PLAIN" || mechanism == "LOGIN") why = "missing password for " + mechanism + " auth mechanism";
    }
    finish(Kind::refused, why);
  }

  Then logged_in() {
    return [self = shared_from_this()](const Reply& reply) {
      if (self->expect(reply, 235, "the login")) self->begin_mail();
    };
  }

  void log_in_plainly() {
    const bool local = mail_.host == "localhost" || mail_.host == "127.0.0.1" || mail_.host == "::1";
    if (!stream_->is_tls() && !local) return finish(Kind::refused, "PLAIN auth: unencrypted connection");
    const std::string credentials = mail_.identity + '\0' + mail_.username + '\0' + mail_.password;
    hidden("AUTH PLAIN ", base64(credentials), logged_in());
  }

  void log_in_by_steps() {
    command("AUTH LOGIN", [self = shared_from_this()](const Reply& reply) {
      if (!self->expect(reply, 334, "AUTH LOGIN")) return;
      self->hidden("", base64(self->mail_.username), [self](const Reply& next) {
        if (!self->expect(next, 334, "the user's name")) return;
        self->hidden("", base64(self->mail_.password), self->logged_in());
      });
    });
  }

  void log_in_by_challenge() {
    command("AUTH CRAM-MD5", [self = shared_from_this()](const Reply& reply) {
      if (!self->expect(reply, 334, "AUTH CRAM-MD5")) return;
      const std::string digest =
          hmac_md5(self->mail_.secret, from_base64(reply.lines.empty() ? "" : reply.lines.front()));
      if (digest.empty()) return self->finish(Kind::refused, "CRAM-MD5 auth: the system has no MD5");
      self->hidden("", base64(self->mail_.username + " " + digest), self->logged_in());
    });
  }

  void begin_mail() {
    command("MAIL FROM:<" + mail_.from + ">", [self = shared_from_this()](const Reply& reply) {
      if (self->expect(reply, 250, "MAIL FROM")) self->next_recipient(0);
    });
  }

  void next_recipient(std::size_t number) {
    if (number == mail_.recipients.size()) {
      if (accepted_ == 0) return finish(Kind::refused, refusals_);
      return begin_data();
    }
    const std::string& recipient = mail_.recipients[number];
    command("RCPT TO:<" + recipient + ">", [self = shared_from_this(), number, recipient](const Reply& reply) {
      if (reply.code / 100 == 2) {
        ++self->accepted_;
      } else if (reply.code / 100 == 5) {
        self->refusals_ += (self->refusals_.empty() ? "" : "; ") + recipient + ": " + reply.text();
      } else {
        // Who is put off gets it with the others, later: nobody gets it twice.
        return self->finish(Kind::failed, "RCPT TO: " + reply.text());
      }
      self->next_recipient(number + 1);
    });
  }

  void begin_data() {
    command("DATA", [self = shared_from_this()](const Reply& reply) {
      if (!self->expect(reply, 354, "DATA")) return;
      self->note("> (the mail, " + std::to_string(self->mail_.data.size()) + " bytes)");
      self->doing_ = "sending the mail";
      self->write(stuffed(self->mail_.data), [self](const Reply& taken) {
        if (!self->expect(taken, 250, "delivery")) return;
        // It is delivered; how the server says goodbye is of no interest.
        self->note("> QUIT");
        std::string goodbye = "QUIT\r\n";
        std::size_t size = goodbye.size();
        (void)self->stream_->write(goodbye.data(), size);
        self->finish(Kind::delivered, self->refusals_);
      });
    });
  }

  // ---- commands and replies --------------------------------------------------------------------------------------
  /// The words behind the extension's name; null: the server does not have it.
  const std::string* extension(std::string_view name) {
    for (std::size_t i = 1; i < extensions_.size(); ++i) {
      std::string& line = extensions_[i];
      const std::string known = upper(line);
      // Some old servers write AUTH=LOGIN.
      if (!known.starts_with(name) ||
          (known.size() > name.size() && known[name.size()] != ' ' && known[name.size()] != '=')) {
        continue;
      }
      words_ = line.substr(std::min(line.size(), name.size() + 1));
      return &words_;
    }
    return nullptr;
  }

  bool expect(const Reply& reply, int code, const std::string& step) {
    if (reply.code == code || (code == 250 && reply.code / 100 == 2)) return true;
    finish(reply.code / 100 == 5 ? Kind::refused : Kind::failed, step + ": " + reply.text());
    return false;
  }

  void command(const std::string& line, Then then) {
    note("> " + line);
    doing_ = line.substr(0, line.find(' '));
    write(line + "\r\n", std::move(then));
  }

  /// A command of which the end is a secret.
  void hidden(const std::string& begin, const std::string& secret, Then then) {
    if (secret.size() > 1) secrets_.push_back(secret);
    note("> " + begin + "<secret>");
    doing_ = "the login";
    write(begin + secret + "\r\n", std::move(then));
  }

  void write(std::string text, Then then) {
    unsent_ = std::move(text);
    then_ = std::move(then);
    write_more();
  }

  void write_more() {
    std::size_t sent = 0;
    while (sent < unsent_.size()) {
      std::size_t size = unsent_.size() - sent;
      const Progress progress = stream_->write(unsent_.data() + sent, size);
      if (progress == Progress::done) {
        sent += size;
        continue;
      }
      unsent_.erase(0, sent);
      if (progress == Progress::want_read || progress == Progress::want_write) {
        return wait(progress == Progress::want_read, &Smtp::write_more);
      }
      return finish(Kind::failed, "write: " + stream_->failure() + ", in " + doing_);
    }
    unsent_ = {};
    read_more();
  }

  void read(Then then) {
    then_ = std::move(then);
    read_more();
  }

  void read_more() {
    for (;;) {
      Reply reply;
      if (take_reply(reply)) {
        if (!done_) return;
        auto then = std::exchange(then_, nullptr);
        return then(reply);
      }
      if (!done_) return;
      char buffer[2048];
      std::size_t size = sizeof buffer;
      switch (stream_->read(buffer, size)) {
        case Progress::done:
          unread_.append(buffer, size);
          if (unread_.size() > kLongestReply) return finish(Kind::failed, "the server's reply has no end");
          break;
        case Progress::want_read:
          return wait(true, &Smtp::read_more);
        case Progress::want_write:
          return wait(false, &Smtp::read_more);
        case Progress::closed:
          return finish(Kind::failed, "the server closed the connection in " + doing_);
        case Progress::failed:
          return finish(Kind::failed, stream_->failure() + ", in " + doing_);
      }
    }
  }

  /// Takes a whole reply, `250-...` lines up to `250 ...`, off what was read. A line that is none ends the delivery.
  bool take_reply(Reply& reply) {
    std::size_t begin = 0;
    std::string lines;
    for (;;) {
      const std::size_t end = unread_.find('\n', begin);
      if (end == std::string::npos) return false;
      std::string_view line = std::string_view(unread_).substr(begin, end - begin);
      if (line.ends_with('\r')) line.remove_suffix(1);
      begin = end + 1;
      const std::string shown = limit_characters(without_secrets(std::string(line)), 512);
      const bool numbered =
          line.size() >= 3 && std::all_of(line.begin(), line.begin() + 3, [](char c) { return c >= '0' && c <= '9'; });
      if (!numbered || (line.size() > 3 && line[3] != ' ' && line[3] != '-')) {
        finish(Kind::failed, "the server does not speak SMTP: " + limit_characters(shown, 100));
        return false;
      }
      reply.code = (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
      reply.lines.emplace_back(line.substr(std::min<std::size_t>(line.size(), 4)));
      lines += (lines.empty() ? "< " : "\n< ") + shown;
      if (line.size() > 3 && line[3] == '-') continue;
      unread_.erase(0, begin);
      note(lines);
      return true;
    }
  }

  void wait(bool for_reading, void (Smtp::*then)()) {
    stream_->wait(for_reading, [self = shared_from_this(), then](const std::string& error) {
      if (!self->done_) return;
      error.empty() ? ((*self).*then)() : self->finish(Kind::failed, error + ", in " + self->doing_);
    });
  }

  // ---- the end ---------------------------------------------------------------------------------------------------
  void note(const std::string& line) {
    if (conversation_.size() < kLongestConversation) conversation_ += line + "\n";
  }

  /// Also when a server repeats what it was told.
  std::string without_secrets(std::string text) const {
    for (const std::string& secret : secrets_) {
      for (std::size_t at = text.find(secret); at != std::string::npos; at = text.find(secret, at + 8)) {
        text.replace(at, secret.size(), "<secret>");
      }
    }
    return text;
  }

  void finish(Kind kind, const std::string& reason) {
    auto done = std::exchange(done_, nullptr);
    if (!done) return;
    const auto keep = shared_from_this();
    if (!reason.empty()) note("* " + reason);
    end();
    done({kind, without_secrets(limit_characters(reason, 1024)), without_secrets(std::exchange(conversation_, {})),
          std::nullopt});
  }

  void end() {
    deadline_.cancel();
    stream_->close();
    then_ = nullptr;
  }

  boost::asio::io_context& io_;
  std::shared_ptr<HttpStream> stream_;
  boost::asio::steady_timer deadline_;
  SmtpMail mail_;
  TlsContext tls_;  ///< of this mail alone: authorities cost memory
  std::function<void(DeliveryOutcome)> done_;
  Then then_;
  std::string doing_;
  std::string unsent_;
  std::string unread_;
  std::vector<std::string> extensions_;
  std::string words_;
  std::size_t accepted_ = 0;
  std::string refusals_;
  std::vector<std::string> secrets_;  ///< that no message may show
  std::string conversation_;
};

}  // namespace

std::shared_ptr<SmtpDelivery> send_mail(boost::asio::io_context& io, HttpClient& client, SmtpMail mail,
                                        DurationMs timeout, std::function<void(DeliveryOutcome)> done) {
  auto smtp = std::make_shared<Smtp>(io, client, std::move(mail), std::move(done));
  smtp->start(timeout);
  return smtp;
}

}  // namespace pipit
