#pragma once

#include <memory>
#include <string>
#include <vector>

#include "template/value.h"

namespace pipit {

/// Where something stands in a template's text, and the text itself, for messages.
struct TemplatePlace {
  int line = 1;
  int column = 0;  ///< bytes before it on its line
  std::string text;
};

struct TemplatePipeline;

/// One word of a command, with the fields that follow it: `.Labels.job`, `$value`, `len`, `"text"`, `(query "up")`.
struct TemplateOperand {
  enum class Kind { literal, nil, dot, field, variable, function, pipeline };

  Kind kind = Kind::literal;
  TemplatePlace place;
  TemplateValue literal;
  std::string name;  ///< of a variable, with its dollar sign, or of a function
  std::vector<std::string> fields;
  std::unique_ptr<TemplatePipeline> pipeline;
};

/// A function or a method with its arguments, or a single value.
struct TemplateCommand {
  std::vector<TemplateOperand> operands;  ///< one at least
};

/// Commands, of which each gets the value of the one before it as its last argument.
struct TemplatePipeline {
  TemplatePlace place;
  std::vector<std::string> variables;  ///< that get its value; two only in a `range`
  bool assigns = false;                ///< to variables that are there already
  std::vector<TemplateCommand> commands;
};

struct TemplateNode;
using TemplateNodes = std::vector<TemplateNode>;

struct TemplateNode {
  enum class Kind { text, action, condition, with, range, call, break_loop, continue_loop };

  Kind kind = Kind::text;
  TemplatePlace place;
  std::string text;  ///< as it is, or the name of the template that is called
  std::unique_ptr<TemplatePipeline> pipeline;
  TemplateNodes body;
  TemplateNodes otherwise;
};

}  // namespace pipit
