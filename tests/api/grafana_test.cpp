#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "query/parser.h"

namespace pipit {
namespace {

/// Every `expr` below `node`.
void collect_expressions(const nlohmann::json& node, std::vector<std::string>& found) {
  if (node.is_object() && node.contains("expr")) found.push_back(node["expr"]);
  for (const auto& child : node) {
    if (child.is_structured()) collect_expressions(child, found);
  }
}

void replace_all(std::string& text, const std::string& what, const std::string& with) {
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += with.size()) {
    text.replace(at, what.size(), with);
  }
}

TEST(GrafanaDashboard, ExpressionsAreSuchThatPipitReads) {
  std::ifstream file(PIPIT_SOURCE_DIR "/tools/grafana/pipit.json");
  std::vector<std::string> expressions;
  collect_expressions(nlohmann::json::parse(file), expressions);
  EXPECT_GT(expressions.size(), 30U);
  for (std::string expression : expressions) {
    // As Grafana resolves its variables.
    replace_all(expression, "$__rate_interval", "1m");
    replace_all(expression, "$job", "pipit");
    replace_all(expression, "$instance", ".*");
    const auto parsed = parse_query(expression);
    EXPECT_TRUE(parsed.ok()) << expression << ": " << (parsed.ok() ? "" : parsed.error().message);
  }
}

}  // namespace
}  // namespace pipit
