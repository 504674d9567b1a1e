#include "delivery/text_limits.h"

#include <algorithm>
#include <vector>

#include "model/labels.h"

namespace pipit {
namespace {

constexpr std::string_view kMore = "\u2026";
constexpr std::string_view kReplacement = "\ufffd";

/// Calls `take` for each character until it says false.
template <class Take>
void each_character(std::string_view text, Take take) {
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = utf8_length(text.substr(i));
    if (!take(length == 0 ? kReplacement : text.substr(i, length))) return;
    i += std::max<std::size_t>(length, 1);
  }
}

/// `b` of `<b>` and `</b>`, without attributes.
std::string_view tag_name(std::string_view tag) {
  tag.remove_prefix(tag.starts_with("</") ? 2 : 1);
  return tag.substr(0, tag.find_first_of(" \t\n>/"));
}

/// The first `characters` of the text, which has more, and what ends it.
std::string cut_html(std::string_view text, std::size_t characters) {
  std::string out = limit_characters(text, characters);
  out.resize(out.size() - std::min(out.size(), kMore.size()));
  const std::size_t opened = out.rfind('<');
  if (opened != std::string::npos && out.find('>', opened) == std::string::npos) out.resize(opened);
  const std::size_t entity = out.rfind('&');
  if (entity != std::string::npos && out.size() - entity < 10 && out.find(';', entity) == std::string::npos) {
    out.resize(entity);
  }
  std::vector<std::string> open;
  for (std::size_t begin = out.find('<'); begin != std::string::npos; begin = out.find('<', begin + 1)) {
    const std::size_t end = out.find('>', begin);
    if (end == std::string::npos) break;
    const std::string_view tag = std::string_view(out).substr(begin, end - begin + 1);
    if (!tag.starts_with("</")) {
      open.emplace_back(tag_name(tag));
    } else if (!open.empty() && open.back() == tag_name(tag)) {
      open.pop_back();
    }
  }
  out += kMore;
  for (auto tag = open.rbegin(); tag != open.rend(); ++tag) out += "</" + *tag + ">";
  return out;
}

}  // namespace

std::size_t utf8_length(std::string_view text) {
  if (text.empty()) return 0;
  const auto byte = static_cast<unsigned char>(text[0]);
  const std::size_t length = byte < 0x80 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
  return length <= text.size() && is_valid_utf8(text.substr(0, length)) ? length : 0;
}

std::size_t count_characters(std::string_view text) {
  std::size_t count = 0;
  each_character(text, [&count](std::string_view) { return ++count > 0; });
  return count;
}

std::string limit_characters(std::string_view text, std::size_t most) {
  const bool fits = count_characters(text) <= most;
  std::size_t left = fits || most == 0 ? most : most - 1;
  std::string out;
  each_character(text, [&](std::string_view character) {
    if (left == 0) return false;
    --left;
    out += character;
    return true;
  });
  if (!fits && most > 0) out += kMore;
  return out;
}

std::string limit_html_characters(std::string_view text, std::size_t most) {
  if (count_characters(text) <= most) return limit_characters(text, most);
  // Room for the tags that are to be closed; mostly there are few of them, one in the other.
  for (std::size_t room = 128; room < most; room *= 2) {
    std::string out = cut_html(text, most - room);
    if (count_characters(out) <= most) return out;
  }
  return cut_html(text, most > 0 ? 1 : 0);
}

}  // namespace pipit
