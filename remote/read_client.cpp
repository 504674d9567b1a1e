#include "remote/read_client.h"

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <memory>
#include <optional>

#include "scrape/http_access.h"
#include "scrape/http_client.h"
#include "scrape/page_buffer.h"
#include "telemetry/log.h"

namespace pipit {
namespace {

/// Of an answer as it comes.
constexpr std::uint64_t kLargestBody = 128u << 20;
/// How soon a query that was canceled ends its request.
constexpr std::chrono::milliseconds kLook{50};

Labels of(const RemoteReadConfig& config) {
  // Without a name and password that the URL may have.
  auto url = parse_http_url(config.url);
  return {{"remote_name", config.name.empty() ? "remote_read" : config.name}, {"url", url.ok() ? url->text : ""}};
}

std::string headers_of(const RemoteReadConfig& config, const std::string& user_agent) {
  std::string headers = "User-Agent: " + user_agent +
                        "\r\nContent-Encoding: snappy\r\n"
                        "X-Prometheus-Remote-Read-Version: 0.1.0\r\n";
  for (const auto& [name, value] : config.headers) {
    if (const auto line = header_line(name, value); line.ok()) headers += *line;
  }
  return headers;
}

}  // namespace

ReadClient::ReadClient(RemoteReadConfig config, MetricsRegistry& metrics, std::string user_agent)
    : config_(std::move(config)),
      user_agent_(std::move(user_agent)),
      reads_(
          metrics.counter("pipit_remote_read_requests_total", "Requests of remote read that were made.", of(config_))),
      failures_(
          metrics.counter("pipit_remote_read_failures_total", "Requests of remote read that failed.", of(config_))),
      running_(metrics.gauge("prometheus_remote_storage_remote_read_queries", "Remote reads that are under way.",
                             of(config_))) {}

Result<std::vector<RemoteSeries>> ReadClient::read(std::span<const Matcher> matchers, TimestampMs start,
                                                   TimestampMs end, const std::atomic<bool>* canceled) const {
  reads_.add();
  running_.add(1);
  auto series = ask(encode_read_request(matchers, start, end), start, end, canceled);
  running_.add(-1);
  if (series.ok()) return series;
  failures_.add();
  return Error{series.error().kind, "remote read: " + series.error().message};
}

Result<std::vector<RemoteSeries>> ReadClient::ask(const std::string& body, TimestampMs start, TimestampMs end,
                                                  const std::atomic<bool>* canceled) const {
  auto url = parse_http_url(config_.url);
  if (!url.ok()) return url.error();
  boost::asio::io_context io{1};
  PageBufferPool pages;
  HttpClient client(io, pages);
  FetchRequest request;
  request.url = &*url;
  request.headers = std::make_shared<const std::string>(headers_of(config_, user_agent_));
  request.body_limit = kLargestBody;
  request.timeout = std::chrono::milliseconds(config_.remote_timeout);
  request.access = client.access(config_.http_client);
  request.form = std::make_shared<const std::string>(body);
  request.form_type = "application/x-protobuf";
  request.raw = true;
  const auto fetcher = client.fetcher();
  std::optional<FetchResult> result;
  fetcher->fetch(request, [&](FetchResult answer) { result = std::move(answer); });
  while (!result && (canceled == nullptr || !*canceled)) io.run_one_for(kLook);
  if (!result) {
    fetcher->cancel();
    return Error{ErrorKind::canceled, "canceled"};
  }
  if (!result->status.ok()) {
    std::string_view said = result->body.view().substr(0, 256);
    said = said.substr(0, said.find('\n'));
    Error error = result->status.error();
    if (!said.empty()) error.message += ": " + std::string(said);
    return error;
  }
  const ReadAnswerLimits limits{.frame_bytes = config_.chunked_read_limit};
  const std::string_view bytes = result->body.view();
  if (result->content_type.starts_with("application/x-streamed-protobuf")) {
    return decode_read_stream(bytes, start, end, limits);
  }
  if (result->content_type.starts_with("application/x-protobuf")) {
    return decode_read_response(bytes, start, end, limits);
  }
  return bad_data("unsupported content type \"" + result->content_type + "\" of " + url->text);
}

}  // namespace pipit
