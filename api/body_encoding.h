#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "api/http_message.h"

namespace pipit {

/// Whether the value of an Accept-Encoding header allows gzip.
bool accepts_gzip(std::string_view accept_encoding);

/// `body` as a gzip file. zlib's level 1: it halves the time of the default level for a few per cent of size.
std::string gzip(std::string_view body);

/// The pieces of `source`, gzipped. Memory: zlib's 256 KiB and a piece.
std::unique_ptr<BodySource> gzip(std::unique_ptr<BodySource> source);

/// `source` in the chunks of HTTP/1.1, with the end mark.
std::unique_ptr<BodySource> chunked(std::unique_ptr<BodySource> source);

/// A body that starts with bytes that are there already.
std::unique_ptr<BodySource> concatenated(std::string first, std::unique_ptr<BodySource> rest);

}  // namespace pipit
