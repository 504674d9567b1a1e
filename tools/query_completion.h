#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace pipit {

/// What may stand at the cursor of an expression that is being typed.
struct CompletionContext {
  enum class Kind { nothing, name, label_name, label_value };
  Kind kind = Kind::nothing;
  std::size_t start = 0;  ///< where the word begins that the cursor is at the end of
  std::string word;       ///< from there to the cursor
  std::string metric;     ///< in braces or their quotes: the metric before them, if there is one
  std::string label;      ///< of a value: its label
};

/// Looks at `line` up to its end, which is where the cursor is: a name of a metric or function in general, a label's
/// name in the braces of a selector and behind `by (` and its like, a label's value in quotes there.
CompletionContext completion_context(std::string_view line);

/// Whether brackets or quotes are still open, so that the expression goes on in the next line.
bool is_unfinished(std::string_view expr);

}  // namespace pipit
