#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "config/discovery_config.h"
#include "model/result.h"

namespace pipit {

/// What a record says: a name without its last dot, or an address as text; the port of SRV records.
struct DnsRecord {
  std::string target;
  std::uint16_t port = 0;
  bool operator==(const DnsRecord&) const = default;
};

/// An IPv4 name server in place of those of /etc/resolv.conf.
struct DnsServer {
  std::string address;
  std::uint16_t port = 53;
};

/// Asks for the records of a name, with the search list of /etc/resolv.conf; blocks for some ten seconds at most. An
/// empty list: the name has none. Records of other types, such as the CNAMEs on the way, are left out.
/// Errors: not_found when the name does not exist, unavailable when no server answers or the answer is malformed.
Result<std::vector<DnsRecord>> look_up_records(const std::string& name, DnsRecordType type,
                                               const std::optional<DnsServer>& server = std::nullopt);

/// Reads the records of a type from an answer in wire format. Errors: unavailable when it is malformed.
Result<std::vector<DnsRecord>> parse_dns_answer(const unsigned char* answer, std::size_t size, DnsRecordType type);

}  // namespace pipit
