#include "tools/flags.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "tools/serve_flags.h"

namespace pipit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

Result<ParsedFlags> parse(const std::vector<const char*>& arguments) {
  return ParsedFlags::parse(serve_flags(), arguments);
}

std::string error_of(const std::vector<const char*>& arguments) {
  const auto flags = parse(arguments);
  return flags.ok() ? "no error" : flags.error().message;
}

struct UpstreamFlag {
  std::string name, type, default_value;
  bool hidden = false;
};

std::vector<UpstreamFlag> upstream_flags() {
  std::vector<UpstreamFlag> flags;
  std::ifstream file(PIPIT_SOURCE_DIR "/tests/tools/data/prometheus_flags.txt");
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line.front() == '#') continue;
    UpstreamFlag flag;
    std::istringstream(line) >> flag.name >> flag.type >> flag.default_value;
    flag.hidden = flag.name.ends_with('*');
    if (flag.hidden) flag.name.pop_back();
    if (flag.default_value == "-") flag.default_value.clear();
    flags.push_back(flag);
  }
  return flags;
}

const std::map<std::string, std::string> kGoodValues = {
    {"text", "x"},     {"duration", "1h30m"}, {"boolean", "true"},   {"number", "0.5"},
    {"integer", "7"},  {"size", "512MB"},     {"url", "http://a/b"}, {"message", "io.prometheus.write.v2.Request"},
    {"codec", "zstd"}, {"level", "debug"},    {"format", "json"},    {"escaping", "dots"}};
const std::map<std::string, std::string> kBadValues = {
    {"duration", "1x"}, {"boolean", "maybe"}, {"number", "x"},   {"integer", "1.5"}, {"size", "512"},
    {"codec", "gzip"},  {"level", "loud"},    {"format", "xml"}, {"escaping", "x"},  {"message", "x"}};

TEST(Flags, EveryFlagOfPrometheusIsAccepted) {
  const auto flags = upstream_flags();
  ASSERT_EQ(flags.size(), 72u);
  for (const UpstreamFlag& flag : flags) {
    const std::string& value = kGoodValues.at(flag.type);
    const std::string joined = "--" + flag.name + "=" + value, name = "--" + flag.name;
    EXPECT_EQ(error_of({joined.c_str()}), "no error") << joined;
    if (flag.type == "boolean") {
      const std::string no = "--no-" + flag.name;
      EXPECT_TRUE(parse({name.c_str()})->boolean(flag.name)) << flag.name;
      EXPECT_FALSE(parse({no.c_str()})->boolean(flag.name)) << flag.name;
    } else {
      const auto parsed = parse({name.c_str(), value.c_str()});
      ASSERT_TRUE(parsed.ok()) << parsed.error().message;
      EXPECT_EQ(parsed->text(flag.name), value);
    }
    if (const auto bad = kBadValues.find(flag.type); bad != kBadValues.end()) {
      const std::string wrong = "--" + flag.name + "=" + bad->second;
      EXPECT_THAT(error_of({wrong.c_str()}), HasSubstr("flag --" + flag.name)) << wrong;
    }
  }
}

TEST(Flags, DefaultsAndHiddenOnesArePrometheus) {
  for (const UpstreamFlag& flag : upstream_flags()) {
    const auto table = serve_flags();
    const auto spec = std::find_if(table.begin(), table.end(), [&](const FlagSpec& s) { return s.name == flag.name; });
    ASSERT_NE(spec, table.end()) << flag.name;
    EXPECT_EQ(spec->hidden, flag.hidden) << flag.name;
    if (flag.name == "web.page-title" || flag.name == "agent") continue;
    // The description names the first of its two defaults.
    if (flag.name == "web.remote-write-receiver.accepted-protobuf-messages") continue;
    EXPECT_EQ(spec->default_value, flag.default_value) << flag.name;
  }
}

/// What Prometheus has no flag for.
constexpr std::string_view kOwnFlags[] = {"alertmanager.config.file",  "heartbeat.url",
                                          "heartbeat.url-file",        "heartbeat.interval",
                                          "heartbeat.timeout",         "heartbeat.method",
                                          "heartbeat.receive",         "query.max-memory",
                                          "storage.log.sync-interval", "storage.remote.queue-age",
                                          "storage.remote.queue-size"};

TEST(Flags, NothingElseIsInTheTable) {
  std::map<std::string, int> names;
  for (const std::string_view name : kOwnFlags) names[std::string(name)] = 1;
  for (const UpstreamFlag& flag : upstream_flags()) names[flag.name] = 1;
  for (const FlagSpec& spec : serve_flags()) {
    EXPECT_EQ(names[std::string(spec.name)], 1) << spec.name;
    EXPECT_NE(spec.help.empty(), spec.ignored.empty()) << spec.name << " either works, and says how, or is ignored";
  }
}

TEST(Flags, MistakesAreNamed) {
  EXPECT_EQ(error_of({"--storage.tsdb.pth=x"}),
            "unknown flag --storage.tsdb.pth (did you mean \"storage.tsdb.path\"?)");
  EXPECT_EQ(error_of({"--config.file"}), "flag --config.file needs a value");
  EXPECT_EQ(error_of({"--config.file=a", "--config.file=b"}), "flag --config.file cannot be repeated");
  EXPECT_EQ(error_of({"serve"}), "unexpected \"serve\"; flags are written --name=value");
  EXPECT_EQ(error_of({"-x"}), "unexpected \"-x\"; flags are written --name=value");
  EXPECT_EQ(error_of({"--no-web.enable-lifecycle=true"}), "flag --no-web.enable-lifecycle takes no value");
  EXPECT_EQ(error_of({"--no-config.file"}), "unknown flag --no-config.file (did you mean \"config.file\"?)");
  EXPECT_EQ(error_of({"--query.timeout=5"}),
            "flag --query.timeout: not a valid duration string: \"5\"; write it as 30s, 5m or 15d (got \"5\")");
  EXPECT_EQ(error_of({"--log.level=loud"}),
            "flag --log.level: must be one of: debug, info, warn, error (got \"loud\")");
}

TEST(Flags, ListenAddressesMayBeSeveral) {
  EXPECT_THAT(parse({})->texts("web.listen-address"), ElementsAre("0.0.0.0:9090"));
  EXPECT_THAT(parse({"--web.listen-address=a:1", "--web.listen-address", "b:2"})->texts("web.listen-address"),
              ElementsAre("a:1", "b:2"));
}

TEST(Flags, OnlyWhatAsksForSomethingIsLogged) {
  EXPECT_THAT(parse({"--config.file=x", "--no-web.enable-otlp-receiver", "--web.config.file="})->ignored(), IsEmpty());
  EXPECT_THAT(parse({"--web.enable-otlp-receiver", "--storage.tsdb.wal-segment-size=100MB"})->ignored(),
              ElementsAre("--storage.tsdb.wal-segment-size has no effect: Pipit keeps its data in RocksDB, not in "
                          "Prometheus's blocks",
                          "--web.enable-otlp-receiver is not supported yet: OTLP is not received"));
}

TEST(Flags, TheApiSeesAllValues) {
  std::map<std::string, std::string> values;
  for (auto& [name, value] :
       parse({"--query.timeout=1m", "--web.listen-address=a:1", "--web.listen-address=b:2"})->all()) {
    values[name] = value;
  }
  EXPECT_EQ(values.at("query.timeout"), "1m");
  EXPECT_EQ(values.at("query.max-samples"), "50000000");
  EXPECT_EQ(values.at("web.listen-address"), "a:1,b:2");
  EXPECT_EQ(values.size(), upstream_flags().size() + std::size(kOwnFlags));
}

TEST(Flags, HelpNamesWhatWorksWithItsDefault) {
  const std::string help = flags_help(serve_flags());
  EXPECT_THAT(help, HasSubstr("--query.timeout=DURATION\n      How long a query may take. Default: 2m."));
  EXPECT_THAT(help, HasSubstr("--[no-]web.enable-lifecycle"));
  EXPECT_THAT(help, HasSubstr("--web.listen-address=TEXT ..."));
  EXPECT_THAT(help, HasSubstr("--storage.tsdb.no-lockfile"));
  EXPECT_THAT(help, Not(HasSubstr("wal-segment-size"))) << "hidden in Prometheus's help, too";
}

TEST(Flags, TheDocumentationNamesEachOne) {
  std::ifstream file(PIPIT_SOURCE_DIR "/docs/flags.md");
  std::ostringstream text;
  text << file.rdbuf();
  for (const FlagSpec& spec : serve_flags()) {
    EXPECT_THAT(text.str(), HasSubstr("| `--" + std::string(spec.name) + "` |"));
  }
}

}  // namespace
}  // namespace pipit
