#include "scrape/resolver.h"

#include <arpa/inet.h>
#include <netdb.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <system_error>
#include <thread>

namespace pipit {
namespace {

constexpr std::size_t kMostThreads = 32;
constexpr std::chrono::seconds kIdleTime{2};
constexpr std::size_t kMostKnownNames = 10'000;

Resolution look_up(const std::string& host) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  Resolution out;
  if (int code = getaddrinfo(host.c_str(), nullptr, &hints, &found); code != 0) {
    out.error = code == EAI_NONAME || code == EAI_NODATA ? "no such host" : gai_strerror(code);
    return out;
  }
  for (addrinfo* a = found; a != nullptr; a = a->ai_next) {
    char text[NI_MAXHOST];
    if (getnameinfo(a->ai_addr, a->ai_addrlen, text, sizeof text, nullptr, 0, NI_NUMERICHOST) == 0) {
      out.addresses.emplace_back(text);
    }
  }
  freeaddrinfo(found);
  if (out.addresses.empty()) out.error = "no such host";
  return out;
}

}  // namespace

struct Resolver::State {
  // Of the io thread.
  std::map<std::string, std::vector<std::function<void(const Resolution&)>>> waiting;
  std::map<std::string, Resolution> known;

  // Shared with the look-up threads.
  std::mutex mutex;
  std::condition_variable work;
  boost::asio::io_context* io = nullptr;  ///< null once the resolver is gone
  std::deque<std::string> queue;
  std::size_t threads = 0;
  std::size_t idle = 0;

  void answer(const std::string& host, const Resolution& resolution) {
    auto found = waiting.find(host);
    if (found == waiting.end()) return;
    auto callbacks = std::move(found->second);
    waiting.erase(found);
    if (resolution.error.empty()) {
      if (known.size() >= kMostKnownNames) known.clear();
      known[host] = resolution;
    }
    for (auto& callback : callbacks) callback(resolution);
  }

  static void run(const std::shared_ptr<State>& state) {
    std::unique_lock lock(state->mutex);
    for (;;) {
      ++state->idle;
      state->work.wait_for(lock, kIdleTime, [&] { return state->io == nullptr || !state->queue.empty(); });
      --state->idle;
      if (state->io == nullptr || state->queue.empty()) break;
      std::string host = std::move(state->queue.front());
      state->queue.pop_front();
      lock.unlock();
      Resolution resolution = look_up(host);
      lock.lock();
      if (state->io == nullptr) break;
      boost::asio::post(*state->io, [state, host = std::move(host), resolution = std::move(resolution)] {
        state->answer(host, resolution);
      });
    }
    --state->threads;
  }
};

Resolver::Resolver(boost::asio::io_context& io) : state_(std::make_shared<State>()) { state_->io = &io; }

Resolver::~Resolver() {
  std::lock_guard lock(state_->mutex);
  state_->io = nullptr;
  state_->waiting.clear();
  state_->work.notify_all();
}

void Resolver::resolve(const std::string& host, std::function<void(const Resolution&)> answer) {
  std::unique_lock lock(state_->mutex);
  const bool busy = state_->idle <= state_->queue.size() && state_->threads >= kMostThreads;
  if (auto known = state_->known.find(host); busy && known != state_->known.end()) {
    lock.unlock();
    answer(known->second);
    return;
  }
  auto& callbacks = state_->waiting[host];
  callbacks.push_back(std::move(answer));
  if (callbacks.size() > 1) return;  // already on its way
  state_->queue.push_back(host);
  if (state_->idle >= state_->queue.size() || state_->threads >= kMostThreads) {
    state_->work.notify_one();
    return;
  }
  ++state_->threads;
  try {
    std::thread(&State::run, state_).detach();
  } catch (const std::system_error&) {
    --state_->threads;
    if (state_->threads > 0) return;  // one of the others takes it
    state_->queue.clear();
    lock.unlock();
    state_->answer(host, {{}, "no thread to look it up"});
  }
}

}  // namespace pipit
