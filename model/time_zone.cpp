#include "model/time_zone.h"

#include <algorithm>
#include <cctype>
#include <chrono>
#include <cstdio>

namespace pipit {
namespace {

constexpr const char* kFolder = "/usr/share/zoneinfo/";
constexpr const char* kSystemZone = "/etc/localtime";
constexpr std::size_t kMostBytes = 1 << 20;
constexpr std::size_t kHeader = 44;

/// Names have no way out of the folder.
bool is_zone_name(std::string_view name) {
  return !name.starts_with('/') && name.find("..") == std::string_view::npos &&
         std::all_of(name.begin(), name.end(), [](unsigned char c) {
           return std::isalnum(c) != 0 || c == '/' || c == '_' || c == '-' || c == '+' || c == '.';
         });
}

/// The file's bytes; none when there is no such file, or when it is a folder.
std::string read_file(const std::string& path) {
  std::string bytes;
  std::FILE* file = std::fopen(path.c_str(), "rbe");
  if (file == nullptr) return bytes;
  char buffer[4096];
  while (const std::size_t size = std::fread(buffer, 1, sizeof buffer, file)) {
    bytes.append(buffer, size);
    if (bytes.size() > kMostBytes) break;
  }
  std::fclose(file);
  return bytes;
}

std::int64_t number_at(std::string_view bytes, std::size_t at, std::size_t size) {
  std::uint64_t value = (static_cast<unsigned char>(bytes[at]) & 0x80) != 0 ? ~std::uint64_t{0} : 0;
  for (std::size_t i = 0; i < size; ++i) value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
  return static_cast<std::int64_t>(value);
}

/// The counts in the head of a TZif file's block.
struct Block {
  std::size_t leaps = 0, times = 0, types = 0, characters = 0, flags = 0;

  static std::optional<Block> read(std::string_view bytes) {
    if (bytes.size() < kHeader || !bytes.starts_with("TZif")) return std::nullopt;
    std::size_t counts[6];
    for (std::size_t i = 0; i < 6; ++i) {
      const std::int64_t count = number_at(bytes, 20 + 4 * i, 4);
      if (count < 0 || count > static_cast<std::int64_t>(kMostBytes)) return std::nullopt;
      counts[i] = static_cast<std::size_t>(count);
    }
    return Block{counts[2], counts[3], counts[4], counts[5], counts[0] + counts[1]};
  }
  std::size_t size(std::size_t word) const {
    return times * (word + 1) + types * 6 + characters + leaps * (word + 4) + flags;
  }
};

/// Reads a rule's text from its beginning.
struct RuleReader {
  std::string_view text;

  bool take(char c) {
    if (!text.starts_with(c)) return false;
    text.remove_prefix(1);
    return true;
  }
  std::string name() {
    const bool quoted = take('<');
    std::size_t end = 0;
    while (end < text.size() &&
           (quoted ? text[end] != '>' : std::isalpha(static_cast<unsigned char>(text[end])) != 0)) {
      ++end;
    }
    std::string out(text.substr(0, end));
    text.remove_prefix(end);
    if (quoted) take('>');
    return out;
  }
  int number() {
    int value = 0;
    while (!text.empty() && text[0] >= '0' && text[0] <= '9' && value < 100'000) {
      value = value * 10 + (text[0] - '0');
      text.remove_prefix(1);
    }
    return value;
  }
  /// `[+-]hh[:mm[:ss]]` in seconds.
  int seconds() {
    const bool negative = take('-');
    if (!negative) take('+');
    int value = number() * 3600;
    if (take(':')) value += number() * 60;
    if (take(':')) value += number();
    return negative ? -value : value;
  }
};

}  // namespace

Result<TimeZone> TimeZone::load(const std::string& name) {
  if (name.empty() || name == "UTC") {
    TimeZone utc;
    utc.locals_.push_back({0, "UTC"});
    return utc;
  }
  const Error unknown{ErrorKind::not_found, "unknown time zone " + name};
  if (!is_zone_name(name)) return unknown;
  const std::string bytes = read_file(name == "Local" ? std::string(kSystemZone) : kFolder + name);
  if (bytes.empty() && name == "Local") return load("UTC");
  auto zone = parse(bytes);
  if (!zone.ok()) return unknown;
  return zone;
}

Result<TimeZone> TimeZone::parse(std::string_view file) {
  const Error wrong = bad_data("not a file of the tz database");
  if (file.size() > kMostBytes) return wrong;
  auto block = Block::read(file);
  if (!block) return wrong;
  std::size_t word = 4;
  if (file[4] >= '2') {  // the same again behind it, with times of 64 bits
    if (file.size() < kHeader + block->size(word)) return wrong;
    file.remove_prefix(kHeader + block->size(word));
    block = Block::read(file);
    word = 8;
  }
  if (!block || file.size() < kHeader + block->size(word) || block->types == 0) return wrong;
  TimeZone zone;
  const std::size_t types_at = kHeader + block->times * word;
  const std::size_t locals_at = types_at + block->times;
  const std::size_t names_at = locals_at + block->types * 6;
  for (std::size_t i = 0; i < block->times; ++i) {
    const auto type = static_cast<std::uint8_t>(file[types_at + i]);
    const std::int64_t at = number_at(file, kHeader + i * word, word);
    if (type >= block->types || (i > 0 && at < zone.transitions_.back())) return wrong;
    zone.transitions_.push_back(at);
    zone.types_.push_back(type);
  }
  for (std::size_t i = 0; i < block->types; ++i) {
    const auto name = static_cast<unsigned char>(file[locals_at + 6 * i + 5]);
    if (name >= block->characters) return wrong;
    const std::string_view names = file.substr(names_at, block->characters);
    const std::string_view abbreviation = names.substr(name);
    zone.locals_.push_back({static_cast<int>(number_at(file, locals_at + 6 * i, 4)),
                            std::string(abbreviation.substr(0, abbreviation.find('\0')))});
  }
  std::string_view footer = file.substr(kHeader + block->size(word));
  if (word == 8 && footer.starts_with('\n')) {
    footer.remove_prefix(1);
    zone.rule_ = parse_rule(footer.substr(0, footer.find('\n')));
  }
  return zone;
}

std::optional<TimeZone::Rule> TimeZone::parse_rule(std::string_view text) {
  if (text.empty()) return std::nullopt;
  RuleReader reader{text};
  Rule rule;
  rule.standard.abbreviation = reader.name();
  rule.standard.offset_seconds = -reader.seconds();
  if (reader.text.empty()) return rule;
  rule.summer.abbreviation = reader.name();
  rule.summer.offset_seconds = reader.text.starts_with(',') ? rule.standard.offset_seconds + 3600 : -reader.seconds();
  const auto change = [&reader]() -> std::optional<Change> {
    if (!reader.take(',') || !reader.take('M')) return std::nullopt;
    Change out;
    out.month = reader.number();
    if (!reader.take('.')) return std::nullopt;
    out.week = reader.number();
    if (!reader.take('.')) return std::nullopt;
    out.weekday = reader.number();
    if (reader.take('/')) out.seconds = reader.seconds();
    const bool right = out.month >= 1 && out.month <= 12 && out.week >= 1 && out.week <= 5 && out.weekday <= 6;
    return right ? std::optional(out) : std::nullopt;
  };
  rule.begin = change();
  const auto end = change();
  if (!rule.begin || !end) return std::nullopt;
  rule.end = *end;
  return rule;
}

std::int64_t TimeZone::moment_of(const Change& change, int year, int offset_seconds) {
  using namespace std::chrono;
  const auto month_of_year = std::chrono::year(year) / month(static_cast<unsigned>(change.month));
  const weekday day(static_cast<unsigned>(change.weekday));
  const sys_days date = change.week == 5 ? sys_days(month_of_year / day[last])
                                         : sys_days(month_of_year / day[static_cast<unsigned>(change.week)]);
  return static_cast<std::int64_t>(date.time_since_epoch().count()) * 86400 + change.seconds - offset_seconds;
}

TimeZone::Local TimeZone::at(TimestampMs time) const {
  const std::int64_t seconds = time >= 0 ? time / 1000 : (time - 999) / 1000;
  const auto next = std::upper_bound(transitions_.begin(), transitions_.end(), seconds);
  if (next != transitions_.end() || !rule_) {
    if (next == transitions_.begin()) return locals_.front();
    return locals_[types_[static_cast<std::size_t>(next - transitions_.begin()) - 1]];
  }
  if (!rule_->begin) return rule_->standard;
  using namespace std::chrono;
  constexpr std::int64_t kLastDay = std::int64_t{365} * 400;  // from the epoch on; years beyond it are none of an alert
  const std::int64_t day = std::clamp<std::int64_t>(seconds / 86400, -kLastDay, kLastDay);
  const int year = static_cast<int>(year_month_day(sys_days(days(day))).year());
  const std::int64_t begin = moment_of(*rule_->begin, year, rule_->standard.offset_seconds);
  const std::int64_t end = moment_of(rule_->end, year, rule_->summer.offset_seconds);
  const bool summer = begin < end ? seconds >= begin && seconds < end : seconds >= begin || seconds < end;
  return summer ? rule_->summer : rule_->standard;
}

}  // namespace pipit
