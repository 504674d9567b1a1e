#pragma once

#include <snappy.h>
#include <sys/socket.h>

#include <algorithm>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "api/remote_write_parser.h"
#include "model/labels.h"
#include "tests/scrape/page_server.h"
#include "tests/scrape/request_stream.h"

namespace pipit {

/// What a `WriteReceiver` answers.
struct WriteAnswer {
  int status = 204;
  std::string headers;
  std::string body;
};

/// A receiver of remote write 1.0 that answers as a test wants and remembers what it took.
class WriteReceiver {
 public:
  using Answer = WriteAnswer;
  using Judge = std::function<Answer(int request)>;  ///< `request` counts from 1

  explicit WriteReceiver(Judge judge = [](int) { return Answer(); })
      : judge_(std::move(judge)), server_(PageServer::RawScript([this](int fd) { serve(fd); })) {}

  std::string url() const { return "http://" + server_.address() + "/write"; }

  /// All samples that were taken, as often as they were, by series; metadata under "metadata NAME".
  std::map<std::string, std::vector<std::pair<TimestampMs, double>>> samples() const {
    std::lock_guard lock(mutex_);
    return samples_;
  }
  std::size_t sample_count() const {
    std::lock_guard lock(mutex_);
    return count_;
  }
  std::vector<std::string> metadata() const {
    std::lock_guard lock(mutex_);
    return metadata_;
  }
  std::size_t exemplar_count() const {
    std::lock_guard lock(mutex_);
    return exemplars_;
  }
  std::vector<std::string> heads() const {
    std::lock_guard lock(mutex_);
    return heads_;
  }
  int requests() const {
    std::lock_guard lock(mutex_);
    return requests_;
  }
  /// The samples of each request that was taken.
  std::vector<std::size_t> batches() const {
    std::lock_guard lock(mutex_);
    return batches_;
  }
  void judge_by(Judge judge) {
    std::lock_guard lock(mutex_);
    judge_ = std::move(judge);
  }

  /// Waits until `done` says so. False when that takes longer than it ever should.
  bool wait_until(const std::function<bool()>& done) const {
    for (int i = 0; i < 2000; ++i) {
      if (done()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return false;
  }
  bool wait_for_samples(std::size_t count) const {
    return wait_until([&] { return sample_count() >= count; });
  }

 private:
  void serve(int fd) {
    RequestStream requests(fd);
    while (requests.next()) {
      if (!requests.answer(take(requests.head, requests.body))) return;
    }
  }

  std::string take(const std::string& head, const std::string& body) {
    std::lock_guard lock(mutex_);
    heads_.push_back(head);
    const Answer answer = judge_(++requests_);
    if (answer.status / 100 == 2 && head.find("2.0.0") == std::string::npos) store(body);
    return "HTTP/1.1 " + std::to_string(answer.status) + " X\r\n" +
           (answer.status == 204 ? "" : "Content-Length: " + std::to_string(answer.body.size()) + "\r\n") +
           answer.headers + "\r\n" + answer.body;
  }

  void store(const std::string& body) {
    std::string message;
    if (!snappy::Uncompress(body.data(), body.size(), &message)) return;
    RemoteWriteParser parser(message);
    std::size_t in_batch = 0;
    for (auto item = parser.next(); item != RemoteWriteParser::Item::end; item = parser.next()) {
      if (item == RemoteWriteParser::Item::malformed) std::abort();
      if (item == RemoteWriteParser::Item::metadata) {
        metadata_.push_back(std::string(parser.metadata().metric) + " " +
                            std::string(metric_type_name(parser.metadata().type)) + " " +
                            std::string(parser.metadata().help));
        continue;
      }
      std::vector<RemoteWriteLabel> read;
      if (!parse_remote_write_labels(parser.series().labels, read)) std::abort();
      std::vector<Label> labels;
      for (const auto& [name, value] : read) labels.push_back({std::string(name), std::string(value)});
      auto& of_series = samples_[Labels(labels).to_string()];
      RemoteWriteSamples samples(parser.series());
      TimestampMs time;
      double value;
      while (samples.next(time, value)) {
        of_series.emplace_back(time, value);
        ++count_;
        ++in_batch;
      }
      exemplars_ += parser.series().exemplar_count;
    }
    if (in_batch > 0) batches_.push_back(in_batch);
  }

  mutable std::mutex mutex_;
  Judge judge_;
  int requests_ = 0;
  std::size_t count_ = 0;
  std::size_t exemplars_ = 0;
  std::map<std::string, std::vector<std::pair<TimestampMs, double>>> samples_;
  std::vector<std::string> metadata_;
  std::vector<std::string> heads_;
  std::vector<std::size_t> batches_;
  PageServer server_;  ///< ends first
};

}  // namespace pipit
