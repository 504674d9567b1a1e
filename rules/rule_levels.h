#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "rules/rule.h"

namespace pipit {

/// A group's rules by level, each ascending. Rules of one level may be evaluated in any order or at the same time,
/// level after level: they read and leave the same as in the group's order.
///
/// A rule is above all earlier rules that write what it reads, read what it writes, or may write the same series. One
/// that may read any metric has its level for itself.
std::vector<std::vector<std::uint32_t>> rule_levels(const std::vector<std::unique_ptr<Rule>>& rules);

}  // namespace pipit
