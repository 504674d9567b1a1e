// Loads recorded exporter pages as history, by remote write 1.0: far cheaper than what is measured with it.
//
//   remote_write_load --port 9090 --targets 50 --steps 5760 --interval 15 --start 1700006400
//       --pages ../shared/recordings/node.tar.zst
//
// Target k sends page (k * page-offset + step) of the recording at start + step * interval, as `job="node"` and
// `instance="host-k"`. With --page-offset as large as --steps targets share no page; a small one makes shifted copies.
// As Prometheus does it, samples go out in the order of their times, one a series and entry, 2,000 a request. Each
// connection has targets of its own, so that every series arrives in order, and none runs ahead of the others by more
// than a few steps. The last line is a JSON object of what was sent, acknowledged and refused.

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <snappy.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <bit>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstring>
#include <limits>
#include <mutex>
#include <string_view>
#include <thread>
#include <unordered_map>

#include "bench/recording.h"

namespace {

struct Options {
  std::string pages;
  std::string path = "/api/v1/write";
  int port = 9090;
  std::size_t targets = 50;
  std::size_t steps = 240;
  std::size_t page_offset = 7;
  std::size_t samples_per_request = 2000;  // max_samples_per_send of Prometheus 2.42's queues
  std::size_t connections = 4;
  double interval = 15;
  double start = 0;
};

[[noreturn]] void die(const std::string& message) {
  std::fprintf(stderr, "remote_write_load: %s\n", message.c_str());
  std::exit(1);
}

Options parse_options(int argc, char** argv) {
  Options options;
  const std::unordered_map<std::string_view, std::size_t*> sizes = {
      {"--targets", &options.targets},
      {"--steps", &options.steps},
      {"--page-offset", &options.page_offset},
      {"--samples-per-request", &options.samples_per_request},
      {"--connections", &options.connections}};
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    auto value = [&]() -> const char* {
      if (++i >= argc) die(std::string(name) + " needs a value");
      return argv[i];
    };
    if (auto size = sizes.find(name); size != sizes.end()) {
      *size->second = std::strtoul(value(), nullptr, 10);
    } else if (name == "--pages") {
      options.pages = value();
    } else if (name == "--path") {
      options.path = value();
    } else if (name == "--port") {
      options.port = std::atoi(value());
    } else if (name == "--interval") {
      options.interval = std::atof(value());
    } else if (name == "--start") {
      options.start = std::atof(value());
    } else {
      die("usage: remote_write_load --pages FILE.tar.zst|DIR --port P --start UNIX_SECONDS [--path /api/v1/write] "
          "[--targets N] [--steps N] [--interval SECONDS] [--page-offset N] [--samples-per-request N] "
          "[--connections N]");
    }
  }
  if (options.targets < 1 || options.steps < 1 || options.interval <= 0 || options.samples_per_request < 1 ||
      options.connections < 1) {
    die("targets, steps, interval, samples-per-request and connections must be positive");
  }
  options.connections = std::min(options.connections, options.targets);
  return options;
}

void append_varint(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<char>(value | 0x80));
  out.push_back(static_cast<char>(value));
}

void append_text(std::string& out, char tag, std::string_view text) {
  out.push_back(tag);
  append_varint(out, text.size());
  out += text;
}

/// A `Label` within a `TimeSeries`.
std::string encode_label(std::string_view name, std::string_view value) {
  std::string label;
  append_text(label, 0x0a, name);
  append_text(label, 0x12, value);
  std::string out;
  append_text(out, 0x0a, label);
  return out;
}

/// The encoded labels of a series of every target, around the label `instance`.
struct Series {
  std::string before, after;
};

struct PageSample {
  std::uint32_t series;
  double value;
};

/// All pages, parsed. They are trusted to be well formed and without timestamps.
class Pages {
 public:
  explicit Pages(const Options& options) {
    const std::size_t most = options.steps + options.page_offset * (options.targets - 1);
    for (const std::string& page : pipit::read_recording(options.pages, most)) parse(page);
    if (pages_.empty()) die("no pages in " + options.pages);
  }

  const std::vector<PageSample>& page(std::size_t i) const { return pages_[i % pages_.size()]; }
  const Series& series(std::uint32_t i) const { return series_[i]; }
  std::size_t size() const { return pages_.size(); }
  std::size_t series_count() const { return series_.size(); }

 private:
  void parse(std::string_view text) {
    auto& samples = pages_.emplace_back();
    while (!text.empty()) {
      const std::string_view line = text.substr(0, text.find('\n'));
      text.remove_prefix(std::min(line.size() + 1, text.size()));
      if (line.empty() || line.front() == '#') continue;
      const std::size_t space = line.rfind(' ');
      if (space == std::string_view::npos) die("not a sample: " + std::string(line));
      samples.push_back({series_of(line.substr(0, space)), parse_value(line.substr(space + 1))});
    }
  }

  static double parse_value(std::string_view text) {
    if (text == "NaN") return std::bit_cast<double>(std::uint64_t{0x7ff8000000000001});  // as Go's ParseFloat has it
    return std::strtod(std::string(text).c_str(), nullptr);
  }

  std::uint32_t series_of(std::string_view text) {
    const auto [found, is_new] = ids_.try_emplace(std::string(text), static_cast<std::uint32_t>(series_.size()));
    if (is_new) series_.push_back(encode(text));
    return found->second;
  }

  static Series encode(std::string_view text) {
    std::vector<std::pair<std::string, std::string>> labels = {
        {"__name__", std::string(text.substr(0, text.find('{')))}, {"job", "node"}};
    std::size_t at = text.find('{');
    while (at != std::string_view::npos && ++at < text.size() && text[at] != '}') {
      const std::size_t equals = text.find('=', at);
      std::string name(text.substr(at, equals - at));
      std::string value;
      for (at = equals + 2; at < text.size() && text[at] != '"'; ++at) {
        const bool escaped = text[at] == '\\';
        at += escaped;
        value.push_back(escaped && text[at] == 'n' ? '\n' : text[at]);
      }
      ++at;  // the closing quote
      if (!value.empty()) labels.emplace_back(std::move(name), std::move(value));
    }
    std::sort(labels.begin(), labels.end());
    Series series;
    for (const auto& [name, value] : labels)
      (name < "instance" ? series.before : series.after) += encode_label(name, value);
    return series;
  }

  std::vector<Series> series_;
  std::vector<std::vector<PageSample>> pages_;
  std::unordered_map<std::string, std::uint32_t> ids_;
};

/// Keeps the connections together in time: Prometheus refuses what is an hour older than its newest sample.
class Pace {
 public:
  explicit Pace(std::size_t connections) : steps_(connections) {}

  /// Waits until every connection is at most a few steps behind `step`, which `connection` begins.
  void begin_step(std::size_t connection, std::size_t step) {
    std::unique_lock lock(mutex_);
    move(connection, step);
    moved_.wait(lock, [&] { return *std::min_element(steps_.begin(), steps_.end()) + most_ahead >= step; });
  }
  void finish(std::size_t connection) {
    const std::lock_guard lock(mutex_);
    move(connection, std::numeric_limits<std::size_t>::max() - most_ahead);
  }

 private:
  static constexpr std::size_t most_ahead = 8;

  void move(std::size_t connection, std::size_t step) {
    steps_[connection] = step;
    moved_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable moved_;
  std::vector<std::size_t> steps_;
};

/// What one connection did.
struct Counts {
  std::uint64_t samples = 0, refused = 0, requests = 0, retries = 0, bytes = 0;
};

/// Sends the requests of every so many-th target, from its own number on, over one kept-alive connection.
class Sender {
 public:
  Sender(const Options& options, const Pages& pages, Pace& pace, std::size_t number)
      : options_(options), pages_(pages), pace_(pace), number_(number) {
    for (std::size_t k = number; k < options.targets; k += options.connections) {
      targets_.push_back({k, encode_label("instance", "host-" + std::to_string(k))});
    }
  }
  ~Sender() {
    if (socket_ >= 0) close(socket_);
  }
  Sender(const Sender&) = delete;
  Sender& operator=(const Sender&) = delete;

  void run() {
    for (std::size_t step = 0; step < options_.steps; ++step) {
      pace_.begin_step(number_, step);
      const auto time =
          static_cast<std::uint64_t>((options_.start + static_cast<double>(step) * options_.interval) * 1000);
      for (const Target& target : targets_) {
        for (const PageSample& sample : pages_.page(target.number * options_.page_offset + step)) {
          append(target, sample, time);
          if (++pending_ == options_.samples_per_request) send_pending();
        }
      }
    }
    send_pending();
    pace_.finish(number_);
  }

  const Counts& counts() const { return counts_; }
  const std::string& first_refusal() const { return first_refusal_; }

 private:
  struct Target {
    std::size_t number;
    std::string instance;  ///< the encoded label
  };

  void append(const Target& target, const PageSample& sample, std::uint64_t time) {
    const Series& series = pages_.series(sample.series);
    char value[8];
    std::memcpy(value, &sample.value, sizeof value);  // little endian, as protobuf's double
    encoded_sample_.assign(1, 0x09);
    encoded_sample_.append(value, sizeof value);
    encoded_sample_.push_back(0x10);
    append_varint(encoded_sample_, time);
    body_.push_back(0x0a);
    append_varint(body_,
                  series.before.size() + target.instance.size() + series.after.size() + 2 + encoded_sample_.size());
    body_ += series.before;
    body_ += target.instance;
    body_ += series.after;
    append_text(body_, 0x12, encoded_sample_);
  }

  void send_pending() {
    if (pending_ == 0) return;
    compressed_.resize(snappy::MaxCompressedLength(body_.size()));
    std::size_t size = 0;
    snappy::RawCompress(body_.data(), body_.size(), compressed_.data(), &size);
    request_ = "POST " + options_.path +
               " HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-protobuf\r\nContent-Encoding: snappy\r\n"
               "X-Prometheus-Remote-Write-Version: 0.1.0\r\nContent-Length: " +
               std::to_string(size) + "\r\n\r\n";
    request_.append(compressed_, 0, size);
    deliver();
    ++counts_.requests;
    counts_.samples += pending_;
    counts_.bytes += size;
    body_.clear();
    pending_ = 0;
  }

  /// Until it is accepted or refused for good.
  void deliver() {
    constexpr int tries = 600;
    for (int i = 0; i < tries; ++i) {
      std::string answer;
      const int status = exchange(answer);
      if (status >= 200 && status < 300) return;
      if (status >= 400 && status < 500 && status != 429) {
        counts_.refused += pending_;
        if (first_refusal_.empty()) first_refusal_ = std::to_string(status) + " " + answer;
        return;
      }
      ++counts_.retries;
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
    die("port " + std::to_string(options_.port) + " takes nothing any more");
  }

  bool connect_socket() {
    if (socket_ >= 0) return true;
    socket_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1;
    setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(options_.port));
    return connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 || disconnect();
  }

  bool disconnect() {
    close(socket_);
    socket_ = -1;
    return false;
  }

  /// The status of the answer, 0 when there was none; `body` gets what it says.
  int exchange(std::string& body) {
    if (!connect_socket()) return 0;
    for (std::string_view rest = request_; !rest.empty();) {
      const auto sent = send(socket_, rest.data(), rest.size(), MSG_NOSIGNAL);
      if (sent <= 0) return disconnect();
      rest.remove_prefix(static_cast<std::size_t>(sent));
    }
    std::string answer;
    std::size_t head = std::string::npos, expected = 0;
    while (head == std::string::npos || answer.size() < head + 4 + expected) {
      char buffer[4096];
      const auto got = recv(socket_, buffer, sizeof buffer, 0);
      if (got <= 0) return disconnect();
      answer.append(buffer, static_cast<std::size_t>(got));
      if (head != std::string::npos || (head = answer.find("\r\n\r\n")) == std::string::npos) continue;
      if (const auto length = answer.find("Content-Length: "); length < head) {
        expected = std::strtoul(answer.c_str() + length + 16, nullptr, 10);
      }
    }
    body = answer.substr(head + 4, 300);
    return answer.size() > 12 ? std::atoi(answer.c_str() + 9) : 0;
  }

  const Options& options_;
  const Pages& pages_;
  Pace& pace_;
  const std::size_t number_;
  std::vector<Target> targets_;
  int socket_ = -1;
  std::string encoded_sample_, body_, compressed_, request_;
  std::size_t pending_ = 0;
  Counts counts_;
  std::string first_refusal_;
};

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = parse_options(argc, argv);
  const Pages pages(options);
  const double cpu_before = cpu_seconds();
  const auto begin = std::chrono::steady_clock::now();

  Pace pace(options.connections);
  std::vector<std::unique_ptr<Sender>> senders;
  for (std::size_t i = 0; i < options.connections; ++i) {
    senders.push_back(std::make_unique<Sender>(options, pages, pace, i));
  }
  std::vector<std::thread> threads;
  for (const auto& sender : senders) threads.emplace_back([&sender] { sender->run(); });
  for (std::thread& thread : threads) thread.join();

  Counts total;
  for (const auto& sender : senders) {
    total.samples += sender->counts().samples;
    total.refused += sender->counts().refused;
    total.requests += sender->counts().requests;
    total.retries += sender->counts().retries;
    total.bytes += sender->counts().bytes;
    if (!sender->first_refusal().empty())
      std::fprintf(stderr, "remote_write_load: %s\n", sender->first_refusal().c_str());
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  std::printf(
      "{\"samples\": %llu, \"refused\": %llu, \"requests\": %llu, \"retries\": %llu, \"bytes\": %llu, \"pages\": %zu, "
      "\"series_a_target\": %zu, \"seconds\": %.2f, \"loader_cpu_seconds\": %.2f}\n",
      static_cast<unsigned long long>(total.samples), static_cast<unsigned long long>(total.refused),
      static_cast<unsigned long long>(total.requests), static_cast<unsigned long long>(total.retries),
      static_cast<unsigned long long>(total.bytes), pages.size(), pages.series_count(), seconds,
      cpu_seconds() - cpu_before);
}
