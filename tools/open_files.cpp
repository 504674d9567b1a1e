#include "tools/open_files.h"

#include <sys/resource.h>

#include <algorithm>

namespace pipit {
namespace {

/// Far more than is needed: on some systems there is no limit, and numbers that large are refused.
constexpr rlim_t kEnough = 1 << 20;

}  // namespace

void raise_open_file_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  const rlim_t wanted = std::min(limit.rlim_max, kEnough);
  if (limit.rlim_cur >= wanted) return;
  limit.rlim_cur = wanted;
  // If the system refuses, what can't be opened is the error of its target.
  static_cast<void>(::setrlimit(RLIMIT_NOFILE, &limit));
}

}  // namespace pipit
