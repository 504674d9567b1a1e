#include "delivery/record_writer.h"

#include <openssl/evp.h>

#include <algorithm>
#include <limits>

#include "telemetry/log.h"
#include "telemetry/metrics.h"

namespace pipit {
namespace {

/// Of one write, which others wait for.
constexpr std::size_t kBatchBytes = 1 << 20;
constexpr std::size_t kBatchRecords = 2000;
/// A record store takes no larger ones.
constexpr std::size_t kMostBytes = 1 << 20;
constexpr std::int64_t kFirstBackoff = 1000;
constexpr std::int64_t kLastBackoff = 30'000;

}  // namespace

RecordWriter::RecordWriter(Write write, MetricsRegistry& metrics)
    : write_(std::move(write)),
      writes_(metrics.counter("pipit_delivery_record_writes_total",
                              "Writes of what delivery must not forget: alerts, and what was told.")),
      failures_(metrics.counter("pipit_delivery_record_write_failures_total",
                                "Such writes that failed; what they held is written again.")) {}

void RecordWriter::put(std::string key, std::optional<std::string> value) {
  if (value && value->size() > kMostBytes) {
    log_error("What delivery knows is too large to be kept on the disk", {{"record", key}, {"bytes", value->size()}});
    value = std::nullopt;  // what was there is true no more
  }
  if (const auto known = places_.find(key); known != places_.end()) {
    const auto place = known->second;
    places_.erase(known);
    waiting_.erase(place);
  }
  waiting_.push_back({++newest_, {std::move(key), std::move(value)}});
  places_.emplace(waiting_.back().change.key, std::prev(waiting_.end()));
}

std::int64_t RecordWriter::run(std::int64_t steady_now) {
  constexpr auto kNever = std::numeric_limits<std::int64_t>::max();
  steady_ = steady_now;
  if (waiting_.empty() || !on_its_way_.empty()) return kNever;
  if (steady_now < not_before_) return not_before_;
  auto batch = std::make_shared<Changes>();
  std::size_t bytes = 0;
  while (!waiting_.empty() && bytes < kBatchBytes && batch->size() < kBatchRecords) {
    const RecordStore::Change& change = waiting_.front().change;
    bytes += change.key.size() + (change.value ? change.value->size() : 0);
    batch->push_back(change);
    places_.erase(change.key);
    on_its_way_.splice(on_its_way_.end(), waiting_, waiting_.begin());
  }
  writes_.add();
  write_(std::move(batch), [this](const Status& status) { written(status); });
  return kNever;
}

void RecordWriter::written(const Status& status) {
  if (status.ok()) {
    if (std::exchange(failing_, false)) log_info("What delivery must not forget is written again");
    backoff_ = 0;
    durable_ = std::max(durable_, on_its_way_.back().number);
    on_its_way_.clear();
    return;
  }
  failures_.add();
  if (!std::exchange(failing_, true)) {
    log_error("What delivery must not forget can't be written; it is tried again", {{"err", status.error()}});
  }
  backoff_ = backoff_ == 0 ? kFirstBackoff : std::min(backoff_ * 2, kLastBackoff);
  not_before_ = steady_ + backoff_;
  // Back to the front, but for records that have changed since.
  on_its_way_.remove_if([this](const Item& item) { return places_.contains(item.change.key); });
  for (auto it = on_its_way_.begin(); it != on_its_way_.end(); ++it) places_.emplace(it->change.key, it);
  waiting_.splice(waiting_.begin(), on_its_way_);
}

RecordWriter::Changes RecordWriter::remaining() const {
  Changes changes;
  for (const auto* items : {&on_its_way_, &waiting_}) {
    for (const Item& item : *items) changes.push_back(item.change);
  }
  return changes;
}

std::string record_key(std::string_view kind, std::string_view identity) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  EVP_Digest(identity.data(), identity.size(), digest, &size, EVP_sha256(), nullptr);
  std::string key(kind);
  key += '/';
  for (unsigned int i = 0; i < std::min(size, 16U); ++i) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    key += kDigits[digest[i] >> 4];
    key += kDigits[digest[i] & 15];
  }
  return key;
}

}  // namespace pipit
