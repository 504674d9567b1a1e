#include "api/tls_server.h"

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <string_view>

namespace pipit {
namespace {

using ClientAuth = TlsServerConfig::ClientAuth;

template <auto Function>
struct Free {
  template <class T>
  void operator()(T* object) const {
    Function(object);
  }
};
using BioPtr = std::unique_ptr<BIO, Free<BIO_free_all>>;
using X509Ptr = std::unique_ptr<X509, Free<X509_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;

Error tls_error(const std::string& what) {
  const unsigned long code = ERR_get_error();
  const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  ERR_clear_error();
  return bad_data(what + (reason == nullptr ? "" : std::string(": ") + reason));
}

BioPtr open_text(const std::string& text) {
  return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

/// Else OpenSSL would ask the terminal.
int no_passphrase(char*, int, int, void*) { return 0; }

// ---- a socket as OpenSSL's BIO: its own raises SIGPIPE ---------------------------------------------------------

int fd_of(BIO* bio) { return static_cast<int>(reinterpret_cast<std::intptr_t>(BIO_get_data(bio))); }

int finish(BIO* bio, ssize_t n, int retry) {
  BIO_clear_retry_flags(bio);
  if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) BIO_set_flags(bio, retry);
  return static_cast<int>(n);
}

int write_bio(BIO* bio, const char* data, int size) {
  return finish(bio, send(fd_of(bio), data, static_cast<std::size_t>(size), MSG_NOSIGNAL),
                BIO_FLAGS_WRITE | BIO_FLAGS_SHOULD_RETRY);
}

int read_bio(BIO* bio, char* data, int size) {
  return finish(bio, recv(fd_of(bio), data, static_cast<std::size_t>(size), 0),
                BIO_FLAGS_READ | BIO_FLAGS_SHOULD_RETRY);
}

long control_bio(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

BIO_METHOD* socket_method() {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket");
    if (made == nullptr) return made;
    BIO_meth_set_write(made, write_bio);
    BIO_meth_set_read(made, read_bio);
    BIO_meth_set_ctrl(made, control_bio);
    return made;
  }();
  return method;
}

// ---- clients' certificates -------------------------------------------------------------------------------------

/// In Go's spelling: dotted IPv4, shortened IPv6.
std::string address_text(const ASN1_OCTET_STRING* address) {
  char text[INET6_ADDRSTRLEN] = "";
  const int size = ASN1_STRING_length(address);
  if (size == 4 || size == 16)
    inet_ntop(size == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(address), text, sizeof text);
  return text;
}

/// Whether one of the certificate's alternative names is allowed.
bool has_allowed_name(X509* certificate, const std::vector<std::string>& allowed) {
  std::unique_ptr<GENERAL_NAMES, Free<GENERAL_NAMES_free>> names(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    std::string text;
    if (name->type == GEN_IPADD) {
      text = address_text(name->d.iPAddress);
    } else if (name->type == GEN_DNS || name->type == GEN_EMAIL || name->type == GEN_URI) {
      const ASN1_IA5STRING* value = name->d.ia5;
      text.assign(reinterpret_cast<const char*>(ASN1_STRING_get0_data(value)),
                  static_cast<std::size_t>(ASN1_STRING_length(value)));
    }
    if (!text.empty() && std::find(allowed.begin(), allowed.end(), text) != allowed.end()) return true;
  }
  return false;
}

/// What a context's verification needs to know; freed with the context.
struct ClientRules {
  bool any_authority;  ///< a certificate that cannot be verified will do
  std::vector<std::string> allowed_names;
};

void free_rules(void*, void* rules, CRYPTO_EX_DATA*, int, long, void*) { delete static_cast<ClientRules*>(rules); }

int rules_index() {
  static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, free_rules);
  return index;
}

int verify_client(int verified, X509_STORE_CTX* store) {
  auto* ssl = static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
  const auto* rules = static_cast<const ClientRules*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), rules_index()));
  if (verified == 0 && !rules->any_authority) return 0;
  if (X509_STORE_CTX_get_error_depth(store) == 0 && !rules->allowed_names.empty() &&
      !has_allowed_name(X509_STORE_CTX_get_current_cert(store), rules->allowed_names)) {
    X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
    return 0;
  }
  return 1;
}

// ---- setting up ------------------------------------------------------------------------------------------------

Status use_certificate(SSL_CTX* context, const TlsServerConfig& config) {
  const BioPtr certificates = open_text(config.certificate);
  const X509Ptr own(PEM_read_bio_X509_AUX(certificates.get(), nullptr, no_passphrase, nullptr));
  if (!own) return tls_error("cert_file holds no PEM certificate");
  if (SSL_CTX_use_certificate(context, own.get()) != 1) return tls_error("the certificate is not usable");
  while (X509Ptr next{PEM_read_bio_X509(certificates.get(), nullptr, no_passphrase, nullptr)}) {
    if (SSL_CTX_add0_chain_cert(context, next.get()) != 1) return tls_error("the certificate's chain is not usable");
    [[maybe_unused]] X509* const taken = next.release();
  }
  ERR_clear_error();  // the chain's end is one
  const KeyPtr key(PEM_read_bio_PrivateKey(open_text(config.key).get(), nullptr, no_passphrase, nullptr));
  if (!key) return tls_error("key_file holds no PEM key without a passphrase");
  if (SSL_CTX_use_PrivateKey(context, key.get()) != 1 || SSL_CTX_check_private_key(context) != 1) {
    return tls_error("the key does not belong to the certificate");
  }
  return {};
}

Status use_client_authorities(SSL_CTX* context, const TlsServerConfig& config) {
  if (config.client_ca.empty()) return {};
  const BioPtr certificates = open_text(config.client_ca);
  std::size_t count = 0;
  while (const X509Ptr authority{PEM_read_bio_X509(certificates.get(), nullptr, no_passphrase, nullptr)}) {
    ++count;
    if (X509_STORE_add_cert(SSL_CTX_get_cert_store(context), authority.get()) != 1 ||
        SSL_CTX_add_client_CA(context, authority.get()) != 1) {
      return tls_error("an authority of client_ca_file is not usable");
    }
  }
  if (count == 0) return tls_error("client_ca_file holds no PEM certificate");
  ERR_clear_error();
  return {};
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ":") + word;
  return text;
}

/// Clients of HTTP/2 offer HTTP/1.1 too.
int choose_protocol(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* offered,
                    unsigned size, void*) {
  static constexpr unsigned char kHttp11[] = "\x08http/1.1";
  const int found =
      SSL_select_next_proto(const_cast<unsigned char**>(out), out_size, kHttp11, sizeof kHttp11 - 1, offered, size);
  return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

Status set_up(SSL_CTX* context, const TlsServerConfig& config) {
  SSL_CTX_set_mode(context,
                   SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  if (config.prefer_server_cipher_suites) SSL_CTX_set_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE);
  // Tickets resume sessions without memory here.
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  static constexpr unsigned char kSessions[] = "pipit";
  SSL_CTX_set_session_id_context(context, kSessions, sizeof kSessions - 1);
  SSL_CTX_set_alpn_select_cb(context, choose_protocol, nullptr);
  if (SSL_CTX_set_min_proto_version(context, config.min_version) != 1 ||
      SSL_CTX_set_max_proto_version(context, config.max_version) != 1) {
    return tls_error("the TLS versions are not usable");
  }
  if (!config.cipher_suites.empty() && SSL_CTX_set_cipher_list(context, joined(config.cipher_suites).c_str()) != 1) {
    return tls_error("cipher_suites is not usable");
  }
  if (!config.curve_preferences.empty() &&
      SSL_CTX_set1_groups_list(context, joined(config.curve_preferences).c_str()) != 1) {
    return tls_error("curve_preferences is not usable");
  }

  const bool required =
      config.client_auth == ClientAuth::require_any || config.client_auth == ClientAuth::require_and_verify;
  const bool any = config.client_auth == ClientAuth::request || config.client_auth == ClientAuth::require_any;
  if (config.client_auth != ClientAuth::none) {
    SSL_CTX_set_ex_data(context, rules_index(), new ClientRules{any, config.client_allowed_sans});
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | (required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), verify_client);
  }
  return {};
}

}  // namespace

void FreeSsl::operator()(ssl_st* ssl) const { SSL_free(ssl); }

void TlsServerContext::FreeContext::operator()(ssl_ctx_st* context) const { SSL_CTX_free(context); }

Result<std::shared_ptr<const TlsServerContext>> TlsServerContext::make(const TlsServerConfig& config) {
  ERR_clear_error();
  std::shared_ptr<TlsServerContext> made(new TlsServerContext);
  made->context_.reset(SSL_CTX_new(TLS_server_method()));
  SSL_CTX* context = made->context_.get();
  if (context == nullptr) return tls_error("OpenSSL could not be initialised");
  if (Status status = set_up(context, config); !status.ok()) return status.error();
  if (Status status = use_certificate(context, config); !status.ok()) return status.error();
  if (Status status = use_client_authorities(context, config); !status.ok()) return status.error();
  return std::shared_ptr<const TlsServerContext>(std::move(made));
}

SslPtr TlsServerContext::accept(int socket) const {
  SslPtr ssl(SSL_new(context_.get()));
  BIO* bio = ssl && socket_method() != nullptr ? BIO_new(socket_method()) : nullptr;
  if (bio == nullptr) return nullptr;
  BIO_set_data(bio, reinterpret_cast<void*>(static_cast<std::intptr_t>(socket)));  // NOLINT(performance-no-int-to-ptr)
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl.get(), bio, bio);
  SSL_set_accept_state(ssl.get());
  return ssl;
}

}  // namespace pipit
