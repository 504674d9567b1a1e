#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "config/http_client_config.h"
#include "model/result.h"
#include "scrape/page_buffer.h"
#include "scrape/target.h"

namespace boost::asio {
class io_context;
}

namespace pipit {

class HttpAccess;
class HttpStream;

struct FetchRequest {
  const HttpUrl* url = nullptr;
  std::shared_ptr<const std::string> headers;  ///< lines that end with CRLF, without Host
  std::uint64_t body_limit = 0;                ///< bytes, also after unpacking
  std::chrono::milliseconds timeout{0};        ///< for all of it: look-up, connecting, redirects, the last byte
  std::shared_ptr<HttpAccess> access;          ///< null: no credentials, no proxy, the system's authorities
  std::shared_ptr<const std::string> form;     ///< sent by POST; null: GET
  const char* form_type = "application/x-www-form-urlencoded";  ///< its Content-Type
  /// Whether the body is wanted as it comes, and whatever the status, as it may say what was wrong.
  bool raw = false;
  /// A large body in gzip is left as it is, for somebody else to unpack.
  bool keep_large_packed = false;
};

struct FetchResult {
  Status status;                ///< of HTTP too: only 200 is ok
  unsigned http_status = 0;     ///< 0: no answer
  std::string content_type;     ///< as sent, shortened
  PageBuffer body;              ///< unpacked, ends with a newline unless empty; give it back to the pool
  bool packed = false;          ///< the body is still in gzip: unpack_body() is due
  std::size_t transferred = 0;  ///< bytes of the body as they came
  std::string retry_after;      ///< of an answer other than 200: the header of that name
};

/// Unpacks a body that was left packed, to at most `limit` bytes. From any thread.
void unpack_body(FetchResult& result, std::size_t limit);

/// Fetches pages from one target, one at a time, over a connection that is kept between fetches.
class HttpFetcher {
 public:
  virtual ~HttpFetcher() = default;
  /// Calls `done` once, later, on the thread of the io_context. Follows up to ten redirects, unless it is a POST or the
  /// access says not to.
  /// REQUIRES: no fetch is running; `request` and its URL live until `done` or `cancel`.
  virtual void fetch(const FetchRequest& request, std::function<void(FetchResult)> done) = 0;
  /// Ends a running fetch without calling `done`, and closes the connection.
  virtual void cancel() = 0;
};

/// What all fetchers share: the read buffer, page buffers, resolver, TLS settings.
/// All on one thread, that of the io_context. Must outlive its fetchers.
class HttpClient {
 public:
  HttpClient(boost::asio::io_context& io, PageBufferPool& pages);
  ~HttpClient();
  std::shared_ptr<HttpFetcher> fetcher();
  /// A connection for another protocol, with the resolver that fetchers have.
  std::shared_ptr<HttpStream> stream();
  /// How requests with these options are made; null when the options are the defaults.
  std::shared_ptr<HttpAccess> access(const HttpClientConfig& config);
  PageBufferPool& pages();

  struct Shared;

 private:
  std::unique_ptr<Shared> shared_;
};

}  // namespace pipit
