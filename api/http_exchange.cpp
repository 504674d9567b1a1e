#include "api/http_exchange.h"

#include <httplib.h>
#include <strings.h>

#include <algorithm>
#include <cstring>
#include <ctime>
#include <exception>
#include <utility>

#include "api/body_encoding.h"
#include "model/regex_budget.h"
#include "telemetry/log.h"

namespace pipit {
namespace {

/// Beyond this, cpp-httplib refuses a line.
constexpr std::size_t kHttplibLineLimit = 8000;
/// A smaller body is not worth compressing.
constexpr std::size_t kMinEncodedBytes = 1024;

/// Reads from memory, writes to memory.
class MemoryStream final : public httplib::Stream {
 public:
  explicit MemoryStream(std::string input) : input_(std::move(input)) {}

  bool is_readable() const override { return position_ < input_.size(); }
  bool is_writable() const override { return true; }
  ssize_t read(char* data, std::size_t size) override {
    std::size_t n = std::min(size, input_.size() - position_);
    std::memcpy(data, input_.data() + position_, n);
    position_ += n;
    return static_cast<ssize_t>(n);
  }
  ssize_t write(const char* data, std::size_t size) override {
    output.append(data, size);
    return static_cast<ssize_t>(size);
  }
  void get_remote_ip_and_port(std::string&, int&) const override {}
  void get_local_ip_and_port(std::string&, int&) const override {}
  /// cpp-httplib checks only that it is below FD_SETSIZE.
  socket_t socket() const override { return 0; }

  std::string output;

 private:
  std::string input_;
  std::size_t position_ = 0;
};

/// Of a request under way: what cpp-httplib's callbacks have no way to pass on.
struct Exchange {
  RawRequest& raw;
  const std::atomic<bool>& canceled;
  ContentCoding coding = ContentCoding::identity;
  std::unique_ptr<BodySource> rest = nullptr;
};
thread_local Exchange* current_exchange = nullptr;

bool has_prefix_ignoring_case(std::string_view line, std::string_view prefix) {
  return line.size() >= prefix.size() && strncasecmp(line.data(), prefix.data(), prefix.size()) == 0;
}

/// The request that cpp-httplib sees. Reads from the headers what it is not shown.
std::string shortened_request(const RawRequest& raw, std::string_view path, Exchange& exchange) {
  std::string text;
  text.append(raw.method).append(" ").append(path).append(raw.http_1_0 ? " HTTP/1.0\r\n" : " HTTP/1.1\r\n");
  std::string_view headers = raw.headers;
  while (!headers.empty()) {
    std::size_t end = headers.find("\r\n");
    std::string_view line = headers.substr(0, end);
    headers.remove_prefix(end + 2);
    if (has_prefix_ignoring_case(line, "Accept-Encoding:")) {
      exchange.coding = std::max(exchange.coding, best_coding(line.substr(16)));
    } else if (line.size() < kHttplibLineLimit && !has_prefix_ignoring_case(line, "Range:")) {
      text.append(line).append("\r\n");
    }
  }
  text.append(raw.keep_alive ? "Connection: Keep-Alive\r\n\r\n" : "Connection: close\r\n\r\n");
  return text;
}

HttpRequest interpreted_request(const httplib::Request& request, const Exchange& exchange) {
  HttpRequest out;
  out.method = request.method;
  out.path = request.path;
  out.origin = request.get_header_value("Origin");
  out.host = request.get_header_value("Host");
  out.fetch_site = request.get_header_value("Sec-Fetch-Site");
  out.content_type = request.get_header_value("Content-Type");
  out.content_encoding = request.get_header_value("Content-Encoding");
  out.accept = request.get_header_value("Accept");
  out.authorization = exchange.raw.authorization;
  out.canceled = &exchange.canceled;
  if (exchange.raw.form) {
    out.form_status = out.form.parse(exchange.raw.body);
    std::string().swap(exchange.raw.body);
  } else {
    out.body = std::move(exchange.raw.body);
  }
  std::string_view target = exchange.raw.target;
  target = target.substr(0, target.find('#'));
  std::size_t question_mark = target.find('?');
  if (out.form_status.ok() && question_mark != std::string_view::npos) {
    out.form_status = out.form.parse(target.substr(question_mark + 1));
  }
  return out;
}

/// Made once a second.
const std::string& http_date() {
  thread_local std::time_t at = -1;
  thread_local std::string text;
  const std::time_t now = std::time(nullptr);
  if (now == at) return text;
  at = now;
  std::tm utc{};
  gmtime_r(&now, &utc);
  char buffer[64];
  text.assign(buffer, std::strftime(buffer, sizeof buffer, "%a, %d %b %Y %H:%M:%S GMT", &utc));
  return text;
}

/// Hands `response` to cpp-httplib, except a body that is still to be made, which goes to `exchange`.
void hand_over(HttpResponse response, const httplib::Request& request, Exchange& exchange, httplib::Response& out) {
  // An answer that turns out short needs no chunks.
  bool more = response.rest != nullptr;
  while (more && response.body.size() < BodySource::kPieceBytes / 2) more = response.rest->next(response.body);

  out.status = response.status;
  out.set_header("Date", http_date());
  for (const auto& [name, value] : response.headers) out.set_header(name, value);
  const bool encoded_already = std::any_of(response.headers.begin(), response.headers.end(),
                                           [](const auto& header) { return header.first == "Content-Encoding"; });
  const bool large = more || response.body.size() >= kMinEncodedBytes;
  const ContentCoding coding = encoded_already || !large ? ContentCoding::identity : exchange.coding;
  const bool compress = coding != ContentCoding::identity;
  if (large) out.headers.emplace("Vary", "Accept-Encoding");
  if (compress) out.set_header("Content-Encoding", std::string(coding_name(coding)));
  if (!more) {
    if (compress) response.body = encoded(coding, response.body);
    if (!response.body.empty()) out.set_content(response.body, response.content_type);
    return;
  }
  // A provider that gives up at once leaves just the head; the body is sent as fast as the client takes it.
  auto nothing = [](std::size_t, httplib::DataSink&) { return false; };
  auto source = concatenated(std::move(response.body), std::move(response.rest));
  if (compress) source = encoded(coding, std::move(source));
  if (request.version == "HTTP/1.0") {
    out.set_content_provider(response.content_type, nothing);  // ends with the connection
  } else {
    out.set_chunked_content_provider(response.content_type, nothing);
    source = chunked(std::move(source));
  }
  if (request.method != "HEAD") exchange.rest = std::move(source);
}

}  // namespace

class HttpExchange::HttplibServer final : public httplib::Server {
 public:
  HttplibServer(HttpExchange::Handler handler, DurationMs keep_alive) : handler_(std::move(handler)) {
    set_keep_alive_timeout(std::max<time_t>(1, keep_alive / 1000));
    set_keep_alive_max_count(1'000'000);
    // cpp-httplib's own router tries one std::regex after the other; this takes its place.
    set_pre_routing_handler([this](const httplib::Request& request, httplib::Response& response) {
      Exchange& exchange = *current_exchange;
      HttpResponse answer;
      try {
        const RegexBudget budget;
        answer = handler_(interpreted_request(request, exchange));
      } catch (const std::exception& e) {
        log_error("A request failed.", {{"path", request.path}, {"error", e.what()}});
        answer = HttpResponse();
        answer.status = 500;
        answer.body = "Internal Server Error\n";
      }
      hand_over(std::move(answer), request, exchange, response);
      return HandlerResponse::Handled;
    });
  }

  EncodedAnswer answer(RawRequest raw, const std::atomic<bool>& canceled) {
    std::string_view path = std::string_view(raw.target);
    path = path.substr(0, path.find_first_of("?#"));
    if (path.size() > kHttplibLineLimit) return {error_answer(414), nullptr, true};

    Exchange exchange{raw, canceled};
    MemoryStream stream(shortened_request(raw, path, exchange));
    bool closed = false;
    current_exchange = &exchange;
    // False only says that the content provider gave up, which it does on purpose.
    process_request(stream, !raw.keep_alive, closed, nullptr);
    current_exchange = nullptr;
    if (stream.output.empty()) return {error_answer(400), nullptr, true};
    return {std::move(stream.output), std::move(exchange.rest), closed || !raw.keep_alive};
  }

 private:
  HttpExchange::Handler handler_;
};

HttpExchange::HttpExchange(Handler handler, DurationMs keep_alive)
    : server_(std::make_unique<HttplibServer>(std::move(handler), keep_alive)) {}

HttpExchange::~HttpExchange() = default;

EncodedAnswer HttpExchange::answer(RawRequest request, const std::atomic<bool>& canceled) {
  return server_->answer(std::move(request), canceled);
}

std::string HttpExchange::error_answer(int status) {
  std::string_view reason = "Bad Request";
  if (status == 413) reason = "Content Too Large";
  if (status == 414) reason = "URI Too Long";
  if (status == 431) reason = "Request Header Fields Too Large";
  if (status == 408) reason = "Request Timeout";
  if (status == 503) reason = "Service Unavailable";
  std::string body = std::string(reason) + "\n";
  return "HTTP/1.1 " + std::to_string(status) + " " + std::string(reason) +
         "\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\n\r\n" + body;
}

}  // namespace pipit
