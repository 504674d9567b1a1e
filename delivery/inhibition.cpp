// Source of the rules: Alertmanager 0.28, inhibit/inhibit.go.

#include "delivery/inhibition.h"

#include <algorithm>

#include "delivery/route.h"
#include "storage/coding.h"

namespace pipit {
Inhibition::Inhibition(std::vector<InhibitRule> rules) {
  for (InhibitRule& rule : rules) rules_.push_back({std::move(rule), {}});
}

const AlertEntry* Inhibition::Sources::find_firing(std::uint64_t changes, TimestampMs now) {
  if (found != nullptr && !found->alert->resolved_at(now)) return found;
  if (none_at == changes) return nullptr;
  for (const AlertEntry* entry : entries) {
    if (!entry->alert->resolved_at(now)) return found = entry;
  }
  none_at = changes;
  return found = nullptr;
}

void Inhibition::Sources::remove(const AlertEntry& entry) {
  entries.erase(&entry);
  if (found == &entry) found = nullptr;
}

/// A label that is missing equals an empty one.
std::string Inhibition::equal_key(const Rule& rule, const Labels& labels) {
  std::string key;
  for (const std::string& name : rule.config.equal) put_text(key, labels.get(name));
  return key;
}

void Inhibition::add(const AlertEntry& entry) {
  const Labels& labels = entry.alert->labels;
  for (Rule& rule : rules_) {
    if (!all_match(rule.config.source, labels)) continue;
    Equals& equals = rule.sources[equal_key(rule, labels)];
    (all_match(rule.config.target, labels) ? equals.targets_too : equals.others).entries.insert(&entry);
  }
  note_change();
}

void Inhibition::remove(const AlertEntry& entry) {
  const Labels& labels = entry.alert->labels;
  for (Rule& rule : rules_) {
    if (!all_match(rule.config.source, labels)) continue;
    const auto at = rule.sources.find(equal_key(rule, labels));
    if (at == rule.sources.end()) continue;
    at->second.others.remove(entry);
    at->second.targets_too.remove(entry);
    if (at->second.others.entries.empty() && at->second.targets_too.entries.empty()) rule.sources.erase(at);
  }
}

const AlertEntry* Inhibition::inhibitor(const Labels& labels, TimestampMs now) const {
  for (Rule& rule : rules_) {
    if (!all_match(rule.config.target, labels)) continue;
    const auto at = rule.sources.find(equal_key(rule, labels));
    if (at == rule.sources.end()) continue;
    if (const AlertEntry* found = at->second.others.find_firing(changes_, now)) return found;
    if (all_match(rule.config.source, labels)) continue;  // both ends of the rule: not by those that are both, too
    if (const AlertEntry* found = at->second.targets_too.find_firing(changes_, now)) return found;
  }
  return nullptr;
}

}  // namespace pipit
