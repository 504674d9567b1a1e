#pragma once

namespace pipit {

/// Which messages of remote write are taken: `prometheus.WriteRequest`, `io.prometheus.write.v2.Request`.
struct RemoteWriteVersions {
  bool v1 = true;
  bool v2 = true;
};

}  // namespace pipit
