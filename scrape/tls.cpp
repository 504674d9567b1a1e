#include "scrape/tls.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

namespace pipit {
namespace {

bool is_address(const std::string& host) {
  unsigned char out[sizeof(in6_addr)];
  return inet_pton(AF_INET, host.c_str(), out) == 1 || inet_pton(AF_INET6, host.c_str(), out) == 1;
}

struct FreePem {
  void operator()(BIO* bio) const { BIO_free(bio); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
using Bio = std::unique_ptr<BIO, FreePem>;
using Certificate = std::unique_ptr<X509, FreePem>;
using PrivateKey = std::unique_ptr<EVP_PKEY, FreePem>;

Bio open_pem(const std::string& pem) { return Bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()))); }

int no_password(char*, int, int, void*) { return -1; }

Status unusable(const std::string& what, const SecretSource& source) {
  return Error{ErrorKind::unavailable,
               "tls: unable to use specified " + what + (source.file.empty() ? "" : " " + source.file)};
}

int openssl_version(TlsVersion version, int unset) {
  switch (version) {
    case TlsVersion::tls10:
      return TLS1_VERSION;
    case TlsVersion::tls11:
      return TLS1_1_VERSION;
    case TlsVersion::tls12:
      return TLS1_2_VERSION;
    case TlsVersion::tls13:
      return TLS1_3_VERSION;
    case TlsVersion::unset:
      break;
  }
  return unset;
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
  const bool verified = (SSL_get_verify_mode(ssl_.get()) & SSL_VERIFY_PEER) != 0;
  if (long verdict = SSL_get_verify_result(ssl_.get()); verified && verdict != X509_V_OK) {
    return std::string("tls: failed to verify certificate: ") + X509_verify_cert_error_string(verdict);
  }
  const unsigned long code = ERR_peek_last_error();
  if (code == 0) return "tls: connection closed unexpectedly";
  const char* reason = ERR_reason_error_string(code);
  return std::string("tls: ") + (reason != nullptr ? reason : "handshake failed");
}

TlsContext::TlsContext(TlsConfig config)
    : config_(std::move(config)), authorities_(config_.ca), certificate_(config_.certificate), key_(config_.key) {}

Status TlsContext::add_authorities(SSL_CTX& context) {
  if (config_.ca.empty()) {
    if (SSL_CTX_set_default_verify_paths(&context) == 1) return {};
    return internal_error("tls: the system's certificate authorities could not be read");
  }
  const auto pem = authorities_.read();
  if (!pem.ok()) return pem.error();
  const Bio bio = open_pem(**pem);
  int added = 0;
  while (bio) {
    const Certificate certificate(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
    if (!certificate) break;
    if (X509_STORE_add_cert(SSL_CTX_get_cert_store(&context), certificate.get()) == 1) ++added;
  }
  ERR_clear_error();
  return added > 0 ? Status() : unusable("CA certificate", config_.ca);
}

Status TlsContext::add_certificate(SSL_CTX& context) {
  if (config_.certificate.empty()) return {};
  const auto pem = certificate_.read();
  if (!pem.ok()) return pem.error();
  const Bio bio = open_pem(**pem);
  const Certificate own(bio ? PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr) : nullptr);
  if (!own || SSL_CTX_use_certificate(&context, own.get()) != 1) {
    return unusable("client certificate", config_.certificate);
  }
  while (X509* issuer = PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)) {
    if (SSL_CTX_add0_chain_cert(&context, issuer) != 1) X509_free(issuer);
  }
  ERR_clear_error();
  const auto key_pem = key_.read();
  if (!key_pem.ok()) return key_pem.error();
  const Bio key_bio = open_pem(**key_pem);
  // Without a password callback OpenSSL would ask the terminal for one.
  const PrivateKey key(key_bio ? PEM_read_bio_PrivateKey(key_bio.get(), nullptr, no_password, nullptr) : nullptr);
  if (!key || SSL_CTX_use_PrivateKey(&context, key.get()) != 1) return unusable("client key", config_.key);
  if (SSL_CTX_check_private_key(&context) != 1) {
    return Error{ErrorKind::unavailable, "tls: the client key does not belong to the client certificate"};
  }
  return {};
}

Status TlsContext::load() {
  if (context_ && !authorities_.changed() && !certificate_.changed() && !key_.changed()) return {};
  context_.reset();
  std::unique_ptr<SSL_CTX, Free> context(SSL_CTX_new(TLS_client_method()));
  if (!context) return internal_error("tls: OpenSSL could not be initialised");
  SSL_CTX_set_min_proto_version(context.get(), openssl_version(config_.min_version, TLS1_2_VERSION));
  SSL_CTX_set_max_proto_version(context.get(), openssl_version(config_.max_version, 0));
  const bool old_versions = config_.min_version == TlsVersion::tls10 || config_.min_version == TlsVersion::tls11;
  // OpenSSL's own level forbids what was asked for by name.
  if (old_versions) SSL_CTX_set_security_level(context.get(), 0);
  SSL_CTX_set_mode(context.get(),
                   SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_verify(context.get(), config_.insecure_skip_verify ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, nullptr);
  if (Status added = add_authorities(*context); !added) return added;
  if (Status added = add_certificate(*context); !added) return added;
  context_ = std::move(context);
  return {};
}

Result<std::unique_ptr<TlsSession>> TlsContext::connect(int socket, const std::string& host) {
  if (Status loaded = load(); !loaded) return loaded.error();
  SSL* ssl = SSL_new(context_.get());
  if (ssl == nullptr) return internal_error("tls: no memory for a session");
  auto session = std::make_unique<TlsSession>(ssl);
  const std::string& name = config_.server_name.empty() ? host : config_.server_name;
  bool ready = SSL_set_fd(ssl, socket) == 1;
  if (is_address(name)) {
    ready = ready && X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name.c_str()) == 1;
  } else {
    ready = ready && SSL_set1_host(ssl, name.c_str()) == 1;
    // The macro SSL_set_tlsext_host_name has an old-style cast to void*.
    ready = ready && SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                              const_cast<char*>(name.c_str())) == 1;
  }
  if (!ready) return internal_error("tls: the session for " + name + " could not be set up");
  return session;
}

}  // namespace pipit
