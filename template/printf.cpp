// Go's fmt.Sprintf over the kinds of values that templates have.

#include <algorithm>
#include <cstdio>

#include "model/number.h"
#include "template/characters.h"
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
  char32_t verb = 0;
  bool wrong_argument = false;  ///< it asks for one by a number that is none
};

int read_number(std::string_view text, std::size_t& at) {
  int number = 0;
  while (at < text.size() && text[at] >= '0' && text[at] <= '9') {
    number = std::min(kMaxWidth, number * 10 + (text[at++] - '0'));
  }
  return number;
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
  std::string out;
  append_character(out, code < 0 || code > 0x10ffff ? 0xfffd : static_cast<char32_t>(code));
  return out;
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

/// With a sign where C has the two's complement.
std::string format_bits(const Directive& directive, std::int64_t value) {
  Directive without_sign = directive;
  without_sign.width = -1;
  const std::uint64_t magnitude = value < 0 ? 0 - static_cast<std::uint64_t>(value) : static_cast<std::uint64_t>(value);
  std::string digits;
  if (directive.verb == 'b') {
    for (std::uint64_t rest = magnitude; rest != 0 || digits.empty(); rest >>= 1) digits.insert(0, 1, "01"[rest & 1]);
  } else {
    const char verb = directive.verb == 'O' ? 'o' : static_cast<char>(directive.verb);
    digits = (directive.verb == 'O' ? "0o" : "") +
             c_format(without_sign, "ll", verb, static_cast<unsigned long long>(magnitude));
  }
  return pad((value < 0 ? "-" : directive.plus ? "+" : "") + digits, directive);
}

std::optional<std::string> format_integer(const Directive& directive, std::int64_t value) {
  switch (directive.verb) {
    case 'v':
    case 'd':
      return c_format(directive, "ll", 'd', static_cast<long long>(value));
    case 'x':
    case 'X':
    case 'o':
      if (value >= 0 && !directive.plus) {
        return c_format(directive, "ll", static_cast<char>(directive.verb), static_cast<long long>(value));
      }
      [[fallthrough]];
    case 'b':
    case 'O':
      return format_bits(directive, value);
    case 'c':
      return pad(utf8(value), directive);
    case 'q':
      return pad("'" + utf8(value) + "'", directive);
    case 'U': {
      Directive four;
      four.precision = std::max(directive.precision, 4);
      return pad("U+" + c_format(four, "ll", 'X', static_cast<long long>(value)), directive);
    }
    default:
      return std::nullopt;
  }
}

std::optional<std::string> format_real(const Directive& directive, double value) {
  switch (directive.verb) {
    case 'v':
      if (directive.precision < 0) {
        return pad(format_float_g(value), directive);
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
      return c_format(directive, "", static_cast<char>(directive.verb), value);
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
      return pad(directive.sharp && directive.verb == 'v' ? template_quote(value) : std::string(value), directive);
    case 'q':
      return pad(template_quote(value), directive);
    case 'x':
    case 'X':
      return pad(hexadecimal(value, directive.verb == 'X'), directive);
    default:
      return std::nullopt;
  }
}

/// As %v shows it, for what says of itself how it is written, and for what has no verb of its own.
std::string format_plain(const Directive& directive, const TemplateValue& value) {
  return pad(value.is_nil() ? "<nil>" : value.text(), directive);
}

std::string format_one(Directive directive, const TemplateValue& value) {
  const char32_t verb = directive.verb;
  if (verb == 'T') return pad(std::string(value.type_name()), directive);
  if (verb == 'v') directive.plus = false;  // %+v names the fields of structs
  std::optional<std::string> text;
  const bool as_text = verb == 'v' || verb == 's' || verb == 'q' || verb == 'x' || verb == 'X';
  if (const TemplateObject* object = value.object(); object != nullptr && as_text && value.list() == nullptr) {
    text = format_string(directive, object->text());
  } else if (const auto integer = value.number()) {
    text = format_integer(directive, *integer);
  } else if (const double* real = value.real()) {
    text = format_real(directive, *real);
  } else if (const std::string* string = value.string()) {
    text = format_string(directive, *string);
  } else if (const TemplateValue::List* list = value.list(); list != nullptr && verb != 'v') {
    text = "[";
    for (const TemplateValue& element : *list) *text += (text->size() > 1 ? " " : "") + format_one(directive, element);
    *text += "]";
  } else if (verb == 'v' || (verb == 't' && value.boolean() != nullptr)) {
    text = format_plain(directive, value);
  }
  if (text) return *text;
  std::string wrong = "%!";
  append_character(wrong, verb);
  if (value.is_nil()) return wrong + "(<nil>)";
  directive.verb = 'v';
  return wrong + "(" + std::string(value.type_name()) + "=" + format_one(directive, value) + ")";
}

/// One call of printf.
class Printf {
 public:
  Printf(std::string_view format, std::span<const TemplateValue> arguments) : format_(format), arguments_(arguments) {}

  std::string run() {
    while (at_ < format_.size()) {
      if (format_[at_] != '%') {
        out_ += format_[at_++];
        continue;
      }
      ++at_;
      Directive directive;
      read_directive(directive);
      if (at_ == format_.size()) {
        out_ += "%!(NOVERB)";
        break;
      }
      directive.verb = next_character(format_, at_);
      print(directive);
    }
    if (!out_of_order_ && next_ < arguments_.size()) print_the_rest();
    return std::move(out_);
  }

 private:
  bool is_at(char c) const { return at_ < format_.size() && format_[at_] == c; }

  /// What stands between the percent sign and the verb.
  void read_directive(Directive& directive) {
    for (; at_ < format_.size(); ++at_) {
      const char c = format_[at_];
      bool* const flag = c == '-'   ? &directive.minus
                         : c == '+' ? &directive.plus
                         : c == '#' ? &directive.sharp
                         : c == ' ' ? &directive.space
                         : c == '0' ? &directive.zero
                                    : nullptr;
      if (flag == nullptr) break;
      *flag = true;
    }
    read_index(directive);
    if (is_at('*')) {
      read_star(directive, directive.width, "%!(BADWIDTH)");
      if (directive.width < -1) {
        directive.minus = true;
        directive.width = -directive.width;
      }
    } else if (at_ < format_.size() && format_[at_] >= '1' && format_[at_] <= '9') {
      directive.width = read_number(format_, at_);
    }
    if (is_at('.')) {
      ++at_;
      read_index(directive);
      directive.precision = 0;
      if (is_at('*')) {
        read_star(directive, directive.precision, "%!(BADPREC)");
        directive.precision = std::max(directive.precision, -1);
      } else {
        directive.precision = read_number(format_, at_);
      }
    }
    read_index(directive);
  }

  /// `[2]`: which argument is next.
  void read_index(Directive& directive) {
    if (!is_at('[')) return;
    out_of_order_ = true;
    const std::size_t end = format_.find(']', at_);
    if (end == std::string_view::npos) {
      ++at_;
      directive.wrong_argument = true;
      return;
    }
    ++at_;
    const int number = read_number(format_, at_);
    if (at_ != end || number < 1 || static_cast<std::size_t>(number) > arguments_.size()) {
      directive.wrong_argument = true;
    } else {
      next_ = static_cast<std::size_t>(number) - 1;
    }
    at_ = end + 1;
  }

  /// The width or the precision is an argument.
  void read_star(Directive& directive, int& number, const char* wrong) {
    ++at_;
    const std::int64_t* value = next_ < arguments_.size() ? arguments_[next_].integer() : nullptr;
    next_ += next_ < arguments_.size() ? 1 : 0;
    if (value != nullptr && *value >= -kMaxWidth && *value <= kMaxWidth) {
      number = static_cast<int>(*value);
    } else {
      number = -1;
      out_ += wrong;
    }
    read_index(directive);
  }

  void print(const Directive& directive) {
    if (directive.verb == '%') {
      out_ += '%';
    } else if (directive.wrong_argument || next_ == arguments_.size()) {
      out_ += "%!";
      append_character(out_, directive.verb);
      out_ += directive.wrong_argument ? "(BADINDEX)" : "(MISSING)";
    } else {
      out_ += format_one(directive, arguments_[next_++]);
    }
  }

  void print_the_rest() {
    out_ += "%!(EXTRA ";
    for (bool first = true; next_ < arguments_.size(); first = false) {
      const TemplateValue& extra = arguments_[next_++];
      if (!first) out_ += ", ";
      out_ += extra.is_nil() ? "<nil>" : std::string(extra.type_name()) + "=" + extra.text();
    }
    out_ += ")";
  }

  std::string_view format_;
  std::span<const TemplateValue> arguments_;
  std::size_t at_ = 0;
  std::size_t next_ = 0;  ///< of the arguments
  bool out_of_order_ = false;
  std::string out_;
};

}  // namespace

std::string template_quote(std::string_view text) {
  constexpr std::string_view kNamed = "\a\b\f\n\r\t\v\\\"";
  constexpr std::string_view kNames = "abfnrtv\\\"";
  std::string out = "\"";
  for (std::size_t at = 0; at < text.size();) {
    const std::string_view rest = text.substr(at);
    const std::size_t named = kNamed.find(rest[0]);
    const char32_t character = next_character(text, at);
    const std::string_view bytes = rest.substr(0, rest.size() - (text.size() - at));
    char escaped[16];
    if (named != std::string_view::npos) {
      out += {'\\', kNames[named]};
    } else if (bytes.size() == 1 && (character < 0x20 || character >= 0x7f)) {
      out += "\\x" + hexadecimal(bytes, false);
    } else if (is_printable(character)) {
      out += bytes;
    } else {
      std::snprintf(escaped, sizeof escaped, character < 0x10000 ? "\\u%04x" : "\\U%08x",
                    static_cast<unsigned>(character));
      out += escaped;
    }
  }
  return out + '"';
}

std::string template_printf(std::string_view format, std::span<const TemplateValue> arguments) {
  return Printf(format, arguments).run();
}

}  // namespace pipit
