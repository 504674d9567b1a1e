// Source of the rules: golang.org/x/net/http/httpproxy, which Prometheus uses.

#include "scrape/proxy.h"

#include <arpa/inet.h>

#include <array>
#include <cctype>
#include <charconv>
#include <cstdlib>
#include <cstring>

namespace pipit {
namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

/// 16 bytes, IPv4 mapped into IPv6.
using Address = std::array<unsigned char, 16>;

std::optional<Address> parse_address(std::string_view text) {
  if (text.size() > 1 && text.front() == '[' && text.back() == ']') text = text.substr(1, text.size() - 2);
  const std::string copy(text);
  Address out{};
  if (inet_pton(AF_INET6, copy.c_str(), out.data()) == 1) return out;
  in_addr v4{};
  if (inet_pton(AF_INET, copy.c_str(), &v4) != 1) return std::nullopt;
  out[10] = out[11] = 0xff;
  std::memcpy(out.data() + 12, &v4, sizeof v4);
  return out;
}

bool is_loopback(const std::string& host) {
  if (host == "localhost") return true;
  const auto address = parse_address(host);
  if (!address) return false;
  const bool v4 = (*address)[10] == 0xff && (*address)[11] == 0xff && (*address)[0] == 0;
  if (v4) return (*address)[12] == 127;
  Address one{};
  one[15] = 1;
  return *address == one;
}

bool same_prefix(const Address& a, const Address& b, unsigned bits) {
  for (unsigned i = 0; i < bits; ++i) {
    const unsigned mask = 0x80u >> (i % 8);
    if ((a[i / 8] & mask) != (b[i / 8] & mask)) return false;
  }
  return true;
}

bool is_in_range(std::string_view range, const std::string& host) {
  const std::size_t slash = range.find('/');
  const auto base = parse_address(range.substr(0, slash));
  const auto address = parse_address(host);
  if (!base || !address) return false;
  unsigned bits = 0;
  const std::string_view digits = range.substr(slash + 1);
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
  const bool v4 = range.substr(0, slash).find(':') == std::string_view::npos;
  if (error != std::errc() || end != digits.data() + digits.size() || bits > (v4 ? 32u : 128u)) return false;
  return same_prefix(*base, *address, v4 ? bits + 96 : bits);
}

/// Cuts `:port` off an entry that has one; false when it is another than `port`.
bool takes_port(std::string& entry, std::uint16_t port) {
  const std::size_t colon = entry.rfind(':');
  if (colon == std::string::npos) return true;
  const bool bare_v6 = entry.front() != '[' && entry.find(':') != colon;
  if (bare_v6 || (entry.front() == '[' && entry.back() == ']')) return true;
  const bool fits = entry.substr(colon + 1) == std::to_string(port);
  entry.resize(colon);
  return fits;
}

bool excludes(std::string entry, const std::string& host, std::uint16_t port) {
  if (entry == "*") return true;
  if (entry.find('/') != std::string::npos) return is_in_range(entry, host);
  if (!takes_port(entry, port)) return false;
  if (const auto address = parse_address(entry)) return parse_address(host) == address;
  if (entry.starts_with("*.")) entry.erase(0, 1);
  if (entry.empty()) return false;
  if (entry.front() == '.') return host.ends_with(entry);
  return host == entry || host.ends_with("." + entry);
}

std::string environment(const char* upper_case, const char* lower_case) {
  for (const char* name : {upper_case, lower_case}) {
    if (const char* value = std::getenv(name); value != nullptr && *value != '\0') return value;
  }
  return {};
}

}  // namespace

bool is_excluded_from_proxy(const std::string& no_proxy, const std::string& host, std::uint16_t port) {
  std::string_view rest = no_proxy;
  while (!rest.empty()) {
    const std::size_t comma = std::min(rest.find(','), rest.size());
    std::string_view entry = rest.substr(0, comma);
    rest.remove_prefix(std::min(comma + 1, rest.size()));
    while (!entry.empty() && entry.front() == ' ') entry.remove_prefix(1);
    while (!entry.empty() && entry.back() == ' ') entry.remove_suffix(1);
    if (!entry.empty() && excludes(lower(entry), lower(host), port)) return true;
  }
  return false;
}

ProxyChooser::ProxyChooser(const ProxyConfig& config)
    : http_(config.url), https_(config.url), no_proxy_(config.no_proxy) {
  if (config.from_environment) {
    http_ = environment("HTTP_PROXY", "http_proxy");
    https_ = environment("HTTPS_PROXY", "https_proxy");
    no_proxy_ = environment("NO_PROXY", "no_proxy");
  }
  // With a bare proxy_url everything goes there, loopback included.
  spares_loopback_ = config.from_environment || !config.no_proxy.empty();
}

Result<std::optional<HttpUrl>> ProxyChooser::proxy_for(const HttpUrl& url) const {
  const std::string& proxy = url.endpoint.tls ? https_ : http_;
  if (proxy.empty() || !url.endpoint.socket_path.empty()) return std::optional<HttpUrl>();
  if (spares_loopback_ && is_loopback(lower(url.endpoint.host))) return std::optional<HttpUrl>();
  if (is_excluded_from_proxy(no_proxy_, url.endpoint.host, url.endpoint.port)) return std::optional<HttpUrl>();
  auto parsed = parse_http_url(proxy.find("://") == std::string::npos ? "http://" + proxy : proxy);
  if (!parsed.ok() || parsed->endpoint.tls) {
    return bad_data("the proxy's URL is not usable: only http:// proxies are supported");
  }
  return std::optional<HttpUrl>(std::move(*parsed));
}

}  // namespace pipit
