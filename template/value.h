#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "model/result.h"

namespace pipit {

class TemplateValue;

/// What a struct is to Go's templates: named fields, and methods, which are fields that take arguments.
class TemplateObject {
 public:
  virtual ~TemplateObject() = default;
  /// The field's value, or what the method answers; nothing when there is none of the name.
  virtual Result<std::optional<TemplateValue>> field(std::string_view name,
                                                     std::span<const TemplateValue> arguments) const = 0;
  /// What printing it shows.
  virtual std::string text() const = 0;
  /// For error messages, as Go would name it.
  virtual std::string_view type_name() const = 0;
  /// The list or the map that it is besides, for what walks and indexes those; null: neither.
  virtual const TemplateValue* elements() const { return nullptr; }
  /// The integer that it is besides, as Go's durations and months are, for what compares and counts.
  virtual std::optional<std::int64_t> number() const { return std::nullopt; }
};

/// A value in a template, of Go's kinds as far as templates meet them. Cheap to copy but for strings.
class TemplateValue {
 public:
  using List = std::vector<TemplateValue>;
  /// By key, ascending, as Go's templates walk and print maps. A missing key has the value `missing`.
  struct Map;

  TemplateValue() = default;  ///< nil
  TemplateValue(bool value) : value_(value) {}
  TemplateValue(int value) : value_(std::int64_t{value}) {}
  TemplateValue(std::int64_t value) : value_(value) {}
  TemplateValue(double value) : value_(value) {}
  TemplateValue(std::string value) : value_(std::move(value)) {}
  TemplateValue(std::string_view value) : value_(std::string(value)) {}
  TemplateValue(const char* value) : value_(std::string(value)) {}
  TemplateValue(List value);
  TemplateValue(Map value);
  TemplateValue(std::shared_ptr<const TemplateObject> value) : value_(std::move(value)) {}

  bool is_nil() const { return value_.index() == 0; }
  const bool* boolean() const { return std::get_if<bool>(&value_); }
  const std::int64_t* integer() const { return std::get_if<std::int64_t>(&value_); }
  const double* real() const { return std::get_if<double>(&value_); }
  const std::string* string() const { return std::get_if<std::string>(&value_); }
  /// Also of an object that is one besides.
  const List* list() const;
  const Map* map() const;
  const TemplateObject* object() const { return pointed<TemplateObject>(); }
  /// An integer, also that of an object that is one besides.
  std::optional<std::int64_t> number() const;

  /// Whether `if` takes it for true: it is not zero and not empty.
  bool truth() const;
  /// As `print` shows it alone, which is Go's %v; nil is "<no value>". What is longer than kMaxText is cut off
  /// somewhere behind it: a list whose elements are one list, and so on, has no end.
  std::string text() const;
  static constexpr std::size_t kMaxText = 4 << 20;
  /// Of lists and maps, one in the other.
  int depth() const { return depth_; }
  std::string_view type_name() const;

 private:
  void append_text(std::string& out) const;

  template <class T>
  const T* pointed() const {
    const auto* pointer = std::get_if<std::shared_ptr<const T>>(&value_);
    return pointer == nullptr ? nullptr : pointer->get();
  }

  std::variant<std::monostate, bool, std::int64_t, double, std::string, std::shared_ptr<const List>,
               std::shared_ptr<const Map>, std::shared_ptr<const TemplateObject>>
      value_;
  int depth_ = 0;
};

struct TemplateValue::Map {
  std::map<std::string, TemplateValue, std::less<>> entries;
  TemplateValue missing;

  const TemplateValue& at(std::string_view key) const {
    const auto found = entries.find(key);
    return found == entries.end() ? missing : found->second;
  }
};

/// Go's fmt.Sprintf. What does not fit is shown as Go shows it, for instance `%!d(string=x)`.
std::string template_printf(std::string_view format, std::span<const TemplateValue> arguments);
/// Go's %q.
std::string template_quote(std::string_view text);

}  // namespace pipit
