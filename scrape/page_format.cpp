// Source of qualities, rules and wordings: Prometheus 3.14, scrape/scrape.go and model/textparse/interface.go.

#include "scrape/page_format.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <vector>

#include "model/labels.h"

namespace pipit {
namespace {

constexpr std::string_view kOpenMetrics = "application/openmetrics-text";
constexpr std::string_view kText = "text/plain";

/// What Prometheus asks for when the configuration does not say.
constexpr std::array kDefaultProtocols = {ScrapeProtocol::openmetrics_1_0_0, ScrapeProtocol::openmetrics_0_0_1,
                                          ScrapeProtocol::text_1_0_0, ScrapeProtocol::text_0_0_4};

std::string_view escaping_name(NameEscaping escaping) {
  switch (escaping) {
    case NameEscaping::underscores:
      return "underscores";
    case NameEscaping::dots:
      return "dots";
    case NameEscaping::values:
      return "values";
    case NameEscaping::allow_utf8:
      break;
  }
  return "allow-utf-8";
}

/// The media type of a protocol; "" of one that is not built.
std::string media_type(ScrapeProtocol protocol, NameEscaping escaping) {
  std::string type;
  const auto make = [&type](std::string_view name, std::string_view version) {
    type.append(name).append(";version=").append(version);
  };
  switch (protocol) {
    case ScrapeProtocol::openmetrics_1_0_0:
      make(kOpenMetrics, "1.0.0");
      break;
    case ScrapeProtocol::openmetrics_0_0_1:
      make(kOpenMetrics, "0.0.1");
      return type;
    case ScrapeProtocol::text_1_0_0:
      make(kText, "1.0.0");
      break;
    case ScrapeProtocol::text_0_0_4:
      make(kText, "0.0.4");
      return type;
    case ScrapeProtocol::protobuf:
      return type;
  }
  return type.append(";escaping=").append(escaping_name(escaping));
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

bool is_token(std::string_view text) {
  constexpr std::string_view kOthers = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || kOthers.find(c) != std::string_view::npos;
  });
}

/// Takes `; name=value` from the front of `text`. False when that is not what stands there.
bool take_parameter(std::string_view& text, std::string& name) {
  text = trim(text.substr(1));
  const auto equal = text.find('=');
  if (equal == std::string_view::npos || !is_token(trim(text.substr(0, equal)))) return false;
  name = trim(text.substr(0, equal));
  text.remove_prefix(equal + 1);
  if (text.starts_with('"')) {
    std::size_t close = 1;
    while (close < text.size() && text[close] != '"') close += text[close] == '\\' ? 2 : 1;
    if (close >= text.size()) return false;
    text = trim(text.substr(close + 1));
  } else {
    const auto end = std::min(text.find(';'), text.size());
    if (!is_token(trim(text.substr(0, end)))) return false;
    text.remove_prefix(end);
  }
  return text.empty() || text.front() == ';';
}

/// The media type of a header's value in small letters, or nothing when the value is malformed.
std::optional<std::string> parse_media_type(std::string_view text) {
  const auto end = std::min(text.find(';'), text.size());
  std::string type(trim(text.substr(0, end)));
  std::transform(type.begin(), type.end(), type.begin(), [](unsigned char c) { return std::tolower(c); });
  const auto slash = type.find('/');
  if (!is_token(std::string_view(type).substr(0, slash))) return std::nullopt;
  if (slash != std::string::npos && !is_token(std::string_view(type).substr(slash + 1))) return std::nullopt;
  text.remove_prefix(end);
  std::vector<std::string> names;
  while (!text.empty() && !trim(text.substr(1)).empty()) {  // a semicolon at the end is no parameter
    std::string name;
    if (!take_parameter(text, name)) return std::nullopt;
    if (std::find(names.begin(), names.end(), name) != names.end()) return std::nullopt;
    names.push_back(std::move(name));
  }
  return type;
}

std::string quoted(std::string_view text) {
  std::string out;
  append_quoted(out, text);
  return out;
}

}  // namespace

std::string accept_header(const ScrapeConfig& config) {
  // Prometheus has five protocols, and counts down from one more than that.
  int weight = 6;
  std::string header;
  const auto offer = [&](ScrapeProtocol protocol) {
    const std::string type = media_type(protocol, config.name_escaping);
    if (!type.empty()) header += type + ";q=0." + std::to_string(weight) + ",";
    --weight;
  };
  if (config.scrape_protocols.empty()) {
    std::for_each(kDefaultProtocols.begin(), kDefaultProtocols.end(), offer);
  } else {
    std::for_each(config.scrape_protocols.begin(), config.scrape_protocols.end(), offer);
  }
  return header + "*/*;q=0." + std::to_string(weight);
}

Result<PageFormat> page_format(std::string_view content_type, std::optional<ScrapeProtocol> fallback) {
  const auto type = parse_media_type(content_type);
  if (!content_type.empty() && type) {
    if (*type == kOpenMetrics) return PageFormat::openmetrics;
    if (*type == kText) return PageFormat::text;
  }
  if (fallback && *fallback != ScrapeProtocol::protobuf) {
    const bool is_text = *fallback == ScrapeProtocol::text_0_0_4 || *fallback == ScrapeProtocol::text_1_0_0;
    return is_text ? PageFormat::text : PageFormat::openmetrics;
  }
  if (content_type.empty()) {
    return bad_data(
        "non-compliant scrape target sending blank Content-Type and no fallback_scrape_protocol specified for target");
  }
  if (!type) {
    return bad_data("cannot parse Content-Type " + quoted(content_type) +
                    " and no fallback_scrape_protocol for target");
  }
  return bad_data("received unsupported Content-Type " + quoted(content_type) +
                  " and no fallback_scrape_protocol specified for target");
}

}  // namespace pipit
