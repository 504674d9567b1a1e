#include "delivery/heartbeat.h"

#include <algorithm>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <thread>
#include <utility>

#include "model/duration.h"
#include "model/thread_without_signals.h"
#include "scrape/http_access.h"
#include "scrape/http_client.h"
#include "scrape/page_buffer.h"
#include "telemetry/log.h"
#include "telemetry/metrics.h"

namespace pipit {
namespace {

namespace asio = boost::asio;
using std::chrono::milliseconds;

/// While something is not alive, which may end soon: at the start it is so until the first scrapes.
constexpr milliseconds kRecheck{2000};
/// A call that failed is not yet missed by whoever waits for it.
constexpr milliseconds kRetry{5000};
constexpr std::uint64_t kLargestAnswer = 1u << 16;

/// Why there was no good answer, without the URL, which begins the errors of requests.
std::string failure_of(const FetchResult& result, const HttpUrl& url) {
  if (result.http_status != 0) return "bad response status " + std::to_string(result.http_status);
  std::string text = result.status.ok() ? "no answer" : result.status.error().message;
  for (std::size_t at; (at = text.find(url.text)) != std::string::npos;) {
    text.replace(at, url.text.size(), shown_heartbeat_url(url.text));
  }
  return text;
}

}  // namespace

std::string shown_heartbeat_url(const std::string& text) {
  const auto url = parse_http_url(text);
  if (!url.ok()) return "<secret>";
  std::string shown =
      (url->endpoint.tls ? "https://" : "http://") + url->authority.substr(url->authority.rfind('@') + 1);
  return shown + (url->path == "/" ? "/" : "/<secret>");
}

class Heartbeat::Running {
 public:
  Running(HeartbeatOptions options, HttpUrl url, MetricsRegistry& metrics, std::function<std::string()> fault)
      : options_(std::move(options)),
        url_(std::move(url)),
        fault_(std::move(fault)),
        client_(io_, pages_),
        fetcher_(client_.fetcher()),
        timer_(io_),
        alive_(metrics.gauge("pipit_heartbeat_alive", "Whether scraping, storing and rule evaluation are alive.")),
        sent_(metrics.counter("pipit_heartbeats_sent_total", "Calls of the heartbeat's URL that were answered well.")),
        failed_(metrics.counter("pipit_heartbeats_failed_total", "Calls of the heartbeat's URL that failed.")),
        withheld_(metrics.counter("pipit_heartbeats_withheld_total",
                                  "Calls that were due and not made, as something was not alive.")),
        last_sent_(metrics.gauge("pipit_heartbeat_last_sent_timestamp_seconds",
                                 "When the heartbeat's URL was last called and answered well.")) {
    request_.url = &url_;
    request_.headers = std::make_shared<const std::string>("User-Agent: " + options_.user_agent + "\r\n");
    request_.body_limit = kLargestAnswer;
    request_.timeout = milliseconds(std::min(options_.timeout, options_.interval));
    request_.raw = true;
    if (options_.post) request_.form = std::make_shared<const std::string>();
    asio::post(io_, [this] { beat(); });
    thread_ = thread_without_signals([this] { io_.run(); });
  }

  ~Running() {
    asio::post(io_, [this] {
      fetcher_->cancel();
      timer_.cancel();
      work_.reset();
    });
    thread_.join();
  }

 private:
  void wait(milliseconds time) {
    timer_.expires_after(time);
    timer_.async_wait([this](const boost::system::error_code& canceled) {
      if (!canceled) beat();
    });
  }

  void beat() {
    began_ = std::chrono::steady_clock::now();
    const std::string fault = fault_();
    alive_.set(fault.empty() ? 1 : 0);
    if (!fault.empty()) {
      withhold(fault);
      return wait(std::min(kRecheck, milliseconds(options_.interval)));
    }
    if (std::exchange(withholding_, false) && ever_alive_) log_info("The heartbeat is sent again");
    ever_alive_ = true;
    fetcher_->fetch(request_, [this](FetchResult result) { answered(std::move(result)); });
  }

  void withhold(const std::string& fault) {
    // One is due an interval after the last that was, not with each look.
    if (!withholding_ || began_ - withheld_at_ >= milliseconds(options_.interval)) {
      withheld_.add();
      withheld_at_ = began_;
    }
    if (std::exchange(withholding_, true)) return;
    // At the start nothing has been scraped yet.
    if (ever_alive_) log_error("The heartbeat is withheld", {{"because", fault}});
  }

  void answered(FetchResult result) {
    const bool well = result.http_status / 100 == 2;
    if (well) {
      sent_.add();
      last_sent_.set(static_cast<double>(now_ms()) / 1000);
      if (std::exchange(complaining_, false)) {
        log_info("The heartbeat is answered again", {{"url", shown_heartbeat_url(options_.url)}});
      }
    } else {
      failed_.add();
      if (!std::exchange(complaining_, true)) {
        log_error("The heartbeat is not answered and is tried again",
                  {{"url", shown_heartbeat_url(options_.url)}, {"err", failure_of(result, url_)}});
      }
    }
    client_.pages().give(std::move(result.body));
    const auto spent = std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - began_);
    const milliseconds interval(options_.interval);
    const milliseconds rest = std::max(milliseconds(0), interval - spent);
    wait(well ? rest : std::min(rest, kRetry));
  }

  const HeartbeatOptions options_;
  const HttpUrl url_;
  const std::function<std::string()> fault_;
  asio::io_context io_;
  asio::executor_work_guard<asio::io_context::executor_type> work_ = asio::make_work_guard(io_);
  PageBufferPool pages_;
  HttpClient client_;
  std::shared_ptr<HttpFetcher> fetcher_;
  asio::steady_timer timer_;
  Gauge& alive_;
  Counter& sent_;
  Counter& failed_;
  Counter& withheld_;
  Gauge& last_sent_;
  FetchRequest request_;
  std::chrono::steady_clock::time_point began_{};
  std::chrono::steady_clock::time_point withheld_at_{};
  bool withholding_ = false;
  bool ever_alive_ = false;
  bool complaining_ = false;
  std::thread thread_;
};

Heartbeat::Heartbeat(std::unique_ptr<Running> running) : running_(std::move(running)) {}
Heartbeat::~Heartbeat() = default;

Result<std::unique_ptr<Heartbeat>> Heartbeat::start(HeartbeatOptions options, MetricsRegistry& metrics,
                                                    std::function<std::string()> fault) {
  auto url = parse_http_url(options.url);
  if (!url.ok()) return bad_data("the heartbeat's URL is not of the form http://HOST[:PORT]/PATH");
  return std::unique_ptr<Heartbeat>(
      new Heartbeat(std::make_unique<Running>(std::move(options), std::move(*url), metrics, std::move(fault))));
}

}  // namespace pipit
