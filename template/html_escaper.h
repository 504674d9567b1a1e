#pragma once

#include <string>
#include <string_view>

#include "template/template.h"

namespace pipit {

/// A text of which a template says that it is right as it stands.
class SafeText final : public TemplateObject {
 public:
  enum class Kind {
    html,
    url,
    escaped_url,  ///< what `urlquery` made: a part of a URL
  };
  SafeText(Kind kind, std::string text) : kind_(kind), text_(std::move(text)) {}
  /// The text as a template's value.
  static TemplateValue make(Kind kind, std::string text);

  Result<std::optional<TemplateValue>> field(std::string_view, std::span<const TemplateValue>) const override {
    return std::optional<TemplateValue>();
  }
  std::string text() const override { return text_; }
  std::string_view type_name() const override { return kind_ == Kind::html ? "template.HTML" : "template.URL"; }
  Kind kind() const { return kind_; }

 private:
  Kind kind_;
  std::string text_;
};

/// Escapes what actions print by where it stands in HTML, as Go's html/template does: in text, in attributes, in
/// URLs, of which only those of http, https, mailto and those without a scheme are let through, and in styles. What
/// can't be made safe is an error in scripts and event handlers, nothing in comments, and "ZgotmplZ" elsewhere.
///
/// It reads the text as it is written, where Go reasons about all texts that a template could make; the two differ
/// only in templates that Go refuses.
class HtmlEscaper final : public TemplateEscaper {
 public:
  void pass(std::string_view text) override { advance(text, true); }
  Result<std::string> escape(const TemplateValue& value) override;

  /// Whether what comes next is plain text between tags.
  bool in_text() const { return place_ == Place::text; }

 private:
  enum class Place {
    text,
    tag_open,  ///< behind `<`
    tag_name,
    tag,        ///< between attributes
    attribute,  ///< in its name
    before_equals,
    before_value,
    value,
    comment,
    declaration,  ///< `<!doctype ...>`
    raw,          ///< in an element whose text has no tags
  };
  enum class Kind { plain, url, style, code };

  static Kind kind_of(std::string_view attribute);
  void advance(std::string_view text, bool literal);
  void step(char c, bool literal);
  void step_tag(char c);
  void step_value(char c, bool literal);
  void step_raw(char c);
  void begin_value();
  void end_tag();
  Result<std::string> escape_value(const std::string& text, const SafeText* safe);
  std::string escape_name(const std::string& text) const;

  Place place_ = Place::text;
  std::string tag_;
  bool closing_ = false;
  std::string attribute_;
  Kind kind_ = Kind::plain;  ///< of the attribute
  char quote_ = 0;           ///< around the value; 0: none
  bool url_begun_ = false;   ///< the template itself says how the URL begins
  bool url_query_ = false;
  std::string element_;  ///< that is raw
  std::string seen_;     ///< of what could end a comment or a raw element
};

}  // namespace pipit
