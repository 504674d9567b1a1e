#include "tools/resident_memory.h"

#include <sys/mman.h>

#include <charconv>
#include <cstdint>
#include <cstdio>
#include <string_view>

namespace pipit {

namespace {

struct Mapping {
  std::uintptr_t start = 0;
  std::uintptr_t end = 0;
};

/// The mapping of a line of /proc/self/maps when it is code of a file: never written, so the file has every byte of it.
bool parse_code_mapping(std::string_view line, Mapping& mapping) {
  if (line.find(" r-xp ") == std::string_view::npos || line.find(" /") == std::string_view::npos) return false;
  const char* const last = line.data() + line.size();
  const auto [dash, bad_start] = std::from_chars(line.data(), last, mapping.start, 16);
  if (bad_start != std::errc() || dash == last || *dash != '-') return false;
  const auto [end, bad_end] = std::from_chars(dash + 1, last, mapping.end, 16);
  return bad_end == std::errc() && end != last;
}

}  // namespace

void release_startup_code() {
  std::FILE* maps = std::fopen("/proc/self/maps", "re");
  if (maps == nullptr) return;
  char line[4096];
  while (std::fgets(line, sizeof line, maps) != nullptr) {
    Mapping mapping;
    if (!parse_code_mapping(line, mapping)) continue;
    // NOLINTNEXTLINE(performance-no-int-to-ptr): the kernel gives addresses as text
    ::madvise(reinterpret_cast<void*>(mapping.start), mapping.end - mapping.start, MADV_DONTNEED);
  }
  std::fclose(maps);
}

}  // namespace pipit
