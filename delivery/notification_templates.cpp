#include "delivery/notification_templates.h"

#include <glob.h>

#include <filesystem>

#include "config/config_file.h"
#include "delivery/embedded_templates.h"
#include "delivery/notification_data.h"
#include "delivery/notification_functions.h"
#include "template/html_escaper.h"

namespace pipit {
namespace {

constexpr std::size_t kLargestFile = 1 << 20;
/// The name of a setting's text, as Alertmanager's errors have it: none.
constexpr const char* kText = "";
/// A part of what ten thousand alerts say is better than no notification.
constexpr TemplateLimits kLimits{.cut = true};

/// The files that the pattern means, in order; none is no error, as for Alertmanager.
std::vector<std::string> files_of(const std::string& pattern) {
  glob_t found{};
  std::vector<std::string> files;
  if (::glob(pattern.c_str(), 0, nullptr, &found) == 0) {
    for (std::size_t i = 0; i < found.gl_pathc; ++i) files.emplace_back(found.gl_pathv[i]);
  }
  ::globfree(&found);
  return files;
}

Result<std::string> expand_with(const TemplateSet& set, const std::string& text, const TemplateValue& data,
                                TimestampMs now, TemplateEscaper* escaper) {
  if (text.find("{{") == std::string::npos) return text;
  const TemplateFunctions functions = notification_functions(now, escaper != nullptr);
  TemplateSet own = set;  // templates are shared, their names are copied
  if (Status parsed = own.parse(kText, text, functions); !parsed) return parsed.error();
  return own.execute(kText, functions, data, kLimits, escaper);
}

}  // namespace

Result<std::shared_ptr<const NotificationTemplates>> NotificationTemplates::load(
    const std::vector<std::string>& patterns) {
  auto templates = std::make_shared<NotificationTemplates>();
  const TemplateFunctions functions = notification_functions(0, false);
  for (const auto& [name, text] : kEmbeddedTemplates) {
    if (Status parsed = templates->set_.parse(std::string(name), text, functions); !parsed) {
      return internal_error(parsed.error().message);
    }
  }
  for (const std::string& pattern : patterns) {
    for (const std::string& path : files_of(pattern)) {
      auto text = read_regular_file(path);
      if (!text.ok()) return text.error();
      if (text->size() > kLargestFile) return bad_data(path + ": it has more than a mebibyte");
      const std::string name = std::filesystem::path(path).filename().string();
      if (Status parsed = templates->set_.parse(name, *text, functions); !parsed) {
        return bad_data(path + ": " + parsed.error().message);
      }
    }
  }
  return std::shared_ptr<const NotificationTemplates>(std::move(templates));
}

TemplateValue NotificationTemplates::data(const Notification& notification, const std::string& external_url) {
  return TemplateValue(
      std::shared_ptr<const TemplateObject>(std::make_shared<NotificationData>(notification, external_url)));
}

Result<std::string> NotificationTemplates::expand(const std::string& text, const TemplateValue& data,
                                                  TimestampMs now) const {
  return expand_with(set_, text, data, now, nullptr);
}

Result<std::string> NotificationTemplates::expand_html(const std::string& text, const TemplateValue& data,
                                                       TimestampMs now) const {
  HtmlEscaper escaper;
  return expand_with(set_, text, data, now, &escaper);
}

Status NotificationTemplates::check(const std::string& text) const {
  TemplateSet own = set_;
  return own.parse(kText, text, notification_functions(0, false));
}

}  // namespace pipit
