#include "query/active_queries.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace pipit {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class ActiveQueriesTest : public testing::Test {
 protected:
  ActiveQueriesTest()
      : file_(std::filesystem::path(testing::TempDir()) / ("queries.active." + std::to_string(::getpid()))) {}
  ~ActiveQueriesTest() override { std::filesystem::remove(file_); }

  std::unique_ptr<ActiveQueries> open(unsigned places) {
    auto queries = ActiveQueries::open(file_, places);
    EXPECT_TRUE(queries.ok());
    return std::move(*queries);
  }
  std::string text() const {
    std::ifstream in(file_);
    std::ostringstream out;
    out << in.rdbuf();
    return out.str();
  }
  /// What opening logs.
  std::string log_of_opening() {
    testing::internal::CaptureStderr();
    open(2);
    return testing::internal::GetCapturedStderr();
  }

  std::filesystem::path file_;
};

TEST_F(ActiveQueriesTest, AQueryIsInTheFileForAsLongAsItRuns) {
  auto queries = open(2);
  EXPECT_EQ(text().size(), 2'000U);
  {
    const ActiveQueries::Entry entry(queries.get(), "sum(up)\n/ 2");
    EXPECT_THAT(text(), HasSubstr("\"sum(up)\\n/ 2\""));
  }
  EXPECT_EQ(text().find_first_not_of(" \n"), std::string::npos);
  EXPECT_EQ(text().size(), 2'000U);
}

TEST_F(ActiveQueriesTest, TheNextStartLogsWhatDidNotEnd) {
  std::string while_it_ran;
  {
    auto queries = open(1);
    const ActiveQueries::Entry entry(queries.get(), "slow{job=\"a\"}");
    while_it_ran = text();
  }
  // What the file would be, had the process died then.
  std::ofstream(file_) << while_it_ran;
  const auto log = log_of_opening();
  EXPECT_THAT(log, HasSubstr("This query had not ended when Pipit did"));
  EXPECT_THAT(log, HasSubstr("slow{job="));
  EXPECT_THAT(log, testing::ContainsRegex("started=20[0-9][0-9]-[0-9][0-9]-[0-9][0-9]T"));
  EXPECT_THAT(log_of_opening(), Not(HasSubstr("slow")));
}

TEST_F(ActiveQueriesTest, SizeIsBoundedWhateverRuns) {
  auto queries = open(1);
  const ActiveQueries::Entry entry(queries.get(), std::string(1 << 20, 'x'));
  const ActiveQueries::Entry without_place(queries.get(), "up");
  const ActiveQueries::Entry without_record(nullptr, "up");
  EXPECT_EQ(text().size(), 1'000U);
  EXPECT_THAT(text(), HasSubstr(" \"xxx"));
}

TEST_F(ActiveQueriesTest, AnythingMayBeInTheFile) {
  using namespace std::string_literals;
  for (const auto& content : {"\n\n \nx\n"s, "\0\0\0"s, std::string(3 << 20, '\xff')}) {
    std::ofstream(file_) << content;
    EXPECT_THAT(log_of_opening(), Not(HasSubstr("This query")));
    EXPECT_EQ(text().size(), 2'000U);
  }
  std::ofstream(file_) << "then \"up\0\n\xff \"down"s;
  EXPECT_THAT(log_of_opening(), AllOf(HasSubstr("up"), HasSubstr("down")));
  EXPECT_FALSE(ActiveQueries::open("/nowhere/queries.active", 1).ok());
}

}  // namespace
}  // namespace pipit
