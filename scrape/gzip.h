#pragma once

#include <memory>
#include <string_view>

#include "model/result.h"
#include "scrape/page_buffer.h"

struct libdeflate_decompressor;

namespace pipit {

/// Unpacks gzip bodies, of one or more members. Not thread-safe.
class GzipReader {
 public:
  /// Appends what `packed` holds to `out`. Errors: bad_data when it is damaged, cut short, or unpacks to more than
  /// `limit` bytes; `out` is then unspecified. Memory stays within a few times `limit` and what deflate can yield.
  Status unpack(std::string_view packed, std::size_t limit, PageBuffer& out);

 private:
  struct Free {
    void operator()(libdeflate_decompressor* d) const;
  };
  std::unique_ptr<libdeflate_decompressor, Free> decompressor_;
};

}  // namespace pipit
