#include "scrape/http_client.h"

#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/http/parser.hpp>
#include <optional>
#include <utility>

#include "scrape/gzip.h"
#include "scrape/resolver.h"
#include "scrape/tls.h"

namespace pipit {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;
using Clock = std::chrono::steady_clock;

namespace {

constexpr int kMostRedirects = 10;
constexpr std::size_t kReadSize = 64 << 10;
constexpr std::uint32_t kHeaderLimit = 64 << 10;
/// Reads of one connection before others get their turn.
constexpr int kReadsInARow = 8;

/// A Beast body that goes straight into a page buffer, up to a limit.
struct PageBody {
  struct value_type {
    PageBuffer buffer;
    std::uint64_t limit = 0;
  };

  class reader {
   public:
    template <bool isRequest, class Fields>
    reader(http::header<isRequest, Fields>&, value_type& body) : body_(body) {}

    void init(const boost::optional<std::uint64_t>& length, error_code& ec) {
      ec = {};
      if (!length) return;
      if (*length > body_.limit) {
        ec = http::error::body_limit;
      } else if (*length < (1 << 20)) {  // a stated length is no reason to allocate much
        body_.buffer.reserve(static_cast<std::size_t>(*length) + 1);
      }
    }

    template <class ConstBufferSequence>
    std::size_t put(const ConstBufferSequence& buffers, error_code& ec) {
      ec = {};
      std::size_t taken = 0;
      for (auto it = asio::buffer_sequence_begin(buffers); it != asio::buffer_sequence_end(buffers); ++it) {
        asio::const_buffer bytes(*it);
        if (body_.buffer.size() + bytes.size() > body_.limit) {
          ec = http::error::body_limit;
          return taken;
        }
        body_.buffer.append({static_cast<const char*>(bytes.data()), bytes.size()});
        taken += bytes.size();
      }
      return taken;
    }

    void finish(error_code& ec) { ec = {}; }

   private:
    value_type& body_;
  };
};

using Parser = http::response_parser<PageBody>;

std::string describe(const error_code& ec) {
  if (ec == http::error::body_limit) return "body size limit exceeded";
  if (ec == http::error::partial_message) return "unexpected EOF";
  if (ec == asio::error::connection_reset) return "read: connection reset by peer";
  if (ec.category() == http::make_error_code(http::error::bad_version).category()) {
    return "malformed HTTP response: " + ec.message();
  }
  return ec.message();
}

bool is_redirect(unsigned status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/// Fields are for messages and comparisons: shortened, without control characters.
std::string clean(std::string_view text) {
  std::string out(text.substr(0, 200));
  std::replace_if(
      out.begin(), out.end(), [](unsigned char c) { return c < ' ' || c == 0x7f; }, '?');
  return out;
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
      : shared_(shared), socket_(shared.io), deadline_(shared.io), connect_deadline_(shared.io) {}

  void fetch(const FetchRequest& request, std::function<void(FetchResult)> done) override {
    request_ = &request;
    url_ = *request.url;
    done_ = std::move(done);
    redirects_ = 0;
    deadline_.expires_after(request.timeout);
    deadline_.async_wait([self = shared_from_this(), run = ++run_](const error_code& ec) {
      if (!ec && run == self->run_) self->fail_get("context deadline exceeded", ErrorKind::timeout);
    });
    starting_ = true;
    start_hop();
    starting_ = false;
  }

  void cancel() override {
    ++run_;
    deadline_.cancel();
    close();
    give_back_parser();
    done_ = nullptr;
  }

 private:
  // ---- one request and its answer --------------------------------------------------------------------------

  void start_hop() {
    reused_ = socket_.is_open() && endpoint_ == url_.endpoint && is_quiet();
    if (reused_) {
      send();
    } else {
      close();
      resolve();
    }
  }

  /// Whether a kept connection is still open and has nothing to say, which nobody asked for.
  bool is_quiet() {
    char byte;
    const auto got = recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (got >= 0) return got > 0 && tls_ != nullptr;  // TLS sends tickets and notices of its own
    return errno == EAGAIN || errno == EWOULDBLOCK;
  }

  void resolve() {
    endpoint_ = url_.endpoint;
    error_code not_an_address;
    auto address = asio::ip::make_address(endpoint_.host, not_an_address);
    if (!not_an_address) {
      addresses_ = {address};
      connect(0);
      return;
    }
    shared_.resolver.resolve(endpoint_.host, [self = shared_from_this(), run = run_](const Resolution& resolution) {
      if (run != self->run_) return;
      self->addresses_.clear();
      for (const std::string& text : resolution.addresses) {
        error_code ec;
        auto found = asio::ip::make_address(text, ec);
        if (!ec) self->addresses_.push_back(found);
      }
      if (self->addresses_.empty()) {
        self->fail_get("dial tcp: lookup " + self->endpoint_.host + ": " +
                       (resolution.error.empty() ? "no such host" : resolution.error));
      } else {
        self->connect(0);
      }
    });
  }

  void connect(std::size_t attempt) {
    error_code ec;
    socket_.close(ec);
    const asio::ip::tcp::endpoint remote(addresses_[attempt], endpoint_.port);
    socket_.open(remote.protocol(), ec);
    if (!ec) socket_.non_blocking(true, ec);
    if (ec) {
      connected(attempt, ec);
      return;
    }
    socket_.set_option(asio::ip::tcp::no_delay(true), ec);
    if (attempt + 1 < addresses_.size()) {
      // The addresses that are left share the time that is left, so that one that does not answer leaves some.
      const auto left = deadline_.expiry() - Clock::now();
      connect_deadline_.expires_after(left / static_cast<long>(addresses_.size() - attempt));
      connect_deadline_.async_wait([self = shared_from_this(), run = run_](const error_code& timer) {
        error_code ignored;
        if (!timer && run == self->run_) self->socket_.cancel(ignored);
      });
    }
    socket_.async_connect(remote, [self = shared_from_this(), run = run_, attempt](const error_code& result) {
      if (run == self->run_) self->connected(attempt, result);
    });
  }

  void connected(std::size_t attempt, const error_code& ec) {
    connect_deadline_.cancel();
    if (ec && attempt + 1 < addresses_.size()) {
      connect(attempt + 1);
      return;
    }
    if (ec) {
      const std::string host =
          addresses_[attempt].is_v6() ? "[" + addresses_[attempt].to_string() + "]" : addresses_[attempt].to_string();
      std::string reason = ec == asio::error::connection_refused ? "connection refused" : ec.message();
      fail_get("dial tcp " + host + ":" + std::to_string(endpoint_.port) + ": connect: " + reason);
      return;
    }
    if (!endpoint_.tls) {
      send();
      return;
    }
    auto session = shared_.tls.connect(socket_.native_handle(), endpoint_.host);
    if (!session) {
      fail_get(session.error().message);
      return;
    }
    tls_ = std::move(*session);
    shake_hands();
  }

  void shake_hands() {
    switch (tls_->handshake()) {
      case TlsSession::Progress::done:
        send();
        break;
      case TlsSession::Progress::want_read:
        wait(asio::ip::tcp::socket::wait_read, &Fetcher::shake_hands);
        break;
      case TlsSession::Progress::want_write:
        wait(asio::ip::tcp::socket::wait_write, &Fetcher::shake_hands);
        break;
      default:
        fail_get(tls_->failure());
    }
  }

  void send() {
    unsent_ = "GET " + url_.path + " HTTP/1.1\r\nHost: " + url_.authority + "\r\n" + *request_->headers + "\r\n";
    write_more();
  }

  void write_more() {
    while (!unsent_.empty()) {
      std::size_t size = unsent_.size();
      switch (move_bytes([&](TlsSession& tls) { return tls.write(unsent_.data(), size); },
                         [&](error_code& ec) { size = socket_.write_some(asio::buffer(unsent_), ec); },
                         TlsSession::Progress::want_write)) {
        case TlsSession::Progress::done:
          unsent_.erase(0, size);
          continue;
        case TlsSession::Progress::want_read:
          wait(asio::ip::tcp::socket::wait_read, &Fetcher::write_more);
          return;
        case TlsSession::Progress::want_write:
          wait(asio::ip::tcp::socket::wait_write, &Fetcher::write_more);
          return;
        default:
          lost("write: " + failure());
          return;
      }
    }
    unsent_.shrink_to_fit();
    start_answer();
    wait(asio::ip::tcp::socket::wait_read, &Fetcher::read_more);
  }

  void start_answer() {
    give_back_parser();
    parser_.emplace();
    parser_->eager(true);
    parser_->header_limit(kHeaderLimit);
    parser_->body_limit(request_->body_limit);  // refuses a stated length at once; PageBody counts what comes
    auto& body = parser_->get().body();
    body.buffer = shared_.pages.take();
    body.limit = request_->body_limit;
    pending_.clear();
    answered_ = false;
  }

  void read_more() {
    for (int reads = 0; reads < kReadsInARow; ++reads) {
      std::size_t size = kReadSize;
      char* buffer = shared_.read_buffer.get();
      switch (move_bytes([&](TlsSession& tls) { return tls.read(buffer, size); },
                         [&](error_code& ec) { size = socket_.read_some(asio::buffer(buffer, kReadSize), ec); },
                         TlsSession::Progress::want_read)) {
        case TlsSession::Progress::done:
          if (!take({buffer, size})) return;
          // A socket that gave less than asked is empty; the next read would only say so.
          if (tls_ == nullptr && size < kReadSize) reads = kReadsInARow;
          break;
        case TlsSession::Progress::want_read:
          reads = kReadsInARow;
          break;
        case TlsSession::Progress::want_write:
          wait(asio::ip::tcp::socket::wait_write, &Fetcher::read_more);
          return;
        case TlsSession::Progress::closed:
          ended();
          return;
        case TlsSession::Progress::failed:
          lost(failure());
          return;
      }
    }
    // Bytes that TLS has already decrypted don't make the socket readable: it reads until nothing is left.
    if (tls_ != nullptr && tls_->pending()) {
      asio::post(shared_.io, [self = shared_from_this(), run = run_] {
        if (run == self->run_) self->read_more();
      });
      return;
    }
    wait(asio::ip::tcp::socket::wait_read, &Fetcher::read_more);
  }

  /// Feeds bytes to the parser. False when the answer is complete or refused.
  bool take(std::string_view bytes) {
    answered_ = true;
    if (!pending_.empty()) {
      pending_.append(bytes);
      bytes = pending_;
    }
    while (!bytes.empty() && !parser_->is_done()) {
      error_code ec;
      const std::size_t used = parser_->put(asio::buffer(bytes.data(), bytes.size()), ec);
      bytes.remove_prefix(used);
      if (ec && ec != http::error::need_more) {
        fail_get(describe(ec));
        return false;
      }
      if (parser_->is_header_done() && parser_->get().result_int() < 200 && parser_->is_done()) {
        auto rest = std::string(bytes);
        start_answer();
        pending_ = std::move(rest);
        bytes = pending_;
        continue;
      }
      if (ec == http::error::need_more) break;
    }
    if (parser_->is_header_done() && (parser_->is_done() || parser_->get().result_int() != 200)) {
      if (!bytes.empty()) close_after_ = true;
      complete();
      return false;
    }
    // The parser wants a whole header or chunk head at once.
    pending_ = std::string(bytes);
    if (pending_.size() > std::size_t{2} * kHeaderLimit) {
      fail_get("malformed HTTP response: endless header or chunk extension");
      return false;
    }
    return true;
  }

  void ended() {
    error_code ec;
    if (!answered_) {
      lost("EOF");
      return;
    }
    if (parser_->is_header_done()) {
      parser_->put_eof(ec);
    } else {
      ec = http::error::partial_message;
    }
    close_after_ = true;
    if (ec) {
      fail_get(describe(ec));
    } else {
      complete();
    }
  }

  /// The connection broke. A kept one may have been closed while nobody looked: that deserves one more try.
  void lost(const std::string& reason) {
    if (!reused_ || answered_) {
      fail_get(reason);
      return;
    }
    give_back_parser();
    close();
    reused_ = false;
    resolve();
  }

  // ---- the end ------------------------------------------------------------------------------------------------

  void complete() {
    const auto& answer = parser_->get();
    const unsigned status = answer.result_int();
    if (!parser_->is_done() || !parser_->keep_alive()) close_after_ = true;
    if (is_redirect(status) && answer.count(http::field::location) > 0) {
      redirect(std::string(answer[http::field::location]));
      return;
    }
    if (status != 200) {
      const auto reason = answer.reason();
      std::string text =
          reason.empty() ? std::string(http::obsolete_reason(answer.result())) : clean({reason.data(), reason.size()});
      fail({ErrorKind::unavailable, "server returned HTTP status " + std::to_string(status) + " " + text});
      return;
    }
    FetchResult result;
    result.body = std::move(parser_->get().body().buffer);
    result.transferred = result.body.size();
    std::string encoding = clean(std::string(answer[http::field::content_encoding]));
    std::transform(encoding.begin(), encoding.end(), encoding.begin(), [](unsigned char c) { return std::tolower(c); });
    if (encoding == "gzip" || encoding == "x-gzip") {
      PageBuffer unpacked = shared_.pages.take();
      result.status = shared_.gzip.unpack(result.body.view(), request_->body_limit, unpacked);
      std::swap(result.body, unpacked);
      shared_.pages.give(std::move(unpacked));
    } else if (!encoding.empty() && encoding != "identity") {
      result.status = bad_data("unsupported Content-Encoding \"" + encoding + "\"");
    }
    if (result.status.ok()) result.status = check_type(clean(std::string(answer[http::field::content_type])));
    if (result.status.ok()) result.body.end_line();
    finish(std::move(result));
  }

  /// Formats that were not asked for and would be misread: OpenMetrics counts seconds where text counts milliseconds.
  static Status check_type(const std::string& type) {
    for (std::string_view other : {"application/openmetrics-text", "application/vnd.google.protobuf"}) {
      if (type.starts_with(other)) return bad_data("unsupported Content-Type \"" + type + "\", expected text/plain");
    }
    return {};
  }

  void redirect(const std::string& location) {
    if (++redirects_ > kMostRedirects) {
      fail_get("stopped after 10 redirects");
      return;
    }
    auto next = resolve_location(url_, location);
    if (!next) {
      fail_get("redirect: " + clean(next.error().message));
      return;
    }
    give_back_parser();
    if (close_after_) close();
    url_ = std::move(*next);
    start_hop();
  }

  void fail_get(const std::string& reason, ErrorKind kind = ErrorKind::unavailable) {
    close_after_ = true;
    fail({kind, "Get \"" + url_.text + "\": " + reason});
  }

  void fail(Error error) {
    FetchResult result;
    result.status = std::move(error);
    finish(std::move(result));
  }

  void finish(FetchResult result) {
    ++run_;
    deadline_.cancel();
    connect_deadline_.cancel();
    give_back_parser();
    if (close_after_) close();
    auto done = std::move(done_);
    done_ = nullptr;
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

  void give_back_parser() {
    if (!parser_) return;
    shared_.pages.give(std::move(parser_->get().body().buffer));
    parser_.reset();
    pending_ = {};
  }

  void close() {
    error_code ignored;
    tls_.reset();
    socket_.close(ignored);
    close_after_ = false;
  }

  // ---- bytes --------------------------------------------------------------------------------------------------

  /// Moves bytes by TLS or plainly and says the same of both.
  template <class ByTls, class Plainly>
  TlsSession::Progress move_bytes(ByTls by_tls, Plainly plainly, TlsSession::Progress would_block) {
    if (tls_ != nullptr) return by_tls(*tls_);
    error_code ec;
    plainly(ec);
    if (!ec) return TlsSession::Progress::done;
    if (ec == asio::error::would_block || ec == asio::error::interrupted) return would_block;
    if (ec == asio::error::eof) return TlsSession::Progress::closed;
    last_error_ = ec;
    return TlsSession::Progress::failed;
  }

  std::string failure() const { return tls_ != nullptr ? tls_->failure() : describe(last_error_); }

  void wait(asio::ip::tcp::socket::wait_type what, void (Fetcher::*then)()) {
    socket_.async_wait(what, [self = shared_from_this(), run = run_, then](const error_code& ec) {
      if (run != self->run_) return;
      if (ec) {
        self->lost(describe(ec));
      } else {
        ((*self).*then)();
      }
    });
  }

  HttpClient::Shared& shared_;
  asio::ip::tcp::socket socket_;
  asio::steady_timer deadline_;
  asio::steady_timer connect_deadline_;
  std::unique_ptr<TlsSession> tls_;
  Endpoint endpoint_;  ///< of the open socket

  const FetchRequest* request_ = nullptr;
  std::function<void(FetchResult)> done_;
  HttpUrl url_;
  std::vector<asio::ip::address> addresses_;
  std::string unsent_;
  std::optional<Parser> parser_;
  std::string pending_;  ///< bytes that the parser could not take yet
  error_code last_error_;
  std::uint64_t run_ = 0;  ///< handlers of earlier fetches find another number and do nothing
  int redirects_ = 0;
  bool reused_ = false;
  bool answered_ = false;     ///< a byte of the answer has come
  bool starting_ = false;     ///< within fetch(), whose caller does not expect the end yet
  bool close_after_ = false;  ///< the connection can't be used again
};

}  // namespace

HttpClient::HttpClient(asio::io_context& io, PageBufferPool& pages) : shared_(std::make_unique<Shared>(io, pages)) {}
HttpClient::~HttpClient() = default;

std::shared_ptr<HttpFetcher> HttpClient::fetcher() { return std::make_shared<Fetcher>(*shared_); }

}  // namespace pipit
