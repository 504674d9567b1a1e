#pragma once

#include <deque>
#include <map>
#include <string>
#include <string_view>

#include "model/labels.h"
#include "model/result.h"
#include "template/prometheus_functions.h"

namespace pipit {

/// The texts of an alert's labels and annotations, parsed once. `$labels`, `$value`, `$externalLabels` and
/// `$externalURL` are defined in each. Source: Prometheus 3.14, rules/alerting.go.
///
/// Once made, any number of threads may expand.
class AlertTemplates {
 public:
  /// `__alert_NAME` is what error messages call each of the texts.
  explicit AlertTemplates(std::string_view alert_name) : name_("__alert_" + std::string(alert_name)) {}

  /// Errors: the text is no template, in Go's words.
  Status check(std::string_view text) const;
  /// Parses a text for `expand`; of one that is no template `expand` tells why.
  void add(std::string_view text);
  bool asks_queries() const { return asks_queries_; }

  /// What the texts are expanded with.
  struct Data {
    const Labels& labels;  ///< of the sample, with its name
    double value = 0;
    const Labels& external_labels;
    const std::string& external_url;
  };
  /// The functions as they are at one evaluation, made when a text first needs them.
  struct Functions {
    TemplateSurroundings surroundings;
    std::map<std::size_t, TemplateFunctions> by_text;
  };
  /// The text that was added as the `index`th. What fails is told in the text: `<error expanding template: ...>`, and
  /// `fault` gets it too.
  std::string expand(std::size_t index, const Data& data, Functions& functions, std::string& fault) const;

 private:
  struct Text {
    std::string literal;  ///< without templates in it, or the error
    bool is_template = false;
    TemplateSet set;
    std::string fault;
  };

  std::string name_;
  std::deque<Text> texts_;  ///< whose sets functions refer to
  bool asks_queries_ = false;
};

/// The names of Prometheus's functions, for parsing; they can't be called.
const TemplateFunctions& template_function_names();

}  // namespace pipit
