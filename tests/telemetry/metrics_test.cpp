#include "telemetry/metrics.h"

#include <gmock/gmock.h>

#include "telemetry/log.h"

namespace pipit {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(MetricsRegistry, RendersTextFormat) {
  MetricsRegistry registry;
  registry.counter("b_total", "Counts\nthings.", {{"path", "a\"b\\c\n"}}).add(3);
  registry.gauge("a", "A gauge.").set(1.5);
  auto& histogram = registry.histogram("c_seconds", "Takes.", {0.1, 1});
  histogram.observe(0.1);
  histogram.observe(0.5);
  histogram.observe(5);
  EXPECT_EQ(registry.render(),
            "# HELP a A gauge.\n# TYPE a gauge\na 1.5\n"
            "# HELP b_total Counts\\nthings.\n# TYPE b_total counter\nb_total{path=\"a\\\"b\\\\c\\n\"} 3\n"
            "# HELP c_seconds Takes.\n# TYPE c_seconds histogram\n"
            "c_seconds_bucket{le=\"0.1\"} 1\nc_seconds_bucket{le=\"1\"} 2\nc_seconds_bucket{le=\"+Inf\"} 3\n"
            "c_seconds_sum 5.6\nc_seconds_count 3\n");
}

TEST(MetricsRegistry, TheSameNameAndLabelsAreTheSameMetric) {
  MetricsRegistry registry;
  registry.counter("a_total", "A.", {{"x", "1"}}).add();
  registry.counter("a_total", "A.", {{"x", "1"}}).add();
  registry.counter("a_total", "A.", {{"x", "2"}}).add();
  EXPECT_THAT(registry.render(), HasSubstr("a_total{x=\"1\"} 2\na_total{x=\"2\"} 1\n"));
}

TEST(MetricsRegistry, CallbacksGoWithTheirOwner) {
  MetricsRegistry registry;
  const int owner = 0;
  registry.callback(&owner, MetricType::gauge, "live", "L.", [] { return 7.0; });
  EXPECT_THAT(registry.render(), HasSubstr("live 7\n"));
  registry.remove_callbacks(&owner);
  EXPECT_THAT(registry.render(), Not(HasSubstr("live")));
}

TEST(ProcessMetrics, TellOfThisProcess) {
  MetricsRegistry registry;
  register_process_metrics(registry);
  const std::string page = registry.render();
  for (const char* name : {"process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds",
                           "process_start_time_seconds"}) {
    EXPECT_THAT(page, HasSubstr(std::string("\n") + name + " ")) << name;
    EXPECT_THAT(page, Not(HasSubstr(std::string("\n") + name + " 0\n"))) << name;
  }
}

TEST(Log, PrintsLogfmtAndJsonAndHonoursTheLevel) {
  testing::internal::CaptureStderr();
  log_info("it \"works\"", {{"path", "/a b"}, {"n", 3}});
  log_debug("unseen");
  configure_log(LogLevel::error, LogFormat::json);
  log_warn("unseen");
  log_error("bad", {{"line", "a\n\"b\""}});
  configure_log(LogLevel::info, LogFormat::logfmt);
  const std::string out = testing::internal::GetCapturedStderr();
  EXPECT_THAT(out, HasSubstr(R"(level=INFO msg="it \"works\"" path="/a b" n=3)"));
  EXPECT_THAT(out, HasSubstr(R"("level":"ERROR","msg":"bad","line":"a\u000a\"b\""})"));
  EXPECT_THAT(out, Not(HasSubstr("unseen")));
}

TEST(Log, LevelAndFormatNames) {
  EXPECT_TRUE(parse_log_level("warn").ok());
  EXPECT_THAT(parse_log_level("loud").error().message, HasSubstr("loud"));
  EXPECT_THAT(parse_log_format("xml").error().message, HasSubstr("xml"));
}

}  // namespace
}  // namespace pipit
