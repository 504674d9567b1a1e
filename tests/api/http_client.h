#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "api/listener.h"

namespace pipit {

struct CaseInsensitive {
  bool operator()(const std::string& a, const std::string& b) const { return strcasecmp(a.c_str(), b.c_str()) < 0; }
};

struct TestResponse {
  int status = 0;
  std::map<std::string, std::string, CaseInsensitive> headers;
  std::string body;  ///< without chunks, still compressed

  std::string header(const std::string& name) const {
    auto found = headers.find(name);
    return found == headers.end() ? "" : found->second;
  }
};

/// A connection that sends exactly the bytes it is told to, and waits at most ten seconds for an answer.
class TestConnection {
 public:
  explicit TestConnection(int port) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = connect(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    int on = 1;
    setsockopt(fd_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }

  bool connected() const { return connected_; }
  int fd() const { return fd_.get(); }

  /// False when the peer closed.
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      ssize_t n = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
  }

  /// The next answer. Empty when the connection ended first or nothing came in time.
  std::optional<TestResponse> receive(bool head_only = false) {
    TestResponse response;
    while (true) {
      std::size_t end = 0;
      while ((end = input_.find("\r\n\r\n")) == std::string::npos) {
        if (!read_more()) return std::nullopt;
      }
      response = parse_head(input_.substr(0, end + 2));
      input_.erase(0, end + 4);
      if (response.status != 100) break;
    }
    if (head_only || response.status == 204) return response;
    bool complete = true;
    if (response.header("Transfer-Encoding") == "chunked") {
      complete = receive_chunks(response.body);
    } else if (auto length = response.header("Content-Length"); !length.empty()) {
      complete = take(std::stoul(length), response.body);
    } else {
      while (read_more()) {
      }
      response.body = std::exchange(input_, "");
    }
    if (!complete) return std::nullopt;
    return response;
  }

  /// Whether the server closes the connection, or has.
  bool closed_by_server() {
    while (read_more()) {
    }
    return ended_;
  }

  /// Reads once; false at the end or when nothing comes in time.
  bool read_more(int timeout_ms = 10'000) {
    pollfd waiting{fd_.get(), POLLIN, 0};
    if (poll(&waiting, 1, timeout_ms) <= 0) return false;
    char buffer[65536];
    ssize_t n = recv(fd_.get(), buffer, sizeof buffer, 0);
    ended_ = n <= 0;
    if (n > 0) input_.append(buffer, static_cast<std::size_t>(n));
    return n > 0;
  }
  const std::string& input() const { return input_; }

 private:
  static TestResponse parse_head(std::string_view head) {
    TestResponse response;
    std::size_t line_end = head.find("\r\n");
    response.status = std::stoi(std::string(head.substr(9, 3)));
    head.remove_prefix(line_end + 2);
    while (!head.empty()) {
      line_end = head.find("\r\n");
      std::string_view line = head.substr(0, line_end);
      head.remove_prefix(line_end + 2);
      std::size_t colon = line.find(": ");
      response.headers[std::string(line.substr(0, colon))] = line.substr(colon + 2);
    }
    return response;
  }

  bool take(std::size_t size, std::string& out) {
    while (input_.size() < size) {
      if (!read_more()) return false;
    }
    out.append(input_, 0, size);
    input_.erase(0, size);
    return true;
  }

  bool receive_chunks(std::string& body) {
    while (true) {
      std::size_t end = 0;
      while ((end = input_.find("\r\n")) == std::string::npos) {
        if (!read_more()) return false;
      }
      std::size_t size = std::stoul(input_.substr(0, end), nullptr, 16);
      input_.erase(0, end + 2);
      std::string line_end;
      if (!take(size, body) || !take(2, line_end)) return false;
      if (size == 0) return true;
    }
  }

  UniqueFd fd_;
  bool connected_ = false;
  bool ended_ = false;
  std::string input_;
};

/// One request on a connection of its own.
inline TestResponse fetch(int port, std::string_view method, std::string_view target, std::string_view headers = "",
                          std::string_view body = "") {
  TestConnection connection(port);
  std::string request = std::string(method) + " " + std::string(target) + " HTTP/1.1\r\nHost: test\r\n";
  request.append(headers);
  if (!body.empty()) request.append("Content-Length: ").append(std::to_string(body.size())).append("\r\n");
  request.append("\r\n").append(body);
  connection.send(request);
  return connection.receive(method == "HEAD").value_or(TestResponse());
}

/// The content of a zstd frame, or "" when it is damaged.
inline std::string unzstd(const std::string& compressed) {
  const std::unique_ptr<ZSTD_DStream, decltype(&ZSTD_freeDStream)> stream(ZSTD_createDStream(), &ZSTD_freeDStream);
  ZSTD_inBuffer in{compressed.data(), compressed.size(), 0};
  std::string out;
  std::size_t left = 1;
  while (left != 0) {
    char buffer[4096];
    ZSTD_outBuffer piece{buffer, sizeof buffer, 0};
    const std::size_t before = in.pos;
    left = ZSTD_decompressStream(stream.get(), &piece, &in);
    if (ZSTD_isError(left) || (piece.pos == 0 && in.pos == before)) return "";
    out.append(buffer, piece.pos);
  }
  return out;
}

inline std::string gunzip(std::string_view compressed) {
  z_stream stream{};
  inflateInit2(&stream, 15 + 16);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(compressed.data()));
  stream.avail_in = static_cast<uInt>(compressed.size());
  std::string out;
  char buffer[65536];
  int status = Z_OK;
  while (status == Z_OK) {
    stream.next_out = reinterpret_cast<Bytef*>(buffer);
    stream.avail_out = sizeof buffer;
    status = inflate(&stream, Z_NO_FLUSH);
    out.append(buffer, sizeof buffer - stream.avail_out);
  }
  inflateEnd(&stream);
  return status == Z_STREAM_END ? out : "(broken gzip)";
}

}  // namespace pipit
