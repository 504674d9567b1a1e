// `file_sd_configs`: files are read again when they change, as inotify tells, and every refresh_interval.

#include <fnmatch.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <filesystem>
#include <map>
#include <set>

#include "config/target_groups.h"
#include "scrape/discovery.h"
#include "scrape/secret_file.h"
#include "telemetry/log.h"

namespace pipit {
namespace {

using boost::system::error_code;
using Clock = std::chrono::steady_clock;

/// Several files that change together are read together.
constexpr std::chrono::milliseconds kSettleTime{50};
/// A file that is being written is left alone that long, in case its writer never closes it.
constexpr std::chrono::seconds kPatience{10};
constexpr std::uint32_t kEvents =
    IN_CLOSE_WRITE | IN_MODIFY | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ATTRIB;

class FileDiscovery final : public Discovery, public std::enable_shared_from_this<FileDiscovery> {
 public:
  FileDiscovery(FileDiscoveryConfig config, DiscoveryContext& context)
      : config_(std::move(config)),
        refresh_(context.io),
        settle_(context.io),
        notifications_(context.io),
        report_(context.metrics, "file", config_.files.front()) {}

  void start(Update update) override {
    update_ = std::move(update);
    if (const int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC); fd >= 0) {
      notifications_.assign(fd);
      read_notifications();
    } else {
      log_warn("Files of discovery cannot be watched, they are looked at every refresh_interval",
               {{"file", config_.files.front()}});
    }
    refresh_all();
  }

  void stop() override {
    error_code ignored;
    stopped_ = true;
    refresh_.cancel();
    settle_.cancel();
    notifications_.close(ignored);
  }

 private:
  struct File {
    std::optional<FileVersion> version;
    std::vector<TargetGroup> groups;
  };

  void refresh_all() {
    watch_folders();
    read_files();
    refresh_.expires_after(std::chrono::milliseconds(config_.refresh_interval));
    refresh_.async_wait([self = shared_from_this()](const error_code& ec) {
      if (!ec && !self->stopped_) self->refresh_all();
    });
  }

  /// A watch that is there already is kept by the kernel; one of a folder that was made anew is new.
  void watch_folders() {
    if (!notifications_.is_open()) return;
    for (const std::string& pattern : config_.files) {
      std::string folder = std::filesystem::path(pattern).parent_path().string();
      if (folder.empty()) folder = ".";
      const int watch = inotify_add_watch(notifications_.native_handle(), folder.c_str(), kEvents);
      if (watch >= 0) folders_[watch] = std::filesystem::path(pattern).parent_path().string();
    }
  }

  void read_notifications() {
    notifications_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                              [self = shared_from_this()](const error_code& ec) {
                                if (ec || self->stopped_) return;
                                self->take_notifications();
                                self->read_notifications();
                              });
  }

  void take_notifications() {
    alignas(inotify_event) char buffer[16 << 10];
    for (;;) {
      const ssize_t size = ::read(notifications_.native_handle(), buffer, sizeof buffer);
      if (size <= 0) return;
      for (ssize_t at = 0; at < size;) {
        const auto* event = reinterpret_cast<const inotify_event*>(buffer + at);
        if ((event->mask & IN_Q_OVERFLOW) != 0) read_soon(kSettleTime);  // some events are lost
        take(*event);
        at += static_cast<ssize_t>(sizeof *event + event->len);
      }
    }
  }

  void take(const inotify_event& event) {
    const std::string name = event.len > 0 ? event.name : "";
    const auto folder = folders_.find(event.wd);
    if (folder == folders_.end()) return;
    const std::string path = (std::filesystem::path(folder->second) / name).string();
    // Kubernetes swaps a link named ..data, through which all files of the folder change.
    if (!name.starts_with("..") && !matches(path)) return;
    if ((event.mask & (IN_MODIFY | IN_CREATE)) != 0 && (event.mask & IN_ISDIR) == 0) {
      being_written_.try_emplace(path, Clock::now());
      // A link that was made has no writer who would close it, and neither has a file that was linked here.
      read_soon(event.mask & IN_CREATE ? kSettleTime * 4 : kSettleTime);
      return;
    }
    being_written_.erase(path);
    read_soon(kSettleTime);
  }

  bool matches(const std::string& path) const {
    for (const std::string& pattern : config_.files) {
      if (fnmatch(pattern.c_str(), path.c_str(), FNM_PATHNAME) == 0) return true;
    }
    return false;
  }

  void read_soon(std::chrono::milliseconds delay) {
    if (std::exchange(reading_soon_, true)) return;
    settle_.expires_after(delay);
    settle_.async_wait([self = shared_from_this()](const error_code& ec) {
      if (ec || self->stopped_) return;
      self->reading_soon_ = false;
      self->read_files();
    });
  }

  void read_files() {
    std::set<std::string> paths;
    for (const std::string& pattern : config_.files) {
      for (std::string& path : expand_path_pattern(pattern)) paths.insert(std::move(path));
    }
    bool changed = !started_;
    std::string fault;
    std::erase_if(files_, [&](const auto& file) {
      const bool gone = !paths.contains(file.first);
      changed = changed || gone;
      return gone;
    });
    for (const std::string& path : paths) changed = read_file(path, fault) || changed;
    fault.empty() ? report_.succeeded() : report_.failed(fault);
    started_ = true;
    if (changed) publish();
  }

  /// Whether its groups have changed. A file that can't be read keeps those that it had.
  bool read_file(const std::string& path, std::string& fault) {
    if (is_being_written(path)) return false;
    File& file = files_[path];
    const auto version = file_version(path);
    if (version && version == file.version) return false;
    auto groups = read_target_groups(path);
    if (!groups.ok()) {
      fault = groups.error().message;
      return false;
    }
    file.version = version;
    for (TargetGroup& group : *groups) group.labels.set("__meta_filepath", path);
    if (file.groups == *groups) return false;
    file.groups = std::move(*groups);
    return true;
  }

  bool is_being_written(const std::string& path) {
    const auto found = being_written_.find(path);
    if (found == being_written_.end()) return false;
    // A file that nobody has changed for a moment was only linked here, or its writer keeps it open.
    const auto version = file_version(path);
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    const std::int64_t age_ns =
        version ? std::chrono::duration_cast<std::chrono::nanoseconds>(now).count() - version->modified_ns : 0;
    const bool quiet = age_ns > std::chrono::nanoseconds(std::chrono::seconds(1)).count();
    if (quiet || Clock::now() - found->second > kPatience) {
      being_written_.erase(found);
      return false;
    }
    read_soon(std::chrono::seconds(1));
    return true;
  }

  void publish() {
    std::vector<TargetGroup> all;
    for (const auto& [path, file] : files_) all.insert(all.end(), file.groups.begin(), file.groups.end());
    update_(std::move(all));
  }

  FileDiscoveryConfig config_;
  Update update_;
  boost::asio::steady_timer refresh_;
  boost::asio::steady_timer settle_;
  boost::asio::posix::stream_descriptor notifications_;
  RefreshReport report_;
  std::map<int, std::string> folders_;  ///< by watch
  std::map<std::string, File> files_;
  std::map<std::string, Clock::time_point> being_written_;  ///< since when
  bool reading_soon_ = false;
  bool started_ = false;
  bool stopped_ = false;
};

}  // namespace

std::shared_ptr<Discovery> make_file_discovery(FileDiscoveryConfig config, DiscoveryContext& context) {
  return std::make_shared<FileDiscovery>(std::move(config), context);
}

}  // namespace pipit
