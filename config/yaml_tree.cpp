#include "config/yaml_tree.h"

#include <yaml.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <unordered_map>

namespace pipit {
namespace {

// A configuration of a thousand jobs with relabelling is about a megabyte.
constexpr std::size_t kMaxFileBytes = 16u << 20;
constexpr std::size_t kMaxDepth = 64;
// What aliases may multiply a file to ("billion laughs").
constexpr std::size_t kMaxExpandedNodes = 2'000'000;
constexpr std::size_t kMaxExpandedBytes = 32u << 20;

std::optional<std::string> decode_base64(std::string_view text) {
  std::string out;
  unsigned buffer = 0;
  int bits = 0;
  std::size_t symbols = 0, padding = 0;
  for (const char c : text) {
    if (c == '\n' || c == '\r') continue;
    int value = -1;
    if (c >= 'A' && c <= 'Z') value = c - 'A';
    if (c >= 'a' && c <= 'z') value = c - 'a' + 26;
    if (c >= '0' && c <= '9') value = c - '0' + 52;
    if (c == '+') value = 62;
    if (c == '/') value = 63;
    ++symbols;
    if (c == '=') {
      ++padding;
      continue;
    }
    if (value < 0 || padding > 0) return std::nullopt;
    buffer = (buffer << 6) | static_cast<unsigned>(value);
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      out.push_back(static_cast<char>((buffer >> bits) & 0xff));
    }
  }
  if (symbols % 4 != 0 || padding > 2) return std::nullopt;
  return out;
}

ConfigPosition position_of(const yaml_mark_t& mark) {
  return {static_cast<int>(mark.line) + 1, static_cast<int>(mark.column) + 1};
}

std::string_view view(const yaml_char_t* text) {
  return text == nullptr ? std::string_view() : std::string_view(reinterpret_cast<const char*>(text));
}

/// Builds the tree from libyaml's events, which recurse nowhere, so that depth is ours to bound.
class TreeBuilder {
 public:
  /// `further` null: there may be one document only; else the first counts, and it becomes whether others follow.
  TreeBuilder(std::string_view text, const std::string& file, bool* further = nullptr)
      : file_(file), further_(further) {
    yaml_parser_initialize(&parser_);
    // Otherwise a byte order mark would choose the encoding.
    yaml_parser_set_encoding(&parser_, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser_, reinterpret_cast<const unsigned char*>(text.data()), text.size());
  }
  ~TreeBuilder() { yaml_parser_delete(&parser_); }
  TreeBuilder(const TreeBuilder&) = delete;
  TreeBuilder& operator=(const TreeBuilder&) = delete;

  Result<YamlNodePtr> build() {
    for (;;) {
      yaml_event_t event;
      if (yaml_parser_parse(&parser_, &event) == 0) return syntax_error();
      const yaml_event_type_t type = event.type;
      const Status status = handle(event);
      yaml_event_delete(&event);
      if (!status.ok()) return status.error();
      if (type == YAML_STREAM_END_EVENT || (further_ != nullptr && *further_)) break;
    }
    if (root_ == nullptr) root_ = null_node();
    return root_;
  }

 private:
  /// A sequence or mapping whose end is not yet reached.
  struct Open {
    std::shared_ptr<YamlNode> node;
    std::string anchor;
    YamlNodePtr key;  ///< of a mapping: the key whose value comes next
    std::vector<YamlNodePtr> merges;
    std::unordered_map<std::string_view, int> lines;  ///< of a mapping's keys
  };

  Error fail(ConfigPosition at, const std::string& message) const { return config_error(file_, at, message); }

  Error syntax_error() const {
    const std::string problem = parser_.problem == nullptr ? "unreadable" : parser_.problem;
    if (parser_.error == YAML_READER_ERROR) {
      return bad_data(file_ + ": not UTF-8 text: " + problem + " at byte " + std::to_string(parser_.problem_offset));
    }
    if (parser_.error == YAML_MEMORY_ERROR) return bad_data(file_ + ": out of memory");
    std::string message = "not valid YAML: " + problem;
    if (parser_.context != nullptr) {
      message +=
          " " + std::string(parser_.context) + " that starts in line " + std::to_string(parser_.context_mark.line + 1);
    }
    return fail(position_of(parser_.problem_mark), message);
  }

  static YamlNodePtr null_node() {
    auto node = std::make_shared<YamlNode>();
    node->plain = true;
    node->position = {1, 1};
    return node;
  }

  Status handle(const yaml_event_t& event) {
    const ConfigPosition at = position_of(event.start_mark);
    switch (event.type) {
      case YAML_DOCUMENT_START_EVENT:
        if (++documents_ == 1) return {};
        if (further_ == nullptr) return fail(at, "a second YAML document; a configuration is one document");
        *further_ = true;
        return {};
      case YAML_SCALAR_EVENT:
        return scalar(event, at);
      case YAML_ALIAS_EVENT:
        return alias(view(event.data.alias.anchor), at);
      case YAML_SEQUENCE_START_EVENT:
        return open(YamlNode::Kind::sequence, view(event.data.sequence_start.anchor), at);
      case YAML_MAPPING_START_EVENT:
        return open(YamlNode::Kind::mapping, view(event.data.mapping_start.anchor), at);
      case YAML_SEQUENCE_END_EVENT:
      case YAML_MAPPING_END_EVENT:
        return close();
      default:
        return {};
    }
  }

  Status scalar(const yaml_event_t& event, ConfigPosition at) {
    auto node = std::make_shared<YamlNode>();
    node->position = at;
    node->plain = event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    node->text.assign(reinterpret_cast<const char*>(event.data.scalar.value), event.data.scalar.length);
    const std::string_view tag = view(event.data.scalar.tag);
    if (tag == YAML_STR_TAG) node->plain = false;
    if (tag == "tag:yaml.org,2002:binary") {
      auto decoded = decode_base64(node->text);
      if (!decoded) return fail(at, "!!binary value contains invalid base64 data");
      node->text = std::move(*decoded);
      node->plain = false;
    }
    node->expanded_bytes = node->text.size();
    const std::string_view anchor = view(event.data.scalar.anchor);
    if (!anchor.empty()) anchors_.insert_or_assign(std::string(anchor), node);
    return add(std::move(node), at);
  }

  Status alias(std::string_view anchor, ConfigPosition at) {
    const auto found = anchors_.find(std::string(anchor));
    if (found == anchors_.end()) return fail(at, "unknown anchor \"" + std::string(anchor) + "\"");
    return add(found->second, at);
  }

  Status open(YamlNode::Kind kind, std::string_view anchor, ConfigPosition at) {
    if (open_.size() >= kMaxDepth) return fail(at, "nested deeper than " + std::to_string(kMaxDepth) + " levels");
    Open entry;
    entry.node = std::make_shared<YamlNode>();
    entry.node->kind = kind;
    entry.node->position = at;
    entry.anchor = anchor;
    open_.push_back(std::move(entry));
    return {};
  }

  Status close() {
    Open done = std::move(open_.back());
    open_.pop_back();
    for (const YamlNodePtr& merged : done.merges) merge(done, *merged);
    if (!done.anchor.empty()) anchors_.insert_or_assign(done.anchor, done.node);
    const ConfigPosition at = done.node->position;
    return add(std::move(done.node), at);
  }

  /// `<<: *defaults`: what the mapping does not say itself, it takes from there.
  static void merge(Open& into, const YamlNode& from) {
    for (const auto& [key, value] : from.entries) {
      if (into.lines.contains(key->text)) continue;
      into.lines.emplace(key->text, key->position.line);
      into.node->entries.emplace_back(key, value);
    }
  }

  Status add(YamlNodePtr node, ConfigPosition at) {
    if (open_.empty()) {
      root_ = std::move(node);
      return {};
    }
    Open& parent = open_.back();
    parent.node->expanded_nodes += node->expanded_nodes;
    parent.node->expanded_bytes += node->expanded_bytes;
    if (parent.node->expanded_nodes > kMaxExpandedNodes || parent.node->expanded_bytes > kMaxExpandedBytes) {
      return fail(at, "too large once its aliases are written out");
    }
    if (parent.node->is_sequence()) {
      parent.node->items.push_back(std::move(node));
      return {};
    }
    return parent.key == nullptr ? add_key(parent, std::move(node), at) : add_value(parent, std::move(node), at);
  }

  Status add_key(Open& mapping, YamlNodePtr key, ConfigPosition at) const {
    if (!key->is_scalar()) return fail(at, "a key must be a word, not a list or a mapping");
    if (!(key->plain && key->text == "<<")) {
      const auto [first, fresh] = mapping.lines.emplace(key->text, at.line);
      if (!fresh) {
        return fail(at, "field " + key->text + " already set in line " + std::to_string(first->second));
      }
    }
    mapping.key = std::move(key);
    return {};
  }

  Status add_value(Open& mapping, YamlNodePtr value, ConfigPosition at) const {
    const YamlNodePtr key = std::move(mapping.key);
    mapping.key = nullptr;
    if (!(key->plain && key->text == "<<")) {
      mapping.node->entries.emplace_back(key, std::move(value));
      return {};
    }
    const bool list = value->is_sequence();
    const std::vector<YamlNodePtr> sources = list ? value->items : std::vector<YamlNodePtr>{value};
    for (const YamlNodePtr& source : sources) {
      if (!source->is_mapping()) return fail(at, "<< must name a mapping or a list of mappings");
      mapping.merges.push_back(source);
    }
    return {};
  }

  const std::string& file_;
  bool* further_;
  yaml_parser_t parser_;
  int documents_ = 0;
  std::vector<Open> open_;
  std::map<std::string, YamlNodePtr> anchors_;
  YamlNodePtr root_;
};

}  // namespace

bool YamlNode::is_null() const {
  if (!is_scalar() || !plain) return false;
  static constexpr std::array<std::string_view, 5> kNulls = {"", "~", "null", "Null", "NULL"};
  return std::find(kNulls.begin(), kNulls.end(), text) != kNulls.end();
}

bool YamlNode::is_empty() const { return is_scalar() ? is_null() : items.empty() && entries.empty(); }

const YamlNode* YamlNode::find(std::string_view key) const {
  for (const auto& [name, value] : entries) {
    if (name->text == key) return value.get();
  }
  return nullptr;
}

std::string_view YamlNode::text_of(std::string_view key) const {
  const YamlNode* value = find(key);
  if (value == nullptr || !value->is_scalar() || value->is_null()) return {};
  return value->text;
}

bool YamlNode::has(std::string_view key) const {
  const YamlNode* value = find(key);
  return value != nullptr && !value->is_null();
}

Error config_error(const std::string& file, ConfigPosition position, const std::string& message) {
  return bad_data(file + ":" + std::to_string(position.line) + ":" + std::to_string(position.column) + ": " + message);
}

Result<YamlNodePtr> parse_yaml(std::string_view text, const std::string& file) {
  if (text.size() > kMaxFileBytes) {
    return bad_data(file + ": larger than " + std::to_string(kMaxFileBytes >> 20) + " MiB");
  }
  return TreeBuilder(text, file).build();
}

Result<YamlNodePtr> parse_yaml_first(std::string_view text, const std::string& file, bool& further) {
  further = false;
  if (text.size() > kMaxFileBytes) {
    return bad_data(file + ": larger than " + std::to_string(kMaxFileBytes >> 20) + " MiB");
  }
  return TreeBuilder(text, file, &further).build();
}

}  // namespace pipit
