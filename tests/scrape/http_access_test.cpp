#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "scrape/http_access.h"
#include "scrape/proxy.h"
#include "tests/scrape/scrape_fixture.h"

namespace pipit {
namespace {

using Peer = PageServer::Peer;

/// Answers every request with a small page, and keeps the requests.
class HttpAccessTest : public ScrapeFixture {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / ("pipit_access_test_" + std::to_string(getpid()));
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override {
    manager.reset();
    std::filesystem::remove_all(folder_);
  }

  std::string write(const std::string& name, const std::string& text) const {
    const auto path = folder_ / name;
    std::ofstream(folder_ / (name + ".new")) << text;
    std::filesystem::rename(folder_ / (name + ".new"), path);
    return path.string();
  }

  static PageServer::Script page() {
    return [](const std::string&, Peer& peer) { return peer.send(PageServer::ok("a 1\n")); };
  }

  /// Whether some request so far has the line.
  static bool saw(const PageServer& server, const std::string& line) {
    const auto requests = server.requests();
    return std::any_of(requests.begin(), requests.end(), [&](const std::string& request) {
      return request.find("\r\n" + line + "\r\n") != std::string::npos || request.starts_with(line + "\r\n");
    });
  }

  std::filesystem::path folder_;
};

TEST_F(HttpAccessTest, CredentialsAndHeadersAreSent) {
  PageServer server(page());
  auto basic = job(server.address(), "basic");
  basic.http_client.basic_auth = BasicAuth{{"me", ""}, {"se:cret", ""}};
  auto token = job(server.address(), "token");
  token.http_client.authorization = Authorization{"Token", {"abc", ""}};
  auto headers = job(server.address(), "headers");
  headers.http_client.headers = {{"X-One", {"1", "2"}, {write("three", " 3 \n")}}};
  apply({basic, token, headers});
  EXPECT_TRUE(wait_for([&] { return saw(server, "Authorization: Basic bWU6c2U6Y3JldA=="); }));
  EXPECT_TRUE(wait_for([&] { return saw(server, "Authorization: Token abc"); }));
  for (const char* line : {"X-One: 1", "X-One: 2", "X-One: 3"}) {
    EXPECT_TRUE(wait_for([&] { return saw(server, line); })) << line;
  }
}

TEST_F(HttpAccessTest, SecretsInFilesAreReadAgainWhenTheyChange) {
  PageServer server(page());
  auto config = job(server.address());
  config.http_client.authorization = Authorization{"Bearer", {"", write("token", "first\n")}};
  apply({config});
  ASSERT_TRUE(wait_for([&] { return saw(server, "Authorization: Bearer first"); }));
  write("token", "second\n");
  EXPECT_TRUE(wait_for([&] { return saw(server, "Authorization: Bearer second"); }));
  EXPECT_EQ(server.connections(), 1) << "the connection is kept";
  std::filesystem::remove(folder_ / "token");
  const std::string error = "Get \"http://" + server.address() + "/metrics\": unable to read file " +
                            (folder_ / "token").string() + ": No such file or directory";
  EXPECT_EQ(error_after_waiting_for(error), error);
}

TEST_F(HttpAccessTest, ASecretThatIsNoFileKeepsNobodyWaiting) {
  PageServer server(page());
  PageServer other(page());
  const std::string pipe = (folder_ / "pipe").string();
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  auto config = job(server.address());
  config.http_client.authorization = Authorization{"Bearer", {"", pipe}};
  apply({config, job(other.address(), "other")});
  EXPECT_TRUE(wait_for([&] { return other.requests().size() > 2; }));
  EXPECT_TRUE(first_error().ends_with(pipe + ": not a regular file")) << first_error();
}

TEST_F(HttpAccessTest, ASecretWithALineBreakSendsNoRequestOfItsOwn) {
  PageServer server(page());
  auto config = job(server.address());
  config.http_client.headers = {{"X-One", {"1\r\nGET /evil HTTP/1.1"}, {}}};
  apply({config});
  EXPECT_NE(first_error().find("control characters"), std::string::npos);
  EXPECT_TRUE(server.requests().empty());
}

TEST_F(HttpAccessTest, OAuth2TokensAreFetchedOnceAndUsed) {
  PageServer tokens([](const std::string& request, Peer& peer) {
    const std::string id_and_secret = "Authorization: Basic aWQ6czNjcmV0";
    if (request.find(id_and_secret) == std::string::npos) {
      return peer.send("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n");
    }
    return peer.send(PageServer::ok(R"({"access_token": "tok", "token_type": "bearer", "expires_in": 3600})"));
  });
  PageServer server(page());
  auto config = job(server.address());
  config.http_client.oauth2 = OAuth2Config();
  config.http_client.oauth2->client_id = "id";
  config.http_client.oauth2->client_secret = {"s3cret", ""};
  config.http_client.oauth2->token_url = "http://" + tokens.address() + "/token";
  config.http_client.oauth2->scopes = {"read", "more"};
  apply({config});
  ASSERT_TRUE(wait_for([&] { return count("a") >= 3; })) << first_error();
  EXPECT_TRUE(saw(server, "Authorization: Bearer tok"));
  // The stand-in does not read bodies, so that the form comes as the next "request" of the connection.
  EXPECT_EQ(tokens.connections(), 1);
  ASSERT_FALSE(tokens.requests().empty());
  EXPECT_TRUE(tokens.requests().front().starts_with("POST /token HTTP/1.1\r\n"));
}

TEST_F(HttpAccessTest, AnOAuth2SecretThatChangesIsUsedAtOnce) {
  PageServer tokens([](const std::string& request, Peer& peer) {
    const bool second = request.find("Authorization: Basic aWQ6c2Vjb25k") != std::string::npos;
    peer.send(PageServer::ok(second ? R"({"access_token": "two"})" : R"({"access_token": "one"})"));
    return false;
  });
  PageServer server(page());
  auto config = job(server.address());
  config.http_client.oauth2 = OAuth2Config();
  config.http_client.oauth2->client_id = "id";
  config.http_client.oauth2->client_secret = {"", write("client_secret", "first\n")};
  config.http_client.oauth2->token_url = "http://" + tokens.address() + "/token";
  apply({config});
  ASSERT_TRUE(wait_for([&] { return saw(server, "Authorization: Bearer one"); })) << first_error();
  write("client_secret", "second\n");
  EXPECT_TRUE(wait_for([&] { return saw(server, "Authorization: Bearer two"); })) << first_error();
}

TEST_F(HttpAccessTest, ATokenThatIsNestedTooDeeplyIsNone) {
  PageServer tokens([](const std::string&, Peer& peer) {
    peer.send(PageServer::ok(std::string(100'000, '[')));
    return false;
  });
  auto config = job("127.0.0.1:1");
  config.http_client.oauth2 = OAuth2Config();
  config.http_client.oauth2->token_url = "http://" + tokens.address() + "/token";
  apply({config});
  const std::string error = "Get \"http://127.0.0.1:1/metrics\": oauth2: server response missing access_token";
  EXPECT_EQ(error_after_waiting_for(error), error);
}

TEST_F(HttpAccessTest, AFailingTokenServerIsTheTargetsError) {
  PageServer tokens([](const std::string&, Peer& peer) {
    peer.send("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n");
    return false;
  });
  PageServer server(page());
  auto config = job(server.address());
  config.http_client.oauth2 = OAuth2Config();
  config.http_client.oauth2->token_url = "http://" + tokens.address() + "/token";
  apply({config});
  const std::string error =
      "Get \"http://" + server.address() +
      "/metrics\": oauth2: cannot fetch token: server returned HTTP status 503 Service Unavailable";
  EXPECT_EQ(error_after_waiting_for(error), error);
  EXPECT_TRUE(server.requests().empty()) << "without a token nothing is asked";
}

TEST_F(HttpAccessTest, ATokenServerThatHangsHoldsUpNothingAtTheEnd) {
  PageServer tokens([](const std::string&, Peer& peer) {
    peer.hang();
    return false;
  });
  auto config = job("127.0.0.1:1");
  config.http_client.oauth2 = OAuth2Config();
  config.http_client.oauth2->token_url = "http://" + tokens.address() + "/token";
  apply({config});
  ASSERT_TRUE(wait_for([&] { return !tokens.requests().empty(); }));
  EXPECT_NE(first_error().find("context deadline exceeded"), std::string::npos) << "the target's own timeout holds";
  const auto start = std::chrono::steady_clock::now();
  manager.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5)) << "not the token's timeout";
}

TEST_F(HttpAccessTest, CredentialsDoNotFollowARedirectToAnotherHost) {
  PageServer other(page());
  const std::string port = other.address().substr(other.address().find(':'));
  PageServer server([&](const std::string&, Peer& peer) {
    return peer.send("HTTP/1.1 302 Found\r\nLocation: http://localhost" + port + "/x\r\nContent-Length: 0\r\n\r\n");
  });
  auto config = job(server.address());
  config.http_client.basic_auth = BasicAuth{{"me", ""}, {"secret", ""}};
  apply({config});
  ASSERT_TRUE(wait_for([&] { return count("a") >= 1; })) << first_error();
  ASSERT_FALSE(other.requests().empty());
  EXPECT_EQ(other.requests().front().find("Authorization"), std::string::npos);
  EXPECT_NE(server.requests().front().find("Authorization"), std::string::npos);
}

TEST_F(HttpAccessTest, RedirectsAreNotFollowedWhenTheJobSaysSo) {
  PageServer server([](const std::string&, Peer& peer) {
    return peer.send("HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n");
  });
  auto config = job(server.address());
  config.http_client.follow_redirects = false;
  apply({config});
  EXPECT_EQ(error_after_waiting_for("server returned HTTP status 302 Found"), "server returned HTTP status 302 Found");
}

TEST_F(HttpAccessTest, AProxyIsAskedForTheWholeUrl) {
  PageServer proxy(page());
  auto config = job("target.example:1234");
  config.http_client.proxy.url = "http://user:pw@" + proxy.address();
  apply({config});
  ASSERT_TRUE(wait_for([&] { return count("a") >= 2; })) << first_error();
  EXPECT_TRUE(saw(proxy, "GET http://target.example:1234/metrics HTTP/1.1"));
  EXPECT_TRUE(saw(proxy, "Host: target.example:1234"));
  EXPECT_TRUE(saw(proxy, "Proxy-Authorization: Basic dXNlcjpwdw=="));
  EXPECT_EQ(proxy.connections(), 1);
}

TEST_F(HttpAccessTest, AnHttpsTargetIsReachedByATunnel) {
  PageServer proxy([](const std::string&, Peer& peer) {
    peer.send("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n");
    return false;
  });
  auto config = job("target.example");
  config.scheme = "https";
  config.http_client.proxy.url = "http://" + proxy.address();
  config.http_client.proxy.connect_headers = {{"X-Way", {"through"}}};
  apply({config});
  const std::string error =
      "Get \"https://target.example/metrics\": proxyconnect: the proxy answered 407 Proxy Authentication Required";
  EXPECT_EQ(error_after_waiting_for(error), error);
  EXPECT_TRUE(saw(proxy, "CONNECT target.example:443 HTTP/1.1"));
  EXPECT_TRUE(saw(proxy, "X-Way: through"));
}

TEST(Proxy, NoProxyNamesHostsDomainsAndRanges) {
  struct Case {
    const char* no_proxy;
    const char* host;
    bool excluded;
  };
  const Case cases[] = {
      {"*", "anything", true},
      {"example.org", "example.org", true},
      {"example.org", "a.example.org", true},
      {"example.org", "badexample.org", false},
      {".example.org", "example.org", false},
      {".example.org", "a.example.org", true},
      {"*.example.org", "a.example.org", true},
      {"EXAMPLE.org", "example.ORG", true},
      {"10.1.2.3", "10.1.2.3", true},
      {"10.0.0.0/8", "10.200.3.4", true},
      {"10.0.0.0/8", "11.0.0.1", false},
      {"fd00::/16", "fd00::1", true},
      {"example.org:81", "example.org", false},
      {"example.org:80", "example.org", true},
      {"a, b ,c", "b", true},
      {"", "b", false},
      {"/8,:,[", "b", false},
  };
  for (const Case& c : cases) EXPECT_EQ(is_excluded_from_proxy(c.no_proxy, c.host, 80), c.excluded) << c.no_proxy;
}

TEST(Proxy, TheEnvironmentSaysWhichAndSparesTheMachineItself) {
  setenv("HTTP_PROXY", "proxy.example:3128", 1);
  setenv("NO_PROXY", "inside.example", 1);
  ProxyConfig config;
  config.from_environment = true;
  const ProxyChooser chooser(config);
  unsetenv("HTTP_PROXY");
  unsetenv("NO_PROXY");
  const auto proxy_of = [&](const char* url) {
    const auto proxy = chooser.proxy_for(parse_http_url(url).value());
    return proxy.ok() && proxy->has_value() ? (*proxy)->authority : "";
  };
  EXPECT_EQ(proxy_of("http://outside.example/"), "proxy.example:3128");
  EXPECT_EQ(proxy_of("https://outside.example/"), "");
  EXPECT_EQ(proxy_of("http://inside.example/"), "");
  EXPECT_EQ(proxy_of("http://127.0.0.1:9100/"), "");
  EXPECT_EQ(proxy_of("http://localhost/"), "");
}

}  // namespace
}  // namespace pipit
