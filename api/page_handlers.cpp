#include "api/page_handlers.h"

#include <string>

#include "api/api_answer.h"
#include "web/pages.h"

namespace pipit {
namespace {

/// Of the pages: nothing from elsewhere is loaded, and the API is all they talk to.
void add_page_headers(HttpResponse& response) {
  response.headers.emplace_back("Content-Security-Policy",
                                "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
                                "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'self'");
  response.headers.emplace_back("Referrer-Policy", "no-referrer");
}

}  // namespace

HttpResponse handle_page(const ServerOptions& options, std::string_view name) {
  HttpResponse response = text_answer(200, render_page(name, options.page_title, options.version));
  response.content_type = "text/html; charset=utf-8";
  response.headers.emplace_back("Cache-Control", "no-cache");
  add_page_headers(response);
  return response;
}

HttpResponse handle_asset(std::string_view path) {
  const WebAsset* asset = find_web_asset(path.substr(path.rfind('/') + 1));
  if (!asset || asset->name.ends_with(".html")) return text_answer(404, "404 page not found\n");
  HttpResponse response = text_answer(200, std::string(asset->content));
  response.content_type = asset->content_type;
  response.headers.emplace_back("Cache-Control", "no-cache");
  return response;
}

}  // namespace pipit
