#include "telemetry/log.h"

// One file includes the formatter's code, so no shared library is loaded for a log line.
#define FMT_HEADER_ONLY
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <optional>

#include "model/duration.h"
#include "model/labels.h"

namespace pipit {

namespace {

constexpr std::array<std::string_view, 4> kLevelNames = {"debug", "info", "warn", "error"};
constexpr std::array<std::string_view, 4> kLevelWords = {"DEBUG", "INFO", "WARN", "ERROR"};

struct LogSettings {
  std::atomic<LogLevel> level{LogLevel::info};
  LogFormat format = LogFormat::logfmt;
};
LogSettings& settings() {
  static LogSettings instance;
  return instance;
}

spdlog::logger& sink() {
  static const auto logger = [] {
    auto l = std::make_shared<spdlog::logger>("pipit", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    l->set_pattern("%v");
    l->set_level(spdlog::level::trace);
    l->flush_on(spdlog::level::trace);
    return l;
  }();
  return *logger;
}

bool needs_quotes(std::string_view value) {
  if (value.empty()) return true;
  return std::any_of(value.begin(), value.end(), [](char c) {
    return static_cast<unsigned char>(c) <= ' ' || c == '"' || c == '=' || c == '\\' ||
           static_cast<unsigned char>(c) >= 0x7f;
  });
}

void append_logfmt(std::string& line, std::string_view key, std::string_view value) {
  if (!line.empty()) line += ' ';
  line.append(key);
  line += '=';
  if (needs_quotes(value)) {
    append_quoted(line, value);
  } else {
    line.append(value);
  }
}

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte == 0x7f) {
      out += fmt::format("\\u{:04x}", byte);
    } else {
      out += c;
    }
  }
  out += '"';
}

void append_json(std::string& line, std::string_view key, std::string_view value) {
  line += line.empty() ? '{' : ',';
  append_json_string(line, key);
  line += ':';
  append_json_string(line, value);
}

template <std::size_t N>
std::optional<std::size_t> index_of(const std::array<std::string_view, N>& words, std::string_view word) {
  for (std::size_t i = 0; i < N; ++i) {
    if (words[i] == word) return i;
  }
  return std::nullopt;
}

}  // namespace

Result<LogLevel> parse_log_level(std::string_view word) {
  if (const auto i = index_of(kLevelNames, word)) return static_cast<LogLevel>(*i);
  return bad_data("unrecognized log level " + std::string(word) + ", must be one of debug, info, warn, error");
}

Result<LogFormat> parse_log_format(std::string_view word) {
  if (word == "logfmt") return LogFormat::logfmt;
  if (word == "json") return LogFormat::json;
  return bad_data("unrecognized log format " + std::string(word) + ", must be one of logfmt, json");
}

void configure_log(LogLevel level, LogFormat format) {
  settings().level = level;
  settings().format = format;
}

void log(LogLevel level, std::string_view message, std::initializer_list<LogField> fields) {
  if (level < settings().level.load(std::memory_order_relaxed)) return;
  const bool json = settings().format == LogFormat::json;
  const auto append = json ? append_json : append_logfmt;
  std::string line;
  append(line, "time", format_rfc3339(now_ms()));
  append(line, "level", kLevelWords[static_cast<std::size_t>(level)]);
  append(line, "msg", message);
  for (const auto& field : fields) append(line, field.key, field.value);
  if (json) line += '}';
  sink().log(spdlog::level::info, spdlog::string_view_t(line.data(), line.size()));
}

}  // namespace pipit
