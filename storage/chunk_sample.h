#pragma once

#include <vector>

#include "storage/chunk.h"

namespace pipit {

/// Room for what is decoded on the way to one sample.
struct ChunkScratch {
  TimeColumn times;
  ValueColumn values;
};

/// The chunk's newest sample at or before `until`, as decode_chunk has it; false when there is none. Decodes times only
/// where they are listed and some are after `until`, and of the values what is needed to know one: merged chunks say
/// which is their last, in others tokens are added up. Without `want_value` that can be nothing: then the value is any,
/// but a stale marker where the sample is one. Errors: internal when the bytes are damaged.
Result<bool> newest_sample(const ChunkHeader& header, TimestampMs until, bool want_value, ChunkScratch& scratch,
                           TimestampMs& time, double& value);

}  // namespace pipit
