#include "delivery/notification.h"

namespace pipit {

std::uint64_t alert_fingerprint(const Labels& labels) {
  constexpr std::uint64_t kOffset = 14695981039346656037ULL;
  constexpr std::uint64_t kPrime = 1099511628211ULL;
  std::uint64_t hash = kOffset;
  const auto add = [&hash](std::string_view text) {
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * kPrime;
    hash = (hash ^ 0xffU) * kPrime;
  };
  for (const auto& label : labels) {
    add(label.name);
    add(label.value);
  }
  return hash;
}

}  // namespace pipit
