#include "remote/retry_after.h"

#include <time.h>

#include <algorithm>
#include <charconv>
#include <ctime>

namespace pipit {

DurationMs parse_retry_after(const std::string& header, TimestampMs now) {
  constexpr std::int64_t kMost = 24LL * 3600;
  std::int64_t seconds = 0;
  const char* const end = header.data() + header.size();
  const auto [rest, error] = std::from_chars(header.data(), end, seconds);
  if (error == std::errc() && rest == end) return std::clamp<std::int64_t>(seconds, 0, kMost) * 1000;
  std::tm date{};
  if (::strptime(header.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &date) == nullptr) return 0;
  return std::clamp<DurationMs>(static_cast<DurationMs>(::timegm(&date)) * 1000 - now, 0, kMost * 1000);
}

}  // namespace pipit
