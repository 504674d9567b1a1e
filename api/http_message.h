#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/result.h"

namespace pipit {

/// The decoded `name=value` pairs of a form and a query string, in order.
class FormFields {
 public:
  static constexpr std::size_t kMaxFields = 10'000;

  /// Adds the pairs of `text` (application/x-www-form-urlencoded).
  /// Errors: bad_data for a broken percent escape and for more than kMaxFields pairs.
  Status parse(std::string_view text);

  /// The first value of that name, or "".
  std::string_view get(std::string_view name) const;
  std::vector<std::string_view> all(std::string_view name) const;

 private:
  std::vector<std::pair<std::string, std::string>> fields_;
};

/// Undoes percent escapes, and '+' for a space when `plus_is_space`. False when an escape is broken.
bool percent_decode(std::string_view text, bool plus_is_space, std::string& out);

/// What a handler is asked.
struct HttpRequest {
  std::string method;
  std::string path;  ///< percent-decoded, without the query string
  FormFields form;   ///< of the body first, then of the query string, as Prometheus reads them
  Status form_status;
  std::string body;                             ///< of a request that is no form
  std::string content_type;                     ///< the header of that name
  std::string content_encoding;                 ///< the header of that name
  std::string origin;                           ///< the header of that name
  std::string host;                             ///< the header of that name
  std::string authorization;                    ///< the header of that name
  std::string accept;                           ///< the header of that name
  std::string fetch_site;                       ///< the header Sec-Fetch-Site, which browsers send
  const std::atomic<bool>* canceled = nullptr;  ///< becomes true when the client hangs up
};

/// A body that is made while it is sent. Used by one thread at a time.
class BodySource {
 public:
  virtual ~BodySource() = default;
  /// Appends the next piece, of about kPieceBytes, to `out`. False: that was the last one.
  virtual bool next(std::string& out) = 0;

  static constexpr std::size_t kPieceBytes = 64 << 10;
};

/// What a handler answers. The body is `body`, followed by what `rest` makes if there is one.
struct HttpResponse {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
  std::unique_ptr<BodySource> rest;
  std::vector<std::pair<std::string, std::string>> headers;
};

}  // namespace pipit
