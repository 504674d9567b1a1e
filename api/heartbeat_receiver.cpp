#include "api/heartbeat_receiver.h"

#include "api/api_answer.h"
#include "model/duration.h"
#include "telemetry/metrics.h"

namespace pipit {

HeartbeatReceiver::HeartbeatReceiver(const std::vector<std::string>& names, MetricsRegistry& metrics) {
  for (const std::string& name : names) {
    const Labels labels = {{"name", name}};
    Received received{
        metrics.counter("pipit_heartbeats_received_total", "Heartbeats that others have sent here.", labels),
        metrics.gauge("pipit_heartbeat_received_timestamp_seconds",
                      "When a heartbeat came last; until the first one, when this process was started.", labels)};
    received.time.set(static_cast<double>(now_ms()) / 1000);
    names_.emplace(name, received);
  }
}

HttpResponse HeartbeatReceiver::handle(std::string_view name) {
  const auto found = names_.find(name);
  if (found == names_.end()) {
    return text_answer(404, "Heartbeats of this name are not received; --heartbeat.receive names them.\n");
  }
  found->second.count.add();
  found->second.time.set(static_cast<double>(now_ms()) / 1000);
  return text_answer(200, "OK\n");
}

}  // namespace pipit
