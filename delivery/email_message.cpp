#include "delivery/email_message.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdio>
#include <ctime>

#include "delivery/text_limits.h"

namespace pipit {
namespace {

constexpr std::size_t kLine = 76;          // of quoted-printable, and of what is folded
constexpr std::size_t kLongestWord = 900;  // a line may have 998 bytes
constexpr std::size_t kLongestHeader = 4000;
constexpr std::size_t kLongestAddress = 254;
constexpr std::size_t kMostAddresses = 100;
constexpr const char* kHex = "0123456789ABCDEF";

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

bool is_address(std::string_view text) {
  const std::size_t at = text.rfind('@');
  if (at == std::string_view::npos || at == 0 || at + 1 == text.size() || text.size() > kLongestAddress) return false;
  return std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return c > ' ' && c < 0x7f &&
           std::string_view("<>()[]\\,;:\"").find(static_cast<char>(c)) == std::string_view::npos;
  });
}

/// The text up to a comma that is neither in quotes nor in angle brackets.
std::string_view next_entry(std::string_view& text) {
  bool quoted = false, bracketed = false;
  std::size_t end = 0;
  for (; end < text.size(); ++end) {
    if (text[end] == '\\' && quoted) {
      ++end;
    } else if (text[end] == '"') {
      quoted = !quoted;
    } else if (!quoted && (text[end] == '<' || text[end] == '>')) {
      bracketed = text[end] == '<';
    } else if (!quoted && !bracketed && text[end] == ',') {
      break;
    }
  }
  const std::string_view entry = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return trimmed(entry);
}

/// A name without quotes has none of the characters that mean something in a list of addresses.
bool is_name(std::string_view text) {
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"') return true;
  return std::none_of(text.begin(), text.end(), [](unsigned char c) {
    return c < ' ' || c == 0x7f ||
           std::string_view("<>()[]@,;:\\\"").find(static_cast<char>(c)) != std::string_view::npos;
  });
}

std::string unquoted(std::string_view name) {
  if (name.size() < 2 || name.front() != '"' || name.back() != '"') return std::string(name);
  std::string out;
  for (std::size_t i = 1; i + 1 < name.size(); ++i) {
    if (name[i] == '\\' && i + 2 < name.size()) ++i;
    out += name[i];
  }
  return out;
}

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](unsigned char c) { return c >= 0x20 && c < 0x7f; });
}

/// One line: what would end it, and other control characters, become spaces.
std::string one_line(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool control = static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
    if (!control) {
      out += c;
    } else if (!out.empty() && out.back() != ' ') {
      out += ' ';
    }
  }
  return std::string(trimmed(out));
}

/// RFC 2047, in words of 75 bytes at most; a character is not spread over two.
std::string encoded_words(std::string_view text) {
  constexpr std::size_t kMost = 75 - 12;  // without "=?UTF-8?Q?" and "?="
  std::string out, word;
  const auto end_word = [&] {
    if (!word.empty()) out += (out.empty() ? "=?UTF-8?Q?" : "\r\n =?UTF-8?Q?") + word + "?=";
    word.clear();
  };
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = std::max<std::size_t>(utf8_length(text.substr(i)), 1);
    std::string encoded;
    for (const char c : text.substr(i, length)) {
      const auto byte = static_cast<unsigned char>(c);
      if (std::isalnum(byte) != 0 && byte < 0x80) {
        encoded += c;
      } else if (c == ' ') {
        encoded += '_';
      } else {
        encoded += {'=', kHex[byte >> 4], kHex[byte & 15]};
      }
    }
    if (word.size() + encoded.size() > kMost) end_word();
    word += encoded;
    i += length;
  }
  end_word();
  return out;
}

/// ASCII, broken at spaces.
std::string folded(std::string_view text, std::size_t column) {
  std::string out;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' ', 1), text.size());
    if (column + end > kLine && column > 1 && text.front() == ' ' && end > 1) {
      out += "\r\n";
      column = 0;
    }
    out += text.substr(0, end);
    column += end;
    text.remove_prefix(end);
  }
  return out;
}

bool has_long_word(std::string_view text) {
  std::size_t length = 0;
  for (const char c : text) {
    length = c == ' ' ? 0 : length + 1;
    if (length > kLongestWord) return true;
  }
  return false;
}

/// As it is: neither too long for a line nor what a reader would take for encoded words.
bool is_plain(std::string_view text) {
  return is_ascii(text) && !has_long_word(text) && text.find("=?") == std::string_view::npos;
}

bool names_people(const std::string& header) {
  static constexpr std::array<std::string_view, 6> kNames = {"To", "From", "Cc", "Bcc", "Reply-To", "Sender"};
  return std::find(kNames.begin(), kNames.end(), header) != kNames.end();
}

/// Addresses stay as they are, only names are encoded.
std::string format_addresses(const std::vector<MailAddress>& addresses) {
  std::string out;
  for (const MailAddress& each : addresses) {
    if (!out.empty()) out += ",\r\n ";
    if (each.name.empty()) {
      out += each.address;
      continue;
    }
    if (is_plain(each.name)) {
      out += '"';
      for (const char c : each.name) out += c == '"' || c == '\\' ? std::string{'\\', c} : std::string(1, c);
      out += '"';
    } else {
      out += encoded_words(each.name);
    }
    out += " <" + each.address + ">";
  }
  return out;
}

std::string header_value(const std::string& name, const std::string& value) {
  const std::string line = one_line(limit_characters(value, kLongestHeader));
  if (names_people(name)) {
    if (const auto addresses = parse_addresses(line); addresses.ok()) return format_addresses(*addresses);
  }
  if (is_plain(line)) return folded(line, name.size() + 2);
  return encoded_words(line);
}

std::string format_date(TimestampMs time) {
  static constexpr std::array<const char*, 7> kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr std::array<const char*, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                          "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::time_t seconds = time / 1000;
  std::tm date{};
  gmtime_r(&seconds, &date);
  char text[64];
  std::snprintf(text, sizeof text, "%s, %02d %s %d %02d:%02d:%02d +0000", kDays[static_cast<std::size_t>(date.tm_wday)],
                date.tm_mday, kMonths[static_cast<std::size_t>(date.tm_mon)], date.tm_year + 1900, date.tm_hour,
                date.tm_min, date.tm_sec);
  return text;
}

bool has_header(const MailMessage& message, std::string_view name) {
  return std::any_of(message.headers.begin(), message.headers.end(),
                     [name](const auto& header) { return header.first == name; });
}

void append_part(std::string& out, const std::string& boundary, std::string_view type, const std::string& text) {
  if (text.empty()) return;
  out += "--" + boundary + "\r\nContent-Type: " + std::string(type) +
         "; charset=UTF-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n" + quoted_printable(text) + "\r\n";
}

}  // namespace

Result<std::vector<MailAddress>> parse_addresses(std::string_view text) {
  std::vector<MailAddress> addresses;
  text = trimmed(text);
  while (!text.empty()) {
    const std::string_view entry = next_entry(text);
    if (entry.empty()) continue;
    MailAddress each;
    std::string_view address = entry;
    if (entry.ends_with('>')) {
      const std::size_t open = entry.rfind('<');
      if (open == std::string_view::npos) return bad_data("an address has a \">\" without \"<\"");
      const std::string_view name = trimmed(entry.substr(0, open));
      if (!is_name(name)) return bad_data("the name before <" + one_line(entry.substr(open + 1)) + " needs quotes");
      each.name = unquoted(name);
      address = trimmed(entry.substr(open + 1, entry.size() - open - 2));
    }
    if (!is_address(address)) {
      return bad_data("\"" + one_line(limit_characters(address, 100)) + "\" is not an address of the form user@host");
    }
    each.address = address;
    addresses.push_back(std::move(each));
    if (addresses.size() > kMostAddresses) {
      return bad_data("there are more than " + std::to_string(kMostAddresses) + " addresses");
    }
  }
  if (addresses.empty()) return bad_data("there is no address");
  return addresses;
}

std::string quoted_printable(std::string_view text) {
  std::string out;
  std::size_t column = 0;
  const auto add = [&](std::string_view piece) {
    if (column + piece.size() > kLine - 1) {
      out += "=\r\n";
      column = 0;
    }
    out += piece;
    column += piece.size();
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\r' && i + 1 < text.size() && text[i + 1] == '\n') continue;
    if (c == '\n') {
      out += "\r\n";
      column = 0;
      continue;
    }
    const bool ends_line = i + 1 == text.size() || text[i + 1] == '\n' || text[i + 1] == '\r';
    const bool plain = (byte > 0x20 && byte < 0x7f && c != '=') || ((c == ' ' || c == '\t') && !ends_line);
    const char encoded[] = {'=', kHex[byte >> 4], kHex[byte & 15]};
    add(plain ? std::string_view(&c, 1) : std::string_view(encoded, 3));
  }
  return out;
}

std::string format_mail(const MailMessage& message) {
  // Quoted-printable has no such text.
  const std::string boundary = "=_" + message.id.substr(0, message.id.find('@'));
  std::string out;
  if (!has_header(message, "Date")) out += "Date: " + format_date(message.date) + "\r\n";
  if (!has_header(message, "Message-Id")) out += "Message-ID: <" + message.id + ">\r\n";
  for (const auto& [name, value] : message.headers) {
    if (name == "Mime-Version" || name.starts_with("Content-") || name == "Bcc") continue;
    out += name + ": " + header_value(name, value) + "\r\n";
  }
  if (!has_header(message, "Auto-Submitted")) out += "Auto-Submitted: auto-generated\r\n";
  out += "MIME-Version: 1.0\r\nContent-Type: multipart/alternative;\r\n boundary=\"" + boundary + "\"\r\n\r\n";
  append_part(out, boundary, "text/plain", message.text);
  append_part(out, boundary, "text/html", message.html);
  if (message.text.empty() && message.html.empty()) out += "--" + boundary + "\r\n\r\n";
  return out + "--" + boundary + "--\r\n";
}

}  // namespace pipit
