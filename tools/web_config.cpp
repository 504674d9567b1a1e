#include "tools/web_config.h"

#include <string_view>

#include "config/config_file.h"
#include "config/yaml_tree.h"

namespace pipit {

Status check_web_config(const std::string& path) {
  if (path.empty()) return {};
  const auto text = read_config_file(path);
  if (!text.ok()) return text.error();
  const auto root = parse_yaml(*text, path);
  if (!root.ok()) return root.error();
  for (const auto& [key, value] : (*root)->entries) {
    const bool protects = key->text == "tls_server_config" || key->text == "basic_auth_users";
    if (!protects || value->is_empty()) continue;
    return config_error(path, key->position,
                        key->text +
                            " is not supported yet; Pipit does not start, as it would serve everyone what this "
                            "file protects. Without --web.config.file it serves plain HTTP");
  }
  return {};
}

}  // namespace pipit
