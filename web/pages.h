#pragma once

#include <string>
#include <string_view>

namespace pipit {

/// A file of web/pages, compiled into the program.
struct WebAsset {
  std::string_view name;  ///< "graph.js"
  std::string_view content_type;
  std::string_view content;
};

/// Null when there is no such file.
const WebAsset* find_web_asset(std::string_view name);

/// `text` with entities in place of `&`, `<`, `>` and `"`, for HTML and XML.
std::string escape_html(std::string_view text);

/// A page with its title filled in, which is escaped. REQUIRES: the page exists.
std::string render_page(std::string_view name, std::string_view title, std::string_view version);

}  // namespace pipit
