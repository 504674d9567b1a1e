#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "query/label_set.h"
#include "query/operator.h"
#include "query/query_context.h"

namespace pipit {

/// Computes rows once for several readers. Who asks first gets them as they come; for readers that come later they are
/// kept, as long as that is little: more than a bound is not, nor what would make the query fail. A reader whose rows
/// were not kept computes them by itself, from the beginning.
///
/// So a reader that has begun is never behind by what is not kept. All operators read one input to its end before
/// they begin with another, so that a reader begins when those before it have ended.
class RowFan : public ReclaimableRows, public std::enable_shared_from_this<RowFan> {
 public:
  explicit RowFan(QueryContext& context);
  ~RowFan() override;
  RowFan(const RowFan&) = delete;

  /// The reader's operator, which must not outlive the context. Once for each reader.
  OperatorPtr reader(std::size_t number);
  /// This reader will never ask.
  void close(std::size_t number);

  void reclaim() override;

 protected:
  /// What computes the rows of the reader that is asking and nothing else, if there is such an operator.
  virtual Operator* direct() = 0;
  /// Computes the next rows and gives them to all readers that want any. False at the end.
  virtual bool advance() = 0;
  /// An operator that computes a reader's rows for it alone.
  virtual OperatorPtr alone(std::size_t number) = 0;

  std::size_t add_reader();
  std::size_t readers() const { return readers_.size(); }
  bool wants(std::size_t number) const;
  /// Whether anyone but the one that is asking wants rows.
  bool others_want() const;
  /// Without rows it does nothing.
  void give(std::size_t number, std::shared_ptr<Block> rows);
  QueryContext& context() const { return context_; }

 private:
  class Reader;
  /// Rows, and what they count for: nothing for the reader that asked, as it takes them at once.
  struct Kept {
    std::shared_ptr<Block> rows;
    std::uint64_t cells = 0;
    std::uint64_t bytes = 0;
  };
  struct State {
    explicit State(QueryContext& context) : held(context) {}
    std::deque<Kept> kept;
    HeldCells held;  ///< of `kept` and of what is about to be
    bool begun = false;
    bool is_alone = false;  ///< nothing is kept for it
    bool closed = false;
  };

  bool next(std::size_t number, Block& out);
  void give_up(State& state);

  QueryContext& context_;
  std::vector<std::unique_ptr<State>> readers_;
  std::size_t asking_ = 0;
  bool at_end_ = false;
};

/// The same operator's rows for several readers. `again` makes another one like `source` whenever it is called; what it
/// needs must live as long as the readers.
class SharedRows : public RowFan {
 public:
  using Make = std::function<OperatorPtr()>;
  SharedRows(QueryContext& context, OperatorPtr source, std::size_t most_readers, Make again);

  /// One reader more; null when there are as many as there can be.
  OperatorPtr claim();
  /// There will be no reader more.
  void close_rest();

 protected:
  Operator* direct() override { return source_.get(); }
  bool advance() override;
  OperatorPtr alone(std::size_t) override { return again_(); }

 private:
  OperatorPtr source_;
  Make again_;
  std::size_t claimed_ = 0;
};

}  // namespace pipit
