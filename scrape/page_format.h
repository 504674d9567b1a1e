#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "config/config.h"
#include "model/result.h"

namespace pipit {

/// How a page is written.
enum class PageFormat : unsigned char {
  text,         ///< Prometheus's own, versions 0.0.4 and 1.0.0
  openmetrics,  ///< OpenMetrics 0.0.1 and 1.0.0
};

/// What the job's targets are asked for: the value of the Accept header, formats by their qualities.
std::string accept_header(const ScrapeConfig& config);

/// The format that a target's Content-Type names, or `fallback` where it names none that is known.
/// Errors: bad_data, in Prometheus 3's words, when there is neither.
Result<PageFormat> page_format(std::string_view content_type, std::optional<ScrapeProtocol> fallback);

}  // namespace pipit
