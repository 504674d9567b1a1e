#pragma once

#include <functional>
#include <memory>

namespace boost::asio {
class io_context;
}

namespace pipit {

/// Runs calls that block, such as those of the system's resolver, on threads that come with the need and leave without
/// it. Used from the thread of the io_context only.
class BlockingCalls {
 public:
  /// What a call leaves behind for the thread of the io_context.
  using Answer = std::function<void()>;

  BlockingCalls(boost::asio::io_context& io, std::size_t most_threads);
  ~BlockingCalls();  ///< answers that are still missing never come
  BlockingCalls(const BlockingCalls&) = delete;
  BlockingCalls& operator=(const BlockingCalls&) = delete;

  /// Runs `call` on some thread, and what it returns on that of the io_context. Calls wait for their turn when all
  /// threads are busy. False when there is no thread to be had at all; nothing is run then.
  bool run(std::function<Answer()> call);
  /// Whether a call would have to wait.
  bool is_busy() const;
  /// Waits until no call is running or waiting; their answers are with the io_context then.
  void wait_until_idle();

 private:
  struct State;
  std::shared_ptr<State> state_;  ///< shared with the threads, which may outlive this in a blocking call
};

}  // namespace pipit
