#include "remote/forwarded_labels.h"

#include <utility>

#include "storage/coding.h"
#include "telemetry/log.h"

namespace pipit {

ForwardedLabels::ForwardedLabels(const Store& store, Labels external, std::vector<RelabelConfig> steps)
    : store_(store), external_(std::move(external)), steps_(std::move(steps)) {}

const ForwardedLabels::Series& ForwardedLabels::find(std::uint64_t id) {
  const auto [found, fresh] = known_.try_emplace(id);
  Series& series = found->second;
  if (!fresh) return series;
  auto labels = store_.series_labels(id);
  if (!labels.ok()) {
    if (unreadable_.empty()) {
      log_error("Labels of series can't be read, their samples are not sent", {{"err", labels.error()}});
    }
    unreadable_.push_back(id);
  }
  if (!labels.ok() || !labels->has_value()) {
    series.fate = Fate::gone;
  } else {
    series.labels = forward(**std::move(labels));
    if (series.labels.empty()) series.fate = Fate::dropped;
  }
  constexpr std::size_t kEntry = 96;  // of the table
  bytes_ += kEntry + series.labels.capacity();
  return series;
}

std::string ForwardedLabels::forward(Labels labels) const {
  for (const Label& label : external_) {
    if (!labels.has(label.name)) labels.set(label.name, label.value);
  }
  std::string encoded;
  if (!relabel(labels, steps_) || labels.empty()) return encoded;
  encode_labels(labels, encoded);
  return encoded;
}

void ForwardedLabels::trim() {
  for (const std::uint64_t id : std::exchange(unreadable_, {})) known_.erase(id);
  if (bytes_ <= kMostBytes) return;
  known_ = {};
  bytes_ = 0;
}

std::vector<std::pair<std::string_view, std::string_view>> decode_labels(std::string_view encoded) {
  std::vector<std::pair<std::string_view, std::string_view>> labels;
  ByteReader reader(encoded);
  while (!reader.done()) {
    std::uint8_t tag;
    std::string_view pair;
    if (!reader.byte(tag) || tag != 0x0a || !reader.text(pair)) return {};
    auto& [name, value] = labels.emplace_back();
    ByteReader fields(pair);
    while (!fields.done()) {
      if (!fields.byte(tag) || (tag != 0x0a && tag != 0x12) || !fields.text(tag == 0x0a ? name : value)) return {};
    }
  }
  return labels;
}

}  // namespace pipit
