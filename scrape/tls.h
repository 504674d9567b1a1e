#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>

#include "config/http_client_config.h"
#include "model/result.h"
#include "scrape/secret_file.h"

namespace pipit {

/// One TLS connection over a non-blocking socket that somebody else owns.
class TlsSession {
 public:
  enum class Progress { done, want_read, want_write, closed, failed };

  /// Takes ownership.
  explicit TlsSession(SSL* ssl) : ssl_(ssl) {}

  Progress handshake();
  /// `size` is how much there is room for or to write, and becomes how much was moved.
  Progress read(char* data, std::size_t& size);
  Progress write(const char* data, std::size_t& size);
  /// Whether bytes are ready that came with earlier ones.
  bool pending() const { return SSL_pending(ssl_.get()) > 0; }
  /// Why the last call said `failed`.
  std::string failure() const;

 private:
  Progress progress_of(int result) const;

  struct Free {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
  };
  std::unique_ptr<SSL, Free> ssl_;
};

/// What the TLS connections of targets with the same `tls_config` share: authorities and certificates. Files are read
/// again when they have changed. Not thread-safe.
class TlsContext {
 public:
  explicit TlsContext(TlsConfig config = {});

  /// A client session that checks the server's certificate for `host`, a name or an address, or for the configured
  /// server name. Errors: unavailable when a file can't be read or used, internal when OpenSSL can't be set up.
  Result<std::unique_ptr<TlsSession>> connect(int socket, const std::string& host);

  /// Reads what the configuration names, as the first connection would.
  Status load();

 private:
  Status add_authorities(SSL_CTX& context);
  Status add_certificate(SSL_CTX& context);

  TlsConfig config_;
  Secret authorities_;
  Secret certificate_;
  Secret key_;
  struct Free {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  };
  std::unique_ptr<SSL_CTX, Free> context_;  ///< made for the first session, as the authorities cost memory
};

}  // namespace pipit
