#include "api/server.h"

#include <chrono>
#include <mutex>
#include <optional>

#include "api/admin_handlers.h"
#include "api/api_answer.h"
#include "api/delivery_handlers.h"
#include "api/feature_handlers.h"
#include "api/federation.h"
#include "api/handler_metrics.h"
#include "api/heartbeat_receiver.h"
#include "api/http_exchange.h"
#include "api/http_server.h"
#include "api/page_handlers.h"
#include "api/query_handlers.h"
#include "api/remote_read.h"
#include "api/remote_write.h"
#include "api/rule_handlers.h"
#include "api/search_handlers.h"
#include "api/status_handlers.h"
#include "api/target_handlers.h"
#include "api/web_security.h"
#include "model/duration.h"
#include "model/matcher.h"
#include "telemetry/log.h"

namespace pipit {
namespace {

constexpr std::string_view kApi = "/api/v1/";
constexpr std::string_view kLabelPath = "/api/v1/label/";
constexpr std::string_view kWritePath = "/api/v1/write";
constexpr std::string_view kHeartbeatPath = "/-/heartbeat/";
constexpr std::string_view kReplayPath = "/api/v1/status/walreplay";  // for who waits until all is ready
constexpr std::string_view kCrossSite = "Requests from other sites' pages are refused.\n";
constexpr std::string_view kValuesSuffix = "/values";

enum Methods : unsigned { kGet = 1, kPost = 2, kPut = 4, kDelete = 8 };

std::string allowed_methods(unsigned methods) {
  std::string text;
  if (methods & kGet) text += "GET, HEAD, ";
  if (methods & kPost) text += "POST, ";
  if (methods & kPut) text += "PUT, ";
  if (methods & kDelete) text += "DELETE, ";
  return text + "OPTIONS";
}

/// The same as Alertmanager writes it.
std::string allowed_delivery_methods(unsigned methods) {
  if (methods & kDelete) return "DELETE,GET";
  return methods & kPost ? "GET,POST" : "GET";
}

unsigned method_of(const HttpRequest& request) {
  if (request.method == "GET" || request.method == "HEAD") return kGet;
  if (request.method == "POST") return kPost;
  if (request.method == "PUT") return kPut;
  return request.method == "DELETE" ? unsigned{kDelete} : 0u;
}

HttpResponse redirect(std::string where) {
  HttpResponse response = text_answer(302, "");
  response.headers.emplace_back("Location", std::move(where));
  return response;
}

/// The path of a URL, without a slash at its end: "" for https://example.org/.
std::string url_path(std::string_view url) {
  std::size_t scheme = url.find("://");
  std::size_t slash = url.find('/', scheme == std::string_view::npos ? 0 : scheme + 3);
  std::string path(slash == std::string_view::npos ? std::string_view() : url.substr(slash));
  while (path.ends_with('/')) path.pop_back();
  return path;
}

std::string normal_prefix(std::string_view route_prefix, std::string_view external_path) {
  std::string prefix(route_prefix.empty() ? external_path : route_prefix);
  while (prefix.ends_with('/')) prefix.pop_back();
  if (!prefix.empty() && prefix.front() != '/') prefix.insert(0, "/");
  return prefix;
}

}  // namespace

/// The table of what answers where.
class Server::Impl {
 public:
  Impl(ServerOptions options, ServerContext context);

  Status start(std::optional<std::vector<Listener>> listeners);
  void set_ready() { ready_ = true; }
  void stop() { http_.stop(); }
  std::vector<int> ports() const { return http_.ports(); }

 private:
  using Handle = std::function<HttpResponse(const HttpRequest&)>;
  struct Route {
    std::string path;  ///< with a '*' at its end: everything below it
    unsigned methods;
    Handle handle;
    std::unique_ptr<HandlerMetrics> metrics;
  };

  void add(std::string path, unsigned methods, Handle handle, std::string_view metric_name = {});
  void add_query_routes();
  void add_remote_routes();
  void add_status_routes();
  void add_lifecycle_routes();
  void add_admin_routes();
  void add_delivery_routes();
  void add_page_routes();
  HttpServerOptions http_options() const;

  HttpResponse answer(const HttpRequest& request);
  bool admit(const HttpRequest& request, HttpResponse& response) const;
  void add_configured_headers(HttpResponse& response) const;
  HttpResponse route(const HttpRequest& request, HandlerMetrics*& metrics);
  const Route* find_route(std::string_view path) const;
  HttpResponse answer_label_values(const HttpRequest& request) const;
  HttpResponse answer_reload() const;
  HttpResponse answer_quit() const;
  void add_cors_headers(const HttpRequest& request, HttpResponse& response) const;
  RequestClass classify(const RawRequest& request) const;
  HttpServer::TlsSource tls_source() const;
  HttpServer::Verifier verifier() const;

  const ServerOptions options_;
  const ServerContext context_;
  const std::string external_path_;
  const std::string prefix_;
  const TimestampMs start_time_ = now_ms();
  std::optional<Regex> cors_origin_;
  std::atomic<bool> ready_{false};
  std::optional<RemoteWriteReceiver> remote_write_;
  std::optional<HeartbeatReceiver> heartbeats_;
  TsdbStatus tsdb_status_;
  std::vector<Route> routes_;
  HandlerMetrics not_found_metrics_;
  HandlerMetrics refused_metrics_;
  HttpExchange exchange_;
  HttpServer http_;
};

Server::Impl::Impl(ServerOptions options, ServerContext context)
    : options_(std::move(options)),
      context_(std::move(context)),
      external_path_(url_path(options_.external_url)),
      prefix_(normal_prefix(options_.route_prefix, external_path_)),
      not_found_metrics_(context_.metrics, "not_found"),
      refused_metrics_(context_.metrics, "refused"),
      exchange_([this](const HttpRequest& request) { return answer(request); }, options_.read_timeout),
      http_(
          http_options(),
          [this](RawRequest request, const std::atomic<bool>& canceled) {
            return exchange_.answer(std::move(request), canceled);
          },
          [this](const RawRequest& request) { return classify(request); }, context_.metrics, tls_source(), verifier()) {
  add_query_routes();
  add_remote_routes();
  add_status_routes();
  add_lifecycle_routes();
  add_admin_routes();
  add_delivery_routes();
  add_page_routes();
}

HttpServerOptions Server::Impl::http_options() const {
  HttpServerOptions http;
  http.listen_addresses = options_.listen_addresses;
  http.read_timeout = options_.read_timeout;
  http.max_connections = std::max(1u, options_.max_connections);
  return http;
}

Status Server::Impl::start(std::optional<std::vector<Listener>> listeners) {
  auto origin = Regex::compile(options_.cors_origin);
  if (!origin.ok()) return bad_data("the origin for CORS is not a regular expression: " + origin.error().message);
  cors_origin_ = std::move(*origin);
  return listeners ? http_.start(std::move(*listeners)) : http_.start();
}

// ---- the routes ----------------------------------------------------------------------------------------------

void Server::Impl::add(std::string path, unsigned methods, Handle handle, std::string_view metric_name) {
  if (metric_name.empty()) metric_name = path;
  auto metrics = std::make_unique<HandlerMetrics>(context_.metrics, metric_name);
  routes_.push_back({std::move(path), methods, std::move(handle), std::move(metrics)});
}

void Server::Impl::add_query_routes() {
  auto with_context = [this](HttpResponse (*handle)(const ServerContext&, const HttpRequest&)) {
    return [this, handle](const HttpRequest& request) { return handle(context_, request); };
  };
  add("/api/v1/query", kGet | kPost, with_context(handle_query));
  add("/api/v1/query_range", kGet | kPost, with_context(handle_query_range));
  add("/api/v1/format_query", kGet | kPost, with_context(handle_format_query));
  add("/api/v1/parse_query", kGet | kPost, with_context(handle_parse_query));
  add("/api/v1/labels", kGet | kPost, with_context(handle_labels));
  add("/api/v1/series", kGet | kPost, with_context(handle_series));
  add("/api/v1/metadata", kGet, with_context(handle_metadata));
  add("/api/v1/query_exemplars", kGet | kPost, with_context(handle_query_exemplars));
  add("/api/v1/targets/metadata", kGet, with_context(handle_target_metadata));
  add("/api/v1/targets/relabel_steps", kGet, with_context(handle_relabel_steps));
  add("/api/v1/search/metric_names", kGet | kPost, with_context(handle_search_metric_names));
  add("/api/v1/search/label_names", kGet | kPost, with_context(handle_search_label_names));
  add("/api/v1/search/label_values", kGet | kPost, with_context(handle_search_label_values));
  add("/federate", kGet, [this](const HttpRequest& request) {
    return ready_ ? handle_federate(context_, request, options_.lookback_delta)
                  : text_answer(503, "Service Unavailable");
  });
  add(
      "/api/v1/label/*", kGet, [this](const HttpRequest& request) { return answer_label_values(request); },
      "/api/v1/label/:name/values");
}

void Server::Impl::add_remote_routes() {
  add("/api/v1/read", kPost,
      [this](const HttpRequest& request) { return handle_remote_read(context_, request, options_.remote_read); });
  if (options_.enable_remote_write_receiver && context_.appender) {
    remote_write_.emplace(*context_.appender, context_.metrics, context_.exemplars, options_.remote_write_versions);
    add(std::string(kWritePath), kPost, [this](const HttpRequest& request) {
      if (is_cross_site(request)) return text_answer(403, std::string(kCrossSite));
      return remote_write_->handle(request);
    });
    return;
  }
  add(std::string(kWritePath), kPost, [](const HttpRequest&) {
    return text_answer(404, "remote write receiver needs to be enabled with --web.enable-remote-write-receiver\n");
  });
}

void Server::Impl::add_status_routes() {
  add("/api/v1/targets", kGet, [this](const HttpRequest& request) {
    return handle_targets(context_, request, options_.external_url, http_.ports().at(0));
  });
  add("/api/v1/features", kGet, [this](const HttpRequest&) { return handle_features(options_); });
  add("/api/v1/openapi.yaml", kGet, [this](const HttpRequest& request) {
    return handle_openapi(options_, options_.external_url.empty() ? prefix_ : external_path_,
                          request.form.get("openapi_version"));
  });
  add("/api/v1/scrape_pools", kGet, [this](const HttpRequest&) { return handle_scrape_pools(context_); });
  add("/api/v1/status/buildinfo", kGet, [this](const HttpRequest&) { return handle_build_info(options_); });
  add("/api/v1/status/config", kGet, [this](const HttpRequest&) { return handle_config(context_); });
  add("/api/v1/status/flags", kGet, [this](const HttpRequest&) { return handle_flags(context_); });
  add("/api/v1/status/runtimeinfo", kGet,
      [this](const HttpRequest&) { return handle_runtime_info(context_, start_time_); });
  add(std::string(kReplayPath), kGet, [this](const HttpRequest&) { return handle_replay_status(ready_); });
  add("/api/v1/status/tsdb", kGet,
      [this](const HttpRequest& request) { return tsdb_status_.handle(context_, request); });

  add("/api/v1/rules", kGet, [this](const HttpRequest& request) { return handle_rules(context_, request); });
  add("/api/v1/alerts", kGet, [this](const HttpRequest&) { return handle_alerts(context_); });
  add("/api/v1/alertmanagers", kGet, [this](const HttpRequest&) { return handle_alertmanagers(context_); });

  add("/metrics", kGet, [this](const HttpRequest&) {
    HttpResponse response = text_answer(200, context_.metrics.render());
    response.content_type = "text/plain; version=0.0.4; charset=utf-8";
    return response;
  });
}

void Server::Impl::add_lifecycle_routes() {
  add("/-/healthy", kGet, [](const HttpRequest&) { return text_answer(200, "Pipit is Healthy.\n"); });
  add("/-/ready", kGet, [this](const HttpRequest&) {
    return ready_ ? text_answer(200, "Pipit is Ready.\n") : text_answer(503, "Service Unavailable");
  });
  if (!options_.heartbeat_names.empty()) {
    heartbeats_.emplace(options_.heartbeat_names, context_.metrics);
    add(std::string(kHeartbeatPath) + "*", kGet | kPost, [this](const HttpRequest& request) {
      if (is_cross_site(request)) return text_answer(403, std::string(kCrossSite));
      return heartbeats_->handle(std::string_view(request.path).substr(prefix_.size() + kHeartbeatPath.size()));
    });
  }
  for (std::string_view path : {"/-/reload", "/-/quit"}) {
    add(std::string(path), kGet | kPost | kPut, [this, path](const HttpRequest& request) {
      if (request.method == "GET" || request.method == "HEAD") {
        return text_answer(405, "Only POST or PUT requests allowed");
      }
      if (!options_.enable_lifecycle) return text_answer(403, "Lifecycle API is not enabled.");
      if (is_cross_site(request)) return text_answer(403, std::string(kCrossSite));
      return path == "/-/reload" ? answer_reload() : answer_quit();
    });
  }
}

void Server::Impl::add_admin_routes() {
  const auto add_admin = [this](std::string_view name, HttpResponse (*handle)(Store&, const HttpRequest&)) {
    add("/api/v1/admin/tsdb/" + std::string(name), kPost | kPut, [this, handle](const HttpRequest& request) {
      if (!options_.enable_admin_api || !context_.store) {
        return api_error(Error{ErrorKind::unavailable, "admin APIs disabled"});
      }
      if (is_cross_site(request)) return text_answer(403, std::string(kCrossSite));
      return handle(*context_.store, request);
    });
  };
  add_admin("delete_series", handle_delete_series);
  add_admin("clean_tombstones", [](Store& store, const HttpRequest&) { return handle_clean_tombstones(store); });
  add_admin("snapshot", handle_snapshot);
}

void Server::Impl::add_delivery_routes() {
  const std::string api(kDeliveryApi);
  Delivery* delivery = context_.delivery;
  const auto add_writable = [&](const std::string& path, unsigned writes, auto read, auto write,
                                std::string_view name) {
    const auto handle = [=](const HttpRequest& request) {
      if (method_of(request) == kGet) return read(request);
      if (is_cross_site(request)) return text_answer(403, std::string(kCrossSite));
      return write(request);
    };
    add(path, kGet | writes, handle, name);
  };
  if (delivery != nullptr) {
    add(api + "status", kGet,
        [this, delivery](const HttpRequest&) { return handle_delivery_status(*delivery, options_.version); });
    add(api + "receivers", kGet, [delivery](const HttpRequest&) { return handle_receivers(*delivery); });
    add(api + "integrations", kGet, [delivery](const HttpRequest&) { return handle_integrations(*delivery); });
    add(api + "alerts/groups", kGet,
        [delivery](const HttpRequest& request) { return handle_alert_groups(*delivery, request); });
    add_writable(
        api + "alerts", kPost,
        [delivery](const HttpRequest& request) { return handle_delivered_alerts(*delivery, request); },
        [delivery](const HttpRequest& request) { return handle_post_alerts(*delivery, request); }, {});
    add_writable(
        api + "silences", kPost, [delivery](const HttpRequest& request) { return handle_silences(*delivery, request); },
        [delivery](const HttpRequest& request) { return handle_post_silence(*delivery, request); }, {});
    const auto id_of = [start = prefix_.size() + api.size() + 8](const HttpRequest& request) {
      return std::string_view(request.path).substr(start);
    };
    add_writable(
        api + "silence/*", kDelete,
        [=](const HttpRequest& request) { return handle_silence(*delivery, id_of(request)); },
        [=](const HttpRequest& request) { return handle_delete_silence(*delivery, id_of(request)); },
        api + "silence/:id");
  }
  const auto unknown = [this](const HttpRequest& request) {
    return context_.delivery == nullptr ? handle_no_delivery() : handle_unknown_delivery_path(request.path);
  };
  add(api + "*", kGet | kPost | kPut | kDelete, unknown);
}

void Server::Impl::add_page_routes() {
  std::string home = (options_.external_url.empty() ? prefix_ : external_path_) + "/graph";
  add("/", kGet, [home](const HttpRequest&) { return redirect(home); });
  add("/query", kGet, [home](const HttpRequest&) { return redirect(home); });
  add("/graph", kGet, [this](const HttpRequest&) { return handle_page(options_, "graph.html"); });
  add("/targets", kGet, [this](const HttpRequest&) { return handle_page(options_, "targets.html"); });
  add("/alerts", kGet, [this](const HttpRequest&) { return handle_page(options_, "rules.html"); });
  add("/delivery", kGet, [this](const HttpRequest&) { return handle_page(options_, "delivery.html"); });
  add("/rules", kGet, [this](const HttpRequest&) { return handle_page(options_, "rules.html"); });
  add(
      "/assets/*", kGet, [](const HttpRequest& request) { return handle_asset(request.path); }, "/assets");
}

// ---- answering -----------------------------------------------------------------------------------------------

HttpResponse Server::Impl::answer(const HttpRequest& request) {
  auto start = std::chrono::steady_clock::now();
  HandlerMetrics* metrics = &not_found_metrics_;
  HttpResponse response;
  if (!admit(request, response)) {
    metrics = &refused_metrics_;
  } else {
    response = route(request, metrics);
  }
  response.headers.emplace_back("X-Content-Type-Options", "nosniff");
  if (context_.security) add_configured_headers(response);
  std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  metrics->count(response.status, seconds.count());
  return response;
}

/// Whether the web configuration lets the request in; if not, `response` says why.
bool Server::Impl::admit(const HttpRequest& request, HttpResponse& response) const {
  if (!context_.security) return true;
  if (!context_.security->take_rate()) {
    response = text_answer(429, "Too Many Requests\n");
    return false;
  }
  if (context_.security->verify(request.authorization) == WebSecurity::Verdict::allowed) return true;
  response = text_answer(401, "Unauthorized\n");
  response.headers.emplace_back("WWW-Authenticate", "Basic");
  return false;
}

void Server::Impl::add_configured_headers(HttpResponse& response) const {
  for (auto& [name, value] : context_.security->headers()) {
    std::erase_if(response.headers, [&name](const auto& header) { return header.first == name; });
    response.headers.emplace_back(name, value);
  }
}

HttpResponse Server::Impl::route(const HttpRequest& request, HandlerMetrics*& metrics) {
  std::string_view path = request.path;
  if (!path.starts_with(prefix_)) {
    return path == "/" ? redirect(prefix_ + "/") : text_answer(404, "404 page not found\n");
  }
  path.remove_prefix(prefix_.size());
  if (path.empty()) path = "/";
  const bool is_delivery = path.starts_with(kDeliveryApi);
  const bool is_api = is_delivery || path.starts_with(kApi);

  const Route* found = find_route(path);
  HttpResponse response;
  if (is_api && request.method == "OPTIONS") {
    response.status = 204;
  } else if (!found) {
    response = text_answer(404, "404 page not found\n");
  } else {
    metrics = found->metrics.get();
    if ((found->methods & method_of(request)) == 0 && is_delivery) {
      response = handle_wrong_delivery_method(request.method, allowed_delivery_methods(found->methods));
    } else if ((found->methods & method_of(request)) == 0) {
      response = text_answer(405, "Method Not Allowed\n");
      response.headers.emplace_back("Allow", allowed_methods(found->methods));
    } else if (is_api && !ready_ && path != kReplayPath) {
      response = text_answer(503, "Service Unavailable");
    } else if (is_api && !request.form_status.ok()) {
      response = api_error(request.form_status.error());
    } else {
      response = found->handle(request);
    }
  }
  if (is_api) add_cors_headers(request, response);
  return response;
}

const Server::Impl::Route* Server::Impl::find_route(std::string_view path) const {
  for (const Route& route : routes_) {
    std::string_view pattern = route.path;
    bool matches = path == pattern;
    if (pattern.ends_with('*')) {
      pattern.remove_suffix(1);
      matches = path.starts_with(pattern) && path.size() > pattern.size();
    }
    if (matches) return &route;
  }
  return nullptr;
}

HttpServer::TlsSource Server::Impl::tls_source() const {
  WebSecurity* security = context_.security;
  if (security == nullptr || !security->is_tls()) return nullptr;
  return [security] { return security->tls(); };
}

HttpServer::Verifier Server::Impl::verifier() const {
  WebSecurity* security = context_.security;
  if (security == nullptr) return nullptr;
  return [security](const RawRequest& request) { security->verify(request.authorization); };
}

RequestClass Server::Impl::classify(const RawRequest& request) const {
  if (context_.security) {
    const auto verdict = context_.security->verdict(request.authorization);
    if (verdict == WebSecurity::Verdict::unknown) return RequestClass::verify;
    if (verdict == WebSecurity::Verdict::unauthorized) return RequestClass::quick;
  }
  std::string_view target = request.target;
  if (!target.starts_with(prefix_)) return RequestClass::quick;
  target.remove_prefix(prefix_.size());
  if (target.starts_with(kWritePath)) return RequestClass::write;
  // A silence is on the disk when it is answered.
  if (target.starts_with(kDeliveryApi)) return request.method == "GET" ? RequestClass::query : RequestClass::write;
  for (std::string_view start : {"/api/v1/query", "/api/v1/read", "/api/v1/series", "/api/v1/label", "/api/v1/metadata",
                                 "/api/v1/search", "/api/v1/status/tsdb", "/api/v1/admin", "/federate"}) {
    if (target.starts_with(start)) return RequestClass::query;
  }
  return RequestClass::quick;
}

HttpResponse Server::Impl::answer_label_values(const HttpRequest& request) const {
  std::string_view path = std::string_view(request.path).substr(prefix_.size());
  if (!path.ends_with(kValuesSuffix) || path.size() <= kLabelPath.size() + kValuesSuffix.size()) {
    return text_answer(404, "404 page not found\n");
  }
  path.remove_prefix(kLabelPath.size());
  path.remove_suffix(kValuesSuffix.size());
  // A name with a slash in it comes escaped, with U__.
  if (path.find('/') != std::string_view::npos) return text_answer(404, "404 page not found\n");
  return handle_label_values(context_, request, path);
}

HttpResponse Server::Impl::answer_reload() const {
  Status status = context_.reload ? context_.reload() : Status();
  if (status.ok()) return text_answer(200, "");
  return text_answer(500, "failed to reload config: " + status.error().message + "\n");
}

HttpResponse Server::Impl::answer_quit() const {
  if (context_.quit) context_.quit();
  return text_answer(200, "Requesting termination... Goodbye!");
}

void Server::Impl::add_cors_headers(const HttpRequest& request, HttpResponse& response) const {
  response.headers.emplace_back("Vary", "Origin");
  if (request.origin.empty()) return;
  bool any = cors_origin_->pattern() == ".*";
  if (!any && !cors_origin_->full_match(request.origin)) return;
  response.headers.emplace_back("Access-Control-Allow-Headers", "Accept, Authorization, Content-Type, Origin");
  response.headers.emplace_back("Access-Control-Allow-Methods", "GET, POST, OPTIONS");
  response.headers.emplace_back("Access-Control-Expose-Headers", "Date");
  response.headers.emplace_back("Access-Control-Allow-Origin", any ? std::string("*") : request.origin);
}

Server::Server(ServerOptions options, ServerContext context)
    : impl_(std::make_unique<Impl>(std::move(options), std::move(context))) {}

Server::~Server() { stop(); }

Status Server::start() { return impl_->start(std::nullopt); }
Status Server::start(std::vector<Listener> listeners) { return impl_->start(std::move(listeners)); }

void Server::set_ready() { impl_->set_ready(); }

void Server::stop() { impl_->stop(); }

std::vector<int> Server::ports() const { return impl_->ports(); }

}  // namespace pipit
