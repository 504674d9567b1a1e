// The functions that every Go template has.

#include <compare>

#include "template/template.h"

namespace pipit {
namespace {

using Arguments = std::span<const TemplateValue>;
using Answer = Result<TemplateValue>;

// ---- comparisons -------------------------------------------------------------------------------------------------
constexpr const char* kIncompatible = "incompatible types for comparison";
constexpr const char* kNotComparable = "invalid type for comparison";

bool is_basic(const TemplateValue& value) {
  return value.boolean() != nullptr || value.number() || value.real() != nullptr || value.string() != nullptr;
}

Result<bool> equal(const TemplateValue& a, const TemplateValue& b) {
  if (a.is_nil() || b.is_nil()) return a.is_nil() && b.is_nil();
  if (!is_basic(a) || !is_basic(b)) return execution_error("non-comparable type " + std::string(a.type_name()));
  if (a.boolean() != nullptr && b.boolean() != nullptr) return *a.boolean() == *b.boolean();
  if (a.number() && b.number()) return *a.number() == *b.number();
  if (a.real() != nullptr && b.real() != nullptr) return *a.real() == *b.real();
  if (a.string() != nullptr && b.string() != nullptr) return *a.string() == *b.string();
  return execution_error(kIncompatible);
}

Result<bool> less(const TemplateValue& a, const TemplateValue& b) {
  if (!is_basic(a) || !is_basic(b) || a.boolean() != nullptr) return execution_error(kNotComparable);
  if (a.number() && b.number()) return *a.number() < *b.number();
  if (a.real() != nullptr && b.real() != nullptr) return *a.real() < *b.real();
  if (a.string() != nullptr && b.string() != nullptr) return *a.string() < *b.string();
  return execution_error(kIncompatible);
}

Answer answer(Result<bool> result, bool negate = false) {
  if (!result.ok()) return result.error();
  return TemplateValue(*result != negate);
}

/// The first argument with any of the others.
Answer equal_to_any(Arguments arguments) {
  for (const TemplateValue& other : arguments.subspan(1)) {
    auto same = equal(arguments[0], other);
    if (!same.ok()) return same.error();
    if (*same) return TemplateValue(true);
  }
  return TemplateValue(false);
}

Answer less_or_equal(Arguments arguments) {
  auto result = less(arguments[0], arguments[1]);
  if (!result.ok() || *result) return answer(std::move(result));
  return answer(equal(arguments[0], arguments[1]));
}

// ---- lists, maps and strings -------------------------------------------------------------------------------------
Answer length(Arguments arguments) {
  const TemplateValue& value = arguments[0];
  std::size_t size;
  if (const std::string* text = value.string()) {
    size = text->size();
  } else if (const auto* list = value.list()) {
    size = list->size();
  } else if (const auto* map = value.map()) {
    size = map->entries.size();
  } else {
    return execution_error(value.is_nil() ? "len of nil pointer" : "len of type " + std::string(value.type_name()));
  }
  return TemplateValue(static_cast<std::int64_t>(size));
}

/// A position in something of `size` parts. `end` may be one.
Result<std::size_t> position(const TemplateValue& index, std::size_t size, bool may_be_end) {
  const std::int64_t* number = index.integer();
  if (number == nullptr) {
    if (index.is_nil()) return execution_error("cannot index slice/array with nil");
    return execution_error("cannot index slice/array with type " + std::string(index.type_name()));
  }
  if (*number < 0 || static_cast<std::uint64_t>(*number) >= size + (may_be_end ? 1 : 0)) {
    return execution_error("index out of range: " + std::to_string(*number));
  }
  return static_cast<std::size_t>(*number);
}

Answer index(Arguments arguments) {
  TemplateValue value = arguments[0];
  for (const TemplateValue& key : arguments.subspan(1)) {
    if (const auto* map = value.map()) {
      if (key.string() == nullptr) {
        return execution_error("value has type " + std::string(key.type_name()) + "; should be string");
      }
      value = TemplateValue(map->at(*key.string()));
      continue;
    }
    const auto* list = value.list();
    const std::string* text = value.string();
    if (list == nullptr && text == nullptr) {
      return execution_error(value.is_nil() ? "index of untyped nil"
                                            : "can't index item of type " + std::string(value.type_name()));
    }
    auto at = position(key, list != nullptr ? list->size() : text->size(), false);
    if (!at.ok()) return at.error();
    value = list != nullptr ? TemplateValue((*list)[*at])
                            : TemplateValue(std::int64_t{static_cast<unsigned char>((*text)[*at])});
  }
  return value;
}

Answer slice(Arguments arguments) {
  const auto* list = arguments[0].list();
  const std::string* text = arguments[0].string();
  if (list == nullptr && text == nullptr) {
    return execution_error("can't slice item of type " + std::string(arguments[0].type_name()));
  }
  const std::size_t size = list != nullptr ? list->size() : text->size();
  std::size_t bounds[] = {0, size};
  for (std::size_t i = 1; i < arguments.size(); ++i) {
    auto at = position(arguments[i], size, true);
    if (!at.ok()) return at.error();
    bounds[i - 1] = *at;
  }
  if (bounds[0] > bounds[1]) {
    return execution_error("invalid slice index: " + std::to_string(bounds[0]) + " > " + std::to_string(bounds[1]));
  }
  if (text != nullptr) return TemplateValue(text->substr(bounds[0], bounds[1] - bounds[0]));
  return TemplateValue(TemplateValue::List(list->begin() + static_cast<std::ptrdiff_t>(bounds[0]),
                                           list->begin() + static_cast<std::ptrdiff_t>(bounds[1])));
}

// ---- printing ----------------------------------------------------------------------------------------------------
std::string shown(const TemplateValue& value) { return value.is_nil() ? "<nil>" : value.text(); }

/// As Go's Sprint: a space between two neither of which is a string.
std::string print(Arguments arguments) {
  std::string out;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (i != 0 && arguments[i].string() == nullptr && arguments[i - 1].string() == nullptr) out += ' ';
    out += shown(arguments[i]);
  }
  return out;
}

std::string print_line(Arguments arguments) {
  std::string out;
  for (const TemplateValue& argument : arguments) out += (&argument == &arguments[0] ? "" : " ") + shown(argument);
  return out + "\n";
}

Answer print_formatted(Arguments arguments) {
  if (arguments[0].string() == nullptr) {
    return execution_error("wrong type for value; expected string; got " + std::string(arguments[0].type_name()));
  }
  return TemplateValue(template_printf(*arguments[0].string(), arguments.subspan(1)));
}

// ---- escaping ----------------------------------------------------------------------------------------------------
std::string escape_html(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '"':
        out += "&#34;";
        break;
      case '\'':
        out += "&#39;";
        break;
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '\0':
        out += "\xef\xbf\xbd";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string escape_javascript(std::string_view text) {
  std::string out;
  const char* digits = "0123456789ABCDEF";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\\' || c == '\'' || c == '"') {
      out += {'\\', c};
    } else if (byte < 0x20 || c == '<' || c == '>' || c == '&' || c == '=') {
      out += std::string("\\u00") + digits[byte >> 4] + digits[byte & 15];
    } else {
      out += c;
    }
  }
  return out;
}

/// As Go's url.QueryEscape.
std::string escape_query(std::string_view text) {
  std::string out;
  const char* digits = "0123456789ABCDEF";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z' && byte < 0x80) || c == '-' ||
                       c == '_' || c == '.' || c == '~';
    if (plain) {
      out += c;
    } else if (c == ' ') {
      out += '+';
    } else {
      out += {'%', digits[byte >> 4], digits[byte & 15]};
    }
  }
  return out;
}

TemplateFunctions make_builtins() {
  constexpr int kAny = TemplateFunction::kAnyNumber;
  const auto text_of = [](std::string (*change)(std::string_view)) {
    return [change](Arguments arguments) -> Answer { return TemplateValue(change(print(arguments))); };
  };
  TemplateFunctions functions;
  for (const char* logic : {"and", "or"}) {
    functions[logic] = {1, kAny, [](Arguments arguments) -> Answer { return arguments.back(); }};
  }
  functions["not"] = {1, 1, [](Arguments a) -> Answer { return TemplateValue(!a[0].truth()); }};
  functions["len"] = {1, 1, length};
  functions["index"] = {1, kAny, index};
  functions["slice"] = {1, 3, slice};
  functions["print"] = {0, kAny, [](Arguments a) -> Answer { return TemplateValue(print(a)); }};
  functions["println"] = {0, kAny, [](Arguments a) -> Answer { return TemplateValue(print_line(a)); }};
  functions["printf"] = {1, kAny, print_formatted};
  functions["html"] = {0, kAny, text_of(escape_html)};
  functions["js"] = {0, kAny, text_of(escape_javascript)};
  functions["urlquery"] = {0, kAny, text_of(escape_query)};
  functions["eq"] = {2, kAny, equal_to_any};
  functions["ne"] = {2, 2, [](Arguments a) { return answer(equal(a[0], a[1]), true); }};
  functions["lt"] = {2, 2, [](Arguments a) { return answer(less(a[0], a[1])); }};
  functions["le"] = {2, 2, less_or_equal};
  functions["gt"] = {2, 2, [](Arguments a) -> Answer {
                       auto not_greater = less_or_equal(a);
                       if (!not_greater.ok()) return not_greater.error();
                       return TemplateValue(!*not_greater->boolean());
                     }};
  functions["ge"] = {2, 2, [](Arguments a) { return answer(less(a[0], a[1]), true); }};
  return functions;
}

}  // namespace

const TemplateFunctions& builtin_template_functions() {
  static const TemplateFunctions functions = make_builtins();
  return functions;
}

}  // namespace pipit
