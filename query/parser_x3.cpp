// The grammar of PromQL in Spirit X3, over tokens; lexer_x3.h has the tokens' own. No other file includes X3.
//
// The rules are flat, as parser_builder.h tells: nothing here recurses. Where the grammar can't go on it says at once
// what it expected, in the words of Prometheus, whose generated parser finds errors in the same places.
#include "query/parser_x3.h"

#include <type_traits>

#include "query/lexer_x3.h"
#include "query/parser_builder.h"

namespace pipit {
namespace grammar {

namespace x3 = boost::spirit::x3;

struct BuilderTag;
struct FirstTag;

template <class Context>
QueryBuilder& builder(const Context& context) {
  return x3::get<BuilderTag>(context).get();
}

class TokenSet {
 public:
  template <class... Kinds>
  constexpr explicit TokenSet(Kinds... kinds) {
    (add(kinds), ...);
  }
  constexpr TokenSet& add_range(Tok first, Tok last) {
    for (int kind = static_cast<int>(first); kind <= static_cast<int>(last); ++kind) add(static_cast<Tok>(kind));
    return *this;
  }
  constexpr bool contains(Tok kind) const {
    auto bit = static_cast<unsigned>(kind);
    return (words_[bit / 64] >> (bit % 64) & 1) != 0;
  }

 private:
  constexpr void add(Tok kind) {
    auto bit = static_cast<unsigned>(kind);
    words_[bit / 64] |= std::uint64_t{1} << (bit % 64);
  }
  std::uint64_t words_[2] = {0, 0};
};

/// A token of the set. To look at the place where the text stopped making sense is to fail.
struct TokenParser : x3::parser<TokenParser> {
  using attribute_type = Token;
  static constexpr bool has_attribute = true;
  constexpr explicit TokenParser(TokenSet s) : set(s) {}

  template <class Iterator, class Context, class RuleContext, class Attribute>
  bool parse(Iterator& first, const Iterator& last, const Context& context, RuleContext&, Attribute& attribute) const {
    if (first == last) return false;
    if (first->kind == Tok::error) builder(context).unexpected(*first);
    if (!set.contains(first->kind)) return false;
    if constexpr (!std::is_same_v<Attribute, x3::unused_type> && !std::is_same_v<Attribute, const x3::unused_type>) {
      attribute = *first;
    }
    ++first;
    return true;
  }
  TokenSet set;
};

template <class... Kinds>
constexpr TokenParser tok(Kinds... kinds) {
  return TokenParser(TokenSet(kinds...));
}

/// Consumes nothing and matches when `check(builder, here, start of the text)` says so.
template <class Check>
struct CheckParser : x3::parser<CheckParser<Check>> {
  using attribute_type = x3::unused_type;
  static constexpr bool has_attribute = false;
  constexpr explicit CheckParser(Check c) : check(c) {}

  template <class Iterator, class Context, class RuleContext, class Attribute>
  bool parse(Iterator& first, const Iterator&, const Context& context, RuleContext&, Attribute&) const {
    const Token* start = x3::get<FirstTag>(context);
    const Token* here = first;
    if constexpr (std::is_void_v<std::invoke_result_t<Check, QueryBuilder&, const Token*, const Token*>>) {
      check(builder(context), here, start);
      return true;
    } else {
      return check(builder(context), here, start);
    }
  }
  Check check;
};

/// Runs a method of the builder with the token that matched.
template <auto method>
constexpr auto with_token = [](auto& context) {
  using Answer = std::invoke_result_t<decltype(method), QueryBuilder&, const Token&>;
  if constexpr (std::is_void_v<Answer>) {
    (builder(context).*method)(x3::_attr(context));
  } else {
    x3::_pass(context) = (builder(context).*method)(x3::_attr(context));
  }
};

/// Runs a method of the builder between tokens.
template <auto method>
constexpr auto run() {
  return CheckParser([](QueryBuilder& b, const Token*, const Token*) { return (b.*method)(); });
}

/// Runs a method of the builder with the token before.
template <auto method>
constexpr auto run_with_previous() {
  return CheckParser([](QueryBuilder& b, const Token* here, const Token*) { (b.*method)(here[-1]); });
}

/// Fails in the words `unexpected <token> in <context>, expected <expected>`; as an alternative's last choice.
constexpr auto expected_in(const char* context, const char* expected) {
  return CheckParser([context, expected](QueryBuilder& b, const Token* here, const Token*) -> bool {
    b.unexpected(*here, context, expected);
  });
}

using B = QueryBuilder;

constexpr auto unexpected = CheckParser([](B& b, const Token* here, const Token*) -> bool { b.unexpected(*here); });
constexpr auto unexpected_in_duration =
    CheckParser([](B& b, const Token* here, const Token*) -> bool { b.unexpected_in_duration(*here); });
constexpr auto unexpected_operand = CheckParser([](B& b, const Token* here, const Token* start) -> bool {
  b.unexpected_operand(*here, here == start ? nullptr : here - 1);
});
/// The closing parenthesis of a call without arguments.
constexpr auto no_arguments = CheckParser([](B& b, const Token* here, const Token* start) {
  return here->kind == Tok::right_paren && here != start && here[-1].kind == Tok::left_paren && b.in_call();
});

constexpr auto aggregation_op = TokenParser(TokenSet().add_range(Tok::sum, Tok::limit_ratio));
constexpr auto sign = tok(Tok::add, Tok::sub);
constexpr auto literal = tok(Tok::number, Tok::duration);
constexpr auto left_paren = tok(Tok::left_paren);
constexpr auto right_paren = tok(Tok::right_paren);
constexpr auto comma = tok(Tok::comma);

// Keywords that may also be the name of a metric, or of a label in a list.
constexpr auto metric_name =
    TokenParser(TokenSet(Tok::identifier, Tok::metric_identifier, Tok::land, Tok::lor, Tok::lunless, Tok::offset,
                         Tok::smoothed, Tok::anchored, Tok::by, Tok::without)
                    .add_range(Tok::fill, Tok::fill_right)
                    .add_range(Tok::sum, Tok::limit_ratio)
                    .add_range(Tok::start, Tok::max_of));
constexpr auto label_name =
    TokenParser(TokenSet(Tok::identifier, Tok::metric_identifier, Tok::string, Tok::atan2, Tok::land, Tok::lor,
                         Tok::lunless, Tok::offset, Tok::smoothed, Tok::anchored, Tok::by, Tok::bool_)
                    .add_range(Tok::on, Tok::fill_right)
                    .add_range(Tok::sum, Tok::limit_ratio)
                    .add_range(Tok::start, Tok::max_of));
constexpr auto function_name = TokenParser(TokenSet(Tok::identifier).add_range(Tok::start, Tok::max_of));

// ---- selectors: up, up{job="x"}, {"utf8.name", "label.name"=~"x.*"} ----------------------------------------------

const auto match_op = tok(Tok::assign, Tok::ne, Tok::match_regex, Tok::not_match_regex);
const auto matcher_value = tok(Tok::string)[with_token<&B::matcher_value>] | expected_in("label matching", "string");
const auto matcher =
    (tok(Tok::identifier)[with_token<&B::matcher_name>] >>
     (match_op[with_token<&B::matcher_op>] | expected_in("label matching", "label matching operator")) >>
     matcher_value) |
    (tok(Tok::string)[with_token<&B::matcher_name>] >>
     ((match_op[with_token<&B::matcher_op>] >> matcher_value) | run<&B::quoted_metric>()));
const auto right_brace = tok(Tok::right_brace)[with_token<&B::close_matchers>];
const auto matcher_or_close_expected = expected_in("label matching", "identifier or \"}\"");
const auto matchers = tok(Tok::left_brace)[with_token<&B::open_matchers>] >>
                      (right_brace | ((matcher | matcher_or_close_expected) >> *(comma >> matcher) >>
                                      ((comma >> (right_brace | matcher_or_close_expected)) | right_brace |
                                       expected_in("label matching", "\",\" or \"}\""))));
const auto selector = run<&B::begin_selector>() >>
                      ((metric_name[with_token<&B::metric>] >> -matchers) | matchers) >> run<&B::finish_selector>();

// ---- label lists: (job, "label.name") ----------------------------------------------------------------------------

const auto label = label_name[with_token<&B::label>];
const auto close_labels = right_paren[with_token<&B::close_labels>];
const auto label_expected = expected_in("grouping opts", "label");
const auto label_list = left_paren[with_token<&B::open_labels>] >>
                        (close_labels | ((label | label_expected) >> *(comma >> label) >>
                                         ((comma >> (close_labels | label_expected)) | close_labels |
                                          expected_in("grouping opts", "\",\" or \")\""))));
const auto labels = label_list | expected_in("grouping opts", "\"(\"");

// ---- binary operators: + on (job) group_left () fill (0) ---------------------------------------------------------

const auto fill_value = (left_paren | unexpected) >> -sign[with_token<&B::sign>] >>
                        (literal[with_token<&B::fill_value>] | unexpected) >> (right_paren | unexpected);
const auto fill_left = tok(Tok::fill_left)[with_token<&B::fill>] >> fill_value;
const auto fill_right = tok(Tok::fill_right)[with_token<&B::fill>] >> fill_value;
const auto fill =
    (tok(Tok::fill)[with_token<&B::fill>] >> fill_value) | (fill_left >> -fill_right) | (fill_right >> -fill_left);
/// What may stand behind group_left without labels; a parenthesis would begin the labels.
constexpr auto after_group =
    TokenParser(TokenSet(Tok::string, Tok::number, Tok::duration, Tok::left_brace, Tok::add, Tok::sub, Tok::identifier,
                         Tok::metric_identifier, Tok::land, Tok::lor, Tok::lunless, Tok::by, Tok::without)
                    .add_range(Tok::offset, Tok::anchored)
                    .add_range(Tok::fill, Tok::fill_right)
                    .add_range(Tok::sum, Tok::limit_ratio)
                    .add_range(Tok::start, Tok::max_of));
const auto matching = tok(Tok::on, Tok::ignoring)[with_token<&B::matching>] >> labels >>
                      -(tok(Tok::group_left, Tok::group_right)[with_token<&B::group>] >>
                        (label_list | &after_group | expected_in("grouping opts", "\"(\"")));
const auto binary_operator = TokenParser(TokenSet().add_range(Tok::add, Tok::trim_lower))[with_token<&B::binary>] >>
                             -tok(Tok::bool_)[with_token<&B::return_bool>] >> -matching >> -fill;

// ---- durations: 5m, 2 * step(), max_of(1h, range()) --------------------------------------------------------------

const auto duration_paren = left_paren | unexpected_in_duration;
const auto duration_operand = *(sign[with_token<&B::duration_sign>] |
                                left_paren[with_token<&B::open_duration_parentheses>] |
                                (tok(Tok::min_of, Tok::max_of)[with_token<&B::name>] >>
                                 (left_paren[with_token<&B::open_duration_call>] | unexpected_in_duration))) >>
                              (literal[with_token<&B::duration_literal>] |
                               (tok(Tok::step, Tok::range)[with_token<&B::name>] >> duration_paren >>
                                (right_paren[with_token<&B::duration_function>] | unexpected_in_duration)) |
                               unexpected_in_duration) >>
                              *right_paren[with_token<&B::close_duration>];
const auto duration_op = TokenParser(TokenSet().add_range(Tok::add, Tok::pow));
const auto duration = duration_operand >> *((duration_op[with_token<&B::duration_operator>] |
                                             comma[with_token<&B::next_duration_argument>]) >>
                                            duration_operand) >>
                      (run<&B::duration_is_closed>() | unexpected_in_duration);

// ---- what may follow an operand ----------------------------------------------------------------------------------

const auto right_bracket = tok(Tok::right_bracket);
const auto brackets = tok(Tok::left_bracket)[with_token<&B::open_brackets>] >> duration >>
                      run<&B::end_range_duration>() >>
                      (right_bracket[with_token<&B::close_range>] |
                       (tok(Tok::colon) >> (right_bracket[with_token<&B::close_subquery>] |
                                            (run<&B::begin_step>() >> duration >> run<&B::end_step>() >>
                                             (right_bracket[with_token<&B::close_subquery>] |
                                              expected_in("subquery selector", "\"]\""))))) |
                       expected_in("subquery or range", "\":\" or \"]\""));
const auto offset = tok(Tok::offset)[with_token<&B::offset>] >> duration >> run_with_previous<&B::end_offset>();
const auto timestamp_expected = expected_in("@", "timestamp");
const auto at = tok(Tok::at)[with_token<&B::at>] >>
                ((sign[with_token<&B::sign>] >> (literal[with_token<&B::at_number>] | timestamp_expected)) |
                 literal[with_token<&B::at_number>] |
                 (tok(Tok::start, Tok::end)[with_token<&B::name>] >> (left_paren | timestamp_expected) >>
                  (right_paren[with_token<&B::end_at_function>] | timestamp_expected)) |
                 timestamp_expected);

const auto grouping = tok(Tok::by, Tok::without)[with_token<&B::aggregation_modifier>] >> labels;
const auto close_aggregation = right_paren[with_token<&B::close_aggregation>] >>
                               -(run<&B::lacks_modifier>() >> grouping) >> run<&B::finish_aggregation>();
const auto suffix = brackets | offset | at | tok(Tok::anchored)[with_token<&B::anchored>] |
                    tok(Tok::smoothed)[with_token<&B::smoothed>] | right_paren[with_token<&B::close>] |
                    close_aggregation;

// ---- expressions -------------------------------------------------------------------------------------------------

const auto open_call = function_name[with_token<&B::name>] >> left_paren[with_token<&B::open_call>];
const auto open_aggregation = aggregation_op[with_token<&B::name>] >>
                              &tok(Tok::left_paren, Tok::by, Tok::without) >> run<&B::begin_aggregation>() >> -grouping
                              >> (left_paren[with_token<&B::open_aggregation>] | expected_in("aggregation", ""));
const auto prefix =
    sign[with_token<&B::unary>] | left_paren[with_token<&B::open_parentheses>] | open_call | open_aggregation;
const auto operand = tok(Tok::number, Tok::duration)[with_token<&B::number>] |
                     tok(Tok::string)[with_token<&B::string>] | selector | no_arguments | unexpected_operand;
const auto term = *prefix >> operand >> *suffix;
const auto expression = term >> *((binary_operator | comma[with_token<&B::next_argument>]) >> term);
const auto end = tok(Tok::eof) | unexpected;

const auto query = expression >> end;
const auto lone_selector = (selector | unexpected) >> end;

/// Reads the whole text by `rule`, or says what is wrong with it.
template <class Rule>
std::optional<SyntaxError> read(const Rule& rule, const TokenSequence& sequence, QueryBuilder& tree) {
  const Token* const start = sequence.tokens.data();
  const Token* first = start;
  const Token* last = first + sequence.tokens.size();
  try {
    const auto parser = x3::with<BuilderTag>(std::ref(tree))[x3::with<FirstTag>(start)[rule]];
    // Each rule ends in a match or in an error.
    x3::parse(first, last, parser);
    tree.finish();
  } catch (SyntaxError& error) {
    return std::move(error);
  }
  return {};
}

}  // namespace grammar

TokenSequence tokenize(std::string_view query) { return lexis::Lexer(query).run(); }

std::optional<SyntaxError> read_query(const TokenSequence& sequence, QueryBuilder& tree) {
  return grammar::read(grammar::query, sequence, tree);
}

std::optional<SyntaxError> read_selector(const TokenSequence& sequence, QueryBuilder& tree) {
  return grammar::read(grammar::lone_selector, sequence, tree);
}

}  // namespace pipit
