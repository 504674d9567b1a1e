#include "config/yaml_emit.h"

#include <array>

namespace pipit {
namespace {

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
    for (const char c : text) {
      if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return false;
    }
    return text.find(": ") == std::string_view::npos && text.find(" #") == std::string_view::npos;
  }

  void double_quoted(std::string_view text) {
    static constexpr std::string_view kHex = "0123456789abcdef";
    out_ += '"';
    for (const char c : text) {
      const auto byte = static_cast<unsigned char>(c);
      if (c == '"' || c == '\\') {
        out_ += '\\';
        out_ += c;
      } else if (c == '\n') {
        out_ += "\\n";
      } else if (byte < 0x20 || byte == 0x7f) {
        out_ += "\\x";
        out_ += kHex[byte >> 4];
        out_ += kHex[byte & 15];
      } else {
        out_ += c;
      }
    }
    out_ += '"';
  }

  const std::unordered_set<const YamlNode*>& secrets_;
  std::string out_;
};

}  // namespace

std::string emit_yaml(const YamlNode& root, const std::unordered_set<const YamlNode*>& secrets) {
  return Emitter(secrets).emit(root);
}

}  // namespace pipit
