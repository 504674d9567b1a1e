#include "web/pages.h"

#include <array>
#include <utility>

#include "web/embedded_files.h"

namespace pipit {
namespace {

std::string_view content_type(std::string_view name) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 4> kTypes = {{
      {".html", "text/html; charset=utf-8"},
      {".css", "text/css; charset=utf-8"},
      {".js", "text/javascript; charset=utf-8"},
      {".svg", "image/svg+xml"},
  }};
  for (const auto& [suffix, type] : kTypes) {
    if (name.ends_with(suffix)) return type;
  }
  return "application/octet-stream";
}

}  // namespace

std::string escape_html(std::string_view text) {
  std::string out;
  for (char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

const WebAsset* find_web_asset(std::string_view name) {
  static const auto assets = [] {
    std::array<WebAsset, kEmbeddedFiles.size()> all;
    for (std::size_t i = 0; i < all.size(); ++i) {
      all[i] = {kEmbeddedFiles[i].first, content_type(kEmbeddedFiles[i].first), kEmbeddedFiles[i].second};
    }
    return all;
  }();
  for (const WebAsset& asset : assets) {
    if (asset.name == name) return &asset;
  }
  return nullptr;
}

std::string render_page(std::string_view name, std::string_view title, std::string_view version) {
  std::string page(find_web_asset(name)->content);
  const std::pair<std::string_view, std::string_view> values[] = {{"{{title}}", title}, {"{{version}}", version}};
  for (const auto& [mark, value] : values) {
    std::string escaped = escape_html(value);
    for (std::size_t at = page.find(mark); at != std::string::npos; at = page.find(mark, at + escaped.size())) {
      page.replace(at, mark.size(), escaped);
    }
  }
  return page;
}

}  // namespace pipit
