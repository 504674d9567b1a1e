#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "model/result.h"

namespace pipit {

/// How names are searched for: Prometheus 3.14's `fuzz_alg`.
enum class NameSearchAlgorithm {
  subsequence,   ///< the pattern's characters in order, runs of them scored above gaps
  jaro_winkler,  ///< the pattern as a part, or with a threshold above zero names alike
};

struct NameSearch {
  std::vector<std::string> patterns;  ///< one of them must match; none: everything does
  NameSearchAlgorithm algorithm = NameSearchAlgorithm::subsequence;
  double threshold = 0;  ///< of the score, 0 to 1
  bool case_sensitive = true;
};

/// Scores names against the patterns. Immutable.
class NameScorer {
 public:
  explicit NameScorer(const NameSearch& search);

  /// From 0 to 1, the best of the patterns; negative when none matches.
  double score(std::string_view name) const;

 private:
  double score_of(const std::u32string& pattern, const std::u32string& name) const;

  NameSearch search_;
  std::vector<std::u32string> patterns_;
};

/// How much of `text` the pattern's characters are, in order: the sum of the squared lengths of the runs, less the
/// gaps' share of the text (half of it for the gap behind), over the squared length of the pattern; the best start
/// counts. 0 when the text does not have them.
double subsequence_score(const std::u32string& pattern, const std::u32string& text);
/// Jaro's similarity with Winkler's bonus of 0.1 for each of the first four characters that are the same.
double jaro_winkler_score(const std::u32string& a, const std::u32string& b);

}  // namespace pipit
