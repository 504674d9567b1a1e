#include "tools/alert_try.h"

#include <signal.h>
#include <CLI/CLI.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstdio>

#include "config/suggestion.h"
#include "delivery/delivery_config.h"
#include "delivery/integration.h"
#include "delivery/notification_templates.h"
#include "scrape/blocking_calls.h"
#include "scrape/http_client.h"
#include "tools/delivery_client.h"
#include "tools/query_output.h"
#include "tools/sample_notification.h"

namespace pipit {
namespace {

using Kind = DeliveryOutcome::Kind;

struct Options {
  std::string file = "alertmanager.yml";
  std::string receiver;
  std::string external_url = "http://localhost:9090";
  std::vector<std::string> labels;
  std::vector<std::string> annotations;
  bool resolved = false;
  bool verbose = false;
};

void print_conversation(const std::string& conversation) {
  for (std::size_t begin = 0; begin < conversation.size();) {
    const std::size_t end = std::min(conversation.find('\n', begin), conversation.size());
    std::printf("    %s\n", printable(conversation.substr(begin, end - begin)).c_str());
    begin = end + 1;
  }
}

/// Tells by each integration, one after the other, and says how it went. Returns how many failed.
int tell(const ReceiverConfig& receiver, const Notification& notification, const IntegrationContext& context,
         const Options& options) {
  int failures = 0;
  const auto shared = std::make_shared<const Notification>(notification);
  for (const auto& integration : make_integrations(receiver, context)) {
    const std::string kind(integration->kind());
    if (options.resolved && !integration->sends_resolved()) {
      std::printf("%s: not told, as send_resolved is false\n", kind.c_str());
      continue;
    }
    const auto began = std::chrono::steady_clock::now();
    std::optional<DeliveryOutcome> outcome;
    integration->notify(shared, [&outcome](DeliveryOutcome how) { outcome = std::move(how); });
    context.io.restart();
    while (!outcome && context.io.run_one() > 0) {
    }
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    if (!outcome) outcome = DeliveryOutcome{Kind::failed, "nothing was heard of it", {}, std::nullopt};
    const bool delivered = outcome->kind == Kind::delivered;
    const char* how = delivered                        ? "delivered"
                      : outcome->kind == Kind::refused ? "refused, and so not tried again before the group's next time"
                                                       : "failed, and so tried again";
    std::printf("%s: %s (%.2f s)%s%s\n", kind.c_str(), how, seconds, outcome->reason.empty() ? "" : ": ",
                printable(outcome->reason).c_str());
    if (!delivered || options.verbose) print_conversation(outcome->conversation);
    failures += delivered ? 0 : 1;
  }
  return failures;
}

}  // namespace

int try_receiver(int argc, char** argv) {
  Options options;
  CLI::App app(
      "Sends a test notification by a receiver of an Alertmanager's configuration, from this process: no server is "
      "asked. Says of each way of telling how it went, and when it failed all that was said, without secrets.",
      "pipit alert try");
  app.add_option("RECEIVER", options.receiver, "A name under `receivers`")->required();
  app.add_option("--alertmanager.config.file,--config.file", options.file, "The configuration")->capture_default_str();
  add_pairs_option(app, "--label", options.labels, "Another label of the test alert");
  add_pairs_option(app, "--annotation", options.annotations, "Another annotation");
  app.add_option("--web.external-url", options.external_url, "The address in links")->capture_default_str();
  app.add_flag("--resolved", options.resolved, "The alert is over");
  app.add_flag("-v,--verbose", options.verbose, "Shows what was said also when it went well");
  if (const auto code = parse_command(app, argc, argv)) return *code;
  ::signal(SIGPIPE, SIG_IGN);  // a server that hangs up is to be reported
  std::vector<Label> labels, annotations;
  if (!read_pairs(options.labels, labels) || !read_pairs(options.annotations, annotations)) {
    return misused("labels and annotations are written NAME=VALUE");
  }
  auto config = load_delivery_config(options.file);
  if (!config.ok()) {
    std::fprintf(stderr, "pipit alert try: %s\n", config.error().message.c_str());
    return kRefused;
  }
  const ReceiverConfig* receiver = nullptr;
  std::vector<std::string_view> names;
  for (const ReceiverConfig& each : config->receivers) {
    names.push_back(each.name);
    if (each.name == options.receiver) receiver = &each;
  }
  if (receiver == nullptr) {
    std::fprintf(stderr, "pipit alert try: %s has no receiver \"%s\"%s\n", options.file.c_str(),
                 options.receiver.c_str(), suggestion(options.receiver, names).c_str());
    return kRefused;
  }
  if (receiver->integrations.empty()) {
    std::fprintf(stderr, "pipit alert try: receiver \"%s\" tells nobody\n", options.receiver.c_str());
    return kRefused;
  }
  auto templates = NotificationTemplates::load(config->templates);
  if (!templates.ok()) {
    std::fprintf(stderr, "pipit alert try: %s\n", templates.error().message.c_str());
    return kRefused;
  }
  boost::asio::io_context io;
  PageBufferPool pages;
  HttpClient client(io, pages);
  BlockingCalls calls(io, 1);
  while (options.external_url.ends_with('/')) options.external_url.pop_back();
  const IntegrationContext context{io, client, calls, *templates, options.external_url, "Pipit"};
  const Notification notification = sample_notification(options.receiver, labels, annotations, options.resolved);
  return tell(*receiver, notification, context, options) == 0 ? kDone : kRefused;
}

}  // namespace pipit
