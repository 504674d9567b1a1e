// Source of the syntaxes and of the wordings: Alertmanager 0.28, pkg/labels/parse.go, matchers/parse, matchers/compat.

#include "delivery/matcher_syntax.h"

#include <algorithm>
#include <cctype>
#include <optional>
#include <tuple>

#include "model/labels.h"

namespace pipit {
namespace {

/// Of a text with matchers.
constexpr std::size_t kMostBytes = 64 << 10;
constexpr std::size_t kMostMatchers = 1000;

/// What Go's unicode.IsSpace has of one byte.
bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

std::string_view trim(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

std::optional<MatchType> take_operator(std::string_view& text) {
  constexpr std::pair<std::string_view, MatchType> kOperators[] = {
      {"=~", MatchType::regex}, {"!~", MatchType::not_regex}, {"!=", MatchType::not_equal}, {"=", MatchType::equal}};
  for (const auto& [sign, type] : kOperators) {
    if (!text.starts_with(sign)) continue;
    text.remove_prefix(sign.size());
    return type;
  }
  return std::nullopt;
}

// ---- the classic syntax

/// Undoes escapes. Of quotes only the last one may be bare, if there was a first one.
Result<std::string> classic_value(std::string_view written) {
  const Error unescaped = bad_data("matcher value contains unescaped double quote: " + std::string(written));
  if (!is_valid_utf8(written)) return bad_data("matcher value not valid UTF-8: " + std::string(written));
  std::string_view raw = written;
  bool open = raw.starts_with('"');
  if (open) raw.remove_prefix(1);
  std::string value;
  for (std::size_t i = 0; i < raw.size(); ++i) {
    const bool last = i + 1 == raw.size();
    if (raw[i] == '"') {
      if (!open || !last) return unescaped;
      open = false;
    } else if (raw[i] != '\\' || last) {
      value += raw[i];
    } else {
      const char c = raw[++i];
      if (c == 'n') {
        value += '\n';
      } else if (c == '"' || c == '\\') {
        value += c;
      } else {
        value += '\\';
        value += c;
      }
    }
  }
  if (open) return unescaped;
  return value;
}

Result<Matcher> parse_classic(std::string_view text) {
  const Error bad = bad_data("bad matcher format: " + std::string(text));
  std::string_view rest = trim(text);
  std::size_t end = 0;
  while (end < rest.size() &&
         (std::isalnum(static_cast<unsigned char>(rest[end])) != 0 || rest[end] == '_' || rest[end] == ':')) {
    ++end;
  }
  const std::string_view name = rest.substr(0, end);
  if (name.empty() || std::isdigit(static_cast<unsigned char>(name[0])) != 0) return bad;
  rest = trim(rest.substr(end));
  const auto type = take_operator(rest);
  if (!type) return bad;
  auto value = classic_value(trim(rest));
  if (!value.ok()) return value.error();
  return Matcher::make(*type, std::string(name), std::move(*value));
}

Result<std::vector<Matcher>> parse_classic_list(std::string_view text) {
  if (text.starts_with('{')) text.remove_prefix(1);
  if (text.ends_with('}')) text.remove_suffix(1);
  std::vector<std::string_view> parts;
  bool quoted = false;
  bool escaped = false;
  std::size_t begin = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == ',' && !quoted) {
      parts.push_back(text.substr(begin, i - begin));
      begin = i + 1;
    } else if (text[i] == '"') {
      if (!escaped) quoted = !quoted;
      escaped = false;
    } else {
      escaped = text[i] == '\\' && !escaped;
    }
  }
  if (const std::string_view last = trim(text.substr(begin)); !last.empty()) parts.push_back(last);
  if (parts.size() > kMostMatchers) return bad_data("more than 1000 matchers");
  std::vector<Matcher> matchers;
  for (const std::string_view part : parts) {
    auto matcher = parse_classic(part);
    if (!matcher.ok()) return matcher.error();
    matchers.push_back(std::move(*matcher));
  }
  return matchers;
}

// ---- the syntax with names of any characters

bool is_reserved(char c) {
  return is_space(c) || c == '{' || c == '}' || c == '!' || c == '=' || c == '~' || c == ',' || c == '\\' || c == '"' ||
         c == '\'' || c == '`';
}

void append_utf8(std::string& out, std::uint32_t rune) {
  if (rune < 0x80) {
    out += static_cast<char>(rune);
  } else if (rune < 0x800) {
    out += static_cast<char>(0xc0 | rune >> 6);
    out += static_cast<char>(0x80 | (rune & 0x3f));
  } else if (rune < 0x10000) {
    out += static_cast<char>(0xe0 | rune >> 12);
    out += static_cast<char>(0x80 | (rune >> 6 & 0x3f));
    out += static_cast<char>(0x80 | (rune & 0x3f));
  } else {
    out += static_cast<char>(0xf0 | rune >> 18);
    out += static_cast<char>(0x80 | (rune >> 12 & 0x3f));
    out += static_cast<char>(0x80 | (rune >> 6 & 0x3f));
    out += static_cast<char>(0x80 | (rune & 0x3f));
  }
}

/// Reads matchers from the beginning of a text.
class MatcherReader {
 public:
  explicit MatcherReader(std::string_view text) : rest_(text) {}

  Result<std::vector<Matcher>> read(bool braces_allowed) {
    skip_space();
    const bool open = rest_.starts_with('{');
    if (open && !braces_allowed) return bad_data("unexpected open or close brace");
    if (open) rest_.remove_prefix(1);
    std::vector<Matcher> matchers;
    for (;;) {
      skip_space();
      if (rest_.empty() || rest_.starts_with('}')) break;
      auto matcher = read_matcher();
      if (!matcher.ok()) return matcher.error();
      matchers.push_back(std::move(*matcher));
      if (matchers.size() > kMostMatchers) return bad_data("more than 1000 matchers");
      skip_space();
      if (!rest_.starts_with(',')) break;
      rest_.remove_prefix(1);
    }
    const bool close = rest_.starts_with('}');
    if (close != open) return bad_data("expected both braces or none");
    if (close) rest_.remove_prefix(1);
    skip_space();
    if (!rest_.empty()) return bad_data("unexpected " + std::string(rest_.substr(0, 20)));
    return matchers;
  }

 private:
  void skip_space() {
    while (!rest_.empty() && is_space(rest_.front())) rest_.remove_prefix(1);
  }

  Result<Matcher> read_matcher() {
    auto name = read_word("a label name");
    if (!name.ok()) return name.error();
    skip_space();
    const auto type = take_operator(rest_);
    if (!type) return bad_data("expected an operator such as '=', '!=', '=~' or '!~' behind " + *name);
    skip_space();
    auto value = read_word("a label value");
    if (!value.ok()) return value.error();
    if (name->empty()) return bad_data("a label name is empty");
    return Matcher::make(*type, std::move(*name), std::move(*value));
  }

  Result<std::string> read_word(const char* what) {
    if (rest_.starts_with('"')) return read_quoted();
    std::size_t end = 0;
    while (end < rest_.size() && !is_reserved(rest_[end])) ++end;
    const std::string_view word = rest_.substr(0, end);
    if (word.empty()) return bad_data(std::string("expected ") + what);
    if (!is_valid_utf8(word)) return bad_data(std::string(what) + " is not valid UTF-8");
    rest_.remove_prefix(end);
    return std::string(word);
  }

  /// A text as Go quotes it.
  Result<std::string> read_quoted() {
    rest_.remove_prefix(1);
    std::string out;
    while (!rest_.starts_with('"')) {
      if (rest_.empty() || rest_.front() == '\n') return bad_data("missing end \"");
      if (rest_.front() != '\\') {
        out += rest_.front();
        rest_.remove_prefix(1);
      } else if (!read_escape(out)) {
        return bad_data("invalid escape in a quoted text");
      }
    }
    rest_.remove_prefix(1);
    if (!is_valid_utf8(out)) return bad_data("not valid UTF-8");
    return out;
  }

  bool read_escape(std::string& out) {
    constexpr std::string_view kLetters = "abfnrtv\\\"";
    constexpr std::string_view kBytes = "\a\b\f\n\r\t\v\\\"";
    if (rest_.size() < 2) return false;
    const char c = rest_[1];
    rest_.remove_prefix(2);
    if (const std::size_t at = kLetters.find(c); at != std::string_view::npos) {
      out += kBytes[at];
      return true;
    }
    const std::size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    if (digits > 0) {
      std::uint32_t number = 0;
      if (!read_number(digits, 16, number)) return false;
      if (c == 'x') {
        out += static_cast<char>(number);
        return true;
      }
      if (number > 0x10ffff || (number >= 0xd800 && number < 0xe000)) return false;
      append_utf8(out, number);
      return true;
    }
    if (c < '0' || c > '7') return false;
    std::uint32_t number = 0;
    if (!read_number(2, 8, number)) return false;
    number += static_cast<std::uint32_t>(c - '0') * 64;
    if (number > 255) return false;
    out += static_cast<char>(number);
    return true;
  }

  bool read_number(std::size_t digits, std::uint32_t base, std::uint32_t& number) {
    if (rest_.size() < digits) return false;
    for (const char c : rest_.substr(0, digits)) {
      const int value = c >= '0' && c <= '9'   ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : 99;
      if (value >= static_cast<int>(base)) return false;
      number = number * base + static_cast<std::uint32_t>(value);
    }
    rest_.remove_prefix(digits);
    return true;
  }

  std::string_view rest_;
};

}  // namespace

Result<Matcher> parse_alert_matcher(std::string_view text) {
  if (text.size() > kMostBytes) return bad_data("a matcher is too long");
  if (text.starts_with('{') || text.ends_with('}')) {
    return bad_data("unexpected open or close brace: " + std::string(text));
  }
  auto classic = parse_classic(text);
  if (classic.ok()) return classic;
  auto matchers = MatcherReader(text).read(false);
  if (!matchers.ok() || matchers->size() != 1) return classic.error();
  return std::move(matchers->front());
}

Result<std::vector<Matcher>> parse_alert_matchers(std::string_view text) {
  if (text.size() > kMostBytes) return bad_data("matchers are too long");
  auto classic = parse_classic_list(text);
  if (classic.ok()) return classic;
  auto matchers = MatcherReader(text).read(true);
  if (!matchers.ok()) return classic.error();
  return matchers;
}

std::string alert_matcher_text(const Matcher& matcher) {
  std::string out;
  const bool plain = std::none_of(matcher.name().begin(), matcher.name().end(), is_reserved);
  if (!plain) {
    append_quoted(out, matcher.name());
    out += match_operator(matcher.type());
    append_quoted(out, matcher.value());
    return out;
  }
  out.append(matcher.name()).append(match_operator(matcher.type())).push_back('"');
  for (const char c : matcher.value()) {
    if (c == '\n') {
      out += "\\n";
      continue;
    }
    if (c == '\\' || c == '"') out += '\\';
    out += c;
  }
  out += '"';
  return out;
}

std::string alert_matchers_text(const std::vector<Matcher>& matchers) {
  std::string out = "{";
  for (const Matcher& matcher : matchers) {
    if (out.size() > 1) out += ',';
    out += alert_matcher_text(matcher);
  }
  out += '}';
  return out;
}

void sort_alert_matchers(std::vector<Matcher>& matchers) {
  std::stable_sort(matchers.begin(), matchers.end(), [](const Matcher& a, const Matcher& b) {
    return std::forward_as_tuple(a.name(), a.value(), a.type()) < std::forward_as_tuple(b.name(), b.value(), b.type());
  });
}

}  // namespace pipit
