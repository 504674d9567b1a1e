#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "query/ast.h"

namespace pipit {

/// The kinds of PromQL tokens, in groups that `describe` and the grammar rely on.
enum class Tok : std::uint8_t {
  eof,
  error,
  identifier,
  metric_identifier,
  string,
  number,
  duration,
  // punctuation
  left_paren,
  right_paren,
  left_brace,
  right_brace,
  left_bracket,
  right_bracket,
  comma,
  colon,
  assign,
  // operators; the binary ones in the order of BinaryOp
  add,
  sub,
  mul,
  div,
  mod,
  pow,
  atan2,
  eq,
  ne,
  lt,
  le,
  gt,
  ge,
  land,
  lor,
  lunless,
  trim_upper,
  trim_lower,
  match_regex,
  not_match_regex,
  at,
  // aggregations, in the order of AggregateOp
  sum,
  avg,
  count,
  min,
  max,
  group,
  stddev,
  stdvar,
  topk,
  bottomk,
  count_values,
  quantile,
  limitk,
  limit_ratio,
  // keywords
  offset,
  smoothed,
  anchored,
  by,
  without,
  on,
  ignoring,
  group_left,
  group_right,
  fill,
  fill_left,
  fill_right,
  bool_,
  // functions that have a meaning in durations or after `@` too
  start,
  end,
  step,
  range,
  min_of,
  max_of,
};

struct Token {
  Tok kind = Tok::eof;
  std::uint32_t start = 0;
  std::uint32_t end = 0;
  std::uint32_t string = 0;  ///< with Tok::string: which of TokenSequence::strings
  PositionRange range() const { return {start, end}; }
};

/// A query's tokens. The last is `eof`, or `error` where the text stopped making sense.
/// `text` must outlive the sequence.
struct TokenSequence {
  std::string_view query;
  std::vector<Token> tokens;
  std::vector<std::string> strings;  ///< the literals, unquoted
  std::string error;                 ///< with Tok::error: what is wrong

  std::string_view text(const Token& token) const { return query.substr(token.start, token.end - token.start); }
};

/// Splits a query into tokens; in query/parser_x3.cpp, as it is written in Spirit X3.
TokenSequence tokenize(std::string_view query);

/// A keyword in any case, or `otherwise`.
Tok keyword_or(std::string_view word, Tok otherwise);

/// A token as error messages name it: `identifier "foo"`, `<op:+>`, `<by>`, `")"`, `end of input`.
std::string describe(const TokenSequence& sequence, const Token& token);

/// A code point as error messages show it: 'x', '\n'.
std::string quote_code_point(char32_t c);
/// Likewise, with its number: U+0063 'c'.
std::string number_code_point(char32_t c);

void append_utf8(std::string& out, char32_t c);

}  // namespace pipit
