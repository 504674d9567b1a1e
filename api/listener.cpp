#include "api/listener.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <string_view>

namespace pipit {
namespace {

constexpr int kBacklog = 512;

Error cannot_listen(const std::string& address, std::string_view reason) {
  return {ErrorKind::unavailable, "can't listen on " + address + ": " + std::string(reason)};
}

bool split_host_port(std::string_view address, std::string& host, std::string& port) {
  std::size_t colon = address.rfind(':');
  if (colon == std::string_view::npos) return false;
  std::string_view before = address.substr(0, colon);
  if (before.size() >= 2 && before.front() == '[' && before.back() == ']') {
    before = before.substr(1, before.size() - 2);
  } else if (before.find(':') != std::string_view::npos) {
    return false;
  }
  host = before;
  port = address.substr(colon + 1);
  return !port.empty() && port.size() <= 5 && port.find_first_not_of("0123456789") == std::string::npos &&
         std::stoi(port) <= 65535;
}

Result<UniqueFd> open_socket(const addrinfo& where, bool both_families, const std::string& address) {
  UniqueFd fd(socket(where.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return cannot_listen(address, std::strerror(errno));
  int on = 1;
  // Not SO_REUSEPORT: two servers would share the port silently.
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // what is accepted has it from here
  if (where.ai_family == AF_INET6) {
    int only = both_families ? 0 : 1;
    setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only);
  }
  if (bind(fd.get(), where.ai_addr, where.ai_addrlen) != 0 || listen(fd.get(), kBacklog) != 0) {
    return cannot_listen(
        address, errno == EADDRINUSE ? "the address is in use, perhaps by another server" : std::strerror(errno));
  }
  return fd;
}

int bound_port(int fd) {
  sockaddr_storage name{};
  socklen_t size = sizeof name;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&name), &size) != 0) return 0;
  if (name.ss_family == AF_INET6) return ntohs(reinterpret_cast<sockaddr_in6*>(&name)->sin6_port);
  return ntohs(reinterpret_cast<sockaddr_in*>(&name)->sin_port);
}

}  // namespace

UniqueFd::~UniqueFd() {
  if (fd_ >= 0) close(fd_);
}

Result<Listener> listen_on(const std::string& address) {
  std::string host;
  std::string port;
  if (!split_host_port(address, host, port)) return cannot_listen(address, "it is not of the form HOST:PORT");

  addrinfo hints{};
  hints.ai_family = host.empty() ? AF_INET6 : AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  // A machine without IPv6 has no socket for "all addresses of both families".
  for (bool last_try : {!host.empty(), true}) {
    addrinfo* found = nullptr;
    int failure = getaddrinfo(host.empty() ? nullptr : host.c_str(), port.c_str(), &hints, &found);
    std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found, freeaddrinfo);
    if (failure == 0) {
      auto fd = open_socket(*found, host.empty(), address);
      if (fd.ok()) {
        int number = bound_port(fd->get());
        return Listener{std::move(*fd), number};
      }
      if (last_try || errno == EADDRINUSE) return fd.error();
    } else if (last_try) {
      return cannot_listen(address, gai_strerror(failure));
    }
    hints.ai_family = AF_INET;
  }
  return cannot_listen(address, "no address of the machine fits");
}

Result<std::vector<Listener>> listen_on(const std::vector<std::string>& addresses) {
  std::vector<Listener> listeners;
  for (const std::string& address : addresses) {
    auto listener = listen_on(address);
    if (!listener.ok()) return listener.error();
    listeners.push_back(std::move(*listener));
  }
  return listeners;
}

}  // namespace pipit
