// How fast chunks are written and read. Run: chunk_bench

#include "storage/chunk.h"

#include <benchmark/benchmark.h>

#include <cmath>
#include <random>

#include "storage/open_chunk.h"
#include "storage/packed_values.h"

namespace pipit {
namespace {

constexpr int kSamples = 480;  // two hours, 15 s apart
constexpr int kDay = 5760;

enum Kind { kConstant, kCounter, kGauge, kNoise, kDuration, kSeldom };

ValueColumn values_of(int kind, int count = kSamples) {
  ValueColumn values;
  std::mt19937 random(1);
  std::lognormal_distribution<double> duration(-8.5, 0.3);  // about 0.2 ms
  double counter = 12'345;
  double seldom = 0;
  for (int i = 0; i < count; ++i) {
    if (kind == kDuration || kind == kSeldom) {
      if (random() % 20 == 0) ++seldom;
      values.push_back(kind == kSeldom ? seldom : std::round(duration(random) * 1e9) / 1e9);
      continue;
    }
    counter += (i * 7919 % 50) / 100.0;
    const double gauge = (500 + i * 31 % 37) / 10.0;
    const double noise = std::sin(i) * 1000;
    values.push_back(kind == kConstant  ? 42
                     : kind == kCounter ? std::round(counter * 100) / 100
                     : kind == kGauge   ? gauge
                                        : noise);
  }
  return values;
}

TimeColumn times_of(int count = kSamples) {
  TimeColumn times;
  times.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) times.push_back(1'700'000'000'000 + i * 15'000LL);
  return times;
}

void count(benchmark::State& state, std::size_t chunk_bytes, int samples = kSamples) {
  static const char* const kNames[] = {"constant", "counter", "gauge", "noise", "duration", "seldom"};
  state.SetLabel(kNames[state.range(0)]);
  state.SetItemsProcessed(state.iterations() * samples);
  state.counters["bytes_per_sample"] = static_cast<double>(chunk_bytes) / samples;
}

void BM_Decode(benchmark::State& state) {
  const auto times = times_of();
  const std::string chunk = encode_chunk(times, values_of(static_cast<int>(state.range(0))));
  TimeColumn out_times;
  ValueColumn out_values;
  for (auto _ : state) {
    out_times.clear();
    out_values.clear();
    benchmark::DoNotOptimize(decode_chunk(chunk, times[0], out_times, out_values).ok());
  }
  count(state, chunk.size());
}
BENCHMARK(BM_Decode)->DenseRange(kConstant, kNoise);

void BM_Seal(benchmark::State& state) {
  const auto times = times_of();
  const auto values = values_of(static_cast<int>(state.range(0)));
  std::size_t size = 0;
  for (auto _ : state) {
    const std::string chunk = encode_chunk(times, values);
    size = chunk.size();
  }
  count(state, size);
}
BENCHMARK(BM_Seal)->DenseRange(kConstant, kNoise);

/// A day in one chunk.
void BM_DecodeMerged(benchmark::State& state) {
  const auto times = times_of(kDay);
  PackedValuesEncoder encoder;
  const std::string chunk = encode_merged_chunk(times, values_of(static_cast<int>(state.range(0)), kDay), encoder);
  TimeColumn out_times;
  ValueColumn out_values;
  for (auto _ : state) {
    out_times.clear();
    out_values.clear();
    benchmark::DoNotOptimize(decode_chunk(chunk, times[0], out_times, out_values).ok());
  }
  count(state, chunk.size(), kDay);
}
BENCHMARK(BM_DecodeMerged)->DenseRange(kConstant, kSeldom);

void BM_EncodeMerged(benchmark::State& state) {
  const auto times = times_of(kDay);
  const auto values = values_of(static_cast<int>(state.range(0)), kDay);
  PackedValuesEncoder encoder;
  std::size_t size = 0;
  for (auto _ : state) size = encode_merged_chunk(times, values, encoder).size();
  count(state, size, kDay);
}
BENCHMARK(BM_EncodeMerged)->DenseRange(kConstant, kSeldom);

void BM_Append(benchmark::State& state) {
  const auto times = times_of();
  const auto values = values_of(static_cast<int>(state.range(0)));
  std::size_t bytes = 0;
  for (auto _ : state) {
    TimeTracks tracks;
    OpenChunk open;
    for (int i = 0; i < kSamples; ++i)
      open.append(times[static_cast<std::size_t>(i)], values[static_cast<std::size_t>(i)], tracks);
    bytes = open.heap_bytes();
  }
  count(state, bytes);
}
BENCHMARK(BM_Append)->DenseRange(kConstant, kNoise);

}  // namespace
}  // namespace pipit
