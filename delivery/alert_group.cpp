#include "delivery/alert_group.h"

#include <openssl/evp.h>

#include <cstring>

#include "storage/coding.h"

namespace pipit {
namespace {

/// As common's LabelSet.Before has it: fewer labels first; then the names of both in order.
bool set_before(const Labels& a, const Labels& b) {
  if (a.size() != b.size()) return a.size() < b.size();
  auto i = a.begin();
  auto j = b.begin();
  for (; i != a.end(); ++i, ++j) {
    if (i->name != j->name) return i->name > j->name;  // the other one has a name that this one lacks
    if (i->value != j->value) return i->value < j->value;
  }
  return false;
}

}  // namespace

bool told_before(const DeliveredAlert& a, const DeliveredAlert& b) {
  for (const std::string_view name : {"job", "instance"}) {
    const std::string_view first = a.labels.get(name);
    const std::string_view second = b.labels.get(name);
    if (first == second) continue;
    if (first.empty() || second.empty()) return second.empty();
    return first < second;
  }
  return set_before(a.labels, b.labels);
}

std::uint64_t notification_id(const std::string& log_key, std::uint64_t told_before,
                              const std::vector<DeliveredAlertPtr>& alerts, TimestampMs now) {
  std::string text;
  put_text(text, log_key);
  put_varint(text, told_before);
  for (const DeliveredAlertPtr& alert : alerts) {
    put_varint(text, alert_fingerprint(alert->labels));
    put_varint(text, static_cast<std::uint64_t>(alert->starts_at));
    text += alert->resolved_at(now) ? 'r' : 'f';
  }
  unsigned char digest[EVP_MAX_MD_SIZE] = {};
  unsigned int size = 0;
  EVP_Digest(text.data(), text.size(), digest, &size, EVP_sha256(), nullptr);
  std::uint64_t id = 0;
  std::memcpy(&id, digest, sizeof id);
  return id;
}

}  // namespace pipit
