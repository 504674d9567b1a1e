#include "tools/query_output.h"

#include <gtest/gtest.h>

namespace pipit {
namespace {

QueryAnswer read(std::string_view body, bool keep_json = false) {
  QueryAnswer answer;
  AnswerError error;
  EXPECT_TRUE(read_answer(200, body, keep_json, answer, error)) << error.message;
  return answer;
}

constexpr std::string_view kVector = R"({"status":"success","data":{"resultType":"vector","result":[
  {"metric":{"__name__":"up","job":"node","instance":"a:1"},"value":[1700000000.5,"1"]},
  {"metric":{"__name__":"up","job":"a \"b\", c\n"},"value":[1700000000.5,"NaN"]},
  {"metric":{"__name__":"dotted.name","größe":"ü"},"value":[1700000000.5,"+Inf"]}]},
  "warnings":["w"],"infos":["i"]})";

TEST(QueryTable, AlignsValuesBehindMetricsInPromqlForm) {
  EXPECT_EQ(format_table(read(kVector)),
            "up{instance=\"a:1\", job=\"node\"}  1\n"
            "up{job=\"a \\\"b\\\", c\\n\"}          NaN\n"
            "{\"dotted.name\", \"größe\"=\"ü\"}    +Inf\n");
}

TEST(QueryTable, MatrixIsABlockASeries) {
  const QueryAnswer answer = read(R"({"status":"success","data":{"resultType":"matrix","result":[
    {"metric":{"a":"1"},"values":[[1700000000,"1"],[1700000015.25,"2.5"]]},
    {"metric":{},"values":[[1700000000,"3"]],"histograms":[[1700000015,{"count":"4","sum":"5"}]]}]}})");
  EXPECT_EQ(format_table(answer),
            "{a=\"1\"}\n"
            "  2023-11-14T22:13:20.000Z  1\n"
            "  2023-11-14T22:13:35.250Z  2.5\n"
            "\n"
            "{}\n"
            "  2023-11-14T22:13:20.000Z  3\n"
            "  2023-11-14T22:13:35.000Z  {\"count\":\"4\",\"sum\":\"5\"}\n");
}

TEST(QueryTable, LabelsSendNothingToTheTerminal) {
  // U+009B begins a sequence in one character.
  for (const char* type : {"vector", "matrix"}) {
    const std::string table =
        format_table(read(std::string(R"({"status":"success","data":{"resultType":")") + type +
                          R"(","result":[{"metric":{"a":"\u009b2J\u001b[2J"},"values":[[1,"2"]]}]}})"));
    EXPECT_EQ(table.find('\x1b'), std::string::npos);
    EXPECT_EQ(table.find("\xc2\x9b"), std::string::npos);
  }
}

TEST(QueryTable, ScalarsAndStringsAreBare) {
  EXPECT_EQ(format_table(read(R"({"status":"success","data":{"resultType":"scalar","result":[1,"2"]}})")), "2\n");
  // A server must not be able to send escape sequences to the terminal.
  EXPECT_EQ(format_table(read(R"({"status":"success","data":{"resultType":"string","result":[1,"x\u001b[2Jy"]}})")),
            "x [2Jy\n");
}

TEST(QueryCsv, HasAColumnALabelAndQuotesByRfc4180) {
  EXPECT_EQ(format_csv(read(kVector)),
            "timestamp,value,__name__,größe,instance,job\n"
            "1700000000.5,1,up,,a:1,node\n"
            "1700000000.5,NaN,up,,,\"a \"\"b\"\", c\n\"\n"
            "1700000000.5,+Inf,dotted.name,ü,,\n");
  EXPECT_EQ(format_csv(read(R"({"status":"success","data":{"resultType":"vector","result":[]}})")),
            "timestamp,value\n");
  EXPECT_EQ(format_csv(read(R"({"status":"success","data":{"resultType":"scalar","result":[-0.25,"2"]}})")),
            "timestamp,value\n-0.25,2\n");
}

TEST(QueryJson, KeepsTheServersDataAndOrder) {
  const QueryAnswer answer =
      read(R"({"status":"success","data":{"resultType":"scalar","result":[1.5,"2"],"aaa":null}})", /*keep_json=*/true);
  EXPECT_EQ(answer.data_json, R"({"resultType":"scalar","result":[1.5,"2"],"aaa":null})");
}

TEST(QueryAnswer, CarriesWarningsAndInfos) {
  const QueryAnswer answer = read(kVector);
  EXPECT_EQ(answer.warnings, std::vector<std::string>{"w"});
  EXPECT_EQ(answer.infos, std::vector<std::string>{"i"});
}

TEST(QueryAnswer, TellsTheServersErrorsFromStrangers) {
  QueryAnswer answer;
  AnswerError error;
  EXPECT_FALSE(
      read_answer(422, R"({"status":"error","errorType":"execution","error":"too much"})", false, answer, error));
  EXPECT_TRUE(error.api);
  EXPECT_EQ(error.type, "execution");
  EXPECT_EQ(error.message, "too much");
  const std::string deep(200'000, '[');
  for (const std::string_view body :
       {std::string_view("<html>502</html>"), std::string_view(""), std::string_view("[]"), std::string_view("{}"),
        std::string_view(R"({"status":"success"})"), std::string_view(R"({"status":"success","data":[]})"),
        std::string_view(R"({"status":"success","data":{"resultType":"vector","result":[{}]}})"),
        std::string_view(R"({"status":"success","data":{"resultType":"vector","result":[{"metric":{"a":1}}]}})"),
        std::string_view(
            R"({"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[1]}]}})"),
        std::string_view(R"({"status":"success","data":{"resultType":"scalar","result":[1e300,"1"]}})"),
        std::string_view(R"({"status":"success","data":{"resultType":"scalar","result":["1","1"]}})"),
        std::string_view(R"({"status":"success","data":{"resultType":"cube","result":[]}})"), std::string_view(deep)}) {
    EXPECT_FALSE(read_answer(200, body, false, answer, error)) << body.substr(0, 100);
    EXPECT_FALSE(error.api);
  }
}

TEST(QueryError, PointsAtTheColumn) {
  EXPECT_EQ(
      format_error({true, "bad_data", "invalid parameter \"query\": 1:6: parse error: unexpected \")\""}, "rate()"),
      "error: bad_data: invalid parameter \"query\": 1:6: parse error: unexpected \")\"\n"
      "  rate()\n"
      "       ^\n");
  // The column counts bytes, the caret stands below a character of the named line; tabs are one cell.
  EXPECT_EQ(format_error({true, "bad_data", "2:10: parse error: x"}, "sum(\n\t\"grün\" +\n1"),
            "error: bad_data: 2:10: parse error: x\n"
            "   \"grün\" +\n"
            "          ^\n");
  // One behind the end is where input is missing.
  EXPECT_EQ(format_error({true, "", "1:3: parse error: no more"}, "1+"),
            "error: 1:3: parse error: no more\n  1+\n    ^\n");
  for (const char* message : {"no position", "9:1: parse error: x", "1:99: parse error: x", ": parse error",
                              "1:0: parse error", "99999999999999999999:1: parse error", "1:: parse error"}) {
    EXPECT_EQ(format_error({true, "", message}, "up"), "error: " + std::string(message) + "\n");
  }
}

}  // namespace
}  // namespace pipit
