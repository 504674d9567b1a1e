// Go's fmt.Sprintf over the kinds of values that templates have.

#include <algorithm>
#include <cstdio>

#include "model/number.h"
#include "template/value.h"

namespace pipit {
namespace {

/// A template is no way to ask for a gigabyte of spaces.
constexpr int kMaxWidth = 1000;

struct Directive {
  bool minus = false;
  bool plus = false;
  bool sharp = false;
  bool space = false;
  bool zero = false;
  int width = -1;
  int precision = -1;
  char verb = 0;
};

int read_number(std::string_view text, std::size_t& at) {
  int number = 0;
  while (at < text.size() && text[at] >= '0' && text[at] <= '9') {
    number = std::min(kMaxWidth, number * 10 + (text[at++] - '0'));
  }
  return number;
}

/// Reads what follows a percent sign. False when the text ends before a verb.
bool read_directive(std::string_view format, std::size_t& at, Directive& directive) {
  for (; at < format.size(); ++at) {
    const char c = format[at];
    if (c == '-') {
      directive.minus = true;
    } else if (c == '+') {
      directive.plus = true;
    } else if (c == '#') {
      directive.sharp = true;
    } else if (c == ' ') {
      directive.space = true;
    } else if (c == '0') {
      directive.zero = true;
    } else {
      break;
    }
  }
  if (at < format.size() && format[at] >= '1' && format[at] <= '9') directive.width = read_number(format, at);
  if (at < format.size() && format[at] == '.') directive.precision = read_number(format, ++at);
  if (at >= format.size()) return false;
  directive.verb = format[at++];
  return true;
}

std::size_t count_characters(std::string_view text) {
  std::size_t count = 0;
  for (const char c : text) count += (static_cast<unsigned char>(c) & 0xc0) != 0x80 ? 1 : 0;
  return count;
}

std::string pad(std::string text, const Directive& directive) {
  const std::size_t length = count_characters(text);
  const auto width = static_cast<std::size_t>(std::max(directive.width, 0));
  if (length >= width) return text;
  if (directive.minus) return text + std::string(width - length, ' ');
  return std::string(width - length, ' ') + text;
}

/// By the C library, whose flags and verbs for numbers are Go's.
template <class Number>
std::string c_format(const Directive& directive, const char* length, char verb, Number number) {
  std::string format = "%";
  if (directive.minus) format += '-';
  if (directive.plus) format += '+';
  if (directive.sharp) format += '#';
  if (directive.space) format += ' ';
  if (directive.zero) format += '0';
  if (directive.width >= 0) format += std::to_string(directive.width);
  if (directive.precision >= 0) format += "." + std::to_string(directive.precision);
  format += length;
  format += verb;
  char buffer[2 * kMaxWidth + 400];
  const int written = std::snprintf(buffer, sizeof buffer, format.c_str(), number);
  return {buffer, static_cast<std::size_t>(std::clamp<int>(written, 0, sizeof buffer - 1))};
}

std::string utf8(std::int64_t code) {
  if (code < 0 || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) code = 0xfffd;
  const auto c = static_cast<std::uint32_t>(code);
  const auto byte = [](std::uint32_t b) { return static_cast<char>(b); };
  if (c < 0x80) return {byte(c)};
  if (c < 0x800) return {byte(0xc0 | c >> 6), byte(0x80 | (c & 0x3f))};
  if (c < 0x10000) return {byte(0xe0 | c >> 12), byte(0x80 | (c >> 6 & 0x3f)), byte(0x80 | (c & 0x3f))};
  return {byte(0xf0 | c >> 18), byte(0x80 | (c >> 12 & 0x3f)), byte(0x80 | (c >> 6 & 0x3f)), byte(0x80 | (c & 0x3f))};
}

std::string hexadecimal(std::string_view text, bool upper) {
  const char* digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
  std::string out;
  for (const char c : text) {
    out += digits[static_cast<unsigned char>(c) >> 4];
    out += digits[static_cast<unsigned char>(c) & 15];
  }
  return out;
}

std::optional<std::string> format_integer(const Directive& directive, std::int64_t value) {
  switch (directive.verb) {
    case 'v':
    case 'd':
      return c_format(directive, "ll", 'd', static_cast<long long>(value));
    case 'x':
    case 'X':
    case 'o': {
      if (value >= 0) return c_format(directive, "ll", directive.verb, static_cast<long long>(value));
      Directive without_sign = directive;
      without_sign.width = -1;
      const auto magnitude = static_cast<unsigned long long>(0) - static_cast<unsigned long long>(value);
      return pad("-" + c_format(without_sign, "ll", directive.verb, magnitude), directive);
    }
    case 'b': {
      std::string bits;
      for (auto rest = static_cast<std::uint64_t>(value); rest != 0; rest >>= 1) bits.insert(0, 1, "01"[rest & 1]);
      return pad(bits.empty() ? "0" : bits, directive);
    }
    case 'c':
      return pad(utf8(value), directive);
    case 'q':
      return pad("'" + utf8(value) + "'", directive);
    default:
      return std::nullopt;
  }
}

std::optional<std::string> format_real(const Directive& directive, double value) {
  switch (directive.verb) {
    case 'v':
      if (directive.precision < 0) {
        std::string text = format_float_g(value);
        if (directive.plus && text[0] != '-' && text[0] != '+') text.insert(0, 1, '+');
        return pad(std::move(text), directive);
      }
      return c_format(directive, "", 'g', value);
    case 'g':
      if (directive.precision < 0) return pad(format_float_g(value), directive);
      [[fallthrough]];
    case 'e':
    case 'E':
    case 'f':
    case 'F':
    case 'G':
      if (value != value) return pad("NaN", directive);
      if (value - value != 0) return pad(value < 0 ? "-Inf" : "+Inf", directive);
      return c_format(directive, "", directive.verb, value);
    default:
      return std::nullopt;
  }
}

std::optional<std::string> format_string(const Directive& directive, std::string_view value) {
  switch (directive.verb) {
    case 'v':
    case 's':
      if (directive.precision >= 0) {
        std::size_t end = 0;
        for (int left = directive.precision; end < value.size(); ++end) {
          if ((static_cast<unsigned char>(value[end]) & 0xc0) != 0x80 && left-- == 0) break;
        }
        value = value.substr(0, end);
      }
      return pad(std::string(value), directive);
    case 'q':
      return pad(template_quote(value), directive);
    case 'x':
    case 'X':
      return pad(hexadecimal(value, directive.verb == 'X'), directive);
    default:
      return std::nullopt;
  }
}

std::string format_one(const Directive& directive, const TemplateValue& value) {
  if (directive.verb == 'T') return pad(std::string(value.type_name()), directive);
  std::optional<std::string> text;
  if (const std::int64_t* integer = value.integer()) {
    text = format_integer(directive, *integer);
  } else if (const double* real = value.real()) {
    text = format_real(directive, *real);
  } else if (const std::string* string = value.string()) {
    text = format_string(directive, *string);
  } else if (const TemplateValue::List* list = value.list(); list != nullptr && directive.verb != 'v') {
    text = "[";
    for (const TemplateValue& element : *list) *text += (text->size() > 1 ? " " : "") + format_one(directive, element);
    *text += "]";
  } else if (directive.verb == 'v' || (directive.verb == 's' && value.object() != nullptr) ||
             (directive.verb == 't' && value.boolean() != nullptr)) {
    text = pad(value.is_nil() ? "<nil>" : value.text(), directive);
  }
  if (text) return *text;
  const std::string name = std::string("%!") + directive.verb + "(";
  if (value.is_nil()) return name + "<nil>)";
  return name + std::string(value.type_name()) + "=" + value.text() + ")";
}

}  // namespace

std::string template_quote(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += {'\\', c};
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c == '\r') {
      out += "\\r";
    } else if (byte < 0x20 || byte == 0x7f) {
      out += "\\x" + hexadecimal({&c, 1}, false);
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string template_printf(std::string_view format, std::span<const TemplateValue> arguments) {
  std::string out;
  std::size_t next = 0;
  for (std::size_t at = 0; at < format.size();) {
    if (format[at] != '%') {
      out += format[at++];
      continue;
    }
    Directive directive;
    if (!read_directive(format, ++at, directive)) return out + "%!(NOVERB)";
    if (directive.verb == '%') {
      out += '%';
    } else if (next == arguments.size()) {
      out += std::string("%!") + directive.verb + "(MISSING)";
    } else {
      out += format_one(directive, arguments[next++]);
    }
  }
  if (next == arguments.size()) return out;
  out += "%!(EXTRA ";
  for (bool first = true; next < arguments.size(); first = false) {
    const TemplateValue& extra = arguments[next++];
    if (!first) out += ", ";
    out += extra.is_nil() ? "<nil>" : std::string(extra.type_name()) + "=" + extra.text();
  }
  return out + ")";
}

}  // namespace pipit
