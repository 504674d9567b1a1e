#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <cstring>
#include <string>

#include "telemetry/metrics.h"

namespace pipit {

namespace {

/// The start of a file of /proc, which fits a small buffer; "" when it can't be read.
std::string read_proc(const char* path) {
  std::string text(4096, '\0');
  std::FILE* file = std::fopen(path, "re");
  if (file == nullptr) return {};
  text.resize(std::fread(text.data(), 1, text.size(), file));
  std::fclose(file);
  return text;
}

/// The n-th blank-separated field, from 0.
double numeric_field(std::string_view text, int n) {
  for (; n > 0; --n) {
    const auto blank = text.find(' ');
    if (blank == std::string_view::npos) return 0;
    text.remove_prefix(blank + 1);
  }
  double v = 0;
  std::from_chars(text.data(), text.data() + text.size(), v);
  return v;
}

double resident_bytes() {
  return numeric_field(read_proc("/proc/self/statm"), 1) * static_cast<double>(sysconf(_SC_PAGESIZE));
}

double virtual_bytes() {
  return numeric_field(read_proc("/proc/self/statm"), 0) * static_cast<double>(sysconf(_SC_PAGESIZE));
}

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

double open_descriptors() {
  DIR* directory = opendir("/proc/self/fd");
  if (directory == nullptr) return 0;
  int count = -3;  // ".", ".." and the directory's own descriptor
  while (readdir(directory) != nullptr) ++count;
  closedir(directory);
  return count;
}

double max_descriptors() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  return static_cast<double>(limit.rlim_cur);
}

/// Seconds since the epoch: the boot time plus the start in clock ticks after boot, field 22 of stat. The
/// fields are counted from behind the command's name, which may hold blanks.
double start_time() {
  const std::string stat = read_proc("/proc/self/stat");
  const auto name_end = stat.rfind(')');
  if (name_end == std::string::npos) return 0;
  const double ticks = numeric_field(std::string_view(stat).substr(name_end + 2), 19);

  std::FILE* file = std::fopen("/proc/stat", "re");
  if (file == nullptr) return 0;
  char line[256];
  double boot = 0;
  while (std::fgets(line, sizeof line, file) != nullptr) {
    if (std::strncmp(line, "btime ", 6) == 0) boot = numeric_field(line, 1);
  }
  std::fclose(file);
  return boot + ticks / static_cast<double>(sysconf(_SC_CLK_TCK));
}

}  // namespace

void register_process_metrics(MetricsRegistry& registry) {
  const auto add = [&registry](MetricType type, std::string_view name, std::string_view help, double (*read)()) {
    registry.callback(&registry, type, name, help, read);
  };
  add(MetricType::counter, "process_cpu_seconds_total", "User and system CPU time spent, in seconds.", cpu_seconds);
  add(MetricType::gauge, "process_resident_memory_bytes", "Resident memory, in bytes.", resident_bytes);
  add(MetricType::gauge, "process_virtual_memory_bytes", "Virtual memory, in bytes.", virtual_bytes);
  add(MetricType::gauge, "process_open_fds", "Open file descriptors.", open_descriptors);
  add(MetricType::gauge, "process_max_fds", "Limit of open file descriptors.", max_descriptors);
  add(MetricType::gauge, "process_start_time_seconds", "Start of the process, in seconds since the epoch.", [] {
    static const double start = start_time();
    return start;
  });
}

}  // namespace pipit
