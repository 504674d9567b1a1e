// What remote write costs: from a compressed body to samples in the store, and the steps on the way.
// A request is a scrape of 507 series of about eight labels, as Prometheus sends it: one sample a series.
// Run: remote_write_bench

#include <benchmark/benchmark.h>
#include <snappy.h>
#include <stdlib.h>

#include <bit>
#include <filesystem>
#include <string>
#include <vector>

#include "api/remote_write.h"
#include "api/remote_write_parser.h"
#include "bench/footprint.h"
#include "model/duration.h"
#include "storage/store.h"
#include "telemetry/metrics.h"

namespace pipit {
namespace {

constexpr int kSeries = 507;

void put_varint(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  out += static_cast<char>(value);
}

Labels series_labels(int i, int target) {
  return Labels{{"__name__", "node_network_receive_bytes_total_" + std::to_string(i / 8)},
                {"cluster", "production-eu-1"},
                {"device", "interface" + std::to_string(i % 8)},
                {"environment", "production"},
                {"instance", "host-" + std::to_string(target) + ".example.org:9100"},
                {"job", "node-exporter"},
                {"mode", "receive"},
                {"region", "eu-central-1"}};
}

/// Bodies that can be made for any time and cheaply: the places of times and values are remembered.
class Scrape {
 public:
  explicit Scrape(int target, bool sorted = true) {
    for (int i = 0; i < kSeries; ++i) {
      std::string fields;
      encode_labels(series_labels(i, target), fields);
      if (!sorted) {  // the first label goes last
        const std::size_t first = 2 + static_cast<unsigned char>(fields[1]);
        fields = fields.substr(first) + fields.substr(0, first);
      }
      fields += std::string("\x12\x10\x09", 3) + std::string(8, '\0') + '\x10';
      put_varint(fields, 1'700'000'000'000);  // as long as all times of these years
      message_ += '\x0a';
      put_varint(message_, fields.size());
      message_ += fields;
      samples_.push_back(message_.size() - 15);
    }
  }

  const std::string& message(TimestampMs time, int step) {
    std::string encoded;
    put_varint(encoded, static_cast<std::uint64_t>(time));
    for (int i = 0; i < kSeries; ++i) {
      const double value = i % 3 != 0 ? i : step * 100 + (step * 31 + i) % 97;  // a third changes, as on real pages
      char* at = message_.data() + samples_[static_cast<std::size_t>(i)];
      const auto bytes = std::bit_cast<std::array<char, 8>>(value);
      std::copy(bytes.begin(), bytes.end(), at);
      std::copy(encoded.begin(), encoded.end(), at + 9);
    }
    return message_;
  }

  std::string body(TimestampMs time, int step) {
    std::string out;
    snappy::Compress(message(time, step).data(), message_.size(), &out);
    return out;
  }

 private:
  std::string message_;
  std::vector<std::size_t> samples_;  // where the values are; times follow a byte after
};

void count(benchmark::State& state) {
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()) * kSeries);
  state.counters["time_per_sample"] = benchmark::Counter(static_cast<double>(state.iterations()) * kSeries,
                                                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

void BM_Decompress(benchmark::State& state) {
  Scrape scrape(1);
  const std::string body = scrape.body(now_ms(), 1);
  std::string message(scrape.message(now_ms(), 1).size(), '\0');
  for (auto _ : state) benchmark::DoNotOptimize(snappy::RawUncompress(body.data(), body.size(), message.data()));
  count(state);
  state.counters["raw_bytes_per_sample"] = static_cast<double>(message.size()) / kSeries;
  state.counters["bytes_per_sample"] = static_cast<double>(body.size()) / kSeries;
}
BENCHMARK(BM_Decompress);

void BM_Parse(benchmark::State& state) {
  Scrape scrape(1);
  const std::string message = scrape.message(now_ms(), 1);
  for (auto _ : state) {
    RemoteWriteParser parser(message);
    double sum = 0;
    while (parser.next() == RemoteWriteParser::Item::series) {
      RemoteWriteSamples samples(parser.series());
      TimestampMs time = 0;
      double value = 0;
      while (samples.next(time, value)) sum += value;
    }
    benchmark::DoNotOptimize(sum);
  }
  count(state);
}
BENCHMARK(BM_Parse);

/// All of a request but the bytes' way through the sockets; the argument is how many targets write in turn.
void receive(benchmark::State& state, bool sorted) {
  Folder folder;
  MetricsRegistry metrics;
  StoreOptions options;
  options.path = folder.path();
  auto store = Store::open(options, metrics).value();
  RemoteWriteReceiver receiver(*store, metrics);
  const int targets = static_cast<int>(state.range(0));
  std::vector<Scrape> scrapes;
  scrapes.reserve(static_cast<std::size_t>(targets));
  for (int i = 0; i < targets; ++i) scrapes.emplace_back(i, sorted);
  constexpr int kSteps = 64;
  std::vector<std::string> bodies;
  TimestampMs time = now_ms() - 10LL * 24 * 3600 * 1000;
  HttpRequest request;
  std::size_t next = 0;
  for (Scrape& scrape : scrapes) {  // new series are another matter
    request.body = scrape.body(time, 0);
    if (receiver.handle(request).status != 204) return state.SkipWithError("refused");
  }
  time += 15'000;
  for (auto _ : state) {
    if (next == bodies.size()) {
      state.PauseTiming();
      bodies.clear();
      next = 0;
      for (int step = 0; step < std::max(1, kSteps / targets); ++step, time += 15'000) {
        for (Scrape& scrape : scrapes) bodies.push_back(scrape.body(time, step));
      }
      state.ResumeTiming();
    }
    request.body = std::move(bodies[next++]);
    if (receiver.handle(request).status != 204) return state.SkipWithError("refused");
  }
  count(state);
}
void BM_Receive(benchmark::State& state) { receive(state, true); }
BENCHMARK(BM_Receive)->Arg(1)->Arg(50)->Arg(200);
/// As vmagent sends labels: found only after they are sorted.
void BM_ReceiveUnsorted(benchmark::State& state) { receive(state, false); }
BENCHMARK(BM_ReceiveUnsorted)->Arg(50);

}  // namespace
}  // namespace pipit
