#include "query/shared_scans.h"

#include <algorithm>
#include <atomic>
#include <deque>

#include "query/row_fan.h"
#include "query/series_scan.h"

namespace pipit {
namespace {

/// Several functions' rows of a series, as one long row. Each begins at a word of the mask.
class FusedRow : public RowFunction {
 public:
  struct Part {
    std::unique_ptr<RowFunction> function;
    TimestampMs min_time;
    TimestampMs max_time;
    std::size_t begin;                ///< cell of the long row
    const std::atomic<bool>* wanted;  ///< by its reader, still
  };
  explicit FusedRow(std::vector<Part> parts) : parts_(std::move(parts)) {}

  Status compute(std::span<const TimestampMs> times, std::span<const double> values, RowOut out) override {
    for (Part& part : parts_) {
      if (!part.wanted->load(std::memory_order_relaxed)) continue;
      // What a function would see if it were alone, so that its answer is the same to the last bit.
      const auto first = std::lower_bound(times.begin(), times.end(), part.min_time);
      const auto past = std::upper_bound(first, times.end(), part.max_time);
      const auto begin = static_cast<std::size_t>(first - times.begin());
      const auto size = static_cast<std::size_t>(past - first);
      if (size == 0) continue;
      const RowOut part_out{out.values + part.begin, out.mask + part.begin / 64};
      Status status = part.function->compute(times.subspan(begin, size), values.subspan(begin, size), part_out);
      if (!status.ok()) return status;
    }
    return {};
  }

 private:
  std::vector<Part> parts_;
};

std::size_t padded(std::size_t steps) { return mask_words(steps) * 64; }

double length(TimestampMs min_time, TimestampMs max_time) {
  return static_cast<double>(max_time) - static_cast<double>(min_time) + 1;
}

}  // namespace

/// Scans of the same series, each with a reader. Many are alone to the end.
class FusedScan : public RowFan {
 public:
  FusedScan(QueryContext& context, SeriesScan scan) : RowFan(context) { add(std::move(scan)); }

  void add(SeriesScan scan) {
    min_time_ = scans_.empty() ? scan.min_time : std::min(min_time_, scan.min_time);
    max_time_ = scans_.empty() ? scan.max_time : std::max(max_time_, scan.max_time);
    scans_.push_back(std::move(scan));
    wanted_.emplace_back(true);
    add_reader();
  }
  OperatorPtr newest_reader() { return reader(readers() - 1); }

  bool has_begun() const { return scan_ != nullptr; }

  /// Whether to read a scan's series together with these costs less than to read them twice.
  bool takes(const SeriesScan& scan) const {
    const auto live = first_live();
    if (live == scans_.size()) return false;
    const auto& here = scans_[live].selector->matchers;
    const auto& there = scan.selector->matchers;
    if (here.size() != there.size() || !std::is_permutation(here.begin(), here.end(), there.begin())) return false;
    const TimestampMs min_time = std::min(min_time_, scan.min_time);
    const TimestampMs max_time = std::max(max_time_, scan.max_time);
    // Days are read faster twice by their chunks' summaries than once by their samples.
    if (spans_days(scan) || spans_days(scans_[live])) return false;
    const bool one_contains_the_other =
        (min_time == min_time_ && max_time == max_time_) || (min_time == scan.min_time && max_time == scan.max_time);
    if (one_contains_the_other) return true;
    // The newest sample alone costs next to nothing.
    if (scan.newest_only || scans_[live].newest_only) return false;
    constexpr double kWorthIt = 0.75;
    const double apart = length(min_time_, max_time_) + length(scan.min_time, scan.max_time);
    return length(min_time, max_time) <= kWorthIt * apart;
  }

 protected:
  Operator* direct() override {
    if (!scan_) begin();
    return together_.size() == 1 ? scan_.get() : nullptr;
  }

  bool advance() override {
    if (!scan_) begin();
    for (std::size_t number : together_) wanted_[number].store(wants(number), std::memory_order_relaxed);
    if (!scan_->next(rows_)) return false;
    std::size_t begin = 0;
    for (std::size_t number : together_) {
      if (wants(number)) give(number, part_of_rows(scans_[number], begin));
      begin += padded(scans_[number].steps);
    }
    return true;
  }

  OperatorPtr alone(std::size_t number) override { return make_single_scan(context(), scans_[number]); }

 private:
  static bool spans_days(const SeriesScan& scan) {
    constexpr DurationMs kTwoDays = 2 * 86'400'000;
    return scan.extreme && scan.extreme->range >= kTwoDays;
  }

  std::size_t first_live() const {
    std::size_t number = 0;
    while (number < scans_.size() && !wants(number)) ++number;
    return number;
  }

  void begin() {
    for (std::size_t number = 0; number < scans_.size(); ++number) {
      if (wants(number)) together_.push_back(number);
    }
    scan_ = make_single_scan(context(), together_.size() == 1 ? scans_[together_[0]] : fused());
  }

  SeriesScan fused() const {
    SeriesScan all;
    all.selector = scans_[together_[0]].selector;
    all.min_time = scans_[together_[0]].min_time;
    all.max_time = scans_[together_[0]].max_time;
    all.labels = all.values = false;
    all.name_only = all.newest_only = true;
    for (std::size_t number : together_) {
      const SeriesScan& scan = scans_[number];
      all.newest_only =
          all.newest_only && scan.newest_only && scan.min_time == all.min_time && scan.max_time == all.max_time;
      all.min_time = std::min(all.min_time, scan.min_time);
      all.max_time = std::max(all.max_time, scan.max_time);
      all.labels = all.labels || scan.labels;
      all.name_only = all.name_only && (scan.name_only || !scan.labels);
      all.values = all.values || scan.values;
      all.steps += padded(scan.steps);
    }
    all.make_function = [this] { return fused_row(); };
    return all;
  }

  std::unique_ptr<RowFunction> fused_row() const {
    std::vector<FusedRow::Part> parts;
    std::size_t begin = 0;
    for (std::size_t number : together_) {
      const SeriesScan& scan = scans_[number];
      parts.push_back({scan.make_function(), scan.min_time, scan.max_time, begin, &wanted_[number]});
      begin += padded(scan.steps);
    }
    return std::make_unique<FusedRow>(std::move(parts));
  }

  std::shared_ptr<Block> part_of_rows(const SeriesScan& scan, std::size_t begin) {
    auto part = std::make_shared<Block>();
    part->reset(scan.steps);
    for (std::size_t row = 0; row < rows_.rows(); ++row) {
      const MaskWord* mask = rows_.mask(row) + begin / 64;
      if (!mask_any(mask, part->words())) continue;
      const LabelSet& labels = rows_.labels(row).labels;
      if (scan.on_row) scan.on_row(labels);
      const auto place = part->add_row(scan.labels ? labels : LabelSet(), scan.drop_name);
      std::copy_n(rows_.values(row) + begin, scan.steps, part->values(place));
      std::copy_n(mask, part->words(), part->mask(place));
    }
    return part;
  }

  std::vector<SeriesScan> scans_;
  std::deque<std::atomic<bool>> wanted_;  ///< what `wants` says, for all threads
  TimestampMs min_time_ = 0;
  TimestampMs max_time_ = 0;
  std::vector<std::size_t> together_;  ///< the scans that were wanted when the reading began
  OperatorPtr scan_;
  Block rows_;
};

OperatorPtr SharedScans::add(QueryContext& context, SeriesScan scan) {
  std::erase_if(waiting_, [](const auto& other) {
    const auto fused = other.lock();
    return !fused || fused->has_begun();
  });
  for (const auto& other : waiting_) {
    const auto fused = other.lock();
    if (!fused->takes(scan)) continue;
    fused->add(std::move(scan));
    return fused->newest_reader();
  }
  const auto fused = std::make_shared<FusedScan>(context, std::move(scan));
  waiting_.push_back(fused);
  return fused->newest_reader();
}

}  // namespace pipit
