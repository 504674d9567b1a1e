// `docker_sd_configs`: the engine's HTTP API, over its unix socket or TCP.

#include <nlohmann/json.hpp>

#include "scrape/docker_labels.h"
#include "scrape/http_access.h"
#include "scrape/polled_discovery.h"
#include "scrape/url_encoding.h"

namespace pipit {
namespace {

constexpr std::uint64_t kLargestAnswer = 32u << 20;

class DockerDiscovery final : public PolledDiscovery {
 public:
  DockerDiscovery(DockerDiscoveryConfig config, DiscoveryContext& context)
      : PolledDiscovery(context, config.refresh_interval, "docker", config.host),
        config_(std::move(config)),
        fetcher_(context.client.fetcher()) {
    // As in Prometheus, options are for hosts that are asked by HTTP.
    if (config_.host.starts_with("http")) request_.access = context.client.access(config_.http_client);
    request_.body_limit = kLargestAnswer;
    request_.timeout = std::chrono::milliseconds(std::max<DurationMs>(config_.refresh_interval, 1000));
    request_.headers =
        std::make_shared<const std::string>("User-Agent: " + context.user_agent + "\r\nAccept: application/json\r\n");
  }

  void stop() override {
    PolledDiscovery::stop();
    fetcher_->cancel();
    if (request_.access) request_.access->stop();
  }

 private:
  void refresh() override {
    ask("/containers/json" + filters(), [this](std::string_view containers) {
      containers_ = containers;
      ask("/networks", [this](std::string_view networks) {
        auto targets = docker_targets(containers_, networks, config_);
        containers_ = {};
        targets.ok() ? found(std::move(*targets)) : failed(targets.error().message);
      });
    });
  }

  std::string filters() const {
    if (config_.filters.empty()) return {};
    nlohmann::json filters = nlohmann::json::object();
    for (const auto& [name, values] : config_.filters) {
      for (const std::string& value : values) filters[name][value] = true;
    }
    std::string query = "?filters=";
    append_query_escaped(query, filters.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
    return query;
  }

  void ask(const std::string& path, const std::function<void(std::string_view)>& then) {
    auto url = url_of(path);
    if (!url.ok()) {
      failed(url.error().message);
      return;
    }
    url_ = std::move(*url);
    request_.url = &url_;
    fetcher_->fetch(request_, [this, keep = shared_from_this(), then](FetchResult result) {
      const std::string body(result.body.view());
      context_.client.pages().give(std::move(result.body));
      result.status.ok() ? then(body) : failed(result.status.error().message);
    });
  }

  Result<HttpUrl> url_of(const std::string& path) const {
    const std::string& host = config_.host;
    if (host.starts_with("unix://")) {
      auto url = parse_http_url("http://docker" + path);
      if (!url.ok()) return url;
      url->endpoint.socket_path = host.substr(7);
      return url;
    }
    std::string base = host.starts_with("tcp://") ? "http://" + host.substr(6) : host;
    while (base.ends_with('/')) base.pop_back();
    return parse_http_url(base + path);
  }

  DockerDiscoveryConfig config_;
  std::shared_ptr<HttpFetcher> fetcher_;
  HttpUrl url_;
  FetchRequest request_;
  std::string containers_;
};

}  // namespace

std::shared_ptr<Discovery> make_docker_discovery(DockerDiscoveryConfig config, DiscoveryContext& context) {
  return std::make_shared<DockerDiscovery>(std::move(config), context);
}

}  // namespace pipit
