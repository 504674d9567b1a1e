#include "query/ordered_scan.h"

#include <algorithm>
#include <new>
#include <stdexcept>

namespace pipit {
namespace {

/// A batch is so much work, in samples to decode: long enough that handing it over costs nothing, short enough that
/// fifty series of a day keep several threads busy.
constexpr std::uint64_t kBatchCost = 32 << 10;
/// What a series costs apart from its samples.
constexpr std::uint64_t kSeriesCost = 100;
constexpr std::size_t kFirstBatch = 4;
constexpr std::size_t kMaxBatch = 512;
/// A scan that has cost so much and goes on gets a helper with each batch more: about ten times what it takes to start
/// a thread and to open its iterators.
constexpr std::uint64_t kWorthHelp = 100'000;
/// How often a thread that waits looks whether the query has been interrupted.
constexpr auto kLookEvery = std::chrono::milliseconds(20);

constexpr const char* kNoMemory = "not enough memory for the query";

}  // namespace

OrderedScan::~OrderedScan() {
  {
    std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  changed_.notify_all();
  for (std::thread& helper : helpers_) helper.join();
  threads_.give_back(helpers_.size());
}

std::uint64_t OrderedScan::batch_cells() const {
  return std::min<std::uint64_t>(kMaxBatch * steps_, std::max(steps_, Block::kTargetCells));
}

bool OrderedScan::next(ScannedBatch& batch, std::uint64_t spare_cells) {
  if (!own_) own_ = std::make_unique<Worker>(Worker{selection_.reader(), make_function_()});
  for (;;) {
    bool may_produce;
    bool worth_help;
    {
      std::unique_lock lock(mutex_);
      spare_cells_ = spare_cells;
      if (take_ready(batch)) return true;
      if (failed_) batch.status = execution_error(kNoMemory);
      if (failed_) return true;
      if (finished() || interrupt_.due()) return false;
      may_produce = !at_end_ && has_room();
      worth_help = may_produce && cost_ > kWorthHelp;
      if (!may_produce) changed_.wait_for(lock, kLookEvery);
    }
    if (worth_help) add_helper();
    if (may_produce) produce(*own_);
  }
}

/// REQUIRES: mutex_ is held.
bool OrderedScan::take_ready(ScannedBatch& batch) {
  const auto ready = ready_.find(next_);
  if (ready == ready_.end()) return false;
  std::swap(batch, ready->second);
  if (spare_.size() < helpers_.size() + 1) spare_.push_back(std::move(ready->second));
  ready_.erase(ready);
  ++next_;
  changed_.notify_all();
  return true;
}

/// Computes the next batch. False when there is none.
bool OrderedScan::produce(Worker& worker) {
  ScannedBatch batch;
  const auto number = take(worker, batch.status);
  if (!number) return false;
  {
    std::lock_guard lock(mutex_);
    if (!spare_.empty()) {
      std::swap(batch, spare_.back());
      batch.status = spare_.back().status;
      spare_.pop_back();
    }
  }
  if (batch.status.ok()) compute(worker, batch);
  publish(*number, std::move(batch));
  return true;
}

/// The number of a batch that the worker's reader now stands before. A failure is a batch, too.
std::optional<std::uint64_t> OrderedScan::take(Worker& worker, Status& status) {
  std::lock_guard take_lock(take_mutex_);
  std::size_t wanted = kFirstBatch;
  {
    std::lock_guard lock(mutex_);
    if (at_end_ || stopped_) return std::nullopt;
    if (series_ != 0) wanted = std::max<std::uint64_t>(1, kBatchCost * series_ / cost_);
  }
  wanted = std::min({wanted, kMaxBatch, std::max<std::size_t>(1, Block::kTargetCells / steps_)});
  const auto taken = worker.reader->take(wanted);
  std::lock_guard lock(mutex_);
  if (!taken.ok()) status = taken.error();
  if (!taken.ok() || *taken < wanted) at_end_ = true;
  if (taken.ok() && *taken == 0) return std::nullopt;
  return taken_++;
}

void OrderedScan::compute(Worker& worker, ScannedBatch& batch) {
  batch.rows.reset(steps_);
  batch.series.clear();
  batch.samples = batch.longest = 0;
  try {
    while (!interrupt_.due()) {
      auto more = worker.reader->next();
      if (!more.ok()) batch.status = more.error();
      if (!more.ok() || !*more) return;
      const auto times = worker.reader->times();
      batch.samples += times.size();
      batch.longest = std::max<std::uint64_t>(batch.longest, times.size());
      const auto row = batch.rows.add_row({}, false);
      const RowOut out{batch.rows.values(row), batch.rows.mask(row)};
      batch.status = worker.function->compute(times, worker.reader->values(), out);
      if (!batch.status.ok()) return;
      if (mask_any(out.mask, batch.rows.words())) {
        batch.series.push_back(worker.reader->series());
      } else {
        batch.rows.remove_last_row();
      }
    }
  } catch (const std::bad_alloc&) {
    batch.status = execution_error(kNoMemory);
  } catch (const std::length_error&) {
    batch.status = execution_error(kNoMemory);
  }
}

void OrderedScan::publish(std::uint64_t number, ScannedBatch batch) {
  {
    std::lock_guard lock(mutex_);
    cost_ += batch.samples + kSeriesCost * (batch.series.size() + 1);
    series_ += batch.series.size() + 1;
    if (!batch.status.ok()) at_end_ = true;
    ready_.emplace(number, std::move(batch));
  }
  changed_.notify_all();
}

void OrderedScan::add_helper() {
  if (!threads_.take()) return;
  try {
    std::lock_guard lock(mutex_);
    helpers_.emplace_back([this] { help(); });
  } catch (const std::exception&) {
    threads_.give_back(1);  // the machine has no thread to spare, or no memory for one
  }
}

/// What a helper does. Nothing that it throws may leave the thread.
void OrderedScan::help() {
  try {
    Worker worker{selection_.reader(), make_function_()};
    do {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return stopped_ || at_end_ || has_room(); });
    } while (produce(worker));
  } catch (const std::exception&) {
    std::lock_guard lock(mutex_);
    failed_ = true;
    changed_.notify_all();
  }
}

}  // namespace pipit
