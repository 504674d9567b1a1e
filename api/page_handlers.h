#pragma once

#include <string_view>

#include "api/http_message.h"
#include "api/server.h"

namespace pipit {

/// A page of web/pages, with headers that let it load nothing from elsewhere.
HttpResponse handle_page(const ServerOptions& options, std::string_view name);
/// What the pages load, by the last part of `path`; 404 for what is not there.
HttpResponse handle_asset(std::string_view path);

}  // namespace pipit
