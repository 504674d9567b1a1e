#pragma once

#include <cstddef>
#include <cstdint>

namespace pipit {

struct RemoteReadLimits {
  std::uint64_t samples = 50'000'000;     ///< --storage.remote.read-sample-limit, of an answer that is no stream
  std::size_t bytes_in_frame = 1u << 20;  ///< --storage.remote.read-max-bytes-in-frame
};

}  // namespace pipit
