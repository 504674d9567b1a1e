#include "storage/series_index.h"

#include <algorithm>
#include <limits>
#include <set>

namespace pipit {
namespace {

constexpr std::size_t kMaxKnownLabels = 16 << 10;

std::string hash_key(const Hash128& hash) {
  std::string key(1, kIndexHash);
  put_big_endian64(key, hash.high);
  put_big_endian64(key, hash.low);
  return key;
}

std::string big_endian32_text(std::uint32_t value) {
  std::string text;
  put_big_endian32(text, value);
  return text;
}

/// The value of kIndexNextOrdinal.
std::string ordinals_record(std::uint64_t next, std::uint64_t removed) {
  std::string record;
  put_big_endian64(record, next);
  put_big_endian64(record, removed);
  return record;
}

Error damaged(std::string_view what) {
  return internal_error("the index is damaged: " + std::string(what) +
                        ". Restore the data folder from a copy, or move it away to start anew");
}

}  // namespace

std::string encode_series_record(const Labels& labels) {
  std::string record;
  put_varint(record, labels.size() - (labels.has(kMetricName) ? 1 : 0));
  for (const Label& label : labels) {
    if (label.name == kMetricName) continue;
    put_text(record, label.name);
    put_text(record, label.value);
  }
  return record;
}

Status SeriesIndex::load() {
  std::string value;
  bool found;
  const Status status = database_.get(database_.index(), std::string(1, kIndexNextMetric), value, found);
  if (!status.ok()) return status;
  if (found && value.size() != 4) return damaged("the number of metrics");
  if (found) next_metric_ = big_endian32(value.data());
  return {};
}

Result<SeriesId> SeriesIndex::find(const Hash128& hash) const {
  std::string value;
  bool found;
  if (Status status = database_.get(database_.index(), hash_key(hash), value, found); !status.ok()) {
    return status.error();
  }
  if (!found) return SeriesId{0};
  if (value.size() != sizeof(SeriesId)) return damaged("a series id");
  return big_endian64(value.data());
}

Result<bool> SeriesIndex::has_metric(std::string_view name) const {
  std::string value;
  bool found;
  const Status status = database_.get(database_.index(), metric_name_key(name), value, found);
  if (!status.ok()) return status.error();
  return found;
}

Result<SeriesIndex::Metric*> SeriesIndex::metric(std::string_view name) {
  auto known = metrics_.find(std::string(name));
  if (known != metrics_.end()) return &known->second;
  std::string value;
  bool found;
  if (Status status = database_.get(database_.index(), metric_name_key(name), value, found); !status.ok()) {
    return status.error();
  }
  Metric metric;
  if (found) {
    if (value.size() != 4) return damaged("a metric id");
    metric.id = big_endian32(value.data());
    const Status status = database_.get(database_.index(), metric_key(kIndexNextOrdinal, metric.id), value, found);
    if (!status.ok()) return status.error();
    if (!found || value.size() != 16) return damaged("a metric's number of series");
    metric.next_ordinal = big_endian64(value.data());
    metric.removed = big_endian64(value.data() + 8);
  } else {
    if (next_metric_ == std::numeric_limits<std::uint32_t>::max()) return damaged("it has no metric ids left");
    metric.id = next_metric_++;
    metric.is_new = true;
  }
  return &metrics_.emplace(std::string(name), metric).first->second;
}

Result<SeriesId> SeriesIndex::create(const Labels& labels, const Hash128& hash) {
  const std::string name(labels.metric_name());
  auto metric_result = metric(name);
  if (!metric_result.ok()) return metric_result.error();
  Metric& owner = **metric_result;
  if (owner.next_ordinal > std::numeric_limits<std::uint32_t>::max()) {
    return Error{ErrorKind::unavailable, "metric " + name + " had more than 4 billion series: no ids are left"};
  }
  const auto ordinal = static_cast<std::uint32_t>(owner.next_ordinal++);
  const SeriesId id = make_series_id(owner.id, ordinal);
  for (const Label& label : labels) {
    if (label.name != kMetricName) {
      auto& ordinals = pending_.postings[posting_prefix(owner.id, label.name) + label.value];
      ordinals.push_back(ordinal);
    }
    std::string key = label_metrics_prefix(label.name) + label.value;
    if (known_metrics_of_labels_.size() >= kMaxKnownLabels) known_metrics_of_labels_.clear();
    if (known_metrics_of_labels_.insert(hash_bytes(key, {owner.id, seed_.high}).low).second) {
      pending_.postings[std::move(key)].push_back(owner.id);
    }
    pending_.bytes += 2 * (label.name.size() + label.value.size());
  }
  pending_.postings[activity_key(owner.id, kNoWindow)].push_back(ordinal);
  pending_.series.emplace_back(id, encode_series_record(labels));
  pending_.hashes.emplace_back(hash, id);
  pending_.metrics.emplace(name, &owner);
  pending_.bytes += 100;
  return id;
}

Status SeriesIndex::write_pending() {
  if (pending_.series.empty()) return {};
  rocksdb::WriteBatch batch;
  auto* const index = database_.index();
  for (const auto& [id, record] : pending_.series) batch.Put(database_.series(), series_key(id), record);
  for (const auto& [hash, id] : pending_.hashes) batch.Put(index, hash_key(hash), series_key(id));
  for (auto& [key, numbers] : pending_.postings) {
    std::sort(numbers.begin(), numbers.end());
    numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
    batch.Merge(index, key, encode_postings(numbers));
  }
  bool new_metrics = false;
  for (const auto& [name, metric] : pending_.metrics) {
    batch.Put(index, metric_key(kIndexNextOrdinal, metric->id), ordinals_record(metric->next_ordinal, metric->removed));
    if (!metric->is_new) continue;
    new_metrics = true;
    batch.Put(index, metric_name_key(name), big_endian32_text(metric->id));
    batch.Put(index, metric_key(kIndexMetric, metric->id), name);
  }
  if (new_metrics) batch.Put(index, std::string(1, kIndexNextMetric), big_endian32_text(next_metric_));
  // On failure all of it stays pending.
  if (Status status = database_.write(batch); !status.ok()) return status;
  for (const auto& [name, metric] : pending_.metrics) metric->is_new = false;
  pending_ = {};
  return {};
}

void SeriesIndex::forget_activity(std::uint32_t metric) { activity_written_.erase(metric); }

Status SeriesIndex::add_activity(std::uint32_t metric, const std::map<Window, PostingRuns>& windows) {
  if (windows.empty()) return {};
  rocksdb::WriteBatch batch;
  auto written = activity_written_.find(metric);
  std::pair<Window, std::uint64_t> newest;
  for (const auto& [window, runs] : windows) {
    const std::string list = encode_postings(runs);
    newest = {window, hash_bytes(list, {}).low};
    if (written != activity_written_.end() && written->second == newest) continue;
    batch.Merge(database_.index(), activity_key(metric, window), list);
  }
  std::string unlisted;
  bool found;
  Status status = database_.get(database_.index(), activity_key(metric, kNoWindow), unlisted, found);
  if (!status.ok()) return status;
  PostingRuns waiting;
  if (found && !unite_stored(waiting, unlisted)) return damaged("a list of active series");
  if (!waiting.empty()) {
    PostingRuns listed;
    for (const auto& [window, runs] : windows) unite(listed, runs);
    // Never deleted as a whole: who makes a series meanwhile adds to it.
    batch.Merge(database_.index(), activity_key(metric, kNoWindow), encode_postings(listed, kPostingsRemove));
  }
  if (batch.Count() != 0) {
    if (status = database_.write(batch); !status.ok()) return status;
  }
  activity_written_[metric] = newest;
  return {};
}

Status SeriesIndex::change_unlisted(std::uint32_t metric, const Postings& listed, const Postings& unlisted) {
  rocksdb::WriteBatch batch;
  const std::string key = activity_key(metric, kNoWindow);
  if (!listed.empty()) batch.Merge(database_.index(), key, encode_postings(listed, kPostingsRemove));
  if (!unlisted.empty()) batch.Merge(database_.index(), key, encode_postings(unlisted));
  return batch.Count() == 0 ? Status() : database_.write(batch);
}

Result<SeriesIndex::Removed> SeriesIndex::remove(std::span<const SeriesId> ids) {
  known_metrics_of_labels_.clear();
  if (Status status = write_pending(); !status.ok()) return status.error();
  rocksdb::WriteBatch batch;
  Removals removals;
  std::map<std::uint32_t, std::uint64_t> counts;  // by metric
  Removed removed;
  for (const SeriesId id : std::set<SeriesId>(ids.begin(), ids.end())) {
    auto found = find_removals(id, removals, batch);
    if (!found.ok()) return found.error();
    if (!*found) continue;
    ++counts[metric_of(id)];
    ++removed.series;
  }
  if (removed.series == 0) return removed;
  std::vector<std::string> emptied;
  if (Status status = shrink_lists(removals, batch, emptied); !status.ok()) return status.error();
  // A metric has a label's value no longer when the list of its series with it is empty.
  Removals values;
  for (const std::string& key : emptied) {
    values[kIndexLabelMetrics + key.substr(5)].push_back(big_endian32(key.data() + 1));
  }
  std::vector<Metric*> changed;
  for (const auto& [id, count] : counts) {
    auto name = metric_name(id);
    if (!name.ok()) return name.error();
    auto owner = metric(*name);
    if (!owner.ok()) return owner.error();
    const Metric& known = **owner;
    changed.push_back(*owner);
    if (known.removed + count < known.next_ordinal) {
      batch.Put(database_.index(), metric_key(kIndexNextOrdinal, id),
                ordinals_record(known.next_ordinal, known.removed + count));
      continue;
    }
    if (Status status = remove_metric(id, *name, batch); !status.ok()) return status.error();
    values[label_metrics_prefix(kMetricName) + *name].push_back(id);
    removed.metrics.push_back(std::move(*name));
  }
  emptied.clear();
  if (Status status = shrink_lists(values, batch, emptied); !status.ok()) return status.error();
  if (Status status = database_.write(batch); !status.ok()) return status.error();
  for (Metric* owner : changed) owner->removed += counts[owner->id];
  for (const std::string& name : removed.metrics) {
    auto gone = metrics_.find(name);
    activity_written_.erase(gone->second.id);
    metrics_.erase(gone);
  }
  return removed;
}

/// False when there is no such series.
Result<bool> SeriesIndex::find_removals(SeriesId id, Removals& removals, rocksdb::WriteBatch& batch) const {
  std::string record;
  bool found;
  Status status = database_.get(database_.series(), series_key(id), record, found);
  if (!status.ok()) return status.error();
  if (!found) return false;
  auto name = metric_name(metric_of(id));
  if (!name.ok()) return name.error();
  std::vector<Label> labels{{std::string(kMetricName), std::move(*name)}};
  const bool read = read_series_record(record, [&](std::string_view label, std::string_view value) {
    labels.push_back({std::string(label), std::string(value)});
    removals[posting_prefix(metric_of(id), label).append(value)].push_back(ordinal_of(id));
  });
  if (!read) return damaged("a series' labels");
  batch.Delete(database_.series(), series_key(id));
  batch.Delete(database_.index(), hash_key(hash(Labels(std::move(labels)))));
  return true;
}

/// Takes numbers from lists. A list without any left goes, and its key is told.
Status SeriesIndex::shrink_lists(const Removals& removals, rocksdb::WriteBatch& batch,
                                 std::vector<std::string>& emptied) const {
  std::string stored;
  PostingRuns runs;
  for (const auto& [key, numbers] : removals) {
    bool found;
    if (Status status = database_.get(database_.index(), key, stored, found); !status.ok()) return status;
    Postings sorted = numbers;
    std::sort(sorted.begin(), sorted.end());
    sorted.erase(std::unique(sorted.begin(), sorted.end()), sorted.end());
    runs.clear();
    if (found && !unite_stored(runs, stored)) return damaged("a posting list");
    subtract(runs, runs_of(sorted));
    if (runs.empty()) {
      batch.Delete(database_.index(), key);
      emptied.push_back(key);
    } else {
      batch.Merge(database_.index(), key, encode_postings(sorted, kPostingsRemove));
    }
  }
  return {};
}

/// All that is left of a metric without series, save its place among the names' values.
Status SeriesIndex::remove_metric(std::uint32_t metric, const std::string& name, rocksdb::WriteBatch& batch) const {
  auto* const index = database_.index();
  batch.Delete(index, metric_name_key(name));
  batch.Delete(index, metric_key(kIndexMetric, metric));
  batch.Delete(index, metric_key(kIndexNextOrdinal, metric));
  const std::string lists = metric_key(kIndexActivity, metric);
  auto it = database_.iterate(index, false);
  for (it->Seek(slice(lists)); it->Valid() && view(it->key()).starts_with(lists); it->Next()) {
    batch.Delete(index, it->key());
  }
  if (!it->status().ok()) return database_.error(it->status(), "read");
  return {};
}

Result<std::optional<Labels>> SeriesIndex::labels(SeriesId id) const {
  std::string text;
  bool found;
  Status status = database_.get(database_.index(), metric_key(kIndexMetric, metric_of(id)), text, found);
  if (!status.ok()) return status.error();
  if (!found) return std::optional<Labels>();
  std::vector<Label> labels{{std::string(kMetricName), std::move(text)}};
  status = database_.get(database_.series(), series_key(id), text, found);
  if (!status.ok()) return status.error();
  if (!found) return std::optional<Labels>();
  const bool good = read_series_record(text, [&](std::string_view name, std::string_view value) {
    labels.push_back({std::string(name), std::string(value)});
  });
  if (!good) return damaged("the labels of a series");
  return std::optional<Labels>(std::move(labels));
}

Result<std::string> SeriesIndex::metric_name(std::uint32_t metric) const {
  std::string name;
  bool found;
  Status status = database_.get(database_.index(), metric_key(kIndexMetric, metric), name, found);
  if (!status.ok()) return status.error();
  if (!found) return damaged("a metric's name");
  return name;
}

}  // namespace pipit
