#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "config/remote_config.h"
#include "model/labels.h"
#include "remote/read_client.h"
#include "storage/queryable.h"
#include "storage/store.h"

namespace pipit {

/// What queries read: the store, and the databases that `remote_read` names beside it. Without any it is the store
/// itself. docs/remote-read.md. Thread-safe.
///
/// A series that several have is one, with the samples of all; of two with one time the store's counts. Only samples
/// are read from elsewhere, not names and values of labels. A database that fails is left out, with a warning to the
/// user.
class MergedSource final : public Queryable {
 public:
  /// All must outlive this.
  MergedSource(const Store& store, MetricsRegistry& metrics, std::string user_agent);

  /// From now on the databases are these.
  void apply(const std::vector<RemoteReadConfig>& configs, const Labels& external_labels);

  Result<std::unique_ptr<SeriesCursor>> select(const SelectRequest& request, SymbolTable& symbols) const override;
  Result<std::unique_ptr<SharedSelection>> select_shared(const SelectRequest& request,
                                                         SymbolTable& symbols) const override;
  Result<std::vector<std::string>> label_names(MatcherSets matcher_sets, TimestampMs min_time, TimestampMs max_time,
                                               std::size_t limit) const override;
  Result<std::vector<std::string>> label_values(std::string_view name, MatcherSets matcher_sets, TimestampMs min_time,
                                                TimestampMs max_time, std::size_t limit) const override;
  Result<std::vector<Labels>> series(MatcherSets matcher_sets, TimestampMs min_time, TimestampMs max_time,
                                     std::size_t limit) const override;
  Result<std::vector<MetricMetadata>> metadata(std::string_view metric, std::size_t limit) const override;

 private:
  struct Remotes {
    std::vector<std::shared_ptr<const ReadClient>> clients;
    Labels external_labels;
  };
  /// A database that a selection has to ask, and until when.
  struct Asked {
    std::shared_ptr<const ReadClient> client;
    TimestampMs max_time = kMaxTimestamp;
  };

  std::shared_ptr<const Remotes> remotes() const;
  std::vector<Asked> asked_for(const Remotes& remotes, const SelectRequest& request) const;

  const Store& store_;
  MetricsRegistry& metrics_;
  const std::string user_agent_;
  mutable std::mutex mutex_;
  std::shared_ptr<const Remotes> remotes_ = std::make_shared<Remotes>();
};

}  // namespace pipit
