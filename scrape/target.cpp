#include "scrape/target.h"

#include <algorithm>
#include <charconv>
#include <unordered_set>

#include "model/duration.h"
#include "model/relabel.h"
#include "scrape/url_encoding.h"

namespace pipit {
namespace {

constexpr std::string_view kAddress = "__address__";
constexpr std::string_view kScheme = "__scheme__";
constexpr std::string_view kMetricsPath = "__metrics_path__";
constexpr std::string_view kInterval = "__scrape_interval__";
constexpr std::string_view kTimeout = "__scrape_timeout__";
constexpr std::string_view kParamPrefix = "__param_";
constexpr std::string_view kMetaPrefix = "__meta_";
constexpr std::string_view kReservedPrefix = "__";

/// The query of a target: the configured parameters with the labels `__param_<name>` in place of their first values.
std::string encode_params(const ScrapeConfig& config, const Labels& labels) {
  auto params = config.params;
  for (const Label& label : labels) {
    if (!label.name.starts_with(kParamPrefix)) continue;
    std::string name = label.name.substr(kParamPrefix.size());
    auto found = std::find_if(params.begin(), params.end(), [&](const auto& p) { return p.first == name; });
    if (found == params.end()) {
      params.push_back({name, {label.value}});
    } else if (found->second.empty()) {
      found->second.push_back(label.value);
    } else {
      found->second.front() = label.value;
    }
  }
  std::sort(params.begin(), params.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::string out;
  for (const auto& [name, values] : params) {
    for (const std::string& value : values) {
      if (!out.empty()) out += '&';
      append_query_escaped(out, name);
      out += '=';
      append_query_escaped(out, value);
    }
  }
  return out;
}

Labels discovered_labels(const ScrapeConfig& config, const TargetGroup& group, const std::string& address) {
  Labels labels = group.labels;
  labels.set(kAddress, address);
  auto set_default = [&labels](std::string_view name, std::string_view value) {
    if (!labels.has(name)) labels.set(name, value);
  };
  set_default("job", config.job_name);
  set_default(kInterval, format_duration(config.scrape_interval));
  set_default(kTimeout, format_duration(config.scrape_timeout));
  set_default(kMetricsPath, config.metrics_path);
  set_default(kScheme, config.scheme);
  for (const auto& [name, values] : config.params) {
    if (!values.empty()) labels.set(std::string(kParamPrefix) + name, values.front());
  }
  return labels;
}

Status read_timing(Target& target) {
  auto interval = parse_duration(target.labels.get(kInterval));
  if (!interval) return bad_data("error parsing scrape interval: " + interval.error().message);
  auto timeout = parse_duration(target.labels.get(kTimeout));
  if (!timeout) return bad_data("error parsing scrape timeout: " + timeout.error().message);
  if (*interval <= 0) return bad_data("scrape interval cannot be 0");
  if (*timeout <= 0) return bad_data("scrape timeout cannot be 0");
  if (*timeout > *interval) {
    return bad_data("scrape timeout cannot be greater than scrape interval (\"" + format_duration(*timeout) +
                    "\" > \"" + format_duration(*interval) + "\")");
  }
  target.interval = *interval;
  target.timeout = *timeout;
  return {};
}

/// From relabelled labels to a target that can be scraped.
Status finish_target(const ScrapeConfig& config, Target& target) {
  const std::string address(target.labels.get(kAddress));
  if (address.empty()) return bad_data("no address");
  if (address.find_first_of("/?#@ ") != std::string::npos) {
    return bad_data("\"" + address + "\" is not a valid hostname");
  }
  if (Status timing = read_timing(target); !timing) return timing;
  const std::string scheme(target.labels.get(kScheme));
  if (scheme != "http" && scheme != "https") {
    return bad_data("unsupported scheme \"" + scheme + "\" of target " + address + ", expected http or https");
  }
  std::string text = scheme + "://" + address + escape_path(target.labels.get(kMetricsPath));
  if (std::string query = encode_params(config, target.labels); !query.empty()) text += "?" + query;
  if (auto url = parse_http_url(text); url) {
    target.url = std::move(*url);
  } else {
    target.fault = url.error().message;  // a target that is down, as with Prometheus, so that alerts see it
    target.url.text = std::move(text);
  }
  std::vector<Label> kept;
  for (const Label& label : target.labels) {
    if (label.name.starts_with(kMetaPrefix)) continue;
    if (!is_valid_utf8(label.value)) return bad_data("invalid label value for \"" + label.name + "\"");
    kept.push_back(label);
  }
  target.labels = Labels(std::move(kept));
  if (!target.labels.has("instance")) target.labels.set("instance", address);
  return {};
}

Status parse_port(std::string_view text, std::uint16_t& port) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size() || port == 0) {
    return bad_data("invalid port \"" + std::string(text) + "\"");
  }
  return {};
}

Status parse_authority(std::string_view authority, Endpoint& endpoint) {
  endpoint.port = endpoint.tls ? 443 : 80;
  std::string_view rest;
  if (authority.starts_with('[')) {
    auto close = authority.find(']');
    if (close == std::string_view::npos) return bad_data("missing ']' in address");
    endpoint.host = authority.substr(1, close - 1);
    rest = authority.substr(close + 1);
    if (!rest.empty() && rest.front() != ':') return bad_data("unexpected text after ']' in address");
  } else {
    auto colon = authority.find(':');
    if (colon != authority.rfind(':')) {
      return bad_data("too many colons in address; an IPv6 address needs brackets: [" + std::string(authority) + "]");
    }
    endpoint.host = authority.substr(0, colon);
    if (colon != std::string_view::npos) rest = authority.substr(colon);
  }
  if (endpoint.host.empty()) return bad_data("no host in address");
  return rest.size() > 1 ? parse_port(rest.substr(1), endpoint.port) : Status();
}

}  // namespace

Result<HttpUrl> parse_http_url(const std::string& text) {
  HttpUrl url;
  std::string_view rest = text;
  if (rest.starts_with("https://")) {
    url.endpoint.tls = true;
    rest.remove_prefix(8);
  } else if (rest.starts_with("http://")) {
    rest.remove_prefix(7);
  } else {
    return bad_data("unsupported protocol scheme in \"" + text + "\"");
  }
  if (std::any_of(rest.begin(), rest.end(), [](unsigned char c) { return c <= ' ' || c == 0x7f; })) {
    return bad_data("invalid character in URL \"" + text + "\"");
  }
  rest = rest.substr(0, rest.find('#'));
  auto path = std::min(rest.find_first_of("/?"), rest.size());
  url.authority = rest.substr(0, path);
  url.text = text;
  if (const std::size_t at = url.authority.rfind('@'); at != std::string::npos) {
    url.user_info = percent_decoded(std::string_view(url.authority).substr(0, at));
    const std::size_t colon = url.authority.find(':');
    if (colon < at) url.text.replace(text.find("://") + 3 + colon + 1, at - colon - 1, "xxxxx");
    url.authority.erase(0, at + 1);
  }
  if (Status parsed = parse_authority(url.authority, url.endpoint); !parsed) {
    return bad_data(parsed.error().message + " in \"" + url.text + "\"");
  }
  url.path = rest.substr(path);
  if (!url.path.starts_with('/')) url.path.insert(0, "/");
  return url;
}

Result<HttpUrl> resolve_location(const HttpUrl& base, const std::string& location) {
  const std::string scheme = base.endpoint.tls ? "https:" : "http:";
  if (location.find("://") < location.find_first_of("/?#")) return parse_http_url(location);
  if (location.starts_with("//")) return parse_http_url(scheme + location);
  const std::string origin = scheme + "//" + base.authority;
  if (location.starts_with('/')) return parse_http_url(origin + location);
  const std::string path = base.path.substr(0, base.path.find('?'));
  if (location.empty() || location.starts_with('?')) return parse_http_url(origin + path + location);
  return parse_http_url(origin + path.substr(0, path.rfind('/') + 1) + location);
}

Labels Target::public_labels() const {
  std::vector<Label> out;
  for (const Label& label : labels) {
    if (!label.name.starts_with(kReservedPrefix)) out.push_back(label);
  }
  return Labels(std::move(out));
}

std::uint64_t Target::hash() const {
  Labels identity = labels;
  identity.remove(kInterval);
  identity.remove(kTimeout);
  std::uint64_t hash = identity.hash();
  for (char c : url.text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;  // FNV-1a goes on
  // FNV's low bits are weak, and `hash % interval` is what counts (a finalizer of MurmurHash3).
  hash ^= hash >> 33;
  hash *= 0xff51afd7ed558ccdULL;
  return hash ^ (hash >> 33);
}

TargetSet build_targets(const ScrapeConfig& config) {
  const std::vector<TargetGroup>* const lists[] = {&config.static_configs};
  return build_targets(config, lists);
}

TargetSet build_targets(const ScrapeConfig& config, std::span<const std::vector<TargetGroup>* const> lists) {
  TargetSet set;
  std::unordered_set<std::uint64_t> known;
  const auto add = [&](const TargetGroup& group, const std::string& address) {
    Target target;
    target.discovered = discovered_labels(config, group, address);
    target.labels = target.discovered;
    if (!relabel(target.labels, config.relabel_configs)) {
      set.dropped.push_back(std::move(target.discovered));
    } else if (Status finished = finish_target(config, target); !finished) {
      set.errors.push_back(finished.error().message);
      set.dropped.push_back(std::move(target.discovered));
    } else if (known.insert(target.hash()).second) {
      set.active.push_back(std::move(target));
    }
  };
  for (const std::vector<TargetGroup>* groups : lists) {
    for (const TargetGroup& group : *groups) {
      for (const std::string& address : group.targets) add(group, address);
    }
  }
  return set;
}

}  // namespace pipit
