#include "scrape/scrape_loop.h"

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <utility>

#include "model/number.h"
#include "scrape/failure_log.h"
#include "scrape/page_format.h"
#include "telemetry/log.h"

namespace pipit {
namespace {

using Clock = std::chrono::steady_clock;

TimestampUs wall_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

/// From here on a page is large: new, it takes tens of milliseconds to write.
constexpr std::size_t kLargePage = 512 << 10;
constexpr std::size_t kLargeSeries = 10'000;
/// Samples of a large page that are stored at once.
constexpr std::size_t kLargeBatch = 5'000;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

}  // namespace

struct ScrapeLoop::Timer {
  explicit Timer(boost::asio::io_context& io) : slot(io) {}
  boost::asio::steady_timer slot;
};

/// The answer to a scrape, on its way to the store.
struct ScrapeLoop::Page {
  FetchResult result;
  Status status;
  double duration = 0;
};

ScrapeLoop::ScrapeLoop(LoopContext& context, Target target, std::shared_ptr<const JobSettings> job)
    : context_(context),
      target_(std::move(target)),
      job_(std::move(job)),
      schedule_(target_.hash(), target_.interval),
      fetcher_(context.client.fetcher()),
      writer_(context.writers, job_->config, target_.public_labels(), target_.url.text),
      timer_(std::make_unique<Timer>(context.io)) {
  prepare_request();
}

ScrapeLoop::~ScrapeLoop() = default;

void ScrapeLoop::prepare_request() {
  auto headers = std::make_shared<std::string>();
  *headers += "User-Agent: " + job_->user_agent + "\r\n";
  *headers += "Accept: " + accept_header(*job_->config) + "\r\n";
  if (job_->config->enable_compression) *headers += "Accept-Encoding: gzip\r\n";
  const double timeout_seconds = static_cast<double>(target_.timeout) / 1000;
  *headers += "X-Prometheus-Scrape-Timeout-Seconds: " + format_float_g(timeout_seconds) + "\r\n";
  request_.headers = std::move(headers);
  request_.url = &target_.url;
  request_.access = job_->access;
  writer_.set_timeout(target_.timeout);
  request_.body_limit = job_->body_limit;
  request_.keep_large_packed = true;
}

void ScrapeLoop::start() { wait_for_slot(); }

void ScrapeLoop::reconfigure(Target target, std::shared_ptr<const JobSettings> job) {
  if (writing_) {
    next_ = std::make_unique<Settings>(Settings{std::move(target), std::move(job)});
    return;
  }
  const bool other_interval = target.interval != target_.interval;
  {
    std::lock_guard lock(context_.status_mutex);
    // The URL is the same, and a running fetch refers to it.
    target_.discovered = std::move(target.discovered);
    target_.labels = std::move(target.labels);
    target_.interval = target.interval;
    target_.timeout = target.timeout;
    job_ = std::move(job);
  }
  writer_.reconfigure(job_->config);
  prepare_request();
  if (!other_interval) return;
  schedule_ = Schedule(target_.hash(), target_.interval);
  if (!running_) wait_for_slot();
}

void ScrapeLoop::stop(bool mark_stale) {
  stopped_ = true;
  timer_->slot.cancel();
  fetcher_->cancel();
  if (!mark_stale) {
    writer_.abandon();
    return;
  }
  end_time_ = std::max(wall_us() / 1000, time_ + 1);
  if (!writing_) end_series();
}

void ScrapeLoop::end_series() {
  const auto end_elsewhere = [self = shared_from_this()]() -> BlockingCalls::Answer {
    WriteBuffers buffers;
    buffers.most_at_once = kLargeBatch;
    self->writer_.write_end(buffers, *self->end_time_);
    return [self] {};
  };
  if (writer_.cache().size() < kLargeSeries || !context_.large_pages.run(end_elsewhere)) {
    writer_.write_end(context_.buffers, *end_time_);
  }
}

void ScrapeLoop::wait_for_slot() {
  const TimestampUs now = wall_us();
  const Schedule::Slot slot = schedule_.next(now);
  if (slot.missed > 0) context_.writers.metrics.missed.add(static_cast<double>(slot.missed));
  // Each wait is measured from the wall clock anew, so that setting the clock moves at most one scrape.
  timer_->slot.expires_after(std::chrono::microseconds(std::max<TimestampUs>(0, slot.time * 1000 - now)));
  timer_->slot.async_wait([self = shared_from_this(), wait = ++waits_](const boost::system::error_code& ec) {
    if (!ec && !self->stopped_ && wait == self->waits_) self->scrape();
  });
}

void ScrapeLoop::scrape() {
  running_ = true;
  started_ = Clock::now();
  const TimestampUs now = wall_us();
  time_ = schedule_.timestamp(now);
  if (const std::string& fault = job_->forced_error.empty() ? target_.fault : job_->forced_error; !fault.empty()) {
    FetchResult refused;
    refused.status = bad_data(fault);
    finish(std::move(refused));
    return;
  }
  // Counted from the slot, a timeout as long as the interval ends before the next slot.
  const TimestampUs late = std::clamp<TimestampUs>(now - schedule_.slot() * 1000, 0, target_.timeout * 500);
  request_.timeout = std::chrono::milliseconds(std::max<DurationMs>(1, target_.timeout - late / 1000));
  fetcher_->fetch(request_, [self = shared_from_this()](FetchResult result) { self->finish(std::move(result)); });
}

void ScrapeLoop::finish(FetchResult result) {
  if (stopped_) return;
  const bool large = result.packed || result.body.size() >= kLargePage || writer_.cache().size() >= kLargeSeries;
  if (!large) {
    Page page{std::move(result), {}, 0};
    write(page, context_.buffers);
    conclude(page);
    return;
  }
  auto page = std::make_shared<Page>(Page{std::move(result), {}, 0});
  if (write_elsewhere(page)) return;
  write(*page, context_.buffers);  // there is no thread to be had
  conclude(*page);
}

bool ScrapeLoop::write_elsewhere(const std::shared_ptr<Page>& page) {
  writing_ = true;
  const bool runs = context_.large_pages.run([self = shared_from_this(), page]() -> BlockingCalls::Answer {
    WriteBuffers buffers;
    buffers.most_at_once = kLargeBatch;
    self->write(*page, buffers);
    return [self, page] { self->conclude(*page); };
  });
  if (!runs) writing_ = false;
  return runs;
}

/// On any thread.
void ScrapeLoop::write(Page& page, WriteBuffers& buffers) {
  FetchResult& result = page.result;
  if (result.packed) unpack_body(result, request_.body_limit);
  PageFormat format = PageFormat::text;
  if (result.status.ok()) {
    auto found = page_format(result.content_type, job_->config->fallback_scrape_protocol);
    if (found.ok()) {
      format = *found;
    } else {
      result.status = found.error();
    }
  }
  page.status = writer_.write(buffers, result.status, result.body.view(), format, time_, [this, &page] {
    page.duration = seconds_since(started_);
    return page.duration;
  });
}

void ScrapeLoop::conclude(Page& page) {
  writing_ = false;
  context_.pages.give(std::move(page.result.body));
  if (stopped_) {
    if (end_time_) end_series();
    return;
  }
  const Status& status = page.status;
  ScrapeMetrics& metrics = context_.writers.metrics;
  metrics.body_bytes.add(static_cast<double>(page.result.transferred));
  (status.ok() ? metrics.succeeded : metrics.failed).add();
  metrics.duration.observe(page.duration);
  {
    std::lock_guard lock(context_.status_mutex);
    health_ = status.ok() ? TargetHealth::up : TargetHealth::down;
    std::string error = status.ok() ? std::string() : status.error().message;
    if (!error.empty() && error != last_error_) {
      log_debug("Scrape failed",
                {{"scrape_pool", job_->config->job_name}, {"target", target_.url.text}, {"err", error}});
    }
    if (!error.empty() && job_->failure_log) job_->failure_log->add(job_->config->job_name, target_.url.text, error);
    last_error_ = std::move(error);
    last_warning_ = status.ok() ? writer_.warning() : std::string();
    last_duration_ = page.duration;
    last_scrape_ = time_;
  }
  if (auto next = std::exchange(next_, nullptr)) reconfigure(std::move(next->target), std::move(next->job));
  running_ = false;
  wait_for_slot();
}

TargetStatus ScrapeLoop::status() const {
  TargetStatus status;
  status.discovered_labels = target_.discovered;
  status.labels = target_.public_labels();
  status.scrape_pool = job_->config->job_name;
  status.scrape_url = target_.url.text;
  status.last_error = last_error_;
  status.last_warning = last_warning_;
  status.last_scrape = last_scrape_;
  status.last_scrape_duration = last_duration_;
  status.health = health_;
  status.scrape_interval = target_.interval;
  status.scrape_timeout = target_.timeout;
  return status;
}

}  // namespace pipit
