#include "scrape/blocking_calls.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <system_error>
#include <thread>

#include "model/thread_without_signals.h"

namespace pipit {
namespace {

constexpr std::chrono::seconds kIdleTime{2};

}  // namespace

struct BlockingCalls::State {
  std::mutex mutex;
  std::condition_variable work;
  std::condition_variable done;
  boost::asio::io_context* io = nullptr;  ///< null once the owner is gone
  std::deque<std::function<Answer()>> queue;
  std::size_t most_threads = 0;
  std::size_t threads = 0;
  std::size_t idle = 0;
  std::size_t running = 0;

  static void run(const std::shared_ptr<State>& state) {
    std::unique_lock lock(state->mutex);
    for (;;) {
      ++state->idle;
      state->work.wait_for(lock, kIdleTime, [&] { return state->io == nullptr || !state->queue.empty(); });
      --state->idle;
      if (state->io == nullptr || state->queue.empty()) break;
      auto call = std::move(state->queue.front());
      state->queue.pop_front();
      ++state->running;
      lock.unlock();
      Answer answer = call();
      call = nullptr;
      lock.lock();
      --state->running;
      if (state->io != nullptr) {
        boost::asio::post(*state->io, [state, answer = std::move(answer)] {
          {
            std::lock_guard still_there(state->mutex);
            if (state->io == nullptr) return;
          }
          answer();
        });
      }
      state->done.notify_all();
      if (state->io == nullptr) break;
    }
    --state->threads;
  }
};

BlockingCalls::BlockingCalls(boost::asio::io_context& io, std::size_t most_threads)
    : state_(std::make_shared<State>()) {
  state_->io = &io;
  state_->most_threads = most_threads;
}

BlockingCalls::~BlockingCalls() {
  std::lock_guard lock(state_->mutex);
  state_->io = nullptr;
  state_->queue.clear();
  state_->work.notify_all();
}

bool BlockingCalls::is_busy() const {
  std::lock_guard lock(state_->mutex);
  return state_->idle <= state_->queue.size() && state_->threads >= state_->most_threads;
}

void BlockingCalls::wait_until_idle() {
  std::unique_lock lock(state_->mutex);
  state_->done.wait(lock, [&] { return state_->running == 0 && state_->queue.empty(); });
}

bool BlockingCalls::run(std::function<Answer()> call) {
  std::lock_guard lock(state_->mutex);
  state_->queue.push_back(std::move(call));
  if (state_->idle >= state_->queue.size() || state_->threads >= state_->most_threads) {
    state_->work.notify_one();
    return true;
  }
  ++state_->threads;
  try {
    thread_without_signals([state = state_] { State::run(state); }).detach();
  } catch (const std::system_error&) {
    --state_->threads;
    if (state_->threads > 0) return true;  // one of the others takes it
    state_->queue.clear();
    return false;
  }
  return true;
}

}  // namespace pipit
