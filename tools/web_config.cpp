#include "tools/web_config.h"

#include <algorithm>
#include <array>
#include <span>
#include <string_view>

#include "config/config_file.h"
#include "config/suggestion.h"
#include "config/yaml_tree.h"

namespace pipit {
namespace {

constexpr std::array<std::string_view, 2> kProtects{"tls_server_config", "basic_auth_users"};
constexpr std::array<std::string_view, 4> kKeys{kProtects[0], kProtects[1], "http_server_config", "rate_limit"};

bool contains(std::span<const std::string_view> words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

}  // namespace

Status check_web_config(const std::string& path) {
  if (path.empty()) return {};
  const auto text = read_config_file(path);
  if (!text.ok()) return text.error();
  const auto root = parse_yaml(*text, path);
  if (!root.ok()) return root.error();
  if (!(*root)->is_null() && !(*root)->is_mapping()) {
    return config_error(path, (*root)->position, "the web configuration must be a mapping of keys to values");
  }
  for (const auto& [key, value] : (*root)->entries) {
    if (!contains(kKeys, key->text)) {
      return config_error(
          path, key->position,
          "unknown field \"" + key->text + "\" in the web configuration" + suggestion(key->text, kKeys));
    }
    if (!contains(kProtects, key->text) || value->is_empty()) continue;
    return config_error(path, key->position,
                        key->text +
                            " is not supported yet; Pipit does not start, as it would serve everyone what this "
                            "file protects. Without --web.config.file it serves plain HTTP");
  }
  return {};
}

}  // namespace pipit
