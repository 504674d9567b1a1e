#include "tools/version.h"

namespace pipit {

std::string_view pipit_version() { return PIPIT_VERSION; }

}  // namespace pipit
