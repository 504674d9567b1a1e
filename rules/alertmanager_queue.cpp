#include "rules/alertmanager_queue.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "model/duration.h"
#include "scrape/http_access.h"
#include "telemetry/log.h"

namespace pipit {
namespace {

constexpr std::chrono::milliseconds kFirstBackoff{500};
constexpr std::chrono::milliseconds kLastBackoff{30'000};
/// Of an answer: only the beginning of an error is read.
constexpr std::uint64_t kLargestAnswer = 1u << 16;

/// Refused for good: the same would be refused again.
bool is_final(unsigned status) { return status / 100 == 4 && status != 429 && status != 408; }

std::string describe_failure(const FetchResult& result) {
  std::string text = result.http_status == 0 && !result.status.ok()
                         ? result.status.error().message
                         : "bad response status " + std::to_string(result.http_status);
  std::string_view said = result.body.view().substr(0, 256);
  said = said.substr(0, said.find('\n'));
  if (!said.empty()) text += ": " + std::string(said);
  return text;
}

}  // namespace

std::string alerts_body(const std::vector<std::shared_ptr<const AlertNotice>>& notices) {
  auto alerts = nlohmann::json::array();
  for (const auto& notice : notices) {
    nlohmann::json alert;
    auto& labels = alert["labels"] = nlohmann::json::object();
    for (const Label& label : notice->labels) labels[label.name] = label.value;
    auto& annotations = alert["annotations"] = nlohmann::json::object();
    for (const Label& annotation : notice->annotations) annotations[annotation.name] = annotation.value;
    alert["startsAt"] = format_rfc3339(notice->starts_at);
    alert["endsAt"] = format_rfc3339(notice->ends_at);
    alert["generatorURL"] = notice->generator_url;
    alerts.push_back(std::move(alert));
  }
  return alerts.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

AlertmanagerQueue::AlertmanagerQueue(boost::asio::io_context& io, HttpClient& client, MetricsRegistry& metrics,
                                     Settings settings)
    : client_(client),
      settings_(std::move(settings)),
      fetcher_(client.fetcher()),
      timer_(io),
      metrics_(metrics),
      latency_(metrics.histogram("prometheus_notifications_latency_seconds", "How long requests to Alertmanagers took.",
                                 {0.01, 0.1, 1, 10})) {
  register_metrics();
}

AlertmanagerQueue::~AlertmanagerQueue() { metrics_.remove_callbacks(this); }

/// Discovery may find ever new Alertmanagers: what is shown of one goes with it.
void AlertmanagerQueue::register_metrics() {
  const auto add = [this](MetricType type, const char* name, const char* help, std::function<std::uint64_t()> read) {
    metrics_.callback(this, type, name, help, [read = std::move(read)] { return static_cast<double>(read()); },
                      {{"alertmanager", url()}});
  };
  add(MetricType::counter, "prometheus_notifications_sent_total", "Alerts that were sent.",
      [this] { return sent_.load(); });
  add(MetricType::counter, "prometheus_notifications_errors_total",
      "Alerts whose sending failed; they are sent again unless the receiver refused them.",
      [this] { return errors_.load(); });
  add(MetricType::counter, "prometheus_notifications_dropped_total",
      "Alerts that were given up, as the queue was full or the receiver refused them.",
      [this] { return dropped_.load(); });
  add(MetricType::gauge, "prometheus_notifications_queue_length", "Alerts that wait, those to be sent again included.",
      [this] { return length_ + held_; });
}

void AlertmanagerQueue::add(const Notices& notices) {
  const std::lock_guard lock(mutex_);
  for (const auto& notice : notices) {
    const std::uint64_t number = next_number_++;
    const auto [known, fresh] = numbers_.try_emplace(notice->labels, number);
    if (!fresh) {
      waiting_.erase(known->second);
      known->second = number;
    }
    waiting_.emplace(number, notice);
  }
  while (waiting_.size() > settings_.capacity) {
    numbers_.erase(waiting_.begin()->second->labels);
    waiting_.erase(waiting_.begin());
    ++dropped_;
  }
  length_ = waiting_.size();
}

AlertmanagerQueue::Notices AlertmanagerQueue::take_batch() {
  const std::lock_guard lock(mutex_);
  Notices batch;
  // What is to be sent again goes first, but for alerts of which there is news.
  for (auto& notice : batch_) {
    if (!numbers_.contains(notice->labels)) batch.push_back(std::move(notice));
  }
  while (!waiting_.empty() && batch.size() < settings_.batch_size) {
    numbers_.erase(waiting_.begin()->second->labels);
    batch.push_back(std::move(waiting_.begin()->second));
    waiting_.erase(waiting_.begin());
  }
  length_ = waiting_.size();
  return batch;
}

void AlertmanagerQueue::wake() {
  if (!busy_ && !holding_ && !stopped_) send();
}

void AlertmanagerQueue::send() {
  batch_ = take_batch();
  held_ = 0;
  if (batch_.empty()) return end_flush();
  request_.url = &settings_.url;
  request_.headers = std::make_shared<const std::string>("User-Agent: " + settings_.user_agent + "\r\n");
  request_.body_limit = kLargestAnswer;
  request_.timeout = settings_.timeout;
  request_.access = settings_.access;
  request_.form = std::make_shared<const std::string>(alerts_body(batch_));
  request_.form_type = "application/json";
  request_.raw = true;
  busy_ = true;
  began_ = std::chrono::steady_clock::now();
  fetcher_->fetch(request_, [self = shared_from_this()](FetchResult result) { self->answered(std::move(result)); });
}

void AlertmanagerQueue::answered(FetchResult result) {
  busy_ = false;
  latency_.observe(std::chrono::duration<double>(std::chrono::steady_clock::now() - began_).count());
  const std::size_t count = batch_.size();
  const bool done = result.http_status / 100 == 2;
  const bool refused = is_final(result.http_status);
  const std::string why = done ? "" : describe_failure(result);
  client_.pages().give(std::move(result.body));
  if (done) {
    sent_ += count;
    if (std::exchange(complaining_, false)) log_info("Alerts are delivered again", {{"alertmanager", url()}});
  } else {
    errors_ += count;
    if (refused) dropped_ += count;
    if (!std::exchange(complaining_, true)) {
      log_error(refused ? "An Alertmanager refuses alerts" : "Alerts can't be delivered and are tried again",
                {{"alertmanager", url()}, {"alerts", batch_.size()}, {"err", why}});
    }
  }
  if (done || refused) {
    batch_.clear();
    backoff_ = std::chrono::milliseconds(0);
    if (!stopped_) send();
    return;
  }
  held_ = batch_.size();
  if (flushed_) return end_flush();
  backoff_ = backoff_.count() == 0 ? kFirstBackoff : std::min(backoff_ * 2, kLastBackoff);
  holding_ = true;
  timer_.expires_after(backoff_);
  timer_.async_wait([self = shared_from_this()](const boost::system::error_code& ec) {
    self->holding_ = false;
    if (!ec) self->wake();
  });
}

void AlertmanagerQueue::flush(std::function<void()> done) {
  flushed_ = std::move(done);
  if (busy_) return;
  timer_.cancel();
  send();
}

void AlertmanagerQueue::end_flush() {
  if (auto done = std::exchange(flushed_, nullptr)) done();
}

void AlertmanagerQueue::stop() {
  stopped_ = true;
  flushed_ = nullptr;
  timer_.cancel();
  fetcher_->cancel();
  length_ = held_ = 0;
}

}  // namespace pipit
