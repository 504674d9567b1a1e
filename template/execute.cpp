// From a template's tree and its data to text.

#include "template/template.h"

namespace pipit {

/// One execution. Its errors end it, so they are kept here and asked for once.
class TemplateExecution {
 public:
  TemplateExecution(const TemplateSet::Templates& templates, const TemplateFunctions& functions,
                    const TemplateLimits& limits, TemplateEscaper* escaper)
      : templates_(templates), functions_(functions), limits_(limits), escaper_(escaper) {}

  Result<std::string> run(std::string_view name, const TemplateValue& data) {
    const auto found = templates_.find(name);
    if (found == templates_.end()) {
      return execution_error("template: no template " + template_quote(name) + " associated with template " +
                             template_quote(name));
    }
    name_ = name;
    variables_.push_back({"$", data});
    walk(*found->second, data);
    if (!error_.empty()) return execution_error(error_);
    return std::move(out_);
  }

 private:
  /// Of lists in lists: they end one in the other, too.
  static constexpr int kMaxValueDepth = 100;

  enum class Flow { on, break_loop, continue_loop };
  struct Variable {
    std::string name;
    TemplateValue value;
  };

  // ---- errors and limits ---------------------------------------------------------------------------------------
  void fail(const TemplatePlace& place, const std::string& what) {
    if (failed()) return;
    error_ = "template: " + name_ + ":" + std::to_string(place.line) + ":" + std::to_string(place.column) +
             ": executing " + template_quote(name_) + " at <" + place.text + ">: " + what;
  }
  bool failed() const { return cut_ || !error_.empty(); }

  /// It is more than what one execution may cost.
  void end_early(const TemplatePlace& place, const std::string& why) {
    if (!limits_.cut) return fail(place, why);
    if (!failed()) out_ += "\u2026";
    cut_ = true;
  }

  bool step(const TemplatePlace& place) {
    if (++steps_ > limits_.steps) end_early(place, "it takes more than " + std::to_string(limits_.steps) + " steps");
    return !failed();
  }

  void write(const TemplatePlace& place, std::string_view text) {
    if (out_.size() + text.size() > limits_.output_bytes) {
      return end_early(place, "the text is longer than " + std::to_string(limits_.output_bytes) + " bytes");
    }
    out_ += text;
  }

  void print(const TemplatePlace& place, const TemplateValue& value) {
    if (escaper_ == nullptr) return write(place, value.text());
    const auto escaped = escaper_->escape(value);
    escaped.ok() ? write(place, *escaped) : fail(place, escaped.error().message);
  }

  // ---- nodes ---------------------------------------------------------------------------------------------------
  Flow walk(const TemplateNodes& nodes, const TemplateValue& dot) {
    for (const TemplateNode& node : nodes) {
      if (!step(node.place)) return Flow::on;
      const Flow flow = walk(node, dot);
      if (failed() || flow != Flow::on) return flow;
    }
    return Flow::on;
  }

  Flow walk(const TemplateNode& node, const TemplateValue& dot) {
    switch (node.kind) {
      case TemplateNode::Kind::text:
        if (escaper_ != nullptr) escaper_->pass(node.text);
        write(node.place, node.text);
        return Flow::on;
      case TemplateNode::Kind::action: {
        const TemplateValue value = evaluate(*node.pipeline, dot);
        if (!failed() && node.pipeline->variables.empty()) print(node.pipeline->place, value);
        return Flow::on;
      }
      case TemplateNode::Kind::condition:
      case TemplateNode::Kind::with: {
        const std::size_t known = variables_.size();
        const TemplateValue value = evaluate(*node.pipeline, dot);
        Flow flow = Flow::on;
        if (!failed() && value.truth()) {
          flow = walk(node.body, node.kind == TemplateNode::Kind::with ? value : dot);
        } else if (!failed()) {
          flow = walk(node.otherwise, dot);
        }
        variables_.resize(known);
        return flow;
      }
      case TemplateNode::Kind::range: {
        const std::size_t known = variables_.size();
        const Flow flow = walk_range(node, dot);
        variables_.resize(known);
        return flow;
      }
      case TemplateNode::Kind::call:
        call_template(node, dot);
        return Flow::on;
      case TemplateNode::Kind::break_loop:
        return Flow::break_loop;
      case TemplateNode::Kind::continue_loop:
        return Flow::continue_loop;
    }
    return Flow::on;
  }

  Flow walk_range(const TemplateNode& node, const TemplateValue& dot) {
    const TemplateValue over = evaluate(*node.pipeline, dot, false);
    if (failed()) return Flow::on;
    bool went_on = true;
    bool any = false;
    const auto visit = [&](const TemplateValue& key, const TemplateValue& element) {
      any = true;
      went_on = walk_element(node, key, element);
      return went_on && !failed();
    };
    if (const auto* list = over.list()) {
      for (std::size_t i = 0; i < list->size(); ++i) {
        if (!visit(static_cast<std::int64_t>(i), (*list)[i])) break;
      }
    } else if (const auto* map = over.map()) {
      for (const auto& [key, value] : map->entries) {
        if (!visit(key, value)) break;
      }
    } else if (const std::int64_t* count = over.integer()) {
      for (std::int64_t i = 0; i < *count; ++i) {
        if (!visit(i, i)) break;
      }
    } else if (!over.is_nil()) {
      fail(node.pipeline->place, "range can't iterate over " + over.text());
    }
    return any || failed() ? Flow::on : walk(node.otherwise, dot);
  }

  /// False when the loop was left.
  bool walk_element(const TemplateNode& node, const TemplateValue& key, const TemplateValue& element) {
    if (!step(node.place)) return false;
    const std::size_t known = variables_.size();
    const auto& names = node.pipeline->variables;
    if (names.size() == 1) set(*node.pipeline, names[0], element);
    if (names.size() == 2) {
      set(*node.pipeline, names[0], key);
      set(*node.pipeline, names[1], element);
    }
    const Flow flow = walk(node.body, element);
    variables_.resize(known);
    return flow != Flow::break_loop;
  }

  void call_template(const TemplateNode& node, const TemplateValue& dot) {
    const auto found = templates_.find(node.text);
    if (found == templates_.end()) return fail(node.place, "template " + template_quote(node.text) + " not defined");
    if (calls_ == limits_.calls)
      return fail(node.place, "exceeded maximum template depth (" + std::to_string(calls_) + ")");
    TemplateValue data;
    if (node.pipeline) data = evaluate(*node.pipeline, dot);
    if (failed()) return;
    std::vector<Variable> variables = std::exchange(variables_, {{"$", data}});
    ++calls_;
    walk(*found->second, data);
    --calls_;
    variables_ = std::move(variables);
  }

  // ---- pipelines -----------------------------------------------------------------------------------------------
  void set(const TemplatePipeline& pipeline, const std::string& name, const TemplateValue& value) {
    if (!pipeline.assigns) {
      variables_.push_back({name, value});
    } else if (Variable* variable = find(name)) {
      variable->value = value;
    } else {
      fail(pipeline.place, "undefined variable: " + name);
    }
  }

  Variable* find(std::string_view name) {
    for (std::size_t i = variables_.size(); i > 0; --i) {
      if (variables_[i - 1].name == name) return &variables_[i - 1];
    }
    return nullptr;
  }

  /// A `range` gives its variables other values than the pipeline's.
  TemplateValue evaluate(const TemplatePipeline& pipeline, const TemplateValue& dot, bool set_variables = true) {
    TemplateValue value;
    for (std::size_t i = 0; i < pipeline.commands.size() && !failed(); ++i) {
      value = evaluate(pipeline.commands[i], dot, i == 0 ? nullptr : &value);
    }
    if (set_variables && !failed()) {
      for (const std::string& name : pipeline.variables) set(pipeline, name, value);
    }
    return value;
  }

  /// `piped` is the value of the command before, or null.
  TemplateValue evaluate(const TemplateCommand& command, const TemplateValue& dot, const TemplateValue* piped) {
    const TemplateOperand& first = command.operands.front();
    if (!step(first.place)) return {};
    const bool has_arguments = command.operands.size() > 1 || piped != nullptr;
    using Kind = TemplateOperand::Kind;
    if (first.kind == Kind::function) {
      if (first.name == "and" || first.name == "or") return evaluate_logic(command, dot, piped);
      return call_function(first, arguments_of(command, dot, piped));
    }
    if (!has_arguments) return evaluate(first, dot, {});
    if (first.fields.empty() || first.kind == Kind::literal) {
      fail(first.place, "can't give argument to non-function " + first.place.text);
      return {};
    }
    return evaluate(first, dot, arguments_of(command, dot, piped));
  }

  std::vector<TemplateValue> arguments_of(const TemplateCommand& command, const TemplateValue& dot,
                                          const TemplateValue* piped) {
    std::vector<TemplateValue> arguments;
    for (std::size_t i = 1; i < command.operands.size() && !failed(); ++i) {
      arguments.push_back(evaluate_argument(command.operands[i], dot));
    }
    if (piped != nullptr) arguments.push_back(*piped);
    return arguments;
  }

  TemplateValue evaluate_argument(const TemplateOperand& operand, const TemplateValue& dot) {
    if (!step(operand.place)) return {};
    if (operand.kind == TemplateOperand::Kind::nil) return {};
    return evaluate(operand, dot, {});
  }

  /// `and` and `or` give the first argument that decides, or the last one; they evaluate none after it.
  TemplateValue evaluate_logic(const TemplateCommand& command, const TemplateValue& dot, const TemplateValue* piped) {
    const TemplateOperand& first = command.operands.front();
    const bool decides = first.name == "or";
    if (command.operands.size() == 1 && piped == nullptr) {
      fail(first.place, "wrong number of args for " + first.name + ": want at least 1 got 0");
    }
    TemplateValue value;
    for (std::size_t i = 1; i < command.operands.size() && !failed(); ++i) {
      value = evaluate_argument(command.operands[i], dot);
      if (value.truth() == decides) return value;
    }
    return piped == nullptr ? value : *piped;
  }

  TemplateValue call_function(const TemplateOperand& operand, const std::vector<TemplateValue>& arguments) {
    if (failed()) return {};
    auto found = functions_.find(operand.name);
    if (found == functions_.end()) {
      found = builtin_template_functions().find(operand.name);
      if (found == builtin_template_functions().end()) {
        fail(operand.place, template_quote(operand.name) + " is not a defined function");
        return {};
      }
    }
    const TemplateFunction& function = found->second;
    const auto count = static_cast<int>(arguments.size());
    const bool any = function.max_arguments == TemplateFunction::kAnyNumber;
    if (count < function.min_arguments || (!any && count > function.max_arguments)) {
      const std::string wanted = (any ? "at least " : "") + std::to_string(function.min_arguments);
      fail(operand.place,
           "wrong number of args for " + operand.name + ": want " + wanted + " got " + std::to_string(count));
      return {};
    }
    auto value = function.call(arguments);
    if (!value.ok()) {
      fail(operand.place, "error calling " + operand.name + ": " + value.error().message);
      return {};
    }
    const std::string* text = value->string();
    if (text != nullptr && text->size() > limits_.output_bytes) {
      fail(operand.place, "the text is longer than " + std::to_string(limits_.output_bytes) + " bytes");
    }
    if (value->depth() > kMaxValueDepth) fail(operand.place, "the value is nested too deep");
    return std::move(*value);
  }

  // ---- operands ------------------------------------------------------------------------------------------------
  /// `arguments` are for the last of the fields, which then is a method.
  TemplateValue evaluate(const TemplateOperand& operand, const TemplateValue& dot,
                         const std::vector<TemplateValue>& arguments) {
    TemplateValue value;
    switch (operand.kind) {
      case TemplateOperand::Kind::literal:
        return operand.literal;
      case TemplateOperand::Kind::nil:
        fail(operand.place, "nil is not a command");
        return {};
      case TemplateOperand::Kind::field:
        if (dot.is_nil()) return {};  // {{template "name"}} without a dot: Go prints "<no value>"
        [[fallthrough]];
      case TemplateOperand::Kind::dot:
        value = dot;
        break;
      case TemplateOperand::Kind::variable:
        if (const Variable* variable = find(operand.name)) {
          value = variable->value;
          if (value.is_nil() && operand.name == "$") return {};
        } else {
          fail(operand.place, "undefined variable: " + operand.name);
        }
        break;
      case TemplateOperand::Kind::pipeline:
        value = evaluate(*operand.pipeline, dot);
        break;
      case TemplateOperand::Kind::function:
        value = call_function(operand, {});
        break;
    }
    for (std::size_t i = 0; i < operand.fields.size() && !failed(); ++i) {
      const bool last = i + 1 == operand.fields.size();
      value = field(operand, value, operand.fields[i], last ? arguments : std::vector<TemplateValue>());
    }
    return value;
  }

  TemplateValue field(const TemplateOperand& operand, const TemplateValue& of, const std::string& name,
                      const std::vector<TemplateValue>& arguments) {
    if (of.is_nil()) {
      fail(operand.place, "nil pointer evaluating interface {}." + name);
      return {};
    }
    if (const TemplateObject* object = of.object()) {
      auto found = object->field(name, arguments);
      if (!found.ok()) fail(operand.place, "error calling " + name + ": " + found.error().message);
      if (!found.ok()) return {};
      if (*found) return std::move(**found);
    }
    if (const auto* map = of.map()) {
      if (!arguments.empty()) fail(operand.place, name + " is not a method but has arguments");
      return map->at(name);
    }
    fail(operand.place, "can't evaluate field " + name + " in type " + std::string(of.type_name()));
    return {};
  }

  const TemplateSet::Templates& templates_;
  const TemplateFunctions& functions_;
  const TemplateLimits& limits_;
  TemplateEscaper* const escaper_;
  std::string name_;
  std::string out_;
  std::string error_;
  std::vector<Variable> variables_;
  std::size_t steps_ = 0;
  bool cut_ = false;
  int calls_ = 0;
};

Result<std::string> TemplateSet::execute(std::string_view name, const TemplateFunctions& functions,
                                         const TemplateValue& data, const TemplateLimits& limits,
                                         TemplateEscaper* escaper) const {
  return TemplateExecution(templates_, functions, limits, escaper).run(name, data);
}

}  // namespace pipit
