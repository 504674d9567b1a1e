#include "rules/rule_writer.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <string_view>

namespace pipit {
namespace {

/// The handles of the samples' series.
Result<std::vector<SeriesRef>> find_series(Appender& appender, const std::vector<RuleSample>& samples) {
  std::string encoded;
  std::vector<std::size_t> ends;
  ends.reserve(samples.size());
  for (const RuleSample& sample : samples) {
    encode_labels(sample.labels, encoded);
    ends.push_back(encoded.size());
  }
  std::vector<std::string_view> encodings;
  encodings.reserve(samples.size());
  std::size_t begin = 0;
  for (const std::size_t end : ends) {
    encodings.push_back(std::string_view(encoded).substr(begin, end - begin));
    begin = end;
  }
  std::vector<SeriesRef> refs(samples.size(), kNoSeries);
  appender.find_encoded(encodings, refs);
  for (std::size_t i = 0; i < refs.size(); ++i) {
    if (refs[i] != kNoSeries) continue;
    auto made = appender.series(samples[i].labels);
    if (!made.ok()) return made.error();
    refs[i] = *made;
  }
  return refs;
}

/// Series that were dropped from RAM since they were found are found again, and their samples stored.
Status append_again(Appender& appender, const std::vector<RuleSample>& samples, TimestampMs time, AppendReport& report,
                    std::vector<SeriesRef>& refs) {
  for (const std::uint32_t index : std::exchange(report.unknown, {})) {
    if (index >= samples.size()) continue;  // a stale marker that nobody needs
    auto made = appender.series(samples[index].labels);
    if (!made.ok()) return made.error();
    refs[index] = *made;
    const double value = samples[index].value;
    auto appended = appender.append({{&refs[index], 1}, {&value, 1}, {&time, 1}});
    if (!appended.ok()) return appended.error();
  }
  return {};
}

}  // namespace

Result<RuleWriteReport> write_rule_samples(Appender& appender, const std::vector<RuleSample>& samples, TimestampMs time,
                                           std::vector<SeriesRef>& series) {
  RuleWriteReport written;
  if (samples.empty() && series.empty()) return written;
  auto refs = find_series(appender, samples);
  if (!refs.ok()) return refs.error();
  std::vector<SeriesRef> now = *refs;
  std::sort(now.begin(), now.end());
  std::vector<SeriesRef> all = *refs;
  std::set_difference(series.begin(), series.end(), now.begin(), now.end(), std::back_inserter(all));
  std::vector<double> values;
  values.reserve(all.size());
  for (const RuleSample& sample : samples) values.push_back(sample.value);
  values.resize(all.size(), stale_nan());
  auto report = appender.append({all, values, {&time, 1}});
  if (!report.ok()) return report.error();
  if (!report->unknown.empty()) {
    if (const Status again = append_again(appender, samples, time, *report, *refs); !again.ok()) return again.error();
    now = *refs;
    std::sort(now.begin(), now.end());
  }
  written.refused = report->refused();
  written.refusal = report->first_refusal;
  series = std::move(now);
  series.shrink_to_fit();
  return written;
}

Status mark_stale(Appender& appender, const std::vector<SeriesRef>& series, TimestampMs time) {
  if (series.empty()) return {};
  const std::vector<double> values(series.size(), stale_nan());
  const auto report = appender.append({series, values, {&time, 1}});
  return report.ok() ? Status() : Status(report.error());
}

}  // namespace pipit
