#include "config/schema.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <filesystem>

#include "config/byte_size.h"
#include "config/suggestion.h"
#include "model/duration.h"
#include "model/labels.h"
#include "model/number.h"

namespace pipit {
namespace {

const Field* find_field(const Section& section, std::string_view key) {
  for (const Field& field : section.fields) {
    if (field.key == key) return &field;
  }
  for (const Section* included : section.includes) {
    if (const Field* field = find_field(*included, key)) return field;
  }
  return nullptr;
}

void collect_keys(const Section& section, std::vector<std::string_view>& keys) {
  for (const Field& field : section.fields) keys.push_back(field.key);
  for (const Section* included : section.includes) collect_keys(*included, keys);
}

std::string_view kind_name(const YamlNode& node) {
  switch (node.kind) {
    case YamlNode::Kind::sequence:
      return "a list";
    case YamlNode::Kind::mapping:
      return "a mapping";
    case YamlNode::Kind::scalar:
      return node.is_null() ? "empty" : "a single value";
  }
  return "";
}

bool is_choice(std::string_view choices, std::string_view word) {
  while (!choices.empty()) {
    const std::size_t bar = choices.find('|');
    if (choices.substr(0, bar) == word) return true;
    if (bar == std::string_view::npos) break;
    choices.remove_prefix(bar + 1);
  }
  return false;
}

std::string choices_text(std::string_view choices) {
  std::string out(choices);
  for (std::size_t bar = out.find('|'); bar != std::string::npos; bar = out.find('|', bar + 2))
    out.replace(bar, 1, ", ");
  return out;
}

/// Whether the warning of a key is moot, as nothing is asked for or what Pipit does anyway.
bool is_harmless(const YamlNode& node, const Field& field) {
  if (node.is_empty()) return true;
  if (node.is_scalar()) {
    if (node.text.empty()) return true;
    if (field.type == FieldType::boolean) {
      const std::string_view harmless = field.harmless.empty() ? "false" : field.harmless;
      return yaml_boolean(node) == (harmless == "true");
    }
    if (field.harmless.starts_with('!')) return node.text != field.harmless.substr(1);
    return !field.harmless.empty() && node.text == field.harmless;
  }
  if (field.harmless.starts_with('!')) {
    return std::none_of(node.items.begin(), node.items.end(),
                        [&](const YamlNodePtr& item) { return item->text == field.harmless.substr(1); });
  }
  return node.items.size() == 1 && !field.harmless.empty() && node.items.front()->text == field.harmless;
}

/// What a warning calls a key: with its section, unless that is a job or the file itself.
std::string key_name(const Section& section, std::string_view key) {
  if (&section == &kConfigSection || &section == &kScrapeConfigSection) return std::string(key);
  return std::string(section.name) + "." + std::string(key);
}

}  // namespace

std::string quote(std::string_view text) {
  std::string out;
  append_quoted(out, text);
  return out;
}

std::optional<bool> yaml_boolean(const YamlNode& node) {
  if (node.is_null()) return false;
  if (!node.plain) return std::nullopt;
  static constexpr std::array<std::string_view, 11> kTrue = {"true", "True", "TRUE", "yes", "Yes", "YES",
                                                             "on",   "On",   "ON",   "y",   "Y"};
  static constexpr std::array<std::string_view, 11> kFalse = {"false", "False", "FALSE", "no", "No", "NO",
                                                              "off",   "Off",   "OFF",   "n",  "N"};
  if (std::find(kTrue.begin(), kTrue.end(), node.text) != kTrue.end()) return true;
  if (std::find(kFalse.begin(), kFalse.end(), node.text) != kFalse.end()) return false;
  return std::nullopt;
}

std::optional<double> yaml_number(const YamlNode& node) {
  if (node.is_null()) return 0;
  if (!node.plain) return std::nullopt;
  std::string text = node.text;
  std::erase(text, '_');
  if (text == ".inf" || text == "+.inf") return parse_float("Inf");
  if (text == "-.inf") return parse_float("-Inf");
  if (text.find_first_of("0123456789") == std::string::npos) return std::nullopt;
  return parse_float(text);
}

std::optional<std::int64_t> yaml_integer(const YamlNode& node) {
  if (node.is_null()) return 0;
  if (!node.plain) return std::nullopt;
  std::string text = node.text;
  std::erase(text, '_');
  const bool negative = text.starts_with('-');
  std::string_view digits = text;
  if (negative || digits.starts_with('+')) digits.remove_prefix(1);
  int base = 10;
  if (digits.starts_with("0x")) base = 16;
  if (digits.starts_with("0o")) base = 8;
  if (digits.starts_with("0b")) base = 2;
  if (base != 10) digits.remove_prefix(2);
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
  if (error == std::errc() && end == digits.data() + digits.size() && value >= 0) return negative ? -value : value;
  // `5e7` is an integer, too.
  const auto number = yaml_number(node);
  if (!number || !(*number >= -9e15 && *number <= 9e15)) return std::nullopt;
  const auto whole = static_cast<std::int64_t>(*number);
  if (static_cast<double>(whole) != *number) return std::nullopt;
  return whole;
}

std::string_view url_scheme(std::string_view url) {
  const std::size_t end = url.find("://");
  return end == std::string_view::npos ? std::string_view() : url.substr(0, end);
}

std::string_view url_host(std::string_view url) {
  const std::size_t scheme_end = url.find("://");
  if (scheme_end == std::string_view::npos) return {};
  std::string_view host = url.substr(scheme_end + 3);
  host = host.substr(0, host.find_first_of("/?#"));
  const std::size_t at = host.rfind('@');
  if (at != std::string_view::npos) host.remove_prefix(at + 1);
  return host;
}

bool is_url_reference(std::string_view text) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return false;
  }
  if (text.starts_with(':')) return false;  // Go: missing protocol scheme
  if (url_host(text).find(' ') != std::string_view::npos) return false;
  const std::string_view scheme = url_scheme(text);
  return std::all_of(scheme.begin(), scheme.end(),
                     [](unsigned char c) { return std::isalnum(c) != 0 || c == '+' || c == '-' || c == '.'; });
}

void SchemaChecker::warn(const YamlNode& at, const std::string& message) {
  if (unbuilt_depth_ > 0) return;
  warnings_.push_back({file_ + ":" + std::to_string(at.position.line) + ": " + message});
}

std::string SchemaChecker::path_of(std::string_view path) const {
  if (path.empty()) return {};
  return (std::filesystem::path(file_).parent_path() / path).string();
}

std::optional<Error> SchemaChecker::refusal() const {
  if (refusals_.empty()) return std::nullopt;
  std::string message = refusals_.front();
  for (std::size_t i = 1; i < refusals_.size(); ++i) message += "\n" + refusals_[i];
  return bad_data(std::move(message));
}

void SchemaChecker::refuse(const YamlNode& at, const std::string& message) {
  if (unbuilt_depth_ == 0) refusals_.push_back(fail(at, message).message);
}

void SchemaChecker::hide_all(const YamlNode& node) {
  if (node.is_scalar()) secrets_.insert(&node);
  for (const YamlNodePtr& item : node.items) hide_all(*item);
  for (const auto& [key, value] : node.entries) hide_all(*value);
}

std::optional<Error> SchemaChecker::check(const YamlNode& node, const Section& section) {
  if (node.is_null()) return std::nullopt;
  if (!node.is_mapping()) {
    return fail(
        node, std::string(section.name) + " must be a mapping of keys to values, not " + std::string(kind_name(node)));
  }
  for (const auto& [key, value] : node.entries) {
    const Field* field = find_field(section, key->text);
    if (field == nullptr) {
      if (ignore_unknown_fields) continue;
      std::vector<std::string_view> keys;
      collect_keys(section, keys);
      return fail(
          *key, "unknown field " + quote(key->text) + " in " + std::string(section.name) + suggestion(key->text, keys));
    }
    const bool unbuilt = !field->warning.empty();
    if (unbuilt && !is_harmless(*value, *field)) {
      const std::string message = key_name(section, key->text) + " " + std::string(field->warning);
      if (!field->refused) {
        warn(*key, message);
      } else {
        refuse(*key, message);
      }
    }
    unbuilt_depth_ += unbuilt ? 1 : 0;
    auto error = check_field(*value, *field);
    unbuilt_depth_ -= unbuilt ? 1 : 0;
    if (error) return error;
  }
  return check_included_rules(node, section);
}

std::optional<Error> SchemaChecker::check_included_rules(const YamlNode& node, const Section& section) {
  for (const Section* included : section.includes) {
    if (auto error = check_included_rules(node, *included)) return error;
  }
  return section.rule == nullptr ? std::nullopt : section.rule(node, *this);
}

std::optional<Error> SchemaChecker::check_field(const YamlNode& node, const Field& field) {
  switch (field.type) {
    case FieldType::section:
      return check(node, *field.section);
    case FieldType::section_list:
    case FieldType::string_list:
      return check_list(node, field, false);
    case FieldType::secret_list:
      return check_list(node, field, true);
    case FieldType::string_map:
    case FieldType::string_list_map:
    case FieldType::secret_list_map:
    case FieldType::section_map:
      return check_map(node, field);
    case FieldType::anything:
      hide_all(node);
      return std::nullopt;
    default:
      return check_scalar(node, field);
  }
}

std::optional<Error> SchemaChecker::check_list(const YamlNode& node, const Field& field, bool secret) {
  if (node.is_null()) return std::nullopt;
  if (!node.is_sequence()) {
    return fail(node, std::string(field.key) + " must be a list, not " + std::string(kind_name(node)));
  }
  for (const YamlNodePtr& item : node.items) {
    if (field.type != FieldType::section_list) {
      if (!item->is_scalar()) {
        return fail(*item, std::string(field.key) + " must be a list of strings, found " +
                               std::string(kind_name(*item)) + " in it");
      }
      if (secret) secrets_.insert(item.get());
      continue;
    }
    if (item->is_null()) return fail(*item, std::string(field.section->empty_item));
    if (auto error = check(*item, *field.section)) return error;
  }
  return std::nullopt;
}

std::optional<Error> SchemaChecker::check_map(const YamlNode& node, const Field& field) {
  if (node.is_null()) return std::nullopt;
  if (!node.is_mapping()) {
    return fail(node,
                std::string(field.key) + " must be a mapping of keys to values, not " + std::string(kind_name(node)));
  }
  for (const auto& [key, value] : node.entries) {
    if (field.type == FieldType::section_map) {
      if (auto error = check(*value, *field.section)) return error;
    } else if (field.type == FieldType::string_map) {
      if (!value->is_scalar()) {
        return fail(*value, std::string(field.key) + ": the value of " + quote(key->text) + " must be a string, not " +
                                std::string(kind_name(*value)));
      }
    } else if (auto error = check_list(*value, field, field.type == FieldType::secret_list_map)) {
      return error;
    }
  }
  return std::nullopt;
}

std::optional<Error> SchemaChecker::check_scalar(const YamlNode& node, const Field& field) {
  const std::string key(field.key);
  if (!node.is_scalar()) {
    return fail(node, key + " must be a single value, not " + std::string(kind_name(node)));
  }
  if (field.type == FieldType::secret) secrets_.insert(&node);
  if (node.is_null()) return std::nullopt;
  const auto wrong = [&](std::string_view what) {
    return fail(node, key + " must be " + std::string(what) + ", not " + quote(node.text));
  };
  switch (field.type) {
    case FieldType::boolean:
      if (!yaml_boolean(node)) return wrong("true or false");
      break;
    case FieldType::integer:
      if (!yaml_integer(node)) return wrong("a whole number");
      break;
    case FieldType::unsigned_integer: {
      const auto value = yaml_integer(node);
      if (!value || *value < 0) return wrong("a whole number, 0 or more");
      break;
    }
    case FieldType::number:
      if (!yaml_number(node)) return wrong("a number");
      break;
    case FieldType::duration:
      if (const auto value = parse_duration(node.text); !value.ok()) {
        return fail(node, key + ": " + value.error().message + "; write it as 30s, 5m or 1h30m");
      }
      break;
    case FieldType::size:
      if (const auto value = parse_byte_size(node.text); !value.ok()) {
        return fail(node, key + ": " + value.error().message);
      }
      break;
    case FieldType::url:
      // The text may hold a password: messages don't repeat it.
      if (!is_url_reference(node.text)) return fail(node, "invalid " + key + ": not a URL");
      if (const std::size_t at = node.text.find('@'); at != std::string::npos && node.text.find(':') < at) {
        secrets_.insert(&node);
      }
      break;
    default:
      if (!field.choices.empty() && !is_choice(field.choices, node.text)) {
        return fail(node,
                    "unknown " + key + " " + quote(node.text) + ", must be one of: " + choices_text(field.choices));
      }
      break;
  }
  return std::nullopt;
}

}  // namespace pipit
