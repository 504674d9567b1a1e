#pragma once

#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "template/parse_tree.h"

namespace pipit {

/// What a template can call. `call` gets as many arguments as are allowed.
struct TemplateFunction {
  static constexpr int kAnyNumber = -1;

  int min_arguments = 0;
  int max_arguments = 0;  ///< or kAnyNumber
  std::function<Result<TemplateValue>(std::span<const TemplateValue>)> call;
};

using TemplateFunctions = std::map<std::string, TemplateFunction, std::less<>>;

/// What one execution may cost at most.
struct TemplateLimits {
  std::size_t output_bytes = 1 << 20;  ///< of the text, and of each that a function makes
  std::size_t steps = 1'000'000;       ///< nodes, commands and operands
  int calls = 100;                     ///< of templates by templates, one in the other
  /// Whether a text that takes more bytes or steps ends there, with "…", instead of being an error.
  bool cut = false;
};

/// Has a say in how what actions print is written, for a text in which not everything may stand: HTML. Of one
/// execution.
class TemplateEscaper {
 public:
  virtual ~TemplateEscaper() = default;
  /// The template's own text, which is written as it is.
  virtual void pass(std::string_view text) = 0;
  /// What an action prints, as it is to be written. An error ends the execution.
  virtual Result<std::string> escape(const TemplateValue& value) = 0;
};

/// Go's text/template: templates that were parsed, by name, and what executes them. The language is that of Go 1.24 but
/// for complex numbers and `call`; of the options, `missingkey=zero` is what a map's `missing` makes of it.
///
/// Once all is parsed, any number of threads may execute.
class TemplateSet {
 public:
  /// Adds the template `name` and those that its text defines, in place of what was there under their names. Errors as
  /// Go words them: `template: NAME:LINE: unexpected "}" in operand`.
  Status parse(std::string name, std::string_view text, const TemplateFunctions& functions);
  bool has(std::string_view name) const { return templates_.contains(name); }

  /// Errors: `template: NAME:LINE:COLUMN: executing "NAME" at <.Field>: WHAT`.
  Result<std::string> execute(std::string_view name, const TemplateFunctions& functions, const TemplateValue& data,
                              const TemplateLimits& limits = {}, TemplateEscaper* escaper = nullptr) const;

 private:
  friend class TemplateExecution;
  using Templates = std::map<std::string, std::shared_ptr<const TemplateNodes>, std::less<>>;

  Templates templates_;
};

/// Those that every template has: and, or, not, len, index, slice, print, printf, println, html, js, urlquery, eq, ne,
/// lt, le, gt, ge. (`and` and `or` are here by name only: they don't evaluate what they needn't.)
const TemplateFunctions& builtin_template_functions();

}  // namespace pipit
