#include "remote/write_shard.h"

#include <snappy.h>

#include <algorithm>

#include "model/duration.h"
#include "remote/retry_after.h"
#include "scrape/http_access.h"
#include "telemetry/log.h"

namespace pipit {
namespace {

/// Of an answer: only the beginning of an error is read.
constexpr std::uint64_t kLargestAnswer = 1u << 20;

const char* content_type(RemoteWriteProtocol protocol) {
  return protocol == RemoteWriteProtocol::v1 ? "application/x-protobuf"
                                             : "application/x-protobuf;proto=io.prometheus.write.v2.Request";
}

}  // namespace

void WriteRequestSettings::prepare(FetchRequest& request, RemoteWriteProtocol message_protocol,
                                   const std::string& message) const {
  auto body = std::make_shared<std::string>(snappy::MaxCompressedLength(message.size()), '\0');
  std::size_t size = 0;
  snappy::RawCompress(message.data(), message.size(), body->data(), &size);
  body->resize(size);
  body->shrink_to_fit();
  std::string headers = "User-Agent: " + user_agent + "\r\nContent-Encoding: snappy\r\n";
  headers += "X-Prometheus-Remote-Write-Version: ";
  headers += message_protocol == RemoteWriteProtocol::v1 ? "0.1.0\r\n" : "2.0.0\r\n";
  for (const auto& [name, value] : config.headers) {
    if (const auto line = header_line(name, value); line.ok()) headers += *line;
  }
  request.url = &url;
  request.headers = std::make_shared<const std::string>(std::move(headers));
  request.body_limit = kLargestAnswer;
  request.timeout = std::chrono::milliseconds(config.remote_timeout);
  request.access = access;
  request.form = std::move(body);
  request.form_type = content_type(message_protocol);
  request.raw = true;
}

Delivery judge_answer(const FetchResult& result, const RemoteWriteConfig& config, RemoteWriteProtocol protocol) {
  const unsigned status = result.http_status;
  if (status / 100 == 2) return Delivery::done;
  if (status == 0 || status / 100 == 5) return Delivery::again;
  if (status == 429) return config.retry_on_http_429 ? Delivery::again : Delivery::refused;
  if (status == 415 && protocol == RemoteWriteProtocol::v2) return Delivery::other_protocol;
  return Delivery::refused;
}

std::string describe_failure(const FetchResult& result) {
  std::string text =
      result.status.ok() ? "HTTP status " + std::to_string(result.http_status) : result.status.error().message;
  std::string_view said = result.body.view().substr(0, 256);
  said = said.substr(0, said.find('\n'));
  if (!said.empty()) text += ": " + std::string(said);
  return text;
}

DurationMs Backoff::next(DurationMs retry_after) {
  last_ = last_ == 0 ? config_.min_backoff : std::min(last_ * 2, config_.max_backoff);
  return retry_after > 0 ? retry_after : last_;
}

WriteShard::WriteShard(boost::asio::io_context& io, HttpClient& client, WriteRequestSettings& settings,
                       WriteMetrics& metrics, const MetadataLookup& metadata)
    : client_(client),
      settings_(settings),
      metrics_(metrics),
      metadata_(metadata),
      fetcher_(client.fetcher()),
      timer_(io),
      backoff_(settings.config) {}

void WriteShard::stop() {
  delivered_ = nullptr;
  failed_ = nullptr;
  timer_.cancel();
  fetcher_->cancel();
}

void WriteShard::send(std::function<void()> delivered, std::function<void()> failed) {
  delivered_ = std::move(delivered);
  failed_ = std::move(failed);
  order_samples(samples_);
  std::string message;
  if (settings_.protocol == RemoteWriteProtocol::v1) {
    encode_write_v1(samples_, exemplars_, message);
  } else {
    encode_write_v2(samples_, exemplars_, metadata_, message);
  }
  settings_.prepare(request_, settings_.protocol, message);
  attempt();
}

void WriteShard::attempt() {
  started_ = std::chrono::steady_clock::now();
  fetcher_->fetch(request_, [self = shared_from_this()](FetchResult result) { self->answered(std::move(result)); });
}

void WriteShard::count(Counter& samples, Counter& exemplars) const {
  samples.add(static_cast<double>(samples_.size()));
  exemplars.add(static_cast<double>(exemplars_.size()));
}

void WriteShard::answered(FetchResult result) {
  const RemoteWriteProtocol sent_as = request_.form_type == std::string_view(content_type(RemoteWriteProtocol::v1))
                                          ? RemoteWriteProtocol::v1
                                          : RemoteWriteProtocol::v2;
  const Delivery delivery = judge_answer(result, settings_.config, sent_as);
  const std::string why = delivery == Delivery::done ? "" : describe_failure(result);
  client_.pages().give(std::move(result.body));
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - started_;
  metrics_.batch_seconds.observe(took.count());

  if (delivery == Delivery::again) {
    const DurationMs wait = backoff_.next(parse_retry_after(result.retry_after, now_ms()));
    if (!std::exchange(complaining_, true)) {
      log_warn("Remote write fails and is tried again; not logged again until it succeeds",
               {{"url", settings_.url.text}, {"err", why}});
    }
    count(metrics_.retried_samples, metrics_.retried_exemplars);
    timer_.expires_after(std::chrono::milliseconds(wait));
    timer_.async_wait([self = shared_from_this()](const boost::system::error_code& ec) {
      if (!ec && self->delivered_) self->attempt();
    });
    if (failed_) failed_();
    return;
  }
  if (delivery == Delivery::other_protocol) {
    log_warn("The receiver does not take remote write 2.0 and gets 1.0", {{"url", settings_.url.text}, {"err", why}});
    settings_.protocol = RemoteWriteProtocol::v1;
    send(std::move(delivered_), std::move(failed_));
    return;
  }
  if (delivery == Delivery::done) {
    if (std::exchange(complaining_, false)) log_info("Remote write succeeds again", {{"url", settings_.url.text}});
    count(metrics_.samples, metrics_.exemplars);
    metrics_.bytes.add(static_cast<double>(request_.form->size()));
  } else {
    log_error("The receiver has refused samples, which are not sent again",
              {{"url", settings_.url.text}, {"samples", samples_.size()}, {"err", why}});
    count(metrics_.failed_samples, metrics_.failed_exemplars);
  }
  backoff_.reset();
  request_.form.reset();
  samples_.clear();
  exemplars_.clear();
  failed_ = nullptr;
  if (auto delivered = std::exchange(delivered_, nullptr)) delivered();
}

}  // namespace pipit
