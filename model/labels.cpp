#include "model/labels.h"

#include <algorithm>

namespace pipit {

Labels::Labels(std::vector<Label> labels) : labels_(std::move(labels)) {
  std::stable_sort(labels_.begin(), labels_.end(), [](const Label& a, const Label& b) { return a.name < b.name; });
  // Of a run with one name the last counts; erasing from the front of each run keeps it.
  auto kept = labels_.begin();
  for (auto it = labels_.begin(); it != labels_.end(); ++it) {
    auto next = it + 1;
    if (next != labels_.end() && next->name == it->name) continue;
    if (it->value.empty()) continue;
    if (kept != it) *kept = std::move(*it);
    ++kept;
  }
  labels_.erase(kept, labels_.end());
}

namespace {
auto find_by_name(auto& labels, std::string_view name) {
  return std::lower_bound(labels.begin(), labels.end(), name,
                          [](const Label& label, std::string_view n) { return label.name < n; });
}
}  // namespace

std::string_view Labels::get(std::string_view name) const {
  auto it = find_by_name(labels_, name);
  return it != labels_.end() && it->name == name ? std::string_view(it->value) : std::string_view();
}

void Labels::set(std::string_view name, std::string_view value) {
  auto it = find_by_name(labels_, name);
  const bool found = it != labels_.end() && it->name == name;
  if (value.empty()) {
    if (found) labels_.erase(it);
  } else if (found) {
    it->value = value;
  } else {
    labels_.insert(it, Label{std::string(name), std::string(value)});
  }
}

std::uint64_t Labels::hash() const {
  std::uint64_t h = 0xcbf29ce484222325ULL;
  auto mix = [&h](std::string_view text) {
    for (unsigned char c : text) h = (h ^ c) * 0x100000001b3ULL;
    h = (h ^ 0xff) * 0x100000001b3ULL;
  };
  for (const auto& label : labels_) {
    mix(label.name);
    mix(label.value);
  }
  return h;
}

void encode_labels(const Labels& labels, std::string& out) {
  const auto put_length = [&out](char field, std::size_t length) {
    out += field;
    for (; length >= 0x80; length >>= 7) out += static_cast<char>(length | 0x80);
    out += static_cast<char>(length);
  };
  const auto field_size = [](std::size_t length) {
    std::size_t size = 2 + length;
    for (; length >= 0x80; length >>= 7) ++size;
    return size;
  };
  for (const Label& label : labels) {
    put_length('\x0a', field_size(label.name.size()) + field_size(label.value.size()));
    put_length('\x0a', label.name.size());
    out += label.name;
    put_length('\x12', label.value.size());
    out += label.value;
  }
}

std::string Labels::to_string() const {
  std::string out;
  const std::string_view metric = metric_name();
  const bool bare_name = is_legacy_metric_name(metric);
  if (bare_name) out = metric;
  bool first = true;
  auto separate = [&] {
    out += first ? "{" : ", ";
    first = false;
  };
  if (!bare_name && !metric.empty()) {
    separate();
    append_quoted(out, metric);
  }
  for (const auto& label : labels_) {
    if (label.name == kMetricName) continue;
    separate();
    if (is_legacy_label_name(label.name)) {
      out += label.name;
    } else {
      append_quoted(out, label.name);
    }
    out += '=';
    append_quoted(out, label.value);
  }
  if (!first) {
    out += '}';
  } else if (out.empty()) {
    out = "{}";
  }
  return out;
}

namespace {
bool is_name_char(char c, bool first) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (!first && c >= '0' && c <= '9');
}

/// The length of the UTF-8 sequence at the start of `text`, or 0 when it is malformed (overlong, surrogate, cut off).
std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return 1;
  const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  const bool overlong = (lead == 0xe0 && byte(1) < 0xa0) || (lead == 0xf0 && byte(1) < 0x90);
  const bool surrogate = lead == 0xed && byte(1) >= 0xa0;
  const bool beyond = lead == 0xf4 && byte(1) >= 0x90;
  return overlong || surrogate || beyond ? 0 : length;
}

void append_hex_escape(std::string& out, unsigned char c) {
  constexpr char kDigits[] = "0123456789abcdef";
  out += "\\x";
  out += kDigits[c >> 4];
  out += kDigits[c & 15];
}
}  // namespace

bool is_legacy_label_name(std::string_view name) {
  if (name.empty() || !is_name_char(name[0], true)) return false;
  return std::all_of(name.begin() + 1, name.end(), [](char c) { return is_name_char(c, false); });
}

bool is_legacy_metric_name(std::string_view name) {
  if (name.empty() || !(is_name_char(name[0], true) || name[0] == ':')) return false;
  return std::all_of(name.begin() + 1, name.end(), [](char c) { return is_name_char(c, false) || c == ':'; });
}

bool is_valid_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

void append_quoted(std::string& out, std::string_view text) {
  out += '"';
  while (!text.empty()) {
    const char c = text[0];
    const std::size_t length = utf8_length(text);
    constexpr std::string_view kEscaped = "\a\b\f\n\r\t\v\\\"";
    constexpr std::string_view kLetters = "abfnrtv\\\"";
    if (const auto escape = kEscaped.find(c); escape != std::string_view::npos) {
      out += '\\';
      out += kLetters[escape];
    } else if (length == 0 || (length == 1 && (static_cast<unsigned char>(c) < 0x20 || c == 0x7f))) {
      append_hex_escape(out, static_cast<unsigned char>(c));
    } else {
      out.append(text.substr(0, length));
    }
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  out += '"';
}

}  // namespace pipit
