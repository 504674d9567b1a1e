#pragma once

#include <memory>

#include "query/block.h"

namespace pipit {

/// A node of a running query that yields series, a block at a time.
///
/// Pull model: the root asks, each operator asks its inputs. Blocks are passed by reference down the chain and
/// changed in place where that is possible, so that a chain of functions holds one block.
///
/// Failure is a property of the query (QueryContext::failed), not of a call: after a failure `next` returns false
/// as at the end, and whoever assembles the answer looks at the context. An operator that overlooks a failure therefore
/// does needless work, never wrong work.
class Operator {
 public:
  virtual ~Operator() = default;

  /// Replaces `out` by the next rows, at least one; false when there are none left or the query has failed.
  virtual bool next(Block& out) = 0;
};
using OperatorPtr = std::unique_ptr<Operator>;

}  // namespace pipit
