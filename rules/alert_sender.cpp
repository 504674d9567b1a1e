#include "rules/alert_sender.h"

#include <algorithm>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <future>
#include <map>
#include <system_error>
#include <thread>

#include "model/relabel.h"
#include "model/thread_without_signals.h"
#include "rules/alertmanager_queue.h"
#include "scrape/http_access.h"
#include "scrape/http_client.h"
#include "scrape/page_buffer.h"
#include "scrape/run_on.h"
#include "scrape/target_finder.h"
#include "telemetry/log.h"
#include "telemetry/metrics.h"

namespace pipit {
namespace {

namespace asio = boost::asio;

/// How long the end of the program waits for alerts.
constexpr std::chrono::seconds kDrainTime{10};

/// The URL of an Alertmanager that relabelling has dropped.
std::string dropped_url(const Labels& labels) {
  return std::string(labels.get("__scheme__")) + "://" + std::string(labels.get("__address__")) +
         std::string(labels.get("__metrics_path__"));
}

}  // namespace

class AlertSender::Running : public std::enable_shared_from_this<AlertSender::Running> {
 public:
  Running(MetricsRegistry& metrics, const AlertSenderOptions& options)
      : metrics_(metrics),
        options_(options),
        client_(io_, pages_),
        finder_(metrics, options.user_agent, [this](FoundJob found) {
          asio::post(io_, [this, job = std::make_shared<FoundJob>(std::move(found))] { take(*job); });
        }) {
    metrics_.gauge("prometheus_notifications_queue_capacity", "How many alerts may wait for an Alertmanager.")
        .set(static_cast<double>(options.queue_capacity));
    thread_ = thread_without_signals([this] { io_.run(); });
  }

  ~Running() {
    finder_.apply({}, [](const std::vector<FoundJob>&) {});  // ends discovery, whose news would come here
    asio::post(io_, [this] {
      for (auto& entry : entries_) {
        for (auto& [url, queue] : entry.queues) queue->stop();
        if (entry.access) entry.access->stop();
      }
      work_.reset();  // the thread ends once the canceled operations have said so
    });
    thread_.join();
    metrics_.gauge("prometheus_notifications_alertmanagers_discovered", "Alertmanagers that are told of alerts.")
        .set(0);
  }

  void apply(const AlertingConfig& config, const Labels& external_labels) {
    std::vector<std::shared_ptr<const ScrapeConfig>> jobs;
    std::vector<Entry> fresh;
    for (const AlertmanagerConfig& each : config.alertmanagers) {
      Entry& entry = fresh.emplace_back();
      entry.config = std::make_shared<const AlertmanagerConfig>(each);
      // The job is a part of the entry.
      entry.job = std::shared_ptr<const ScrapeConfig>(entry.config, &entry.config->source);
      jobs.push_back(entry.job);
    }
    run_on(io_, [&] { adopt(config, external_labels, std::move(fresh)); });
    finder_.apply(std::move(jobs), [this](std::vector<FoundJob> found) {
      run_on(io_, [&] {
        for (FoundJob& job : found) take(job);
      });
    });
  }

  void send(std::vector<AlertNotice> notices) {
    const std::lock_guard lock(mutex_);
    std::vector<std::shared_ptr<const AlertNotice>> kept;
    for (AlertNotice& notice : notices) {
      for (const Label& label : external_labels_) {
        if (!notice.labels.has(label.name)) notice.labels.set(label.name, label.value);
      }
      if (!relabel(notice.labels, alert_relabel_configs_)) continue;
      kept.push_back(std::make_shared<const AlertNotice>(std::move(notice)));
    }
    if (kept.empty()) return;
    for (const Receiver& receiver : receivers_) receiver.queue->add(relabelled(kept, *receiver.config));
    asio::post(io_, [this] {
      for (auto& entry : entries_) {
        for (auto& [url, queue] : entry.queues) queue->wake();
      }
    });
  }

  void drain() {
    auto left = std::make_shared<std::size_t>(1);
    auto done = std::make_shared<std::promise<void>>();
    const auto one_is_done = [left, done] {
      if (--*left == 0) done->set_value();
    };
    asio::post(io_, [this, left, one_is_done] {
      for (auto& entry : entries_) {
        for (auto& [url, queue] : entry.queues) {
          ++*left;
          queue->flush(one_is_done);
        }
      }
      one_is_done();
    });
    if (done->get_future().wait_for(kDrainTime) != std::future_status::ready) {
      log_warn("Not all alerts could be sent before the end");
    }
  }

  Urls urls() const {
    const std::lock_guard lock(mutex_);
    return urls_;
  }

 private:
  /// An `alertmanagers` entry with those that were found.
  struct Entry {
    std::shared_ptr<const AlertmanagerConfig> config;
    std::shared_ptr<const ScrapeConfig> job;
    std::shared_ptr<HttpAccess> access;
    std::map<std::string, std::shared_ptr<AlertmanagerQueue>> queues;  ///< by URL
    std::vector<std::string> dropped;
  };
  struct Receiver {
    std::shared_ptr<AlertmanagerQueue> queue;
    std::shared_ptr<const AlertmanagerConfig> config;
  };
  using Notices = std::vector<std::shared_ptr<const AlertNotice>>;

  static Notices relabelled(const Notices& notices, const AlertmanagerConfig& config) {
    if (config.alert_relabel_configs.empty()) return notices;
    Notices changed;
    for (const auto& notice : notices) {
      AlertNotice copy = *notice;
      if (relabel(copy.labels, config.alert_relabel_configs)) {
        changed.push_back(std::make_shared<const AlertNotice>(std::move(copy)));
      }
    }
    return changed;
  }

  void adopt(const AlertingConfig& config, const Labels& external_labels, std::vector<Entry> fresh) {
    {
      const std::lock_guard lock(mutex_);
      external_labels_ = external_labels;
      alert_relabel_configs_ = config.alert_relabel_configs;
    }
    for (std::size_t i = 0; i < fresh.size(); ++i) {
      // An entry whose requests are made as before keeps its queues.
      const bool same = i < entries_.size() && entries_[i].config->timeout == fresh[i].config->timeout &&
                        entries_[i].config->source.http_client == fresh[i].config->source.http_client;
      if (same) {
        fresh[i].queues = std::move(entries_[i].queues);
        fresh[i].access = entries_[i].access;
      } else {
        fresh[i].access = client_.access(fresh[i].config->source.http_client);
      }
    }
    for (Entry& old : entries_) {
      for (auto& [url, queue] : old.queues) queue->stop();
    }
    entries_ = std::move(fresh);
    publish();
  }

  /// The Alertmanagers that an entry stands for now.
  void take(FoundJob& found) {
    const auto entry =
        std::find_if(entries_.begin(), entries_.end(), [&](const Entry& each) { return each.job == found.config; });
    if (entry == entries_.end()) return;
    std::map<std::string, std::shared_ptr<AlertmanagerQueue>> queues;
    for (const Target& target : found.targets.active) {
      if (!target.fault.empty() || queues.contains(target.url.text)) continue;
      const auto known = entry->queues.find(target.url.text);
      if (known != entry->queues.end()) {
        queues.insert(entry->queues.extract(known));
        continue;
      }
      AlertmanagerQueue::Settings settings{.url = target.url,
                                           .access = entry->access,
                                           .timeout = std::chrono::milliseconds(entry->config->timeout),
                                           .user_agent = options_.user_agent,
                                           .capacity = options_.queue_capacity,
                                           .batch_size = options_.batch_size};
      queues.emplace(target.url.text, std::make_shared<AlertmanagerQueue>(io_, client_, metrics_, std::move(settings)));
    }
    for (auto& [url, gone] : entry->queues) gone->stop();
    entry->queues = std::move(queues);
    entry->dropped.clear();
    for (const Labels& labels : found.targets.dropped) entry->dropped.push_back(dropped_url(labels));
    for (const std::string& error : found.targets.errors) log_warn("An Alertmanager is dropped", {{"err", error}});
    publish();
  }

  void publish() {
    std::vector<Receiver> receivers;
    Urls urls;
    for (const Entry& entry : entries_) {
      for (const auto& [url, queue] : entry.queues) {
        receivers.push_back({queue, entry.config});
        urls.active.push_back(url);
      }
      urls.dropped.insert(urls.dropped.end(), entry.dropped.begin(), entry.dropped.end());
    }
    metrics_.gauge("prometheus_notifications_alertmanagers_discovered", "Alertmanagers that are told of alerts.")
        .set(static_cast<double>(urls.active.size()));
    const std::lock_guard lock(mutex_);
    receivers_ = std::move(receivers);
    urls_ = std::move(urls);
  }

  MetricsRegistry& metrics_;
  const AlertSenderOptions options_;
  asio::io_context io_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_{io_.get_executor()};
  PageBufferPool pages_;
  HttpClient client_;
  std::vector<Entry> entries_;  ///< of the thread

  mutable std::mutex mutex_;  ///< of what senders read
  Labels external_labels_;
  std::vector<RelabelConfig> alert_relabel_configs_;
  std::vector<Receiver> receivers_;
  Urls urls_;

  TargetFinder finder_;
  std::thread thread_;
};

AlertSender::AlertSender(MetricsRegistry& metrics, AlertSenderOptions options)
    : metrics_(metrics), options_(std::move(options)) {}
AlertSender::~AlertSender() = default;

void AlertSender::apply(const AlertingConfig& config, const Labels& external_labels) {
  std::shared_ptr<Running> running;
  std::shared_ptr<Running> ended;
  {
    const std::lock_guard lock(mutex_);
    if (config.alertmanagers.empty()) {
      ended = std::move(running_);
    } else if (!running_) {
      try {
        running_ = std::make_shared<Running>(metrics_, options_);
      } catch (const std::system_error& e) {
        log_error("No alert is sent: no thread can be started for it", {{"err", e.what()}});
      }
    }
    running = running_;
  }
  if (running) running->apply(config, external_labels);
}

void AlertSender::send(std::vector<AlertNotice> notices) {
  std::shared_ptr<Running> running;
  {
    const std::lock_guard lock(mutex_);
    running = running_;
  }
  if (running) running->send(std::move(notices));
}

void AlertSender::stop() {
  std::shared_ptr<Running> running;
  {
    const std::lock_guard lock(mutex_);
    running = std::move(running_);
  }
  if (running && options_.drain_on_stop) running->drain();
}

AlertSender::Urls AlertSender::urls() const {
  std::shared_ptr<Running> running;
  {
    const std::lock_guard lock(mutex_);
    running = running_;
  }
  return running ? running->urls() : Urls();
}

}  // namespace pipit
