#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "model/labels.h"
#include "model/sample.h"
#include "template/template.h"

namespace pipit {

/// One of the answers to an instant query.
struct TemplateSample {
  Labels labels;
  double value = 0;
};

/// What a template's functions know of the program around it.
struct TemplateSurroundings {
  /// Evaluates an expression at the time of the template. Without it `query` fails.
  std::function<Result<std::vector<TemplateSample>>(const std::string& expression)> query;
  TimestampMs now = 0;
  std::string external_url;  ///< without a slash at its end
};

/// The functions that Prometheus adds to Go's, those of its template reference. `set` is where `tmpl` finds templates;
/// it must outlive them, and may be null.
TemplateFunctions prometheus_template_functions(TemplateSurroundings surroundings, const TemplateSet* set);

/// Labels as templates see them: a map in which a missing name is empty.
TemplateValue template_labels(const Labels& labels);

/// A time as Go's time.Time in UTC: Unix, Format, String, Year, Month, Day, Hour, Minute, Second, UTC, Sub, and others.
TemplateValue template_time(TimestampMs time);
/// The same as a clock shows it that is `offset_seconds` east of Greenwich.
TemplateValue template_time(TimestampMs time, int offset_seconds, const std::string& zone);
/// A time.Duration: printed as `1h2m3.5s`, with Seconds, Minutes, Hours, Milliseconds.
TemplateValue template_duration(DurationMs duration);

// 1234567 -> "1.235M", in powers of 1024 -> "1.177Mi", seconds -> "14d 6h 56m 7s", 0.1234 -> "12.34%".
std::string humanize(double value);
std::string humanize_1024(double value);
std::string humanize_duration(double seconds);
std::string humanize_percentage(double ratio);

}  // namespace pipit
