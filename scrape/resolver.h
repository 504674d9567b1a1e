#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace boost::asio {
class io_context;
}

namespace pipit {

/// What a name stands for: addresses as text, or why there are none.
struct Resolution {
  std::vector<std::string> addresses;
  std::string error;
};

/// Looks names up with the system's resolver, which blocks, on threads that come with the need and leave without it.
/// A name server that hangs holds its names up, and others only when all threads wait for it.
/// All calls and all answers are on the thread of the io_context.
class Resolver {
 public:
  explicit Resolver(boost::asio::io_context& io);
  ~Resolver();  ///< answers that are still missing never come
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  /// `answer` is called later, or at once for a name that was known while all threads are busy.
  void resolve(const std::string& host, std::function<void(const Resolution&)> answer);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace pipit
