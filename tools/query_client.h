#pragma once

#include <string>

#include "model/result.h"
#include "tools/query_options.h"

namespace pipit {

/// A server's answer as it came: not yet looked at, and from wherever the URL points.
struct ServerReply {
  std::string origin;  ///< scheme, host and port that answered
  int status = 0;
  std::string body;
};

/// Sends the query as a POST form, as a long one does not fit into a URL. The URL may have a path prefix, a user and a
/// password, and be https. Errors: bad_data for a URL that is none; unavailable when there is no answer.
Result<ServerReply> send_query(const QueryOptions& options);
/// Gets `path`, which follows the URL's prefix, in the same way.
Result<ServerReply> send_get(const std::string& url, const std::string& path, DurationMs timeout);

}  // namespace pipit
