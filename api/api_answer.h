#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "api/http_message.h"
#include "model/result.h"

namespace pipit {

/// Plain text.
HttpResponse text_answer(int status, std::string body);

/// Prometheus's JSON envelope around a failure, with the HTTP status of its kind.
HttpResponse api_error(const Error& error);
/// The name of the kind in the envelope: "bad_data".
std::string_view error_type(ErrorKind kind);
int http_status(ErrorKind kind);

/// The envelope around `data`, which is JSON.
HttpResponse api_success(std::string_view data, const std::vector<std::string>& warnings = {},
                         const std::vector<std::string>& infos = {});

/// The envelope around a list or map of `count` elements that is written while it is sent. `brackets` is "[]" or
/// "{}"; `write` appends element i. `write` must own what it needs.
HttpResponse api_elements(std::string_view brackets, std::size_t count,
                          std::function<void(std::size_t i, std::string& out)> write,
                          const std::vector<std::string>& warnings = {});

}  // namespace pipit
