#include "tools/sample_notification.h"

#include <algorithm>
#include <random>

#include "model/duration.h"

namespace pipit {

Notification sample_notification(const std::string& receiver, const std::vector<Label>& labels,
                                 const std::vector<Label>& annotations, bool resolved) {
  auto alert = std::make_shared<DeliveredAlert>();
  alert->labels = Labels({{"alertname", "PipitTest"}, {"instance", "test:9090"}, {"severity", "none"}});
  for (const Label& label : labels) alert->labels.set(label.name, label.value);
  alert->annotations = {
      {"description", "Somebody tries with `pipit alert try` whether messages arrive. Nothing is wrong."},
      {"summary", "This is a test"}};
  for (const Label& annotation : annotations) {
    std::erase_if(alert->annotations, [&](const Label& known) { return known.name == annotation.name; });
    if (!annotation.value.empty()) alert->annotations.push_back(annotation);
  }
  std::sort(alert->annotations.begin(), alert->annotations.end());
  constexpr DurationMs kAge = 60'000;
  Notification notification;
  notification.now = now_ms();
  alert->starts_at = notification.now - kAge;
  alert->ends_at = resolved ? notification.now : notification.now + kAge;
  alert->updated_at = notification.now;
  notification.receiver = receiver;
  const std::string name(alert->labels.get("alertname"));
  notification.group_labels = Labels({{"alertname", name}});
  notification.group_key = "{}:{alertname=\"" + name + "\"}";
  notification.alerts.push_back(std::move(alert));
  std::random_device device;
  notification.id = std::uint64_t{device()} << 32 | device();
  return notification;
}

}  // namespace pipit
