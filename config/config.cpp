#include "config/config.h"
#include "config/config_file.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>

#include "config/alerting_config.h"
#include "config/byte_size.h"
#include "config/schema.h"
#include "config/scrape_config.h"
#include "config/target_groups.h"
#include "config/yaml_emit.h"
#include "config/yaml_tree.h"
#include "model/duration.h"

namespace pipit {
namespace {

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/// `$NAME` and `${NAME}` from the environment, `$$` for a dollar, as Go's os.Expand reads them.
std::string expand_environment(std::string_view text) {
  const auto value_of = [](const std::string& name) {
    const char* value = std::getenv(name.c_str());
    return std::string(value == nullptr ? "" : value);
  };
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    if (text[i] != '$' || i + 1 == text.size()) {
      out += text[i++];
      continue;
    }
    ++i;
    if (text[i] == '$') {
      out += text[i++];
    } else if (text[i] == '{') {
      const std::size_t end = text.find('}', i);
      if (end == std::string_view::npos) return out;
      const std::string name(text.substr(i + 1, end - i - 1));
      out += name == "$" ? "$" : value_of(name);
      i = end + 1;
    } else {
      std::size_t end = i;
      while (end < text.size() && is_name_character(text[end])) ++end;
      out += value_of(std::string(text.substr(i, end - i)));
      i = end;
    }
  }
  return out;
}

Result<Labels> read_external_labels(const YamlNode* global, const SchemaChecker& checker, bool legacy_names) {
  std::vector<Label> labels;
  const YamlNode* list = global == nullptr ? nullptr : global->find("external_labels");
  if (list == nullptr) return Labels();
  for (const auto& [name, value] : list->entries) {
    const bool valid =
        legacy_names ? is_legacy_label_name(name->text) : !name->text.empty() && is_valid_utf8(name->text);
    if (!valid) return checker.fail(*name, quote(name->text) + " is not a valid label name");
    if (!is_valid_utf8(value->text)) return checker.fail(*value, quote(value->text) + " is not a valid label value");
    labels.push_back({name->text, expand_environment(value->text)});
  }
  return Labels(std::move(labels));
}

/// Reads one configuration and the files that it names.
class Loader {
 public:
  /// `directory` is where relative paths start; none: other files are not read.
  Loader(const std::string& name, std::optional<std::filesystem::path> directory)
      : checker_(name), directory_(std::move(directory)) {}

  Result<Config> load(std::string_view text) {
    auto root = parse_yaml(text, checker_.file());
    if (!root.ok()) return root.error();
    if (auto error = load_tree(**root)) return *error;
    if (auto error = checker_.refusal()) return *error;
    config_.warnings = std::move(checker_.warnings());
    config_.redacted_text = emit_yaml(**root, checker_.secrets());
    return std::move(config_);
  }

 private:
  using Failure = std::optional<Error>;

  Failure load_tree(const YamlNode& root) {
    const YamlNode* global = root.find("global");
    checker_.legacy_names = global != nullptr && global->text_of("metric_name_validation_scheme") == "legacy";
    if (auto error = checker_.check(root, kConfigSection)) return error;
    auto defaults = build_scrape_defaults(global, checker_);
    if (!defaults.ok()) return defaults.error();
    defaults_ = std::move(*defaults);
    config_.scrape_interval = defaults_.scrape_interval;
    config_.scrape_timeout = defaults_.scrape_timeout;
    if (global != nullptr) {
      config_.evaluation_interval = duration_or(*global, "evaluation_interval", config_.evaluation_interval);
      config_.rule_query_offset = duration_or(*global, "rule_query_offset", 0);
    }
    auto labels = read_external_labels(global, checker_, defaults_.legacy_names);
    if (!labels.ok()) return labels.error();
    config_.external_labels = std::move(*labels);
    read_storage(root);
    if (const YamlNode* files = root.find("rule_files")) {
      for (const YamlNodePtr& file : files->items) config_.rule_files.push_back(checker_.path_of(file->text));
    }
    config_.legacy_names = defaults_.legacy_names;
    auto alerting = build_alerting_config(root.find("alerting"), defaults_, checker_);
    if (!alerting.ok()) return alerting.error();
    config_.alerting = std::move(*alerting);
    if (auto error = add_jobs(root, checker_)) return error;
    if (auto error = add_remotes(root)) return error;
    return add_job_files(root);
  }

  void read_storage(const YamlNode& root) {
    const YamlNode* storage = root.find("storage");
    if (const YamlNode* exemplars = storage == nullptr ? nullptr : storage->find("exemplars")) {
      const YamlNode* most = exemplars->find("max_exemplars");
      const std::int64_t count = most == nullptr ? 0 : yaml_integer(*most).value_or(0);
      if (!exemplars->is_null()) config_.max_exemplars = static_cast<std::size_t>(std::max<std::int64_t>(0, count));
    }
    const YamlNode* tsdb = &root;
    for (const std::string_view key : {"storage", "tsdb"}) {
      tsdb = tsdb->find(key);
      if (tsdb == nullptr) return;
    }
    config_.out_of_order_time_window = duration_or(*tsdb, "out_of_order_time_window", 0);
    const YamlNode* retention = tsdb->find("retention");
    if (retention == nullptr) return;
    const DurationMs time = duration_or(*retention, "time", 0);
    if (time != 0) config_.retention_time = time;
    if (const auto bytes = parse_byte_size(retention->text_of("size")); bytes.ok() && *bytes != 0) {
      config_.retention_bytes = *bytes;
    }
  }

  Failure add_remotes(const YamlNode& root) {
    if (const YamlNode* list = root.find("remote_write")) {
      for (const YamlNodePtr& item : list->items) {
        auto remote = build_remote_write_config(*item, checker_);
        if (!remote.ok()) return remote.error();
        config_.remote_writes.push_back(std::move(*remote));
      }
    }
    if (const YamlNode* list = root.find("remote_read")) {
      for (const YamlNodePtr& item : list->items) {
        auto remote = build_remote_read_config(*item, checker_);
        if (!remote.ok()) return remote.error();
        config_.remote_reads.push_back(std::move(*remote));
      }
    }
    return std::nullopt;
  }

  Failure add_jobs(const YamlNode& root, const SchemaChecker& checker) {
    const YamlNode* list = root.find("scrape_configs");
    if (list == nullptr) return std::nullopt;
    for (const YamlNodePtr& item : list->items) {
      auto job = build_scrape_config(*item, defaults_, checker);
      if (!job.ok()) return job.error();
      const std::string place = checker.file() + ":" + std::to_string(item->position.line);
      const auto [first, fresh] = jobs_.emplace(job->job_name, place);
      if (!fresh) {
        return checker.fail(*item->find("job_name"), "found multiple scrape configs with job name " +
                                                         quote(job->job_name) + ", first found in " + first->second);
      }
      config_.scrape_configs.push_back(std::move(*job));
    }
    return std::nullopt;
  }

  Failure add_job_files(const YamlNode& root) {
    const YamlNode* list = root.find("scrape_config_files");
    if (list == nullptr || list->is_empty()) return std::nullopt;
    if (!directory_) {
      checker_.warn(*list, "scrape_config_files are not read, as the configuration does not come from a file");
      return std::nullopt;
    }
    for (const YamlNodePtr& pattern : list->items) {
      const std::vector<std::string> paths = expand_path_pattern((*directory_ / pattern->text).string());
      if (paths.empty()) checker_.warn(*pattern, "no file matches " + quote(pattern->text));
      for (const std::string& path : paths) {
        if (auto error = add_job_file(path)) return error;
      }
    }
    return std::nullopt;
  }

  Failure add_job_file(const std::string& path) {
    auto text = read_config_file(path);
    if (!text.ok()) return text.error();
    auto root = parse_yaml(*text, path);
    if (!root.ok()) return root.error();
    SchemaChecker checker(path);
    checker.legacy_names = checker_.legacy_names;
    if (auto error = checker.check(**root, kScrapeConfigFileSection)) return error;
    if (auto error = add_jobs(**root, checker)) return error;
    if (auto error = checker.refusal()) return error;
    for (ConfigWarning& warning : checker.warnings()) checker_.warnings().push_back(std::move(warning));
    return std::nullopt;
  }

  SchemaChecker checker_;
  std::optional<std::filesystem::path> directory_;
  ScrapeDefaults defaults_;
  std::map<std::string, std::string> jobs_;  ///< name -> where it was first found
  Config config_;
};

}  // namespace

Result<Config> load_config(const std::string& path) {
  auto text = read_config_file(path);
  if (!text.ok()) return text.error();
  return Loader(path, std::filesystem::path(path).parent_path()).load(*text);
}

Result<Config> parse_config(std::string_view text, const std::string& name) {
  return Loader(name, std::nullopt).load(text);
}

}  // namespace pipit
