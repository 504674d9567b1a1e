#include "storage/series_index.h"

#include <algorithm>
#include <limits>

namespace pipit {
namespace {

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
  auto it = database_.iterate(database_.index());
  it->SeekForPrev(slice(prefix_end(std::string(1, kIndexMetric))));
  if (it->Valid() && it->key().size() == 5 && it->key()[0] == kIndexMetric) {
    next_metric_ = big_endian32(it->key().data() + 1) + 1;
  }
  if (!it->status().ok()) return database_.error(it->status(), "read");
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
    if (!found || value.size() != 8) return damaged("a metric's number of series");
    metric.next_ordinal = big_endian64(value.data());
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
    Postings& metrics = pending_.postings[label_metrics_prefix(label.name) + label.value];
    if (metrics.empty() || metrics.back() != owner.id) metrics.push_back(owner.id);
    pending_.bytes += 2 * (label.name.size() + label.value.size());
  }
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
  for (const auto& [name, metric] : pending_.metrics) {
    std::string next;
    put_big_endian64(next, metric->next_ordinal);
    batch.Put(index, metric_key(kIndexNextOrdinal, metric->id), next);
    if (!metric->is_new) continue;
    batch.Put(index, metric_name_key(name), big_endian32_text(metric->id));
    batch.Put(index, metric_key(kIndexMetric, metric->id), name);
  }
  if (Status status = database_.write(batch); !status.ok()) return status;
  for (const auto& [name, metric] : pending_.metrics) metric->is_new = false;
  pending_ = {};
  return {};
}

Status SeriesIndex::remove(std::span<const SeriesId> ids) {
  rocksdb::WriteBatch batch;
  std::map<std::string, Postings> gone;
  std::string record;
  std::string name;
  for (const SeriesId id : ids) {
    bool found;
    if (Status status = database_.get(database_.series(), series_key(id), record, found); !status.ok()) return status;
    if (!found) continue;
    Status status = database_.get(database_.index(), metric_key(kIndexMetric, metric_of(id)), name, found);
    if (!status.ok()) return status;
    if (!found) return damaged("a metric's name");
    std::vector<Label> labels{{std::string(kMetricName), name}};
    const bool read = read_series_record(record, [&](std::string_view label, std::string_view value) {
      labels.push_back({std::string(label), std::string(value)});
      gone[posting_prefix(metric_of(id), label).append(value)].push_back(ordinal_of(id));
    });
    if (!read) return damaged("a series' labels");
    batch.Delete(database_.series(), series_key(id));
    batch.Delete(database_.index(), hash_key(hash(Labels(std::move(labels)))));
  }
  for (auto& [key, ordinals] : gone) {
    std::sort(ordinals.begin(), ordinals.end());
    ordinals.erase(std::unique(ordinals.begin(), ordinals.end()), ordinals.end());
    batch.Merge(database_.index(), key, encode_postings(ordinals, kPostingsRemove));
  }
  if (batch.Count() == 0) return {};
  return database_.write(batch);
}

}  // namespace pipit
