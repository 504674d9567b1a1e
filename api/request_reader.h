#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace pipit {

struct RequestLimits {
  std::size_t request_line = 80 << 10;  ///< beyond: 414
  std::size_t head = 160 << 10;         ///< request line and headers; beyond: 431
  std::size_t header_count = 200;       ///< beyond: 431
  std::size_t body = 10 << 20;          ///< beyond: 413
};

/// A whole request, framed but not interpreted.
struct RawRequest {
  std::string method;
  std::string target;   ///< as sent: path and query string
  std::string headers;  ///< lines that end in CRLF
  std::string authorization;  ///< the header of that name, which is not among them
  std::string body;     ///< without chunk framing
  bool form = false;    ///< the body is application/x-www-form-urlencoded
  bool http_1_0 = false;
  bool keep_alive = true;
};

/// Cuts the bytes of a connection into requests, without ever waiting for more: that is what lets a connection
/// sit in epoll until a request is complete. Not thread-safe.
///
/// Memory is bounded by the limits plus one read. Requests that frame their body in two ways or in an unknown
/// one are refused, as they are how requests are smuggled past proxies.
class RequestReader {
 public:
  enum class State {
    idle,      ///< nothing of a request is there
    reading,   ///< a part is there
    complete,  ///< `take` gives it
    failed,    ///< `error_status` says why; the connection must be closed
  };

  explicit RequestReader(const RequestLimits& limits) : limits_(limits) {}

  /// Adds bytes. What follows a complete request waits for `take`.
  State feed(std::string_view bytes);
  State state() const { return state_; }
  /// REQUIRES: state() == complete. Goes on with the bytes that follow.
  RawRequest take();
  /// The request that `take` gives. REQUIRES: state() == complete.
  const RawRequest& request() const { return request_; }

  /// An HTTP status. REQUIRES: state() == failed.
  int error_status() const { return error_status_; }
  /// True once, when the client waits for "100 Continue" before it sends the body.
  bool take_expect_continue();
  /// Whether the head is complete and the body is not.
  bool in_body() const { return phase_ != Phase::request_line && phase_ != Phase::headers; }
  std::size_t buffered() const { return input_.size() + request_.body.size(); }
  bool has_input() const { return !input_.empty(); }

 private:
  enum class Phase { request_line, headers, sized_body, chunk_size, chunk_data, chunk_end, trailers, done };

  void advance();
  /// The next line without its end, or false when it is not there yet.
  bool next_line(std::string_view& line);
  bool parse_request_line(std::string_view line);
  bool parse_header(std::string_view line);
  void end_of_headers();
  bool parse_chunk_size(std::string_view line);
  /// False when more bytes are needed.
  bool step();
  bool read_head_line();
  bool read_chunk_line();
  bool read_data(Phase after);
  void fail(int status);

  RequestLimits limits_;
  State state_ = State::idle;
  Phase phase_ = Phase::request_line;
  std::string input_;
  std::size_t position_ = 0;  ///< of the first byte of input_ that is not consumed
  std::size_t scanned_ = 0;   ///< up to here there is no line end
  std::size_t head_bytes_ = 0;
  std::size_t header_count_ = 0;
  std::size_t remaining_ = 0;  ///< bytes of the body or chunk still to come
  bool has_length_ = false;
  bool has_host_ = false;
  bool chunked_ = false;
  bool expect_continue_ = false;
  int error_status_ = 0;
  RawRequest request_;
};

}  // namespace pipit
