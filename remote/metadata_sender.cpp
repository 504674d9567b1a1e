#include "remote/metadata_sender.h"

#include <algorithm>

#include "telemetry/log.h"

namespace pipit {

MetadataSender::MetadataSender(boost::asio::io_context& io, HttpClient& client, WriteRequestSettings& settings,
                               WriteMetrics& metrics, const Store& store)
    : client_(client),
      settings_(settings),
      metrics_(metrics),
      store_(store),
      fetcher_(client.fetcher()),
      timer_(io),
      backoff_(settings.config) {}

void MetadataSender::start() { wait(); }

void MetadataSender::stop() {
  timer_.cancel();
  fetcher_->cancel();
}

void MetadataSender::wait() {
  entries_ = {};
  timer_.expires_after(std::chrono::milliseconds(settings_.config.metadata_send_interval));
  timer_.async_wait([self = shared_from_this()](const boost::system::error_code& ec) {
    if (!ec) self->begin();
  });
}

void MetadataSender::begin() {
  if (settings_.protocol != RemoteWriteProtocol::v1) {
    wait();
    return;
  }
  auto entries = store_.metadata("", 0);
  if (!entries.ok()) {
    log_warn("Metadata can't be read and is not sent", {{"err", entries.error()}});
    wait();
    return;
  }
  entries_ = std::move(*entries);
  next_ = 0;
  send_next();
}

void MetadataSender::send_next() {
  if (next_ >= entries_.size()) {
    wait();
    return;
  }
  sending_ = std::min(entries_.size() - next_, settings_.config.metadata_max_samples_per_send);
  std::string message;
  encode_metadata_v1(std::span(entries_).subspan(next_, sending_), message);
  settings_.prepare(request_, RemoteWriteProtocol::v1, message);
  attempts_ = 0;
  fetcher_->fetch(request_, [self = shared_from_this()](FetchResult result) { self->answered(std::move(result)); });
}

void MetadataSender::answered(FetchResult result) {
  const Delivery delivery = judge_answer(result, settings_.config, RemoteWriteProtocol::v1);
  const std::string why = delivery == Delivery::done ? "" : describe_failure(result);
  client_.pages().give(std::move(result.body));
  const auto count = static_cast<double>(sending_);
  // It comes again in a minute, so that a few attempts will do.
  if (delivery == Delivery::again && ++attempts_ < kMostAttempts) {
    metrics_.retried_metadata.add(count);
    timer_.expires_after(std::chrono::milliseconds(backoff_.next(0)));
    timer_.async_wait([self = shared_from_this()](const boost::system::error_code& ec) {
      if (ec) return;
      self->fetcher_->fetch(self->request_, [self](FetchResult again) { self->answered(std::move(again)); });
    });
    return;
  }
  backoff_.reset();
  if (delivery == Delivery::done) {
    metrics_.metadata.add(count);
    metrics_.metadata_bytes.add(static_cast<double>(request_.form->size()));
    next_ += sending_;
  } else {
    log_debug("Metadata was not sent", {{"url", settings_.url.text}, {"err", why}});
    metrics_.failed_metadata.add(count);
    next_ = entries_.size();
  }
  send_next();
}

}  // namespace pipit
