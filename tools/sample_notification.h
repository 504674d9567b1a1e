#pragma once

#include <string>
#include <vector>

#include "delivery/notification.h"

namespace pipit {

/// A notification of one alert that nobody fired, to try a receiver or its templates. `labels` and `annotations` are
/// added to what it has, or take its place.
Notification sample_notification(const std::string& receiver, const std::vector<Label>& labels,
                                 const std::vector<Label>& annotations, bool resolved);

}  // namespace pipit
