#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "query/block.h"
#include "query/interrupt.h"
#include "query/row_function.h"
#include "query/thread_budget.h"
#include "storage/queryable.h"

namespace pipit {

/// Some series of a selection, as rows that have no labels yet.
struct ScannedBatch {
  Block rows;
  std::vector<std::uint64_t> series;  ///< of each row, for SharedSelection::labels
  std::uint64_t samples = 0;          ///< that were read
  std::uint64_t longest = 0;          ///< samples of one series
  Status status;                      ///< why there are no more rows
};

/// Computes rows of a selection's series on the caller's thread and, when there is more than a little to do, on others
/// beside it. Batches come in the selection's order and each row is computed by one thread alone, so that the answer is
/// the same, bit for bit, however many threads there are.
///
/// Belongs to one thread. Helpers are started by and by while a scan goes on, and end with it.
class OrderedScan {
 public:
  /// All references must outlive the scan.
  OrderedScan(SharedSelection& selection, MakeRowFunction make_function, std::size_t steps, ThreadBudget& threads,
              const Interrupt& interrupt)
      : selection_(selection),
        make_function_(std::move(make_function)),
        steps_(steps),
        threads_(threads),
        interrupt_(interrupt) {}
  /// Ends the helpers, each at the end of its series.
  ~OrderedScan();
  OrderedScan(const OrderedScan&) = delete;

  /// Replaces `batch`, of which the storage is used again. False at the end and when the query is interrupted. What is
  /// made ready ahead of it takes no more than `spare_cells`.
  bool next(ScannedBatch& batch, std::uint64_t spare_cells);

 private:
  /// What a thread has of its own.
  struct Worker {
    std::unique_ptr<SharedSelection::Reader> reader;
    std::unique_ptr<RowFunction> function;
  };

  bool take_ready(ScannedBatch& batch);
  bool produce(Worker& worker);
  std::optional<std::uint64_t> take(Worker& worker, Status& status);
  void compute(Worker& worker, ScannedBatch& batch);
  void publish(std::uint64_t number, ScannedBatch batch);
  void add_helper();
  void help();
  bool has_room() const {
    const std::uint64_t ahead = taken_ - next_;
    return ahead == 0 || (ahead < 2 * (helpers_.size() + 2) && (ahead + 1) * batch_cells() <= spare_cells_);
  }
  /// What a batch has at most.
  std::uint64_t batch_cells() const;
  bool finished() const { return at_end_ && next_ == taken_; }

  SharedSelection& selection_;
  MakeRowFunction make_function_;
  std::size_t steps_;
  ThreadBudget& threads_;
  const Interrupt& interrupt_;
  std::unique_ptr<Worker> own_;
  std::vector<std::thread> helpers_;

  std::mutex take_mutex_;  ///< held while series are handed out; taken before mutex_
  std::mutex mutex_;       ///< of what follows
  std::condition_variable changed_;
  std::map<std::uint64_t, ScannedBatch> ready_;
  std::vector<ScannedBatch> spare_;
  std::uint64_t taken_ = 0;  ///< batches that are ready, in work or used
  std::uint64_t next_ = 0;   ///< the batch that is used next
  std::uint64_t spare_cells_ = 0;
  bool at_end_ = false;
  bool stopped_ = false;
  bool failed_ = false;       ///< a helper is gone, and perhaps a batch with it
  std::uint64_t cost_ = 0;    ///< of all batches that are computed, in samples
  std::uint64_t series_ = 0;  ///< that this cost
};

}  // namespace pipit
