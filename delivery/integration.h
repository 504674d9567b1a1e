#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "delivery/notification.h"
#include "delivery/receiver_config.h"
#include "model/sample.h"

namespace boost::asio {
class io_context;
}

namespace pipit {

class BlockingCalls;
class HttpClient;
class NotificationTemplates;

/// How an attempt to deliver went.
struct DeliveryOutcome {
  enum class Kind {
    delivered,
    failed,   ///< may go well another time
    refused,  ///< will not, as long as nothing is changed
  };
  Kind kind = Kind::delivered;
  std::string reason;                     ///< why not; without any secret
  std::string conversation;               ///< what was said to and by the other side, without any secret; may be empty
  std::optional<DurationMs> retry_after;  ///< what the other side asked for
};

/// One way of telling somebody: an entry of a receiver's `email_configs`, `webhook_configs`, and so on.
/// All on the thread of the io_context.
class Integration {
 public:
  virtual ~Integration() = default;
  virtual std::string_view kind() const = 0;  ///< "email", "webhook", "slack", "telegram", "discord"
  virtual bool sends_resolved() const = 0;
  /// Calls `done` once, later. Never takes longer than a minute. REQUIRES: nothing is on its way.
  virtual void notify(NotificationPtr notification, std::function<void(DeliveryOutcome)> done) = 0;
  /// Ends what is on its way without calling `done`.
  virtual void cancel() = 0;
};

/// What integrations work with; all must outlive them.
struct IntegrationContext {
  boost::asio::io_context& io;
  HttpClient& client;
  BlockingCalls& calls;
  std::shared_ptr<const NotificationTemplates> templates;
  std::string external_url;  ///< without a slash at its end
  std::string user_agent;
};

/// In the order in which Alertmanager numbers them.
std::vector<std::unique_ptr<Integration>> make_integrations(const ReceiverConfig& receiver,
                                                            const IntegrationContext& context);

}  // namespace pipit
