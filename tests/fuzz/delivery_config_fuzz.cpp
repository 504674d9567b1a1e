#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "delivery/alert_book.h"
#include "delivery/delivery_config.h"
#include "delivery/notification_log.h"
#include "delivery/silences.h"

namespace {

using pipit::alert_matchers_text;

/// What is read of matchers is what their text says.
void read_matchers(std::string_view text) {
  (void)pipit::parse_alert_matcher(text);
  const auto matchers = pipit::parse_alert_matchers(text);
  if (!matchers.ok()) return;
  const std::string written = alert_matchers_text(*matchers);
  const auto again = pipit::parse_alert_matchers(written);
  if (!again.ok() || alert_matchers_text(*again) != written) std::abort();
}

}  // namespace

/// Any bytes are a configuration, matchers or a record, or are refused; a configuration as it is shown loads again.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  read_matchers(text);
  if (const auto alert = pipit::decode_alert(text)) {
    if (!pipit::decode_alert(pipit::encode_alert(alert->alert, alert->resolved))) std::abort();
  }
  if (const auto silence = pipit::decode_silence("id", text)) {
    if (!pipit::decode_silence("id", pipit::encode_silence(*silence))) std::abort();
  }
  if (const auto told = pipit::decode_told(text)) {
    if (!pipit::decode_told(pipit::encode_told(told->first, told->second))) std::abort();
  }
  const auto config = pipit::parse_delivery_config(text, "fuzz.yml");
  if (!config.ok()) {
    if (!config.error().message.starts_with("fuzz.yml:")) std::abort();
    return 0;
  }
  for (const auto& [name, intervals] : config->time_intervals) {
    for (const auto& interval : intervals) (void)interval.contains(static_cast<pipit::TimestampMs>(size) << 30);
  }
  (void)pipit::matching_routes(config->route, pipit::Labels{{"a", "b"}, {"severity", "page"}});
  if (config->redacted_text.find("<secret>") == std::string::npos &&
      !pipit::parse_delivery_config(config->redacted_text, "fuzz.yml").ok()) {
    std::abort();
  }
  return 0;
}
