#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "api/http_message.h"
#include "model/labels.h"
#include "model/sample.h"
#include "query/engine.h"

namespace pipit {

/// Appends `text` as a JSON string. Invalid UTF-8 becomes U+FFFD, as Go's encoder does it.
void append_json_string(std::string& out, std::string_view text);
/// Seconds with up to three decimals: 1435781430.781, 1435781430.
void append_json_time(std::string& out, TimestampMs t);
/// `{"a":"b",...}`
void append_json_labels(std::string& out, const Labels& labels);
/// A number; NaN and infinities, which JSON does not have, become 0.
void append_json_number(std::string& out, double v);
/// `,"warnings":[...],"infos":[...]` of what is not empty: the end of the API's envelope.
void append_json_notes(std::string& out, const std::vector<std::string>& warnings,
                       const std::vector<std::string>& infos);

/// The whole answer to a query, envelope included, written from the result's columns as it is sent. With its stats, if
/// they are wanted.
std::unique_ptr<BodySource> query_result_body(QueryResult result, bool with_stats = false);
/// `{"timings":{...},"samples":{...}}`, as Prometheus names them.
void append_json_stats(std::string& out, const QueryStats& stats);

}  // namespace pipit
