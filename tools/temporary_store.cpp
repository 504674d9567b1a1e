#include "tools/temporary_store.h"

#include <cstdlib>
#include <string>
#include <system_error>

namespace pipit {

Result<std::unique_ptr<TemporaryStore>> TemporaryStore::open() {
  std::error_code error;
  std::string path = (std::filesystem::temp_directory_path(error) / "pipit-XXXXXX").string();
  if (error || ::mkdtemp(path.data()) == nullptr) {
    return Error{ErrorKind::unavailable, "cannot make a temporary folder " + path + "; TMPDIR names another place"};
  }
  std::unique_ptr<TemporaryStore> temporary(new TemporaryStore(path));
  StoreOptions options;
  options.path = temporary->path_ / "pipit";
  options.retention = 0;
  auto store = Store::open(options, temporary->metrics_);
  if (!store.ok()) return store.error();
  temporary->store_ = std::move(*store);
  return temporary;
}

TemporaryStore::~TemporaryStore() {
  store_.reset();
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace pipit
