#pragma once

#include <concepts>
#include <initializer_list>
#include <string>
#include <string_view>

#include "model/result.h"

namespace pipit {

enum class LogLevel { debug, info, warn, error };
enum class LogFormat { logfmt, json };

/// "debug", "info", "warn", "error"; errors name the bad word.
Result<LogLevel> parse_log_level(std::string_view word);
Result<LogFormat> parse_log_format(std::string_view word);

/// Sets the process's log, which goes to standard error. Call once, before threads start; info and logfmt otherwise.
void configure_log(LogLevel level, LogFormat format);

struct LogField {
  std::string_view key;
  std::string value;
  LogField(std::string_view k, std::string_view v) : key(k), value(v) {}
  LogField(std::string_view k, const char* v) : key(k), value(v) {}
  LogField(std::string_view k, const std::string& v) : key(k), value(v) {}
  LogField(std::string_view k, const Error& e) : key(k), value(e.message) {}
  template <class T>
    requires std::integral<T> || std::floating_point<T>
  LogField(std::string_view k, T v) : key(k), value(std::to_string(v)) {}
};

/// One line of structured log: `time=... level=INFO msg="..." key=value ...`. Thread-safe.
/// Never pass a secret as a field.
void log(LogLevel level, std::string_view message, std::initializer_list<LogField> fields = {});

inline void log_debug(std::string_view m, std::initializer_list<LogField> f = {}) { log(LogLevel::debug, m, f); }
inline void log_info(std::string_view m, std::initializer_list<LogField> f = {}) { log(LogLevel::info, m, f); }
inline void log_warn(std::string_view m, std::initializer_list<LogField> f = {}) { log(LogLevel::warn, m, f); }
inline void log_error(std::string_view m, std::initializer_list<LogField> f = {}) { log(LogLevel::error, m, f); }

}  // namespace pipit
