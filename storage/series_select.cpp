// How matchers become lists of series: SeriesIndex::select and the lists of label names and values.

#include <algorithm>
#include <set>
#include <unordered_map>

#include "storage/series_index.h"

namespace pipit {
namespace {

Error canceled_error() { return {ErrorKind::canceled, "query was canceled"}; }

/// From more metrics on, a regular expression is tried once on each value of its label, not once in each metric.
constexpr std::size_t kFewMetrics = 4;
/// Values that are remembered for that.
constexpr std::size_t kMaxKnownValues = 64 << 10;
/// What looking a value up costs, in values that a scan passes.
constexpr std::size_t kLookupCost = 8;

/// Numbers below it are taken for good.
constexpr std::uint64_t kSmallEnd = 64 << 10;

bool is_set(SeriesIndex::Canceled canceled) { return canceled != nullptr && canceled->load(std::memory_order_relaxed); }

/// One reader of the index: an iterator that all of a selection's questions share, and so one state of the database.
class IndexReader {
 public:
  IndexReader(const Database& database, SeriesIndex::Canceled canceled)
      : database_(database), canceled_(canceled), it_(database.iterate(database.index())) {}

  /// Calls `visit(rest of the key, value)` for the keys that start with `prefix` then `more`; stops on false.
  template <class Visit>
  Status scan(const std::string& prefix, std::string_view more, Visit visit) {
    for (it_->Seek(slice(prefix + std::string(more))); it_->Valid(); it_->Next()) {
      const std::string_view key = view(it_->key());
      if (!key.starts_with(prefix) || !key.substr(prefix.size()).starts_with(more)) break;
      if (is_set(canceled_)) return canceled_error();
      if (!visit(key.substr(prefix.size()), view(it_->value()))) break;
    }
    if (!it_->status().ok()) return database_.error(it_->status(), "read");
    return {};
  }

  /// The value, or empty when there is no such key.
  Result<std::string_view> get(const std::string& key) {
    it_->Seek(slice(key));
    if (it_->Valid() && view(it_->key()) == key) return view(it_->value());
    if (!it_->status().ok()) return database_.error(it_->status(), "read");
    return std::string_view();
  }

  /// The first key at or after `key`, or empty at the end.
  Result<std::string_view> seek(const std::string& key) {
    it_->Seek(slice(key));
    if (!it_->status().ok()) return database_.error(it_->status(), "read");
    return it_->Valid() ? view(it_->key()) : std::string_view();
  }

  Result<Postings> postings(const std::string& key) {
    auto bytes = get(key);
    if (!bytes.ok()) return bytes.error();
    Postings list;
    if (!bytes->empty() && !decode(key, *bytes, list)) return internal_error("the index is damaged: a posting list");
    return list;
  }

  /// The union of the lists below `prefix` whose value satisfies `wanted`, which only values that start
  /// with `more` can.
  template <class Wanted>
  Result<Postings> union_where(const std::string& prefix, std::string_view more, Wanted wanted) {
    Postings all;
    bool good = true;
    Status status = scan(prefix, more, [&](std::string_view value, std::string_view bytes) {
      if (wanted(value)) good = append(prefix, bytes, all);
      return good;
    });
    if (!status.ok()) return status.error();
    if (!good) return internal_error("the index is damaged: a posting list");
    sort_unique(all);
    return all;
  }

  Result<Postings> union_of(const std::string& prefix, const std::vector<std::string>& values) {
    Postings all;
    for (const std::string& value : values) {
      if (is_set(canceled_)) return canceled_error();
      auto bytes = get(prefix + value);
      if (!bytes.ok()) return bytes.error();
      if (!bytes->empty() && !append(prefix, *bytes, all))
        return internal_error("the index is damaged: a posting list");
    }
    sort_unique(all);
    return all;
  }

  /// The union of the lists below `prefix` whose value satisfies a matcher that the empty value doesn't.
  Result<Postings> postings_of(const std::string& prefix, const Matcher& m) {
    if (m.type() == MatchType::equal) return postings(prefix + m.value());
    std::string_view more;
    if (m.type() == MatchType::regex) {
      if (!m.regex().literals().empty()) return union_of(prefix, m.regex().literals());
      more = m.regex().prefix();
    }
    return union_where(prefix, more, [&](std::string_view value) { return m.matches(value); });
  }

 private:
  /// A key's list. A long one is compared with how many series or metrics there are, before it takes memory. The
  /// iterator stands where it stood.
  bool decode(std::string_view key, std::string_view bytes, Postings& list) {
    if (decode_postings(bytes, kSmallEnd, list)) return true;
    const bool of_series = key[0] == kIndexPosting;
    const std::string counted =
        of_series ? metric_key(kIndexNextOrdinal, big_endian32(key.data() + 1)) : std::string(1, kIndexNextMetric);
    if (counted != counted_) {  // a scan of a metric's values asks once
      const std::string at = it_->key().ToString();
      const auto end = get(counted);
      const std::size_t width = of_series ? 16 : 4;
      if (!end.ok() || end->size() != width) return false;
      end_ = of_series ? big_endian64(end->data()) : big_endian32(end->data());
      counted_ = counted;
      auto again = get(at);
      if (!again.ok()) return false;
      bytes = *again;
    }
    return decode_postings(bytes, end_, list);
  }
  bool append(std::string_view key, std::string_view bytes, Postings& all) {
    Postings list;
    if (!decode(key, bytes, list)) return false;
    all.insert(all.end(), list.begin(), list.end());
    return true;
  }
  static void sort_unique(Postings& all) {
    if (!std::is_sorted(all.begin(), all.end())) std::sort(all.begin(), all.end());
    all.erase(std::unique(all.begin(), all.end()), all.end());
  }

  const Database& database_;
  SeriesIndex::Canceled canceled_;
  std::unique_ptr<rocksdb::Iterator> it_;
  std::string counted_;    ///< the key that says how many there are of what `decode` met last
  std::uint64_t end_ = 0;  ///< and what it says
};

using MetricName = std::pair<std::uint32_t, std::string>;

class Selector {
 public:
  Selector(const Database& database, std::span<const Matcher> matchers, SeriesIndex::Canceled canceled)
      : reader_(database, canceled), canceled_(canceled) {
    for (const Matcher& m : matchers) (m.name() == kMetricName ? on_name_ : on_labels_).push_back(&m);
  }

  Result<std::vector<MetricSelection>> run() {
    auto metrics = candidate_metrics();
    if (!metrics.ok()) return metrics.error();
    std::sort(metrics->begin(), metrics->end());
    many_ = metrics->size() > kFewMetrics;
    std::vector<MetricSelection> selections;
    for (auto& [id, name] : *metrics) {
      if (is_set(canceled_)) return canceled_error();
      MetricSelection selection{id, std::move(name), true, {}};
      if (Status status = narrow(selection); !status.ok()) return status.error();
      if (selection.all_but || !selection.ordinals.empty()) selections.push_back(std::move(selection));
    }
    return selections;
  }

 private:
  bool name_matches(std::string_view name) const {
    return std::all_of(on_name_.begin(), on_name_.end(), [&](const Matcher* m) { return m->matches(name); });
  }

  Result<std::vector<MetricName>> candidate_metrics() {
    for (const Matcher* m : on_name_) {
      if (m->type() == MatchType::equal) return metrics_named({m->value()});
      if (m->type() == MatchType::regex && !m->regex().literals().empty()) return metrics_named(m->regex().literals());
    }
    const Matcher* leading = leading_label();
    const bool by_name = std::any_of(on_name_.begin(), on_name_.end(), [](const Matcher* m) {
      return m->type() == MatchType::regex && !m->regex().prefix().empty();
    });
    return leading != nullptr && !by_name ? metrics_with(*leading) : scan_metrics();
  }

  /// A condition on a label that few metrics may satisfy, by which they are found; or null.
  const Matcher* leading_label() const {
    const Matcher* best = nullptr;
    int best_rank = 0;
    for (const Matcher* m : on_labels_) {
      if (m->matches_empty()) continue;
      int rank = 0;
      if (m->type() == MatchType::equal) rank = 3;
      if (m->type() == MatchType::regex)
        rank = !m->regex().literals().empty() ? 2 : !m->regex().prefix().empty() ? 1 : 0;
      if (rank > best_rank) best = m;
      best_rank = std::max(best_rank, rank);
    }
    return best;
  }

  Result<std::vector<MetricName>> metrics_named(const std::vector<std::string>& names) {
    std::vector<MetricName> metrics;
    for (const std::string& name : names) {
      if (!name_matches(name)) continue;
      auto id = reader_.get(metric_name_key(name));
      if (!id.ok()) return id.error();
      if (id->size() == 4) metrics.emplace_back(big_endian32(id->data()), name);
    }
    std::sort(metrics.begin(), metrics.end());
    metrics.erase(std::unique(metrics.begin(), metrics.end()), metrics.end());
    return metrics;
  }

  Result<std::vector<MetricName>> metrics_with(const Matcher& matcher) {
    auto ids = reader_.postings_of(label_metrics_prefix(matcher.name()), matcher);
    if (!ids.ok()) return ids.error();
    std::vector<MetricName> metrics;
    for (const std::uint32_t id : *ids) {
      auto name = reader_.get(metric_key(kIndexMetric, id));
      if (!name.ok()) return name.error();
      if (!name->empty() && name_matches(*name)) metrics.emplace_back(id, std::string(*name));
    }
    return metrics;
  }

  Result<std::vector<MetricName>> scan_metrics() {
    std::string_view prefix;
    for (const Matcher* m : on_name_) {
      if (m->type() == MatchType::regex) prefix = m->regex().prefix();
    }
    std::vector<MetricName> metrics;
    Status status = reader_.scan(std::string(1, kIndexMetricName), prefix, [&](std::string_view name, auto id) {
      if (id.size() == 4 && name_matches(name)) metrics.emplace_back(big_endian32(id.data()), std::string(name));
      return true;
    });
    if (!status.ok()) return status.error();
    return metrics;
  }

  Status narrow(MetricSelection& selection) {
    for (const Matcher* m : on_labels_) {
      if (m->matches_empty()) continue;
      auto wanted = matching(selection.metric, *m);
      if (!wanted.ok()) return wanted.error();
      if (selection.all_but) {
        selection.all_but = false;
        selection.ordinals = std::move(*wanted);
      } else {
        intersect(selection.ordinals, *wanted);
      }
      if (selection.ordinals.empty()) return {};
    }
    for (const Matcher* m : on_labels_) {
      if (!m->matches_empty()) continue;
      auto unwanted = not_matching(selection.metric, *m);
      if (!unwanted.ok()) return unwanted.error();
      if (selection.all_but) {
        unite(selection.ordinals, *unwanted);
      } else {
        subtract(selection.ordinals, *unwanted);
      }
    }
    return {};
  }

  /// Series whose label satisfies a matcher that the empty value doesn't.
  Result<Postings> matching(std::uint32_t metric, const Matcher& m) {
    const bool one_by_one =
        m.type() == MatchType::equal || (m.type() == MatchType::regex && !m.regex().literals().empty());
    if (many_ && !one_by_one) return of_known_values(metric, m, true);
    return reader_.postings_of(posting_prefix(metric, m.name()), m);
  }

  /// Series that have the label and don't satisfy a matcher that the empty value does.
  Result<Postings> not_matching(std::uint32_t metric, const Matcher& m) {
    const std::string prefix = posting_prefix(metric, m.name());
    if (m.type() == MatchType::not_equal) return reader_.postings(prefix + m.value());
    if (m.type() == MatchType::regex && m.regex().pattern() == ".*") return Postings();
    std::string_view more;
    if (m.type() == MatchType::not_regex) {
      if (!m.regex().literals().empty()) return reader_.union_of(prefix, m.regex().literals());
      more = m.regex().prefix();
    }
    if (many_) return of_known_values(metric, m, false);
    return reader_.union_where(prefix, more, [&](std::string_view value) { return !m.matches(value); });
  }

  /// The values of a label, of whichever metrics, that a matcher chooses: asked once for a selection of many metrics.
  struct ChosenValues {
    bool too_many = false;  // to be remembered
    std::size_t all = 0;
    std::vector<std::pair<std::string, PostingRuns>> chosen;  // with the metrics that have it, ascending
  };

  Result<const ChosenValues*> chosen_values(const Matcher& m, std::string_view more, bool wanted) {
    auto [place, is_new] = chosen_.try_emplace(&m);
    ChosenValues& values = place->second;
    if (!is_new) return &values;
    bool good = true;
    Status status =
        reader_.scan(label_metrics_prefix(m.name()), more, [&](std::string_view value, std::string_view list) {
          values.too_many = ++values.all > kMaxKnownValues;
          if (values.too_many) return false;
          if (m.matches(value) != wanted) return true;
          PostingRuns metrics;
          good = unite_stored(metrics, list);
          values.chosen.emplace_back(value, std::move(metrics));
          return good;
        });
    if (!status.ok()) return status.error();
    if (!good) return internal_error("the index is damaged: a posting list");
    if (values.too_many) values.chosen = {};
    return &values;
  }

  /// As union_where over the metric's values of the label that the matcher satisfies, or that it doesn't.
  Result<Postings> of_known_values(std::uint32_t metric, const Matcher& m, bool wanted) {
    const std::string prefix = posting_prefix(metric, m.name());
    std::string_view more;
    if (m.type() == (wanted ? MatchType::regex : MatchType::not_regex)) more = m.regex().prefix();
    auto known = chosen_values(m, more, wanted);
    if (!known.ok()) return known.error();
    const ChosenValues& values = **known;
    if (values.too_many) {
      return reader_.union_where(prefix, more, [&](std::string_view value) { return m.matches(value) == wanted; });
    }
    if (values.chosen.size() * kLookupCost <= values.all) {
      std::vector<std::string> own;
      for (const auto& [value, metrics] : values.chosen) {
        if (contains(metrics, metric)) own.push_back(value);
      }
      return reader_.union_of(prefix, own);
    }
    auto next = values.chosen.begin();  // both ascend
    return reader_.union_where(prefix, more, [&](std::string_view value) {
      while (next != values.chosen.end() && next->first < value) ++next;
      return next != values.chosen.end() && next->first == value;
    });
  }

  IndexReader reader_;
  SeriesIndex::Canceled canceled_;
  std::vector<const Matcher*> on_name_;
  std::vector<const Matcher*> on_labels_;
  bool many_ = false;  // metrics to look at
  std::unordered_map<const Matcher*, ChosenValues> chosen_;
};

}  // namespace

Result<std::vector<MetricSelection>> SeriesIndex::select(std::span<const Matcher> matchers, Canceled canceled) const {
  return Selector(database_, matchers, canceled).run();
}

Result<std::vector<std::string>> SeriesIndex::label_names() const {
  IndexReader reader(database_, nullptr);
  std::set<std::string> names;
  std::string next(1, kIndexLabelMetrics);
  for (;;) {
    auto key = reader.seek(next);
    if (!key.ok()) return key.error();
    if (key->empty() || (*key)[0] != kIndexLabelMetrics) break;
    std::string_view name;
    ByteReader bytes(key->substr(1));
    if (!bytes.text(name)) return internal_error("the index is damaged: a label's name");
    names.emplace(name);
    next = prefix_end(label_metrics_prefix(name));
  }
  return std::vector<std::string>(names.begin(), names.end());
}

Result<std::vector<std::string>> SeriesIndex::label_values(std::string_view name, std::size_t limit) const {
  IndexReader reader(database_, nullptr);
  std::vector<std::string> values;
  Status status = reader.scan(label_metrics_prefix(name), {}, [&](std::string_view value, std::string_view) {
    values.emplace_back(value);
    return limit == 0 || values.size() < limit;
  });
  if (!status.ok()) return status.error();
  return values;
}

}  // namespace pipit
