// What discovery reads from elsewhere: lists of targets, the Docker engine's answers, DNS answers. The first byte says
// which.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "config/target_groups.h"
#include "scrape/dns_records.h"
#include "scrape/docker_labels.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data + 1), size - 1);
  switch (data[0] % 5) {
    case 0:
      static_cast<void>(pipit::parse_json_target_groups(text, "fuzz.json").ok());
      break;
    case 1:
      static_cast<void>(pipit::parse_yaml_target_groups(text, "fuzz.yml").ok());
      break;
    case 2:
      static_cast<void>(pipit::docker_targets(text, R"([{"Id": "n", "Name": "net", "Labels": {"a": "b"}}])", {}).ok());
      break;
    case 3:
      static_cast<void>(
          pipit::docker_targets(
              R"([{"Id": "c", "Names": ["/c"], "NetworkSettings": {"Networks": {"x": {"NetworkID": "n"}}}}])", text, {})
              .ok());
      break;
    default:
      for (const auto type : {pipit::DnsRecordType::a, pipit::DnsRecordType::aaaa, pipit::DnsRecordType::srv,
                              pipit::DnsRecordType::mx, pipit::DnsRecordType::ns}) {
        static_cast<void>(pipit::parse_dns_answer(data + 1, size - 1, type).ok());
      }
  }
  return 0;
}
