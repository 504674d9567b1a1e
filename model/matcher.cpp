#include "model/matcher.h"

#include <re2/re2.h>

#include <optional>

#include "model/labels.h"
#include "model/regex_budget.h"

namespace pipit {

namespace {

constexpr std::int64_t kMaxProgramBytes = 8 << 20;
/// RE2 gives a quarter of two thirds of its memory to a program's instructions of 16 bytes, and the rest to the states
/// that matching finds.
constexpr std::size_t kMemoryOfInstruction = 96;
constexpr std::size_t kMemoryOfProgram = 4096;
constexpr std::size_t kMaxLiterals = 10'000;
constexpr std::size_t kMaxLiteralBytes = 1 << 20;
constexpr int kMaxLiteralDepth = 64;

/// Expands a pattern that is made of plain characters, groups and alternations only into the strings that it
/// matches. Such patterns are what dashboards send for a variable with several values.
class LiteralExpander {
 public:
  explicit LiteralExpander(std::string_view pattern) : rest_(pattern) {}

  std::optional<std::vector<std::string>> expand() {
    auto all = alternation(0);
    if (!all || !rest_.empty()) return std::nullopt;
    return all;
  }

 private:
  using Strings = std::vector<std::string>;

  std::optional<Strings> alternation(int depth) {
    if (depth > kMaxLiteralDepth) return std::nullopt;
    Strings all;
    while (true) {
      auto branch = concatenation(depth);
      if (!branch || all.size() + branch->size() > kMaxLiterals) return std::nullopt;
      all.insert(all.end(), std::make_move_iterator(branch->begin()), std::make_move_iterator(branch->end()));
      if (rest_.empty() || rest_[0] != '|') return all;
      rest_.remove_prefix(1);
    }
  }

  std::optional<Strings> concatenation(int depth) {
    Strings so_far = {""};
    while (!rest_.empty() && rest_[0] != '|' && rest_[0] != ')') {
      auto atom = next_atom(depth);
      if (!atom || is_quantifier_next() || so_far.size() * atom->size() > kMaxLiterals) return std::nullopt;
      if (!append_product(so_far, *atom)) return std::nullopt;
    }
    return so_far;
  }

  bool append_product(Strings& so_far, const Strings& atom) {
    Strings product;
    product.reserve(so_far.size() * atom.size());
    for (const auto& head : so_far) {
      for (const auto& tail : atom) {
        product.push_back(head + tail);
        bytes_ += atom.size() == 1 ? tail.size() : product.back().size();
        if (bytes_ > kMaxLiteralBytes) return false;
      }
    }
    so_far = std::move(product);
    return true;
  }

  std::optional<Strings> next_atom(int depth) {
    const char c = rest_[0];
    if (c == '(') return group(depth);
    if (c == '\\') {
      if (rest_.size() < 2 || !is_escaped_punctuation(rest_[1])) return std::nullopt;
      std::string literal(1, rest_[1]);
      rest_.remove_prefix(2);
      return Strings{std::move(literal)};
    }
    if (is_meta(c)) return std::nullopt;
    // A run of plain characters is one atom, unless a quantifier takes its last character.
    std::size_t length = 1;
    while (length < rest_.size() && !is_meta(rest_[length]) && rest_[length] != '\\') ++length;
    if (length > 1 && length < rest_.size() && is_quantifier(rest_[length])) return std::nullopt;
    std::string literal(rest_.substr(0, length));
    rest_.remove_prefix(length);
    return Strings{std::move(literal)};
  }

  std::optional<Strings> group(int depth) {
    rest_.remove_prefix(1);
    if (rest_.substr(0, 2) == "?:") {
      rest_.remove_prefix(2);
    } else if (!rest_.empty() && rest_[0] == '?') {
      return std::nullopt;
    }
    auto inside = alternation(depth + 1);
    if (!inside || rest_.empty() || rest_[0] != ')') return std::nullopt;
    rest_.remove_prefix(1);
    return inside;
  }

  static bool is_quantifier(char c) { return c == '*' || c == '+' || c == '?' || c == '{'; }
  bool is_quantifier_next() const { return !rest_.empty() && is_quantifier(rest_[0]); }

 public:
  static bool is_meta(char c) { return std::string_view(".*+?()[]{}|^$").find(c) != std::string_view::npos; }
  static bool is_escaped_punctuation(char c) {
    return std::string_view(".*+?()[]{}|^$\\-/:_@#%&=~<>,;'\"! ").find(c) != std::string_view::npos;
  }

 private:
  std::string_view rest_;
  std::size_t bytes_ = 0;
};

/// The plain characters that a pattern without top-level alternation starts with.
std::string literal_prefix(std::string_view pattern) {
  int depth = 0;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    if (c == '\\') {
      ++i;
    } else if (c == '[') {
      // A class may hold unbalanced parentheses; what follows it is hard to judge without parsing it.
      if (pattern.find('|', i) != std::string_view::npos) return {};
      break;
    } else if (c == '(') {
      ++depth;
    } else if (c == ')') {
      --depth;
    } else if (c == '|' && depth == 0) {
      return {};
    }
  }
  std::string prefix;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    char c = pattern[i];
    std::size_t end = i + 1;
    if (c == '\\') {
      if (end == pattern.size() || !LiteralExpander::is_escaped_punctuation(pattern[end])) break;
      c = pattern[end++];
    } else if (LiteralExpander::is_meta(c)) {
      break;
    }
    const bool optional = end < pattern.size() && std::string_view("*?{").find(pattern[end]) != std::string_view::npos;
    if (optional) break;
    prefix += c;
    i = end - 1;
  }
  // A quantifier applies to a whole character, so a prefix must not end inside one.
  while (!prefix.empty() && !is_valid_utf8(prefix)) prefix.pop_back();
  return prefix;
}

/// The end of the group name or number at the start of `text`: letters, digits and underscores.
std::size_t name_length(std::string_view text) {
  std::size_t n = 0;
  while (n < text.size() && (isalnum(static_cast<unsigned char>(text[n])) || text[n] == '_')) ++n;
  return n;
}

/// Why a pattern is none, in the words of Go's regexp package, of which Prometheus's errors are.
std::string message_of(const RE2& re) {
  const std::string in_backquotes = ": `" + re.error_arg() + "`";
  switch (re.error_code()) {
    case RE2::ErrorBadEscape:
      return "invalid escape sequence" + in_backquotes;
    case RE2::ErrorBadCharClass:
      return "invalid character class" + in_backquotes;
    case RE2::ErrorBadCharRange:
      return "invalid character class range" + in_backquotes;
    case RE2::ErrorMissingBracket:
      return "missing closing ]" + in_backquotes;
    case RE2::ErrorMissingParen:
      return "missing closing )" + in_backquotes;
    case RE2::ErrorUnexpectedParen:
      return "unexpected )" + in_backquotes;
    case RE2::ErrorTrailingBackslash:
      return "trailing backslash at end of expression: ``";
    case RE2::ErrorRepeatArgument:
      return "missing argument to repetition operator" + in_backquotes;
    case RE2::ErrorRepeatSize:
      return "invalid repeat count" + in_backquotes;
    case RE2::ErrorRepeatOp:
      return "invalid nested repetition operator" + in_backquotes;
    case RE2::ErrorBadPerlOp:
      return "invalid or unsupported Perl syntax" + in_backquotes;
    case RE2::ErrorBadUTF8:
      return "invalid UTF-8" + in_backquotes;
    case RE2::ErrorBadNamedCapture:
      return "invalid named capture" + in_backquotes;
    default:
      return re.error();
  }
}

}  // namespace

struct Regex::Program {
  Program(std::string_view pattern, const RE2::Options& options)
      : re(re2::StringPiece(pattern.data(), pattern.size()), options) {}
  RE2 re;
  std::vector<std::string> literals;
  std::string prefix;
};

Result<Regex> Regex::compile(std::string_view pattern) {
  RE2::Options options;
  options.set_dot_nl(true);
  options.set_log_errors(false);
  options.set_max_mem(kMaxProgramBytes);
  auto program = std::make_shared<Program>(pattern, options);
  if (!program->re.ok()) return bad_data("error parsing regexp: " + message_of(program->re));
  const auto instructions = static_cast<std::size_t>(program->re.ProgramSize());
  if (!RegexBudget::take(instructions)) {
    return bad_data("error parsing regexp: too large, together with the request's others");
  }
  const auto memory = static_cast<std::int64_t>(RegexBudget::cache_bytes(kMaxProgramBytes) +
                                                instructions * kMemoryOfInstruction + kMemoryOfProgram);
  if (memory < kMaxProgramBytes) {
    options.set_max_mem(memory);
    auto small = std::make_shared<Program>(pattern, options);
    if (small->re.ok()) program = std::move(small);
  }
  if (auto literals = LiteralExpander(pattern).expand()) program->literals = std::move(*literals);
  program->prefix = literal_prefix(pattern);
  Regex regex;
  regex.pattern_ = pattern;
  regex.program_ = std::move(program);
  return regex;
}

const std::vector<std::string>& Regex::literals() const { return program_->literals; }
const std::string& Regex::prefix() const { return program_->prefix; }

bool Regex::full_match(std::string_view text) const {
  return RE2::FullMatch(re2::StringPiece(text.data(), text.size()), program_->re);
}

bool Regex::full_match_expand(std::string_view text, std::string_view replacement, std::string& out) const {
  const RE2& re = program_->re;
  std::vector<re2::StringPiece> groups(static_cast<std::size_t>(re.NumberOfCapturingGroups()) + 1);
  const re2::StringPiece subject(text.data(), text.size());
  if (!re.Match(subject, 0, text.size(), RE2::ANCHOR_BOTH, groups.data(), static_cast<int>(groups.size())))
    return false;

  auto group_text = [&](std::string_view name) -> std::string_view {
    std::size_t index = 0;
    const bool numeric = name.size() <= 9 && name.find_first_not_of("0123456789") == std::string_view::npos;
    if (numeric) {
      index = static_cast<std::size_t>(std::stoul(std::string(name)));
    } else {
      const auto& named = re.NamedCapturingGroups();
      auto found = named.find(std::string(name));
      if (found == named.end()) return {};
      index = static_cast<std::size_t>(found->second);
    }
    if (index >= groups.size() || groups[index].data() == nullptr) return {};
    return {groups[index].data(), groups[index].size()};
  };

  while (!replacement.empty()) {
    const auto dollar = replacement.find('$');
    out.append(replacement.substr(0, dollar));
    if (dollar == std::string_view::npos) break;
    replacement.remove_prefix(dollar + 1);
    if (!replacement.empty() && replacement[0] == '$') {
      out += '$';
      replacement.remove_prefix(1);
      continue;
    }
    const bool braced = !replacement.empty() && replacement[0] == '{';
    const std::size_t length = name_length(replacement.substr(braced ? 1 : 0));
    const bool closed = !braced || (length + 1 < replacement.size() && replacement[length + 1] == '}');
    if (length == 0 || !closed) {
      out += '$';  // malformed: the dollar stands for itself
      continue;
    }
    out.append(group_text(replacement.substr(braced ? 1 : 0, length)));
    replacement.remove_prefix(length + (braced ? 2 : 0));
  }
  return true;
}

Result<Matcher> Matcher::make(MatchType type, std::string name, std::string value) {
  Matcher matcher;
  matcher.type_ = type;
  matcher.name_ = std::move(name);
  matcher.value_ = std::move(value);
  if (type == MatchType::regex || type == MatchType::not_regex) {
    auto regex = Regex::compile(matcher.value_);
    if (!regex.ok()) return regex.error();
    matcher.regex_ = std::make_shared<const Regex>(std::move(*regex));
  }
  matcher.matches_empty_ = matcher.matches("");
  return matcher;
}

Matcher Matcher::equal(std::string name, std::string value) {
  Matcher matcher;
  matcher.name_ = std::move(name);
  matcher.value_ = std::move(value);
  matcher.matches_empty_ = matcher.value_.empty();
  return matcher;
}

bool Matcher::matches(std::string_view label_value) const {
  switch (type_) {
    case MatchType::equal:
      return label_value == value_;
    case MatchType::not_equal:
      return label_value != value_;
    case MatchType::regex:
      return regex_->full_match(label_value);
    case MatchType::not_regex:
      return !regex_->full_match(label_value);
  }
  return false;
}

std::string_view match_operator(MatchType type) {
  constexpr std::string_view kOperators[] = {"=", "!=", "=~", "!~"};
  return kOperators[static_cast<int>(type)];
}

std::string Matcher::to_string() const {
  std::string out;
  if (is_legacy_label_name(name_)) {
    out = name_;
  } else {
    append_quoted(out, name_);
  }
  out += match_operator(type_);
  append_quoted(out, value_);
  return out;
}

}  // namespace pipit
