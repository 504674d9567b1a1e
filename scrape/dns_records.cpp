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

/// Reads a message of RFC 1035 front to back, within its bounds.
class Message {
 public:
  Message(const unsigned char* begin, std::size_t size) : begin_(begin), at_(begin), end_(begin + size) {}

  /// A name without its last dot; compressed ones may point to what lies before.
  std::optional<std::string> name() {
    char text[NS_MAXDNAME];
    const int used = dn_expand(begin_, end_, at_, text, sizeof text);
    if (used < 0 || used > left()) return std::nullopt;
    at_ += used;
    std::string out = text;
    if (out.ends_with('.')) out.pop_back();
    return out;
  }
  std::optional<std::uint16_t> number() {
    if (left() < 2) return std::nullopt;
    at_ += 2;
    return static_cast<std::uint16_t>(at_[-2] << 8 | at_[-1]);
  }
  bool skip(std::ptrdiff_t bytes) {
    if (left() < bytes) return false;
    at_ += bytes;
    return true;
  }
  std::ptrdiff_t left() const { return end_ - at_; }
  const unsigned char* at() const { return at_; }

 private:
  const unsigned char* begin_;
  const unsigned char* at_;
  const unsigned char* end_;
};

std::optional<DnsRecord> read_address(const Message& message, std::uint16_t size, int family) {
  char text[INET6_ADDRSTRLEN];
  if (size != (family == AF_INET ? 4 : 16)) return std::nullopt;
  if (inet_ntop(family, message.at(), text, sizeof text) == nullptr) return std::nullopt;
  return DnsRecord{text, 0};
}

/// The data of a record, of which `size` bytes are there.
std::optional<DnsRecord> read_data(Message message, std::uint16_t size, DnsRecordType type) {
  if (type == DnsRecordType::a) return read_address(message, size, AF_INET);
  if (type == DnsRecordType::aaaa) return read_address(message, size, AF_INET6);
  DnsRecord record;
  if (type == DnsRecordType::srv) {  // priority, weight, port
    if (size < 7 || !message.skip(4)) return std::nullopt;
    record.port = message.number().value_or(0);
  }
  if (type == DnsRecordType::mx && (size < 3 || !message.skip(2))) return std::nullopt;  // preference
  auto name = message.name();
  if (size < 1 || !name) return std::nullopt;
  record.target = std::move(*name);
  return record;
}

}  // namespace

Result<std::vector<DnsRecord>> parse_dns_answer(const unsigned char* answer, std::size_t size, DnsRecordType type) {
  Message message(answer, size);
  if (!message.skip(4)) return malformed();  // id and flags
  const auto questions = message.number();
  const auto answers = message.number();
  if (!answers || !message.skip(4)) return malformed();  // the numbers of other records
  for (int i = 0; i < *questions; ++i) {
    if (!message.name() || !message.skip(4)) return malformed();  // type and class
  }
  std::vector<DnsRecord> records;
  for (int i = 0; i < *answers; ++i) {
    if (!message.name()) return malformed();
    const auto wire = message.number();
    if (!wire || !message.skip(6)) return malformed();  // class and time to live
    const auto length = message.number();
    if (!length || message.left() < *length) return malformed();
    if (*wire == wire_type(type)) {
      auto record = read_data(message, *length, type);
      if (!record) return malformed();
      records.push_back(std::move(*record));
    }
    message.skip(*length);
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
