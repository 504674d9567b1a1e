// `http_sd_configs`: a server answers with target groups in JSON.

#include <algorithm>
#include <cctype>

#include "config/target_groups.h"
#include "model/number.h"
#include "scrape/http_access.h"
#include "scrape/polled_discovery.h"

namespace pipit {
namespace {

constexpr std::uint64_t kLargestAnswer = 32u << 20;

/// `application/json`, with a charset of UTF-8 if any.
bool is_json_type(std::string type) {
  std::erase_if(type, [](unsigned char c) { return c == ' ' || c == '"'; });
  for (char& c : type) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return type == "application/json" || type == "application/json;charset=utf-8";
}

class HttpDiscovery final : public PolledDiscovery {
 public:
  HttpDiscovery(HttpDiscoveryConfig config, DiscoveryContext& context)
      : PolledDiscovery(context, config.refresh_interval, "http", ""),
        config_(std::move(config)),
        fetcher_(context.client.fetcher()) {
    request_.access = context.client.access(config_.http_client);
    request_.body_limit = kLargestAnswer;
    request_.timeout = std::chrono::milliseconds(std::max<DurationMs>(config_.refresh_interval, 1000));
    request_.headers = std::make_shared<const std::string>(
        "User-Agent: " + context.user_agent + "\r\nAccept: application/json\r\nAccept-Encoding: gzip\r\n" +
        "X-Prometheus-Refresh-Interval-Seconds: " +
        format_float_g(static_cast<double>(config_.refresh_interval) / 1000) + "\r\n");
  }

  void stop() override {
    PolledDiscovery::stop();
    fetcher_->cancel();
    if (request_.access) request_.access->stop();
  }

 private:
  void refresh() override {
    auto url = parse_http_url(config_.url);
    if (!url.ok()) {
      failed(url.error().message);
      return;
    }
    url_ = std::move(*url);
    request_.url = &url_;
    fetcher_->fetch(request_, [this, keep = shared_from_this()](FetchResult result) { take(std::move(result)); });
  }

  void take(FetchResult result) {
    auto groups = read(result);
    context_.client.pages().give(std::move(result.body));
    groups.ok() ? found(std::move(*groups)) : failed(groups.error().message);
  }

  Result<std::vector<TargetGroup>> read(FetchResult& result) const {
    if (!result.status.ok()) return result.status.error();
    if (!is_json_type(result.content_type)) {
      return bad_data("unsupported content type \"" + result.content_type + "\" of " + url_.text);
    }
    auto groups = parse_json_target_groups(result.body.view(), url_.text);
    if (!groups.ok()) return groups;
    for (TargetGroup& group : *groups) group.labels.set("__meta_url", config_.url);
    return groups;
  }

  HttpDiscoveryConfig config_;
  std::shared_ptr<HttpFetcher> fetcher_;
  HttpUrl url_;
  FetchRequest request_;
};

}  // namespace

std::shared_ptr<Discovery> make_http_discovery(HttpDiscoveryConfig config, DiscoveryContext& context) {
  return std::make_shared<HttpDiscovery>(std::move(config), context);
}

}  // namespace pipit
