// Any text as a query: it is read or refused, and what was read prints, on a line and on several, as a query that prints
// the same.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "query/parser.h"

namespace {

[[noreturn]] void complain(const std::string& printed, const std::string& problem) {
  std::fprintf(stderr, "printed: %s\n%s\n", printed.c_str(), problem.c_str());
  std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  // The result is of no interest, only that it comes.
  (void)pipit::parse_metric_selector(text).ok();
  auto expr = pipit::parse_query(text);
  if (!expr.ok()) return 0;
  auto printed = pipit::to_string(**expr);
  for (const auto& form : {printed, pipit::prettify(**expr)}) {
    auto again = pipit::parse_query(form);
    if (!again.ok()) complain(form, again.error().message);
    auto printed_again = pipit::to_string(**again);
    if (printed_again != printed) complain(form, "prints again as: " + printed_again);
    if ((*again)->type != (*expr)->type) complain(form, "has another type now");
  }
  return 0;
}
