#include "storage/column_families.h"

#include <rocksdb/cache.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/merge_operator.h>
#include <rocksdb/sst_partitioner.h>
#include <rocksdb/table.h>

#include <array>

#include "storage/database.h"
#include "storage/keys.h"
#include "storage/postings.h"

namespace pipit {
namespace {

constexpr std::array<const char*, 8> kFamilies = {"default",  "chunks", "series", "index",
                                                  "metadata", "log0",   "log1",   "merged"};

/// Most of a merged chunk can't be compressed any further, so that a higher level gains next to nothing.
constexpr int kMergedCompressionLevel = 9;

class PostingsMerge final : public rocksdb::MergeOperator {
 public:
  const char* Name() const override { return "pipit.Postings"; }

  bool FullMergeV2(const MergeOperationInput& in, MergeOperationOutput* out) const override {
    PostingRuns merged;
    if (in.existing_value != nullptr && !unite_stored(merged, view(*in.existing_value))) return false;
    return apply(in.operand_list, merged, out->new_value);
  }

  /// Only additions can be combined before it is known what they add to.
  bool PartialMergeMulti(const rocksdb::Slice&, const std::deque<rocksdb::Slice>& operands, std::string* combined,
                         rocksdb::Logger*) const override {
    for (const auto& operand : operands) {
      if (operand.empty() || operand[0] != kPostingsAdd) return false;
    }
    PostingRuns merged;
    return apply(operands, merged, *combined);
  }
  bool AllowSingleOperand() const override { return false; }

 private:
  template <class Operands>
  static bool apply(const Operands& operands, PostingRuns& merged, std::string& result) {
    for (const auto& operand : operands) {
      if (!merge_postings(merged, view(operand))) return false;
    }
    result = encode_postings(merged);
    return true;
  }
};

rocksdb::ColumnFamilyOptions family_options(const std::shared_ptr<rocksdb::Cache>& cache, std::size_t block_size) {
  rocksdb::ColumnFamilyOptions options;
  // Never reached: `flush_if_large` is first. A memtable that became full in recovery would flush all of them, and with
  // the anchors the log would go.
  options.write_buffer_size = 64 << 20;
  options.arena_block_size = 16 << 10;
  options.compression = rocksdb::kZSTD;
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = cache;
  table.block_size = block_size;
  table.cache_index_and_filter_blocks = true;
  table.format_version = 5;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

/// Files come whole, as ingested by a merge, one day each, and go with their day. Only where a day was merged again, or
/// samples were deleted, the store asks for a compaction.
rocksdb::ColumnFamilyOptions merged_options(const std::shared_ptr<rocksdb::Cache>& cache) {
  auto options = family_options(cache, 64 << 10);
  options.disable_auto_compactions = true;
  options.sst_partitioner_factory = rocksdb::NewSstPartitionerFixedPrefixFactory(kPartitionBytes);
  options.compression_opts.level = kMergedCompressionLevel;
  return options;
}

}  // namespace

std::vector<rocksdb::ColumnFamilyDescriptor> column_families(std::size_t cache_bytes) {
  const auto cache = rocksdb::NewLRUCache(cache_bytes, 0);
  // An anchor's key is overwritten in place, or its memtable would grow with every commit.
  auto anchor = family_options(cache, 4 << 10);
  anchor.inplace_update_support = true;
  anchor.inplace_update_num_locks = 1;
  auto chunks = family_options(cache, 16 << 10);
  // A checkpoint fills one after another. Its files are many but do not overlap, so that a reader opens few of them.
  chunks.write_buffer_size = 1 << 20;
  chunks.level0_slowdown_writes_trigger = 64;
  chunks.level0_stop_writes_trigger = 128;
  chunks.sst_partitioner_factory = rocksdb::NewSstPartitionerFixedPrefixFactory(kPartitionBytes);
  auto index = family_options(cache, 4 << 10);
  index.merge_operator = std::make_shared<PostingsMerge>();
  // Each new series asks for its hash, in vain. With fewer bits the false alarms alone would fill the cache.
  auto* table = index.table_factory->GetOptions<rocksdb::BlockBasedTableOptions>();
  table->filter_policy.reset(rocksdb::NewBloomFilterPolicy(16));
  const auto plain = family_options(cache, 8 << 10);
  return {{kFamilies[0], plain}, {kFamilies[1], chunks}, {kFamilies[2], plain},  {kFamilies[3], index},
          {kFamilies[4], plain}, {kFamilies[5], anchor}, {kFamilies[6], anchor}, {kFamilies[7], merged_options(cache)}};
}

}  // namespace pipit
