#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/config.h"
#include "model/result.h"

namespace pipit {

struct YamlNode;
/// Shared, as an alias (`*name`) is the very node that its anchor (`&name`) marked.
using YamlNodePtr = std::shared_ptr<const YamlNode>;

/// A node of a YAML document with its place in the file.
struct YamlNode {
  enum class Kind { scalar, sequence, mapping };

  Kind kind = Kind::scalar;
  ConfigPosition position;
  std::string text;                                          ///< of a scalar; the decoded bytes of a `!!binary` one
  bool plain = false;                                        ///< a scalar without quotes, whose text decides its type
  std::vector<YamlNodePtr> items;                            ///< of a sequence
  std::vector<std::pair<YamlNodePtr, YamlNodePtr>> entries;  ///< of a mapping: scalar keys, each once, in file order

  /// The node and all below it, aliases counted as if written out.
  std::size_t expanded_nodes = 1;
  std::size_t expanded_bytes = 0;

  bool is_scalar() const { return kind == Kind::scalar; }
  bool is_sequence() const { return kind == Kind::sequence; }
  bool is_mapping() const { return kind == Kind::mapping; }
  bool is_null() const;
  /// Null, or a sequence or mapping without anything in it.
  bool is_empty() const;
  /// The value of a mapping's key, or null when this has no such key.
  const YamlNode* find(std::string_view key) const;
  /// The text of a mapping's scalar value; "" when the key is missing or null.
  std::string_view text_of(std::string_view key) const;
  /// The key's value is there and neither null nor "".
  bool has_text(std::string_view key) const { return !text_of(key).empty(); }
  /// The key is there with a value that is not null.
  bool has(std::string_view key) const;
};

/// `FILE:LINE:COLUMN: message`.
Error config_error(const std::string& file, ConfigPosition position, const std::string& message);

/// Reads one YAML document. An empty text is a null scalar. `<<` merges are resolved, keys that occur twice in
/// a mapping are errors. Size, depth and what aliases expand to are bounded; `file` stands in messages.
Result<YamlNodePtr> parse_yaml(std::string_view text, const std::string& file);
/// The same of the first of several documents; `further` says whether there are others.
Result<YamlNodePtr> parse_yaml_first(std::string_view text, const std::string& file, bool& further);

}  // namespace pipit
