#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "api/body_encoding.h"

namespace pipit {

/// One compressed stream.
class ContentEncoder {
 public:
  virtual ~ContentEncoder() = default;
  /// Appends to `out` what the library gives for `input` so far. REQUIRES: input.size() fits 32 bits.
  virtual void write(std::string_view input, bool last, std::string& out) = 0;
};

/// `large`: about to get a quarter of a megabyte or more. Gzip then comes from ISA-L, three times as fast as zlib at
/// the same size, where its library is installed. It is loaded with the first such stream, as mapping it costs 0.3 MB.
/// REQUIRES: not identity.
std::unique_ptr<ContentEncoder> make_content_encoder(ContentCoding coding, bool large);

}  // namespace pipit
