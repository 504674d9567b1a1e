#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "delivery/alert_book.h"

namespace pipit {

/// Which alerts are kept quiet as another one fires. Of one thread.
class Inhibition {
 public:
  explicit Inhibition(std::vector<InhibitRule> rules);

  /// The alert may inhibit others from now on, until `remove`.
  void add(const AlertEntry& entry);
  void remove(const AlertEntry& entry);
  /// An alert has got another end.
  void note_change() { ++changes_; }

  /// An alert that fires and inhibits one with these labels; null: none.
  const AlertEntry* inhibitor(const Labels& labels, TimestampMs now) const;

 private:
  /// Of a rule, those whose labels of `equal` are the same.
  struct Sources {
    std::unordered_set<const AlertEntry*> entries;
    const AlertEntry* found = nullptr;  ///< the last one that fired
    std::uint64_t none_at = 0;          ///< the number of changes at which none did

    const AlertEntry* find_firing(std::uint64_t changes, TimestampMs now);
    void remove(const AlertEntry& entry);
  };
  struct Equals {
    Sources others;
    Sources targets_too;  ///< which inhibit no alert that is both, as they are
  };
  struct Rule {
    InhibitRule config;
    std::unordered_map<std::string, Equals> sources;
  };

  static std::string equal_key(const Rule& rule, const Labels& labels);

  mutable std::vector<Rule> rules_;  ///< which remember what they found
  std::uint64_t changes_ = 1;
};

}  // namespace pipit
