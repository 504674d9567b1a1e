#include "scrape/tls.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

namespace pipit {
namespace {

bool is_address(const std::string& host) {
  unsigned char out[sizeof(in6_addr)];
  return inet_pton(AF_INET, host.c_str(), out) == 1 || inet_pton(AF_INET6, host.c_str(), out) == 1;
}

}  // namespace

TlsSession::Progress TlsSession::progress_of(int result) const {
  if (result > 0) return Progress::done;
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_READ:
      return Progress::want_read;
    case SSL_ERROR_WANT_WRITE:
      return Progress::want_write;
    case SSL_ERROR_ZERO_RETURN:
      return Progress::closed;
    default:
      return Progress::failed;
  }
}

TlsSession::Progress TlsSession::handshake() {
  ERR_clear_error();
  return progress_of(SSL_connect(ssl_.get()));
}

TlsSession::Progress TlsSession::read(char* data, std::size_t& size) {
  ERR_clear_error();
  return progress_of(SSL_read_ex(ssl_.get(), data, size, &size));
}

TlsSession::Progress TlsSession::write(const char* data, std::size_t& size) {
  ERR_clear_error();
  return progress_of(SSL_write_ex(ssl_.get(), data, size, &size));
}

std::string TlsSession::failure() const {
  if (long verdict = SSL_get_verify_result(ssl_.get()); verdict != X509_V_OK) {
    return std::string("tls: failed to verify certificate: ") + X509_verify_cert_error_string(verdict);
  }
  const unsigned long code = ERR_peek_last_error();
  if (code == 0) return "tls: connection closed unexpectedly";
  const char* reason = ERR_reason_error_string(code);
  return std::string("tls: ") + (reason != nullptr ? reason : "handshake failed");
}

Result<std::unique_ptr<TlsSession>> TlsContext::connect(int socket, const std::string& host) {
  if (!context_) {
    context_.reset(SSL_CTX_new(TLS_client_method()));
    if (!context_) return internal_error("tls: OpenSSL could not be initialised");
    SSL_CTX_set_min_proto_version(context_.get(), TLS1_2_VERSION);
    SSL_CTX_set_mode(context_.get(),
                     SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER, nullptr);
    if (SSL_CTX_set_default_verify_paths(context_.get()) != 1) {
      context_.reset();
      return internal_error("tls: the system's certificate authorities could not be read");
    }
  }
  SSL* ssl = SSL_new(context_.get());
  if (ssl == nullptr) return internal_error("tls: no memory for a session");
  auto session = std::make_unique<TlsSession>(ssl);
  bool ready = SSL_set_fd(ssl, socket) == 1;
  if (is_address(host)) {
    ready = ready && X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host.c_str()) == 1;
  } else {
    ready = ready && SSL_set1_host(ssl, host.c_str()) == 1;
    // The macro SSL_set_tlsext_host_name has an old-style cast to void*.
    ready = ready && SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                              const_cast<char*>(host.c_str())) == 1;
  }
  if (!ready) return internal_error("tls: the session for " + host + " could not be set up");
  return session;
}

}  // namespace pipit
