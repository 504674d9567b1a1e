#include "tools/prometheus_data.h"

#include <algorithm>
#include <string_view>

namespace pipit {
namespace {

/// Blocks are folders named by a ULID: 26 characters of Crockford's base 32.
bool is_block_name(std::string_view name) {
  static constexpr std::string_view kAlphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
  return name.size() == 26 && name.find_first_not_of(kAlphabet) == std::string_view::npos;
}

}  // namespace

std::string describe_prometheus_data(const std::filesystem::path& directory) {
  std::size_t blocks = 0;
  bool log = false, head = false;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(directory, error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    std::error_code ignored;
    if (!entry->is_directory(ignored)) continue;
    blocks += is_block_name(name) ? 1 : 0;
    log = log || name == "wal" || name == "wbl";
    head = head || name == "chunks_head";
  }
  std::string out;
  const auto add = [&out](const std::string& part) { out += (out.empty() ? "" : ", ") + part; };
  if (blocks > 0) add(std::to_string(blocks) + (blocks == 1 ? " block" : " blocks"));
  if (log) add("a write-ahead log");
  if (head) add("head chunks");
  return out;
}

}  // namespace pipit
