#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "config/config.h"
#include "model/labels.h"
#include "model/result.h"

namespace pipit {

/// Where to send a request.
struct Endpoint {
  bool tls = false;
  std::string host;  ///< name or address, an IPv6 address without brackets
  std::uint16_t port = 80;
  std::string socket_path;  ///< of a unix socket, which then takes the place of host and port
  bool operator==(const Endpoint&) const = default;
};

/// A parsed http or https URL.
struct HttpUrl {
  Endpoint endpoint;
  std::string authority;  ///< as written, without user and password, for the Host header
  std::string path;       ///< with the query, starts with '/'
  std::string text;       ///< the whole URL, the password as xxxxx
  std::string user_info;  ///< "user:password", decoded; "" when the URL has none
};

/// Parses an absolute http or https URL.
Result<HttpUrl> parse_http_url(const std::string& text);
/// `location`, absolute or relative, as seen from `base`. Dot segments stay as they are.
Result<HttpUrl> resolve_location(const HttpUrl& base, const std::string& location);

/// One thing to scrape, as configuration and relabelling made it.
struct Target {
  Labels discovered;  ///< before relabelling
  Labels labels;      ///< after it, with those that start with "__", without "__meta_"
  HttpUrl url;
  std::string fault;  ///< what is wrong with the address, of which `url` has only the text; every scrape fails with it
  DurationMs interval = 0;
  DurationMs timeout = 0;

  /// The labels that its series get.
  Labels public_labels() const;
  /// Of labels and URL, without interval and timeout; the same in every process.
  std::uint64_t hash() const;
};

/// The targets of a job.
struct TargetSet {
  std::vector<Target> active;       ///< without duplicates
  std::vector<Labels> dropped;      ///< discovered labels of those that relabelling dropped or that are not valid
  std::vector<std::string> errors;  ///< what was wrong with the latter
};

/// The targets of a job's static groups. Applies labels, defaults and relabelling as Prometheus does (scrape/target.go,
/// PopulateLabels).
TargetSet build_targets(const ScrapeConfig& config);
/// The same of the groups of several lists in place of the static ones.
TargetSet build_targets(const ScrapeConfig& config, std::span<const std::vector<TargetGroup>* const> lists);

}  // namespace pipit
