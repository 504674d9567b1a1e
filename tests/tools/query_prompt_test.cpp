#include "tools/query_prompt.h"

#include <gtest/gtest.h>

#include "tools/query_completion.h"

namespace pipit {
namespace {

/// `kind word metric label` of what would be completed at the end of the line.
std::string context(std::string_view line) {
  const CompletionContext found = completion_context(line);
  EXPECT_EQ(line.substr(found.start), found.word) << line;
  using Kind = CompletionContext::Kind;
  const char* kind = found.kind == Kind::name          ? "name"
                     : found.kind == Kind::label_name  ? "label"
                     : found.kind == Kind::label_value ? "value"
                                                       : "nothing";
  return std::string(kind) + " [" + found.word + "] [" + found.metric + "] [" + found.label + "]";
}

TEST(QueryCompletion, KnowsWhatMayStandAtTheCursor) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "name [] [] []"},
      {"ra", "name [ra] [] []"},
      {"sum(ra", "name [ra] [] []"},
      {"a + b", "name [b] [] []"},
      {"up{", "label [] [up] []"},
      {"up{jo", "label [jo] [up] []"},
      {"{jo", "label [jo] [] []"},
      {"up{job=\"", "value [] [up] [job]"},
      {"up{job = 'a b-", "value [a b-] [up] [job]"},
      {"up{job=~\"a\\\"b", "value [a\\\"b] [up] [job]"},
      {"up{job=\"x\",ins", "label [ins] [up] []"},
      {"up{job=\"x\", instance!~\"h", "value [h] [up] [instance]"},
      {"sum by (", "label [] [] []"},
      {"sum by (job, in", "label [in] [] []"},
      {"a * on(job) group_left(n", "label [n] [] []"},
      {"sum by (job) (ra", "name [ra] [] []"},
      {"rate(x[5", "nothing [5] [] []"},
      {"rate(x{a=\"b\"}[5m]) / ", "name [] [] []"},
      {"label_replace(up, \"j", "nothing [j] [] []"},
  };
  for (const auto& [line, expected] : cases) {
    EXPECT_EQ(context(line), expected) << line;
  }
}

TEST(QueryCompletion, OpenBracketsAndQuotesGoOnInTheNextLine) {
  for (const char* text : {"sum(", "up{job=\"", "rate(x[5m]", "sum(up # )"}) EXPECT_TRUE(is_unfinished(text)) << text;
  for (const char* text : {"", "up", "sum(up)", "up{a=\"(\"}", "up)", "up # ("})
    EXPECT_FALSE(is_unfinished(text)) << text;
}

TEST(QueryPrompt, CommandsSetHowExpressionsAreEvaluated) {
  using Kind = PromptCommand::Kind;
  PromptSettings settings;
  EXPECT_EQ(run_prompt_command("\\range 6h", settings).kind, Kind::changed);
  EXPECT_EQ(run_prompt_command("\\step 1m", settings).kind, Kind::changed);
  EXPECT_EQ(run_prompt_command("\\time now-1h", settings).kind, Kind::changed);
  EXPECT_EQ(settings.times().range, "6h");
  EXPECT_EQ(settings.times().step, "1m");
  EXPECT_EQ(settings.times().end, "now-1h");
  EXPECT_FALSE(settings.times().time);
  EXPECT_EQ(run_prompt_command("\\range", settings).kind, Kind::changed);
  EXPECT_EQ(settings.times().time, "now-1h");
  EXPECT_FALSE(settings.times().range || settings.times().step || settings.times().end);
  EXPECT_EQ(run_prompt_command("\\o graph", settings).kind, Kind::changed);
  EXPECT_EQ(settings.output, QueryOutput::graph);
  EXPECT_EQ(run_prompt_command("\\quit", settings).kind, Kind::quit);
  EXPECT_EQ(run_prompt_command("\\explain  up ", settings).text, "up");
}

TEST(QueryPrompt, WrongCommandsChangeNothingAndSayWhy) {
  PromptSettings settings;
  for (const char* line : {"\\range x", "\\range 0", "\\step 1m", "\\time yesterday", "\\output xml", "\\output", "\\",
                           "\\nothing", "\\explain"}) {
    const PromptCommand command = run_prompt_command(line, settings);
    EXPECT_EQ(command.kind, PromptCommand::Kind::wrong) << line;
    EXPECT_FALSE(command.text.empty()) << line;
  }
  EXPECT_FALSE(settings.range || settings.step || settings.time);
  EXPECT_EQ(settings.output, QueryOutput::table);
}

}  // namespace
}  // namespace pipit
