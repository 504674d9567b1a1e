#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>

namespace pipit {

/// Runs jobs on a few threads, which are started when needed and end after half a minute without work, so that
/// what a deep query touched of their stacks goes back to the system. Thread-safe.
class WorkerPool {
 public:
  explicit WorkerPool(unsigned max_threads) : max_threads_(max_threads) {}
  ~WorkerPool() { stop(); }
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  /// False when the pool stops or no thread can be started for the job.
  bool submit(std::function<void()> job);
  /// Runs what was submitted, then ends the threads.
  void stop();

 private:
  static void* thread_main(void* pool);
  bool start_thread();
  bool wakes_another();
  void work();

  const unsigned max_threads_;
  std::mutex mutex_;
  std::condition_variable work_arrived_;
  std::condition_variable thread_ended_;
  std::deque<std::function<void()>> jobs_;
  unsigned threads_ = 0;
  unsigned idle_ = 0;
  bool waking_ = false;  ///< an idle thread was woken and has not looked for work yet
  bool stopping_ = false;
};

}  // namespace pipit
