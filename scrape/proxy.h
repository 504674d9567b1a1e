#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config/http_client_config.h"
#include "scrape/target.h"

namespace pipit {

/// Whether a host is one that `no_proxy` names: `*`, an address, a range of addresses (`10.0.0.0/8`), a domain with
/// what is below it (`example.org`), or only what is below it (`.example.org`, `*.example.org`), each with a `:port` if
/// need be.
bool is_excluded_from_proxy(const std::string& no_proxy, const std::string& host, std::uint16_t port);

/// Decides by which proxy a URL is asked.
class ProxyChooser {
 public:
  /// Reads the environment when the configuration says so.
  explicit ProxyChooser(const ProxyConfig& config);

  /// The proxy, or nothing when the URL is asked directly. Errors: bad_data when the proxy's own URL is not usable.
  Result<std::optional<HttpUrl>> proxy_for(const HttpUrl& url) const;

 private:
  std::string http_;
  std::string https_;
  std::string no_proxy_;
  bool spares_loopback_ = false;
};

}  // namespace pipit
