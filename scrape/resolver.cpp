#include "scrape/resolver.h"

#include <arpa/inet.h>
#include <netdb.h>

#include <map>

#include "scrape/blocking_calls.h"

namespace pipit {
namespace {

constexpr std::size_t kMostThreads = 32;
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
  State(boost::asio::io_context& io) : calls(io, kMostThreads) {}

  std::map<std::string, std::vector<std::function<void(const Resolution&)>>> waiting;
  std::map<std::string, Resolution> known;
  BlockingCalls calls;

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
};

Resolver::Resolver(boost::asio::io_context& io) : state_(std::make_unique<State>(io)) {}
Resolver::~Resolver() = default;

void Resolver::resolve(const std::string& host, std::function<void(const Resolution&)> answer) {
  if (auto known = state_->known.find(host); known != state_->known.end() && state_->calls.is_busy()) {
    answer(known->second);
    return;
  }
  auto& callbacks = state_->waiting[host];
  callbacks.push_back(std::move(answer));
  if (callbacks.size() > 1) return;  // already on its way
  const bool runs = state_->calls.run([state = state_.get(), host]() -> BlockingCalls::Answer {
    return [state, host, resolution = look_up(host)] { state->answer(host, resolution); };
  });
  if (!runs) state_->answer(host, {{}, "no thread to look it up"});
}

}  // namespace pipit
