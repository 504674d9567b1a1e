#include "tools/query_client.h"

#include <httplib.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <optional>

#include "config/config_file.h"
#include "tools/request_watch.h"

namespace pipit {
namespace {

constexpr std::size_t kMaxUrl = 4096;
constexpr std::size_t kMaxAnswer = std::size_t{512} << 20;
constexpr int kConnectTimeoutSeconds = 10;

/// `http://user:password@host:port/prefix`, taken apart.
struct ServerUrl {
  std::string origin;  ///< scheme, host and port
  std::string prefix;  ///< "" or "/x", without a slash at the end
  std::string user, password;
};

std::optional<std::string> percent_decode(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    const auto digit = [&](std::size_t at) {
      const char c = at < text.size() ? text[at] : ' ';
      return c >= '0' && c <= '9'   ? c - '0'
             : c >= 'a' && c <= 'f' ? c - 'a' + 10
             : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                    : -1;
    };
    if (digit(i + 1) < 0 || digit(i + 2) < 0) return std::nullopt;
    out += static_cast<char>(digit(i + 1) * 16 + digit(i + 2));
    i += 2;
  }
  return out;
}

Result<ServerUrl> parse_url(std::string_view url) {
  const Error wrong =
      bad_data("--url: \"" + std::string(url.substr(0, 200)) + "\" is not of the form http://HOST[:PORT][/PREFIX]");
  const std::size_t scheme_end = url.find("://");
  if (url.size() > kMaxUrl || scheme_end == std::string_view::npos) return wrong;
  const std::string_view scheme = url.substr(0, scheme_end);
  if (scheme != "http" && scheme != "https") return wrong;
  std::string_view rest = url.substr(scheme_end + 3);
  if (rest.find_first_of("?#") != std::string_view::npos) return wrong;
  const std::size_t slash = rest.find('/');
  ServerUrl parsed;
  if (slash != std::string_view::npos) {
    parsed.prefix = rest.substr(slash);
    while (parsed.prefix.ends_with('/')) parsed.prefix.pop_back();
    rest = rest.substr(0, slash);
  }
  if (const std::size_t at = rest.rfind('@'); at != std::string_view::npos) {
    const std::string_view credentials = rest.substr(0, at);
    const std::size_t colon = std::min(credentials.find(':'), credentials.size());
    const auto user = percent_decode(credentials.substr(0, colon));
    const auto password = percent_decode(colon < credentials.size() ? credentials.substr(colon + 1) : "");
    if (!user || !password) return wrong;
    parsed.user = *user;
    parsed.password = *password;
    rest = rest.substr(at + 1);
  }
  if (rest.empty()) return wrong;
  parsed.origin = std::string(scheme) + "://" + std::string(rest);
  return parsed;
}

std::string seconds(std::int64_t ms) {
  char text[32];
  std::snprintf(text, sizeof(text), "%lld.%03lld", static_cast<long long>(ms / 1000),
                static_cast<long long>(ms % 1000));
  return text;
}

/// The API takes times before 1970 too, which a remainder must not turn around.
std::string api_time(TimestampMs t) { return t < 0 ? "-" + seconds(-t) : seconds(t); }

std::string form_encode(std::string_view text) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
        c == '-') {
      out += c;
    } else {
      out += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
    }
  }
  return out;
}

std::string form(const ApiRequest& request) {
  std::string text;
  for (const auto& [name, value] : request.fields) {
    if (!text.empty()) text += '&';
    text += form_encode(name) + '=' + form_encode(value);
  }
  return text;
}

std::string reason(httplib::Error error) {
  switch (error) {
    case httplib::Error::Connection:
      return "can't connect";
    case httplib::Error::ConnectionTimeout:
      return "connecting took too long";
    case httplib::Error::Read:
      return "the connection ended, or nothing came within --timeout";
    case httplib::Error::SSLServerVerification:
      return "the server's certificate is not to be trusted; --ca-file names its authority";
    case httplib::Error::SSLConnection:
      return "TLS could not be agreed on";
    case httplib::Error::SSLLoadingCerts:
      return "the certificates of --ca-file could not be read";
    default:
      return httplib::to_string(error);
  }
}

/// The text of a file that holds one secret, without the line's end.
Result<std::string> read_secret(const std::string& path) {
  auto text = read_config_file(path);
  if (!text) return text;
  while (text->ends_with('\n') || text->ends_with('\r')) text->pop_back();
  return text;
}

/// Sets what `access` and the URL say about who asks, and whom to trust.
Status authorize(const ServerUrl& url, const ServerAccess& access, httplib::Client& client) {
  std::string user = url.user;
  std::string password = url.password;
  if (!access.user.empty()) {
    const std::size_t colon = std::min(access.user.find(':'), access.user.size());
    user = access.user.substr(0, colon);
    password = colon < access.user.size() ? access.user.substr(colon + 1) : "";
  }
  if (!access.password_file.empty()) {
    auto secret = read_secret(access.password_file);
    if (!secret) return secret.error();
    password = std::move(*secret);
  }
  if (!user.empty()) client.set_basic_auth(user, password);
  if (!access.bearer_token_file.empty()) {
    const auto token = read_secret(access.bearer_token_file);
    if (!token) return token.error();
    client.set_bearer_token_auth(*token);
  }
  if (!access.ca_file.empty()) client.set_ca_cert_path(access.ca_file);
  client.enable_server_certificate_verification(!access.insecure);
  return {};
}

std::atomic<bool> interrupted{false};

/// `request.path` follows the URL's prefix.
Result<ServerReply> send(const std::string& server, const ServerAccess& access, httplib::Request request,
                         DurationMs timeout_ms) {
  const Result<ServerUrl> url = parse_url(server);
  if (!url) return url.error();
  for (const std::string& file : {access.ca_file, access.cert_file, access.key_file}) {
    // cpp-httplib would not say what is wrong.
    if (const auto text = file.empty() ? Result<std::string>("") : read_config_file(file); !text) {
      return text.error();
    }
  }
  const std::string& key_file = access.key_file.empty() ? access.cert_file : access.key_file;
  httplib::Client client(url->origin, access.cert_file, key_file);
  if (!client.is_valid()) return bad_data("--url: \"" + url->origin + "\" names no server");
  const auto timeout = std::chrono::milliseconds(timeout_ms);
  client.set_connection_timeout(std::min(timeout, std::chrono::milliseconds(kConnectTimeoutSeconds * 1000)));
  client.set_read_timeout(timeout);
  client.set_write_timeout(timeout);
  client.set_tcp_nodelay(true);
  if (Status status = authorize(*url, access, client); !status.ok()) return status.error();

  ServerReply answer;
  answer.origin = url->origin;
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  const char* cut_short = nullptr;
  std::atomic<std::size_t> received{0};
  const RequestWatch watch(received, interrupted, [&client] { client.stop(); });
  request.path = url->prefix + request.path;
  request.headers.emplace("Accept-Encoding", "gzip");
  request.content_receiver = [&](const char* data, std::size_t size, std::uint64_t, std::uint64_t) {
    if (answer.body.size() + size > kMaxAnswer) cut_short = "the answer is larger than 512 MiB";
    if (std::chrono::steady_clock::now() > deadline) cut_short = "the answer took longer than --timeout";
    if (cut_short || interrupted) return false;
    answer.body.append(data, size);
    received = answer.body.size();
    return true;
  };
  const httplib::Result result = client.send(request);
  if (interrupted) return Error{ErrorKind::canceled, "interrupted"};
  if (!result) {
    return Error{ErrorKind::unavailable,
                 "no answer from " + url->origin + ": " + (cut_short ? cut_short : reason(result.error()))};
  }
  answer.status = result->status;
  return answer;
}

}  // namespace

ApiRequest api_request(const QueryOptions& options) {
  ApiRequest request;
  const auto add_span = [&] {
    request.fields.emplace_back("start", api_time(options.start));
    request.fields.emplace_back("end", api_time(options.end));
  };
  for (const std::string& match : options.matches) request.fields.emplace_back("match[]", match);
  if (options.limit > 0) request.fields.emplace_back("limit", std::to_string(options.limit));
  switch (options.kind) {
    case QueryKind::instant:
    case QueryKind::range:
      request.path = options.is_range() ? "/api/v1/query_range" : "/api/v1/query";
      request.fields = {{"query", options.expr}, {"timeout", seconds(options.timeout)}};
      if (options.explain) request.fields.emplace_back("explain", "1");
      if (options.is_range()) {
        add_span();
        request.fields.emplace_back("step", seconds(options.step));
      } else {
        request.fields.emplace_back("time", api_time(options.end));
      }
      return request;
    case QueryKind::exemplars:
      request.path = "/api/v1/query_exemplars";
      request.fields.emplace_back("query", options.expr);
      break;
    case QueryKind::series:
      request.path = "/api/v1/series";
      break;
    case QueryKind::labels:
      request.path = options.expr.empty() ? "/api/v1/labels" : "/api/v1/label/" + form_encode(options.expr) + "/values";
      request.post = options.expr.empty();
      break;
    case QueryKind::metrics:
      request.path = "/api/v1/metadata";
      request.fields = {{"limit_per_metric", "1"}};
      request.post = false;
      break;
  }
  if (options.has_span) add_span();
  return request;
}

Result<ServerReply> send_request(const QueryOptions& options, const ApiRequest& request) {
  httplib::Request http;
  http.method = request.post ? "POST" : "GET";
  http.path = request.path;
  if (request.post) {
    http.headers = {{"Content-Type", "application/x-www-form-urlencoded"}};
    http.body = form(request);
  } else if (!request.fields.empty()) {
    http.path += '?' + form(request);
  }
  return send(options.url, options.access, std::move(http), options.timeout);
}

Result<ServerReply> send_get(const std::string& url, const std::string& path, DurationMs timeout) {
  httplib::Request request;
  request.method = "GET";
  request.path = path;
  return send(url, ServerAccess(), std::move(request), timeout);
}

Result<ServerReply> send_json(const std::string& url, const ServerAccess& access, const std::string& method,
                              const ApiRequest& request, const std::string& json, DurationMs timeout) {
  httplib::Request http;
  http.method = method;
  http.path = request.path;
  if (!request.fields.empty()) http.path += '?' + form(request);
  if (!json.empty()) {
    http.headers = {{"Content-Type", "application/json"}};
    http.body = json;
  }
  return send(url, access, std::move(http), timeout);
}

std::string server_origin(const std::string& url) {
  const Result<ServerUrl> parsed = parse_url(url);
  return parsed ? parsed->origin : std::string();
}

void interrupt_request() { interrupted = true; }

bool take_interrupt() { return interrupted.exchange(false); }

}  // namespace pipit
