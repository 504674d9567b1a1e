#pragma once

#include <string>
#include <utility>
#include <vector>

#include "model/result.h"
#include "tools/query_options.h"

namespace pipit {

/// A server's answer as it came: not yet looked at, and from wherever the URL points.
struct ServerReply {
  std::string origin;  ///< scheme, host and port that answered
  int status = 0;
  std::string body;
};

/// What is asked of the API.
struct ApiRequest {
  std::string path;  ///< follows the URL's prefix
  std::vector<std::pair<std::string, std::string>> fields{};
  bool post = true;  ///< as a form, as a long query does not fit into a URL
};

/// The request behind `options`: of its kind, with its times.
ApiRequest api_request(const QueryOptions& options);

/// Asks `options.url`, which may have a path prefix, a user and a password, and be https. On a terminal a line on
/// standard error tells how it goes when it takes long. Ends early when interrupt_request() is called.
/// Errors: bad_data for a URL that is none; unavailable when there is no answer; canceled.
Result<ServerReply> send_request(const QueryOptions& options, const ApiRequest& request);
/// Gets `path`, which follows the URL's prefix, in the same way.
Result<ServerReply> send_get(const std::string& url, const std::string& path, DurationMs timeout);

/// Asks a path that takes JSON, or nothing if `json` is empty, in the same way. `fields` go into the URL.
Result<ServerReply> send_json(const std::string& url, const ServerAccess& access, const std::string& method,
                              const ApiRequest& request, const std::string& json, DurationMs timeout);

/// Of a server's URL what may be shown: scheme, host and port, without a password.
std::string server_origin(const std::string& url);

/// Ends the running request; from a signal handler too. take_interrupt() tells whether that was called since.
void interrupt_request();
bool take_interrupt();

}  // namespace pipit
