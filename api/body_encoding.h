#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "api/http_message.h"

namespace pipit {

enum class ContentCoding { identity, gzip, zstd };

/// The coding that the value of an Accept-Encoding header likes best of ours; zstd of those that it likes the same.
ContentCoding best_coding(std::string_view accept_encoding);
/// "gzip", "zstd"; "" of identity.
std::string_view coding_name(ContentCoding coding);

/// `body` in that coding, each at its level 1. REQUIRES: not identity.
std::string encoded(ContentCoding coding, std::string_view body);

/// The pieces of `source` in that coding. Memory: 370 KiB for gzip, 1 MiB for zstd, and a piece. REQUIRES: not
/// identity.
std::unique_ptr<BodySource> encoded(ContentCoding coding, std::unique_ptr<BodySource> source);

/// `source` in the chunks of HTTP/1.1, with the end mark.
std::unique_ptr<BodySource> chunked(std::unique_ptr<BodySource> source);

/// A body that starts with bytes that are there already.
std::unique_ptr<BodySource> concatenated(std::string first, std::unique_ptr<BodySource> rest);

}  // namespace pipit
