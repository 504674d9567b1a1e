#include "scrape/http_answer.h"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/buffers_iterator.hpp>
#include <boost/beast/http/parser.hpp>

namespace pipit {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;

namespace {

constexpr std::uint32_t kHeaderLimit = 64 << 10;

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

std::string describe(const error_code& ec) {
  if (ec == http::error::body_limit) return "body size limit exceeded";
  if (ec == http::error::partial_message) return "unexpected EOF";
  return "malformed HTTP response: " + ec.message();
}

std::string clean(std::string_view text) {
  std::string out(text.substr(0, 200));
  std::replace_if(
      out.begin(), out.end(), [](unsigned char c) { return c < ' ' || c == 0x7f; }, '?');
  return out;
}

std::string_view view_of(boost::beast::string_view text) { return {text.data(), text.size()}; }

}  // namespace

struct HttpAnswer::Parser : http::response_parser<PageBody> {};

HttpAnswer::HttpAnswer(PageBufferPool& pages, std::uint64_t limit, bool whole)
    : pages_(pages), limit_(limit), whole_(whole) {
  start();
}

HttpAnswer::~HttpAnswer() { pages_.give(take_body()); }

void HttpAnswer::start() {
  if (parser_) pages_.give(take_body());
  parser_ = std::make_unique<Parser>();
  parser_->eager(true);
  parser_->header_limit(kHeaderLimit);
  parser_->body_limit(limit_);  // refuses a stated length at once; PageBody counts what comes
  auto& body = parser_->get().body();
  body.buffer = pages_.take();
  body.limit = limit_;
}

HttpAnswer::Progress HttpAnswer::fail(std::string why) {
  fault_ = std::move(why);
  return Progress::failed;
}

HttpAnswer::Progress HttpAnswer::take(std::string_view bytes) {
  begun_ = true;
  std::string joined;
  if (!pending_.empty()) {
    joined = std::exchange(pending_, {});
    joined.append(bytes);
    bytes = joined;
  }
  while (!bytes.empty() && !parser_->is_done()) {
    error_code ec;
    bytes.remove_prefix(parser_->put(asio::buffer(bytes.data(), bytes.size()), ec));
    if (ec && ec != http::error::need_more) return fail(describe(ec));
    if (parser_->is_header_done() && parser_->get().result_int() < 200 && parser_->is_done()) {
      start();  // 100 Continue and its like go before the answer
      continue;
    }
    if (ec == http::error::need_more) break;
  }
  if (parser_->is_header_done() && (parser_->is_done() || (!whole_ && parser_->get().result_int() != 200))) {
    excess_ = !bytes.empty();
    return Progress::complete;
  }
  // The parser wants a whole header or chunk head at once.
  pending_ = std::string(bytes);
  if (pending_.size() > std::size_t{2} * kHeaderLimit) {
    return fail("malformed HTTP response: endless header or chunk extension");
  }
  return Progress::more;
}

HttpAnswer::Progress HttpAnswer::end() {
  error_code ec = http::error::partial_message;
  if (parser_->is_header_done()) parser_->put_eof(ec);
  excess_ = true;
  return ec ? fail(describe(ec)) : Progress::complete;
}

unsigned HttpAnswer::status() const { return parser_->get().result_int(); }

std::string HttpAnswer::reason() const {
  const auto reason = view_of(parser_->get().reason());
  return reason.empty() ? std::string(view_of(http::obsolete_reason(parser_->get().result()))) : clean(reason);
}

std::string HttpAnswer::header(std::string_view name) const {
  return clean(view_of(parser_->get()[boost::beast::string_view(name.data(), name.size())]));
}

std::string HttpAnswer::location() const { return std::string(view_of(parser_->get()[http::field::location])); }

bool HttpAnswer::keeps_connection() const { return !excess_ && parser_->is_done() && parser_->keep_alive(); }

PageBuffer HttpAnswer::take_body() { return std::move(parser_->get().body().buffer); }

}  // namespace pipit
