#pragma once

#include <string>
#include <string_view>

namespace pipit {

/// Undoes Prometheus's escaping of UTF-8 label names in paths: `U__http_2e_status` is `http.status`, `__` in it is an
/// underscore, `_1F600_` a code point in hexadecimal. A name without the mark `U__`, or with a broken escape,
/// stays as it is.
std::string unescape_label_name(std::string_view name);

}  // namespace pipit
