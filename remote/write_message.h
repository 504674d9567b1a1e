#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/metadata.h"
#include "model/sample.h"
#include "storage/queryable.h"

namespace pipit {

// Messages of remote write, before their compression. Labels are as `encode_labels` writes them.

struct OutgoingSample {
  const std::string* labels = nullptr;
  std::uint64_t series = 0;
  TimestampMs time = 0;
  double value = 0;
};

struct OutgoingExemplar {
  std::string series;
  std::string labels;
  double value = 0;
  TimestampMs time = 0;
};

/// Brings samples into the order of a message, in which those of a series stand together in the order of their times.
/// Of two with one time the first stays: more would have a receiver refuse all of them.
void order_samples(std::vector<OutgoingSample>& samples);

/// Appends a `prometheus.WriteRequest`. REQUIRES: `order_samples`.
void encode_write_v1(std::span<const OutgoingSample> samples, std::span<const OutgoingExemplar> exemplars,
                     std::string& out);
/// Appends one with what is known of metrics, and nothing else.
void encode_metadata_v1(std::span<const MetricMetadata> metadata, std::string& out);

/// What is known of a metric; null when nothing is.
using MetadataLookup = std::function<const Metadata*(std::string_view metric)>;
/// Appends an `io.prometheus.write.v2.Request`. REQUIRES: `order_samples`.
void encode_write_v2(std::span<const OutgoingSample> samples, std::span<const OutgoingExemplar> exemplars,
                     const MetadataLookup& metadata, std::string& out);

}  // namespace pipit
