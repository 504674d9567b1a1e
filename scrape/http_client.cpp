#include "scrape/http_client.h"

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cctype>
#include <optional>
#include <utility>

#include "scrape/gzip.h"
#include "scrape/http_access.h"
#include "scrape/http_answer.h"
#include "scrape/http_stream.h"
#include "scrape/resolver.h"
#include "scrape/tls.h"

namespace pipit {

namespace asio = boost::asio;
using boost::system::error_code;
using Progress = HttpStream::Progress;

namespace {

constexpr int kMostRedirects = 10;
constexpr std::size_t kReadSize = 64 << 10;
/// Reads of one connection before others get their turn.
constexpr int kReadsInARow = 8;

/// Bodies from this size on may take tens of milliseconds to unpack.
constexpr std::size_t kLargePacked = 32 << 10;

bool is_redirect(unsigned status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

}  // namespace

struct HttpClient::Shared {
  Shared(asio::io_context& context, PageBufferPool& page_pool) : io(context), pages(page_pool), resolver(context) {}
  asio::io_context& io;
  PageBufferPool& pages;
  Resolver resolver;
  TlsContext tls;
  GzipReader gzip;
  /// Every connection reads into it, as sockets are read only when they have something and never wait with a buffer.
  std::unique_ptr<char[]> read_buffer = std::make_unique_for_overwrite<char[]>(kReadSize);
};

namespace {

class Fetcher final : public HttpFetcher, public std::enable_shared_from_this<Fetcher> {
 public:
  explicit Fetcher(HttpClient::Shared& shared)
      : shared_(shared), stream_(std::make_shared<HttpStream>(shared.io, shared.resolver)), deadline_(shared.io) {}

  ~Fetcher() override { stream_->close(); }

  void fetch(const FetchRequest& request, std::function<void(FetchResult)> done) override {
    if (access_ != request.access) stream_->close();  // of other certificates or another proxy
    access_ = request.access;
    request_ = &request;
    url_ = *request.url;
    trusted_ = true;
    done_ = std::move(done);
    redirects_ = 0;
    deadline_.expires_after(request.timeout);
    deadline_.async_wait([self = shared_from_this(), run = ++run_](const error_code& ec) {
      if (!ec && run == self->run_) self->fail_request("context deadline exceeded", ErrorKind::timeout);
    });
    starting_ = true;
    start_hop();
    starting_ = false;
  }

  void cancel() override {
    ++run_;
    deadline_.cancel();
    stream_->close();
    answer_.reset();
    done_ = nullptr;
  }

 private:
  // ---- one request and its answer --------------------------------------------------------------------------

  void start_hop() {
    credentials_.clear();
    by_proxy_ = false;
    if (access_ == nullptr) {
      route_ = {url_.endpoint, std::nullopt, {}};
      connect();
      return;
    }
    if (!trusted_) {
      find_route();
      return;
    }
    access_->credentials([self = shared_from_this(), run = run_](Result<std::string> lines) {
      if (run != self->run_) return;
      if (!lines.ok()) {
        self->fail_request(lines.error().message);
        return;
      }
      self->credentials_ = std::move(*lines);
      self->find_route();
    });
  }

  void find_route() {
    auto route = access_->route(url_, by_proxy_);
    if (!route.ok()) {
      fail_request(route.error().message);
      return;
    }
    route_ = std::move(*route);
    if (by_proxy_) {
      auto headers = access_->proxy_headers(url_);
      if (headers.ok()) credentials_ += *headers;
    }
    connect();
  }

  void connect() {
    reused_ = stream_->is_ready_for(route_);
    if (reused_) {
      send();
    } else {
      open();
    }
  }

  void open() {
    TlsContext& tls = access_ == nullptr ? shared_.tls : access_->tls();
    stream_->open(route_, tls, deadline_.expiry(), [self = shared_from_this(), run = run_](const Status& status) {
      if (run != self->run_) return;
      if (status.ok()) {
        self->send();
      } else {
        self->fail_request(status.error().message);
      }
    });
  }

  void send() {
    const std::string* form = request_->form.get();
    unsent_ = form != nullptr ? "POST " : "GET ";
    if (by_proxy_) unsent_ += "http://" + url_.authority;
    unsent_ += url_.path + " HTTP/1.1\r\nHost: " + url_.authority + "\r\n" + *request_->headers + credentials_;
    if (!url_.user_info.empty() && credentials_.find("Authorization: ") == std::string::npos) {
      unsent_ += "Authorization: Basic " + base64(url_.user_info) + "\r\n";
    }
    if (form != nullptr) {
      unsent_ += "Content-Type: " + std::string(request_->form_type) +
                 "\r\nContent-Length: " + std::to_string(form->size()) + "\r\n";
    }
    unsent_ += "\r\n";
    if (form != nullptr) unsent_ += *form;
    answer_.emplace(shared_.pages, request_->body_limit, request_->raw);
    write_more();
  }

  void write_more() {
    while (!unsent_.empty()) {
      std::size_t size = unsent_.size();
      switch (stream_->write(unsent_.data(), size)) {
        case Progress::done:
          unsent_.erase(0, size);
          continue;
        case Progress::want_read:
          wait(true, &Fetcher::write_more);
          return;
        case Progress::want_write:
          wait(false, &Fetcher::write_more);
          return;
        default:
          lost("write: " + stream_->failure());
          return;
      }
    }
    unsent_.shrink_to_fit();
    wait(true, &Fetcher::read_more);
  }

  void read_more() {
    for (int reads = 0; reads < kReadsInARow; ++reads) {
      std::size_t size = kReadSize;
      char* buffer = shared_.read_buffer.get();
      switch (stream_->read(buffer, size)) {
        case Progress::done:
          if (take(answer_->take({buffer, size}))) return;
          // A socket that gave less than asked is empty; the next read would only say so.
          if (!stream_->is_tls() && size < kReadSize) reads = kReadsInARow;
          break;
        case Progress::want_read:
          reads = kReadsInARow;
          break;
        case Progress::want_write:
          wait(false, &Fetcher::read_more);
          return;
        case Progress::closed:
          if (answer_->has_begun()) {
            take(answer_->end());
          } else {
            lost("EOF");
          }
          return;
        case Progress::failed:
          lost(stream_->failure());
          return;
      }
    }
    // Bytes that TLS has already decrypted don't make the socket readable: it reads until nothing is left.
    if (stream_->has_pending()) {
      asio::post(shared_.io, [self = shared_from_this(), run = run_] {
        if (run == self->run_) self->read_more();
      });
      return;
    }
    wait(true, &Fetcher::read_more);
  }

  /// True when the answer is complete or refused.
  bool take(HttpAnswer::Progress progress) {
    if (progress == HttpAnswer::Progress::more) return false;
    if (progress == HttpAnswer::Progress::failed) {
      fail_request(answer_->fault());
    } else {
      complete();
    }
    return true;
  }

  /// The connection broke. A kept one may have been closed while nobody looked: that deserves one more try.
  void lost(const std::string& reason) {
    if (!reused_ || answer_->has_begun()) {
      fail_request(reason);
      return;
    }
    answer_.reset();
    reused_ = false;
    open();
  }

  void wait(bool for_reading, void (Fetcher::*then)()) {
    stream_->wait(for_reading, [self = shared_from_this(), run = run_, then](const std::string& error) {
      if (run != self->run_) return;
      if (error.empty()) {
        ((*self).*then)();
      } else {
        self->lost(error);
      }
    });
  }

  // ---- the end ------------------------------------------------------------------------------------------------

  void complete() {
    const unsigned status = answer_->status();
    close_after_ = !answer_->keeps_connection();
    const bool follows = request_->form == nullptr && (access_ == nullptr || access_->follows_redirects());
    if (const std::string location = answer_->location(); is_redirect(status) && !location.empty() && follows) {
      redirect(location);
      return;
    }
    FetchResult result;
    result.http_status = status;
    if (status != 200) {
      result.status = Error{ErrorKind::unavailable,
                            "server returned HTTP status " + std::to_string(status) + " " + answer_->reason()};
      result.retry_after = answer_->header("Retry-After");
      if (request_->raw) result.body = answer_->take_body();
      finish(std::move(result));
      return;
    }
    result.content_type = answer_->header("Content-Type");
    result.body = answer_->take_body();
    result.transferred = result.body.size();
    if (!request_->raw) {
      unpack(result, lower(answer_->header("Content-Encoding")));
      if (result.status.ok() && !result.packed) result.body.end_line();
    }
    finish(std::move(result));
  }

  void unpack(FetchResult& result, const std::string& encoding) {
    if (encoding == "gzip" || encoding == "x-gzip") {
      result.packed = request_->keep_large_packed && result.body.size() >= kLargePacked;
      if (result.packed) return;
      PageBuffer unpacked = shared_.pages.take();
      result.status = shared_.gzip.unpack(result.body.view(), request_->body_limit, unpacked);
      std::swap(result.body, unpacked);
      shared_.pages.give(std::move(unpacked));
    } else if (!encoding.empty() && encoding != "identity") {
      result.status = bad_data("unsupported Content-Encoding \"" + encoding + "\"");
    }
  }

  void redirect(const std::string& location) {
    if (++redirects_ > kMostRedirects) {
      fail_request("stopped after 10 redirects");
      return;
    }
    auto next = resolve_location(url_, location);
    if (!next) {
      fail_request("redirect: " + next.error().message.substr(0, 200));
      return;
    }
    // Secrets are the target's: they go neither to another host nor, once TLS has kept them, in the clear.
    const HttpUrl& first = *request_->url;
    trusted_ = lower(next->endpoint.host) == lower(first.endpoint.host) &&
               next->endpoint.socket_path == first.endpoint.socket_path && (next->endpoint.tls || !first.endpoint.tls);
    answer_.reset();
    if (std::exchange(close_after_, false)) stream_->close();
    url_ = std::move(*next);
    start_hop();
  }

  void fail_request(const std::string& reason, ErrorKind kind = ErrorKind::unavailable) {
    close_after_ = true;
    FetchResult result;
    result.status = Error{kind, (request_->form != nullptr ? "Post \"" : "Get \"") + url_.text + "\": " + reason};
    finish(std::move(result));
  }

  void finish(FetchResult result) {
    ++run_;
    deadline_.cancel();
    answer_.reset();
    if (std::exchange(close_after_, false)) stream_->close();
    auto done = std::exchange(done_, nullptr);
    if (!starting_) {  // at once: a page that waited for its turn would be in memory beside those that come
      done(std::move(result));
      return;
    }
    asio::post(shared_.io, [done = std::move(done), result = std::make_shared<FetchResult>(std::move(result)),
                            self = shared_from_this(), run = run_] {
      if (run == self->run_) {
        done(std::move(*result));
      } else {
        self->shared_.pages.give(std::move(result->body));
      }
    });
  }

  HttpClient::Shared& shared_;
  std::shared_ptr<HttpStream> stream_;
  asio::steady_timer deadline_;

  const FetchRequest* request_ = nullptr;
  std::shared_ptr<HttpAccess> access_;  ///< of the connection
  std::function<void(FetchResult)> done_;
  HttpUrl url_;
  HttpRoute route_;
  std::string credentials_;
  std::string unsent_;
  std::optional<HttpAnswer> answer_;
  std::uint64_t run_ = 0;  ///< handlers of earlier fetches find another number and do nothing
  int redirects_ = 0;
  bool trusted_ = true;  ///< the URL is where credentials may go
  bool by_proxy_ = false;
  bool reused_ = false;
  bool starting_ = false;     ///< within fetch(), whose caller does not expect the end yet
  bool close_after_ = false;  ///< the connection can't be used again
};

}  // namespace

void unpack_body(FetchResult& result, std::size_t limit) {
  PageBuffer unpacked;
  result.status = GzipReader().unpack(result.body.view(), limit, unpacked);
  if (result.status.ok()) unpacked.end_line();
  result.body = std::move(unpacked);
  result.packed = false;
}

HttpClient::HttpClient(asio::io_context& io, PageBufferPool& pages) : shared_(std::make_unique<Shared>(io, pages)) {}
HttpClient::~HttpClient() = default;

std::shared_ptr<HttpFetcher> HttpClient::fetcher() { return std::make_shared<Fetcher>(*shared_); }

std::shared_ptr<HttpStream> HttpClient::stream() {
  return std::make_shared<HttpStream>(shared_->io, shared_->resolver);
}

std::shared_ptr<HttpAccess> HttpClient::access(const HttpClientConfig& config) {
  if (config == HttpClientConfig()) return nullptr;
  return std::make_shared<HttpAccess>(*this, config);
}

PageBufferPool& HttpClient::pages() { return shared_->pages; }

}  // namespace pipit
