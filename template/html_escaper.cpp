// Source of rules: Go 1.24, html/template.

#include "template/html_escaper.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace pipit {
namespace {

/// What stands where something can't be made safe: a word that nobody takes for anything else.
constexpr const char* kRefused = "ZgotmplZ";
/// Of names of tags and attributes: what is longer is none that matters.
constexpr std::size_t kMostName = 64;

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }
std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = lower(c);
  return out;
}

template <std::size_t N>
bool is_one_of(std::string_view word, const std::array<std::string_view, N>& words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

/// `&amp;` and the like at the place are left alone.
bool is_entity(std::string_view text) {
  const std::size_t end = text.find(';');
  if (end == std::string_view::npos || end < 2 || end > 10) return false;
  const std::string_view name = text.substr(1, end - 1);
  return std::all_of(name.begin(), name.end(), [](char c) { return is_letter(c) || is_digit(c) || c == '#'; });
}

/// `keep_entities`: of a text that is HTML already, in which no tag may remain.
std::string escape_html(std::string_view text, bool unquoted, bool keep_entities) {
  std::string out;
  out.reserve(text.size() + text.size() / 8);
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool needs_quotes = c == '`' || c == '=' || is_space(c) || c == '\v';
    if (c == '\0') {
      out += "\xef\xbf\xbd";
    } else if (c == '&') {
      out += keep_entities && is_entity(text.substr(i)) ? "&" : "&amp;";
    } else if (c == '<') {
      out += "&lt;";
    } else if (c == '>') {
      out += "&gt;";
    } else if (c == '"' || c == '\'' || c == '+' || (unquoted && needs_quotes)) {
      out += "&#" + std::to_string(static_cast<int>(c)) + ";";
    } else {
      out += c;
    }
  }
  return out;
}

std::string percent(char c) {
  constexpr const char* kDigits = "0123456789abcdef";
  const auto byte = static_cast<unsigned char>(c);
  return {'%', kDigits[byte >> 4], kDigits[byte & 15]};
}

/// `whole`: what separates a URL's parts stays, and so does what is escaped already.
std::string escape_url(std::string_view text, bool whole) {
  std::string out;
  const auto is_hex = [](char c) { return std::isxdigit(static_cast<unsigned char>(c)) != 0; };
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool plain = is_letter(c) || is_digit(c) || std::string_view("-._~").find(c) != std::string_view::npos;
    const bool separates = whole && std::string_view("!#$&*+,/:;=?@[]").find(c) != std::string_view::npos;
    const bool escaped = whole && c == '%' && i + 2 < text.size() && is_hex(text[i + 1]) && is_hex(text[i + 2]);
    if (plain || separates || escaped) {
      out += c;
    } else {
      out += percent(c);
    }
  }
  return out;
}

bool is_safe_url(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return true;
  const std::string scheme = lower(text.substr(0, colon));
  return scheme.find('/') != std::string::npos || scheme == "http" || scheme == "https" || scheme == "mailto" ||
         scheme == "tel";
}

/// A word, a number or a colour.
std::string filter_style(const std::string& text) {
  const std::string low = lower(text);
  const bool plain = std::all_of(text.begin(), text.end(), [](char c) {
    return is_letter(c) || is_digit(c) || std::string_view(" #%.,-+").find(c) != std::string_view::npos;
  });
  const bool harmful = low.find("--") != std::string::npos || low.find("expression") != std::string::npos ||
                       low.find("binding") != std::string::npos;
  return plain && !harmful ? text : kRefused;
}

}  // namespace

TemplateValue SafeText::make(Kind kind, std::string text) {
  return TemplateValue(std::shared_ptr<const TemplateObject>(std::make_shared<SafeText>(kind, std::move(text))));
}

HtmlEscaper::Kind HtmlEscaper::kind_of(std::string_view attribute) {
  static constexpr std::array<std::string_view, 21> kUrls = {
      "action", "archive",    "background", "cite", "classid",  "codebase", "data",
      "dynsrc", "formaction", "href",       "icon", "longdesc", "lowsrc",   "manifest",
      "poster", "ping",       "profile",    "src",  "srcset",   "usemap",   "xmlns"};
  std::string_view name = attribute;
  if (name.starts_with("data-")) name.remove_prefix(5);
  if (const std::size_t colon = name.find(':'); colon != std::string_view::npos) {
    if (name.substr(0, colon) == "xmlns") return Kind::url;
    name.remove_prefix(colon + 1);
  }
  if (name == "style") return Kind::style;
  if (name.starts_with("on") || name == "srcdoc") return Kind::code;
  if (is_one_of(name, kUrls)) return Kind::url;
  for (const std::string_view part : {"src", "uri", "url"}) {
    if (name.find(part) != std::string_view::npos) return Kind::url;
  }
  return Kind::plain;
}

// ---- where it is -------------------------------------------------------------------------------------------------
void HtmlEscaper::advance(std::string_view text, bool literal) {
  for (const char c : text) step(c, literal);
}

void HtmlEscaper::step(char c, bool literal) {
  switch (place_) {
    case Place::text:
      if (c == '<') {
        place_ = Place::tag_open;
        tag_.clear();
        closing_ = false;
      }
      break;
    case Place::comment:
      seen_ += c;
      if (seen_.size() > 3) seen_.erase(0, 1);
      if (seen_ == "-->") place_ = Place::text;
      break;
    case Place::declaration:
      seen_ += seen_.size() < 3 ? std::string(1, c) : "";
      if (seen_ == "--") {
        place_ = Place::comment;
      } else if (c == '>') {
        place_ = Place::text;
      }
      break;
    case Place::value:
      step_value(c, literal);
      break;
    case Place::raw:
      step_raw(c);
      break;
    default:
      step_tag(c);
  }
}

void HtmlEscaper::step_tag(char c) {
  if (place_ == Place::tag_open) {
    if (is_letter(c)) {
      place_ = Place::tag_name;
    } else if (c == '/' && !closing_) {
      closing_ = true;
      return;
    } else if (c == '!' || c == '?' || closing_) {
      seen_.clear();
      place_ = c == '>' ? Place::text : Place::declaration;
      return;
    } else {
      place_ = c == '<' ? Place::tag_open : Place::text;
      return;
    }
  }
  if (c == '>' && place_ != Place::text) return end_tag();
  switch (place_) {
    case Place::tag_name:
      if (is_space(c) || c == '/') {
        place_ = Place::tag;
      } else if (tag_.size() < kMostName) {
        tag_ += lower(c);
      }
      break;
    case Place::attribute:
      if (c == '=') {
        place_ = Place::before_value;
      } else if (is_space(c)) {
        place_ = Place::before_equals;
      } else if (c == '/') {
        place_ = Place::tag;
      } else if (attribute_.size() < kMostName) {
        attribute_ += lower(c);
      }
      break;
    case Place::tag:
    case Place::before_equals:
      if (c == '=' && place_ == Place::before_equals) {
        place_ = Place::before_value;
      } else if (c == '/') {
        place_ = Place::tag;
      } else if (!is_space(c)) {
        attribute_ = std::string(1, lower(c));
        place_ = Place::attribute;
      }
      break;
    case Place::before_value:
      if (is_space(c)) break;
      begin_value();
      if (c == '"' || c == '\'') {
        quote_ = c;
      } else {
        step_value(c, true);
      }
      break;
    default:
      break;
  }
}

void HtmlEscaper::begin_value() {
  place_ = Place::value;
  kind_ = kind_of(attribute_);
  quote_ = 0;
  url_begun_ = false;
  url_query_ = false;
}

void HtmlEscaper::step_value(char c, bool literal) {
  if (quote_ != 0 ? c == quote_ : is_space(c)) {
    place_ = Place::tag;
    return;
  }
  if (quote_ == 0 && c == '>') return end_tag();
  if (literal && (c == '?' || c == '#')) url_query_ = true;  // others are those of entities, too
  if (literal && !is_space(c)) url_begun_ = true;
}

void HtmlEscaper::end_tag() {
  static constexpr std::array<std::string_view, 9> kRaw = {"script", "style",   "title",    "textarea", "xmp",
                                                           "iframe", "noembed", "noframes", "plaintext"};
  place_ = Place::text;
  if (closing_ || !is_one_of(tag_, kRaw)) return;
  place_ = Place::raw;
  element_ = tag_;
  seen_.clear();
}

void HtmlEscaper::step_raw(char c) {
  const std::string end = "</" + element_;
  if (seen_ == end && (is_space(c) || c == '/' || c == '>')) {
    tag_ = element_;
    closing_ = true;
    place_ = Place::tag;
    if (c == '>') end_tag();
    return;
  }
  seen_ += lower(c);
  if (seen_.size() > end.size() || !std::string_view(end).starts_with(seen_)) seen_ = c == '<' ? "<" : "";
}

// ---- what is written there ---------------------------------------------------------------------------------------
std::string HtmlEscaper::escape_name(const std::string& text) const {
  if (text.empty()) return {};
  const bool plain = text.size() < kMostName &&
                     std::all_of(text.begin(), text.end(), [](char c) { return is_letter(c) || is_digit(c); });
  if (place_ == Place::tag_name) return std::all_of(text.begin(), text.end(), is_digit) ? text : kRefused;
  const std::string name = (place_ == Place::attribute ? attribute_ : "") + lower(text);
  return plain && kind_of(name) == Kind::plain ? text : kRefused;
}

Result<std::string> HtmlEscaper::escape_value(const std::string& text, const SafeText* safe) {
  const bool unquoted = quote_ == 0;
  switch (kind_) {
    case Kind::code:
      return execution_error("what is in the data can't be made safe in the attribute " + template_quote(attribute_));
    case Kind::style:
      return escape_html(filter_style(text), unquoted, false);
    case Kind::url: {
      if (url_query_) return escape_html(escape_url(text, safe != nullptr), unquoted, false);
      const bool trusted = url_begun_ || (safe != nullptr && safe->kind() == SafeText::Kind::url);
      if (!trusted && !is_safe_url(text)) return std::string("#") + kRefused;
      return escape_html(escape_url(text, true), unquoted, false);
    }
    case Kind::plain:
      break;
  }
  return escape_html(text, unquoted, safe != nullptr && safe->kind() == SafeText::Kind::html);
}

Result<std::string> HtmlEscaper::escape(const TemplateValue& value) {
  const auto* safe = dynamic_cast<const SafeText*>(value.object());
  const bool is_html = safe != nullptr && safe->kind() == SafeText::Kind::html;
  const std::string text = value.is_nil() ? std::string() : value.text();
  Result<std::string> out = std::string();
  switch (place_) {
    case Place::text:
      out = is_html ? text : escape_html(text, false, false);
      break;
    case Place::comment:
    case Place::declaration:
      break;
    case Place::tag_open:
      out = std::string(kRefused);
      break;
    case Place::tag_name:
    case Place::tag:
    case Place::attribute:
    case Place::before_equals:
      out = escape_name(text);
      break;
    case Place::before_value:
      begin_value();
      out = escape_value(text, safe);
      if (out.ok() && out->empty()) out = std::string(kRefused);  // what follows would be the value
      break;
    case Place::value:
      out = escape_value(text, safe);
      break;
    case Place::raw:
      if (element_ == "script") return execution_error("what is in the data can't be made safe in a script");
      out = element_ == "style" ? filter_style(text) : escape_html(text, false, is_html);
      break;
  }
  if (out.ok()) advance(*out, false);
  return out;
}

}  // namespace pipit
