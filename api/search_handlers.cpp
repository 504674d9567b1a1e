// Source of parameters, errors and answers: Prometheus 3.14, web/api/v1/search.go.

#include "api/search_handlers.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "api/api_answer.h"
#include "api/api_parameters.h"
#include "api/json_writer.h"
#include "api/name_search.h"
#include "api/target_handlers.h"
#include "model/duration.h"
#include "model/labels.h"

namespace pipit {
namespace {

constexpr DurationMs kDefaultRange = 3'600'000;
constexpr long kDefaultLimit = 100;
// Every pattern is held against every name: that is long work for a short request.
constexpr std::size_t kMostPatterns = 100;
constexpr std::size_t kMostPatternBytes = 4096;
constexpr std::chrono::seconds kLongestSearch{10};

enum class Order { ascending, descending, by_score };

struct SearchParameters {
  SeriesSelection selection;  ///< of times and matchers; its limit is not used
  NameSearch search;
  Order order = Order::ascending;
  bool include_score = false;
  bool include_metadata = false;
  std::size_t limit = kDefaultLimit;
  std::size_t batch_size = kDefaultLimit;
};

Error wrong(std::string_view what, std::string_view value, std::string_view rule) {
  std::string message(what);
  append_quoted(message += ' ', value);
  return bad_data(message.append(": ").append(rule));
}

Result<bool> boolean(const FormFields& form, std::string_view name, bool fallback) {
  const std::string_view text = form.get(name);
  if (text.empty()) return fallback;
  auto value = parse_boolean(text);
  if (!value.ok()) return wrong("invalid " + std::string(name), text, "must be boolean");
  return value;
}

/// 0 and nothing stand for the default.
Result<std::size_t> count(const FormFields& form, std::string_view name) {
  const std::string_view text = form.get(name);
  if (text.empty()) return static_cast<std::size_t>(kDefaultLimit);
  const auto value = parse_integer(text);
  if (!value.ok() || *value < 0) return wrong("invalid " + std::string(name), text, "must be non-negative integer");
  return static_cast<std::size_t>(*value > 0 ? *value : kDefaultLimit);
}

Status read_algorithm(const FormFields& form, NameSearch& search) {
  if (const std::string_view text = form.get("fuzz_threshold"); !text.empty()) {
    const auto percent = parse_integer(text);
    if (!percent.ok() || *percent < 0 || *percent > 100) return wrong("invalid fuzz_threshold", text, "must be 0-100");
    search.threshold = static_cast<double>(*percent) / 100;
  }
  const std::string_view name = form.get("fuzz_alg");
  if (name == "jarowinkler") {
    search.algorithm = NameSearchAlgorithm::jaro_winkler;
  } else if (!name.empty() && name != "subsequence") {
    return wrong("unsupported fuzz_alg", name, "must be one of [subsequence jarowinkler]");
  }
  return {};
}

Status read_patterns(const FormFields& form, NameSearch& search) {
  std::size_t bytes = 0;
  for (const std::string_view text : form.all("search[]")) {
    bytes += text.size();
    search.patterns.emplace_back(text);
  }
  if (search.patterns.size() <= kMostPatterns && bytes <= kMostPatternBytes) return {};
  return bad_data("too much in search[]: at most " + std::to_string(kMostPatterns) + " patterns with " +
                  std::to_string(kMostPatternBytes) + " bytes together");
}

Status read_order(const FormFields& form, std::string_view endpoint, SearchParameters& parameters) {
  const std::string_view by = form.get("sort_by");
  const std::string_view direction = form.get("sort_dir");
  if (!direction.empty() && by.empty()) return bad_data("sort_dir is only valid when sort_by is set");
  if (!direction.empty() && by == "score") return bad_data("sort_dir is not supported for sort_by=score");
  if (!direction.empty() && direction != "asc" && direction != "dsc") {
    return wrong("invalid sort_dir", direction, R"(must be "asc" or "dsc")");
  }
  if (by == "score" && parameters.search.patterns.empty()) {
    return bad_data("sort_by=score requires search[] to be set");
  }
  if (!by.empty() && by != "alpha" && by != "score") {
    std::string message = "invalid sort_by ";
    append_quoted(message, by);
    return bad_data(message.append(" for ").append(endpoint).append(R"(: must be "alpha" or "score")"));
  }
  parameters.order = by == "score" ? Order::by_score : direction == "dsc" ? Order::descending : Order::ascending;
  return {};
}

Result<SearchParameters> read_parameters(const FormFields& form, std::string_view endpoint) {
  SearchParameters parameters;
  const auto limit = count(form, "limit");
  if (!limit.ok()) return limit.error();
  parameters.limit = *limit;
  auto selection = series_selection(form);
  if (!selection.ok()) return selection.error();
  parameters.selection = std::move(*selection);
  const TimestampMs now = now_ms();
  if (form.get("start").empty()) parameters.selection.start = now - kDefaultRange;
  if (form.get("end").empty()) parameters.selection.end = now;
  if (Status status = read_patterns(form, parameters.search); !status.ok()) return status.error();
  if (Status status = read_algorithm(form, parameters.search); !status.ok()) return status.error();
  const auto case_sensitive = boolean(form, "case_sensitive", true);
  if (!case_sensitive.ok()) return case_sensitive.error();
  parameters.search.case_sensitive = *case_sensitive;
  const auto include_score = boolean(form, "include_score", false);
  if (!include_score.ok()) return include_score.error();
  parameters.include_score = *include_score;
  if (Status status = read_order(form, endpoint, parameters); !status.ok()) return status.error();
  const auto batch_size = count(form, "batch_size");
  if (!batch_size.ok()) return batch_size.error();
  parameters.batch_size = *batch_size;
  if (endpoint == "metric_names") {
    const auto include_metadata = boolean(form, "include_metadata", false);
    if (!include_metadata.ok()) return include_metadata.error();
    parameters.include_metadata = *include_metadata;
  }
  return parameters;
}

struct Found {
  std::string name;
  double score;
};

/// The matching names in order, one more than the limit when there are more. REQUIRES: `names` is sorted.
Result<std::vector<Found>> search(std::vector<std::string> names, const SearchParameters& parameters,
                                  const std::atomic<bool>* canceled) {
  const NameScorer scorer(parameters.search);
  const auto deadline = std::chrono::steady_clock::now() + kLongestSearch;
  std::vector<Found> found;
  for (std::string& name : names) {
    if (canceled != nullptr && *canceled) return Error{ErrorKind::canceled, "the client went away"};
    if (std::chrono::steady_clock::now() > deadline) {
      return Error{ErrorKind::timeout, "the search took too long: look for less, or in fewer series by match[]"};
    }
    const double score = scorer.score(name);
    if (score >= 0) found.push_back({std::move(name), score});
  }
  if (parameters.order == Order::descending) std::reverse(found.begin(), found.end());
  if (parameters.order == Order::by_score) {
    std::stable_sort(found.begin(), found.end(), [](const Found& a, const Found& b) { return a.score > b.score; });
  }
  if (found.size() > parameters.limit + 1) found.resize(parameters.limit + 1);
  return found;
}

/// Lines of JSON, a batch a line; at least one, then the status.
class SearchBody final : public BodySource {
 public:
  SearchBody(std::vector<Found> found, const SearchParameters& parameters, MetadataByMetric metadata)
      : found_(std::move(found)),
        include_score_(parameters.include_score),
        batch_size_(parameters.batch_size),
        has_more_(found_.size() > parameters.limit),
        metadata_(std::move(metadata)) {
    if (has_more_) found_.pop_back();
  }

  bool next(std::string& out) override {
    const std::size_t end = out.size() + kPieceBytes;
    do {
      append_batch(out);
      if (at_ == found_.size()) {
        out.append(R"({"status":"success","has_more":)").append(has_more_ ? "true}\n" : "false}\n");
        return false;
      }
    } while (out.size() < end);
    return true;
  }

 private:
  void append_batch(std::string& out) {
    out.append(R"({"results":[)");
    for (std::size_t n = 0; n < batch_size_ && at_ < found_.size(); ++n) {
      if (n > 0) out.push_back(',');
      append_result(out, found_[at_++]);
    }
    out.append("]}\n");
  }

  void append_result(std::string& out, const Found& found) const {
    out.append(R"({"name":)");
    append_json_string(out, found.name);
    if (include_score_) append_json_number(out.append(R"(,"score":)"), found.score);
    if (const auto known = metadata_.find(found.name); known != metadata_.end() && !known->second.empty()) {
      const Metadata& metadata = known->second[0];
      append_field(out, "type", metric_type_name(metadata.type));
      append_field(out, "help", metadata.help);
      append_field(out, "unit", metadata.unit);
    }
    out.push_back('}');
  }

  static void append_field(std::string& out, std::string_view name, std::string_view value) {
    if (value.empty()) return;
    out.append(",\"").append(name).append("\":");
    append_json_string(out, value);
  }

  std::vector<Found> found_;
  bool include_score_;
  std::size_t batch_size_;
  bool has_more_;
  MetadataByMetric metadata_;
  std::size_t at_ = 0;
};

/// `list` gives all names in the selection, sorted.
template <typename List>
HttpResponse answer_search(const ServerContext& context, const HttpRequest& request, std::string_view endpoint,
                           const List& list) {
  auto parameters = read_parameters(request.form, endpoint);
  if (!parameters.ok()) return api_error(parameters.error());
  Result<std::vector<std::string>> names = list(parameters->selection);
  if (!names.ok()) return api_error(names.error());
  auto found = search(std::move(*names), *parameters, request.canceled);
  if (!found.ok()) return api_error(found.error());
  MetadataByMetric metadata;
  if (parameters->include_metadata && context.scraping) metadata = live_metadata(*context.scraping, "", 1);
  HttpResponse response;
  response.content_type = "application/x-ndjson; charset=utf-8";
  response.rest = std::make_unique<SearchBody>(std::move(*found), *parameters, std::move(metadata));
  return response;
}

}  // namespace

HttpResponse handle_search_metric_names(const ServerContext& context, const HttpRequest& request) {
  return answer_search(context, request, "metric_names", [&](const SeriesSelection& selection) {
    return context.source.label_values("__name__", selection.matcher_sets, selection.start, selection.end, 0);
  });
}

HttpResponse handle_search_label_names(const ServerContext& context, const HttpRequest& request) {
  return answer_search(context, request, "label_names", [&](const SeriesSelection& selection) {
    return context.source.label_names(selection.matcher_sets, selection.start, selection.end, 0);
  });
}

HttpResponse handle_search_label_values(const ServerContext& context, const HttpRequest& request) {
  const std::string_view label = request.form.get("label");
  if (label.empty()) return api_error(bad_data(R"(missing required parameter "label")"));
  return answer_search(context, request, "label_values", [&](const SeriesSelection& selection) {
    return context.source.label_values(label, selection.matcher_sets, selection.start, selection.end, 0);
  });
}

}  // namespace pipit
