#include "query/query_profile.h"

#include "query/function_table.h"
#include "query/printer.h"
#include "query/query_context.h"

namespace pipit {
namespace {

using Clock = std::chrono::steady_clock;

/// An operand that is a node of its own stands as an ellipsis.
void print_argument(const Expr& argument, std::string& out) {
  const Expr* inner = &argument;
  while (const auto* paren = inner->as<ParenExpr>()) inner = paren->expr.get();
  const bool is_node = inner->type == ValueType::instant_vector || inner->as<SubqueryExpr>() != nullptr;
  if (is_node) {
    out += "...";
  } else {
    Printer(out).print(*inner);
  }
}

/// The part of an expression that its own node computes.
std::string text_of(const Expr& expr) {
  std::string out;
  if (const auto* aggregate = expr.as<AggregateExpr>()) {
    Printer(out).print_operator(*aggregate);
    if (aggregate->param) {
      out += out.back() == ' ' ? "(" : " (";
      print_argument(*aggregate->param, out);
      out += ", ...)";
    }
  } else if (const auto* binary = expr.as<BinaryExpr>()) {
    Printer(out).print_operator(*binary);
  } else if (const auto* call = expr.as<Call>()) {
    out.append(call->function->name) += '(';
    const char* separator = "";
    for (const auto& argument : call->args) {
      out += separator;
      separator = ", ";
      print_argument(*argument, out);
    }
    out += ')';
  } else if (const auto* unary = expr.as<UnaryExpr>()) {
    out = unary->negative ? "-" : "+";
  } else if (const auto* subquery = expr.as<SubqueryExpr>()) {
    Printer(out).print_suffix(*subquery);
  } else {
    Printer(out).print(expr);
  }
  while (out.ends_with(' ')) out.pop_back();
  constexpr std::size_t kMaxBytes = 300;
  if (out.size() > kMaxBytes) {
    while (!out.empty() && (out.size() > kMaxBytes || (static_cast<unsigned char>(out.back()) & 0x80) != 0)) {
      out.pop_back();
    }
    out += "...";
  }
  return out;
}

/// Adds to a node what happens while it lives.
class Measurement {
 public:
  Measurement(const QueryContext& context, PlanNode& node)
      : context_(context), node_(node), start_(Clock::now()), read_before_(context.samples_read()) {}
  Measurement(const Measurement&) = delete;
  ~Measurement() {
    node_.time += Clock::now() - start_;
    node_.samples_read += context_.samples_read() - read_before_;
  }

 private:
  const QueryContext& context_;
  PlanNode& node_;
  Clock::time_point start_;
  std::uint64_t read_before_;
};

class MeasuredOperator : public Operator {
 public:
  MeasuredOperator(const QueryContext& context, PlanNode& node, OperatorPtr input)
      : context_(context), node_(node), input_(std::move(input)) {}

  bool next(Block& out) override {
    const Measurement measurement(context_, node_);
    if (!input_->next(out)) return false;
    node_.series += out.rows();
    for (std::size_t row = 0; row < out.rows(); ++row) node_.samples += mask_count(out.mask(row), out.words());
    return true;
  }

 private:
  const QueryContext& context_;
  PlanNode& node_;
  OperatorPtr input_;
};

class MeasuredStream : public SampleStream {
 public:
  MeasuredStream(const QueryContext& context, PlanNode& node, SampleStreamPtr input)
      : context_(context), node_(node), input_(std::move(input)) {}

  bool next() override {
    const Measurement measurement(context_, node_);
    if (!input_->next()) return false;
    ++node_.series;
    node_.samples += input_->times().size();
    return true;
  }
  const RowLabels& labels() const override { return input_->labels(); }
  std::span<const TimestampMs> times() const override { return input_->times(); }
  std::span<const double> values() const override { return input_->values(); }

 private:
  const QueryContext& context_;
  PlanNode& node_;
  SampleStreamPtr input_;
};

}  // namespace

PlanNode* QueryProfile::enter(std::string text) {
  auto node = std::make_unique<PlanNode>();
  node->text = std::move(text);
  PlanNode* entered = node.get();
  (open_.empty() ? above_ : *open_.back()).inputs.push_back(std::move(node));
  open_.push_back(entered);
  return entered;
}

void QueryProfile::leave() { open_.pop_back(); }

std::unique_ptr<PlanNode> QueryProfile::take_root() {
  if (above_.inputs.empty()) return nullptr;
  if (above_.inputs.size() == 1) return std::move(above_.inputs.front());
  auto root = std::make_unique<PlanNode>(std::move(above_));
  root->text = "scalar";
  for (const auto& input : root->inputs) {
    root->samples_read += input->samples_read;
    root->time += input->time;
  }
  return root;
}

PlanScope::PlanScope(QueryContext& context, const Expr& expr, As as) : context_(context) {
  QueryProfile* profile = context.profile();
  if (profile == nullptr) return;
  std::string text = as == As::repeated ? "the same at every step" : text_of(expr);
  if (as == As::shared) text += " (as above)";
  node_ = profile->enter(std::move(text));
  start_ = Clock::now();
  read_before_ = context.samples_read();
}

PlanScope::~PlanScope() {
  if (node_ == nullptr) return;
  node_->time += Clock::now() - start_;
  node_->samples_read += context_.samples_read() - read_before_;
  context_.profile()->leave();
}

OperatorPtr PlanScope::measured(OperatorPtr planned) {
  if (node_ == nullptr) return planned;
  return std::make_unique<MeasuredOperator>(context_, *node_, std::move(planned));
}

SampleStreamPtr PlanScope::measured(SampleStreamPtr planned) {
  if (node_ == nullptr) return planned;
  return std::make_unique<MeasuredStream>(context_, *node_, std::move(planned));
}

void PlanScope::count_scalar(std::size_t steps) {
  if (node_ == nullptr) return;
  node_->series += 1;
  node_->samples += steps;
}

}  // namespace pipit
