#pragma once

#include <memory>

#include "delivery/integration.h"

namespace pipit {

/// Mail by SMTP.
std::unique_ptr<Integration> make_email(const EmailConfig& config, const IntegrationContext& context);

}  // namespace pipit
