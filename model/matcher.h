#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "model/result.h"

namespace pipit {

enum class MatchType { equal, not_equal, regex, not_regex };
/// "=", "!=", "=~", "!~"
std::string_view match_operator(MatchType type);

/// A regular expression as Prometheus uses them: RE2 syntax, anchored at both ends, `.` matches newlines.
/// Copies share the compiled program. Thread-safe.
class Regex {
 public:
  /// Fails with RE2's message when `pattern` does not compile or its program is over 8 MiB.
  static Result<Regex> compile(std::string_view pattern);

  bool full_match(std::string_view text) const;
  /// On a full match, expands `$1`, `${1}`, `${name}` and `$$` of Go's Regexp.Expand syntax into `out`.
  bool full_match_expand(std::string_view text, std::string_view replacement, std::string& out) const;
  const std::string& pattern() const { return pattern_; }

  /// The finite set of strings that match (`a|b|c`, `(x|y)z`), or empty when it isn't a small finite set.
  const std::vector<std::string>& literals() const;
  /// A prefix that every match starts with; may be empty.
  const std::string& prefix() const;

 private:
  struct Program;
  std::string pattern_;
  std::shared_ptr<const Program> program_;
};

/// One condition on a label. A label that a series does not have counts as "".
class Matcher {
 public:
  static Result<Matcher> make(MatchType type, std::string name, std::string value);
  /// For equal and not_equal only, which can't fail.
  static Matcher equal(std::string name, std::string value);

  MatchType type() const { return type_; }
  const std::string& name() const { return name_; }
  const std::string& value() const { return value_; }
  bool matches(std::string_view label_value) const;
  /// Whether a series without the label satisfies this matcher.
  bool matches_empty() const { return matches_empty_; }
  /// REQUIRES: type() is regex or not_regex.
  const Regex& regex() const { return *regex_; }
  /// As in PromQL: `name=~"value"`.
  std::string to_string() const;
  bool operator==(const Matcher& o) const { return type_ == o.type_ && name_ == o.name_ && value_ == o.value_; }

 private:
  MatchType type_ = MatchType::equal;
  std::string name_;
  std::string value_;
  std::shared_ptr<const Regex> regex_;
  bool matches_empty_ = false;
};

}  // namespace pipit
