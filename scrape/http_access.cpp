#include "scrape/http_access.h"

#include <openssl/evp.h>

#include <algorithm>

#include "scrape/http_client.h"
#include "scrape/oauth2.h"

namespace pipit {
namespace {

std::string authority_of(const Endpoint& endpoint) {
  const bool v6 = endpoint.host.find(':') != std::string::npos;
  return (v6 ? "[" + endpoint.host + "]" : endpoint.host) + ":" + std::to_string(endpoint.port);
}

SecretSource or_none(const std::optional<BasicAuth>& auth, SecretSource BasicAuth::*part) {
  return auth ? (*auth).*part : SecretSource();
}

}  // namespace

Result<std::string> header_line(const std::string& name, const std::string& value) {
  if (std::any_of(value.begin(), value.end(), [](unsigned char c) { return (c < ' ' && c != '\t') || c == 0x7f; })) {
    return bad_data("invalid value of header " + name + ": it has control characters");
  }
  return name + ": " + value + "\r\n";
}

std::string base64(std::string_view text) {
  std::string out(4 * ((text.size() + 2) / 3) + 1, '\0');
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                   reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
  out.resize(static_cast<std::size_t>(size));
  return out;
}

HttpAccess::HttpAccess(HttpClient& client, const HttpClientConfig& config)
    : tls_(config.tls),
      proxies_(config.proxy),
      follows_redirects_(config.follow_redirects),
      has_basic_auth_(config.basic_auth.has_value()),
      username_(or_none(config.basic_auth, &BasicAuth::username)),
      password_(or_none(config.basic_auth, &BasicAuth::password)),
      authorization_type_(config.authorization ? config.authorization->type : ""),
      authorization_(config.authorization ? config.authorization->credentials : SecretSource()) {
  for (const auto& [name, values] : config.proxy.connect_headers) {
    for (const std::string& value : values) {
      if (const auto line = header_line(name, value); line.ok()) connect_headers_ += *line;
    }
  }
  for (const HttpHeader& header : config.headers) {
    Header& kept = headers_.emplace_back();
    kept.name = header.name;
    for (const std::string& value : header.values) kept.values.emplace_back(SecretSource{value, {}});
    for (const std::string& file : header.files) kept.values.emplace_back(SecretSource{{}, file});
  }
  if (config.oauth2) tokens_ = std::make_shared<OAuth2Tokens>(client, *config.oauth2);
}

HttpAccess::~HttpAccess() { stop(); }

void HttpAccess::stop() {
  if (tokens_) tokens_->stop();
}

Result<HttpRoute> HttpAccess::route(const HttpUrl& url, bool& by_proxy) const {
  HttpRoute route;
  route.endpoint = url.endpoint;
  const auto proxy = proxies_.proxy_for(url);
  if (!proxy.ok()) return proxy.error();
  by_proxy = proxy->has_value() && !url.endpoint.tls;
  if (!proxy->has_value()) return route;
  route.proxy = (*proxy)->endpoint;
  if (by_proxy) {
    route.endpoint = {};  // one connection to the proxy serves whatever it is asked for
    return route;
  }
  const auto credentials = proxy_headers(url);
  if (!credentials.ok()) return credentials.error();
  const std::string authority = authority_of(url.endpoint);
  route.tunnel_head =
      "CONNECT " + authority + " HTTP/1.1\r\nHost: " + authority + "\r\n" + *credentials + connect_headers_ + "\r\n";
  return route;
}

Result<std::string> HttpAccess::proxy_headers(const HttpUrl& url) const {
  const auto proxy = proxies_.proxy_for(url);
  if (!proxy.ok()) return proxy.error();
  if (!proxy->has_value() || (*proxy)->user_info.empty()) return std::string();
  return "Proxy-Authorization: Basic " + base64((*proxy)->user_info) + "\r\n";
}

Result<std::string> HttpAccess::headers() {
  std::string lines;
  if (has_basic_auth_) {
    const auto username = username_.read();
    if (!username.ok()) return username.error();
    const auto password = password_.read();
    if (!password.ok()) return password.error();
    lines += "Authorization: Basic " + base64(**username + ":" + **password) + "\r\n";
  }
  if (!authorization_type_.empty()) {
    const auto secret = authorization_.read();
    if (!secret.ok()) return secret.error();
    auto line =
        header_line("Authorization", (**secret).empty() ? authorization_type_ : authorization_type_ + " " + **secret);
    if (!line.ok()) return line;
    lines += *line;
  }
  for (Header& header : headers_) {
    for (Secret& value : header.values) {
      const auto text = value.read();
      if (!text.ok()) return text.error();
      auto line = header_line(header.name, **text);
      if (!line.ok()) return line;
      lines += *line;
    }
  }
  return lines;
}

void HttpAccess::credentials(const std::function<void(Result<std::string>)>& then) {
  auto lines = headers();
  if (!lines.ok() || tokens_ == nullptr) {
    then(std::move(lines));
    return;
  }
  tokens_->get([then, lines = std::move(*lines)](const Result<std::string>& token) {
    if (!token.ok()) {
      then(token.error());
      return;
    }
    auto line = header_line("Authorization", *token);
    if (line.ok()) *line += lines;
    then(std::move(line));
  });
}

}  // namespace pipit
