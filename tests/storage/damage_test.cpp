// Files of the data folder that are damaged, cut short, empty or gone: an error that names the file, or all of the
// data, or for the end of the log a prefix of it. Never less without a word, and never a crash.

#include <fstream>
#include <functional>

#include "storage/log_check.h"
#include "tests/storage/store_fixture.h"

namespace pipit {
namespace {

namespace fs = std::filesystem;

constexpr int kSeries = 40;
constexpr int kBatches = 120;

struct Damage {
  const char* name;
  std::function<void(const fs::path&)> apply;
};

const Damage kDamages[] = {
    {"changed in the middle",
     [](const fs::path& file) {
       std::fstream bytes(file, std::ios::in | std::ios::out | std::ios::binary);
       bytes.seekp(static_cast<std::streamoff>(fs::file_size(file) / 2));
       bytes << "damage";
     }},
    {"changed at the start",
     [](const fs::path& file) {
       std::fstream bytes(file, std::ios::in | std::ios::out | std::ios::binary);
       bytes << "damage";
     }},
    {"cut in half", [](const fs::path& file) { fs::resize_file(file, fs::file_size(file) / 2); }},
    {"empty", [](const fs::path& file) { fs::resize_file(file, 0); }},
    {"gone", [](const fs::path& file) { fs::remove(file); }},
};

class DamageTest : public StoreTest {
 protected:
  /// A store as a killed process leaves it: a part in tables, a part in the log alone.
  void make_folder() {
    open();
    std::vector<SeriesRef> refs;
    for (int i = 0; i < kSeries; ++i)
      refs.push_back(store_->series({{"__name__", "m"}, {"n", std::to_string(i)}}).value());
    for (int batch = 1; batch <= kBatches; ++batch) {
      std::vector<double> values;
      for (int i = 0; i < kSeries; ++i) values.push_back(batch * 0.7 + i);
      const TimestampMs time = batch * 1000;
      ASSERT_TRUE(store_->append({refs, values, {&time, 1}}).ok());
      if (batch == kBatches / 2) checkpoint();
    }
    all_ = select_all(*store_, {});
    fs::copy(options().path, killed_);
    store_.reset();
  }
  /// What a start and a query of everything end with: nothing, or the first error.
  std::string error_of(SeriesList& found) {
    StoreOptions damaged = options();
    damaged.path = damaged_;
    MetricsRegistry metrics;
    auto store = Store::open(damaged, metrics);
    if (!store.ok()) return store.error().message;
    SymbolTable symbols;
    auto cursor = (*store)->select({{}, kMinTimestamp, kMaxTimestamp, nullptr}, symbols);
    while (cursor.ok()) {
      auto more = (*cursor)->next();
      if (!more.ok()) return more.error().message;
      if (!*more) break;
    }
    if (!cursor.ok()) return cursor.error().message;
    found = select_all(**store, {});
    return "";
  }
  /// Of the log's end less may be there, but what is there is right, and of each series the same.
  bool is_prefix(const SeriesList& found) const {
    for (const auto& [name, samples] : found) {
      const SampleList& whole = all_.at(name);
      if (samples.size() != found.begin()->second.size() || samples.size() > whole.size()) return false;
      if (!std::equal(samples.begin(), samples.end(), whole.begin())) return false;
    }
    return found.size() == all_.size() && found.begin()->second.size() >= kBatches / 2;
  }

  SeriesList all_;
  const fs::path killed_ = folder_.path() / "killed";
  const fs::path damaged_ = folder_.path() / "damaged";
};

TEST_F(DamageTest, NothingIsLostWithoutAWord) {
  make_folder();
  int errors = 0;
  for (const fs::directory_entry& entry : fs::directory_iterator(killed_)) {
    const std::string file = entry.path().filename().string();
    // Nothing is read from these.
    if (file == "LOCK" || file == "LOG" || file == "IDENTITY" || file.starts_with("OPTIONS")) continue;
    for (const Damage& damage : kDamages) {
      SCOPED_TRACE(file + " " + damage.name);
      if (entry.file_size() == 0) continue;
      fs::remove_all(damaged_);
      fs::copy(killed_, damaged_);
      damage.apply(damaged_ / file);
      SeriesList found;
      const std::string error = error_of(found);
      if (!error.empty()) {
        ++errors;
        EXPECT_NE(error.find(file.starts_with("MANIFEST") ? "MANIFEST" : file), std::string::npos) << error;
        EXPECT_NE(error.find(damaged_.string()), std::string::npos) << error;
        EXPECT_TRUE(error.find("Restore") != std::string::npos || error.find("cut it") != std::string::npos) << error;
      } else if (found != all_) {
        // Less of the newest log is what a power failure leaves.
        const bool shorter = !std::string_view(damage.name).starts_with("changed");
        EXPECT_TRUE(shorter && file.ends_with(".log") && is_prefix(found)) << found.size();
      }
    }
  }
  EXPECT_GT(errors, 10) << "of a log, a manifest and several tables, each damaged in several ways";
}

/// A log of many blocks: where good records follow it is damage, otherwise the end of what was written.
TEST_F(DamageTest, TheEndOfALogIsToldFromDamage) {
  make_folder();
  fs::path log;
  for (const fs::directory_entry& entry : fs::directory_iterator(killed_)) {
    if (entry.path().extension() == ".log" && (log.empty() || entry.file_size() > fs::file_size(log))) log = entry;
  }
  std::string bytes(fs::file_size(log), '\0');
  std::ifstream(log, std::ios::binary).read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  const auto check = [&](const std::string& content) {
    std::ofstream(log, std::ios::binary | std::ios::trunc) << content;
    return find_log_damage(log).value();
  };
  EXPECT_FALSE(check(bytes).has_value());
  for (std::size_t cut = 1; cut < bytes.size(); cut += 97) {
    const auto damage = check(bytes.substr(0, cut));
    EXPECT_TRUE(!damage || (!damage->goes_on && damage->offset <= cut)) << cut;
    const auto zeros = check(bytes.substr(0, cut) + std::string(40'000, '\0'));
    EXPECT_TRUE(zeros && !zeros->goes_on) << cut;
  }
  int found = 0;
  for (std::size_t at = 0; at < bytes.size() - 2000; at += 97) {
    std::string changed = bytes;
    changed[at] = static_cast<char>(changed[at] ^ 0x5a);
    const auto damage = check(changed);
    ASSERT_TRUE(damage && damage->goes_on) << at;
    EXPECT_LE(damage->offset, at);
    ++found;
  }
  EXPECT_GT(found, 100);
}

}  // namespace
}  // namespace pipit
