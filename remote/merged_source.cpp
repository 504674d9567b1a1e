// What is asked of whom follows Prometheus 3.14, storage/remote/read.go.

#include "remote/merged_source.h"

#include <algorithm>
#include <map>
#include <set>

#include "storage/partial_selection.h"
#include "telemetry/log.h"

namespace pipit {
namespace {

/// Series of other databases by their labels, those of several united.
using RemoteSeriesByLabels = std::map<Labels, RemoteSeries>;

/// Both are strictly increasing; of two samples with one time that of `a` is taken.
void merge_samples(std::span<const TimestampMs> a_times, std::span<const double> a_values,
                   std::span<const TimestampMs> b_times, std::span<const double> b_values,
                   std::vector<TimestampMs>& times, std::vector<double>& values) {
  times.clear();
  values.clear();
  times.reserve(a_times.size() + b_times.size());
  values.reserve(a_times.size() + b_times.size());
  std::size_t a = 0;
  std::size_t b = 0;
  while (a < a_times.size() || b < b_times.size()) {
    const bool take_a = b == b_times.size() || (a < a_times.size() && a_times[a] <= b_times[b]);
    if (take_a && b < b_times.size() && a_times[a] == b_times[b]) ++b;
    times.push_back(take_a ? a_times[a] : b_times[b]);
    values.push_back(take_a ? a_values[a] : b_values[b]);
    ++(take_a ? a : b);
  }
}

void unite(RemoteSeriesByLabels& all, RemoteSeries series) {
  Labels labels = series.labels;
  const auto [found, fresh] = all.try_emplace(std::move(labels), RemoteSeries());
  if (fresh) {
    found->second = std::move(series);
    return;
  }
  RemoteSeries& known = found->second;
  std::vector<TimestampMs> times;
  std::vector<double> values;
  merge_samples(known.times, known.values, series.times, series.values, times, values);
  known.times = std::move(times);
  known.values = std::move(values);
}

/// The store's series, each with what the others have of it, and then the others' own.
class MergedCursor final : public SeriesCursor, public PartialSelection {
 public:
  MergedCursor(std::unique_ptr<SeriesCursor> local, RemoteSeriesByLabels remote, SymbolTable& symbols,
               std::vector<std::string> warnings)
      : local_(std::move(local)), remote_(std::move(remote)), symbols_(symbols), warnings_(std::move(warnings)) {}

  Result<bool> next() override {
    if (local_) {
      auto more = local_->next();
      if (!more.ok()) return more;
      if (*more) {
        take_local();
        return true;
      }
      local_.reset();
    }
    if (own_) remote_.erase(remote_.begin());
    own_ = !remote_.empty();
    if (!own_) return false;
    const RemoteSeries& series = remote_.begin()->second;
    labels_.clear();
    for (const Label& label : series.labels)
      labels_.push_back({symbols_.intern(label.name), symbols_.intern(label.value)});
    times_ = series.times;
    values_ = series.values;
    return true;
  }

  const LabelSet& labels() const override { return labels_; }
  std::span<const TimestampMs> times() const override { return times_; }
  std::span<const double> values() const override { return values_; }
  std::span<const std::string> warnings() const override { return warnings_; }

 private:
  void take_local() {
    labels_ = local_->labels();
    times_ = local_->times();
    values_ = local_->values();
    if (remote_.empty()) return;
    std::vector<Label> labels;
    for (const LabelPair& pair : labels_) {
      labels.push_back({std::string(symbols_.text(pair.name)), std::string(symbols_.text(pair.value))});
    }
    const auto found = remote_.find(Labels(std::move(labels)));
    if (found == remote_.end()) return;
    merge_samples(times_, values_, found->second.times, found->second.values, merged_times_, merged_values_);
    times_ = merged_times_;
    values_ = merged_values_;
    remote_.erase(found);
  }

  std::unique_ptr<SeriesCursor> local_;  ///< null at its end
  RemoteSeriesByLabels remote_;          ///< that have not come yet
  SymbolTable& symbols_;
  const std::vector<std::string> warnings_;
  bool own_ = false;  ///< the current series is the first of `remote_`
  LabelSet labels_;
  std::span<const TimestampMs> times_;
  std::span<const double> values_;
  std::vector<TimestampMs> merged_times_;
  std::vector<double> merged_values_;
};

bool has_equal(std::span<const Matcher> matchers, const Label& label) {
  return std::any_of(matchers.begin(), matchers.end(), [&](const Matcher& matcher) {
    return matcher.type() == MatchType::equal && matcher.name() == label.name && matcher.value() == label.value;
  });
}

}  // namespace

MergedSource::MergedSource(const Store& store, MetricsRegistry& metrics, std::string user_agent)
    : store_(store), metrics_(metrics), user_agent_(std::move(user_agent)) {}

void MergedSource::apply(const std::vector<RemoteReadConfig>& configs, const Labels& external_labels) {
  auto next = std::make_shared<Remotes>();
  next->external_labels = external_labels;
  for (const RemoteReadConfig& config : configs) {
    next->clients.push_back(std::make_shared<const ReadClient>(config, metrics_, user_agent_));
  }
  const std::lock_guard lock(mutex_);
  remotes_ = std::move(next);
}

std::shared_ptr<const MergedSource::Remotes> MergedSource::remotes() const {
  const std::lock_guard lock(mutex_);
  return remotes_;
}

std::vector<MergedSource::Asked> MergedSource::asked_for(const Remotes& remotes, const SelectRequest& request) const {
  std::vector<Asked> asked;
  for (const auto& client : remotes.clients) {
    const RemoteReadConfig& config = client->config();
    const bool required = std::all_of(config.required_matchers.begin(), config.required_matchers.end(),
                                      [&](const Label& label) { return has_equal(request.matchers, label); });
    if (!required) continue;
    TimestampMs max_time = request.max_time;
    if (!config.read_recent) {
      // The store has everything from its oldest sample on.
      const TimestampMs oldest = store_.stats().min_time;
      if (request.min_time >= oldest) continue;
      max_time = std::min(max_time, oldest - 1);
    }
    asked.push_back({client, max_time});
  }
  return asked;
}

Result<std::unique_ptr<SharedSelection>> MergedSource::select_shared(const SelectRequest& request,
                                                                     SymbolTable& symbols) const {
  const auto remotes = this->remotes();
  if (!remotes->clients.empty() && !asked_for(*remotes, request).empty()) return std::unique_ptr<SharedSelection>();
  return store_.select_shared(request, symbols);
}

Result<std::unique_ptr<SeriesCursor>> MergedSource::select(const SelectRequest& request, SymbolTable& symbols) const {
  const auto remotes = this->remotes();
  const std::vector<Asked> asked = remotes->clients.empty() ? std::vector<Asked>() : asked_for(*remotes, request);
  if (asked.empty()) return store_.select(request, symbols);

  RemoteSeriesByLabels found;
  std::vector<std::string> warnings;
  for (const Asked& each : asked) {
    // Others know our series by the external labels too, unless the query asks for others.
    std::vector<Matcher> matchers(request.matchers.begin(), request.matchers.end());
    std::vector<std::string> added;
    if (each.client->config().filter_external_labels) {
      for (const Label& label : remotes->external_labels) {
        const bool asks = std::any_of(matchers.begin(), matchers.end(),
                                      [&](const Matcher& matcher) { return matcher.name() == label.name; });
        if (asks) continue;
        matchers.push_back(Matcher::equal(label.name, label.value));
        added.push_back(label.name);
      }
    }
    // A required matcher says whom to ask, and the answer's series need not have it.
    auto series = each.client->read(matchers, request.min_time, each.max_time, request.canceled);
    if (!series.ok()) {
      if (series.error().kind == ErrorKind::canceled) return series.error();
      log_warn("A remote read failed, the answer lacks what it would have", {{"err", series.error()}});
      warnings.push_back(series.error().message);
      continue;
    }
    for (RemoteSeries& one : *series) {
      for (const std::string& name : added) one.labels.remove(name);
      if (!one.times.empty()) unite(found, std::move(one));
    }
  }
  // Series are told apart by their labels.
  SelectRequest local = request;
  local.labels = true;
  local.name_only = false;
  local.extreme.reset();
  auto cursor = store_.select(local, symbols);
  if (!cursor.ok()) return cursor;
  return std::unique_ptr<SeriesCursor>(
      std::make_unique<MergedCursor>(std::move(*cursor), std::move(found), symbols, std::move(warnings)));
}

Result<std::vector<std::string>> MergedSource::label_names(MatcherSets matcher_sets, TimestampMs min_time,
                                                           TimestampMs max_time, std::size_t limit) const {
  return store_.label_names(matcher_sets, min_time, max_time, limit);
}

Result<std::vector<std::string>> MergedSource::label_values(std::string_view name, MatcherSets matcher_sets,
                                                            TimestampMs min_time, TimestampMs max_time,
                                                            std::size_t limit) const {
  return store_.label_values(name, matcher_sets, min_time, max_time, limit);
}

Result<std::vector<Labels>> MergedSource::series(MatcherSets matcher_sets, TimestampMs min_time, TimestampMs max_time,
                                                 std::size_t limit) const {
  return store_.series(matcher_sets, min_time, max_time, limit);
}

Result<std::vector<MetricMetadata>> MergedSource::metadata(std::string_view metric, std::size_t limit) const {
  return store_.metadata(metric, limit);
}

}  // namespace pipit
