#include "template/scanner.h"

#include <algorithm>

#include "template/characters.h"

namespace pipit {
namespace {

using Kind = TemplateToken::Kind;

constexpr std::string_view kOpen = "{{";
constexpr std::string_view kClose = "}}";
constexpr std::string_view kSpaces = " \t\r\n";
constexpr std::string_view kCommentBegin = "/*";
constexpr std::string_view kCommentEnd = "*/";
constexpr std::size_t kShownText = 20;

bool is_space(char c) { return kSpaces.find(c) != std::string_view::npos; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
/// Bytes of other alphabets' letters, too.
bool is_word(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (c & 0x80) != 0;
}
bool is_space_at(std::string_view text, std::size_t at) { return at < text.size() && is_space(text[at]); }

std::string_view trim_right(std::string_view text) {
  const auto last = text.find_last_not_of(kSpaces);
  return last == std::string_view::npos ? std::string_view() : text.substr(0, last + 1);
}

/// Reads `digits` digits of a base. False when they aren't all there.
bool read_code(std::string_view text, std::size_t& at, int digits, std::uint32_t base, std::uint32_t& code) {
  code = 0;
  for (; digits > 0; --digits, ++at) {
    if (at >= text.size()) return false;
    const char c = text[at];
    std::uint32_t digit = 99;
    if (is_digit(c)) digit = static_cast<std::uint32_t>(c - '0');
    if (c >= 'a' && c <= 'f') digit = static_cast<std::uint32_t>(c - 'a' + 10);
    if (c >= 'A' && c <= 'F') digit = static_cast<std::uint32_t>(c - 'A' + 10);
    if (digit >= base) return false;
    code = code * base + digit;
  }
  return true;
}

/// What follows a backslash, as Go's strings have it. False when that is nothing known.
bool unescape(std::string_view text, std::size_t& at, char quote, std::string& out) {
  if (at >= text.size()) return false;
  constexpr std::string_view kLetters = "abfnrtv\\";
  constexpr std::string_view kMeanings = "\a\b\f\n\r\t\v\\";
  const char c = text[at++];
  if (const auto found = kLetters.find(c); found != std::string_view::npos) {
    out += kMeanings[found];
    return true;
  }
  if (c == quote) {
    out += c;
    return true;
  }
  std::uint32_t code;
  if (c == 'x' && read_code(text, at, 2, 16, code)) {
    out += static_cast<char>(code);
    return true;
  }
  if (c == 'u' || c == 'U') {
    if (!read_code(text, at, c == 'u' ? 4 : 8, 16, code)) return false;
    if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return false;
    append_character(out, code);
    return true;
  }
  if (c >= '0' && c <= '7' && read_code(text, --at, 3, 8, code) && code < 256) {
    out += static_cast<char>(code);
    return true;
  }
  return false;
}

}  // namespace

bool TemplateScanner::next_action(std::string_view& text) {
  if (trim_next_) at_ = std::min(text_.find_first_not_of(kSpaces, at_), text_.size());
  trim_next_ = false;
  const std::size_t begin = at_;
  const std::size_t open = text_.find(kOpen, at_);
  text = text_.substr(begin, open == std::string_view::npos ? open : open - begin);
  at_ = std::min(open, text_.size());
  if (open == std::string_view::npos) return false;
  at_ += kOpen.size();
  if (at_ < text_.size() && text_[at_] == '-' && is_space_at(text_, at_ + 1)) {
    text = trim_right(text);
    at_ += 2;
  }
  in_comment_ = text_.substr(at_).starts_with(kCommentBegin);
  return !in_comment_ || skip_comment();
}

/// Leaves the scanner before the end of the action that the comment is.
bool TemplateScanner::skip_comment() {
  const std::size_t end = text_.find(kCommentEnd, at_ + kCommentBegin.size());
  if (end == std::string_view::npos) {
    failure_ = "unclosed comment";
    return false;
  }
  at_ = end + kCommentEnd.size();
  std::size_t length;
  std::size_t after = at_;
  if (is_space_at(text_, after) && text_.substr(after + 1).starts_with("-}}")) ++after;
  if (!at_end_of_action(after, length) && !at_end_of_action(at_, length)) {
    failure_ = "comment ends before closing delimiter";
    return false;
  }
  return true;
}

/// `}}`, or ` -}}` with the space.
bool TemplateScanner::at_end_of_action(std::size_t at, std::size_t& length) const {
  const std::string_view rest = text_.substr(std::min(at, text_.size()));
  length = kClose.size();
  if (rest.starts_with(kClose)) return true;
  length = kClose.size() + 1;
  return rest.starts_with("-}}") && at > 0 && is_space(text_[at - 1]);
}

TemplateToken TemplateScanner::make(Kind kind, std::size_t begin) const {
  TemplateToken token;
  token.kind = kind;
  token.begin = begin;
  token.text = text_.substr(begin, at_ - begin);
  return token;
}

TemplateToken TemplateScanner::fail(std::size_t begin, std::string message) const {
  TemplateToken token = make(Kind::error, begin);
  token.value = std::move(message);
  return token;
}

TemplateToken TemplateScanner::next() {
  const std::size_t begin = at_;
  std::size_t length;
  if (is_space_at(text_, at_)) {
    while (is_space_at(text_, at_)) ++at_;
    if (!at_end_of_action(at_, length) || length == kClose.size()) return make(Kind::space, begin);
  }
  if (at_end_of_action(at_, length)) {
    at_ += length;
    trim_next_ = length > kClose.size();
    return make(Kind::end_of_action, begin);
  }
  if (at_ >= text_.size()) return fail(begin, "unclosed action");
  const char c = text_[at_++];
  switch (c) {
    case '|':
      return make(Kind::pipe, begin);
    case ',':
      return make(Kind::comma, begin);
    case '(':
      return make(Kind::open, begin);
    case ')':
      return make(Kind::close, begin);
    case '=':
      return make(Kind::assign, begin);
    case ':':
      if (at_ >= text_.size() || text_[at_] != '=') return fail(begin, "expected :=");
      ++at_;
      return make(Kind::declare, begin);
    case '"':
    case '\'':
      return quoted(begin);
    case '`':
      return raw_quoted(begin);
    default:
      break;
  }
  const bool digit_follows = at_ < text_.size() && is_digit(text_[at_]);
  if (is_digit(c) || ((c == '+' || c == '-') && at_ < text_.size() && (digit_follows || text_[at_] == '.')) ||
      (c == '.' && digit_follows)) {
    return number(begin);
  }
  if (c == '.' || c == '$' || is_word(c)) return word(begin);
  return fail(begin, "unexpected \"" + std::string(1, c) + "\" in command");
}

TemplateToken TemplateScanner::quoted(std::size_t begin) {
  const char quote = text_[begin];
  std::string value;
  for (;;) {
    if (at_ >= text_.size() || text_[at_] == '\n') {
      return fail(begin, quote == '"' ? "unterminated quoted string" : "unterminated character constant");
    }
    const char c = text_[at_++];
    if (c == quote) break;
    if (c != '\\') {
      value += c;
    } else if (!unescape(text_, at_, quote, value)) {
      return fail(begin, "invalid syntax");
    }
  }
  TemplateToken token = make(quote == '"' ? Kind::string : Kind::character, begin);
  token.value = std::move(value);
  return token;
}

TemplateToken TemplateScanner::raw_quoted(std::size_t begin) {
  const std::size_t end = text_.find('`', at_);
  if (end == std::string_view::npos) {
    at_ = text_.size();
    return fail(begin, "unterminated raw quoted string");
  }
  at_ = end + 1;
  TemplateToken token = make(Kind::string, begin);
  token.value = text_.substr(begin + 1, end - begin - 1);
  return token;
}

TemplateToken TemplateScanner::number(std::size_t begin) {
  const auto is_part = [this](std::size_t at) {
    const char c = text_[at];
    if (is_word(c) || c == '.') return true;
    const char before = text_[at - 1];
    return (c == '+' || c == '-') && (before == 'e' || before == 'E' || before == 'p' || before == 'P');
  };
  while (at_ < text_.size() && is_part(at_)) ++at_;
  return make(Kind::number, begin);
}

TemplateToken TemplateScanner::word(std::size_t begin) {
  while (at_ < text_.size() && is_word(text_[at_])) ++at_;
  const char first = text_[begin];
  std::size_t length;
  const bool ends = at_ >= text_.size() || is_space(text_[at_]) ||
                    std::string_view(".,|:=()").find(text_[at_]) != std::string_view::npos ||
                    at_end_of_action(at_, length);
  if (!ends) return fail(begin, "bad character " + template_quote(text_.substr(at_, 1)));
  if (first == '.') return make(at_ == begin + 1 ? Kind::dot : Kind::field, begin);
  return make(first == '$' ? Kind::variable : Kind::identifier, begin);
}

TemplatePlace TemplateScanner::place(std::size_t begin, std::size_t end) const {
  const std::string_view before = text_.substr(0, begin);
  TemplatePlace place;
  place.line = 1 + static_cast<int>(std::count(before.begin(), before.end(), '\n'));
  const std::size_t newline = before.rfind('\n');
  place.column = static_cast<int>(newline == std::string_view::npos ? begin : begin - newline - 1);
  const std::string_view text = text_.substr(begin, end - begin);
  place.text = text.substr(0, kShownText);
  if (text.size() > kShownText) place.text += "...";
  return place;
}

}  // namespace pipit
