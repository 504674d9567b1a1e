#include "storage/shared_selection.h"

#include <algorithm>

namespace pipit {

class StoreSelection::BatchReader final : public SharedSelection::Reader {
 public:
  explicit BatchReader(StoreSelection& selection)
      : selection_(selection),
        chunks_(selection.core_, selection.core_.visible_from(selection.request_.min_time),
                selection.request_.max_time),
        samples_(selection.core_, chunks_, selection.request_) {}

  Result<std::size_t> take(std::size_t series) override {
    batch_.clear();
    at_ = 0;
    SeriesWalk& walk = selection_.walk_;
    while (batch_.size() < series && !selection_.at_end_) {
      auto more = walk.next();
      if (!more.ok()) return more.error();
      selection_.at_end_ = !*more;
      if (*more) batch_.push_back(walk.place());
    }
    return batch_.size();
  }

  Result<bool> next() override {
    const auto* canceled = selection_.request_.canceled;
    while (at_ < batch_.size()) {
      if (canceled != nullptr && canceled->load(std::memory_order_relaxed)) {
        return Error{ErrorKind::canceled, "query was canceled"};
      }
      if (Status status = samples_.read(batch_[at_++]); !status.ok()) return status.error();
      if (!samples_.times().empty()) return true;
    }
    return false;
  }

  std::uint64_t series() const override { return batch_[at_ - 1].id; }
  std::span<const TimestampMs> times() const override { return samples_.times(); }
  std::span<const double> values() const override { return samples_.values(); }

 private:
  StoreSelection& selection_;
  ChunkReader chunks_;
  SampleReader samples_;
  std::vector<SeriesPlace> batch_;
  std::size_t at_ = 0;  ///< one past the current series
};

namespace {

std::vector<std::pair<std::uint32_t, std::string>> names_of(const std::vector<MetricSelection>& selections) {
  std::vector<std::pair<std::uint32_t, std::string>> names;
  names.reserve(selections.size());
  for (const MetricSelection& selection : selections) names.emplace_back(selection.metric, selection.name);
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

StoreSelection::StoreSelection(const StoreCore& core, std::vector<MetricSelection> selections,
                               const SelectRequest& request, SymbolTable& symbols)
    : core_(core),
      request_(request),
      metrics_(names_of(selections)),
      walked_chunks_(core, core.visible_from(request.min_time), request.max_time),
      walk_(core, std::move(selections), walked_chunks_, core.visible_from(request.min_time), request.max_time),
      label_reader_(core, symbols) {
  request_.matchers = {};  // the request need not live as long as this
}

std::unique_ptr<SharedSelection::Reader> StoreSelection::reader() { return std::make_unique<BatchReader>(*this); }

Result<bool> StoreSelection::labels(std::uint64_t series, LabelSet& labels) {
  const std::uint32_t metric = metric_of(series);
  if (metrics_[metric_].first != metric) {
    const auto found = std::lower_bound(metrics_.begin(), metrics_.end(), metric,
                                        [](const auto& entry, std::uint32_t id) { return entry.first < id; });
    metric_ = static_cast<std::size_t>(found - metrics_.begin());
  }
  if (request_.name_only) {
    label_reader_.set_name(series, metrics_[metric_].second, labels);
    return true;
  }
  return label_reader_.read(series, metrics_[metric_].second, labels);
}

}  // namespace pipit
