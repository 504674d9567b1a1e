#pragma once

#include <optional>
#include <string_view>

#include "query/ast.h"
#include "query/parser_builder.h"

namespace pipit {

/// Checks the types of a parsed query from top to bottom, as Prometheus does, and says the first fault.
/// Completes BinaryExpr::matching: set operators match many to many, and only two vectors match at all.
std::optional<SyntaxError> check_types(std::string_view query, Expr& expr);

}  // namespace pipit
