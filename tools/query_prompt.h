#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "tools/query_options.h"

namespace pipit {

/// What a line at the prompt asks for, beside expressions: `\output graph`, `\range 6h`, `\quit`.
struct PromptCommand {
  enum class Kind { quit, help, changed, wrong, explain };
  Kind kind = Kind::wrong;
  std::string text;  ///< what to say, or the expression to explain
};

/// How the next expressions are evaluated.
struct PromptSettings {
  std::optional<std::string> time{}, range{}, step{};
  QueryOutput output = QueryOutput::table;

  TimeArguments times() const;
};

/// Carries out a line that starts with a backslash.
PromptCommand run_prompt_command(std::string_view line, PromptSettings& settings);

/// Reads expressions from the terminal until its end, with history and completion, and calls `ask` for each.
/// Returns the exit code.
int run_query_prompt(const QueryOptions& options, const std::function<void(const QueryOptions&)>& ask);

}  // namespace pipit
