#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>

#include "tests/scrape/scrape_fixture.h"

namespace pipit {
namespace {

/// A certificate for 127.0.0.1 that signs itself, which the process trusts as if the system did.
class TlsTest : public ScrapeFixture {
 protected:
  static void SetUpTestSuite() {
    std::signal(SIGPIPE, SIG_IGN);  // of the test's server, whose OpenSSL writes to sockets plainly
    key_ = EVP_EC_gen("P-256");
    certificate_ = X509_new();
    X509_set_version(certificate_, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate_), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate_), -60);
    X509_gmtime_adj(X509_getm_notAfter(certificate_), 3600);
    X509_set_pubkey(certificate_, key_);
    X509_NAME* name = X509_get_subject_name(certificate_);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("test"), -1, -1, 0);
    X509_set_issuer_name(certificate_, name);
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, "IP:127.0.0.1");
    X509_add_ext(certificate_, extension, -1);
    X509_EXTENSION_free(extension);
    X509_sign(certificate_, key_, EVP_sha256());
    path_ = std::filesystem::temp_directory_path() / ("pipit_tls_test_" + std::to_string(getpid()) + ".pem");
    std::FILE* file = std::fopen(path_.c_str(), "w");
    PEM_write_X509(file, certificate_);
    std::fclose(file);
    setenv("SSL_CERT_FILE", path_.c_str(), 1);
  }

  static void TearDownTestSuite() {
    unsetenv("SSL_CERT_FILE");
    std::filesystem::remove(path_);
    X509_free(certificate_);
    EVP_PKEY_free(key_);
  }

  ~TlsTest() override { manager.reset(); }

  ScrapeConfig https_job(const std::string& address) const {
    auto config = job(address);
    config.scheme = "https";
    config.scrape_interval = config.scrape_timeout = 250;
    return config;
  }

  static std::string key_pem() {
    BIO* bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PrivateKey(bio, key_, nullptr, nullptr, 0, nullptr, nullptr);
    char* text = nullptr;
    const auto size = static_cast<std::size_t>(BIO_get_mem_data(bio, &text));
    std::string pem(text, size);
    BIO_free(bio);
    return pem;
  }

  static EVP_PKEY* key_;
  static X509* certificate_;
  static std::filesystem::path path_;
};

EVP_PKEY* TlsTest::key_ = nullptr;
X509* TlsTest::certificate_ = nullptr;
std::filesystem::path TlsTest::path_;

/// Answers every request on every connection with one large page, over TLS.
class TlsServer {
 public:
  TlsServer(EVP_PKEY* key, X509* certificate, std::string answer) : answer_(std::move(answer)) {
    context_ = SSL_CTX_new(TLS_server_method());
    SSL_CTX_use_certificate(context_, certificate);
    SSL_CTX_use_PrivateKey(context_, key);
  }
  ~TlsServer() { SSL_CTX_free(context_); }

  /// Takes only clients with a certificate that the one in `file` has signed.
  void ask_for_certificate(const std::string& file) {
    SSL_CTX_load_verify_locations(context_, file.c_str(), nullptr);
    SSL_CTX_set_verify(context_, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  }
  void at_least(int version) { SSL_CTX_set_min_proto_version(context_, version); }

  /// Serves one connection until the client leaves.
  void serve(int fd) {
    SSL* ssl = SSL_new(context_);
    SSL_set_fd(ssl, fd);
    if (SSL_accept(ssl) == 1) {
      char buffer[4096];
      std::string request;
      for (int got; (got = SSL_read(ssl, buffer, sizeof buffer)) > 0;) {
        request.append(buffer, static_cast<std::size_t>(got));
        if (!request.ends_with("\r\n\r\n")) continue;
        request.clear();
        SSL_write(ssl, answer_.data(), static_cast<int>(answer_.size()));
      }
    }
    SSL_free(ssl);
  }

 private:
  SSL_CTX* context_;
  std::string answer_;
};

TEST_F(TlsTest, ScrapesOverOneCheckedConnection) {
  std::string page;
  for (int i = 0; i < 5000; ++i) page += "metric_" + std::to_string(i) + " 1\n";
  TlsServer tls(key_, certificate_, PageServer::ok(page));
  PageServer server(PageServer::RawScript([&](int fd) { tls.serve(fd); }));
  apply({https_job(server.address())});
  ASSERT_TRUE(wait_for([&] { return count("metric_4999") >= 3; })) << first_error();
  EXPECT_EQ(server.connections(), 1);
  manager.reset();
}

TEST_F(TlsTest, RefusesACertificateForAnotherName) {
  TlsServer tls(key_, certificate_, PageServer::ok("a 1\n"));
  PageServer server(PageServer::RawScript([&](int fd) { tls.serve(fd); }));
  const std::string address = "localhost" + server.address().substr(server.address().find(':'));
  apply({https_job(address)});
  const std::string expected =
      "Get \"https://" + address + "/metrics\": tls: failed to verify certificate: hostname mismatch";
  EXPECT_EQ(error_after_waiting_for(expected), expected);
  manager.reset();
}

TEST_F(TlsTest, SaysThatTheServerSpeaksNoTls) {
  PageServer plain(PageServer::RawScript([&](int fd) {
    char byte;
    if (recv(fd, &byte, 1, 0) > 0) ::send(fd, "HTTP/1.1 400 Bad Request\r\n\r\n", 28, MSG_NOSIGNAL);
  }));
  apply({https_job(plain.address())});
  const std::string expected = "Get \"https://" + plain.address() + "/metrics\": tls: wrong version number";
  EXPECT_EQ(error_after_waiting_for(expected), expected);
  manager.reset();
}

TEST_F(TlsTest, AConfiguredServerNameIsCheckedInPlaceOfTheHost) {
  TlsServer tls(key_, certificate_, PageServer::ok("a 1\n"));
  PageServer server(PageServer::RawScript([&](int fd) { tls.serve(fd); }));
  auto config = https_job("localhost" + server.address().substr(server.address().find(':')));
  config.http_client.tls.server_name = "127.0.0.1";
  apply({config});
  EXPECT_TRUE(wait_for([&] { return count("a") >= 1; })) << first_error();
  manager.reset();
}

TEST_F(TlsTest, VerificationCanBeSkipped) {
  TlsServer tls(key_, certificate_, PageServer::ok("a 1\n"));
  PageServer server(PageServer::RawScript([&](int fd) { tls.serve(fd); }));
  auto config = https_job("localhost" + server.address().substr(server.address().find(':')));
  config.http_client.tls.insecure_skip_verify = true;
  apply({config});
  EXPECT_TRUE(wait_for([&] { return count("a") >= 1; })) << first_error();
  manager.reset();
}

TEST_F(TlsTest, TheAuthorityInAFileIsReadAgainWhenItChanges) {
  TlsServer tls(key_, certificate_, PageServer::ok("a 1\n", "Connection: close\r\n"));
  PageServer server(PageServer::RawScript([&](int fd) { tls.serve(fd); }));
  const auto file = path_.string() + ".ca";
  std::filesystem::remove(file);
  auto config = https_job(server.address());
  config.http_client.tls.ca.file = file;
  apply({config});
  const std::string expected =
      "Get \"https://" + server.address() + "/metrics\": unable to read file " + file + ": No such file or directory";
  EXPECT_EQ(error_after_waiting_for(expected), expected);
  std::filesystem::copy_file(path_, file);
  EXPECT_TRUE(wait_for([&] { return count("a") >= 1; })) << first_error();
  manager.reset();
  std::filesystem::remove(file);
}

TEST_F(TlsTest, AClientCertificateIsShownToServersThatAskForIt) {
  TlsServer tls(key_, certificate_, PageServer::ok("a 1\n"));
  tls.ask_for_certificate(path_.string());
  PageServer server(PageServer::RawScript([&](int fd) { tls.serve(fd); }));
  auto without = https_job(server.address());
  apply({without});
  EXPECT_NE(first_error().find("tls"), std::string::npos) << first_error();
  auto with = https_job(server.address());
  with.http_client.tls.certificate.file = path_.string();
  with.http_client.tls.key.text = key_pem();
  apply({with});
  EXPECT_TRUE(wait_for([&] { return count("a") >= 1; })) << first_error();
  manager.reset();
}

TEST_F(TlsTest, VersionsAreBounded) {
  TlsServer tls(key_, certificate_, PageServer::ok("a 1\n"));
  tls.at_least(TLS1_3_VERSION);
  PageServer server(PageServer::RawScript([&](int fd) { tls.serve(fd); }));
  auto config = https_job(server.address());
  config.http_client.tls.max_version = TlsVersion::tls12;
  apply({config});
  EXPECT_NE(first_error().find("protocol version"), std::string::npos) << first_error();
  config.http_client.tls.max_version = TlsVersion::tls13;
  apply({config});
  EXPECT_TRUE(wait_for([&] { return count("a") >= 1; })) << "other options are another connection";
  manager.reset();
}

}  // namespace
}  // namespace pipit
