#pragma once

#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "query/ast.h"

namespace pipit {

/// The remarks of an answer: each text once, in the order in which they came up. Wordings are Prometheus's:
/// `PromQL warning: <text> (line:column)`.
class Annotations {
 public:
  explicit Annotations(std::string_view query) : query_(query) {}

  void warn(std::string_view text, PositionRange position) { add(warnings_, "PromQL warning: ", text, position); }
  void info(std::string_view text, PositionRange position) { add(infos_, "PromQL info: ", text, position); }

  std::vector<std::string> take_warnings() { return std::move(warnings_); }
  std::vector<std::string> take_infos() { return std::move(infos_); }

 private:
  /// Remarks name series, so that a large answer could have as many; upstream's API shows ten of each.
  static constexpr std::size_t kMaxKept = 1000;
  void add(std::vector<std::string>& kept, std::string_view kind, std::string_view text, PositionRange position);

  std::string_view query_;
  std::unordered_set<std::string> seen_;
  std::vector<std::string> warnings_;
  std::vector<std::string> infos_;
};

/// `text` in double quotes, as remarks print names.
std::string quoted(std::string_view text);

}  // namespace pipit
