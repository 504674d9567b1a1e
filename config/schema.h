#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "config/config.h"
#include "config/yaml_tree.h"
#include "model/result.h"

namespace pipit {

class SchemaChecker;
struct Section;

enum class FieldType {
  string,
  secret,  ///< a string that is never shown
  boolean,
  integer,
  unsigned_integer,
  number,
  duration,
  size,
  url,  ///< its password is never shown
  string_list,
  string_map,
  string_list_map,  ///< key -> list of strings
  secret_list,
  secret_list_map,
  section,  ///< a mapping with the fields of `Field::section`
  section_list,
  section_map,  ///< any key -> a mapping with the fields of `Field::section`
  anything,     ///< of what is not built, and so not looked into; never shown
};

/// One key of a section.
struct Field {
  std::string_view key;
  FieldType type = FieldType::string;
  const Section* section = nullptr;
  /// The allowed texts of a string, separated by '|'; "" allows any.
  std::string_view choices = {};
  /// Of a key that Pipit accepts but does not act on: what follows the key in the warning, such as
  /// `is not supported yet: rules are not evaluated`. "": it works, or has no effect that anybody would miss.
  std::string_view warning = {};
  /// The value with which such a key needs no warning; behind a '!', the only value that needs one.
  std::string_view harmless = {};
  /// Whether the file is refused for the key, with the warning as the reason, unless it has another fault.
  bool refused = false;
};

/// A kind of mapping in the file. The tables of all sections together are Prometheus 3.14's format.
struct Section {
  std::string_view name;  ///< for messages: `unknown field "x" in NAME`
  std::span<const Field> fields = {};
  std::span<const Section* const> includes = {};  ///< sections whose keys this one has, too
  /// What no table can say, such as keys that exclude each other. Run after the fields are found well-formed.
  std::optional<Error> (*rule)(const YamlNode& node, SchemaChecker& checker) = nullptr;
  /// The error for a list item that is null.
  std::string_view empty_item = "empty or null list item";
};

/// Checks a document against the tables, and notes on the way what to warn of and what to hide.
class SchemaChecker {
 public:
  /// `file` is the name for messages.
  explicit SchemaChecker(std::string file) : file_(std::move(file)) {}

  std::optional<Error> check(const YamlNode& node, const Section& section);

  Error fail(const YamlNode& at, const std::string& message) const { return config_error(file_, at.position, message); }
  void warn(const YamlNode& at, const std::string& message);
  /// Refuses the file for something that Pipit does not build, unless it has another fault.
  void refuse(const YamlNode& at, const std::string& message);

  const std::string& file() const { return file_; }
  /// A path in the file as seen from the working directory; "" stays "".
  std::string path_of(std::string_view path) const;
  /// What is refused for keys that Pipit does not build, once the file has no other fault.
  std::optional<Error> refusal() const;
  std::vector<ConfigWarning>& warnings() { return warnings_; }
  const std::unordered_set<const YamlNode*>& secrets() const { return secrets_; }

  /// Whether names must be of the old charset (`metric_name_validation_scheme: legacy`) in the sections whose rules
  /// look at names.
  bool legacy_names = false;
  /// Whether keys that no table has are let pass.
  bool ignore_unknown_fields = false;

 private:
  std::optional<Error> check_field(const YamlNode& node, const Field& field);
  std::optional<Error> check_scalar(const YamlNode& node, const Field& field);
  std::optional<Error> check_list(const YamlNode& node, const Field& field, bool secret);
  std::optional<Error> check_map(const YamlNode& node, const Field& field);
  std::optional<Error> check_included_rules(const YamlNode& node, const Section& section);
  void hide_all(const YamlNode& node);

  std::string file_;
  std::vector<ConfigWarning> warnings_;
  std::vector<std::string> refusals_;
  std::unordered_set<const YamlNode*> secrets_;
  int unbuilt_depth_ = 0;  ///< > 0 inside a key that was warned of: once is enough
};

// Values of checked scalars. Null counts as the type's zero, as it does for Prometheus.
std::optional<bool> yaml_boolean(const YamlNode& node);
std::optional<std::int64_t> yaml_integer(const YamlNode& node);
std::optional<double> yaml_number(const YamlNode& node);
/// Whether Go's url.Parse would take it.
bool is_url_reference(std::string_view text);
/// The part of `scheme://HOST[:port]/path` after the slashes, without user and password; "" when there is none.
std::string_view url_host(std::string_view url);
std::string_view url_scheme(std::string_view url);
/// "text" in double quotes with escapes, as messages show it.
std::string quote(std::string_view text);

/// The top of the file.
extern const Section kConfigSection;
/// The top of a file that `scrape_config_files` names.
extern const Section kScrapeConfigFileSection;
extern const Section kScrapeConfigSection;
/// Authentication, TLS, proxies, headers: part of everything that makes HTTP requests.
extern const Section kHttpClientSection;
extern const Section kTlsSection;
extern const Section kSigV4Section;
extern const Section kWriteRelabelSection;
extern const Section kRemoteWriteSection;
extern const Section kRemoteReadSection;
extern const Section kStorageSection;
extern const Section kTracingSection;
extern const Section kOtlpSection;
extern const Section kRuntimeSection;
/// The keys `static_configs` and `*_sd_configs`.
extern const Section kDiscoverySection;

}  // namespace pipit
