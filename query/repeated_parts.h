#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "query/ast.h"

namespace pipit {

/// Finds the parts of a query that are written more than once, by their text without parentheses.
class RepeatedParts {
 public:
  /// `query` must outlive this.
  explicit RepeatedParts(const Expr& query);

  struct Part {
    std::uint32_t id = 0;
    std::uint32_t uses = 0;  ///< 0 when it is there once, or has no series
  };
  /// `expr` may be any part of the query. What is repeated only within parts that are repeated counts once.
  Part find(const Expr& expr) const;

 private:
  std::uint32_t identify(const Expr& expr);
  void count(const Expr& expr);

  std::unordered_map<std::string, std::uint32_t> ids_;  ///< by an expression's own text and its operands' ids
  std::unordered_map<const Expr*, std::uint32_t> id_of_;
  std::vector<std::uint32_t> uses_;
};

}  // namespace pipit
