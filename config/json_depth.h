#pragma once

#include <string_view>

namespace pipit {

/// Whether a JSON text nests deeper than `levels`: each level costs the parser a hundred bytes of memory for one of the
/// text.
bool nests_deeper_than(std::string_view json, int levels);

}  // namespace pipit
