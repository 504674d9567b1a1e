// Source of the rules and wordings: Alertmanager 0.28, silence/silence.go.

#include "delivery/silences.h"

#include <algorithm>
#include <random>

#include "model/regex_budget.h"
#include "storage/coding.h"

namespace pipit {
namespace {

constexpr std::string_view kPrefix = "silence/";
constexpr std::uint8_t kFormat = 1;
constexpr std::uint64_t kMostMatchers = 1000;

std::string new_uuid() {
  std::random_device random;
  std::string id;
  for (int i = 0; i < 32; ++i) {
    if (i == 8 || i == 12 || i == 16 || i == 20) id += '-';
    std::uint32_t digit = random() & 15;
    if (i == 12) digit = 4;                // random
    if (i == 16) digit = 8 | (digit & 3);  // of RFC 9562
    id += "0123456789abcdef"[digit];
  }
  return id;
}

std::size_t size_of(const Silence& silence) {
  std::size_t bytes = silence.id.size() + silence.created_by.size() + silence.comment.size();
  for (const Matcher& matcher : silence.matchers) bytes += matcher.name().size() + matcher.value().size() + 16;
  return bytes;
}

/// What the regular expressions take, which may be far more than their texts: they are kept compiled. Nothing: too much
/// for one silence.
std::optional<std::size_t> program_bytes(const Silence& silence) {
  constexpr std::size_t kInstructionBytes = 16;
  const RegexBudget budget;
  for (const Matcher& matcher : silence.matchers) {
    if (matcher.type() != MatchType::regex && matcher.type() != MatchType::not_regex) continue;
    if (!Regex::compile(matcher.value()).ok()) return std::nullopt;
  }
  return budget.used() * kInstructionBytes;
}

Status validate(const Silence& silence, TimestampMs now) {
  if (silence.matchers.empty()) return bad_data("invalid silence: at least one matcher required");
  if (silence.matchers.size() > kMostMatchers) return bad_data("invalid silence: more than 1000 matchers");
  for (const Matcher& matcher : silence.matchers) {
    if (matcher.name().empty() || !is_valid_utf8(matcher.name()) || !is_valid_utf8(matcher.value())) {
      return bad_data("invalid silence: invalid label matcher");
    }
  }
  // Matchers with ! are let through, as by Alertmanager: that all but some is silenced is what they are for.
  if (std::all_of(silence.matchers.begin(), silence.matchers.end(), [](const Matcher& m) {
        const bool positive = m.type() == MatchType::equal || m.type() == MatchType::regex;
        return positive && m.matches_empty();
      })) {
    return bad_data("invalid silence: at least one matcher must not match the empty string");
  }
  if (silence.ends_at <= silence.starts_at) return bad_data("start time must be before end time");
  if (silence.ends_at < now) return bad_data("end time can't be in the past");
  return {};
}

/// Whether the one can become the other without what was silenced in the past being told otherwise.
bool can_become(const Silence& old, const Silence& changed, TimestampMs now) {
  if (old.matchers != changed.matchers) return false;
  switch (old.state(now)) {
    case SilenceState::active:
      return changed.starts_at / 1000 == old.starts_at / 1000 && changed.ends_at >= now;
    case SilenceState::pending:
      return changed.starts_at >= now;
    case SilenceState::expired:
      return false;
  }
  return false;
}

}  // namespace

std::string_view silence_state_name(SilenceState state) {
  switch (state) {
    case SilenceState::pending:
      return "pending";
    case SilenceState::active:
      return "active";
    case SilenceState::expired:
      return "expired";
  }
  return "";
}

std::string encode_silence(const Silence& silence) {
  std::string out(1, static_cast<char>(kFormat));
  for (const TimestampMs time : {silence.starts_at, silence.ends_at, silence.updated_at}) {
    put_varint(out, static_cast<std::uint64_t>(time));
  }
  put_text(out, silence.created_by);
  put_text(out, silence.comment);
  put_varint(out, silence.matchers.size());
  for (const Matcher& matcher : silence.matchers) {
    put_varint(out, static_cast<std::uint64_t>(matcher.type()));
    put_text(out, matcher.name());
    put_text(out, matcher.value());
  }
  return out;
}

std::optional<Silence> decode_silence(std::string_view id, std::string_view record) {
  ByteReader reader(record);
  std::uint8_t format = 0;
  if (!reader.byte(format) || format != kFormat) return std::nullopt;
  Silence silence;
  silence.id = id;
  std::uint64_t times[3];
  for (std::uint64_t& time : times) {
    if (!reader.varint(time)) return std::nullopt;
  }
  silence.starts_at = static_cast<TimestampMs>(times[0]);
  silence.ends_at = static_cast<TimestampMs>(times[1]);
  silence.updated_at = static_cast<TimestampMs>(times[2]);
  std::string_view created_by;
  std::string_view comment;
  std::uint64_t count = 0;
  if (!reader.text(created_by) || !reader.text(comment) || !reader.varint(count) || count > kMostMatchers) {
    return std::nullopt;
  }
  silence.created_by = created_by;
  silence.comment = comment;
  for (std::uint64_t i = 0; i < count; ++i) {
    std::uint64_t type = 0;
    std::string_view name;
    std::string_view value;
    if (!reader.varint(type) || type > 3 || !reader.text(name) || !reader.text(value)) return std::nullopt;
    auto matcher = Matcher::make(static_cast<MatchType>(type), std::string(name), std::string(value));
    if (!matcher.ok()) return std::nullopt;
    silence.matchers.push_back(std::move(*matcher));
  }
  if (!reader.done() || silence.matchers.empty()) return std::nullopt;
  return silence;
}

std::size_t Silences::load(const std::vector<std::pair<std::string, std::string>>& records) {
  std::size_t unread = 0;
  for (const auto& [key, record] : records) {
    auto silence = decode_silence(std::string_view(key).substr(std::min(key.size(), kPrefix.size())), record);
    if (silence) {
      commit({silence->id, {std::move(*silence)}});
    } else {
      ++unread;
    }
  }
  return unread;
}

Result<Silences::Change> Silences::prepare_set(Silence silence, TimestampMs now) const {
  if (silence.starts_at == 0) silence.starts_at = now;
  const Silence* old = nullptr;
  if (!silence.id.empty()) {
    const auto known = by_id_.find(silence.id);
    if (known == by_id_.end()) return Error{ErrorKind::not_found, "silence not found"};
    old = &known->second->silence;
  }
  if (Status status = validate(silence, now); !status.ok()) return status.error();
  const std::size_t bytes = size_of(silence);
  if (bytes > limits_.bytes_each) {
    return bad_data("silence exceeded maximum size: " + std::to_string(bytes) +
                    " bytes (limit: " + std::to_string(limits_.bytes_each) + " bytes)");
  }
  silence.updated_at = now;
  if (old != nullptr && can_become(*old, silence, now)) {
    const std::size_t before = size_of(*old);
    if (bytes > before && bytes_ - before + bytes > limits_.bytes) return bad_data("silences take too much memory");
    return Change{silence.id, {std::move(silence)}};
  }
  if (by_id_.size() >= limits_.silences) {
    return bad_data("exceeded maximum number of silences: " + std::to_string(by_id_.size()) +
                    " (limit: " + std::to_string(limits_.silences) + ")");
  }
  const auto programs = program_bytes(silence);
  if (!programs || bytes_ + bytes + *programs > limits_.bytes) {
    return bad_data("the regular expressions of silences take too much memory");
  }
  Change change;
  if (old != nullptr && old->state(now) != SilenceState::expired) change = *prepare_expire(old->id, now);
  silence.id = new_uuid();
  silence.starts_at = std::max(silence.starts_at, now);
  change.id = silence.id;
  change.silences.push_back(std::move(silence));
  return change;
}

Result<Silences::Change> Silences::prepare_expire(const std::string& id, TimestampMs now) const {
  const auto known = by_id_.find(id);
  if (known == by_id_.end()) return Error{ErrorKind::not_found, "silence not found"};
  Silence silence = known->second->silence;
  const SilenceState state = silence.state(now);
  if (state == SilenceState::expired) return Change{id, {}};
  if (state == SilenceState::pending) silence.starts_at = now;
  silence.ends_at = now;
  silence.updated_at = now;
  return Change{id, {std::move(silence)}};
}

std::vector<RecordStore::Change> Silences::records(const Change& change) {
  std::vector<RecordStore::Change> records;
  records.reserve(change.silences.size());
  for (const Silence& silence : change.silences) {
    records.push_back({std::string(kPrefix) + silence.id, encode_silence(silence)});
  }
  return records;
}

void Silences::commit(Change change) {
  for (Silence& silence : change.silences) {
    auto& held = by_id_[silence.id];
    if (!held) {
      held = std::make_shared<Held>();
      held->programs = program_bytes(silence).value_or(0);
      held->version = ++version_;
      by_version_.emplace(held->version, held);
    }
    // Alerts know which of these match them. The matchers of one stay.
    bytes_ -= held->bytes;
    held->bytes = size_of(silence) + held->programs;
    bytes_ += held->bytes;
    held->silence = std::move(silence);
  }
}

void Silences::refresh(const Labels& labels, Matches& matches, TimestampMs now) const {
  // One that is over may be in force once more when the clock is set back, for as long as it is kept.
  const auto gone = [&](const Silence& silence) {
    return silence.state(now - limits_.retention) == SilenceState::expired;
  };
  std::erase_if(matches.matching, [&](const auto& held) { return gone(held->silence); });
  if (matches.seen == version_) return;
  for (auto it = by_version_.upper_bound(matches.seen); it != by_version_.end(); ++it) {
    const Silence& silence = it->second->silence;
    const bool matching =
        !gone(silence) && std::all_of(silence.matchers.begin(), silence.matchers.end(),
                                      [&](const Matcher& m) { return m.matches(labels.get(m.name())); });
    if (matching) matches.matching.push_back(it->second);
  }
  matches.seen = version_;
}

bool Silences::mutes(const Labels& labels, Matches& matches, TimestampMs now) const {
  refresh(labels, matches, now);
  return std::any_of(matches.matching.begin(), matches.matching.end(),
                     [now](const auto& held) { return held->silence.state(now) == SilenceState::active; });
}

std::vector<std::string> Silences::muting(const Labels& labels, Matches& matches, TimestampMs now) const {
  refresh(labels, matches, now);
  std::vector<std::string> ids;
  for (const auto& held : matches.matching) {
    if (held->silence.state(now) == SilenceState::active) ids.push_back(held->silence.id);
  }
  std::sort(ids.begin(), ids.end());
  return ids;
}

std::vector<Silence> Silences::all() const {
  std::vector<Silence> silences;
  silences.reserve(by_id_.size());
  for (const auto& [id, held] : by_id_) silences.push_back(held->silence);
  return silences;
}

std::size_t Silences::count(SilenceState state, TimestampMs now) const {
  return static_cast<std::size_t>(std::count_if(
      by_id_.begin(), by_id_.end(), [&](const auto& entry) { return entry.second->silence.state(now) == state; }));
}

std::vector<std::string> Silences::collect_garbage(TimestampMs now) {
  std::vector<std::string> gone;
  for (auto it = by_id_.begin(); it != by_id_.end();) {
    if (it->second->silence.ends_at > now - limits_.retention) {
      ++it;
      continue;
    }
    gone.push_back(std::string(kPrefix) + it->first);
    bytes_ -= it->second->bytes;
    by_version_.erase(it->second->version);
    it = by_id_.erase(it);
  }
  return gone;
}

}  // namespace pipit
