#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "model/result.h"

namespace pipit {

/// More symbols in a message of remote write 2.0 are refused: they take 16 bytes each while it is read.
inline constexpr std::size_t kMaxRemoteWriteSymbols = 1u << 19;

/// The `prometheus.WriteRequest` (remote write 1.0) that says what an `io.prometheus.write.v2.Request` says: labels in
/// place of references, metadata as entries of its own, under the name of the metric's family. Start timestamps are
/// left out. A series whose references lead nowhere has no labels, and so is refused by itself. Errors: bad_data when
/// the message is malformed or the result would have more than `limit` bytes.
Result<std::string> translate_remote_write_v2(std::string_view message, std::size_t limit);

}  // namespace pipit
