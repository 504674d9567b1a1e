#pragma once

#include <string>

#include "query/ast.h"

namespace pipit {

/// Appends a query's syntax tree as Prometheus's `parse_query` has it; members are sorted by name, as there.
void append_json_expression(std::string& out, const Expr& expr);

}  // namespace pipit
