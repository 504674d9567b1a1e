#include "delivery/delivery.h"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <mutex>
#include <thread>

#include "delivery/dispatcher.h"
#include "delivery/inbox.h"
#include "delivery/notification_templates.h"
#include "model/duration.h"
#include "model/thread_without_signals.h"
#include "scrape/blocking_calls.h"
#include "scrape/http_client.h"
#include "scrape/page_buffer.h"
#include "scrape/run_on.h"
#include "telemetry/log.h"
#include "telemetry/metrics.h"

namespace pipit {
namespace {

namespace asio = boost::asio;

/// For what blocks: mails and look-ups of many receivers, of which some may hang.
constexpr std::size_t kMostCalls = 32;

Moment moment_now() {
  return {now_ms(),
          std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now().time_since_epoch())
              .count()};
}

/// What runs once there is a configuration: the thread, and what is on it.
class DeliveryThread {
 public:
  DeliveryThread(RecordStore& records, MetricsRegistry& metrics, const DeliveryOptions& options)
      : records_(records),
        options_(options),
        client_(io_, pages_),
        calls_(io_, kMostCalls),
        write_calls_(io_, 1),
        timer_(io_),
        dispatcher_(metrics, options,
                    {.write = [this](auto changes, auto done) { write(std::move(changes), std::move(done)); },
                     .make = [this](const ReceiverConfig& receiver) { return make_integrations(receiver, *context_); },
                     .wake = [this] { wake(); }}) {}

  /// REQUIRES: `start` was called or nothing else was; no other thread calls any more.
  ~DeliveryThread() {
    if (!thread_.joinable()) return;
    asio::post(io_, [this] {
      dispatcher_.stop(moment_now());
      timer_.cancel();
      ended_ = true;
      work_.reset();
    });
    thread_.join();
    write_calls_.wait_until_idle();
    const RecordWriter::Changes remaining = dispatcher_.remaining();
    if (remaining.empty()) return;
    if (Status status = records_.write_records(remaining); !status.ok()) {
      log_error("What delivery must not forget can't be written at the end", {{"err", status.error()}});
    }
  }

  Status load() { return dispatcher_.load(records_); }
  void start() {
    thread_ = thread_without_signals([this] { io_.run(); });
  }

  void apply(DeliveryConfig config, std::shared_ptr<const NotificationTemplates> templates) {
    on_thread([&] {
      auto fresh = std::make_unique<IntegrationContext>(
          IntegrationContext{io_, client_, calls_, std::move(templates), options_.external_url, options_.user_agent});
      std::swap(context_, fresh);  // the old one outlives its integrations
      dispatcher_.apply(std::move(config), moment_now());
      wake();
    });
  }

  /// The notices come by `take_notices`, on the thread.
  void take(std::function<std::vector<AlertNotice>()> take_notices) {
    asio::post(io_, [this, take_notices = std::move(take_notices)] {
      dispatcher_.take(take_notices(), moment_now());
      wake();
    });
  }

  template <class F>
  void on_thread(F&& work) {
    run_on(io_, work);
  }
  Dispatcher& dispatcher() { return dispatcher_; }

 private:
  void write(const std::shared_ptr<const RecordWriter::Changes>& changes, std::function<void(Status)> done) {
    auto shared = std::make_shared<std::function<void(Status)>>(std::move(done));
    const bool runs = write_calls_.run([this, changes, shared]() -> BlockingCalls::Answer {
      auto status = std::make_shared<Status>(records_.write_records(*changes));
      return [shared, status] { (*shared)(*status); };
    });
    if (runs) return;
    asio::post(io_, [shared] { (*shared)(Error{ErrorKind::unavailable, "there is no thread to write with"}); });
  }

  /// Has `run` called soon, and not from within the dispatcher.
  void wake() {
    if (std::exchange(woken_, true)) return;
    asio::post(io_, [this] {
      woken_ = false;
      run();
    });
  }

  void run() {
    if (ended_) return;
    const Moment now = moment_now();
    const std::int64_t next = dispatcher_.run(now);
    if (next == kNoMoment) return;
    timer_.expires_after(std::chrono::milliseconds(std::max<std::int64_t>(0, next - now.steady)));
    timer_.async_wait([this](const boost::system::error_code& ec) {
      if (!ec) wake();
    });
  }

  RecordStore& records_;
  const DeliveryOptions options_;
  asio::io_context io_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_{io_.get_executor()};
  PageBufferPool pages_;
  HttpClient client_;
  BlockingCalls calls_;
  BlockingCalls write_calls_;  ///< beside the others, which may all hang
  asio::steady_timer timer_;
  std::unique_ptr<IntegrationContext> context_;
  Dispatcher dispatcher_;
  bool woken_ = false;
  bool ended_ = false;
  std::thread thread_;
};

}  // namespace

class Delivery::Running {
 public:
  Running(RecordStore& records, MetricsRegistry& metrics, DeliveryOptions options)
      : records_(records), metrics_(metrics), options_(std::move(options)), inbox_({.alerts = options_.max_alerts}) {}

  Status apply(DeliveryConfig config) {
    auto templates = NotificationTemplates::load(config.templates);
    if (!templates.ok()) return templates.error();
    // Not the mutex of those that send, who must not wait.
    std::lock_guard one_at_a_time(apply_mutex_);
    auto thread = running();
    const bool first = thread == nullptr;
    if (first) {
      thread = std::make_shared<DeliveryThread>(records_, metrics_, options_);
      if (Status status = thread->load(); !status.ok()) return status;
      thread->start();
    }
    std::vector<std::string> receivers;
    receivers.reserve(config.receivers.size());
    for (const ReceiverConfig& receiver : config.receivers) receivers.push_back(receiver.name);
    std::string text = config.redacted_text;
    thread->apply(std::move(config), std::move(*templates));
    std::lock_guard lock(mutex_);
    if (stopped_) return Error{ErrorKind::unavailable, "delivery has ended"};
    config_text_ = std::move(text);
    receivers_ = std::move(receivers);
    if (first) started_at_ = now_ms();
    thread_ = std::move(thread);
    return {};
  }

  void send(std::vector<AlertNotice> notices) {
    const auto thread = running();
    if (!thread || notices.empty()) return;
    const Inbox::Taken taken = inbox_.put(std::move(notices));
    if (taken.dropped > 0) {
      metrics_
          .counter("alertmanager_alerts_invalid_total",
                   "Alerts that were refused: for their labels, their size or want of room.", {{"version", "v2"}})
          .add(static_cast<double>(taken.dropped));
    }
    if (taken.first) thread->take([this] { return inbox_.take(); });
  }

  void stop() {
    std::shared_ptr<DeliveryThread> thread;
    {
      std::lock_guard lock(mutex_);
      stopped_ = true;
      thread = std::move(thread_);
    }
    // Whoever else has it at the moment ends it.
  }

  /// Null before the first `apply` and after `stop`.
  std::shared_ptr<DeliveryThread> running() const {
    std::lock_guard lock(mutex_);
    return thread_;
  }

  template <class T, class F>
  T on_thread(F&& read) const {
    T value{};
    if (const auto thread = running()) {
      thread->on_thread([&] { value = read(thread->dispatcher()); });
    }
    return value;
  }

  /// Puts a change of silences on the disk between looking and doing, on the thread of whoever asks.
  template <class F>
  Result<std::string> change_silences(F&& prepare) {
    const Error none{ErrorKind::unavailable, "delivery is not running"};
    const auto thread = running();
    if (!thread) return none;
    std::lock_guard lock(silences_mutex_);
    Result<Silences::Change> change = none;
    thread->on_thread([&] { change = prepare(thread->dispatcher().silences(), now_ms()); });
    if (!change.ok()) return change.error();
    if (Status status = records_.write_records(Silences::records(*change)); !status.ok()) {
      return Error{ErrorKind::unavailable, status.error().message};
    }
    std::string id = change->id;
    thread->on_thread([&] { thread->dispatcher().silences().commit(std::move(*change)); });
    return id;
  }

  std::string config_text() const {
    std::lock_guard lock(mutex_);
    return config_text_;
  }
  std::vector<std::string> receivers() const {
    std::lock_guard lock(mutex_);
    return receivers_;
  }
  TimestampMs started_at() const {
    std::lock_guard lock(mutex_);
    return started_at_;
  }

 private:
  RecordStore& records_;
  MetricsRegistry& metrics_;
  const DeliveryOptions options_;
  std::mutex apply_mutex_;
  std::mutex silences_mutex_;  ///< one change after the other

  Inbox inbox_;
  mutable std::mutex mutex_;
  std::shared_ptr<DeliveryThread> thread_;
  bool stopped_ = false;
  std::string config_text_;
  std::vector<std::string> receivers_;
  TimestampMs started_at_ = 0;
};

Delivery::Delivery(RecordStore& records, MetricsRegistry& metrics, DeliveryOptions options)
    : running_(std::make_unique<Running>(records, metrics, std::move(options))) {}
Delivery::~Delivery() = default;

Status Delivery::apply(DeliveryConfig config) { return running_->apply(std::move(config)); }
void Delivery::send(std::vector<AlertNotice> notices) { running_->send(std::move(notices)); }
void Delivery::stop() { running_->stop(); }

std::vector<AlertView> Delivery::alerts() const {
  return running_->on_thread<std::vector<AlertView>>([](Dispatcher& all) { return all.alert_views(now_ms()); });
}
std::vector<AlertGroupView> Delivery::groups() const {
  return running_->on_thread<std::vector<AlertGroupView>>([](Dispatcher& all) { return all.group_views(now_ms()); });
}
std::vector<IntegrationView> Delivery::integrations() const {
  return running_->on_thread<std::vector<IntegrationView>>([](Dispatcher& all) { return all.integration_views(); });
}
std::vector<std::string> Delivery::receivers() const { return running_->receivers(); }
std::string Delivery::config_text() const { return running_->config_text(); }
TimestampMs Delivery::started_at() const { return running_->started_at(); }

std::vector<Silence> Delivery::silences() const {
  return running_->on_thread<std::vector<Silence>>([](Dispatcher& all) { return all.silences().all(); });
}

Result<std::string> Delivery::set_silence(Silence silence) {
  return running_->change_silences(
      [&](const Silences& silences, TimestampMs now) { return silences.prepare_set(std::move(silence), now); });
}

Status Delivery::expire_silence(const std::string& id) {
  auto done = running_->change_silences(
      [&](const Silences& silences, TimestampMs now) { return silences.prepare_expire(id, now); });
  return done.ok() ? Status() : Status(done.error());
}

}  // namespace pipit
