#include "rules/rule_template.h"

#include <memory>

namespace pipit {
namespace {

constexpr std::string_view kDefinitions =
    "{{$labels := .Labels}}{{$externalLabels := .ExternalLabels}}{{$externalURL := .ExternalURL}}{{$value := .Value}}";

class AlertData final : public TemplateObject {
 public:
  explicit AlertData(const AlertTemplates::Data& data) : data_(data) {}

  Result<std::optional<TemplateValue>> field(std::string_view name,
                                             std::span<const TemplateValue> arguments) const override {
    if (!arguments.empty()) return execution_error(std::string(name) + " is not a method but has arguments");
    if (name == "Labels") return std::optional(template_labels(data_.labels));
    if (name == "ExternalLabels") return std::optional(template_labels(data_.external_labels));
    if (name == "ExternalURL") return std::optional(TemplateValue(data_.external_url));
    if (name == "Value") return std::optional(TemplateValue(data_.value));
    return std::optional<TemplateValue>();
  }
  std::string text() const override {
    return "{" + template_labels(data_.labels).text() + " " + template_labels(data_.external_labels).text() + " " +
           data_.external_url + " " + TemplateValue(data_.value).text() + "}";
  }
  std::string_view type_name() const override {
    return "struct { Labels map[string]string; ExternalLabels map[string]string; ExternalURL string; Value interface "
           "{} }";
  }

 private:
  const AlertTemplates::Data& data_;
};

std::string with_definitions(std::string_view text) {
  std::string whole(kDefinitions);
  whole.append(text);
  return whole;
}

/// Whether the text calls `query`, which may read anything; a string or a name that only contains the word counts too.
bool may_query(std::string_view text) { return text.find("query") != std::string_view::npos; }

}  // namespace

const TemplateFunctions& template_function_names() {
  static const TemplateFunctions functions = prometheus_template_functions({}, nullptr);
  return functions;
}

Status AlertTemplates::check(std::string_view text) const {
  if (text.find("{{") == std::string_view::npos) return {};
  TemplateSet set;
  const Status parsed = set.parse(name_, with_definitions(text), template_function_names());
  if (parsed.ok()) return {};
  return Error{parsed.error().kind, "error parsing template " + name_ + ": " + parsed.error().message};
}

void AlertTemplates::add(std::string_view text) {
  Text& added = texts_.emplace_back();
  added.is_template = text.find("{{") != std::string_view::npos;
  if (!added.is_template) {
    added.literal = text;
    return;
  }
  asks_queries_ = asks_queries_ || may_query(text);
  const Status parsed = added.set.parse(name_, with_definitions(text), template_function_names());
  if (parsed.ok()) return;
  added.is_template = false;
  added.fault = "error parsing template " + name_ + ": " + parsed.error().message;
  added.literal = "<error expanding template: " + added.fault + ">";
}

std::string AlertTemplates::expand(std::size_t index, const Data& data, Functions& functions,
                                   std::string& fault) const {
  const Text& text = texts_[index];
  if (!text.is_template) {
    if (!text.fault.empty()) fault = text.fault;
    return text.literal;
  }
  const TemplateValue value(std::shared_ptr<const TemplateObject>(std::make_shared<AlertData>(data)));
  auto& known = functions.by_text[index];
  if (known.empty()) known = prometheus_template_functions(functions.surroundings, &text.set);
  auto expanded = text.set.execute(name_, known, value);
  if (expanded.ok()) return std::move(*expanded);
  fault = "error executing template " + name_ + ": " + expanded.error().message;
  return "<error expanding template: " + fault + ">";
}

}  // namespace pipit
