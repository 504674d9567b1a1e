#pragma once

#include "config/schema.h"

namespace pipit {

/// The top of Alertmanager's file.
extern const Section kDeliverySection;
extern const Section kRouteSection;

}  // namespace pipit
