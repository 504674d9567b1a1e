#pragma once

#include <string>
#include <string_view>

#include "template/parse_tree.h"

namespace pipit {

/// A word between `{{` and `}}`.
struct TemplateToken {
  enum class Kind {
    space,
    end_of_action,
    pipe,
    comma,
    declare,
    assign,
    open,
    close,
    dot,
    field,
    variable,
    identifier,
    number,
    character,
    string,
    error,
  };

  Kind kind = Kind::error;
  std::size_t begin = 0;
  std::string_view text;
  std::string value;  ///< of a string its contents, of an error the message
};

/// Splits a template's text into what is copied and the words of its actions. Spaces beside `{{-` and `-}}` are gone,
/// and so are comments.
class TemplateScanner {
 public:
  /// `text` must remain live while this is in use.
  explicit TemplateScanner(std::string_view text) : text_(text) {}

  /// The text up to the next action, inside of which the scanner then stands, or up to the end. False at the end, when
  /// `text` still has what is before it.
  bool next_action(std::string_view& text);
  /// Why there can't be another action: a comment or a trim marker that is wrong; empty when all is well.
  const std::string& failure() const { return failure_; }
  std::size_t failed_at() const { return at_; }

  /// Whether the action is a comment: its next word ends it.
  bool in_comment() const { return in_comment_; }
  /// The next word of the action. REQUIRES: inside of one.
  TemplateToken next();
  std::size_t position() const { return at_; }

  TemplatePlace place(std::size_t begin, std::size_t end) const;

 private:
  bool skip_comment();
  bool at_end_of_action(std::size_t at, std::size_t& length) const;
  TemplateToken make(TemplateToken::Kind kind, std::size_t begin) const;
  TemplateToken fail(std::size_t begin, std::string message) const;
  TemplateToken quoted(std::size_t begin);
  TemplateToken raw_quoted(std::size_t begin);
  TemplateToken number(std::size_t begin);
  TemplateToken word(std::size_t begin);

  std::string_view text_;
  std::size_t at_ = 0;
  bool trim_next_ = false;
  bool in_comment_ = false;
  std::string failure_;
};

}  // namespace pipit
