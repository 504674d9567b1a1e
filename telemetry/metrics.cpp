#include "telemetry/metrics.h"

#include <algorithm>
#include <map>

#include "model/number.h"

namespace pipit {

Histogram::Histogram(std::vector<double> bounds)
    : bounds_(std::move(bounds)), buckets_(std::make_unique<std::atomic<std::uint64_t>[]>(bounds_.size() + 1)) {}

void Histogram::observe(double v) {
  const auto bucket = std::lower_bound(bounds_.begin(), bounds_.end(), v) - bounds_.begin();
  buckets_[static_cast<std::size_t>(bucket)].fetch_add(1, std::memory_order_relaxed);
  sum_.fetch_add(v, std::memory_order_relaxed);
}

struct MetricsRegistry::Family {
  struct Callback {
    const void* owner;
    std::function<double()> read;
  };
  std::string name;
  std::string help;
  MetricType type;
  std::map<Labels, std::unique_ptr<Counter>> counters;
  std::map<Labels, std::unique_ptr<Gauge>> gauges;
  std::map<Labels, std::unique_ptr<Histogram>> histograms;
  std::map<Labels, Callback> callbacks;

  bool empty() const { return counters.empty() && gauges.empty() && histograms.empty() && callbacks.empty(); }
};

MetricsRegistry::MetricsRegistry() = default;
MetricsRegistry::~MetricsRegistry() = default;

MetricsRegistry::Family& MetricsRegistry::family(std::string_view name, std::string_view help, MetricType type) {
  auto it = std::lower_bound(families_.begin(), families_.end(), name,
                             [](const auto& f, std::string_view n) { return f->name < n; });
  if (it == families_.end() || (*it)->name != name) {
    it = families_.insert(it, std::make_unique<Family>());
    (*it)->name = name;
    (*it)->help = help;
    (*it)->type = type;
  }
  return **it;
}

Counter& MetricsRegistry::counter(std::string_view name, std::string_view help, const Labels& labels) {
  const std::lock_guard lock(mutex_);
  auto& slot = family(name, help, MetricType::counter).counters[labels];
  if (!slot) slot = std::make_unique<Counter>();
  return *slot;
}

Gauge& MetricsRegistry::gauge(std::string_view name, std::string_view help, const Labels& labels) {
  const std::lock_guard lock(mutex_);
  auto& slot = family(name, help, MetricType::gauge).gauges[labels];
  if (!slot) slot = std::make_unique<Gauge>();
  return *slot;
}

Histogram& MetricsRegistry::histogram(std::string_view name, std::string_view help, std::vector<double> bounds,
                                      const Labels& labels) {
  const std::lock_guard lock(mutex_);
  auto& slot = family(name, help, MetricType::histogram).histograms[labels];
  if (!slot) slot = std::make_unique<Histogram>(std::move(bounds));
  return *slot;
}

void MetricsRegistry::callback(const void* owner, MetricType type, std::string_view name, std::string_view help,
                               std::function<double()> read, const Labels& labels) {
  const std::lock_guard lock(mutex_);
  family(name, help, type).callbacks[labels] = {owner, std::move(read)};
}

void MetricsRegistry::remove_callbacks(const void* owner) {
  const std::lock_guard lock(mutex_);
  for (auto& f : families_) {
    std::erase_if(f->callbacks, [owner](const auto& entry) { return entry.second.owner == owner; });
  }
}

namespace {

void append_escaped(std::string& out, std::string_view text, bool quotes) {
  for (const char c : text) {
    if (c == '\\') {
      out += "\\\\";
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '"' && quotes) {
      out += "\\\"";
    } else {
      out += c;
    }
  }
}

/// One sample line; `extra` is a further label such as `le`.
void append_sample(std::string& out, std::string_view name, const Labels& labels, double v,
                   std::string_view extra_name = {}, std::string_view extra_value = {}) {
  out.append(name);
  char separator = '{';
  auto append_label = [&](std::string_view label, std::string_view value) {
    out += separator;
    out.append(label).append("=\"");
    append_escaped(out, value, true);
    out += '"';
    separator = ',';
  };
  for (const auto& label : labels) append_label(label.name, label.value);
  if (!extra_name.empty()) append_label(extra_name, extra_value);
  if (separator == ',') out += '}';
  out += ' ';
  out += format_float_g(v);
  out += '\n';
}

}  // namespace

std::string MetricsRegistry::render() const {
  const std::lock_guard lock(mutex_);
  std::string out;
  for (const auto& f : families_) {
    if (f->empty()) continue;
    out.append("# HELP ").append(f->name).append(" ");
    append_escaped(out, f->help, false);
    out.append("\n# TYPE ").append(f->name).append(" ").append(metric_type_name(f->type)).append("\n");
    for (const auto& [labels, counter] : f->counters) append_sample(out, f->name, labels, counter->value());
    for (const auto& [labels, gauge] : f->gauges) append_sample(out, f->name, labels, gauge->value());
    for (const auto& [labels, callback] : f->callbacks) append_sample(out, f->name, labels, callback.read());
    for (const auto& [labels, histogram] : f->histograms) {
      std::uint64_t cumulative = 0;
      for (std::size_t i = 0; i <= histogram->bounds_.size(); ++i) {
        cumulative += histogram->buckets_[i].load(std::memory_order_relaxed);
        const std::string le = i < histogram->bounds_.size() ? format_float_g(histogram->bounds_[i]) : "+Inf";
        append_sample(out, f->name + "_bucket", labels, static_cast<double>(cumulative), "le", le);
      }
      append_sample(out, f->name + "_sum", labels, histogram->sum_.load(std::memory_order_relaxed));
      append_sample(out, f->name + "_count", labels, static_cast<double>(cumulative));
    }
  }
  return out;
}

}  // namespace pipit
