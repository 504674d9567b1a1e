#include "scrape/dns_records.h"

#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <netdb.h>
#include <netinet/in.h>
#include <resolv.h>

#include <algorithm>

namespace pipit {
namespace {

/// Seconds for a server, and how often each is asked.
constexpr int kTimeout = 3;
constexpr int kAttempts = 2;
constexpr std::size_t kLargestAnswer = 65'535;

ns_type wire_type(DnsRecordType type) {
  switch (type) {
    case DnsRecordType::a:
      return ns_t_a;
    case DnsRecordType::aaaa:
      return ns_t_aaaa;
    case DnsRecordType::srv:
      return ns_t_srv;
    case DnsRecordType::mx:
      return ns_t_mx;
    case DnsRecordType::ns:
      return ns_t_ns;
  }
  return ns_t_invalid;
}

Error malformed() { return {ErrorKind::unavailable, "malformed DNS answer"}; }

/// Closes what `res_ninit` opened.
class Resolv {
 public:
  Resolv() : ready_(res_ninit(&state_) == 0) {}
  ~Resolv() {
    if (ready_) res_nclose(&state_);
  }
  Resolv(const Resolv&) = delete;
  Resolv& operator=(const Resolv&) = delete;
  bool ready() const { return ready_; }
  struct __res_state& state() { return state_; }

 private:
  struct __res_state state_ {};
  bool ready_;
};

std::optional<std::string> name_at(const ns_msg& message, const unsigned char* at) {
  char name[NS_MAXDNAME];
  const unsigned char* begin = ns_msg_base(message);
  if (dn_expand(begin, ns_msg_end(message), at, name, sizeof name) < 0) return std::nullopt;
  std::string text = name;
  if (text.ends_with('.')) text.pop_back();
  return text;
}

std::optional<DnsRecord> read_record(const ns_msg& message, const ns_rr& record, DnsRecordType type) {
  const unsigned char* data = ns_rr_rdata(record);
  const std::size_t size = ns_rr_rdlen(record);
  DnsRecord out;
  std::size_t name_begins = 0;
  char address[INET6_ADDRSTRLEN];
  switch (type) {
    case DnsRecordType::a:
    case DnsRecordType::aaaa: {
      const int family = type == DnsRecordType::a ? AF_INET : AF_INET6;
      if (size != (type == DnsRecordType::a ? 4u : 16u)) return std::nullopt;
      if (inet_ntop(family, data, address, sizeof address) == nullptr) return std::nullopt;
      out.target = address;
      return out;
    }
    case DnsRecordType::srv:
      if (size < 7) return std::nullopt;
      out.port = static_cast<std::uint16_t>(data[4] << 8 | data[5]);
      name_begins = 6;
      break;
    case DnsRecordType::mx:
      if (size < 3) return std::nullopt;
      name_begins = 2;
      break;
    case DnsRecordType::ns:
      if (size < 1) return std::nullopt;
      break;
  }
  auto name = name_at(message, data + name_begins);
  if (!name) return std::nullopt;
  out.target = std::move(*name);
  return out;
}

}  // namespace

Result<std::vector<DnsRecord>> parse_dns_answer(const unsigned char* answer, std::size_t size, DnsRecordType type) {
  ns_msg message;
  if (ns_initparse(answer, static_cast<int>(size), &message) != 0) return malformed();
  std::vector<DnsRecord> records;
  for (int i = 0; i < ns_msg_count(message, ns_s_an); ++i) {
    ns_rr record;
    if (ns_parserr(&message, ns_s_an, i, &record) != 0) return malformed();
    if (ns_rr_type(record) != wire_type(type)) continue;
    auto read = read_record(message, record, type);
    if (!read) return malformed();
    records.push_back(std::move(*read));
  }
  return records;
}

Result<std::vector<DnsRecord>> look_up_records(const std::string& name, DnsRecordType type,
                                               const std::optional<DnsServer>& server) {
  Resolv resolv;
  if (!resolv.ready()) return Error{ErrorKind::unavailable, "the system's resolver could not be initialised"};
  struct __res_state& state = resolv.state();
  state.retrans = kTimeout;
  state.retry = kAttempts;
  if (server) {
    state.nscount = 1;
    state.nsaddr_list[0] = {};
    state.nsaddr_list[0].sin_family = AF_INET;
    state.nsaddr_list[0].sin_port = htons(server->port);
    inet_pton(AF_INET, server->address.c_str(), &state.nsaddr_list[0].sin_addr);
  }
  std::vector<unsigned char> answer(kLargestAnswer);
  const int size =
      res_nsearch(&state, name.c_str(), ns_c_in, wire_type(type), answer.data(), static_cast<int>(answer.size()));
  if (size >= 0) {
    return parse_dns_answer(answer.data(), std::min(static_cast<std::size_t>(size), answer.size()), type);
  }
  switch (state.res_h_errno) {
    case HOST_NOT_FOUND:
      return Error{ErrorKind::not_found, "no such host " + name};
    case NO_DATA:
      return std::vector<DnsRecord>();
    default:
      return Error{ErrorKind::unavailable, "could not resolve " + name + ": no name server answered"};
  }
}

}  // namespace pipit
