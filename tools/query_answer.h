#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "model/labels.h"
#include "model/result.h"
#include "model/sample.h"

namespace pipit {

/// A point as the server wrote it; `value` is a float's text, or the JSON of a native histogram.
struct AnswerPoint {
  TimestampMs time = 0;
  std::string value;
  bool is_histogram = false;
};

struct AnswerSeries {
  Labels labels;
  std::vector<AnswerPoint> points;
};

enum class AnswerType { scalar, string, vector, matrix };

/// A server's answer to a query. A scalar and a string are one series without labels and with one point.
struct QueryAnswer {
  AnswerType type = AnswerType::vector;
  std::vector<AnswerSeries> series;
  std::vector<std::string> warnings;
  std::vector<std::string> infos;
  std::string data_json;  ///< the `data` member, when asked for
};

/// Why there is no answer: the server refused the query (`api` is true), or something else than a Prometheus answered.
struct AnswerError {
  bool api = false;
  std::string type;     ///< `bad_data`, `execution`...
  std::string message;  ///< of a stranger: what follows its name, `answered with HTTP status 404, but not...`
};

/// Reads Prometheus's JSON envelope, which may come from anywhere and hold anything. With `keep_json` the data is kept
/// as text and the series are not read. Returns whether `answer` was filled; else `error` was.
bool read_answer(int http_status, std::string_view body, bool keep_json, QueryAnswer& answer, AnswerError& error);

}  // namespace pipit
