#include "query/parser.h"

#include <algorithm>
#include <limits>

#include "query/parser_builder.h"
#include "query/parser_x3.h"
#include "query/type_check.h"

namespace pipit {
namespace {

// Positions are 32 bits.
constexpr std::size_t kMaxQueryBytes = std::numeric_limits<std::uint32_t>::max() / 2;

std::string line_and_column(std::string_view query, std::uint32_t position) {
  if (query.empty()) return "unknown position";
  auto before = query.substr(0, position);
  auto line = std::ranges::count(before, '\n') + 1;
  auto line_start = before.rfind('\n') + 1;  // 0 when there is none
  return std::to_string(line) + ":" + std::to_string(before.size() - line_start + 1);
}

Error to_error(std::string_view query, const SyntaxError& error) {
  return bad_data(line_and_column(query, error.range.start) + ": parse error: " + error.message);
}

}  // namespace

Result<ExprPtr> parse_query(std::string_view text) {
  if (text.size() > kMaxQueryBytes) return bad_data("parse error: query too long");
  auto sequence = tokenize(text);
  QueryBuilder tree(sequence);
  if (auto error = read_query(sequence, tree)) return to_error(text, *error);
  auto expr = tree.take();
  if (auto error = check_types(text, *expr)) return to_error(text, *error);
  return expr;
}

Result<std::vector<Matcher>> parse_metric_selector(std::string_view text) {
  if (text.size() > kMaxQueryBytes) return bad_data("parse error: selector too long");
  auto sequence = tokenize(text);
  QueryBuilder tree(sequence);
  if (auto error = read_selector(sequence, tree)) return to_error(text, *error);
  return tree.take_matchers();
}

}  // namespace pipit
