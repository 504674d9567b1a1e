#include "config/yaml_emit.h"

#include <cstdint>
#include <string_view>

#include "model/labels.h"

namespace pipit {
namespace {

struct Character {
  std::uint32_t code = 0;
  std::size_t size = 1;  ///< bytes
};

/// REQUIRES: `text` is valid UTF-8 and a character begins at `i`.
Character character_at(std::string_view text, std::size_t i) {
  const auto first = static_cast<unsigned char>(text[i]);
  if (first < 0x80) return {first, 1};
  const std::size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  std::uint32_t code = first & (0xffu >> (size + 1));
  for (std::size_t k = 1; k < size; ++k) code = (code << 6) | (static_cast<unsigned char>(text[i + k]) & 0x3fu);
  return {code, size};
}

/// What YAML does not take as it is, or takes for the end of a line.
bool is_unprintable(std::uint32_t code) {
  return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x2028 || code == 0x2029 || code == 0xfeff ||
         code == 0xfffe || code == 0xffff;
}

class Emitter {
 public:
  explicit Emitter(const std::unordered_set<const YamlNode*>& secrets) : secrets_(secrets) {}

  std::string emit(const YamlNode& root) {
    if (root.is_empty()) return {};
    if (root.is_scalar()) {
      scalar(root);
      out_ += '\n';
    } else {
      block(root, 0);
    }
    return std::move(out_);
  }

 private:
  /// Writes the lines of a sequence or mapping that is not empty, each indented but the first, which the caller began.
  void block(const YamlNode& node, std::size_t indent) {
    bool first = true;
    const auto begin_line = [&] {
      if (!first) out_.append(indent, ' ');
      first = false;
    };
    for (const YamlNodePtr& item : node.items) {
      begin_line();
      out_ += "- ";
      if (is_inline(*item)) {
        inline_value(*item);
      } else {
        block(*item, indent + 2);
      }
    }
    for (const auto& [key, value] : node.entries) {
      begin_line();
      scalar(*key);
      out_ += ':';
      if (is_inline(*value)) {
        if (!value->is_scalar() || !value->plain || !value->text.empty()) out_ += ' ';
        inline_value(*value);
      } else {
        // Lists start under their key, as people write them.
        const std::size_t inner = value->is_sequence() ? indent : indent + 2;
        out_ += '\n';
        out_.append(inner, ' ');
        block(*value, inner);
      }
    }
  }

  static bool is_inline(const YamlNode& node) {
    return node.is_scalar() || (node.items.empty() && node.entries.empty());
  }

  void inline_value(const YamlNode& node) {
    if (node.is_scalar()) {
      scalar(node);
    } else {
      out_ += node.is_sequence() ? "[]" : "{}";
    }
    out_ += '\n';
  }

  void scalar(const YamlNode& node) {
    if (secrets_.contains(&node) && !node.text.empty()) {
      out_ += "<secret>";
    } else if (node.plain && is_safe(node.text)) {
      out_ += node.text;
    } else {
      double_quoted(node.text);
    }
  }

  /// Plain text that can't be mistaken for anything else in a block.
  static bool is_safe(std::string_view text) {
    if (text.empty()) return true;
    if (std::string_view(" ,[]{}#&*!|>'\"%@`").find(text.front()) != std::string_view::npos) return false;
    // A negative number must stay one, but "- x" is a list.
    const bool indicator = std::string_view("-?:").find(text.front()) != std::string_view::npos;
    if (indicator && (text.size() == 1 || text[1] == ' ')) return false;
    if (text.starts_with("---") || text.starts_with("...")) return false;
    if (text.back() == ' ' || text.back() == ':') return false;
    if (!is_valid_utf8(text)) return false;
    for (std::size_t i = 0; i < text.size();) {
      const Character character = character_at(text, i);
      if (is_unprintable(character.code)) return false;
      i += character.size;
    }
    return text.find(": ") == std::string_view::npos && text.find(" #") == std::string_view::npos;
  }

  void double_quoted(std::string_view text) {
    const bool utf8 = is_valid_utf8(text);
    out_ += '"';
    for (std::size_t i = 0; i < text.size();) {
      const Character character = utf8 ? character_at(text, i) : Character{static_cast<unsigned char>(text[i]), 1};
      if (character.code == '"' || character.code == '\\') {
        out_ += '\\';
        out_ += text[i];
      } else if (character.code == '\n') {
        out_ += "\\n";
      } else if (is_unprintable(character.code) || (!utf8 && character.code >= 0x80)) {
        escape(character.code);
      } else {
        out_.append(text, i, character.size);
      }
      i += character.size;
    }
    out_ += '"';
  }

  void escape(std::uint32_t code) {
    static constexpr std::string_view kHex = "0123456789abcdef";
    out_ += code < 0x100 ? "\\x" : "\\u";
    for (int shift = code < 0x100 ? 4 : 12; shift >= 0; shift -= 4) out_ += kHex[(code >> shift) & 15];
  }

  const std::unordered_set<const YamlNode*>& secrets_;
  std::string out_;
};

}  // namespace

std::string emit_yaml(const YamlNode& root, const std::unordered_set<const YamlNode*>& secrets) {
  return Emitter(secrets).emit(root);
}

}  // namespace pipit
