#include "model/time_zone.h"

#include <gtest/gtest.h>

namespace pipit {
namespace {

std::string shown(const TimeZone& zone, TimestampMs seconds) {
  const auto local = zone.at(seconds * 1000);
  return local.abbreviation + " " + std::to_string(local.offset_seconds);
}

TEST(TimeZoneTest, KnowsSummerAndWinter) {
  const auto berlin = TimeZone::load("Europe/Berlin");
  ASSERT_TRUE(berlin.ok()) << berlin.error().message;
  EXPECT_EQ(shown(*berlin, 1'795'412'400), "CET 3600");   // November 2026
  EXPECT_EQ(shown(*berlin, 1'785'000'000), "CEST 7200");  // July 2026
  EXPECT_EQ(shown(*berlin, 1'774'745'999), "CET 3600");   // a second before the change
  EXPECT_EQ(shown(*berlin, 1'774'746'000), "CEST 7200");
  EXPECT_EQ(shown(*berlin, 2'540'000'000), "CEST 7200");  // June 2050, beyond the file's list
  EXPECT_EQ(shown(*berlin, 2'525'000'000), "CET 3600");   // January 2050
  EXPECT_EQ(shown(*TimeZone::load("UTC"), 0), "UTC 0");
  EXPECT_EQ(shown(*TimeZone::load("Asia/Kolkata"), 1'795'412'400), "IST 19800");
}

TEST(TimeZoneTest, RefusesNamesAndFilesThatAreNone) {
  for (const char* name : {"Mars/Olympus", "../../etc/passwd", "/etc/localtime", "Europe", "zone.tab", "a b"}) {
    const auto zone = TimeZone::load(name);
    ASSERT_FALSE(zone.ok()) << name;
    EXPECT_EQ(zone.error().message, "unknown time zone " + std::string(name));
  }
  for (std::size_t size : {0u, 4u, 43u, 44u, 60u}) {
    EXPECT_FALSE(TimeZone::parse(("TZif2" + std::string(60, '\xff')).substr(0, size)).ok());
  }
}

}  // namespace
}  // namespace pipit
