#include "api/name_search.h"

#include <algorithm>

namespace pipit {
namespace {

/// Code points; a byte that is no UTF-8 counts as one.
std::u32string decode(std::string_view text, bool to_lower) {
  std::u32string out;
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    std::size_t length = lead < 0x80 ? 1 : lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
    if (i + length > text.size()) length = 1;
    char32_t c = length == 1 ? lead : lead & (0x7fu >> length);
    for (std::size_t k = 1; k < length; ++k) c = c << 6 | (static_cast<unsigned char>(text[i + k]) & 0x3fu);
    i += length;
    out.push_back(to_lower && c >= U'A' && c <= U'Z' ? c + 32 : c);
  }
  return out;
}

/// Characters of a text that are looked at for one pattern; of texts up to 2048 characters all starts count.
constexpr std::size_t kMostSteps = 4u << 20;

double square(std::size_t n) { return static_cast<double>(n) * static_cast<double>(n); }

/// The score of the match that starts at `start`, where the first character is; negative infinity when the rest of the
/// text does not have the rest of the pattern.
double score_from(const std::u32string& pattern, const std::u32string& text, std::size_t start, bool& found) {
  const double share = 1.0 / static_cast<double>(text.size());
  double score = 0;
  std::size_t matched = 0;
  std::size_t behind = 0;  // where the last run ended
  std::size_t at = start;
  while (matched < pattern.size()) {
    at = text.find(pattern[matched], at);
    if (at == std::u32string::npos) {
      found = false;
      return 0;
    }
    const std::size_t run_start = at;
    while (matched < pattern.size() && at < text.size() && text[at] == pattern[matched]) {
      ++at;
      ++matched;
    }
    score += square(at - run_start) - static_cast<double>(run_start - behind) * share;
    behind = at;
  }
  found = true;
  return score - static_cast<double>(text.size() - behind) * share / 2;
}

}  // namespace

double subsequence_score(const std::u32string& pattern, const std::u32string& text) {
  if (pattern.empty() || pattern == text) return 1;
  if (pattern.size() > text.size()) return 0;
  double best = -1;
  std::size_t tries = 1 + kMostSteps / text.size();
  for (std::size_t start = 0; start + pattern.size() <= text.size(); ++start) {
    if (text[start] != pattern[0]) continue;
    if (tries-- == 0) break;
    bool found = false;
    const double score = score_from(pattern, text, start, found);
    if (!found) break;  // what comes later has even less text
    best = std::max(best, score);
  }
  return best < 0 ? 0 : best / square(pattern.size());
}

double jaro_winkler_score(const std::u32string& a, const std::u32string& b) {
  if (a == b) return 1;
  if (a.empty() || b.empty()) return 0;
  const std::u32string& shorter = a.size() <= b.size() ? a : b;
  const std::u32string& longer = a.size() <= b.size() ? b : a;
  const std::size_t reach = longer.size() < 4 ? 0 : longer.size() / 2 - 1;
  std::vector<bool> used(longer.size());
  std::u32string common;  // of the shorter, in its order
  for (std::size_t i = 0; i < shorter.size(); ++i) {
    const std::size_t end = std::min(i + reach + 1, longer.size());
    for (std::size_t k = i < reach ? 0 : i - reach; k < end; ++k) {
      if (used[k] || shorter[i] != longer[k]) continue;
      used[k] = true;
      common.push_back(shorter[i]);
      break;
    }
  }
  if (common.empty()) return 0;
  std::size_t moved = 0;
  std::size_t next = 0;
  for (std::size_t k = 0; k < longer.size(); ++k) {
    if (used[k] && longer[k] != common[next++]) ++moved;
  }
  const auto m = static_cast<double>(common.size());
  const double jaro = (m / static_cast<double>(shorter.size()) + m / static_cast<double>(longer.size()) +
                       (m - static_cast<double>(moved) / 2) / m) /
                      3;
  std::size_t prefix = 0;
  while (prefix < std::min<std::size_t>(4, shorter.size()) && shorter[prefix] == longer[prefix]) ++prefix;
  return jaro + static_cast<double>(prefix) * 0.1 * (1 - jaro);
}

NameScorer::NameScorer(const NameSearch& search) : search_(search) {
  for (const std::string& pattern : search.patterns) patterns_.push_back(decode(pattern, !search.case_sensitive));
}

double NameScorer::score(std::string_view name) const {
  if (patterns_.empty()) return 1;
  const std::u32string text = decode(name, !search_.case_sensitive);
  double best = -1;
  for (const std::u32string& pattern : patterns_) best = std::max(best, score_of(pattern, text));
  return best;
}

double NameScorer::score_of(const std::u32string& pattern, const std::u32string& name) const {
  if (pattern.empty() || name.starts_with(pattern)) return 1;
  if (search_.algorithm == NameSearchAlgorithm::subsequence) {
    const double score = subsequence_score(pattern, name);
    return score > 0 && score >= search_.threshold ? score : -1;
  }
  constexpr double kPart = 0.9;
  if (name.find(pattern) != name.npos) return kPart;
  if (search_.threshold <= 0) return -1;
  const double score = jaro_winkler_score(pattern, name);
  return score >= search_.threshold ? score : -1;
}

}  // namespace pipit
