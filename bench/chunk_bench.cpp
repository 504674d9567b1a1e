// How fast chunks are written and read. Run: chunk_bench

#include "storage/chunk.h"

#include <benchmark/benchmark.h>

#include <cmath>

#include "storage/open_chunk.h"

namespace pipit {
namespace {

constexpr int kSamples = 480;  // two hours, 15 s apart

enum Kind { kConstant, kCounter, kGauge, kNoise };

std::vector<double> values_of(int kind) {
  std::vector<double> values;
  double counter = 12'345;
  for (int i = 0; i < kSamples; ++i) {
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

std::vector<TimestampMs> times_of() {
  std::vector<TimestampMs> times;
  times.reserve(kSamples);
  for (int i = 0; i < kSamples; ++i) times.push_back(1'700'000'000'000 + i * 15'000LL);
  return times;
}

void count(benchmark::State& state, std::size_t chunk_bytes) {
  static const char* const kNames[] = {"constant", "counter", "gauge", "noise"};
  state.SetLabel(kNames[state.range(0)]);
  state.SetItemsProcessed(state.iterations() * kSamples);
  state.counters["bytes_per_sample"] = static_cast<double>(chunk_bytes) / kSamples;
}

void BM_Decode(benchmark::State& state) {
  const auto times = times_of();
  const std::string chunk = encode_chunk(times, values_of(static_cast<int>(state.range(0))));
  std::vector<TimestampMs> out_times;
  std::vector<double> out_values;
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

void BM_Append(benchmark::State& state) {
  const auto times = times_of();
  const auto values = values_of(static_cast<int>(state.range(0)));
  std::size_t bytes = 0;
  for (auto _ : state) {
    OpenChunk open;
    for (int i = 0; i < kSamples; ++i)
      open.append(times[static_cast<std::size_t>(i)], values[static_cast<std::size_t>(i)]);
    bytes = open.heap_bytes();
  }
  count(state, bytes);
}
BENCHMARK(BM_Append)->DenseRange(kConstant, kNoise);

}  // namespace
}  // namespace pipit
