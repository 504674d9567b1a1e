#include "template/value.h"

#include <algorithm>

#include "model/number.h"

namespace pipit {

TemplateValue::TemplateValue(List value) {
  for (const TemplateValue& element : value) depth_ = std::max(depth_, element.depth_);
  ++depth_;
  value_ = std::make_shared<const List>(std::move(value));
}

TemplateValue::TemplateValue(Map value) {
  for (const auto& [key, element] : value.entries) depth_ = std::max(depth_, element.depth_);
  ++depth_;
  value_ = std::make_shared<const Map>(std::move(value));
}

const TemplateValue::List* TemplateValue::list() const {
  const TemplateValue* elements = object() != nullptr ? object()->elements() : nullptr;
  return elements != nullptr ? elements->pointed<List>() : pointed<List>();
}

const TemplateValue::Map* TemplateValue::map() const {
  const TemplateValue* elements = object() != nullptr ? object()->elements() : nullptr;
  return elements != nullptr ? elements->pointed<Map>() : pointed<Map>();
}

std::optional<std::int64_t> TemplateValue::number() const {
  if (integer() != nullptr) return *integer();
  return object() != nullptr ? object()->number() : std::nullopt;
}

bool TemplateValue::truth() const {
  if (const bool* value = boolean()) return *value;
  if (const auto value = number()) return *value != 0;
  if (const double* value = real()) return *value != 0;
  if (const std::string* value = string()) return !value->empty();
  if (const List* value = list()) return !value->empty();
  if (const Map* value = map()) return !value->entries.empty();
  return !is_nil();
}

std::string TemplateValue::text() const {
  std::string out;
  append_text(out);
  return out;
}

void TemplateValue::append_text(std::string& out) const {
  if (out.size() > kMaxText) return;
  if (is_nil()) {
    out += "<no value>";
  } else if (const bool* flag = boolean()) {
    out += *flag ? "true" : "false";
  } else if (const std::int64_t* number = integer()) {
    out += std::to_string(*number);
  } else if (const double* float64 = real()) {
    out += format_float_g(*float64);
  } else if (const std::string* characters = string()) {
    out += *characters;
  } else if (const TemplateObject* struct_value = object()) {
    out += struct_value->text();
  } else {
    const auto add = [&out](const TemplateValue& element) {
      if (element.is_nil()) out += "<nil>";
      if (!element.is_nil()) element.append_text(out);
      out += ' ';
    };
    out += list() != nullptr ? "[" : "map[";
    const std::size_t empty = out.size();
    if (const List* elements = list()) {
      for (const TemplateValue& element : *elements) add(element);
    } else {
      for (const auto& [key, element] : map()->entries) {
        out += key + ":";
        add(element);
      };
    }
    if (out.size() > empty) out.pop_back();
    out += ']';
  }
}

std::string_view TemplateValue::type_name() const {
  if (boolean() != nullptr) return "bool";
  if (integer() != nullptr) return "int";
  if (real() != nullptr) return "float64";
  if (string() != nullptr) return "string";
  if (object() != nullptr) return object()->type_name();
  if (list() != nullptr) return "[]interface {}";
  if (const Map* value = map()) {
    return value->missing.string() != nullptr ? "map[string]string" : "map[string]interface {}";
  }
  return "<nil>";
}

}  // namespace pipit
