#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace pipit {

/// The `data` of an answer to a query with `explain=1`, as a tree for people with a line a node. Nothing when it is
/// something else.
std::optional<std::string> format_plan(std::string_view data_json);

}  // namespace pipit
