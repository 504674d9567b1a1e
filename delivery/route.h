#pragma once

#include <string>
#include <vector>

#include "delivery/delivery_config.h"
#include "model/labels.h"

namespace pipit {

/// The labels by which an alert's group is told from the route's others.
Labels group_labels(const RouteConfig& route, const Labels& labels);
/// `{a="b", c="d"}`
std::string label_set_text(const Labels& labels);
bool all_match(const std::vector<Matcher>& matchers, const Labels& labels);

}  // namespace pipit
