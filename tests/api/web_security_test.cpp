#include "api/web_security.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <thread>

#include "api/server.h"
#include "query/engine.h"
#include "tests/api/certificates.h"
#include "tests/api/http_client.h"
#include "tests/storage/memory_store.h"

namespace pipit {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using Verdict = WebSecurity::Verdict;

// "secret" and "other", at bcrypt's least cost.
constexpr const char* kSecretHash = "$2y$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW";
constexpr const char* kAliceSecret = "Basic YWxpY2U6c2VjcmV0";
constexpr const char* kAliceWrong = "Basic YWxpY2U6d3Jvbmc=";
constexpr const char* kBobSecret = "Basic Ym9iOnNlY3JldA==";

/// A folder with certificates, and a server over an empty store that obeys the file web.yml in it.
class WebSecurityTest : public ::testing::Test {
 protected:
  WebSecurityTest() {
    std::signal(SIGPIPE, SIG_IGN);  // of the test's client
    folder_ = std::filesystem::temp_directory_path() / ("pipit_web_test_" + std::to_string(getpid()));
    std::filesystem::create_directory(folder_);
    authority_.write(folder_ / "ca.pem", folder_ / "ca.key");
    server_certificate_.write(folder_ / "server.pem", folder_ / "server.key");
    client_.write(folder_ / "client.pem", folder_ / "other.key");
  }
  ~WebSecurityTest() override {
    if (server_) server_->stop();
    std::filesystem::remove_all(folder_);
  }

  void write(const std::string& text) { std::ofstream(folder_ / "web.yml") << text; }

  void open(const std::string& text) {
    write(text);
    auto opened = WebSecurity::open(folder_ / "web.yml", metrics_);
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    security_ = std::move(*opened);
  }

  void serve(const std::string& text) {
    open(text);
    ServerOptions options;
    options.listen_addresses = {"127.0.0.1:0"};
    server_ = std::make_unique<Server>(options, ServerContext{.engine = engine_,
                                                              .source = store_,
                                                              .store = nullptr,
                                                              .scraping = nullptr,
                                                              .metrics = metrics_,
                                                              .config_text = nullptr,
                                                              .flags = {},
                                                              .reload = nullptr,
                                                              .quit = nullptr,
                                                              .security = security_.get()});
    ASSERT_TRUE(server_->start().ok());
    server_->set_ready();
    port_ = server_->ports().at(0);
  }

  /// The status over TLS, 0 when there is no connection.
  int fetch_encrypted(const TestCertificate* client = nullptr, int max_version = TLS1_3_VERSION) {
    const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context(SSL_CTX_new(TLS_client_method()), SSL_CTX_free);
    SSL_CTX_set_max_proto_version(context.get(), max_version);
    SSL_CTX_load_verify_file(context.get(), (folder_ / "ca.pem").c_str());
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
    if (client) {
      SSL_CTX_use_certificate(context.get(), client->certificate.get());
      SSL_CTX_use_PrivateKey(context.get(), client->key.get());
    }
    TestConnection connection(port_);
    timeval patience{10, 0};
    setsockopt(connection.fd(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    const std::unique_ptr<SSL, decltype(&SSL_free)> ssl(SSL_new(context.get()), SSL_free);
    SSL_set_fd(ssl.get(), connection.fd());
    int status = 0;
    if (SSL_connect(ssl.get()) == 1) {
      // Two requests on one connection, in pieces.
      for (const std::string_view piece : {"GET /-/heal", "thy HTTP/1.1\r\nHost: x\r\n\r\nGET /-/healthy HTTP/1.1\r\n",
                                           "Connection: close\r\nHost: x\r\n\r\n"}) {
        SSL_write(ssl.get(), piece.data(), static_cast<int>(piece.size()));
      }
      std::string answer;
      char buffer[4096];
      for (int n = 0; (n = SSL_read(ssl.get(), buffer, sizeof buffer)) > 0;) {
        answer.append(buffer, static_cast<std::size_t>(n));
      }
      if (answer.starts_with("HTTP/1.1 ") && answer.rfind("HTTP/1.1 ") > 0) status = std::stoi(answer.substr(9, 3));
    }
    ERR_clear_error();
    return status;
  }

  std::filesystem::path folder_;
  TestCertificate authority_ = TestCertificate::make("authority", "DNS:authority");
  TestCertificate server_certificate_ = TestCertificate::make("server", "IP:127.0.0.1", &authority_);
  TestCertificate client_ = TestCertificate::make("client", "DNS:client.example,IP:10.0.0.1", &authority_);
  MemoryStore store_;
  MetricsRegistry metrics_;
  Engine engine_{store_, EngineOptions(), metrics_};
  std::unique_ptr<WebSecurity> security_;
  std::unique_ptr<Server> server_;
  int port_ = 0;
};

TEST_F(WebSecurityTest, FilesAreReadOrRefusedAsTheTableSays) {
  std::ifstream table(PIPIT_SOURCE_DIR "/tests/api/data/web_configs.json");
  for (const json& c : json::parse(table)) {
    if (c.contains("about")) continue;
    SCOPED_TRACE(c["file"].get<std::string>());
    write(c["file"]);
    const auto opened = WebSecurity::open(folder_ / "web.yml", metrics_);
    ASSERT_EQ(opened.ok(), !c.contains("error")) << (opened.ok() ? "" : opened.error().message);
    if (opened.ok()) continue;
    EXPECT_THAT(opened.error().message, HasSubstr(c["error"].get<std::string>()));
  }
}

TEST_F(WebSecurityTest, PasswordsAreCheckedAndRemembered) {
  open(std::string("basic_auth_users: {alice: ") + kSecretHash + "}");
  for (const char* header : {"", "Basic", "Basic !", "Basic YWxpY2U=", "Bearer YWxpY2U6c2VjcmV0"}) {
    EXPECT_EQ(security_->verdict(header), Verdict::unauthorized) << header;
  }
  for (const auto& [header, verdict] : {std::pair(kAliceSecret, Verdict::allowed),
                                        {kAliceWrong, Verdict::unauthorized},
                                        {kBobSecret, Verdict::unauthorized}}) {
    EXPECT_EQ(security_->verdict(header), Verdict::unknown);
    EXPECT_EQ(security_->verify(header), verdict);
    EXPECT_EQ(security_->verdict(header), verdict);
  }
  EXPECT_EQ(security_->verify("Basic YWxpY2U6c2VjcmV0AHg="), Verdict::unauthorized) << "secret, a zero and more";
}

TEST_F(WebSecurityTest, WrongGuessesDoNotDriveOutWhoBelongs) {
  PasswordCheck check(std::map<std::string, std::string>{{"alice", kSecretHash}});
  ASSERT_TRUE(check.verify({"alice", "secret"}));
  for (int i = 0; i < 300; ++i) EXPECT_FALSE(check.verify({"alice", std::to_string(i)}));
  EXPECT_EQ(check.remembered({"alice", "secret"}), true);
  EXPECT_EQ(check.remembered({"alice", "0"}), std::nullopt);
  EXPECT_EQ(check.remembered({"alice", "299"}), false);
}

TEST_F(WebSecurityTest, WithoutAPasswordNothingIsAnswered) {
  serve(std::string("basic_auth_users: {alice: ") + kSecretHash + "}");
  for (const char* path : {"/", "/metrics", "/-/healthy", "/api/v1/query?query=1", "/nothing", "/api/v1/write"}) {
    TestResponse response = fetch(port_, "GET", path);
    EXPECT_EQ(response.status, 401) << path;
    EXPECT_EQ(response.header("WWW-Authenticate"), "Basic");
    EXPECT_EQ(response.body, "Unauthorized\n");
  }
  const auto with = [](const char* header) { return "Authorization: " + std::string(header) + "\r\n"; };
  EXPECT_EQ(fetch(port_, "GET", "/-/healthy", with(kAliceWrong)).status, 401);
  EXPECT_EQ(fetch(port_, "GET", "/-/healthy", with(kBobSecret)).status, 401);
  EXPECT_EQ(fetch(port_, "GET", "/-/healthy", with(kAliceSecret)).status, 200);
  EXPECT_EQ(fetch(port_, "GET", "/api/v1/query?query=1", with(kAliceSecret)).status, 200);
  EXPECT_EQ(fetch(port_, "GET", "/-/healthy", with(kAliceSecret) + with(kAliceWrong)).status, 400);
}

TEST_F(WebSecurityTest, ChangesTakeEffectAndMistakesDoNot) {
  serve(std::string("basic_auth_users: {alice: ") + kSecretHash + "}");
  const std::string alice = "Authorization: " + std::string(kAliceSecret) + "\r\n";
  EXPECT_EQ(fetch(port_, "GET", "/-/healthy", alice).status, 200);
  write(std::string("basic_auth_users: {bob: ") + kSecretHash + "}\n");
  EXPECT_EQ(fetch(port_, "GET", "/-/healthy", alice).status, 401);
  EXPECT_EQ(fetch(port_, "GET", "/-/healthy", "Authorization: " + std::string(kBobSecret) + "\r\n").status, 200);
  write("basic_auth_users: {bob: plain text}");
  EXPECT_EQ(fetch(port_, "GET", "/-/healthy").status, 401) << "a file with a mistake must open nothing";
  std::filesystem::remove(folder_ / "web.yml");
  EXPECT_EQ(fetch(port_, "GET", "/-/healthy").status, 401);
  write("tls_server_config: {cert_file: server.pem, key_file: server.key}");
  EXPECT_EQ(fetch(port_, "GET", "/-/healthy").status, 401) << "TLS is turned on by a restart only";
  write("http_server_config: {headers: {X-Frame-Options: deny, Content-Security-Policy: \"default-src 'none'\"}}");
  TestResponse page = fetch(port_, "GET", "/graph");
  EXPECT_EQ(page.status, 200);
  EXPECT_EQ(page.header("X-Frame-Options"), "deny");
  EXPECT_EQ(page.header("Content-Security-Policy"), "default-src 'none'");
}

TEST_F(WebSecurityTest, ARefusedConfigurationIsTakenOnceItsCertificateAppears) {
  serve("tls_server_config: {cert_file: server.pem, key_file: server.key}");
  EXPECT_EQ(fetch_encrypted(), 200);
  write("tls_server_config: {cert_file: new.pem, key_file: new.key, max_version: TLS12}");
  EXPECT_EQ(fetch_encrypted(), 200) << "the old one stays";
  std::filesystem::copy(folder_ / "server.key", folder_ / "new.key");
  EXPECT_EQ(fetch_encrypted(), 200);
  const auto successful = [&] { return metrics_.gauge("pipit_web_config_last_reload_successful", "").value(); };
  EXPECT_EQ(successful(), 0);
  std::filesystem::copy(folder_ / "server.pem", folder_ / "new.pem");
  EXPECT_EQ(fetch_encrypted(), 200);
  EXPECT_EQ(successful(), 1);
  std::filesystem::remove(folder_ / "new.pem");
  EXPECT_EQ(fetch_encrypted(), 200);
  EXPECT_EQ(successful(), 0) << "the new files are the ones that are watched";
}

TEST_F(WebSecurityTest, AFloodOfGuessesHoldsUpNobodyWhoIsKnown) {
  serve(std::string("basic_auth_users: {alice: ") + kSecretHash + "}");
  const std::string alice = "Authorization: " + std::string(kAliceSecret) + "\r\n";
  ASSERT_EQ(fetch(port_, "GET", "/-/healthy", alice).status, 200);
  std::vector<std::unique_ptr<TestConnection>> guesses;
  for (int i = 0; i < 100; ++i) {
    // alice: and a password of five digits
    std::string code(24, '\0');
    const std::string guess = "alice:" + std::to_string(10'000 + i) + "!";
    code.resize(static_cast<std::size_t>(EVP_EncodeBlock(reinterpret_cast<unsigned char*>(code.data()),
                                                         reinterpret_cast<const unsigned char*>(guess.data()),
                                                         static_cast<int>(guess.size()))));
    guesses.push_back(std::make_unique<TestConnection>(port_));
    guesses.back()->send("GET /-/healthy HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Basic " + code +
                         "\r\n\r\n");
  }
  EXPECT_EQ(fetch(port_, "GET", "/-/healthy", alice).status, 200);
  std::map<int, int> answers;
  for (auto& guess : guesses) ++answers[guess->receive().value_or(TestResponse()).status];
  EXPECT_EQ(answers[401] + answers[503], 100);
  EXPECT_GE(answers[401], 32);
}

TEST_F(WebSecurityTest, AFloodIsAnsweredWith429) {
  serve("rate_limit: {interval: 1h, burst: 2}");
  EXPECT_EQ(fetch(port_, "GET", "/-/healthy").status, 200);
  EXPECT_EQ(fetch(port_, "GET", "/-/healthy").status, 200);
  EXPECT_EQ(fetch(port_, "GET", "/-/healthy").status, 429);
}

TEST_F(WebSecurityTest, TlsIsAnswered) {
  serve("tls_server_config: {cert_file: server.pem, key_file: server.key}");
  EXPECT_EQ(fetch_encrypted(), 200);
  EXPECT_EQ(fetch_encrypted(nullptr, TLS1_2_VERSION), 200);
  EXPECT_EQ(fetch_encrypted(nullptr, TLS1_1_VERSION), 0);

  TestConnection plain(port_);
  plain.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_TRUE(plain.closed_by_server());
  EXPECT_THAT(plain.input(), HasSubstr("Client sent an HTTP request to an HTTPS server."));
}

TEST_F(WebSecurityTest, SilentConnectionsDoNotHoldUpOthers) {
  serve("tls_server_config: {cert_file: server.pem, key_file: server.key}");
  std::vector<TestConnection> silent;
  for (int i = 0; i < 100; ++i) {
    silent.emplace_back(port_);
    silent.back().send("\x16\x03\x01");  // the start of a handshake
  }
  EXPECT_EQ(fetch_encrypted(), 200);
}

TEST_F(WebSecurityTest, ANewCertificateIsServedAtOnce) {
  serve("tls_server_config: {cert_file: server.pem, key_file: server.key}");
  EXPECT_EQ(fetch_encrypted(), 200);
  const TestCertificate stranger = TestCertificate::make("stranger", "IP:127.0.0.1");
  stranger.write(folder_ / "server.pem", folder_ / "server.key");
  EXPECT_EQ(fetch_encrypted(), 0) << "the client does not trust it";
  server_certificate_.write(folder_ / "server.pem", folder_ / "server.key");
  EXPECT_EQ(fetch_encrypted(), 200);
}

TEST_F(WebSecurityTest, ClientsAreAskedForCertificates) {
  const std::string start = "tls_server_config: {cert_file: server.pem, key_file: server.key, client_auth_type: ";
  serve(start + "RequireAndVerifyClientCert, client_ca_file: ca.pem, client_allowed_sans: [10.0.0.1]}");
  const TestCertificate unsigned_client = TestCertificate::make("client", "IP:10.0.0.1");
  const TestCertificate unnamed_client = TestCertificate::make("client", "DNS:else.example", &authority_);
  EXPECT_EQ(fetch_encrypted(), 0);
  EXPECT_EQ(fetch_encrypted(&unsigned_client), 0);
  EXPECT_EQ(fetch_encrypted(&unnamed_client), 0);
  EXPECT_EQ(fetch_encrypted(&client_), 200);

  write(start + "RequireAnyClientCert}");
  EXPECT_EQ(fetch_encrypted(), 0);
  EXPECT_EQ(fetch_encrypted(&unsigned_client), 200);
  write(start + "VerifyClientCertIfGiven, client_ca_file: ca.pem}");
  EXPECT_EQ(fetch_encrypted(), 200);
  EXPECT_EQ(fetch_encrypted(&unsigned_client), 0);
  EXPECT_EQ(fetch_encrypted(&client_), 200);
}

}  // namespace
}  // namespace pipit
