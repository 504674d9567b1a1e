#include "remote/write_queue.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <thread>

#include "model/sample.h"
#include "remote/queue_reader.h"
#include "remote/write_cursor.h"
#include "telemetry/metrics.h"
#include "tests/temporary_folder.h"

namespace pipit {
namespace {

using Item = QueueReader::Item;
using Rows = std::vector<std::tuple<SeriesId, TimestampMs, double>>;

class WriteQueueTest : public testing::Test {
 protected:
  std::unique_ptr<WriteQueue> open(std::uint64_t segment_bytes = 8u << 20) {
    auto queue = WriteQueue::open({folder_.path() / "queue", segment_bytes, false}, metrics_);
    EXPECT_TRUE(queue.ok()) << queue.error().message;
    return std::move(*queue);
  }

  static void add(WriteQueue& queue, const Rows& rows) {
    std::vector<std::uint64_t> ids;
    std::vector<TimestampMs> times;
    std::vector<double> values;
    for (const auto& [id, time, value] : rows) {
      ids.push_back(id);
      times.push_back(time);
      values.push_back(value);
    }
    queue.committing({ids, times, values});
  }

  static Rows read_all(QueueReader& reader) {
    Rows rows;
    for (Item item = reader.next(); item != Item::end; item = reader.next()) {
      if (item == Item::sample) rows.emplace_back(reader.sample().series, reader.sample().time, reader.sample().value);
    }
    return rows;
  }

  TemporaryFolder folder_;
  MetricsRegistry metrics_;
};

TEST_F(WriteQueueTest, GivesBackWhatWasWrittenInOrder) {
  const auto queue = open();
  QueueReader reader(*queue, queue->end());
  EXPECT_EQ(reader.next(), Item::end);
  const Rows first = {{1, 1000, 0.1}, {2, 1000, -0.0}, {1ULL << 32, 1001, 1e300}};
  const Rows second = {{1, 2000, HUGE_VAL}, {2, -5, 42}};
  add(*queue, first);
  EXPECT_EQ(read_all(reader), first);
  add(*queue, second);
  EXPECT_EQ(read_all(reader), second);
  EXPECT_EQ(reader.position(), queue->end());
}

TEST_F(WriteQueueTest, KeepsStaleMarkersBitForBit) {
  const auto queue = open();
  QueueReader reader(*queue, queue->end());
  add(*queue, {{7, 1, stale_nan()}});
  ASSERT_EQ(reader.next(), Item::sample);
  EXPECT_TRUE(is_stale_nan(reader.sample().value));
}

TEST_F(WriteQueueTest, GoesOnInTheMiddleOfARecordOverSegmentsAndRestarts) {
  QueuePosition middle;
  Rows all;
  {
    const auto queue = open(256);
    const QueuePosition begin = queue->end();
    for (int i = 0; i < 100; ++i) {
      const Rows rows = {{1, i * 1000, i}, {2, i * 1000, i + 0.5}, {3, i * 1000, -i}};
      add(*queue, rows);
      all.insert(all.end(), rows.begin(), rows.end());
    }
    EXPECT_GT(queue->end().segment, 5u);
    QueueReader reader(*queue, begin);
    for (int i = 0; i < 101; ++i) ASSERT_EQ(reader.next(), Item::sample);
    middle = reader.position();
    EXPECT_NE(middle.item, 0u);
  }
  const auto queue = open(256);
  add(*queue, {{9, 9, 9}});
  all.emplace_back(9, 9, 9);
  QueueReader reader(*queue, middle);
  EXPECT_EQ(read_all(reader), Rows(all.begin() + 101, all.end()));
}

TEST_F(WriteQueueTest, PassesOverTheHalfRecordThatACrashLeaves) {
  QueuePosition begin;
  std::filesystem::path file;
  {
    const auto queue = open();
    begin = queue->end();
    file = queue->segment_path(begin.segment);
    add(*queue, {{1, 1, 1}});
    add(*queue, {{1, 2, 2}});
  }
  const auto size = std::filesystem::file_size(file);
  for (std::uint64_t cut = 1; cut < 16; ++cut) {
    std::filesystem::resize_file(file, size - cut);
    const auto queue = open();
    add(*queue, {{1, 3, 3}});
    QueueReader reader(*queue, begin);
    const Rows rows = read_all(reader);
    ASSERT_EQ(rows.size(), cut + 1) << cut;  // one of each start
    EXPECT_EQ(rows.front(), Rows::value_type(1, 1, 1));
    EXPECT_EQ(rows.back(), Rows::value_type(1, 3, 3));
  }
}

TEST_F(WriteQueueTest, SendsNothingOfADamagedRecord) {
  const auto queue = open(64);
  const QueuePosition begin = queue->end();
  Rows filling;
  for (SeriesId id = 1; id <= 8; ++id) filling.emplace_back(id, 1, 0.1234567891234567);
  add(*queue, filling);
  add(*queue, {{1, 2, 2}});
  {
    std::fstream file(queue->segment_path(begin.segment), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(30);
    file.put('!');
  }
  QueueReader reader(*queue, begin);
  EXPECT_EQ(read_all(reader), (Rows{{1, 2, 2}}));
}

/// The worked example of docs/remote-write.md.
TEST_F(WriteQueueTest, WritesTheBytesOfTheDocumentation) {
  const auto queue = open();
  add(*queue, {{1ULL << 32 | 1, 1'700'000'000'000, 1.5}});
  std::ifstream file(queue->segment_path(1), std::ios::binary);
  std::string hex;
  for (char c; file.get(c);) {
    hex += "0123456789abcdef"[static_cast<unsigned char>(c) >> 4];
    hex += "0123456789abcdef"[static_cast<unsigned char>(c) & 15];
  }
  EXPECT_EQ(hex,
            "7069706974727731"
            "10000000"
            "8e761aa2"
            "0104000001"
            "0202"
            "80a0abfef962"
            "01"
            "e103");
}

TEST_F(WriteQueueTest, CarriesExemplars) {
  const auto queue = open();
  QueueReader reader(*queue, queue->end());
  const Labels series{{"__name__", "a"}, {"b", "c"}};
  queue->add_exemplar(series, {Labels{{"trace_id", "x"}}, 1.5, 1234});
  ASSERT_EQ(reader.next(), Item::exemplar);
  std::string encoded;
  encode_labels(series, encoded);
  EXPECT_EQ(reader.exemplar().series, encoded);
  EXPECT_EQ(reader.exemplar().value, 1.5);
  EXPECT_EQ(reader.exemplar().time, 1234);
  EXPECT_EQ(reader.next(), Item::end);
}

TEST_F(WriteQueueTest, CountsAndGivesUpTheOldest) {
  const auto queue = open(64);
  const QueuePosition begin = queue->end();
  for (int i = 0; i < 20; ++i) add(*queue, {{1, i, i}, {2, i, i}});
  QueueReader reader(*queue, begin);
  ASSERT_EQ(reader.next(), Item::sample);
  const std::uint64_t rest = reader.count_rest_of_segment();
  EXPECT_GT(rest, 0u);
  EXPECT_EQ(queue->excess_segment(queue->bytes(), 0), 0u);
  EXPECT_EQ(queue->excess_segment(queue->bytes() - 1, 0), begin.segment);
  queue->release_before(begin.segment + 1);
  EXPECT_EQ(queue->first_segment(), begin.segment + 1);
  reader.seek({begin.segment + 1, 0, 0});
  EXPECT_EQ(read_all(reader).size(), 40 - 1 - rest);
  QueueReader late(*queue, begin);  // a place that is gone
  EXPECT_EQ(read_all(late).size(), 40 - 1 - rest);
}

TEST_F(WriteQueueTest, WakesOnceForEachCall) {
  const auto queue = open();
  int woken = 0;
  queue->set_wake([&] { ++woken; });
  add(*queue, {{1, 1, 1}});
  EXPECT_EQ(woken, 0);
  queue->arm();
  add(*queue, {{1, 2, 1}});
  add(*queue, {{1, 3, 1}});
  EXPECT_EQ(woken, 1);
}

TEST(WriteCursorTest, RemembersTheLastStateWhoseWriteWasWhole) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "a.cursor";
  const WriteCursor::State first{{1, 2, 3}, {4, 5, 6}, 7};
  const WriteCursor::State second{{4, 5, 6}, {4, 5, 6}, 7};
  {
    auto cursor = WriteCursor::open(path);
    ASSERT_TRUE(cursor.ok());
    EXPECT_FALSE((*cursor)->state());
    (*cursor)->store(first);
    (*cursor)->store(second);
  }
  EXPECT_EQ((*WriteCursor::open(path))->state(), second);
  {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);  // the second turn is in the first slot
    file.seekp(20);
    file.put('!');
  }
  EXPECT_EQ((*WriteCursor::open(path))->state(), first);
}

}  // namespace
}  // namespace pipit
