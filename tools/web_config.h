#pragma once

#include <string>

#include "model/result.h"

namespace pipit {

/// Looks at the file of --web.config.file, "" for none. TLS and passwords are not built yet, and to serve everyone what
/// the file protects would be worse than not to start: a file that asks for either is an error that names its line. So
/// is a key that is not known, which may be one of these misspelt.
Status check_web_config(const std::string& path);

}  // namespace pipit
