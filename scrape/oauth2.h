#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "config/http_client_config.h"
#include "scrape/http_client.h"
#include "scrape/secret_file.h"

namespace pipit {

/// Tokens of the client credentials grant (RFC 6749, 4.4), fetched when needed and kept until ten seconds before they
/// expire. However many wait, one request is on its way. Of the thread of the client's io_context.
class OAuth2Tokens : public std::enable_shared_from_this<OAuth2Tokens> {
 public:
  /// REQUIRES: `client` outlives it.
  OAuth2Tokens(HttpClient& client, const OAuth2Config& config);

  /// Calls `then` with the value of the Authorization header, at once or when it has come.
  void get(std::function<void(const Result<std::string>&)> then);
  /// Drops a request that is on its way; who waits for it hears nothing.
  void stop();

 private:
  using Clock = std::chrono::steady_clock;

  void ask();
  void answer(FetchResult result);
  void finish(const Result<std::string>& token);
  Status prepare(bool in_form);

  HttpClient& client_;
  OAuth2Config config_;
  Secret client_secret_;
  std::shared_ptr<HttpFetcher> fetcher_;
  HttpUrl url_;
  FetchRequest request_;
  std::vector<std::function<void(const Result<std::string>&)>> waiting_;
  std::string token_;
  Clock::time_point expires_{};
  bool secret_in_form_ = false;  ///< the server takes it there and not in the header
  bool tried_both_ = false;
};

}  // namespace pipit
