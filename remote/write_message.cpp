// Source of the fields: Prometheus, prompb/remote.proto, types.proto and io/prometheus/write/v2/types.proto.

#include "remote/write_message.h"

#include <algorithm>
#include <bit>
#include <unordered_map>

#include "remote/forwarded_labels.h"
#include "storage/protobuf.h"

namespace pipit {
namespace {

using protobuf::kFixed64;
using protobuf::put_bytes;
using protobuf::put_number;

/// Value and time, which a Sample has in fields 1 and 2 and an Exemplar in 2 and 3.
void put_point(std::string& out, unsigned first_field, double value, TimestampMs time) {
  out += protobuf::tag(first_field, kFixed64);
  put_fixed64(out, std::bit_cast<std::uint64_t>(value));
  put_number(out, first_field + 1, static_cast<std::uint64_t>(time));
}

void put_samples(std::string& out, std::span<const OutgoingSample> samples, std::string& scratch) {
  for (const OutgoingSample& sample : samples) {
    scratch.clear();
    put_point(scratch, 1, sample.value, sample.time);
    put_bytes(out, 2, scratch);
  }
}

/// Calls `visit` with the samples of each series.
template <class Visit>
void visit_series(std::span<const OutgoingSample> samples, Visit visit) {
  for (std::size_t begin = 0; begin < samples.size();) {
    std::size_t end = begin + 1;
    while (end < samples.size() && samples[end].series == samples[begin].series) ++end;
    visit(samples.subspan(begin, end - begin));
    begin = end;
  }
}

/// The texts of a message of version 2, each once. The first is "".
class Symbols {
 public:
  Symbols() { add(""); }

  std::uint32_t add(std::string_view text) {
    const auto [found, fresh] = numbers_.try_emplace(text, static_cast<std::uint32_t>(texts_.size()));
    if (fresh) texts_.push_back(text);
    return found->second;
  }
  void put_labels(std::string_view encoded, int field, std::string& out) {
    refs_.clear();
    for (const auto& [name, value] : decode_labels(encoded)) {
      put_varint(refs_, add(name));
      put_varint(refs_, add(value));
    }
    if (!refs_.empty()) put_bytes(out, field, refs_);
  }
  std::span<const std::string_view> texts() const { return texts_; }

 private:
  std::unordered_map<std::string_view, std::uint32_t> numbers_;
  std::vector<std::string_view> texts_;
  std::string refs_;
};

std::string_view metric_name_of(std::string_view encoded) {
  for (const auto& [name, value] : decode_labels(encoded)) {
    if (name == kMetricName) return value;
  }
  return {};
}

/// What is known of a series' metric, which may stand under its family's name.
const Metadata* find_metadata(const MetadataLookup& lookup, std::string_view metric) {
  if (const Metadata* found = lookup(metric)) return found;
  for (const std::string_view suffix : {"_bucket", "_count", "_sum", "_total", "_info", "_created"}) {
    if (metric.ends_with(suffix)) return lookup(metric.substr(0, metric.size() - suffix.size()));
  }
  return nullptr;
}

}  // namespace

void order_samples(std::vector<OutgoingSample>& samples) {
  const auto key = [](const OutgoingSample& sample) { return std::pair(sample.series, sample.time); };
  std::ranges::stable_sort(samples, {}, key);
  const auto twice = std::ranges::unique(samples, {}, key);
  samples.erase(twice.begin(), twice.end());
}

void encode_write_v1(std::span<const OutgoingSample> samples, std::span<const OutgoingExemplar> exemplars,
                     std::string& out) {
  std::string series;
  std::string scratch;
  visit_series(samples, [&](std::span<const OutgoingSample> of_series) {
    series = *of_series.front().labels;
    put_samples(series, of_series, scratch);
    put_bytes(out, 1, series);
  });
  for (const OutgoingExemplar& exemplar : exemplars) {
    series = exemplar.series;
    scratch = exemplar.labels;
    put_point(scratch, 2, exemplar.value, exemplar.time);
    put_bytes(series, 3, scratch);
    put_bytes(out, 1, series);
  }
}

void encode_metadata_v1(std::span<const MetricMetadata> metadata, std::string& out) {
  std::string entry;
  for (const MetricMetadata& each : metadata) {
    entry.clear();
    put_number(entry, 1, static_cast<std::uint64_t>(each.metadata.type));
    put_bytes(entry, 2, each.metric);
    if (!each.metadata.help.empty()) put_bytes(entry, 4, each.metadata.help);
    if (!each.metadata.unit.empty()) put_bytes(entry, 5, each.metadata.unit);
    put_bytes(out, 3, entry);
  }
}

void encode_write_v2(std::span<const OutgoingSample> samples, std::span<const OutgoingExemplar> exemplars,
                     const MetadataLookup& metadata, std::string& out) {
  Symbols symbols;
  std::string all;
  std::string series;
  std::string scratch;
  visit_series(samples, [&](std::span<const OutgoingSample> of_series) {
    const std::string& labels = *of_series.front().labels;
    series.clear();
    symbols.put_labels(labels, 1, series);
    put_samples(series, of_series, scratch);
    if (const Metadata* known = find_metadata(metadata, metric_name_of(labels))) {
      scratch.clear();
      put_number(scratch, 1, static_cast<std::uint64_t>(known->type));
      put_number(scratch, 3, symbols.add(known->help));
      put_number(scratch, 4, symbols.add(known->unit));
      put_bytes(series, 5, scratch);
    }
    put_bytes(all, 5, series);
  });
  for (const OutgoingExemplar& exemplar : exemplars) {
    series.clear();
    symbols.put_labels(exemplar.series, 1, series);
    scratch.clear();
    symbols.put_labels(exemplar.labels, 1, scratch);
    put_point(scratch, 2, exemplar.value, exemplar.time);
    put_bytes(series, 4, scratch);
    put_bytes(all, 5, series);
  }
  for (const std::string_view text : symbols.texts()) put_bytes(out, 4, text);
  out += all;
}

}  // namespace pipit
