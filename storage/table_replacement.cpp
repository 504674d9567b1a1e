#include "storage/table_replacement.h"

#include <rocksdb/sst_file_writer.h>

#include <string>
#include <string_view>
#include <system_error>

namespace pipit {
namespace {

constexpr std::string_view kFile = "merging.tmp";

/// A table file that is written beside the database's own and becomes one of them.
class TableReplacement final : public Database::Replacement {
 public:
  TableReplacement(const Database& database, rocksdb::DB& db, Database::Family* family, const std::string& file)
      : database_(database), db_(db), family_(family), file_(file), writer_({}, db.GetOptions(family), family) {}
  ~TableReplacement() override { remove_file(); }
  /// A kill in the middle of an ingestion leaves a file that is one of the database's own under a second name: it must
  /// never be written to, only lose this name.
  Status open() {
    remove_file();
    return done(writer_.Open(file_));
  }
  Status put(std::string_view key, std::string_view value) override {
    empty_ = false;
    return done(writer_.Put(slice(key), slice(value)));
  }
  Result<bool> commit(std::string_view begin, std::string_view end) override {
    bool replaces;
    if (Status status = any_key(begin, end, replaces); !status.ok()) return status.error();
    if (empty_ && !replaces) return false;
    rocksdb::Status status;
    if (replaces) status = writer_.DeleteRange(slice(begin), slice(end));  // it leaves keys of the same file alone
    if (status.ok()) status = writer_.Finish();
    rocksdb::IngestExternalFileOptions options;
    options.move_files = true;
    if (status.ok()) status = db_.IngestExternalFile(family_, {file_}, options);
    if (!status.ok()) return database_.error(status, "write");
    return replaces;
  }

 private:
  void remove_file() const {
    std::error_code ignored;
    std::filesystem::remove(file_, ignored);
  }
  Status any_key(std::string_view begin, std::string_view end, bool& any) const {
    rocksdb::ReadOptions options;
    const rocksdb::Slice bound = slice(end);
    options.iterate_upper_bound = &bound;
    const std::unique_ptr<rocksdb::Iterator> it(db_.NewIterator(options, family_));
    it->Seek(slice(begin));
    any = it->Valid();
    return done(it->status());
  }
  Status done(const rocksdb::Status& status) const {
    if (status.ok()) return {};
    return database_.error(status, "write");
  }

  const Database& database_;
  rocksdb::DB& db_;
  Database::Family* family_;
  std::string file_;
  rocksdb::SstFileWriter writer_;
  bool empty_ = true;
};

}  // namespace

Result<std::unique_ptr<Database::Replacement>> begin_table_replacement(const Database& database, rocksdb::DB& db,
                                                                       Database::Family* family,
                                                                       const std::filesystem::path& folder) {
  auto replacement = std::make_unique<TableReplacement>(database, db, family, (folder / kFile).string());
  if (Status status = replacement->open(); !status.ok()) return status.error();
  return std::unique_ptr<Database::Replacement>(std::move(replacement));
}

void remove_unfinished_replacement(const std::filesystem::path& folder) {
  std::error_code ignored;
  std::filesystem::remove(folder / kFile, ignored);
}

}  // namespace pipit
