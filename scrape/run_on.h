#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <future>

namespace pipit {

/// Runs `work` on the thread of the io_context and waits for its end. REQUIRES: another thread than that one calls, and
/// that one runs.
template <class F>
void run_on(boost::asio::io_context& io, F&& work) {
  std::promise<void> done;
  boost::asio::post(io, [&] {
    work();
    done.set_value();
  });
  done.get_future().wait();
}

}  // namespace pipit
