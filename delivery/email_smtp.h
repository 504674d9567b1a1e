#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "delivery/integration.h"

namespace pipit {

/// A mail and the way to its server.
struct SmtpMail {
  std::string host;
  std::uint16_t port = 25;
  bool implicit_tls = false;
  bool require_tls = true;  ///< by STARTTLS, unless TLS is there from the beginning
  TlsConfig tls;
  std::string hello;
  std::string username;  ///< "": no login
  std::string password;  ///< for PLAIN and LOGIN
  std::string secret;    ///< for CRAM-MD5
  std::string identity;
  std::string from;
  std::vector<std::string> recipients;
  std::string data;  ///< lines end with CRLF
};

/// Sends one mail by SMTP (RFC 5321), without a thread of its own: on that of the io_context.
class SmtpDelivery {
 public:
  virtual ~SmtpDelivery() = default;
  /// Ends it without calling `done`.
  virtual void cancel() = 0;
};

/// `done` is called once, later. 4xx and what happens to connections is "failed", 5xx "refused". Recipients that are
/// refused for good don't keep the mail from the others; the outcome's reason names them.
std::shared_ptr<SmtpDelivery> send_mail(boost::asio::io_context& io, HttpClient& client, SmtpMail mail,
                                        DurationMs timeout, std::function<void(DeliveryOutcome)> done);

}  // namespace pipit
