#pragma once

#include <functional>
#include <memory>
#include <string>

#include "model/result.h"
#include "model/sample.h"

namespace pipit {

class MetricsRegistry;

struct HeartbeatOptions {
  std::string url;               ///< http or https; its path may be a secret
  DurationMs interval = 60'000;  ///< between calls
  DurationMs timeout = 10'000;   ///< of a call
  bool post = false;             ///< POST in place of GET
  std::string user_agent = "Pipit";
};

/// Calls a URL at an interval as long as all is alive, for somebody else to notice when no call comes.
/// docs/delivery.md. One thread.
class Heartbeat {
 public:
  /// `fault` says what is not alive, "" when all is; it is called on the heartbeat's thread, for each call and every
  /// few seconds while there is a fault. Calls begin at once. Errors: bad_data for a wrong URL.
  static Result<std::unique_ptr<Heartbeat>> start(HeartbeatOptions options, MetricsRegistry& metrics,
                                                  std::function<std::string()> fault);
  ~Heartbeat();  ///< ends a call that is on its way

 private:
  class Running;
  explicit Heartbeat(std::unique_ptr<Running> running);
  std::unique_ptr<Running> running_;
};

/// The URL as logs and pages may show it: scheme and host, and `<secret>` in place of a path and a query. What is no
/// URL is all secret.
std::string shown_heartbeat_url(const std::string& url);

}  // namespace pipit
