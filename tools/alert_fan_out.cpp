#include "tools/alert_fan_out.h"

#include <utility>

#include "model/relabel.h"

namespace pipit {

void AlertFanOut::apply(const AlertingConfig& config, const Labels& external_labels) {
  const std::lock_guard lock(mutex_);
  external_labels_ = external_labels;
  relabel_configs_ = config.alert_relabel_configs;
}

void AlertFanOut::send(std::vector<AlertNotice> notices) {
  std::vector<AlertNotice> own;
  {
    const std::lock_guard lock(mutex_);
    for (const AlertNotice& notice : notices) {
      AlertNotice copy = notice;
      for (const Label& label : external_labels_) {
        if (!copy.labels.has(label.name)) copy.labels.set(label.name, label.value);
      }
      if (relabel(copy.labels, relabel_configs_)) own.push_back(std::move(copy));
    }
  }
  sender_.send(std::move(notices));
  if (!own.empty()) delivery_.send(std::move(own));
}

}  // namespace pipit
