#include "storage/exemplar_store.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <tuple>
#include <utility>

#include "storage/exemplar_log.h"
#include "telemetry/metrics.h"

namespace pipit {
namespace {

bool same_bits(double a, double b) { return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b); }

std::size_t count_characters(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

bool is_too_long(const Labels& labels) {
  std::size_t characters = 0;
  std::size_t bytes = 0;
  for (const Label& label : labels) {
    characters += count_characters(label.name) + count_characters(label.value);
    bytes += label.name.size() + label.value.size();
  }
  // Text that is not UTF-8 may have any number of bytes and hardly a character.
  constexpr std::size_t kLongestCharacter = 4;
  return characters > ExemplarStore::kLongestLabels || bytes > kLongestCharacter * ExemplarStore::kLongestLabels;
}

/// Names and values, each behind its length in two bytes: they are short.
std::string pack(const Labels& labels) {
  std::string out;
  const auto add = [&out](std::string_view text) {
    out += static_cast<char>(text.size() & 0xff);
    out += static_cast<char>(text.size() >> 8);
    out += text;
  };
  for (const Label& label : labels) {
    add(label.name);
    add(label.value);
  }
  return out;
}

Labels unpack(std::string_view packed) {
  const auto take = [&packed] {
    const auto size =
        static_cast<std::size_t>(static_cast<unsigned char>(packed[0]) | static_cast<unsigned char>(packed[1]) << 8);
    std::string text(packed.substr(2, size));
    packed.remove_prefix(2 + size);
    return text;
  };
  std::vector<Label> labels;
  while (!packed.empty()) {
    Label& label = labels.emplace_back();
    label.name = take();
    label.value = take();
  }
  return Labels(std::move(labels));
}

bool matches(const Labels& labels, std::span<const std::vector<Matcher>> matcher_sets) {
  return std::any_of(matcher_sets.begin(), matcher_sets.end(), [&](const std::vector<Matcher>& matchers) {
    return std::all_of(matchers.begin(), matchers.end(),
                       [&](const Matcher& matcher) { return matcher.matches(labels.get(matcher.name())); });
  });
}

}  // namespace

ExemplarStore::ExemplarStore(MetricsRegistry& metrics, std::size_t capacity)
    : stored_(metrics.counter("pipit_exemplars_appended_total", "Exemplars that were stored.")),
      out_of_order_(metrics.counter("pipit_exemplars_out_of_order_total",
                                    "Exemplars refused because their series has a newer one.")),
      too_long_(metrics.counter("pipit_exemplars_too_long_total",
                                "Exemplars refused because their labels have more than 128 characters.")),
      in_store_(metrics.gauge("pipit_exemplars_in_storage", "Exemplars that are kept.")),
      series_in_store_(metrics.gauge("pipit_exemplars_series_in_storage", "Series that have exemplars.")),
      capacity_(capacity) {}

ExemplarStore::~ExemplarStore() = default;

void ExemplarStore::keep_on_disk(const std::filesystem::path& path) {
  auto log = std::make_unique<ExemplarLog>(path, capacity_);
  log->read([this](const Labels& series, Exemplar exemplar) {
    add(
        kNoSeries, [&series] { return series; }, std::move(exemplar));
  });
  std::lock_guard lock(mutex_);
  log_ = std::move(log);
}

void ExemplarStore::set_listener(Listener listener) {
  std::lock_guard lock(mutex_);
  listener_ = std::move(listener);
}

bool ExemplarStore::enabled() const {
  std::lock_guard lock(mutex_);
  return capacity_ > 0;
}

std::size_t ExemplarStore::size() const {
  std::lock_guard lock(mutex_);
  return entries_.size();
}

void ExemplarStore::publish_size() {
  in_store_.set(static_cast<double>(entries_.size()));
  series_in_store_.set(static_cast<double>(series_.size() - free_series_.size()));
}

void ExemplarStore::set_capacity(std::size_t capacity) {
  std::lock_guard lock(mutex_);
  if (capacity == capacity_) return;
  // From the oldest to the newest, those that there is room for.
  std::deque<Entry> before = std::exchange(entries_, {});
  const std::size_t first = before.size() == capacity_ ? next_ : 0;
  const std::size_t dropped = before.size() - std::min(before.size(), capacity);
  capacity_ = capacity;
  if (log_) log_->set_exemplars_per_file(capacity);
  next_ = 0;
  for (Series& series : series_) {
    series.newest = kNone;
    series.count = 0;
  }
  for (std::size_t i = dropped; i < before.size(); ++i) {
    Entry& entry = before[(first + i) % before.size()];
    Series& series = series_[entry.series];
    entry.older = series.newest;
    series.newest = static_cast<std::uint32_t>(entries_.size());
    ++series.count;
    entries_.push_back(std::move(entry));
  }
  by_ref_.clear();
  by_hash_.clear();
  free_series_.clear();
  for (std::uint32_t i = 0; i < series_.size(); ++i) {
    Series& series = series_[i];
    if (series.count == 0) {
      series = {};
      free_series_.push_back(i);
    } else {
      if (series.ref != kNoSeries) by_ref_.emplace(series.ref, i);
      by_hash_.emplace(series.labels.hash(), i);
    }
  }
  if (free_series_.size() == series_.size()) {
    series_ = {};
    free_series_ = {};
  }
  publish_size();
}

std::uint32_t ExemplarStore::find_series(SeriesRef ref, const std::function<Labels()>& labels_of) {
  if (const auto known = by_ref_.find(ref); known != by_ref_.end()) return known->second;
  Labels labels = labels_of();
  if (labels.empty()) return kNone;
  const std::uint64_t hash = labels.hash();
  std::uint32_t index = kNone;
  if (const auto known = by_hash_.find(hash); known != by_hash_.end()) {
    index = known->second;
    if (series_[index].labels != labels) return kNone;  // one of two in 2^64
    by_ref_.erase(series_[index].ref);
  } else {
    if (free_series_.empty()) {
      free_series_.push_back(static_cast<std::uint32_t>(series_.size()));
      series_.emplace_back();
    }
    index = free_series_.back();
    free_series_.pop_back();
    series_[index] = {};
    series_[index].labels = std::move(labels);
    by_hash_.emplace(hash, index);
    if (log_) log_->forget(index);
  }
  series_[index].ref = ref;
  if (ref != kNoSeries) by_ref_.emplace(ref, index);
  return index;
}

void ExemplarStore::forget(Entry& entry) {
  // It is the oldest of all and so the last one of its series' list, which the one before it still points to; that is
  // why lists are followed by count.
  Series& series = series_[entry.series];
  if (--series.count > 0) return;
  by_ref_.erase(series.ref);
  by_hash_.erase(series.labels.hash());
  series = {};
  free_series_.push_back(entry.series);
}

void ExemplarStore::push(std::uint32_t index, const Exemplar& exemplar, std::string labels) {
  std::uint32_t place = static_cast<std::uint32_t>(entries_.size());
  if (entries_.size() < capacity_) {
    entries_.emplace_back();
  } else {
    place = static_cast<std::uint32_t>(next_);
    next_ = (next_ + 1) % capacity_;
    ++series_[index].count;  // keeps the series if its only exemplar is the one that goes
    forget(entries_[place]);
    --series_[index].count;
  }
  Series& series = series_[index];
  entries_[place] = {index, series.newest, exemplar.time, exemplar.value, exemplar.has_time, std::move(labels)};
  series.newest = place;
  ++series.count;
}

ExemplarStore::Outcome ExemplarStore::add(SeriesRef ref, const std::function<Labels()>& labels_of, Exemplar exemplar) {
  if (is_too_long(exemplar.labels)) {
    too_long_.add();
    return Outcome::too_long;
  }
  std::lock_guard lock(mutex_);
  if (capacity_ == 0) return Outcome::disabled;
  const std::uint32_t index = find_series(ref, labels_of);
  if (index == kNone) return Outcome::disabled;
  std::string labels = pack(exemplar.labels);
  if (const Series& series = series_[index]; series.count > 0) {
    const Entry& newest = entries_[series.newest];
    const bool same_time = newest.time == exemplar.time || (!newest.has_time && !exemplar.has_time);
    if (same_time && same_bits(newest.value, exemplar.value) && newest.labels == labels) return Outcome::duplicate;
    if (std::tie(exemplar.time, exemplar.value) < std::tie(newest.time, newest.value)) {
      out_of_order_.add();
      return Outcome::out_of_order;
    }
  }
  push(index, exemplar, std::move(labels));
  if (listener_) listener_(series_[index].labels, exemplar);
  if (log_) log_->add(index, series_[index].labels, exemplar);
  if (ref != kNoSeries) stored_.add();  // the others were counted by the process that stored them
  publish_size();
  return Outcome::stored;
}

std::vector<Exemplar> ExemplarStore::exemplars_of(const Series& series, TimestampMs min_time,
                                                  TimestampMs max_time) const {
  std::vector<Exemplar> found;
  std::uint32_t place = series.newest;
  for (std::uint32_t i = 0; i < series.count; ++i) {
    const Entry& entry = entries_[place];
    if (entry.time < min_time) break;
    if (entry.time <= max_time) found.push_back({unpack(entry.labels), entry.value, entry.time, entry.has_time});
    place = entry.older;
  }
  std::reverse(found.begin(), found.end());
  return found;
}

std::vector<SeriesExemplars> ExemplarStore::select(std::span<const std::vector<Matcher>> matcher_sets,
                                                   TimestampMs min_time, TimestampMs max_time) const {
  std::vector<SeriesExemplars> found;
  std::lock_guard lock(mutex_);
  for (const Series& series : series_) {
    if (series.count == 0 || !matches(series.labels, matcher_sets)) continue;
    auto exemplars = exemplars_of(series, min_time, max_time);
    if (!exemplars.empty()) found.push_back({series.labels, std::move(exemplars)});
  }
  std::sort(found.begin(), found.end(),
            [](const SeriesExemplars& a, const SeriesExemplars& b) { return a.series < b.series; });
  return found;
}

}  // namespace pipit
