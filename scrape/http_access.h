#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "config/http_client_config.h"
#include "scrape/http_stream.h"
#include "scrape/proxy.h"
#include "scrape/secret_file.h"
#include "scrape/tls.h"

namespace pipit {

class HttpClient;
class OAuth2Tokens;

/// A header as a request has it. Errors: bad_data when the value has control characters: a line that ends the head
/// early would let a secret's author write requests of their own.
Result<std::string> header_line(const std::string& name, const std::string& value);

/// `text` in base64, with padding.
std::string base64(std::string_view text);

/// How the requests of a job or a discovery are made: who asks, by which way, and whom to trust. Shared by its
/// fetchers, on their thread.
class HttpAccess {
 public:
  /// REQUIRES: `client` outlives it.
  HttpAccess(HttpClient& client, const HttpClientConfig& config);
  ~HttpAccess();

  /// The way to a URL. `by_proxy` becomes true when a proxy is asked for it in plain HTTP.
  Result<HttpRoute> route(const HttpUrl& url, bool& by_proxy) const;
  /// The headers that only the proxy of such a request reads.
  Result<std::string> proxy_headers(const HttpUrl& url) const;
  TlsContext& tls() { return tls_; }
  bool follows_redirects() const { return follows_redirects_; }

  /// Calls `then` with the lines of Authorization and http_headers: at once, or when a token has come.
  void credentials(const std::function<void(Result<std::string>)>& then);
  /// Drops what is on its way, for the end of its thread.
  void stop();

 private:
  Result<std::string> headers();

  struct Header {
    std::string name;
    std::vector<Secret> values;
  };

  TlsContext tls_;
  ProxyChooser proxies_;
  std::string connect_headers_;
  bool follows_redirects_;
  bool has_basic_auth_ = false;
  Secret username_;
  Secret password_;
  std::string authorization_type_;  ///< "": none
  Secret authorization_;
  std::vector<Header> headers_;
  std::shared_ptr<OAuth2Tokens> tokens_;
};

}  // namespace pipit
