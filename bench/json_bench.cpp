// How fast query results become JSON: a range query's matrix of gauges (many digits), counters (whole numbers) and
// constants, and strings. Reported as bytes of JSON a second.

#include <benchmark/benchmark.h>

#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "api/json_writer.h"

namespace {

using namespace pipit;

constexpr int kSeries = 100;
constexpr int kPoints = 1'000;

double value(int kind, int series, int point) {
  switch (kind) {
    case 0:
      return 1e9 + series * 1000.0 + point * 37;  // a counter
    case 1:
      return std::round((20 + std::sin(point * 0.1 + series)) * 1000) / 1000;  // a gauge with three decimals
    case 2:
      return std::sin(point * 0.1 + series);  // a rate: all the digits of a double
    default:
      return 1;  // up
  }
}

QueryResult matrix(int kind) {
  auto symbols = std::make_shared<SymbolTable>();
  auto times = std::make_shared<std::vector<TimestampMs>>();
  for (int point = 0; point < kPoints; ++point) times->push_back(1'700'000'000'000 + point * 15'000LL);
  QueryResult result;
  result.type = ResultType::matrix;
  result.symbols = symbols;
  for (int series = 0; series < kSeries; ++series) {
    ResultSeries one{{{symbols->intern("__name__"), symbols->intern("some_metric_total")},
                      {symbols->intern("instance"), symbols->intern("host" + std::to_string(series) + ":9100")},
                      {symbols->intern("job"), symbols->intern("node")}},
                     times,
                     {}};
    for (int point = 0; point < kPoints; ++point) one.values.push_back(value(kind, series, point));
    result.series.push_back(std::move(one));
  }
  return result;
}

void write_matrix(benchmark::State& state) {
  QueryResult result = matrix(static_cast<int>(state.range(0)));
  std::int64_t bytes = 0;
  std::string out;
  for (auto _ : state) {
    state.PauseTiming();
    auto body = query_result_body(QueryResult(result));
    state.ResumeTiming();
    bool more = true;
    while (more) {
      out.clear();
      more = body->next(out);
      bytes += static_cast<std::int64_t>(out.size());
    }
  }
  state.SetBytesProcessed(bytes);
  state.SetItemsProcessed(state.iterations() * kSeries * kPoints);
}
BENCHMARK(write_matrix)->ArgName("kind")->Arg(0)->Arg(1)->Arg(2)->Arg(3);

void write_strings(benchmark::State& state) {
  std::string out;
  for (auto _ : state) {
    out.clear();
    for (int i = 0; i < 1000; ++i) append_json_string(out, "http_server_request_duration_seconds_bucket");
    benchmark::DoNotOptimize(out.data());
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(out.size()));
}
BENCHMARK(write_strings);

}  // namespace
