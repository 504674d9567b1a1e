#include "query/annotations.h"

#include <algorithm>

#include "model/labels.h"

namespace pipit {
namespace {

std::string line_and_column(std::string_view query, std::size_t offset) {
  auto before = query.substr(0, std::min(offset, query.size()));
  auto line = 1 + std::count(before.begin(), before.end(), '\n');
  auto line_start = before.rfind('\n');
  auto column = line_start == std::string_view::npos ? before.size() + 1 : before.size() - line_start;
  return std::to_string(line) + ":" + std::to_string(column);
}

}  // namespace

void Annotations::add(std::vector<std::string>& kept, std::string_view kind, std::string_view text,
                      PositionRange position) {
  if (kept.size() >= kMaxKept) return;
  std::string remark(kind);
  remark += text;
  remark += " (" + line_and_column(query_, position.start) + ")";
  if (seen_.insert(remark).second) kept.push_back(std::move(remark));
}

std::string quoted(std::string_view text) {
  std::string out;
  append_quoted(out, text);
  return out;
}

}  // namespace pipit
