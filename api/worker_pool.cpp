#include "api/worker_pool.h"

#include <pthread.h>

#include <chrono>
#include <cstddef>
#include <utility>

namespace pipit {
namespace {

/// Address space, not memory: a query nested as deep as the parser allows must fit, whatever `ulimit -s` says.
constexpr std::size_t kStackBytes = 16 << 20;
constexpr std::chrono::seconds kIdleTime{30};

}  // namespace

bool WorkerPool::submit(std::function<void()> job) {
  bool wake = false;
  {
    std::lock_guard lock(mutex_);
    if (stopping_) return false;
    if (idle_ <= jobs_.size() && threads_ < max_threads_ && !start_thread() && threads_ == 0) return false;
    jobs_.push_back(std::move(job));
    wake = wakes_another();
  }
  if (wake) work_arrived_.notify_one();
  return true;
}

void WorkerPool::stop() {
  std::unique_lock lock(mutex_);
  stopping_ = true;
  work_arrived_.notify_all();
  thread_ended_.wait(lock, [this] { return threads_ == 0; });
}

/// One thread is woken at a time, and wakes the next if there is work left: short jobs are done by those that are
/// awake.
bool WorkerPool::wakes_another() {
  const bool wake = idle_ > 0 && !waking_ && !jobs_.empty();
  waking_ = waking_ || wake;
  return wake;
}

bool WorkerPool::start_thread() {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, kStackBytes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_t thread;
  bool started = pthread_create(&thread, &attributes, thread_main, this) == 0;
  pthread_attr_destroy(&attributes);
  if (started) {
    pthread_setname_np(thread, "http worker");
    ++threads_;
  }
  return started;
}

void* WorkerPool::thread_main(void* pool) {
  static_cast<WorkerPool*>(pool)->work();
  return nullptr;
}

void WorkerPool::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    if (!jobs_.empty()) {
      std::function<void()> job = std::move(jobs_.front());
      jobs_.pop_front();
      const bool wake = wakes_another();
      lock.unlock();
      if (wake) work_arrived_.notify_one();
      job();
      job = nullptr;
      lock.lock();
      continue;
    }
    if (stopping_) break;
    ++idle_;
    const auto until = std::chrono::steady_clock::now() + kIdleTime;
    bool waited = false;
    while (jobs_.empty() && !stopping_ && !waited) {
      waited = work_arrived_.wait_until(lock, until) == std::cv_status::timeout;
      waking_ = false;
    }
    --idle_;
    if (waited && jobs_.empty() && !stopping_) break;
  }
  --threads_;
  // The pool may be destroyed as soon as the lock is released.
  thread_ended_.notify_all();
}

}  // namespace pipit
