#pragma once

#include <string>

#include "model/result.h"

namespace pipit {

/// The text of a configuration file. Errors (bad_data) name the file and why it can't be read.
Result<std::string> read_config_file(const std::string& path);

}  // namespace pipit
