#include "api/json_writer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

#include "model/number.h"

namespace pipit {
namespace {

using nlohmann::json;

std::string read_all(BodySource& source) {
  std::string all;
  bool more = true;
  while (more) {
    std::string piece;
    more = source.next(piece);
    EXPECT_LT(piece.size(), 2 * BodySource::kPieceBytes);
    all += piece;
  }
  return all;
}

std::string write(QueryResult result) { return read_all(*query_result_body(std::move(result))); }

QueryResult empty_result(ResultType type, std::shared_ptr<const SymbolTable> symbols) {
  QueryResult result;
  result.type = type;
  result.symbols = std::move(symbols);
  return result;
}

struct TextCase {
  std::string text;
  std::string json;
};

TEST(JsonWriter, EscapesStrings) {
  const std::vector<TextCase> cases = {
      {"", R"("")"},
      {"plain", R"("plain")"},
      {"a\"b\\c", R"("a\"b\\c")"},
      {"\n\r\t\x01\x1f", R"("\n\r\t\u0001\u001f")"},
      {"\x7f", "\"\x7f\""},
      {"grün 日本 😀", R"("grün 日本 😀")"},
      {"a\xff\xfe"
       "b",
       "\"a\xef\xbf\xbd\xef\xbf\xbd"
       "b\""},
      {"\xc3", "\"\xef\xbf\xbd\""},                                  // cut short
      {"\xc0\xaf", "\"\xef\xbf\xbd\xef\xbf\xbd\""},                  // overlong
      {"\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},  // surrogate
  };
  for (const TextCase& c : cases) {
    std::string out;
    append_json_string(out, c.text);
    EXPECT_EQ(out, c.json);
    EXPECT_TRUE(json::accept(out));
  }
}

TEST(JsonWriter, WritesTimesInSeconds) {
  const std::vector<std::pair<TimestampMs, std::string>> cases = {
      {0, "0"},
      {1435781430781, "1435781430.781"},
      {1435781430000, "1435781430"},
      {1500, "1.500"},
      {-1, "-0.001"},
      {-1500, "-1.500"},
      {10, "0.010"},
      {std::numeric_limits<TimestampMs>::min(), "-9223372036854775.808"},
      {std::numeric_limits<TimestampMs>::max(), "9223372036854775.807"}};
  for (const auto& [time, text] : cases) {
    std::string out;
    append_json_time(out, time);
    EXPECT_EQ(out, text);
  }
}

TEST(JsonWriter, WritesEachTypeOfResult) {
  auto symbols = std::make_shared<SymbolTable>();
  LabelSet labels = {{symbols->intern("__name__"), symbols->intern("up")},
                     {symbols->intern("a"), symbols->intern("\"")}};
  auto time = std::make_shared<std::vector<TimestampMs>>(std::vector<TimestampMs>{1500});
  auto times = std::make_shared<std::vector<TimestampMs>>(std::vector<TimestampMs>{1000, 2000});

  QueryResult scalar = empty_result(ResultType::scalar, symbols);
  scalar.series.push_back({{}, time, {std::nan("")}});
  EXPECT_EQ(write(std::move(scalar)), R"({"status":"success","data":{"resultType":"scalar","result":[1.500,"NaN"]}})");

  QueryResult text = empty_result(ResultType::string, symbols);
  text.text = "x\ny";
  text.string_time = 1500;
  EXPECT_EQ(write(std::move(text)), R"({"status":"success","data":{"resultType":"string","result":[1.500,"x\ny"]}})");

  QueryResult vector = empty_result(ResultType::vector, symbols);
  EXPECT_EQ(write(std::move(vector)), R"({"status":"success","data":{"resultType":"vector","result":[]}})");

  vector = empty_result(ResultType::vector, symbols);
  vector.warnings = {"w"};
  vector.infos = {"i", "j"};
  vector.series.push_back({labels, time, {1}});
  vector.series.push_back({{}, time, {-std::numeric_limits<double>::infinity()}});
  EXPECT_EQ(write(std::move(vector)),
            R"({"status":"success","data":{"resultType":"vector","result":[)"
            R"({"metric":{"__name__":"up","a":"\""},"value":[1.500,"1"]},{"metric":{},"value":[1.500,"-Inf"]}]},)"
            R"("warnings":["w"],"infos":["i","j"]})");

  QueryResult matrix = empty_result(ResultType::matrix, symbols);
  matrix.series.push_back({labels, times, {1, 0.5}});
  matrix.series.push_back({{}, times, {1e21, 1e-9}});
  matrix.series.push_back({{}, time, {7}});
  EXPECT_EQ(write(std::move(matrix)), R"({"status":"success","data":{"resultType":"matrix","result":[)"
                                      R"({"metric":{"__name__":"up","a":"\""},"values":[[1,"1"],[2,"0.5"]]},)"
                                      R"({"metric":{},"values":[[1,"1e+21"],)"
                                      R"([2,"1e-09"]]},{"metric":{},"values":[[1.500,"7"]]}]}})");
}

/// Each value must read as append_api_float writes it, whatever the writer's short cuts.
TEST(JsonWriter, WritesEveryValueAsTheModelDoes) {
  std::mt19937_64 random(7);
  CellVector values = {
      0.0,  -0.0, 1,    -1,       1e15,   9007199254740991,       9007199254740992, 9007199254740994,        1e16,
      1e21, 0.1,  1e-6, 9.999e-7, 5e-324, 1.7976931348623157e308, 123456.789,       -0.000001234567890123456};
  for (int i = 0; i < 20'000; ++i) {
    std::uint64_t bits = random();
    switch (i % 4) {
      case 0:
        values.push_back(std::bit_cast<double>(bits));
        break;
      case 1:
        values.push_back(static_cast<double>(bits % 1'000'000) / 1000);
        break;
      case 2:
        values.push_back(-static_cast<double>(bits >> (bits % 64)));
        break;
      default:
        values.push_back(values.back());
    }
  }
  QueryResult result = empty_result(ResultType::matrix, std::make_shared<SymbolTable>());
  auto times = std::make_shared<std::vector<TimestampMs>>();
  for (std::size_t i = 0; i < values.size(); ++i) times->push_back(static_cast<TimestampMs>(i) * 7);
  result.series.push_back({{}, times, values});
  result.series.push_back({{}, times, values});
  json parsed = json::parse(write(std::move(result)));
  for (const json& series : parsed["data"]["result"]) {
    ASSERT_EQ(series["values"].size(), values.size());
    for (std::size_t i = 0; i < values.size(); ++i) {
      std::string expected;
      append_api_float(expected, values[i]);
      ASSERT_EQ(series["values"][i][1], expected);
      ASSERT_EQ(series["values"][i][0].get<double>(), static_cast<double>(i * 7) / 1000);
    }
  }
}

}  // namespace
}  // namespace pipit
