#include "tools/query_completion.h"

#include <algorithm>
#include <cctype>
#include <vector>

namespace pipit {
namespace {

bool is_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == ':' ||
         (static_cast<unsigned char>(c) & 0x80) != 0;
}

bool takes_labels(std::string_view word) {
  for (const std::string_view keyword : {"by", "without", "on", "ignoring", "group_left", "group_right"}) {
    if (word == keyword) return true;
  }
  return false;
}

/// An expression, read from left to right with what is open where it ends.
class OpenParts {
 public:
  explicit OpenParts(std::string_view text) : text_(text) {
    for (at_ = 0; at_ < text.size(); ++at_) step(text[at_]);
  }

  char quote() const { return quote_; }
  std::size_t quote_start() const { return quote_start_; }
  bool any_open() const { return quote_ != 0 || !open_.empty(); }
  /// '{', '[', '(' or, of a list of labels, 'l'; 0 outside.
  char bracket() const { return open_.empty() ? '\0' : open_.back().bracket; }
  /// The word before the bracket that is open last.
  std::string metric() const { return open_.empty() ? "" : open_.back().word; }
  /// The label whose value is being compared: the word before the operator.
  std::string label() const { return label_; }
  std::size_t word_start() const { return word_start_; }

 private:
  struct Open {
    char bracket;
    std::string word;
  };

  void step(char c) {
    if (in_comment_) {
      in_comment_ = c != '\n';
      return;
    }
    if (quote_ != 0) {
      if (c == '\\' && quote_ != '`') {
        ++at_;
      } else if (c == quote_) {
        quote_ = 0;
      }
      word_start_ = std::min(at_ + 1, text_.size());
      return;
    }
    if (is_word(c)) return;
    const std::string_view word = text_.substr(word_start_, at_ - word_start_);
    if (!word.empty()) last_word_ = word;
    word_start_ = at_ + 1;
    if (c == '#') {
      in_comment_ = true;
    } else if (c == '"' || c == '\'' || c == '`') {
      quote_ = c;
      quote_start_ = at_ + 1;
      label_ = last_word_;
    } else if (c == '(') {
      open_.push_back({takes_labels(last_word_) ? 'l' : '(', std::string()});
      last_word_ = {};
    } else if (c == '{' || c == '[') {
      open_.push_back({c, std::string(last_word_)});
      last_word_ = {};
    } else if (c == ')' || c == '}' || c == ']') {
      if (!open_.empty()) open_.pop_back();
      last_word_ = {};
    } else if (c != ' ' && c != '=' && c != '!' && c != '~') {
      last_word_ = {};
    }
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t word_start_ = 0;
  std::size_t quote_start_ = 0;
  std::string_view last_word_;
  std::string label_;
  std::vector<Open> open_;
  char quote_ = 0;
  bool in_comment_ = false;
};

}  // namespace

CompletionContext completion_context(std::string_view line) {
  using Kind = CompletionContext::Kind;
  const OpenParts parts(line);
  CompletionContext context;
  const bool in_braces = parts.bracket() == '{';
  context.start = parts.quote() != 0 ? parts.quote_start() : parts.word_start();
  context.word = line.substr(std::min(context.start, line.size()));
  if (parts.quote() != 0) {
    if (!in_braces || parts.label().empty()) return context;
    context.kind = Kind::label_value;
    context.metric = parts.metric();
    context.label = parts.label();
    return context;
  }
  if (in_braces) {
    context.kind = Kind::label_name;
    context.metric = parts.metric();
  } else if (parts.bracket() == 'l') {
    context.kind = Kind::label_name;
  } else if (parts.bracket() != '[' &&
             (context.word.empty() || !std::isdigit(static_cast<unsigned char>(context.word[0])))) {
    context.kind = Kind::name;
  }
  return context;
}

bool is_unfinished(std::string_view expr) { return OpenParts(expr).any_open(); }

}  // namespace pipit
