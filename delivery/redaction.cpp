#include "delivery/redaction.h"

#include <algorithm>
#include <utility>

namespace pipit {
namespace {

constexpr std::string_view kInstead = "<redacted>";
/// Shorter ones are words such as `api` and `bot`, and no secrets.
constexpr std::size_t kShortestPart = 6;

bool is_of_a_part(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/// The longest first: a URL holds its path.
std::string without(std::string text, std::vector<std::string> secrets) {
  std::sort(secrets.begin(), secrets.end(), [](const auto& a, const auto& b) { return a.size() > b.size(); });
  for (const std::string& secret : secrets) {
    for (std::size_t at = text.find(secret); at != std::string::npos; at = text.find(secret, at + kInstead.size())) {
      text.replace(at, secret.size(), kInstead);
    }
  }
  return text;
}

}  // namespace

void Redaction::add(std::string secret) {
  if (secret.size() >= 2) whole_.push_back(std::move(secret));
}

void Redaction::add_parts(std::string_view text) {
  for (auto begin = text.begin(); begin != text.end();) {
    const auto end = std::find_if_not(begin, text.end(), is_of_a_part);
    if (static_cast<std::size_t>(end - begin) >= kShortestPart) parts_.emplace_back(begin, end);
    begin = std::find_if(end, text.end(), is_of_a_part);
  }
}

std::string Redaction::own(std::string text) const { return without(std::move(text), whole_); }

std::string Redaction::others(std::string text) const { return without(own(std::move(text)), parts_); }

}  // namespace pipit
