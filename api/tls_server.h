#pragma once

#include <memory>

#include "api/web_config.h"
#include "model/result.h"

// OpenSSL's types, whose header is large.
struct ssl_ctx_st;
struct ssl_st;

namespace pipit {

struct FreeSsl {
  void operator()(ssl_st* ssl) const;
};
using SslPtr = std::unique_ptr<ssl_st, FreeSsl>;

/// What the TLS connections of the server share: certificate, key and what is asked of clients. Thread-safe.
class TlsServerContext {
 public:
  /// Errors: bad_data with what is wrong with certificate, key or authorities.
  static Result<std::shared_ptr<const TlsServerContext>> make(const TlsServerConfig& config);

  /// The server's side of a connection over `socket`, null when there is no memory. It keeps what it needs of this.
  SslPtr accept(int socket) const;

 private:
  struct FreeContext {
    void operator()(ssl_ctx_st* context) const;
  };

  TlsServerContext() = default;

  std::unique_ptr<ssl_ctx_st, FreeContext> context_;
};

}  // namespace pipit
