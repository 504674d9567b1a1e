// Any text as a template: it is refused, or executed within its limits.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "template/prometheus_functions.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  pipit::TemplateSet set;
  const auto query = [](const std::string&) -> pipit::Result<std::vector<pipit::TemplateSample>> {
    return std::vector<pipit::TemplateSample>{{{{"__name__", "up"}, {"job", "web"}}, 1}};
  };
  const auto functions = pipit::prometheus_template_functions({.query = query, .external_url = "http://site"}, &set);
  if (!set.parse("fuzz", text, functions).ok()) return 0;
  const pipit::TemplateLimits limits{.output_bytes = 64 << 10, .steps = 10'000, .calls = 20};
  // The result is of no interest, only that it comes.
  (void)set.execute("fuzz", functions, pipit::template_labels({{"job", "web"}}), limits).ok();
  return 0;
}
