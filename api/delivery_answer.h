#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "api/http_message.h"
#include "model/matcher.h"
#include "model/result.h"
#include "model/sample.h"

namespace pipit {

// What the handlers of Alertmanager's API v2 have in common: its errors, its times, reading what it is sent.

/// Codes of the API's own that a wrong body is answered with, beside the status 422.
inline constexpr int kInvalidType = 601;
inline constexpr int kRequired = 602;
inline constexpr int kTooFewItems = 612;

HttpResponse json_answer(std::string body);
/// `{"code":CODE,"message":"..."}`: of a request that its description does not allow.
HttpResponse coded_answer(int status, int code, std::string_view message);
/// `"..."`: of what a handler itself has found wrong.
HttpResponse message_answer(int status, std::string_view message);

/// The JSON that a request brings. An error is the whole answer: 415 for another type, 413 for more than `limit` bytes,
/// 400 for what is no JSON. `what` names the body.
struct JsonBody {
  std::unique_ptr<nlohmann::json> json;  ///< null: `refusal` is the answer
  HttpResponse refusal;
};
JsonBody read_json_body(const HttpRequest& request, std::string_view what, std::size_t limit);

/// RFC 3339, also without a zone (UTC) or without seconds. "" and Go's first moment count as none: 0.
Result<TimestampMs> parse_json_time(std::string_view text);

/// The matchers of the parameters `filter`. Errors: bad_data.
Result<std::vector<Matcher>> filter_parameter(const FormFields& form);
/// A parameter that is true when missing.
bool switch_parameter(const FormFields& form, std::string_view name);

}  // namespace pipit
