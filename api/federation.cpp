#include "api/federation.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "api/api_answer.h"
#include "model/duration.h"
#include "model/labels.h"
#include "model/number.h"
#include "model/symbol_table.h"
#include "query/parser.h"

namespace pipit {
namespace {

constexpr std::string_view kInstance = "instance";

/// A line to be, as short as a million of them should be.
struct FederatedSample {
  std::string series;     ///< the metric's name, then its labels as text: `up{job="a"`
  std::size_t name_size;  ///< of the metric's name in it
  double value;
  TimestampMs time;

  std::string_view name() const { return std::string_view(series).substr(0, name_size); }
};

void append_label_value(std::string& out, std::string_view value) {
  out += '"';
  for (const char c : value) {
    if (c == '\\' || c == '"') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  out += '"';
}

/// Writes series as lines of text. Names of all of UTF-8 stand in quotes for who asks for them, and have underscores
/// for whoever else.
class FederatedText {
 public:
  FederatedText(const Labels& external, bool utf8) : utf8_(utf8) {
    for (const Label& label : external) external_.emplace_back(label.name, label.value);
    // A federated sample must not get the label of the server that it was federated from.
    const auto instance =
        std::find_if(external_.begin(), external_.end(), [](const auto& label) { return label.first == kInstance; });
    if (instance == external_.end()) external_.emplace_back(kInstance, "");
    std::sort(external_.begin(), external_.end());
  }

  std::string metric_name(std::string_view name) const {
    if (is_legacy_metric_name(name)) return std::string(name);
    return utf8_ ? quoted(name) : underscored(name, true);
  }

  /// The text of FederatedSample::series, and of its name.
  std::string series(const SymbolTable& symbols, const LabelSet& labels, std::string_view name) const {
    const bool in_braces = utf8_ && !is_legacy_metric_name(name);
    std::string text = metric_name(name);
    if (in_braces) text.insert(0, "{");
    char separator = in_braces ? ',' : '{';
    const auto append = [&](std::string_view label, std::string_view value) {
      text += std::exchange(separator, ',');
      text += is_legacy_label_name(label) ? std::string(label) : utf8_ ? quoted(label) : underscored(label, false);
      text += '=';
      append_label_value(text, value);
    };
    for (const LabelPair& pair : labels) {
      if (symbols.text(pair.name) != "__name__") append(symbols.text(pair.name), symbols.text(pair.value));
    }
    for (const auto& [label, value] : external_) {
      const auto same = [&, wanted = std::string_view(label)](const LabelPair& p) {
        return symbols.text(p.name) == wanted;
      };
      if (std::none_of(labels.begin(), labels.end(), same)) append(label, value);
    }
    return text;
  }

 private:
  static std::string quoted(std::string_view name) {
    std::string text;
    append_label_value(text, name);
    return text;
  }
  static std::string underscored(std::string_view name, bool colons) {
    std::string text;
    for (std::size_t i = 0; i < name.size(); ++i) {
      const auto c = static_cast<unsigned char>(name[i]);
      if ((c & 0xc0) == 0x80) continue;  // of a character that got its underscore
      const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (c == ':' && colons);
      const bool digit = c >= '0' && c <= '9' && i > 0;
      text += letter || digit ? name[i] : '_';
    }
    return text;
  }

  std::vector<std::pair<std::string, std::string>> external_;
  bool utf8_;
};

class FederationBody final : public BodySource {
 public:
  explicit FederationBody(std::vector<FederatedSample> samples) : samples_(std::move(samples)) {}

  bool next(std::string& out) override {
    for (const std::size_t end = out.size() + kPieceBytes; next_ < samples_.size() && out.size() < end; ++next_) {
      const FederatedSample& sample = samples_[next_];
      if (next_ == 0 || samples_[next_ - 1].name() != sample.name()) {
        std::string_view name = sample.name();
        if (name.starts_with('{')) name.remove_prefix(1);
        out.append("# TYPE ").append(name).append(" untyped\n");
      }
      out.append(sample.series).append("} ").append(format_float_g(sample.value)).append(" ");
      out.append(std::to_string(sample.time)).append("\n");
    }
    return next_ < samples_.size();
  }

 private:
  std::vector<FederatedSample> samples_;
  std::size_t next_ = 0;
};

HttpResponse text_error(const Error& error) {
  HttpResponse response;
  response.status = http_status(error.kind);
  response.body = error.message + "\n";
  return response;
}

/// A series that two selectors match comes once.
void sort_and_unite(std::vector<FederatedSample>& samples) {
  std::stable_sort(samples.begin(), samples.end(), [](const FederatedSample& a, const FederatedSample& b) {
    const int names = a.name().compare(b.name());
    return names != 0 ? names < 0 : a.series < b.series;
  });
  const auto same = [](const FederatedSample& a, const FederatedSample& b) { return a.series == b.series; };
  samples.erase(std::unique(samples.begin(), samples.end(), same), samples.end());
}

/// Adds the newest samples of what `matchers` select.
Status collect(const ServerContext& context, const SelectRequest& select, const FederatedText& text,
               std::vector<FederatedSample>& samples) {
  SymbolTable symbols;
  const SymbolId name_symbol = symbols.intern("__name__");
  auto cursor = context.source.select(select, symbols);
  if (!cursor.ok()) return cursor.error();
  while (true) {
    const auto more = (*cursor)->next();
    if (!more.ok()) return more.error();
    if (!*more) return {};
    const double value = (*cursor)->values().back();
    if (is_stale_nan(value)) continue;
    const LabelSet& labels = (*cursor)->labels();
    const auto name = std::find_if(labels.begin(), labels.end(),
                                   [name_symbol](const LabelPair& pair) { return pair.name == name_symbol; });
    if (name == labels.end()) continue;
    const std::string_view metric = symbols.text(name->value);
    std::string series = text.series(symbols, labels, metric);
    const std::size_t name_size = text.metric_name(metric).size() + (series.starts_with('{') ? 1 : 0);
    samples.push_back({std::move(series), name_size, value, (*cursor)->times().back()});
  }
}

}  // namespace

HttpResponse handle_federate(const ServerContext& context, const HttpRequest& request, DurationMs lookback) {
  if (!request.form_status.ok()) return text_error(request.form_status.error());
  std::vector<std::vector<Matcher>> sets;
  for (const std::string_view selector : request.form.all("match[]")) {
    auto matchers = parse_metric_selector(selector);
    if (!matchers.ok()) return text_error(matchers.error());
    if (matchers->empty()) continue;  // `{}` selects nothing in Prometheus
    sets.push_back(std::move(*matchers));
  }
  const bool utf8 = request.accept.find("escaping=allow-utf-8") != std::string::npos;
  const FederatedText text(context.external_labels ? context.external_labels() : Labels(), utf8);
  const TimestampMs now = now_ms();
  std::vector<FederatedSample> samples;
  std::size_t united = 0;
  for (const auto& matchers : sets) {
    SelectRequest select{.matchers = matchers, .min_time = now - lookback + 1, .max_time = now};
    select.canceled = request.canceled;
    select.newest_only = true;
    if (Status status = collect(context, select, text, samples); !status.ok()) return text_error(status.error());
    // A form has room for ten thousand selectors of the same series, which need not be in memory that often.
    if (samples.size() / 2 <= united) continue;
    sort_and_unite(samples);
    united = samples.size();
  }
  sort_and_unite(samples);

  HttpResponse response;
  response.content_type = utf8 ? "text/plain; version=1.0.0; charset=utf-8; escaping=allow-utf-8"
                               : "text/plain; version=0.0.4; charset=utf-8; escaping=underscores";
  response.rest = std::make_unique<FederationBody>(std::move(samples));
  return response;
}

}  // namespace pipit
