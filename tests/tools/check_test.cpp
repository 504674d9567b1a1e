#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "tools/prometheus_data.h"
#include "tools/subcommands.h"

namespace pipit {
namespace {

using ::testing::HasSubstr;

class ToolsFiles : public ::testing::Test {
 protected:
  void SetUp() override {
    directory_ = std::filesystem::temp_directory_path() / ("pipit-tools-" + std::to_string(::getpid()));
    std::filesystem::create_directories(directory_);
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(directory_ / name) << text;
    return (directory_ / name).string();
  }

  std::filesystem::path directory_;
};

struct Outcome {
  int code = 0;
  std::string out, err;
};

Outcome check(std::vector<std::string> words) {
  words.insert(words.begin(), "pipit check");
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  ::testing::internal::CaptureStdout();
  ::testing::internal::CaptureStderr();
  Outcome outcome;
  outcome.code = run_check(static_cast<int>(argv.size()), argv.data());
  outcome.out = ::testing::internal::GetCapturedStdout();
  outcome.err = ::testing::internal::GetCapturedStderr();
  return outcome;
}

TEST_F(ToolsFiles, CheckConfigCountsWhatLoadsAndShowsWarnings) {
  write("a.yml", "groups: []\n");
  const std::string file = write("good.yml",
                                 "rule_files: [a.yml]\nglobal: {query_log_file: q}\nscrape_configs:\n- job_name: a\n"
                                 "  static_configs:\n  - targets: "
                                 "['x:1', 'y:2']\n");
  const Outcome outcome = check({"config", file});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.out, file + ": SUCCESS: 1 job, 2 targets, 1 warning\n  warning: " + file +
                             ":2: global.query_log_file is not supported yet: queries are not logged\n");
  EXPECT_EQ(outcome.err, "");
}

TEST_F(ToolsFiles, CheckAlertmanagerSaysWhoIsToldAndWhatFails) {
  const std::string good = write("am.yml",
                                 "route: {receiver: a, routes: [{receiver: b, matchers: [x=y]}]}\nreceivers:\n"
                                 "- name: a\n  webhook_configs: [{url: 'http://h/'}, {url: 'http://i/'}]\n"
                                 "- name: b\n  discord_configs: [{webhook_url: 'http://h/', title: '{{ .Nope }}'}]\n"
                                 "- name: c\n");
  const Outcome outcome = check({"alertmanager", good});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("am.yml: SUCCESS: 2 routes, 3 receivers, 0 inhibit rules, 0 time intervals\n"));
  EXPECT_THAT(outcome.out, HasSubstr("receiver \"a\" tells 2 webhook\n"));
  EXPECT_THAT(outcome.out, HasSubstr("warning: receiver \"c\" is named by no route\n"));
  EXPECT_THAT(outcome.out, HasSubstr("warning: receiver \"b\": discord_configs.title fails: template: :1:3"));
  const std::string bad =
      write("bad.yml", "route: {receiver: a}\nreceivers: [{name: a, email_configs: [{to: a@b}]}]\n");
  const Outcome refused = check({"alertmanager", bad, good});
  EXPECT_EQ(refused.code, 1);
  EXPECT_THAT(refused.err, HasSubstr("bad.yml:2:39: no global SMTP smarthost set"));
  const std::string missing =
      write("missing.yml", "route: {receiver: a}\nreceivers: [{name: a, webhook_configs: [{url_file: nowhere}]}]\n");
  EXPECT_EQ(check({"alertmanager", missing}).code, 1);
  EXPECT_EQ(check({"alertmanager", "--syntax-only", missing}).code, 0);
  EXPECT_EQ(check({"alertmanager"}).code, 2);
}

TEST_F(ToolsFiles, CheckConfigFailsWhenOneFileDoes) {
  const std::string good = write("good.yml", "global: {}\n");
  const std::string bad = write("bad.yml", "globl: {}\n");
  const Outcome outcome = check({"config", bad, good});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(outcome.err, bad + ": FAILED: " + bad +
                             ":1:1: unknown field \"globl\" in the configuration (did you mean \"global\"?)\n");
  EXPECT_EQ(outcome.out, good + ": SUCCESS: 0 jobs, 0 targets\n");
}

TEST_F(ToolsFiles, CheckReadsScrapeConfigFilesFromBesideTheFile) {
  write("jobs.yml", "scrape_configs: [{job_name: b}]\n");
  const std::string file = write("main.yml", "scrape_config_files: ['job*.yml']\nscrape_configs: [{job_name: a}]\n");
  EXPECT_THAT(check({"config", file}).out, HasSubstr("SUCCESS: 2 jobs"));
}

TEST_F(ToolsFiles, UnknownFieldsOfRuleFilesPassWhenAsked) {
  const std::string rules = write("r.yml", "groups: [{name: g, owner: me, rules: [{record: x, expr: 1}]}]\n");
  const std::string file = write("main.yml", "rule_files: ['r.yml']\n");
  const Outcome refused = check({"config", file});
  EXPECT_EQ(refused.code, 1);
  EXPECT_THAT(refused.err, HasSubstr("r.yml:1:20: unknown field \"owner\" in a rule group"));
  EXPECT_EQ(check({"config", "--ignore-unknown-fields", file}).code, 0);
  EXPECT_EQ(check({"rules", rules}).code, 1);
  EXPECT_EQ(check({"rules", "--ignore-unknown-fields", rules}).code, 0);
}

TEST(Check, WrongUsageIsTwo) {
  EXPECT_EQ(check({}).code, 2);
  EXPECT_EQ(check({"config"}).code, 2);
  const Outcome outcome = check({"confg", "x"});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.err, HasSubstr("unknown check \"confg\" (did you mean \"config\"?)"));
  EXPECT_EQ(check({"--help"}).code, 0);
}

TEST_F(ToolsFiles, PrometheusDataIsDescribed) {
  EXPECT_EQ(describe_prometheus_data(directory_), "");
  EXPECT_EQ(describe_prometheus_data(directory_ / "missing"), "");
  for (const char* name : {"01BKGV7JBM69T2G1BGBGM6KB12", "01BKGV7JC0RY8A6MACW02A2PJD", "wal", "chunks_head", "pipit"}) {
    std::filesystem::create_directories(directory_ / name);
  }
  EXPECT_EQ(describe_prometheus_data(directory_), "2 blocks, a write-ahead log, head chunks");
}

}  // namespace
}  // namespace pipit
