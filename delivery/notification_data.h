#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "delivery/notification.h"
#include "model/result.h"
#include "template/value.h"

namespace pipit {

/// Names and values, by name.
using NotificationPairs = std::vector<Label>;

/// A notification as templates and webhooks see it: Alertmanager's template.Data.
class NotificationData final : public TemplateObject {
 public:
  NotificationData(const Notification& notification, std::string external_url);

  Result<std::optional<TemplateValue>> field(std::string_view name,
                                             std::span<const TemplateValue> arguments) const override;
  std::string text() const override;
  std::string_view type_name() const override { return "*template.Data"; }

  /// The fields of Alertmanager's JSON, `"receiver":...,"status":...,...,"externalURL":...`, without braces.
  std::string json_fields() const;

 private:
  std::string receiver_;  ///< its name as a regular expression
  std::vector<DeliveredAlertPtr> alerts_;
  TimestampMs now_;
  bool firing_ = false;
  NotificationPairs group_labels_;
  NotificationPairs common_labels_;
  NotificationPairs common_annotations_;
  std::string external_url_;
};

/// Of a group's firing and resolved alerts: "firing" when any is.
bool is_firing(const Notification& notification);

/// A text as Go's encoding/json writes it, in quotes; safe in HTML, too.
void append_json_text(std::string& out, std::string_view text);
/// A template's value as JSON. Errors: execution, of what has none.
Result<std::string> template_json(const TemplateValue& value);

}  // namespace pipit
