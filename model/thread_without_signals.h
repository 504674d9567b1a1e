#pragma once

#include <csignal>
#include <system_error>
#include <thread>
#include <utility>

namespace pipit {

/// While this lives, the calling thread gets no signals, nor does any that it starts.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_;
};

/// Signals are the main thread's business; SIGPIPE comes from OpenSSL, which writes to sockets plainly. Throws what
/// std::thread does.
template <class Work>
std::thread thread_without_signals(Work&& work) {
  const SignalsBlocked blocked;
  return std::thread(std::forward<Work>(work));
}

/// Likewise; none, which can't be joined, when the system has no thread to give.
template <class Work>
std::thread try_thread_without_signals(Work&& work) {
  try {
    return thread_without_signals(std::forward<Work>(work));
  } catch (const std::system_error&) {
    return {};
  }
}

}  // namespace pipit
