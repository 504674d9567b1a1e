#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "tools/query_completion.h"
#include "tools/query_options.h"

namespace pipit {

/// Names for completion, asked of the server when they are first needed and remembered for a while. What the server
/// does not answer is not suggested; its errors are not shown.
class QuerySuggestions {
 public:
  explicit QuerySuggestions(QueryOptions options) : options_(std::move(options)) {}

  /// What starts with the context's word, sorted; at most kMost.
  std::vector<std::string> find(const CompletionContext& context);

  static constexpr std::size_t kMost = 500;

 private:
  struct Names {
    TimestampMs read = 0;
    std::vector<std::string> names;
  };

  const std::vector<std::string>& names_of(const QueryOptions& question);
  const std::vector<std::string>& functions();

  QueryOptions options_;
  std::map<std::string, Names> known_;
};

}  // namespace pipit
