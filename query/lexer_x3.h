#pragma once

// The lexical grammar. Included by parser_x3.cpp alone, which is the one file that pays for compiling Spirit X3.

#include <boost/spirit/home/x3.hpp>
#include <optional>
#include <utility>

#include "model/labels.h"
#include "query/lexer.h"
#include "query/parser.h"

namespace pipit::lexis {

namespace x3 = boost::spirit::x3;

/// Ends the lexing. `at` is where the error is reported.
struct LexicalError {
  std::optional<std::uint32_t> at;  ///< when unset: the token's start
  std::string message;
};

inline bool is_digit(char c) { return c >= '0' && c <= '9'; }
inline bool is_alpha(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
inline bool is_alphanumeric(char c) { return is_alpha(c) || is_digit(c); }

/// The code point at `first` and its length in bytes; U+FFFD and 1 where the text isn't UTF-8, as at its end.
inline std::pair<char32_t, int> decode(const char* first, const char* last) {
  constexpr std::pair<char32_t, int> kInvalid = {0xfffd, 1};
  if (first == last) return kInvalid;
  auto lead = static_cast<unsigned char>(*first);
  if (lead < 0x80) return {lead, 1};
  int length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (last - first < length || !is_valid_utf8({first, static_cast<std::size_t>(length)})) return kInvalid;
  char32_t c = lead & (0x7f >> length);
  for (int i = 1; i < length; ++i) c = (c << 6) | (static_cast<unsigned char>(first[i]) & 0x3f);
  return {c, length};
}

/// A code point of valid UTF-8. U+FFFD does not pass, as in Prometheus, which takes it for a decoding error.
struct CodePointParser : x3::parser<CodePointParser> {
  using attribute_type = x3::unused_type;
  static constexpr bool has_attribute = false;
  template <class Iterator, class Context, class RuleContext, class Attribute>
  bool parse(Iterator& first, const Iterator& last, const Context&, RuleContext&, Attribute&) const {
    if (first == last) return false;
    auto [c, length] = decode(first, last);
    if (c == 0xfffd) return false;
    first += length;
    return true;
  }
};
inline constexpr CodePointParser code_point{};

/// Never matches: throws what `explain(first, last)` says.
template <class Explain>
struct ErrorParser : x3::parser<ErrorParser<Explain>> {
  using attribute_type = x3::unused_type;
  static constexpr bool has_attribute = false;
  constexpr explicit ErrorParser(Explain e) : explain(e) {}
  template <class Iterator, class Context, class RuleContext, class Attribute>
  bool parse(Iterator& first, const Iterator& last, const Context&, RuleContext&, Attribute&) const {
    throw LexicalError{{}, explain(first, last)};
  }
  Explain explain;
};

/// What is wrong with the escape sequence whose backslash stands before `first`.
inline std::string explain_escape(const char* first, const char* last) {
  static constexpr const char* kUnterminated = "escape sequence not terminated";
  if (first == last) return kUnterminated;
  int digits = *first == 'x' ? 2 : *first == 'u' ? 4 : *first == 'U' ? 8 : 3;
  bool octal = *first >= '0' && *first <= '7';
  if (!octal && digits == 3) return "unknown escape sequence " + number_code_point(decode(first, last).first);
  if (!octal) ++first;
  for (; digits > 0; --digits, ++first) {
    if (first == last) return kUnterminated;
    bool valid =
        octal ? *first >= '0' && *first <= '7' : is_digit(*first) || ((*first | 0x20) >= 'a' && (*first | 0x20) <= 'f');
    if (!valid) return "illegal character " + number_code_point(decode(first, last).first) + " in escape sequence";
  }
  return "escape sequence is an invalid Unicode code point";
}

struct ValueTag;  ///< of the std::string that a literal's text is appended to

inline constexpr auto append_raw = [](auto& ctx) {
  auto raw = x3::_attr(ctx);
  x3::get<ValueTag>(ctx).get().append(raw.begin(), raw.end());
};
inline constexpr auto append_char = [](auto& ctx) {
  x3::get<ValueTag>(ctx).get() += static_cast<char>(x3::_attr(ctx));
};
inline constexpr auto append_byte = [](auto& ctx) {
  x3::_pass(ctx) = x3::_attr(ctx) <= 0xff;
  if (x3::_pass(ctx)) append_char(ctx);
};
inline constexpr auto append_code_point = [](auto& ctx) {
  auto c = x3::_attr(ctx);
  x3::_pass(ctx) = c <= 0x10ffff && (c < 0xd800 || c > 0xdfff);
  if (x3::_pass(ctx)) append_utf8(x3::get<ValueTag>(ctx).get(), c);
};

struct SimpleEscapes : x3::symbols<char> {
  SimpleEscapes() { add("a", '\a')("b", '\b')("f", '\f')("n", '\n')("r", '\r')("t", '\t')("v", '\v')("\\", '\\'); }
};

/// A literal in single or double quotes, with the escape sequences of Go.
inline auto quoted_literal(char quote) {
  static const SimpleEscapes simple_escape;
  static constexpr x3::uint_parser<std::uint32_t, 8, 3, 3> octal3{};
  static constexpr x3::uint_parser<std::uint32_t, 16, 2, 2> hex2{};
  static constexpr x3::uint_parser<std::uint32_t, 16, 4, 4> hex4{};
  static constexpr x3::uint_parser<std::uint32_t, 16, 8, 8> hex8{};
  auto escape = x3::lit('\\') >> (simple_escape[append_char] | x3::char_(quote)[append_char] | octal3[append_byte] |
                                  (x3::lit('x') >> hex2[append_byte]) | (x3::lit('u') >> hex4[append_code_point]) |
                                  (x3::lit('U') >> hex8[append_code_point]) | ErrorParser(explain_escape));
  auto plain = x3::raw[+(code_point - x3::lit(quote) - x3::lit('\\') - x3::lit('\n'))];
  auto unterminated = ErrorParser([](const char* first, const char* last) {
    return first == last || *first == '\n' ? "unterminated quoted string" : "invalid UTF-8 rune";
  });
  return x3::lit(quote) >> *(plain[append_raw] | escape) >> (x3::lit(quote) | unterminated);
}

/// A literal in backquotes, without escapes.
inline auto raw_literal() {
  auto unterminated = ErrorParser([](const char* first, const char* last) {
    return first == last ? "unterminated raw string" : "invalid UTF-8 rune";
  });
  return x3::lit('`') >> x3::raw[*(code_point - x3::lit('`'))][append_raw] >> (x3::lit('`') | unterminated);
}

/// A number or a duration. Which texts are numbers, and how much of a wrong one an error shows, is Prometheus's
/// scanner's way: digits with a point, an exponent and underscores between, or hexadecimal digits; the rest is
/// judged when the number is converted.
struct NumberParser : x3::parser<NumberParser> {
  using attribute_type = Tok;
  static constexpr bool has_attribute = true;

  template <class Iterator, class Context, class RuleContext, class Attribute>
  bool parse(Iterator& first, const Iterator& last, const Context&, RuleContext&, Attribute& kind) const {
    if (first == last || !(is_digit(*first) || (*first == '.' && last - first > 1 && is_digit(first[1])))) return false;
    Scan scan{first, last};
    bool number = scan.number();
    if (!number && !scan.duration()) {
      LexicalError error{{}, "bad number or duration syntax: "};
      append_quoted(error.message, {first, static_cast<std::size_t>(scan.at - first)});
      throw error;
    }
    kind = number ? Tok::number : Tok::duration;
    first = scan.at;
    return true;
  }

 private:
  struct Scan {
    const char* at;
    const char* last;

    bool is(std::string_view set) const { return at != last && set.find(*at) != set.npos; }
    bool accept(std::string_view set) {
      if (!is(set)) return false;
      ++at;
      return true;
    }
    bool ends_word() const { return at == last || !is_alphanumeric(*at); }

    bool number() {
      std::string_view digits = "0123456789";
      if (accept("0") && accept("xX")) {
        accept("_");
        digits = "0123456789abcdefABCDEF";
      }
      accept(".");
      accept(digits);
      bool point = false;
      bool exponent = false;
      while (is(digits) || is("._eE")) {
        if (is(".")) {
          ++at;
          if (std::exchange(point, true) || accept("_.") || digits.size() > 10) return false;
        } else if (is("eE")) {
          ++at;
          if (std::exchange(exponent, true)) return false;
          accept("+-");
          if (accept("._eE") || at == last) return false;
        } else if (accept("_")) {
          if (accept("._eE") || at == last) return false;
        } else {
          while (accept(digits)) continue;
        }
      }
      return ends_word();
    }

    /// The rest of a duration whose first digits number() has read.
    bool duration() {
      if (!accept("smhdwy")) return false;
      accept("s");
      while (accept("0123456789")) {
        while (accept("0123456789")) continue;
        if (!accept("smhdw")) return false;
        accept("s");
      }
      if (ends_word()) return true;
      ++at;
      return false;
    }
  };
};
inline constexpr NumberParser number_or_duration{};

struct StatementSymbols : x3::symbols<Tok> {
  StatementSymbols() {
    add("(", Tok::left_paren)(")", Tok::right_paren)("{", Tok::left_brace)("[", Tok::left_bracket)(
        "]", Tok::right_bracket)(",", Tok::comma)("=", Tok::assign)("+", Tok::add)("-", Tok::sub)("*", Tok::mul)(
        "/", Tok::div)("%", Tok::mod)("^", Tok::pow)("==", Tok::eq)("!=", Tok::ne)("<", Tok::lt)("<=", Tok::le)(
        ">", Tok::gt)(">=", Tok::ge)("</", Tok::trim_upper)(">/", Tok::trim_lower)("@", Tok::at);
  }
};

struct BraceSymbols : x3::symbols<Tok> {
  BraceSymbols() {
    add("}", Tok::right_brace)(",", Tok::comma)("=", Tok::assign)("!=", Tok::ne)("=~", Tok::match_regex)(
        "!~", Tok::not_match_regex);
  }
};

struct DurationSymbols : x3::symbols<Tok> {
  DurationSymbols() {
    add("(", Tok::left_paren)(")", Tok::right_paren)("]", Tok::right_bracket)(",", Tok::comma)("+", Tok::add)(
        "-", Tok::sub)("*", Tok::mul)("/", Tok::div)("%", Tok::mod)("^", Tok::pow)(":", Tok::colon);
  }
};

/// Reads a query token by token. What a character may start depends on the brackets that are open.
class Lexer {
 public:
  explicit Lexer(std::string_view query) : at_(query.data()), begin_(at_), end_(at_ + query.size()) {
    result_.query = query;
  }

  TokenSequence run() && {
    try {
      while (next()) continue;
    } catch (LexicalError& error) {
      result_.error = std::move(error.message);
      auto start = error.at.value_or(position(token_start_));
      result_.tokens.push_back({Tok::error, start, position(end_), 0});
    }
    return std::move(result_);
  }

 private:
  std::uint32_t position(const char* p) const { return static_cast<std::uint32_t>(p - begin_); }

  bool next() {
    skip_blanks();
    token_start_ = at_;
    if (at_ == end_) return end_of_input();
    if (result_.tokens.size() == kMaxQueryTokens) {
      throw LexicalError{{}, "query has more than " + std::to_string(kMaxQueryTokens) + " tokens"};
    }
    Tok kind = in_braces_ ? in_braces() : in_duration_ ? in_duration() : in_statement();
    result_.tokens.push_back({kind, position(token_start_), position(at_), string_});
    track(kind);
    return true;
  }

  void skip_blanks() {
    static const auto blank = +x3::char_(" \t\n\r");
    static const auto comment = x3::lit('#') >> *(x3::char_ - x3::char_("\n\r"));
    // Before the first number in brackets a comment is not expected.
    if (in_duration_ && !in_braces_) {
      x3::parse(at_, end_, x3::omit[*blank]);
    } else {
      x3::parse(at_, end_, x3::omit[*(blank | comment)]);
    }
  }

  bool end_of_input() {
    if (in_braces_) throw LexicalError{{}, "unexpected end of input inside braces"};
    if (in_duration_) throw LexicalError{{}, "unexpected end of input in duration expression"};
    if (open_parens_ != 0) throw LexicalError{{}, "unclosed left parenthesis"};
    if (in_brackets_) throw LexicalError{{}, "unclosed left bracket"};
    result_.tokens.push_back({Tok::eof, position(end_), position(end_), 0});
    return false;
  }

  /// Follows the brackets. Errors here replace the token just read, as it is the parser's next.
  void track(Tok kind) {
    switch (kind) {
      case Tok::left_paren:
        ++open_parens_;
        break;
      case Tok::right_paren:
        if (--open_parens_ < 0) replace_by_error("unexpected right parenthesis ')'");
        break;
      case Tok::left_brace:
        in_braces_ = true;
        break;
      case Tok::right_brace:
        in_braces_ = false;
        break;
      case Tok::left_bracket:
        in_brackets_ = in_duration_ = true;
        got_colon_ = false;
        break;
      case Tok::right_bracket:
        in_brackets_ = in_duration_ = false;
        break;
      case Tok::number:
      case Tok::duration:
        in_duration_ = false;
        break;
      case Tok::colon:
        got_colon_ = true;
        break;
      default:
        break;
    }
  }

  [[noreturn]] void replace_by_error(std::string message) {
    result_.tokens.pop_back();
    throw LexicalError{position(at_), std::move(message)};
  }

  template <class Parser>
  bool literal(const Parser& parser) {
    std::string value;
    if (!x3::parse(at_, end_, x3::with<ValueTag>(std::ref(value))[parser])) return false;
    string_ = static_cast<std::uint32_t>(result_.strings.size());
    result_.strings.push_back(std::move(value));
    return true;
  }

  bool string_literal() {
    static const auto double_quoted = quoted_literal('"');
    static const auto single_quoted = quoted_literal('\'');
    static const auto backquoted = raw_literal();
    switch (*at_) {
      case '"':
        return literal(double_quoted);
      case '\'':
        return literal(single_quoted);
      case '`':
        return literal(backquoted);
      default:
        return false;
    }
  }

  Tok in_statement() {
    static const StatementSymbols symbol;
    static const auto alpha = x3::char_("a-zA-Z_:");
    static const auto word = x3::raw[alpha >> *(alpha | x3::char_("0-9"))];
    Tok kind = Tok::error;
    if (x3::parse(at_, end_, number_or_duration, kind)) return kind;
    if (string_literal()) return Tok::string;
    if (in_brackets_ && (is_alpha(*at_) || *at_ == ':')) return word_in_brackets();
    boost::iterator_range<const char*> text;
    if (x3::parse(at_, end_, word, text)) return classify({text.begin(), text.size()});
    if (!x3::parse(at_, end_, symbol, kind)) unexpected_character();
    if (kind == Tok::assign && at_ != end_ && *at_ == '~') {
      throw LexicalError{{}, "unexpected character after '=': '~'"};
    }
    if (kind == Tok::left_bracket && in_brackets_) throw LexicalError{{}, "unexpected left bracket '['"};
    if (kind == Tok::right_bracket && !in_brackets_) throw LexicalError{{}, "unexpected right bracket ']'"};
    return kind;
  }

  [[noreturn]] void unexpected_character() const {
    if (*at_ == '!') {
      throw LexicalError{{}, "unexpected character after '!': " + quote_code_point(decode(at_ + 1, end_).first)};
    }
    throw LexicalError{{}, "unexpected character: " + quote_code_point(decode(at_, end_).first)};
  }

  Tok classify(std::string_view word) const {
    bool colon = word.find(':') != word.npos;
    Tok kind = keyword_or(word, colon ? Tok::metric_identifier : Tok::identifier);
    // Metrics may be called so; only before a parenthesis is it the modifier.
    if (kind >= Tok::fill && kind <= Tok::fill_right) {
      const char* p = at_;
      while (p != end_ && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r')) ++p;
      if (p == end_ || *p != '(') return Tok::identifier;
    }
    return kind;
  }

  std::optional<Tok> duration_keyword() {
    static const auto letters = x3::raw[+x3::char_("a-zA-Z_")];
    const char* p = at_;
    boost::iterator_range<const char*> text;
    if (!x3::parse(p, end_, letters, text)) return {};
    Tok kind = keyword_or({text.begin(), text.size()}, Tok::error);
    if (kind != Tok::step && kind != Tok::range && kind != Tok::min_of && kind != Tok::max_of) return {};
    at_ = p;
    return kind;
  }

  /// In brackets after the first number.
  Tok word_in_brackets() {
    if (*at_ == ':') {
      if (got_colon_) throw LexicalError{{}, "unexpected colon ':'"};
      ++at_;
      return Tok::colon;
    }
    if (auto kind = duration_keyword()) return *kind;
    throw LexicalError{{}, "unexpected character: " + quote_code_point(decode(at_, end_).first) + ", expected ':'"};
  }

  /// In brackets up to the first number.
  Tok in_duration() {
    static const DurationSymbols symbol;
    Tok kind = Tok::error;
    if (x3::parse(at_, end_, number_or_duration, kind)) {
      got_duration_ = true;
      return kind;
    }
    if (auto keyword = duration_keyword()) return *keyword;
    if (!x3::parse(at_, end_, symbol, kind)) {
      throw LexicalError{{},
                         "unexpected character in duration expression: " + quote_code_point(decode(at_, end_).first)};
    }
    if (kind == Tok::colon && !got_duration_) {
      throw LexicalError{position(at_), "unexpected colon before duration in duration expression"};
    }
    if (kind == Tok::colon && got_colon_) {
      throw LexicalError{position(at_), "unexpected repeated colon in duration expression"};
    }
    return kind;
  }

  Tok in_braces() {
    static const BraceSymbols symbol;
    static const auto word = x3::char_("a-zA-Z_") >> *x3::char_("a-zA-Z0-9_");
    if (x3::parse(at_, end_, x3::omit[word])) return Tok::identifier;
    if (string_literal()) return Tok::string;
    Tok kind = Tok::error;
    if (x3::parse(at_, end_, symbol, kind)) return kind;
    if (*at_ == '{') throw LexicalError{{}, "unexpected left brace '{'"};
    if (*at_ == '!') {
      throw LexicalError{
          {}, "unexpected character after '!' inside braces: " + quote_code_point(decode(at_ + 1, end_).first)};
    }
    throw LexicalError{{}, "unexpected character inside braces: " + quote_code_point(decode(at_, end_).first)};
  }

  TokenSequence result_;
  const char* at_;
  const char* begin_;
  const char* end_;
  const char* token_start_ = nullptr;
  std::uint32_t string_ = 0;
  int open_parens_ = 0;
  bool in_braces_ = false;
  bool in_brackets_ = false;
  bool in_duration_ = false;  ///< in brackets, before the first number
  bool got_colon_ = false;
  bool got_duration_ = false;  ///< a number, in some brackets of the query: as Prometheus asks before a colon
};

}  // namespace pipit::lexis
