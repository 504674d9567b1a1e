#include "remote/write_sender.h"

#include <algorithm>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <future>
#include <map>
#include <set>
#include <system_error>
#include <thread>

#include "model/thread_without_signals.h"
#include "remote/write_endpoint.h"
#include "remote/write_queue.h"
#include "scrape/http_client.h"
#include "scrape/page_buffer.h"
#include "scrape/run_on.h"
#include "telemetry/log.h"

namespace pipit {
namespace {

namespace asio = boost::asio;

/// How often bounds are looked at and what is no longer needed is removed.
constexpr std::chrono::seconds kUpkeep{2};

std::string hex(std::uint64_t number, std::size_t digits) {
  std::string text;
  for (std::size_t i = digits; i-- > 0;) text += "0123456789abcdef"[number >> (4 * i) & 15];
  return text;
}

/// The endpoint's name in metrics: as configured, or made of its URL.
std::string name_of(const RemoteWriteConfig& config) {
  return config.name.empty() ? hex(Labels{{"url", config.url}}.hash() >> 40, 6) : config.name;
}

/// Of the file that says how far the endpoint is. `seen` tells apart endpoints that have everything in common.
std::string cursor_name(const RemoteWriteConfig& config, std::set<std::string>& seen) {
  const bool named = !config.name.empty();
  const Labels identity{{named ? "name" : "url", named ? config.name : config.url}};
  std::string name = hex(identity.hash(), 16);
  for (int i = 2; !seen.insert(name).second; ++i) name = hex(identity.hash(), 16) + "-" + std::to_string(i);
  return name + ".cursor";
}

}  // namespace

class RemoteWriteSender::Running {
 public:
  static Result<std::unique_ptr<Running>> start(Store& store, ExemplarStore& exemplars, MetricsRegistry& metrics,
                                                const WriteSenderOptions& options) {
    WriteQueue::Options queue_options;
    queue_options.path = options.path;
    queue_options.sync_each = options.sync_interval == 0;
    auto queue = WriteQueue::open(std::move(queue_options), metrics);
    if (!queue.ok()) return queue.error();
    return std::unique_ptr<Running>(new Running(store, exemplars, metrics, options, std::move(*queue)));
  }

  ~Running() {
    store_.set_commit_listener(nullptr);
    exemplars_.set_listener(nullptr);
    queue_->set_wake(nullptr);
    asio::post(io_, [this] {
      for (auto& [cursor, each] : endpoints_) each.endpoint->stop();
      upkeep_.cancel();
      work_.reset();  // the thread ends once the canceled operations have said so
    });
    thread_.join();
    queue_->sync();
  }

  Status apply(const std::vector<RemoteWriteConfig>& configs, const Labels& external_labels) {
    Status status;
    run_on(io_, [&] { status = sync_endpoints(configs, external_labels); });
    return status;
  }

  void flush() {
    auto left = std::make_shared<std::size_t>(1);
    auto done = std::make_shared<std::promise<void>>();
    auto one_is_done = [left, done] {
      if (--*left == 0) done->set_value();
    };
    asio::post(io_, [this, left, one_is_done] {
      for (auto& [cursor, each] : endpoints_) {
        ++*left;
        each.endpoint->flush(one_is_done);
      }
      one_is_done();
    });
    done->get_future().wait_for(std::chrono::milliseconds(context_options_.flush_deadline));
  }

 private:
  struct Configured {
    std::string text;
    Labels external_labels;
    std::shared_ptr<WriteEndpoint> endpoint;
  };

  Running(Store& store, ExemplarStore& exemplars, MetricsRegistry& metrics, const WriteSenderOptions& options,
          std::unique_ptr<WriteQueue> queue)
      : store_(store),
        exemplars_(exemplars),
        context_options_(options),
        queue_(std::move(queue)),
        client_(io_, pages_),
        upkeep_(io_),
        context_{io_, client_, store, *queue_, metrics, options.user_agent} {
    queue_->set_wake([this] {
      asio::post(io_, [this] {
        for (auto& [cursor, each] : endpoints_) each.endpoint->wake();
      });
    });
    keep_up();
    thread_ = thread_without_signals([this] { io_.run(); });
    exemplars_.set_listener(
        [this](const Labels& series, const Exemplar& exemplar) { queue_->add_exemplar(series, exemplar); });
  }

  Status sync_endpoints(const std::vector<RemoteWriteConfig>& configs, const Labels& external_labels) {
    Status status;
    std::map<std::string, Configured> next;
    std::set<std::string> names;
    std::vector<std::shared_ptr<WriteEndpoint>> fresh;
    for (const RemoteWriteConfig& config : configs) {
      const std::string cursor = cursor_name(config, names);
      const auto running = endpoints_.find(cursor);
      if (running != endpoints_.end()) {
        Configured before = std::move(running->second);
        endpoints_.erase(running);
        if (before.text == config.text && before.external_labels == external_labels) {
          next.emplace(cursor, std::move(before));
          continue;
        }
        before.endpoint->stop();
      }
      auto made =
          WriteEndpoint::make(context_, config, external_labels, name_of(config), context_options_.path / cursor);
      if (!made.ok()) {
        status = Error{made.error().kind, "remote_write: " + made.error().message};
        continue;
      }
      log_info("Remote write", {{"name", name_of(config)}, {"url", parse_http_url(config.url)->text}});
      fresh.push_back(*made);
      next.emplace(cursor, Configured{config.text, external_labels, *made});
    }
    for (auto& [cursor, gone] : endpoints_) gone.endpoint->stop();
    endpoints_ = std::move(next);
    remove_other_cursors();
    // From here on the first endpoint's cursor is before whatever comes.
    store_.set_commit_listener(queue_.get());
    for (const auto& endpoint : fresh) endpoint->start();
    return status;
  }

  void remove_other_cursors() {
    std::error_code error;
    for (std::filesystem::directory_iterator it(context_options_.path, error), end; !error && it != end;
         it.increment(error)) {
      if (it->path().extension() != ".cursor" || endpoints_.contains(it->path().filename().string())) continue;
      std::error_code ignored;
      std::filesystem::remove(it->path(), ignored);
    }
  }

  void keep_up() {
    upkeep_.expires_after(kUpkeep);
    upkeep_.async_wait([this](const boost::system::error_code& ec) {
      if (ec) return;
      queue_->sync();
      for (auto& [cursor, each] : endpoints_) each.endpoint->sync();
      while (const std::uint64_t segment =
                 queue_->excess_segment(context_options_.max_bytes, context_options_.max_age)) {
        for (auto& [cursor, each] : endpoints_) each.endpoint->give_up_segment(segment);
        queue_->release_before(segment + 1);
      }
      std::uint64_t needed = queue_->end().segment;
      for (auto& [cursor, each] : endpoints_) needed = std::min(needed, each.endpoint->needed_segment());
      queue_->release_before(needed);
      keep_up();
    });
  }

  Store& store_;
  ExemplarStore& exemplars_;
  const WriteSenderOptions context_options_;
  std::unique_ptr<WriteQueue> queue_;
  asio::io_context io_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_{io_.get_executor()};
  // Of the sending thread from here on.
  PageBufferPool pages_;
  HttpClient client_;
  asio::steady_timer upkeep_;
  EndpointContext context_;
  std::map<std::string, Configured> endpoints_;  ///< by their cursor's file
  std::thread thread_;
};

RemoteWriteSender::RemoteWriteSender(Store& store, ExemplarStore& exemplars, MetricsRegistry& metrics,
                                     WriteSenderOptions options)
    : store_(store), exemplars_(exemplars), metrics_(metrics), options_(std::move(options)) {}

RemoteWriteSender::~RemoteWriteSender() = default;

Status RemoteWriteSender::apply(const std::vector<RemoteWriteConfig>& configs, const Labels& external_labels) {
  const std::lock_guard lock(mutex_);
  if (configs.empty()) {
    running_.reset();
    std::error_code ignored;
    if (std::filesystem::remove_all(options_.path, ignored) > 0) {
      log_info("Removed the queue of remote write, as no endpoint is configured", {{"path", options_.path.string()}});
    }
    return {};
  }
  if (running_ == nullptr) {
    auto running = Running::start(store_, exemplars_, metrics_, options_);
    if (!running.ok()) return running.error();
    running_ = std::move(*running);
  }
  return running_->apply(configs, external_labels);
}

void RemoteWriteSender::stop() {
  const std::lock_guard lock(mutex_);
  if (running_ == nullptr) return;
  running_->flush();
  running_.reset();
}

}  // namespace pipit
