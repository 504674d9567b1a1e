#include "api/request_reader.h"

#include <strings.h>

#include <algorithm>
#include <charconv>

namespace pipit {
namespace {

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  return a.size() == b.size() && strncasecmp(a.data(), b.data(), a.size()) == 0;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

/// RFC 9110, 5.6.2.
bool is_token(std::string_view text) {
  if (text.empty()) return false;
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  });
}

bool is_field_text(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    auto byte = static_cast<unsigned char>(c);
    return byte == '\t' || (byte >= 0x20 && byte != 0x7f);
  });
}

/// Whether the comma-separated list has the word.
bool list_has(std::string_view list, std::string_view word) {
  while (!list.empty()) {
    std::size_t comma = list.find(',');
    if (equals_ignoring_case(trim(list.substr(0, comma)), word)) return true;
    if (comma == std::string_view::npos) break;
    list.remove_prefix(comma + 1);
  }
  return false;
}

/// The whole text as a number without sign. False also on overflow.
bool parse_size(std::string_view text, int base, std::size_t& out) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out, base);
  return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

}  // namespace

RequestReader::State RequestReader::feed(std::string_view bytes) {
  if (state_ == State::failed) return state_;
  input_.append(bytes);
  advance();
  return state_;
}

RawRequest RequestReader::take() {
  RawRequest request = std::move(request_);
  request_ = RawRequest();
  phase_ = Phase::request_line;
  head_bytes_ = header_count_ = remaining_ = 0;
  has_length_ = has_host_ = chunked_ = expect_continue_ = false;
  // An idle connection must not keep the room of its last request.
  if (input_.empty()) std::string().swap(input_);
  advance();
  return request;
}

bool RequestReader::take_expect_continue() {
  bool expected = expect_continue_ && state_ == State::reading && in_body() && request_.body.empty();
  if (in_body()) expect_continue_ = false;
  return expected;
}

void RequestReader::advance() {
  while (state_ != State::failed && phase_ != Phase::done && step()) {
  }
  input_.erase(0, position_);
  scanned_ = scanned_ > position_ ? scanned_ - position_ : 0;
  position_ = 0;
  if (state_ == State::failed) {
    std::string().swap(input_);
    request_ = RawRequest();
  } else if (phase_ == Phase::done) {
    state_ = State::complete;
  } else {
    state_ = phase_ == Phase::request_line && input_.empty() ? State::idle : State::reading;
  }
}

bool RequestReader::step() {
  switch (phase_) {
    case Phase::request_line:
    case Phase::headers:
      return read_head_line();
    case Phase::sized_body:
      return read_data(Phase::done);
    case Phase::chunk_data:
      return read_data(Phase::chunk_end);
    case Phase::chunk_size:
    case Phase::chunk_end:
    case Phase::trailers:
      return read_chunk_line();
    case Phase::done:
      break;
  }
  return false;
}

bool RequestReader::next_line(std::string_view& line) {
  std::size_t end = input_.find('\n', std::max(position_, scanned_));
  if (end == std::string::npos) {
    scanned_ = input_.size();
    return false;
  }
  line = std::string_view(input_).substr(position_, end - position_);
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  head_bytes_ += end + 1 - position_;
  position_ = scanned_ = end + 1;
  return true;
}

bool RequestReader::read_head_line() {
  bool first = phase_ == Phase::request_line;
  std::string_view line;
  bool found = next_line(line);
  std::size_t pending = found ? line.size() : input_.size() - position_;
  if (first && pending > limits_.request_line) {
    fail(414);
    return false;
  }
  if (head_bytes_ + (found ? 0 : pending) > limits_.head) {
    fail(431);
    return false;
  }
  if (!found) return false;

  if (first) {
    // A client may send an empty line after a form; RFC 9112, 2.2.
    if (line.empty()) return true;
    if (!parse_request_line(line)) fail(400);
    phase_ = Phase::headers;
  } else if (line.empty()) {
    end_of_headers();
  } else if (++header_count_ > limits_.header_count) {
    fail(431);
  } else if (!parse_header(line)) {
    if (state_ != State::failed) fail(400);
  }
  return state_ != State::failed;
}

bool RequestReader::parse_request_line(std::string_view line) {
  std::size_t first = line.find(' ');
  std::size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) return false;
  std::string_view method = line.substr(0, first);
  std::string_view target = line.substr(first + 1, last - first - 1);
  std::string_view version = line.substr(last + 1);
  if (!is_token(method) || method.size() > 16 || target.empty() || !is_field_text(target)) return false;
  if (target.find(' ') != std::string_view::npos || target.find('\t') != std::string_view::npos) return false;
  if (version != "HTTP/1.1" && version != "HTTP/1.0") return false;

  // A proxy's absolute form; RFC 9112, 3.2.2.
  for (std::string_view scheme : {"http://", "https://"}) {
    if (!target.starts_with(scheme)) continue;
    std::size_t slash = target.find('/', scheme.size());
    target = slash == std::string_view::npos ? std::string_view("/") : target.substr(slash);
  }
  request_.method = method;
  request_.target = target;
  request_.http_1_0 = version == "HTTP/1.0";
  // The keep-alive that some clients of HTTP/1.0 ask for is not worth a second way to end bodies.
  request_.keep_alive = !request_.http_1_0;
  return true;
}

bool RequestReader::parse_header(std::string_view line) {
  std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return false;
  std::string_view name = line.substr(0, colon);
  std::string_view value = trim(line.substr(colon + 1));
  if (!is_token(name) || !is_field_text(value)) return false;

  if (equals_ignoring_case(name, "Content-Length")) {
    std::size_t length = 0;
    if (value.empty() || value.find_first_not_of("0123456789") != std::string_view::npos) return false;
    if (!parse_size(value, 10, length) || length > limits_.body) {
      fail(413);
      return false;
    }
    if (has_length_ && length != remaining_) return false;
    has_length_ = true;
    remaining_ = length;
  } else if (equals_ignoring_case(name, "Transfer-Encoding")) {
    if (chunked_ || !equals_ignoring_case(value, "chunked")) return false;
    chunked_ = true;
  } else if (equals_ignoring_case(name, "Connection")) {
    if (list_has(value, "close")) request_.keep_alive = false;
  } else if (equals_ignoring_case(name, "Expect")) {
    expect_continue_ = equals_ignoring_case(value, "100-continue");
  } else if (equals_ignoring_case(name, "Authorization")) {
    if (!request_.authorization.empty()) return false;  // which of the two counts?
    request_.authorization = value;
  } else {
    if (equals_ignoring_case(name, "Host")) {
      if (has_host_) return false;  // one of them is what cross-site requests are told by
      has_host_ = true;
    }
    if (equals_ignoring_case(name, "Content-Type")) {
      request_.form = equals_ignoring_case(trim(value.substr(0, value.find(';'))), "application/x-www-form-urlencoded");
    }
    request_.headers.append(name).append(": ").append(value).append("\r\n");
  }
  return true;
}

void RequestReader::end_of_headers() {
  if (chunked_ && (has_length_ || request_.http_1_0)) return fail(400);
  if (chunked_) {
    phase_ = Phase::chunk_size;
    head_bytes_ = 0;
  } else {
    phase_ = remaining_ > 0 ? Phase::sized_body : Phase::done;
  }
}

bool RequestReader::read_chunk_line() {
  std::string_view line;
  bool found = next_line(line);
  // Chunk extensions and trailers are read over, within the bound of a head for each chunk.
  std::size_t pending = found ? line.size() : input_.size() - position_;
  if (pending > limits_.request_line || (phase_ == Phase::trailers && head_bytes_ > limits_.head)) {
    fail(431);
    return false;
  }
  if (!found) return false;
  if (phase_ == Phase::chunk_size) {
    if (!parse_chunk_size(line)) {
      if (state_ != State::failed) fail(400);
    } else {
      phase_ = remaining_ > 0 ? Phase::chunk_data : Phase::trailers;
      head_bytes_ = 0;
    }
  } else if (phase_ == Phase::chunk_end) {
    if (!line.empty()) fail(400);
    phase_ = Phase::chunk_size;
  } else if (line.empty()) {
    phase_ = Phase::done;
  }
  return state_ != State::failed;
}

bool RequestReader::parse_chunk_size(std::string_view line) {
  if (!parse_size(trim(line.substr(0, line.find(';'))), 16, remaining_)) return false;
  if (remaining_ > limits_.body - std::min(limits_.body, request_.body.size())) {
    fail(413);
    return false;
  }
  return true;
}

bool RequestReader::read_data(Phase after) {
  std::size_t take_now = std::min(remaining_, input_.size() - position_);
  request_.body.append(input_, position_, take_now);
  position_ += take_now;
  remaining_ -= take_now;
  scanned_ = position_;
  if (remaining_ > 0) return false;
  phase_ = after;
  return true;
}

void RequestReader::fail(int status) {
  state_ = State::failed;
  error_status_ = status;
}

}  // namespace pipit
