// Every expression of Prometheus's own PromQL test scripts.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

#include "query/parser.h"

namespace pipit {
namespace {

constexpr const char* kScripts = PIPIT_SOURCE_DIR "/../shared/conformance/promqltest";

struct Evaluation {
  std::string place;
  std::string expr;
};

/// `eval instant at 5m expr` or `eval range from 0 to 5m step 1m expr`: what comes after the times.
std::string_view expression_of(std::string_view command) {
  auto next_word = [&] {
    command.remove_prefix(std::min(command.find_first_not_of(" \t"), command.size()));
    auto word = command.substr(0, command.find_first_of(" \t"));
    command.remove_prefix(word.size());
    return word;
  };
  next_word();
  int words_of_times = next_word() == "range" ? 6 : 2;
  for (int i = 0; i < words_of_times; ++i) next_word();
  command.remove_prefix(std::min(command.find_first_not_of(" \t"), command.size()));
  return command;
}

std::vector<Evaluation> evaluations() {
  std::vector<Evaluation> all;
  for (const auto& entry : std::filesystem::directory_iterator(kScripts)) {
    if (entry.path().extension() != ".test") continue;
    std::ifstream script(entry.path());
    int number = 0;
    for (std::string line; std::getline(script, line);) {
      ++number;
      if (!line.starts_with("eval")) continue;
      all.push_back(
          {entry.path().filename().string() + ":" + std::to_string(number), std::string(expression_of(line))});
    }
  }
  return all;
}

// Where a script expects a failure it is one of the evaluation, so every expression must parse.
TEST(ParserScripts, EveryExpressionParsesAndSurvivesPrinting) {
  if (!std::filesystem::exists(kScripts)) {
    std::cout << "skipped: " << kScripts << " is not there\n";
    return;
  }
  auto all = evaluations();
  EXPECT_GT(all.size(), 1700u);
  for (const auto& [place, text] : all) {
    auto expr = parse_query(text);
    if (!expr.ok()) {
      ADD_FAILURE() << place << ": " << text << "\n" << expr.error().message;
      continue;
    }
    auto printed = to_string(**expr);
    auto again = parse_query(printed);
    if (!again.ok()) {
      ADD_FAILURE() << place << ": " << text << "\nprints as " << printed << "\n" << again.error().message;
      continue;
    }
    EXPECT_EQ(to_string(**again), printed) << place;
  }
}

}  // namespace
}  // namespace pipit
