#include "tools/flags.h"

#include <algorithm>
#include <optional>

#include "config/byte_size.h"
#include "config/suggestion.h"
#include "model/duration.h"
#include "model/number.h"

namespace pipit {
namespace {

constexpr std::size_t kHelpColumn = 6;
constexpr std::size_t kHelpWidth = 100;

std::string dashed(std::string_view name) { return "--" + std::string(name); }

bool is_choice(std::string_view choices, std::string_view word) {
  for (;;) {
    const std::size_t bar = choices.find('|');
    if (choices.substr(0, bar) == word) return true;
    if (bar == std::string_view::npos) return false;
    choices.remove_prefix(bar + 1);
  }
}

std::string choices_text(std::string_view choices) {
  std::string out(choices);
  for (std::size_t bar = 0; (bar = out.find('|', bar)) != std::string::npos; bar += 2) out.replace(bar, 1, ", ");
  return out;
}

/// What is wrong with a value, or nothing.
std::optional<std::string> fault(const FlagSpec& spec, std::string_view value) {
  switch (spec.type) {
    case FlagType::text:
      return std::nullopt;
    case FlagType::boolean:
      if (value == "true" || value == "false") return std::nullopt;
      return "must be true or false";
    case FlagType::integer: {
      const auto number = parse_float(value);
      if (number && *number >= -9e15 && *number <= 9e15 &&
          static_cast<double>(static_cast<std::int64_t>(*number)) == *number) {
        return std::nullopt;
      }
      return "must be a whole number";
    }
    case FlagType::number: {
      const auto number = parse_float(value);
      if (number && *number == *number) return std::nullopt;
      return "must be a number";
    }
    case FlagType::duration: {
      const auto duration = parse_duration(value);
      if (duration.ok()) return std::nullopt;
      return duration.error().message + "; write it as 30s, 5m or 15d";
    }
    case FlagType::size: {
      const auto size = parse_byte_size(value);
      if (size.ok()) return std::nullopt;
      return size.error().message;
    }
    case FlagType::choice:
      if (is_choice(spec.choices, value)) return std::nullopt;
      return "must be one of: " + choices_text(spec.choices);
  }
  return std::nullopt;
}

/// Appends `text` in lines of at most kHelpWidth, indented by kHelpColumn.
void append_wrapped(std::string& out, std::string_view text) {
  std::size_t column = 0;
  while (!text.empty()) {
    const std::size_t end = text.find(' ');
    const std::string_view word = text.substr(0, end);
    if (column != 0 && column + 1 + word.size() > kHelpWidth) {
      out += '\n';
      column = 0;
    }
    if (column == 0) {
      out.append(kHelpColumn, ' ');
      column = kHelpColumn;
    } else {
      out += ' ';
      ++column;
    }
    out += word;
    column += word.size();
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  out += '\n';
}

std::string_view value_name(FlagType type) {
  switch (type) {
    case FlagType::boolean:
      return "";
    case FlagType::integer:
    case FlagType::number:
      return "NUMBER";
    case FlagType::duration:
      return "DURATION";
    case FlagType::size:
      return "SIZE";
    case FlagType::choice:
      return "WORD";
    case FlagType::text:
      return "TEXT";
  }
  return "";
}

void append_flag(std::string& out, const FlagSpec& spec) {
  out += "  ";
  out += spec.type == FlagType::boolean ? "--[no-]" + std::string(spec.name) : dashed(spec.name);
  if (spec.type != FlagType::boolean) out += "=" + std::string(value_name(spec.type));
  if (spec.repeatable) out += " ...";
  out += '\n';
  std::string help(spec.help);
  if (!spec.choices.empty()) help += " One of: " + choices_text(spec.choices) + ".";
  if (!spec.default_value.empty()) help += " Default: " + std::string(spec.default_value) + ".";
  append_wrapped(out, help);
}

}  // namespace

const FlagSpec* ParsedFlags::find(std::string_view name) const {
  const auto found = std::find_if(table_.begin(), table_.end(), [name](const FlagSpec& s) { return s.name == name; });
  return found == table_.end() ? nullptr : &*found;
}

Status ParsedFlags::add(const FlagSpec& spec, std::string_view value) {
  if (const auto what = fault(spec, value)) {
    return bad_data("flag " + dashed(spec.name) + ": " + *what + " (got \"" + std::string(value) + "\")");
  }
  std::vector<std::string>& values = values_[spec.name];
  if (!values.empty() && !spec.repeatable) return bad_data("flag " + dashed(spec.name) + " cannot be repeated");
  values.emplace_back(value);
  return {};
}

Result<ParsedFlags> ParsedFlags::parse(std::span<const FlagSpec> table, std::span<const char* const> arguments) {
  ParsedFlags flags(table);
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    std::string_view argument = arguments[i];
    if (!argument.starts_with("--") || argument.size() < 3) {
      return bad_data("unexpected \"" + std::string(argument) + "\"; flags are written --name=value");
    }
    argument.remove_prefix(2);
    const std::size_t equals = argument.find('=');
    const std::string_view name = argument.substr(0, equals);
    std::optional<std::string_view> value;
    if (equals != std::string_view::npos) value = argument.substr(equals + 1);
    const FlagSpec* spec = flags.find(name);
    if (spec == nullptr && name.starts_with("no-")) {
      const FlagSpec* positive = flags.find(name.substr(3));
      if (positive != nullptr && positive->type == FlagType::boolean) {
        if (value) return bad_data("flag " + dashed(name) + " takes no value");
        spec = positive;
        value = "false";
      }
    }
    if (spec == nullptr) {
      std::vector<std::string_view> names;
      for (const FlagSpec& each : table) names.push_back(each.name);
      return bad_data("unknown flag " + dashed(name) + suggestion(name, names));
    }
    if (!value && spec->type == FlagType::boolean) value = "true";
    if (!value) {
      if (++i == arguments.size()) return bad_data("flag " + dashed(name) + " needs a value");
      value = arguments[i];
    }
    if (const Status status = flags.add(*spec, *value); !status.ok()) return status.error();
  }
  return flags;
}

std::string_view ParsedFlags::text(std::string_view name) const {
  const auto found = values_.find(name);
  return found == values_.end() ? find(name)->default_value : std::string_view(found->second.back());
}

std::vector<std::string> ParsedFlags::texts(std::string_view name) const {
  const auto found = values_.find(name);
  if (found != values_.end()) return found->second;
  return {std::string(find(name)->default_value)};
}

double ParsedFlags::number(std::string_view name) const { return parse_float(text(name)).value_or(0); }

std::int64_t ParsedFlags::duration_ms(std::string_view name) const {
  const auto duration = parse_duration(text(name));
  return duration.ok() ? *duration : 0;
}

std::vector<std::pair<std::string, std::string>> ParsedFlags::all() const {
  std::vector<std::pair<std::string, std::string>> out;
  out.reserve(table_.size());
  for (const FlagSpec& spec : table_) {
    std::string value;
    for (const std::string& each : texts(spec.name)) value += (value.empty() ? "" : ",") + each;
    out.emplace_back(spec.name, std::move(value));
  }
  return out;
}

std::vector<std::string> ParsedFlags::ignored() const {
  std::vector<std::string> lines;
  for (const FlagSpec& spec : table_) {
    if (spec.ignored.empty() || !given(spec.name)) continue;
    // `--no-x` of something that is off anyway asks for nothing.
    if (text(spec.name) == spec.default_value) continue;
    lines.push_back(dashed(spec.name) + " " + std::string(spec.ignored));
  }
  return lines;
}

std::string flags_help(std::span<const FlagSpec> table) {
  std::string out, ignored;
  std::string_view group;
  for (const FlagSpec& spec : table) {
    if (spec.hidden) continue;
    if (!spec.ignored.empty()) {
      ignored += (ignored.empty() ? "" : ", ") + dashed(spec.name);
      continue;
    }
    const std::string_view first = spec.name.substr(0, spec.name.find('.'));
    if (first != group) out += "\n" + std::string(first) + ":\n";
    group = first;
    append_flag(out, spec);
  }
  if (!ignored.empty()) {
    out += "\naccepted, so that Prometheus's unit files work, but without effect here:\n";
    append_wrapped(out, ignored);
  }
  return out;
}

}  // namespace pipit
