// Source of the rules: Alertmanager 0.28, provider/mem/mem.go, types/types.go and api/v2/api.go.

#include "delivery/alert_book.h"

#include <algorithm>

#include "delivery/record_writer.h"
#include "storage/coding.h"

namespace pipit {
namespace {

constexpr std::uint8_t kFormat = 2;
constexpr std::uint8_t kTimedOut = 1;
constexpr std::uint8_t kResolved = 2;
/// How long an alert that is over is known: those who told of it say so again for a while.
constexpr DurationMs kKept = DurationMs{30} * 60'000;
/// The longest time that an alert of an earlier process goes on without a word.
constexpr DurationMs kLongestValidity = DurationMs{60} * 60'000;
/// Of an entry beside its texts.
constexpr std::size_t kEntryBytes = 400;
constexpr DurationMs kRoomPause = 10'000;

void put_labels(std::string& out, const auto& labels) {
  put_varint(out, labels.size());
  for (const Label& label : labels) {
    put_text(out, label.name);
    put_text(out, label.value);
  }
}

bool read_labels(ByteReader& reader, std::vector<Label>& labels) {
  std::uint64_t count = 0;
  if (!reader.varint(count) || count > reader.remaining() / 2) return false;
  for (std::uint64_t i = 0; i < count; ++i) {
    std::string_view name;
    std::string_view value;
    if (!reader.text(name) || !reader.text(value)) return false;
    labels.push_back({std::string(name), std::string(value)});
  }
  return true;
}

std::string identity(const Labels& labels) {
  std::string out;
  put_labels(out, labels);
  return out;
}

std::size_t bytes_of(const auto& labels) {
  std::size_t bytes = 0;
  for (const Label& label : labels) bytes += label.name.size() + label.value.size() + sizeof(Label);
  return bytes;
}

bool is_sound(const AlertNotice& notice) {
  return !notice.labels.empty() && std::all_of(notice.labels.begin(), notice.labels.end(), [](const Label& label) {
    return !label.name.empty() && is_valid_utf8(label.name) && is_valid_utf8(label.value);
  });
}

/// What people read need not keep an alert from them: bytes that are no text become question marks.
void make_readable(std::vector<Label>& annotations) {
  for (Label& annotation : annotations) {
    for (std::string* text : {&annotation.name, &annotation.value}) {
      if (is_valid_utf8(*text)) continue;
      std::replace_if(
          text->begin(), text->end(), [](char c) { return static_cast<unsigned char>(c) >= 0x80; }, '?');
    }
  }
}

}  // namespace

std::size_t alert_bytes(const Labels& labels, const std::vector<Label>& annotations, const std::string& url) {
  return kEntryBytes + bytes_of(labels) + bytes_of(annotations) + url.size();
}

std::size_t AlertBook::Hash::operator()(const Labels* labels) const {
  const HashKey& key = hash_key();
  std::uint64_t hash = key.first;
  for (const Label& label : *labels) {
    hash = fold_product(hash ^ keyed_hash(label.name, key), key.second);
    hash = fold_product(hash ^ keyed_hash(label.value, key), key.second);
  }
  return hash;
}

DeliveredAlert merge_alerts(const DeliveredAlert& old, DeliveredAlert fresh, TimestampMs now) {
  const bool overlap = (fresh.ends_at > old.starts_at && fresh.ends_at < old.ends_at) ||
                       (fresh.starts_at > old.starts_at && fresh.starts_at < old.ends_at);
  if (!overlap) return fresh;
  fresh.starts_at = std::min(fresh.starts_at, old.starts_at);
  if (fresh.resolved_at(now)) {
    if (old.resolved_at(now)) fresh.ends_at = std::max(fresh.ends_at, old.ends_at);
  } else if (old.ends_at > fresh.ends_at && !old.timed_out) {
    fresh.ends_at = old.ends_at;
  }
  return fresh;
}

std::pair<AlertBook::Taken, AlertEntry*> AlertBook::take(AlertNotice notice, DurationMs resolve_timeout,
                                                         TimestampMs now) {
  const std::pair<Taken, AlertEntry*> refused{Taken::refused, nullptr};
  if (!is_sound(notice)) return refused;
  make_readable(notice.annotations);
  DeliveredAlert alert;
  alert.starts_at = notice.starts_at != 0 ? notice.starts_at : notice.ends_at != 0 ? notice.ends_at : now;
  alert.timed_out = notice.ends_at == 0;
  alert.ends_at = alert.timed_out ? now + resolve_timeout : notice.ends_at;
  alert.updated_at = now;
  if (alert.ends_at < alert.starts_at) return refused;
  std::size_t bytes = alert_bytes(notice.labels, notice.annotations, notice.generator_url);
  if (bytes > limits_.bytes_each) return refused;
  alert.labels = std::move(notice.labels);
  alert.annotations = std::move(notice.annotations);
  alert.generator_url = std::move(notice.generator_url);

  const auto known = entries_.find(&alert.labels);
  if (known == entries_.end()) {
    AlertEntry* entry = add(std::make_shared<const DeliveredAlert>(std::move(alert)), bytes, now);
    if (entry == nullptr) return refused;
    if (!entry->alert->resolved_at(now)) store(*entry, false);
    return {Taken::changed, entry};
  }
  AlertEntry& entry = known->second;
  alert = merge_alerts(*entry.alert, std::move(alert), now);
  const DeliveredAlert& old = *entry.alert;
  if (bytes > entry.bytes && bytes_ - entry.bytes + bytes > limits_.bytes) {
    // There is no room for longer texts. That it goes on, or is over, must be known all the same.
    alert.annotations = old.annotations;
    alert.generator_url = old.generator_url;
    bytes = entry.bytes;
  }
  const bool over = alert.resolved_at(now);
  const bool same_texts = alert.annotations == old.annotations && alert.generator_url == old.generator_url;
  if (over && old.resolved_at(now) && alert.ends_at == old.ends_at && same_texts) return {Taken::unchanged, &entry};
  const bool begins_anew = !over && old.resolved_at(now);
  entry.texts_changed = entry.texts_changed || !same_texts;
  bytes_ += bytes - entry.bytes;
  entry.bytes = bytes;
  auto node = entries_.extract(known);  // the labels are the alert's
  entry.alert = std::make_shared<const DeliveredAlert>(std::move(alert));
  node.key() = &entry.alert->labels;
  entries_.insert(std::move(node));
  if (over) {
    store_end(entry);
  } else if (begins_anew || entry.stored != AlertEntry::Stored::firing) {
    store(entry, false);
  }
  return {Taken::changed, &entry};
}

AlertEntry* AlertBook::add(DeliveredAlertPtr alert, std::size_t bytes, TimestampMs now) {
  if ((entries_.size() >= limits_.alerts || bytes_ + bytes > limits_.bytes) && !make_room(now)) return nullptr;
  const auto [at, fresh] = entries_.try_emplace(&alert->labels);
  AlertEntry& entry = at->second;
  entry.alert = std::move(alert);
  entry.fingerprint = alert_fingerprint(entry.alert->labels);
  entry.bytes = bytes;
  bytes_ += bytes;
  added_(entry);
  return &entry;
}

AlertBook::Entries::iterator AlertBook::remove(Entries::iterator at) {
  AlertEntry& entry = at->second;
  removed_(entry);
  bytes_ -= entry.bytes;
  if (entry.stored != AlertEntry::Stored::nothing) {
    writer_.put(record_key("alert", identity(entry.alert->labels)), std::nullopt);
  }
  return entries_.erase(at);
}

/// Forgets alerts that are over and were told to be. Looked for now and then only: a full book is read as a whole.
bool AlertBook::make_room(TimestampMs now) {
  // Unless the clock was set back.
  if (now < no_room_before_ && no_room_before_ - now <= kRoomPause) return false;
  bool found = false;
  for (auto it = entries_.begin(); it != entries_.end();) {
    const bool idle = it->second.groups == 0 && it->second.alert->resolved_at(now);
    found = found || idle;
    it = idle ? remove(it) : std::next(it);
  }
  if (!found) no_room_before_ = now + kRoomPause;
  return found;
}

void AlertBook::store(AlertEntry& entry, bool resolved) {
  writer_.put(record_key("alert", identity(entry.alert->labels)), encode_alert(*entry.alert, resolved));
  entry.stored = resolved ? AlertEntry::Stored::resolved : AlertEntry::Stored::firing;
  entry.texts_changed = false;
}

void AlertBook::store_end(AlertEntry& entry) {
  if (entry.stored == AlertEntry::Stored::firing) store(entry, true);
}

void AlertBook::release(AlertEntry& entry, TimestampMs now) {
  --entry.groups;
  if (entry.groups > 0 || !entry.alert->resolved_at(now) || entry.stored == AlertEntry::Stored::nothing) return;
  writer_.put(record_key("alert", identity(entry.alert->labels)), std::nullopt);
  entry.stored = AlertEntry::Stored::nothing;
}

void AlertBook::maintain(TimestampMs now) {
  for (auto it = entries_.begin(); it != entries_.end();) {
    AlertEntry& entry = it->second;
    const bool over = entry.alert->resolved_at(now);
    if (!over && entry.texts_changed) store(entry, false);
    const bool forget =
        over && entry.groups == 0 && now - std::max(entry.alert->ends_at, entry.alert->updated_at) > kKept;
    it = forget ? remove(it) : std::next(it);
  }
}

std::size_t AlertBook::load(const std::vector<std::pair<std::string, std::string>>& records, DurationMs resolve_timeout,
                            TimestampMs now) {
  std::size_t unread = 0;
  for (const auto& [key, record] : records) {
    auto stored = decode_alert(record);
    if (!stored || key != record_key("alert", identity(stored->alert.labels))) {
      ++unread;
      continue;
    }
    DeliveredAlert& alert = stored->alert;
    if (!stored->resolved) {
      const DurationMs validity = alert.ends_at - alert.updated_at;
      alert.ends_at =
          std::max(alert.ends_at, now + (validity > 0 && validity <= kLongestValidity ? validity : resolve_timeout));
    }
    const std::size_t bytes = alert_bytes(alert.labels, alert.annotations, alert.generator_url);
    AlertEntry* entry = add(std::make_shared<const DeliveredAlert>(std::move(alert)), bytes, now);
    if (entry == nullptr) {
      ++unread;
    } else {
      entry->stored = stored->resolved ? AlertEntry::Stored::resolved : AlertEntry::Stored::firing;
    }
  }
  return unread;
}

std::string encode_alert(const DeliveredAlert& alert, bool resolved) {
  std::string out(1, static_cast<char>(kFormat));
  out += static_cast<char>((alert.timed_out ? kTimedOut : 0) | (resolved ? kResolved : 0));
  for (const TimestampMs time : {alert.starts_at, alert.ends_at, alert.updated_at}) {
    put_varint(out, zigzag(static_cast<std::uint64_t>(time)));  // some are before 1970
  }
  put_labels(out, alert.labels);
  put_labels(out, alert.annotations);
  put_text(out, alert.generator_url);
  return out;
}

std::optional<StoredAlert> decode_alert(std::string_view record) {
  ByteReader reader(record);
  std::uint8_t format = 0;
  std::uint8_t flags = 0;
  if (!reader.byte(format) || format != kFormat || !reader.byte(flags)) return std::nullopt;
  std::uint64_t times[3] = {};
  for (std::uint64_t& time : times) {
    // Times that can be reckoned with: to the year 146,138.
    if (!reader.varint(time) || time > (std::uint64_t{1} << 53)) return std::nullopt;
    time = unzigzag(time);
  }
  StoredAlert stored;
  std::vector<Label> labels;
  std::string_view url;
  if (!read_labels(reader, labels) || !read_labels(reader, stored.alert.annotations) || !reader.text(url) ||
      !reader.done()) {
    return std::nullopt;
  }
  stored.resolved = (flags & kResolved) != 0;
  stored.alert.timed_out = (flags & kTimedOut) != 0;
  stored.alert.starts_at = static_cast<TimestampMs>(times[0]);
  stored.alert.ends_at = static_cast<TimestampMs>(times[1]);
  stored.alert.updated_at = static_cast<TimestampMs>(times[2]);
  stored.alert.labels = Labels(std::move(labels));
  if (stored.alert.labels.empty()) return std::nullopt;  // those without a value are none
  stored.alert.generator_url = url;
  return stored;
}

}  // namespace pipit
