// From a template's text to its tree.

#include <charconv>

#include "model/number.h"
#include "template/characters.h"
#include "template/scanner.h"
#include "template/template.h"

namespace pipit {
namespace {

using Kind = TemplateToken::Kind;

/// Of actions and parentheses, one in the other.
constexpr int kMaxDepth = 100;

bool is_keyword(std::string_view word) {
  static constexpr std::string_view kKeywords[] = {"if",       "else",  "end",   "range",  "with",
                                                   "template", "block", "break", "define", "continue"};
  return std::find(std::begin(kKeywords), std::end(kKeywords), word) != std::end(kKeywords);
}

class Parser {
 public:
  Parser(std::string name, std::string_view text, const TemplateFunctions& functions,
         std::map<std::string, TemplateNodes, std::less<>>& parsed)
      : name_(std::move(name)), scanner_(text), functions_(functions), parsed_(parsed) {}

  Status parse() {
    TemplateNodes nodes;
    const Ended ended = parse_nodes(nodes, 0);
    if (ended != Ended::text && error_.empty()) fail("unexpected {{" + std::string(keyword_of(ended)) + "}}");
    if (error_.empty()) parsed_[name_] = std::move(nodes);
    return error_.empty() ? Status() : bad_data(error_);
  }

 private:
  /// What stands after a list of nodes.
  enum class Ended { text, end, otherwise, failed };

  static std::string_view keyword_of(Ended ended) { return ended == Ended::end ? "end" : "else"; }

  void fail(const std::string& message) {
    if (!error_.empty()) return;
    const int line = scanner_.place(token_.begin, token_.begin).line;
    error_ = "template: " + name_ + ":" + std::to_string(line) + ": " + message;
  }
  bool failed() const { return !error_.empty(); }

  // ---- words ---------------------------------------------------------------------------------------------------
  void advance() {
    token_ = scanner_.next();
    if (token_.kind == Kind::error) fail(token_.value);
  }
  void skip_spaces() {
    while (!failed() && token_.kind == Kind::space) advance();
  }
  void unexpected(std::string_view context) {
    const bool shown = token_.kind == Kind::string || token_.kind == Kind::character;
    fail("unexpected " + (shown ? std::string(token_.text) : "<" + std::string(token_.text) + ">") + " in " +
         std::string(context));
  }
  void expect_end(std::string_view context) {
    skip_spaces();
    if (!failed() && token_.kind != Kind::end_of_action) unexpected(context);
  }

  // ---- nodes ---------------------------------------------------------------------------------------------------
  Ended parse_nodes(TemplateNodes& nodes, int depth) {
    if (depth > kMaxDepth) fail("the actions are nested more than " + std::to_string(kMaxDepth) + " deep");
    while (!failed()) {
      std::string_view text;
      const bool more = scanner_.next_action(text);
      token_.begin = scanner_.position();
      if (!text.empty()) {
        TemplateNode& node = nodes.emplace_back();
        node.text = text;
      }
      if (!more) {
        if (!scanner_.failure().empty()) fail(scanner_.failure());
        return failed() ? Ended::failed : Ended::text;
      }
      advance();
      skip_spaces();
      if (failed()) break;
      if (token_.kind == Kind::end_of_action) {
        if (!scanner_.in_comment()) fail("missing value for command");
        continue;
      }
      if (token_.kind != Kind::identifier || !is_keyword(token_.text)) {
        TemplateNode node;
        node.kind = TemplateNode::Kind::action;
        node.pipeline = parse_pipeline("command", 1, depth);
        nodes.push_back(std::move(node));
        continue;
      }
      const std::string_view keyword = token_.text;
      if (keyword == "end") {
        advance();
        expect_end("end");
        return failed() ? Ended::failed : Ended::end;
      }
      if (keyword == "else") {
        advance();
        return failed() ? Ended::failed : Ended::otherwise;
      }
      parse_keyword(keyword, nodes, depth);
    }
    return Ended::failed;
  }

  void parse_keyword(std::string_view keyword, TemplateNodes& nodes, int depth) {
    const std::size_t begin = token_.begin;
    advance();
    if (failed()) return;
    if (keyword == "define") return parse_define(depth);
    TemplateNode node;
    if (keyword == "if" || keyword == "with" || keyword == "range") {
      parse_control(keyword, node, depth);
    } else if (keyword == "break" || keyword == "continue") {
      if (loops_ == 0) return fail("{{" + std::string(keyword) + "}} outside {{range}}");
      node.kind = keyword == "break" ? TemplateNode::Kind::break_loop : TemplateNode::Kind::continue_loop;
      expect_end(keyword);
    } else {
      parse_call(keyword, node, depth);
    }
    if (failed()) return;
    node.place = scanner_.place(begin, scanner_.position());
    nodes.push_back(std::move(node));
  }

  /// The word before was `if`, `with` or `range`, or `else` and one of these.
  void parse_control(std::string_view keyword, TemplateNode& node, int depth) {
    const std::size_t known = variables_.size();
    parse_branches(keyword, node, depth);
    variables_.resize(known);
  }

  void parse_branches(std::string_view keyword, TemplateNode& node, int depth) {
    const bool range = keyword == "range";
    node.kind = range             ? TemplateNode::Kind::range
                : keyword == "if" ? TemplateNode::Kind::condition
                                  : TemplateNode::Kind::with;
    node.pipeline = parse_pipeline(keyword, range ? 2 : 1, depth);
    if (failed()) return;
    loops_ += range ? 1 : 0;
    Ended ended = parse_nodes(node.body, depth + 1);
    loops_ -= range ? 1 : 0;
    if (ended == Ended::otherwise) {
      skip_spaces();
      const bool chained = !range && token_.kind == Kind::identifier && token_.text == keyword;
      if (failed()) return;
      if (chained) {
        advance();
        TemplateNode& inner = node.otherwise.emplace_back();
        parse_control(keyword, inner, depth + 1);  // it takes the {{end}} of both
        return;
      }
      expect_end("else");
      ended = failed() ? Ended::failed : parse_nodes(node.otherwise, depth + 1);
      if (ended == Ended::otherwise) return fail("expected end; found {{else}}");
    }
    if (ended == Ended::text) fail("unexpected EOF");
  }

  std::string parse_name(std::string_view context) {
    skip_spaces();
    if (!failed() && token_.kind != Kind::string) unexpected(context);
    std::string name = token_.value;
    if (!failed()) advance();
    return name;
  }

  void parse_define(int depth) {
    std::string name = parse_name("define clause");
    expect_end("define clause");
    if (failed()) return;
    if (depth != 0) return fail("unexpected {{define}}");
    parse_body(std::move(name), depth);
  }

  void parse_body(std::string name, int depth) {
    TemplateNodes body;
    const int loops = std::exchange(loops_, 0);
    std::vector<std::string> variables = std::exchange(variables_, {});
    const Ended ended = parse_nodes(body, depth + 1);
    loops_ = loops;
    variables_ = std::move(variables);
    if (ended == Ended::text) return fail("unexpected EOF");
    if (ended == Ended::otherwise) return fail("unexpected {{else}} in define clause");
    if (!failed()) parsed_[std::move(name)] = std::move(body);
  }

  void parse_call(std::string_view keyword, TemplateNode& node, int depth) {
    node.kind = TemplateNode::Kind::call;
    node.text = parse_name(keyword == "block" ? "block clause" : "template clause");
    skip_spaces();
    if (failed()) return;
    if (token_.kind != Kind::end_of_action || keyword == "block") {
      node.pipeline = parse_pipeline(keyword, 1, depth);
    }
    if (keyword == "block" && !failed()) parse_body(node.text, depth);
  }

  // ---- pipelines -----------------------------------------------------------------------------------------------
  /// Up to the end of the action, or up to a parenthesis when `depth` is that of one. The token is the first of it.
  std::unique_ptr<TemplatePipeline> parse_pipeline(std::string_view context, std::size_t variables, int depth,
                                                   bool parenthesised = false) {
    auto pipeline = std::make_unique<TemplatePipeline>();
    skip_spaces();
    const std::size_t begin = token_.begin;
    if (!failed() && token_.kind == Kind::variable) parse_variables(*pipeline, variables, context, depth);
    for (bool piped = false; !failed();) {
      skip_spaces();
      if (failed()) break;
      const bool ends = token_.kind == Kind::close || token_.kind == Kind::end_of_action;
      if ((ends && pipeline->commands.empty()) ||
          (token_.kind == Kind::pipe && (pipeline->commands.empty() || piped))) {
        fail("missing value for " + std::string(context));
      } else if (ends) {
        if (token_.kind != (parenthesised ? Kind::close : Kind::end_of_action)) {
          fail(parenthesised ? "unclosed left paren" : "unexpected right paren");
        }
        break;
      } else if (token_.kind == Kind::pipe) {
        piped = true;
        advance();
      } else if (!pipeline->commands.empty() && !piped) {
        unexpected(context);
      } else {
        piped = false;
        finish_command(pipeline->commands.emplace_back(), true, depth);
      }
    }
    if (!failed()) check_stages(*pipeline);
    pipeline->place = scanner_.place(begin, token_.begin);
    return pipeline;
  }

  /// `$x :=`, `$x =` or `$i, $x :=`; or `$x` as the first operand of a command.
  void parse_variables(TemplatePipeline& pipeline, std::size_t most, std::string_view context, int depth) {
    TemplateCommand& command = pipeline.commands.emplace_back();
    TemplateOperand first = parse_variable();
    bool spaced = false;
    if (!failed() && token_.kind == Kind::space) {
      spaced = true;
      skip_spaces();
    }
    if (failed()) return;
    const bool plain = first.fields.empty();
    if (plain && (token_.kind == Kind::declare || token_.kind == Kind::assign)) {
      pipeline.variables.push_back(first.name);
    } else if (plain && token_.kind == Kind::comma && most > 1) {
      pipeline.variables.push_back(first.name);
      advance();
      skip_spaces();
      if (!failed() && token_.kind != Kind::variable) return unexpected(context);
      const std::string second(token_.text);
      advance();
      skip_spaces();
      if (!failed() && token_.kind != Kind::declare && token_.kind != Kind::assign) return unexpected(context);
      pipeline.variables.push_back(second);
    } else if (plain && token_.kind == Kind::comma) {
      return fail("too many declarations in " + std::string(context));
    } else {
      check_variable(first);
      command.operands.push_back(std::move(first));
      finish_command(command, spaced, depth);
      return;
    }
    pipeline.commands.clear();
    pipeline.assigns = token_.kind == Kind::assign;
    // Those that are assigned to, too: Go finds out when it executes it that there is none of the name.
    variables_.insert(variables_.end(), pipeline.variables.begin(), pipeline.variables.end());
    advance();
    skip_spaces();
  }

  bool is_known(const std::string& name) const {
    return name == "$" || std::find(variables_.begin(), variables_.end(), name) != variables_.end();
  }
  void check_variable(const TemplateOperand& operand) {
    if (!is_known(operand.name)) fail("undefined variable " + template_quote(operand.name));
  }

  /// The operands that are left. Ends before a `|` and before what ends the pipeline.
  void finish_command(TemplateCommand& command, bool separated, int depth) {
    while (!failed()) {
      if (token_.kind == Kind::space) {
        separated = true;
        skip_spaces();
        continue;
      }
      if (token_.kind == Kind::pipe || token_.kind == Kind::end_of_action || token_.kind == Kind::close) break;
      if (!separated) return unexpected("operand");
      command.operands.push_back(parse_operand(depth));
      separated = false;
    }
    if (!failed() && command.operands.empty()) fail("empty command");
  }

  /// Only the first command may be a plain value, as the others get one.
  void check_stages(const TemplatePipeline& pipeline) {
    for (std::size_t i = 1; i < pipeline.commands.size(); ++i) {
      const TemplateOperand& first = pipeline.commands[i].operands.front();
      using Operand = TemplateOperand::Kind;
      const bool plain = first.kind == Operand::literal || first.kind == Operand::nil || first.kind == Operand::dot;
      if (plain) {
        return fail("non executable command in pipeline stage " + std::to_string(i + 1));
      }
    }
  }

  // ---- operands ------------------------------------------------------------------------------------------------
  TemplateOperand parse_variable() {
    TemplateOperand operand;
    operand.kind = TemplateOperand::Kind::variable;
    operand.name = token_.text;
    const std::size_t begin = token_.begin;
    advance();
    parse_fields(operand);
    operand.place = scanner_.place(begin, token_.begin);
    return operand;
  }

  void parse_fields(TemplateOperand& operand) {
    while (!failed() && token_.kind == Kind::field) {
      operand.fields.emplace_back(token_.text.substr(1));
      advance();
    }
  }

  TemplateOperand parse_operand(int depth) {
    const std::size_t begin = token_.begin;
    TemplateOperand operand;
    switch (token_.kind) {
      case Kind::variable:
        operand = parse_variable();
        if (!failed()) check_variable(operand);
        return operand;
      case Kind::identifier:
        parse_word(operand);
        break;
      case Kind::dot:
        operand.kind = TemplateOperand::Kind::dot;
        break;
      case Kind::field:
        operand.kind = TemplateOperand::Kind::field;
        parse_fields(operand);
        operand.place = scanner_.place(begin, token_.begin);
        return operand;
      case Kind::open:
        return parse_parentheses(depth);
      case Kind::number:
        parse_number(operand);
        break;
      case Kind::character:
        parse_character(operand);
        break;
      case Kind::string:
        operand.literal = TemplateValue(token_.value);
        break;
      default:
        unexpected("operand");
    }
    if (failed()) return operand;
    advance();
    operand.place = scanner_.place(begin, token_.begin);
    if (!failed() && token_.kind == Kind::field) fail("unexpected . after term " + template_quote(operand.place.text));
    return operand;
  }

  TemplateOperand parse_parentheses(int depth) {
    const std::size_t begin = token_.begin;
    TemplateOperand operand;
    operand.kind = TemplateOperand::Kind::pipeline;
    if (depth >= kMaxDepth) {
      fail("the parentheses are nested more than " + std::to_string(kMaxDepth) + " deep");
      return operand;
    }
    advance();
    operand.pipeline = parse_pipeline("parenthesized pipeline", 1, depth + 1, true);
    if (!failed()) advance();
    parse_fields(operand);
    operand.place = scanner_.place(begin, token_.begin);
    return operand;
  }

  void parse_word(TemplateOperand& operand) {
    if (token_.text == "true" || token_.text == "false") {
      operand.literal = TemplateValue(token_.text == "true");
    } else if (token_.text == "nil") {
      operand.kind = TemplateOperand::Kind::nil;
    } else if (is_keyword(token_.text)) {
      unexpected("operand");
    } else {
      operand.kind = TemplateOperand::Kind::function;
      operand.name = token_.text;
      if (!functions_.contains(operand.name) && !builtin_template_functions().contains(operand.name)) {
        fail("function " + template_quote(operand.name) + " not defined");
      }
    }
  }

  void parse_character(TemplateOperand& operand) {
    const std::string& value = token_.value;
    std::size_t at = 0;
    const auto code = value.empty() ? 0 : static_cast<std::int64_t>(next_character(value, at));
    if (at != value.size() || value.empty()) return fail("malformed character constant: " + std::string(token_.text));
    // '\xff' is a number and no UTF-8.
    operand.literal = TemplateValue(at == 1 ? std::int64_t{static_cast<unsigned char>(value[0])} : code);
  }

  void parse_number(TemplateOperand& operand) {
    std::string text(token_.text);
    std::erase(text, '_');
    std::string_view digits = text;
    const bool negative = digits.starts_with('-');
    if (negative || digits.starts_with('+')) digits.remove_prefix(1);
    int base = 10;
    if (digits.size() > 1 && digits[0] == '0' && digits.find('.') == std::string_view::npos) {
      const char letter = static_cast<char>(digits[1] | 0x20);
      base = letter == 'x' ? 16 : letter == 'b' ? 2 : 8;
      digits.remove_prefix(letter == 'x' || letter == 'b' || letter == 'o' ? 2 : 1);
    }
    std::uint64_t magnitude = 0;
    const char* const end = digits.data() + digits.size();
    const auto read = std::from_chars(digits.data(), end, magnitude, base);
    constexpr std::uint64_t kMax = std::uint64_t{1} << 63;
    if (read.ec == std::errc() && read.ptr == end && magnitude < kMax + (negative ? 1 : 0)) {
      operand.literal = TemplateValue(static_cast<std::int64_t>(negative ? 0 - magnitude : magnitude));
    } else if (const auto real = parse_float(text)) {
      operand.literal = TemplateValue(*real);
    } else {
      fail("bad number syntax: " + template_quote(token_.text));
    }
  }

  std::string name_;
  TemplateScanner scanner_;
  const TemplateFunctions& functions_;
  std::map<std::string, TemplateNodes, std::less<>>& parsed_;
  TemplateToken token_;
  std::vector<std::string> variables_;
  int loops_ = 0;
  std::string error_;
};

}  // namespace

Status TemplateSet::parse(std::string name, std::string_view text, const TemplateFunctions& functions) {
  std::map<std::string, TemplateNodes, std::less<>> parsed;
  if (Status status = Parser(std::move(name), text, functions, parsed).parse(); !status.ok()) return status;
  for (auto& [each, nodes] : parsed) templates_[each] = std::make_shared<const TemplateNodes>(std::move(nodes));
  return {};
}

}  // namespace pipit
