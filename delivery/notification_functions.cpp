// Source of functions: Alertmanager 0.28, template/template.go.

#include "delivery/notification_functions.h"

#include <algorithm>
#include <cctype>
#include <cmath>

#include "delivery/notification_data.h"
#include "model/time_zone.h"
#include "template/characters.h"
#include "template/html_escaper.h"
#include "template/prometheus_functions.h"

namespace pipit {
namespace {

using Arguments = std::span<const TemplateValue>;
using Answer = Result<TemplateValue>;

Result<std::string> text_of(const TemplateValue& value) {
  if (value.string() != nullptr) return *value.string();
  return execution_error("wrong type for value; expected string; got " + std::string(value.type_name()));
}

/// A function of one text.
template <class Change>
TemplateFunction of_text(Change change) {
  return {1, 1, [change](Arguments arguments) -> Answer {
            auto text = text_of(arguments[0]);
            if (!text.ok()) return text.error();
            return change(*text);
          }};
}

TemplateValue trim(const std::string& text) {
  const std::size_t begin = text.find_first_not_of(" \t\n\v\f\r");
  if (begin == std::string::npos) return TemplateValue("");
  return TemplateValue(text.substr(begin, text.find_last_not_of(" \t\n\v\f\r") - begin + 1));
}

/// The first letter of each word large, the others small.
TemplateValue title(const std::string& text) {
  std::string out;
  bool in_word = false;
  for (std::size_t at = 0; at < text.size();) {
    const char32_t character = next_character(text, at);
    append_character(out, in_word ? lower_case(character) : upper_case(character));
    const auto is_word = [](char32_t c) { return is_letter_or_digit(c) || c == '_'; };
    std::size_t after = at;
    const bool joins = in_word && (character == '\'' || character == '.' || character == ':') && at < text.size() &&
                       is_word(next_character(text, after));
    in_word = is_word(character) || joins;
  }
  return TemplateValue(std::move(out));
}

Answer join(Arguments arguments) {
  auto separator = text_of(arguments[0]);
  if (!separator.ok()) return separator.error();
  const auto* list = arguments[1].list();
  if (list == nullptr) {
    return execution_error("wrong type for value; expected []string; got " + std::string(arguments[1].type_name()));
  }
  std::string out;
  for (const TemplateValue& element : *list) {
    if (&element != &list->front()) out += *separator;
    out += element.text();
    if (out.size() > TemplateValue::kMaxText) return execution_error("the text is too long");
  }
  return TemplateValue(std::move(out));
}

/// Go's url.QueryUnescape.
Answer unescape(const std::string& text) {
  std::string out;
  const auto digit = [](char c) { return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10; };
  const auto is_hex = [](char c) { return std::isxdigit(static_cast<unsigned char>(c)) != 0; };
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i] == '+' ? ' ' : text[i];
      continue;
    }
    if (i + 2 >= text.size() || !is_hex(text[i + 1]) || !is_hex(text[i + 2])) {
      return execution_error("invalid URL escape " + template_quote(text.substr(i, 3)));
    }
    out += static_cast<char>(digit(text[i + 1]) * 16 + digit(text[i + 2]));
    i += 2;
  }
  return TemplateValue(std::move(out));
}

Answer strings(Arguments arguments) {
  for (const TemplateValue& each : arguments) {
    if (auto text = text_of(each); !text.ok()) return text.error();
  }
  return TemplateValue(TemplateValue::List(arguments.begin(), arguments.end()));
}

Answer append(Arguments arguments) {
  const auto* list = arguments[0].list();
  if (list == nullptr) return execution_error("append: the first argument is not a list");
  TemplateValue::List longer = *list;
  longer.insert(longer.end(), arguments.begin() + 1, arguments.end());
  return TemplateValue(std::move(longer));
}

Answer dictionary(Arguments arguments) {
  if (arguments.size() % 2 != 0) return execution_error("dict: a key has no value");
  TemplateValue::Map map;
  for (std::size_t i = 0; i < arguments.size(); i += 2) {
    auto key = text_of(arguments[i]);
    if (!key.ok()) return key.error();
    map.entries[*key] = arguments[i + 1];
  }
  return TemplateValue(std::move(map));
}

Answer date(Arguments arguments) {
  const TemplateObject* time = arguments[1].object();
  auto layout = text_of(arguments[0]);
  if (!layout.ok()) return layout.error();
  if (time == nullptr || time->type_name() != "time.Time") {
    return execution_error("wrong type for value; expected time.Time; got " + std::string(arguments[1].type_name()));
  }
  auto formatted = time->field("Format", arguments.first(1));
  if (!formatted.ok()) return formatted.error();
  return **formatted;
}

Result<TimestampMs> time_of(const TemplateValue& value) {
  const TemplateObject* time = value.object();
  if (time == nullptr || time->type_name() != "time.Time") {
    return execution_error("wrong type for value; expected time.Time; got " + std::string(value.type_name()));
  }
  auto milliseconds = time->field("UnixMilli", {});
  if (!milliseconds.ok()) return milliseconds.error();
  return *(*milliseconds)->integer();
}

Answer in_zone(Arguments arguments) {
  auto name = text_of(arguments[0]);
  if (!name.ok()) return name.error();
  auto time = time_of(arguments[1]);
  if (!time.ok()) return time.error();
  auto zone = TimeZone::load(*name);
  if (!zone.ok()) return execution_error(zone.error().message);
  const auto local = zone->at(*time);
  return template_time(*time, local.offset_seconds, local.abbreviation);
}

Answer humanized(Arguments arguments) {
  const TemplateObject* duration = arguments[0].object();
  if (duration != nullptr && duration->type_name() == "time.Duration") {
    auto seconds = duration->field("Seconds", {});
    if (!seconds.ok()) return seconds.error();
    return TemplateValue(humanize_duration(*(*seconds)->real()));
  }
  static const TemplateFunction of_numbers = prometheus_template_functions({}, nullptr).at("humanizeDuration");
  return of_numbers.call(arguments);
}

}  // namespace

TemplateFunctions notification_functions(TimestampMs now, bool html) {
  static const TemplateFunctions shared = [] {
    TemplateFunctions all = prometheus_template_functions({}, nullptr);
    TemplateFunctions functions;
    for (const char* name : {"toUpper", "toLower", "match", "reReplaceAll"}) functions[name] = all.at(name);
    functions["title"] = of_text([](const std::string& text) -> Answer { return title(text); });
    functions["trimSpace"] = of_text([](const std::string& text) -> Answer { return trim(text); });
    functions["join"] = {2, 2, join};
    functions["safeHtml"] =
        of_text([](const std::string& text) -> Answer { return SafeText::make(SafeText::Kind::html, text); });
    functions["safeUrl"] =
        of_text([](const std::string& text) -> Answer { return SafeText::make(SafeText::Kind::url, text); });
    functions["urlUnescape"] = of_text(unescape);
    functions["stringSlice"] = {0, TemplateFunction::kAnyNumber, strings};
    functions["list"] = {0, TemplateFunction::kAnyNumber, [](Arguments arguments) -> Answer {
                           return TemplateValue(TemplateValue::List(arguments.begin(), arguments.end()));
                         }};
    functions["append"] = {1, TemplateFunction::kAnyNumber, append};
    functions["dict"] = {0, TemplateFunction::kAnyNumber, dictionary};
    functions["date"] = {2, 2, date};
    functions["tz"] = {2, 2, in_zone};
    functions["humanizeDuration"] = {1, 1, humanized};
    functions["toJson"] = {1, 1, [](Arguments arguments) -> Answer {
                             auto json = template_json(arguments[0]);
                             if (!json.ok()) return json.error();
                             return TemplateValue(std::move(*json));
                           }};
    return functions;
  }();
  TemplateFunctions functions = shared;
  functions["since"] = {1, 1, [now](Arguments arguments) -> Answer {
                          auto time = time_of(arguments[0]);
                          if (!time.ok()) return time.error();
                          return template_duration(now - *time);
                        }};
  if (!html) return functions;
  const auto& builtins = builtin_template_functions();
  functions["html"] = builtins.at("print");
  functions["urlquery"] = {0, TemplateFunction::kAnyNumber,
                           [escape = builtins.at("urlquery").call](Arguments arguments) -> Answer {
                             auto text = escape(arguments);
                             if (!text.ok()) return text;
                             return SafeText::make(SafeText::Kind::escaped_url, *text->string());
                           }};
  return functions;
}

}  // namespace pipit
