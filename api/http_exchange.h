#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "api/http_message.h"
#include "api/request_reader.h"
#include "model/sample.h"

namespace pipit {

/// The bytes of an answer: `bytes`, then whatever `rest` makes if there is one.
struct EncodedAnswer {
  std::string bytes;
  std::unique_ptr<BodySource> rest;
  bool close = false;  ///< the connection ends with this answer
};

/// Turns a framed request into the bytes of an answer, around a handler: decodes path and forms, compresses, and frames
/// the body. cpp-httplib reads the request line and headers and writes the status line and headers. Thread-safe.
///
/// Its own limits are compiled in at 8 KB, so it is shown a shortened request: query strings and bodies are
/// parsed here. It also never sees Accept-Encoding (it would choose brotli) or Range.
class HttpExchange {
 public:
  using Handler = std::function<HttpResponse(const HttpRequest&)>;

  HttpExchange(Handler handler, DurationMs keep_alive);
  ~HttpExchange();

  EncodedAnswer answer(RawRequest request, const std::atomic<bool>& canceled);

  /// An answer for a request that could not be read. It closes the connection.
  static std::string error_answer(int status);

 private:
  class HttplibServer;
  std::unique_ptr<HttplibServer> server_;
};

}  // namespace pipit
