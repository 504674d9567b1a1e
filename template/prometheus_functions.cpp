#include "template/prometheus_functions.h"

#include <re2/re2.h>

#include <algorithm>
#include <cmath>

#include "model/duration.h"
#include "model/number.h"
#include "template/characters.h"

namespace pipit {
namespace {

using Arguments = std::span<const TemplateValue>;
using Answer = Result<TemplateValue>;

constexpr std::size_t kMaxPattern = 64 << 10;
constexpr std::int64_t kPatternMemory = 8 << 20;
constexpr std::size_t kMaxReplaced = 16 << 20;

class Sample final : public TemplateObject {
 public:
  explicit Sample(const TemplateSample& sample) : labels_(template_labels(sample.labels)), value_(sample.value) {}

  Result<std::optional<TemplateValue>> field(std::string_view name, Arguments arguments) const override {
    if (!arguments.empty()) return execution_error(std::string(name) + " is not a method but has arguments");
    if (name == "Labels") return std::optional(labels_);
    if (name == "Value") return std::optional(TemplateValue(value_));
    return std::optional<TemplateValue>();
  }
  std::string text() const override { return "{" + labels_.text() + " " + format_float_g(value_) + "}"; }
  std::string_view type_name() const override { return "*template.sample"; }

  const std::string& label(std::string_view name) const { return *labels_.map()->at(name).string(); }
  double value() const { return value_; }

 private:
  TemplateValue labels_;
  double value_;
};

// ---- what functions take -----------------------------------------------------------------------------------------
Error wrong_type(std::string_view wanted, const TemplateValue& got) {
  return execution_error("wrong type for value; expected " + std::string(wanted) + "; got " +
                         std::string(got.type_name()));
}

Result<std::string> text_of(const TemplateValue& value) {
  if (value.string() == nullptr) return wrong_type("string", value);
  return *value.string();
}

Result<double> number_of(const TemplateValue& value) {
  if (const double* real = value.real()) return *real;
  if (const std::int64_t* integer = value.integer()) return static_cast<double>(*integer);
  if (const std::string* text = value.string()) {
    if (const auto parsed = parse_float(*text)) return *parsed;
    return execution_error("strconv.ParseFloat: parsing " + template_quote(*text) + ": invalid syntax");
  }
  return execution_error("can't convert " + std::string(value.type_name()) + " to float");
}

Result<const Sample*> sample_of(const TemplateValue& value) {
  const auto* sample = dynamic_cast<const Sample*>(value.object());
  if (sample == nullptr) return wrong_type("*template.sample", value);
  return sample;
}

/// A function of one number.
TemplateFunction of_number(std::string (*format)(double)) {
  return {1, 1, [format](Arguments arguments) -> Answer {
            auto number = number_of(arguments[0]);
            if (!number.ok()) return number.error();
            return TemplateValue(format(*number));
          }};
}

/// A function of one text.
TemplateFunction of_text(std::function<std::string(const std::string&)> change) {
  return {1, 1, [change = std::move(change)](Arguments arguments) -> Answer {
            auto text = text_of(arguments[0]);
            if (!text.ok()) return text.error();
            return TemplateValue(change(*text));
          }};
}

// ---- samples -----------------------------------------------------------------------------------------------------
Answer first(Arguments arguments) {
  const auto* list = arguments[0].list();
  if (list == nullptr) return wrong_type("template.queryResult", arguments[0]);
  if (list->empty()) return execution_error("first() called on vector with no elements");
  return list->front();
}

Answer label(Arguments arguments) {
  auto name = text_of(arguments[0]);
  if (!name.ok()) return name.error();
  auto sample = sample_of(arguments[1]);
  if (!sample.ok()) return sample.error();
  return TemplateValue((*sample)->label(*name));
}

Answer string_value(Arguments arguments) {
  auto sample = sample_of(arguments[0]);
  if (!sample.ok()) return sample.error();
  return TemplateValue((*sample)->label("__value__"));
}

Answer value(Arguments arguments) {
  auto sample = sample_of(arguments[0]);
  if (!sample.ok()) return sample.error();
  return TemplateValue((*sample)->value());
}

Answer sort_by_label(Arguments arguments) {
  auto name = text_of(arguments[0]);
  if (!name.ok()) return name.error();
  const auto* list = arguments[1].list();
  if (list == nullptr) return wrong_type("template.queryResult", arguments[1]);
  for (const TemplateValue& element : *list) {
    if (auto sample = sample_of(element); !sample.ok()) return sample.error();
  }
  TemplateValue::List sorted = *list;
  const auto key = [&](const TemplateValue& element) -> const std::string& {
    return static_cast<const Sample*>(element.object())->label(*name);
  };
  std::stable_sort(sorted.begin(), sorted.end(), [&](const auto& a, const auto& b) { return key(a) < key(b); });
  return TemplateValue(std::move(sorted));
}

Answer query(const TemplateSurroundings& surroundings, Arguments arguments) {
  auto expression = text_of(arguments[0]);
  if (!expression.ok()) return expression.error();
  if (!surroundings.query) return execution_error("there is nothing to query here");
  auto samples = surroundings.query(*expression);
  if (!samples.ok()) return samples.error();
  TemplateValue::List list;
  for (const TemplateSample& sample : *samples) {
    list.emplace_back(std::shared_ptr<const TemplateObject>(std::make_shared<Sample>(sample)));
  }
  return TemplateValue(std::move(list));
}

// ---- texts -------------------------------------------------------------------------------------------------------
Answer match(Arguments arguments, const std::string* replacement) {
  auto pattern = text_of(arguments[0]);
  if (!pattern.ok()) return pattern.error();
  auto text = text_of(arguments.back());
  if (!text.ok()) return text.error();
  if (pattern->size() > kMaxPattern) return execution_error("the regular expression is too long");
  RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(kPatternMemory);
  const RE2 regex(*pattern, options);
  if (!regex.ok()) return execution_error("error parsing regexp: " + regex.error());
  if (replacement == nullptr) return TemplateValue(RE2::PartialMatch(*text, regex));
  if (replacement->size() * (text->size() + 1) > kMaxReplaced) return execution_error("the text would be too long");
  RE2::GlobalReplace(&*text, regex, *replacement);
  return TemplateValue(std::move(*text));
}

/// Go's `$1`, `${1}` and `${name}` as RE2's `\1`. A name that is none is empty, as with Go.
Result<std::string> rewrite_of(const std::string& pattern, const std::string& replacement) {
  RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(kPatternMemory);
  const RE2 regex(pattern, options);
  if (!regex.ok()) return execution_error("error parsing regexp: " + regex.error());
  const auto& names = regex.NamedCapturingGroups();
  const auto is_word = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; };
  std::string rewrite;
  for (std::size_t i = 0; i < replacement.size(); ++i) {
    if (replacement[i] == '\\') {
      rewrite += "\\\\";
      continue;
    }
    if (replacement[i] != '$' || i + 1 == replacement.size()) {
      rewrite += replacement[i];
      continue;
    }
    if (replacement[i + 1] == '$') {
      rewrite += replacement[++i];
      continue;
    }
    const bool braced = replacement[i + 1] == '{';
    std::size_t end = i + (braced ? 2 : 1);
    const std::size_t begin = end;
    while (end < replacement.size() && is_word(replacement[end])) ++end;
    if (begin == end || (braced && (end == replacement.size() || replacement[end] != '}'))) {
      rewrite += '$';
      continue;
    }
    const std::string name = replacement.substr(begin, end - begin);
    int group = -1;
    if (std::all_of(name.begin(), name.end(), [](char c) { return c >= '0' && c <= '9'; }) && name.size() < 4) {
      group = std::stoi(name);
    } else if (const auto found = names.find(name); found != names.end()) {
      group = found->second;
    }
    constexpr int kMaxGroup = 9;  // of RE2's rewrites
    if (group > kMaxGroup) return execution_error("the replacement uses a group beyond the ninth");
    if (group >= 0 && group <= regex.NumberOfCapturingGroups()) rewrite += "\\" + std::to_string(group);
    i = braced ? end : end - 1;
  }
  return rewrite;
}

Answer replace_all(Arguments arguments) {
  auto pattern = text_of(arguments[0]);
  auto replacement = text_of(arguments[1]);
  if (!pattern.ok()) return pattern.error();
  if (!replacement.ok()) return replacement.error();
  if (pattern->size() > kMaxPattern) return execution_error("the regular expression is too long");
  auto rewrite = rewrite_of(*pattern, *replacement);
  if (!rewrite.ok()) return rewrite.error();
  return match(arguments, &*rewrite);
}

/// As Go's strings.Title: the first letter of each word.
std::string title(const std::string& text) {
  std::string out;
  bool in_word = false;
  for (std::size_t at = 0; at < text.size();) {
    const char32_t character = next_character(text, at);
    append_character(out, in_word ? character : upper_case(character));
    in_word = is_letter_or_digit(character) || character == '_' || character == '\'';
  }
  return out;
}

/// Splits `host:port`, also `[::1]:80`. False when there is no port.
bool split_port(const std::string& address, std::string& host, std::string& port) {
  const std::size_t colon = address.rfind(':');
  if (colon == std::string::npos) return false;
  host = address.substr(0, colon);
  port = address.substr(colon + 1);
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
    return true;
  }
  return host.find(':') == std::string::npos && host.find('[') == std::string::npos;
}

std::string strip_port(const std::string& address) {
  std::string host;
  std::string port;
  return split_port(address, host, port) ? host : address;
}

bool is_ip(const std::string& host) {
  return host.find(':') != std::string::npos ||
         (!host.empty() && host.find_first_not_of("0123456789.") == std::string::npos);
}

std::string strip_domain(const std::string& address) {
  std::string host = address;
  std::string port;
  const bool with_port = split_port(address, host, port);
  if (!with_port) host = address;
  if (is_ip(host)) return address;
  host = host.substr(0, host.find('.'));
  return with_port ? host + ":" + port : host;
}

std::string escape(const std::string& text) {
  const TemplateValue argument(text);
  return builtin_template_functions().at("urlquery").call({&argument, 1})->text();
}

std::string path_of(const std::string& url) {
  const std::size_t scheme = url.find("://");
  const std::size_t path = url.find('/', scheme == std::string::npos ? 0 : scheme + 3);
  return path == std::string::npos ? "" : url.substr(path);
}

// ---- times -------------------------------------------------------------------------------------------------------
/// The time that a number of seconds stands for, with `show`; numbers that are no time as they are.
template <class Show>
Answer time_of(Arguments arguments, Show show) {
  auto seconds = number_of(arguments[0]);
  if (!seconds.ok()) return seconds.error();
  if (!std::isfinite(*seconds)) return TemplateValue(format_float_g(*seconds));
  constexpr double kMost = 9223372036.0;  // what nanoseconds in 64 bits can say
  if (std::abs(*seconds) > kMost) return execution_error("cannot be represented as a nanoseconds timestamp");
  return show(template_time(static_cast<TimestampMs>(std::floor(*seconds * 1000))));
}

Answer duration(Arguments arguments) {
  auto text = text_of(arguments[0]);
  if (!text.ok()) return text.error();
  auto parsed = parse_duration(*text);
  if (!parsed.ok()) return parsed.error();
  return TemplateValue(static_cast<double>(*parsed) / 1000);
}

Answer numbered(Arguments arguments) {
  TemplateValue::Map map;
  for (std::size_t i = 0; i < arguments.size(); ++i) map.entries["arg" + std::to_string(i)] = arguments[i];
  return TemplateValue(std::move(map));
}

}  // namespace

TemplateValue template_labels(const Labels& labels) {
  TemplateValue::Map map;
  map.missing = TemplateValue("");
  for (const auto& [name, value] : labels) map.entries[name] = TemplateValue(value);
  return map;
}

TemplateFunctions prometheus_template_functions(TemplateSurroundings surroundings, const TemplateSet* set) {
  const std::string url = surroundings.external_url;
  const TimestampMs now = surroundings.now;
  TemplateFunctions functions;
  functions["args"] = {0, TemplateFunction::kAnyNumber, numbered};
  functions["externalURL"] = {0, 0, [url](Arguments) -> Answer { return TemplateValue(url); }};
  functions["first"] = {1, 1, first};
  functions["graphLink"] =
      of_text([](const std::string& expression) { return "/graph?g0.expr=" + escape(expression) + "&g0.tab=0"; });
  functions["humanize"] = of_number(humanize);
  functions["humanize1024"] = of_number(humanize_1024);
  functions["humanizeDuration"] = of_number(humanize_duration);
  functions["humanizePercentage"] = of_number(humanize_percentage);
  functions["humanizeTimestamp"] = {
      1, 1, [](Arguments arguments) {
        return time_of(arguments, [](const TemplateValue& time) { return TemplateValue(time.text()); });
      }};
  functions["label"] = {2, 2, label};
  functions["match"] = {2, 2, [](Arguments arguments) { return match(arguments, nullptr); }};
  functions["now"] = {0, 0, [now](Arguments) -> Answer { return TemplateValue(static_cast<double>(now) / 1000); }};
  functions["parseDuration"] = {1, 1, duration};
  functions["pathPrefix"] = {0, 0, [url](Arguments) -> Answer { return TemplateValue(path_of(url)); }};
  functions["query"] = {
      1, 1, [surroundings = std::move(surroundings)](Arguments arguments) { return query(surroundings, arguments); }};
  functions["reReplaceAll"] = {3, 3, replace_all};
  functions["safeHtml"] = of_text([](const std::string& text) { return text; });
  functions["sortByLabel"] = {2, 2, sort_by_label};
  functions["stripDomain"] = of_text(strip_domain);
  functions["stripPort"] = of_text(strip_port);
  functions["strvalue"] = {1, 1, string_value};
  functions["tableLink"] =
      of_text([](const std::string& expression) { return "/graph?g0.expr=" + escape(expression) + "&g0.tab=1"; });
  functions["title"] = of_text(title);
  functions["toLower"] = of_text([](const std::string& text) { return lower_case(text); });
  functions["toTime"] = {
      1, 1, [](Arguments arguments) { return time_of(arguments, [](TemplateValue time) { return time; }); }};
  functions["toUpper"] = of_text([](const std::string& text) { return upper_case(text); });
  functions["urlQueryEscape"] = of_text(escape);
  functions["value"] = {1, 1, value};
  functions["tmpl"] = {2, 2, [set, functions](Arguments arguments) -> Answer {
                         auto name = text_of(arguments[0]);
                         if (!name.ok()) return name.error();
                         if (set == nullptr || !set->has(*name)) {
                           return execution_error("template " + template_quote(*name) + " not defined");
                         }
                         auto text = set->execute(*name, functions, arguments[1]);
                         if (!text.ok()) return text.error();
                         return TemplateValue(std::move(*text));
                       }};
  return functions;
}

}  // namespace pipit
