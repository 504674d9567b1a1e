#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/result.h"

namespace pipit {

enum class FlagType {
  text,
  boolean,  ///< `--x`, `--no-x`, `--x=true`
  integer,  ///< also as 5e7
  number,
  duration,
  size,
  choice,  ///< one of `FlagSpec::choices`
};

/// One command line flag, written `--name=value`, `--name value` or, of a boolean, `--name` and `--no-name`.
struct FlagSpec {
  std::string_view name;
  FlagType type = FlagType::text;
  std::string_view default_value = {};
  std::string_view help = {};
  /// Of a flag that is accepted for Prometheus's sake: what follows its name in the log, such as `has no effect: ...`.
  std::string_view ignored = {};
  std::string_view choices = {};  ///< separated by '|'
  bool repeatable = false;
  bool hidden = false;  ///< Prometheus does not show it in its help
};

/// What was on the command line, by the table that it was read with.
class ParsedFlags {
 public:
  /// Reads the arguments after the program's name. Every value is of its flag's type; unknown flags, repeated ones
  /// that may not be, missing values and words that are no flag are errors. The table must outlive this.
  static Result<ParsedFlags> parse(std::span<const FlagSpec> table, std::span<const char* const> arguments);

  bool given(std::string_view name) const { return values_.contains(name); }
  /// The value, or the flag's default. REQUIRES: the table has the flag, and so below.
  std::string_view text(std::string_view name) const;
  std::vector<std::string> texts(std::string_view name) const;
  bool boolean(std::string_view name) const { return text(name) == "true"; }
  double number(std::string_view name) const;
  std::int64_t duration_ms(std::string_view name) const;

  /// All flags with their values, as the API shows them.
  std::vector<std::pair<std::string, std::string>> all() const;
  /// A line for the log for each given flag that is ignored.
  std::vector<std::string> ignored() const;

 private:
  explicit ParsedFlags(std::span<const FlagSpec> table) : table_(table) {}
  Status add(const FlagSpec& spec, std::string_view value);
  const FlagSpec* find(std::string_view name) const;

  std::span<const FlagSpec> table_;
  std::map<std::string_view, std::vector<std::string>, std::less<>> values_;
};

/// The flags with their defaults, grouped by the first word of their names; at the end the names of those ignored.
std::string flags_help(std::span<const FlagSpec> table);

}  // namespace pipit
