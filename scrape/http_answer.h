#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "scrape/page_buffer.h"

namespace pipit {

/// Reads one HTTP answer as its bytes come, the body straight into a page buffer.
class HttpAnswer {
 public:
  enum class Progress { more, complete, failed };

  /// The body may have `limit` bytes. The buffer comes from `pages` and goes back there. An answer that is not 200 is
  /// complete with its head, unless `whole`.
  HttpAnswer(PageBufferPool& pages, std::uint64_t limit, bool whole = false);
  ~HttpAnswer();
  HttpAnswer(const HttpAnswer&) = delete;
  HttpAnswer& operator=(const HttpAnswer&) = delete;

  /// Takes bytes as they were read.
  Progress take(std::string_view bytes);
  /// The server has closed the connection.
  Progress end();
  /// Why one of these said `failed`.
  const std::string& fault() const { return fault_; }

  /// Whether a byte of it has come.
  bool has_begun() const { return begun_; }

  // REQUIRES: complete.
  unsigned status() const;
  std::string reason() const;  ///< shortened, without control characters, as are headers
  std::string header(std::string_view name) const;
  /// A header that is not shortened.
  std::string location() const;
  /// Whether the connection can serve another request.
  bool keeps_connection() const;
  PageBuffer take_body();

 private:
  struct Parser;

  void start();
  Progress fail(std::string why);

  PageBufferPool& pages_;
  std::uint64_t limit_;
  bool whole_;
  std::unique_ptr<Parser> parser_;
  std::string pending_;  ///< bytes that the parser could not take yet
  std::string fault_;
  bool begun_ = false;
  bool excess_ = false;  ///< bytes came behind the answer, or the connection has ended
};

}  // namespace pipit
