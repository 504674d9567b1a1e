#include "tools/promql_script.h"

#include <algorithm>

#include "model/duration.h"
#include "model/labels.h"
#include "model/number.h"
#include "query/parser.h"

namespace pipit {
namespace {

std::string_view trim(std::string_view text) {
  auto first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

std::string_view take_word(std::string_view& text) {
  text = trim(text);
  auto word = text.substr(0, text.find_first_of(" \t"));
  text = trim(text.substr(word.size()));
  return word;
}

std::string quoted(std::string_view text) {
  std::string out;
  append_quoted(out, text);
  return out;
}

/// Ends the reading; `parse_promql_script` turns it into a value.
struct Unreadable {
  std::string why;
};

DurationMs take_duration(std::string_view& rest, std::string_view what) {
  auto word = take_word(rest);
  auto duration = parse_api_duration(word);
  if (!duration.ok()) throw Unreadable{"invalid " + std::string(what) + " " + quoted(word)};
  return *duration;
}

void take_keyword(std::string_view& rest, std::string_view keyword) {
  auto word = take_word(rest);
  if (word != keyword) throw Unreadable{"expected " + quoted(keyword) + ", got " + quoted(word)};
}

/// `from <t> to <t> step <d>`
ScriptEvaluation::Points take_points(std::string_view& rest) {
  ScriptEvaluation::Points points;
  take_keyword(rest, "from");
  points.from = take_duration(rest, "start");
  take_keyword(rest, "to");
  points.to = take_duration(rest, "end");
  take_keyword(rest, "step");
  points.step = take_duration(rest, "step");
  if (points.to < points.from) throw Unreadable{"the end is before the start"};
  if (points.step <= 0) throw Unreadable{"the step must be more than zero"};
  return points;
}

ExpectedText pattern(std::string_view text) {
  auto regex = Regex::compile(".*(?:" + std::string(text) + ").*");
  if (!regex.ok()) throw Unreadable{"invalid regex " + quoted(text) + ": " + regex.error().message};
  return {std::string(text), std::move(*regex)};
}

/// Behind `expect fail`, `expect warn`...: nothing, `msg: <text>` or `regex: <pattern>`.
std::optional<ExpectedText> read_expected_text(std::string_view rest) {
  if (rest.empty()) return std::nullopt;
  if (rest.starts_with("msg:")) return ExpectedText{std::string(trim(rest.substr(4))), std::nullopt};
  if (rest.starts_with("regex:")) return pattern(trim(rest.substr(6)));
  throw Unreadable{"expected \"msg:\" or \"regex:\", got " + quoted(rest)};
}

void expect_remark(ExpectedRemarks& remarks, std::string_view rest) {
  remarks.some = true;
  if (auto text = read_expected_text(rest)) remarks.texts.push_back(std::move(*text));
}

/// A string in the quotes of PromQL.
std::string read_string(std::string_view text) {
  auto expr = parse_query(text);
  const auto* literal = expr.ok() ? (*expr)->as<StringLiteral>() : nullptr;
  if (literal == nullptr) throw Unreadable{"expected a quoted string, got " + std::string(text)};
  return literal->value;
}

class ScriptReader {
 public:
  explicit ScriptReader(std::string_view text) {
    while (!text.empty()) {
      auto end = std::min(text.find('\n'), text.size());
      auto line = trim(text.substr(0, end));
      lines_.push_back(line.starts_with('#') ? std::string_view() : line);
      text.remove_prefix(std::min(end + 1, text.size()));
    }
  }

  Result<std::vector<ScriptCommand>> read() {
    try {
      while (at_ < lines_.size()) read_command();
    } catch (Unreadable& error) {
      return bad_data(std::to_string(at_ + 1) + ": " + error.why);
    }
    return std::move(commands_);
  }

 private:
  int line() const { return static_cast<int>(at_) + 1; }
  /// Moves to the next line of a command; false behind its last.
  bool next_line() { return ++at_ < lines_.size() && !lines_[at_].empty(); }

  void read_command() {
    std::string_view rest = lines_[at_];
    auto command = take_word(rest);
    if (command.empty()) {
      ++at_;
    } else if (command == "clear") {
      commands_.emplace_back(ScriptClear());
      ++at_;
    } else if (command == "load" || command == "load_with_nhcb") {
      read_load(rest, command != "load");
    } else if (command.starts_with("eval")) {
      read_evaluation(command, rest);
    } else {
      throw Unreadable{"unknown command " + quoted(command)};
    }
  }

  void read_load(std::string_view rest, bool with_nhcb) {
    ScriptLoad load{line(), take_duration(rest, "step"), with_nhcb, {}};
    if (!rest.empty()) throw Unreadable{"unexpected " + quoted(rest)};
    while (next_line()) load.series.push_back(read_series());
    commands_.emplace_back(std::move(load));
  }

  ScriptSeries read_series() const {
    auto series = parse_script_series(lines_[at_]);
    if (!series.ok()) throw Unreadable{series.error().message};
    return std::move(*series);
  }

  void read_evaluation(std::string_view command, std::string_view rest) {
    ScriptEvaluation e;
    e.line = line();
    e.fails = command == "eval_fail";
    e.warnings.some = command == "eval_warn";
    e.infos.some = command == "eval_info";
    e.ordered = command == "eval_ordered";
    if (command != "eval" && !e.fails && !e.warnings.some && !e.infos.some && !e.ordered) {
      throw Unreadable{"unknown command " + quoted(command)};
    }
    auto mode = take_word(rest);
    if (mode == "instant") {
      take_keyword(rest, "at");
      e.start = e.end = take_duration(rest, "timestamp");
    } else if (mode == "range") {
      auto points = take_points(rest);
      e.start = points.from;
      e.end = points.to;
      e.step = points.step;
    } else {
      throw Unreadable{"expected \"instant\" or \"range\", got " + quoted(mode)};
    }
    e.expr = std::string(rest);
    while (next_line()) read_expectation(e);
    commands_.emplace_back(std::move(e));
  }

  void read_expectation(ScriptEvaluation& e) const {
    std::string_view rest = lines_[at_];
    if (auto number = parse_float(rest)) {
      e.scalar = *number;
      return;
    }
    auto word = take_word(rest);
    if (word == "expect") {
      read_expect(rest, e);
    } else if (word == "expected_fail_message") {
      e.failure = ExpectedText{std::string(rest), std::nullopt};
    } else if (word == "expected_fail_regexp") {
      e.failure = pattern(rest);
    } else {
      e.series.push_back(read_series());
      bool many = e.series.back().points.size() > 1;
      if (many && !e.is_range() && !e.range_vector) {
        throw Unreadable{"an instant evaluation has one value a series, unless \"expect range vector\" says otherwise"};
      }
    }
  }

  static void read_expect(std::string_view rest, ScriptEvaluation& e) {
    auto what = take_word(rest);
    if (what == "ordered") {
      e.ordered = true;
    } else if (what == "string") {
      e.string = read_string(rest);
    } else if (what == "range") {
      take_keyword(rest, "vector");
      e.range_vector = take_points(rest);
    } else if (what == "fail") {
      e.fails = true;
      e.failure = read_expected_text(rest);
    } else if (what == "warn") {
      expect_remark(e.warnings, rest);
    } else if (what == "info") {
      expect_remark(e.infos, rest);
    } else if (what == "no_warn") {
      e.warnings.none = true;
    } else if (what == "no_info") {
      e.infos.none = true;
    } else {
      throw Unreadable{"can't expect " + quoted(what)};
    }
    if ((e.warnings.some && e.warnings.none) || (e.infos.some && e.infos.none)) {
      throw Unreadable{"remarks are expected, and expected not to be there"};
    }
  }

  std::vector<std::string_view> lines_;  // empty ones for comments
  std::size_t at_ = 0;
  std::vector<ScriptCommand> commands_;
};

}  // namespace

bool ExpectedText::matches(std::string_view actual) const { return regex ? regex->full_match(actual) : actual == text; }

bool ScriptEvaluation::expects_histograms() const {
  return std::ranges::any_of(series, [](const ScriptSeries& s) { return s.has_histograms; });
}

Result<std::vector<ScriptCommand>> parse_promql_script(std::string_view text) { return ScriptReader(text).read(); }

}  // namespace pipit
