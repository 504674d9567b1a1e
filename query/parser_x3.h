#pragma once

#include <optional>

#include "query/lexer.h"
#include "query/parser_builder.h"

namespace pipit {

/// Reads the tokens of an expression into the tree, or says what is wrong with it. The tree is finished then.
std::optional<SyntaxError> read_query(const TokenSequence& sequence, QueryBuilder& tree);

/// Likewise a selector alone.
std::optional<SyntaxError> read_selector(const TokenSequence& sequence, QueryBuilder& tree);

}  // namespace pipit
