#pragma once

#include <memory>
#include <string>
#include <vector>

#include "delivery/notification.h"
#include "model/result.h"
#include "template/template.h"

namespace pipit {

/// Alertmanager's templates: the built-in ones, and those of the files that `templates` names. Thread-safe once loaded.
class NotificationTemplates {
 public:
  /// Reads the built-in templates, then the files that the patterns match. Errors: bad_data with file and line.
  static Result<std::shared_ptr<const NotificationTemplates>> load(const std::vector<std::string>& patterns);

  /// What a notification's templates see as their dot: Alertmanager's `.Status`, `.Alerts.Firing`, `.GroupLabels` ...
  static TemplateValue data(const Notification& notification, const std::string& external_url);
  /// Expands the text of a setting. In HTML what alerts say is escaped by where it stands. Errors as templates word
  /// them.
  Result<std::string> expand(const std::string& text, const TemplateValue& data, TimestampMs now) const;
  Result<std::string> expand_html(const std::string& text, const TemplateValue& data, TimestampMs now) const;
  /// Whether the text is a template at all, for the check of a configuration.
  Status check(const std::string& text) const;

 private:
  TemplateSet set_;
};

}  // namespace pipit
