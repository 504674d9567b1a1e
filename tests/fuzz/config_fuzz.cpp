#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "config/config.h"

/// Any bytes load or are refused; what is shown of a configuration that loads, loads again.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto config = pipit::parse_config({reinterpret_cast<const char*>(data), size}, "fuzz.yml");
  if (!config.ok()) {
    if (!config.error().message.starts_with("fuzz.yml:")) std::abort();
    return 0;
  }
  if (config->redacted_text.find("<secret>") == std::string::npos &&
      !pipit::parse_config(config->redacted_text, "fuzz.yml").ok()) {
    std::abort();
  }
  return 0;
}
