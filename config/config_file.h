#pragma once

#include <string>

#include "model/result.h"

namespace pipit {

/// The text of a configuration file. Errors (bad_data) name the file and why it can't be read.
Result<std::string> read_config_file(const std::string& path);

/// The same of what must not block, as it is read while others wait. Errors: also when it is not a regular file.
Result<std::string> read_regular_file(const std::string& path);

}  // namespace pipit
