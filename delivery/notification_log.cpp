// Source of the rules: Alertmanager 0.28, notify/notify.go (DedupStage) and nflog/nflog.go.

#include "delivery/notification_log.h"

#include <algorithm>

#include "delivery/record_writer.h"
#include "storage/coding.h"

namespace pipit {
namespace {

constexpr std::uint8_t kFormat = 1;
/// Who can post alerts can have many groups told of.
constexpr std::size_t kMostEntries = 200'000;

bool read_set(ByteReader& reader, std::vector<std::uint64_t>& set) {
  std::uint64_t count = 0;
  if (!reader.varint(count) || count > reader.remaining() / 8) return false;
  set.resize(count);
  for (std::uint64_t& hash : set) {
    if (!reader.fixed64(hash)) return false;
  }
  return std::is_sorted(set.begin(), set.end());
}

bool is_subset(const std::vector<std::uint64_t>& set, const std::vector<std::uint64_t>& of) {
  return std::includes(of.begin(), of.end(), set.begin(), set.end());
}

}  // namespace

bool needs_telling(const ToldEntry* told, const std::vector<std::uint64_t>& firing,
                   const std::vector<std::uint64_t>& resolved, bool sends_resolved, DurationMs repeat_interval,
                   TimestampMs now) {
  if (told == nullptr) return !firing.empty();
  if (!is_subset(firing, told->firing)) return true;
  // That all is over is noted whether it is sent or not. Alerts that came and went in between are nobody's business.
  if (firing.empty()) return !told->firing.empty();
  if (sends_resolved && !is_subset(resolved, told->resolved)) return true;
  return told->at < now - repeat_interval;
}

std::string encode_told(const std::string& key, const ToldEntry& entry) {
  std::string out(1, static_cast<char>(kFormat));
  put_text(out, key);
  put_varint(out, entry.number);
  put_varint(out, static_cast<std::uint64_t>(entry.at));
  put_varint(out, static_cast<std::uint64_t>(entry.expires_at));
  for (const auto* set : {&entry.firing, &entry.resolved}) {
    put_varint(out, set->size());
    for (const std::uint64_t hash : *set) put_fixed64(out, hash);
  }
  return out;
}

std::optional<std::pair<std::string, ToldEntry>> decode_told(std::string_view record) {
  ByteReader reader(record);
  std::uint8_t format = 0;
  std::string_view key;
  std::uint64_t at = 0;
  std::uint64_t expires_at = 0;
  ToldEntry entry;
  if (!reader.byte(format) || format != kFormat || !reader.text(key) || !reader.varint(entry.number) ||
      !reader.varint(at) || !reader.varint(expires_at) || !read_set(reader, entry.firing) ||
      !read_set(reader, entry.resolved) || !reader.done()) {
    return std::nullopt;
  }
  entry.at = static_cast<TimestampMs>(at);
  entry.expires_at = static_cast<TimestampMs>(expires_at);
  return std::pair(std::string(key), std::move(entry));
}

std::size_t NotificationLog::load(const std::vector<std::pair<std::string, std::string>>& records) {
  std::size_t unread = 0;
  for (const auto& [key, record] : records) {
    auto told = decode_told(record);
    if (told) {
      entries_.insert_or_assign(std::move(told->first), std::move(told->second));
    } else {
      ++unread;
    }
  }
  return unread;
}

const ToldEntry* NotificationLog::find(const std::string& key) const {
  const auto known = entries_.find(key);
  return known == entries_.end() ? nullptr : &known->second;
}

void NotificationLog::add(const std::string& key, std::vector<std::uint64_t> firing,
                          std::vector<std::uint64_t> resolved, DurationMs repeat_interval, TimestampMs now) {
  if (entries_.size() >= kMostEntries && !entries_.contains(key)) make_room();
  ToldEntry& entry = entries_[key];
  ++entry.number;
  entry.at = now;
  entry.expires_at = now + std::min(retention_, repeat_interval > retention_ ? retention_ : 2 * repeat_interval);
  entry.firing = std::move(firing);
  entry.resolved = std::move(resolved);
  writer_.put(record_key("told", key), encode_told(key, entry));
}

void NotificationLog::collect_garbage(TimestampMs now, const std::function<bool(const std::string&)>& is_used) {
  for (auto it = entries_.begin(); it != entries_.end();) {
    if (it->second.expires_at > now || is_used(it->first)) {
      ++it;
      continue;
    }
    writer_.put(record_key("told", it->first), std::nullopt);
    it = entries_.erase(it);
  }
}

/// Forgets the oldest tenth.
void NotificationLog::make_room() {
  std::vector<TimestampMs> times;
  times.reserve(entries_.size());
  for (const auto& [key, entry] : entries_) times.push_back(entry.at);
  const auto tenth = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 10);
  std::nth_element(times.begin(), tenth, times.end());
  const TimestampMs oldest = *tenth;
  for (auto it = entries_.begin(); it != entries_.end();) {
    if (it->second.at > oldest) {
      ++it;
      continue;
    }
    writer_.put(record_key("told", it->first), std::nullopt);
    it = entries_.erase(it);
  }
}

}  // namespace pipit
