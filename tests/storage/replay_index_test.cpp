#include "storage/replay_index.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

#include "storage/keys.h"

namespace pipit {
namespace {

TEST(ReplayIndex, KnowsNeighboursAndSeriesFarApart) {
  std::mt19937_64 random(9);
  ReplayIndex index;
  std::map<SeriesId, Head::Slot> expected;
  for (int i = 0; i < 200'000; ++i) {
    const auto metric = static_cast<std::uint32_t>(1 + random() % 50);
    const bool old = random() % 4 == 0;  // ordinals of what earlier deploys left are all over the place
    const auto ordinal = static_cast<std::uint32_t>(old ? random() : random() % 3000);
    const SeriesId id = make_series_id(metric, ordinal);
    Head::Slot& slot = index.slot(id);
    const auto [found, is_new] = expected.try_emplace(id, static_cast<Head::Slot>(i));
    ASSERT_EQ(slot, is_new ? Head::kNoSlot : found->second);
    slot = found->second;
  }
  for (const auto& [id, slot] : expected) ASSERT_EQ(index.slot(id), slot);
}

}  // namespace
}  // namespace pipit
