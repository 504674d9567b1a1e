#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "model/labels.h"
#include "model/relabel.h"
#include "storage/store.h"

namespace pipit {

/// The labels under which an endpoint gets series: those of the store, the external ones, and what
/// `write_relabel_configs` makes of both. Remembers them, as looking one up and relabelling it costs microseconds.
/// For one thread.
class ForwardedLabels {
 public:
  /// Memory for what is remembered.
  static constexpr std::size_t kMostBytes = 32u << 20;

  enum class Fate : std::uint8_t {
    sent,
    dropped,  ///< by relabelling
    gone,     ///< the store has no such series any more
  };
  struct Series {
    std::string labels;  ///< as `encode_labels` writes them; "" unless they are sent
    Fate fate = Fate::sent;
  };

  ForwardedLabels(const Store& store, Labels external, std::vector<RelabelConfig> steps);

  /// Stays where it is until `trim`.
  const Series& find(std::uint64_t series);
  /// The same of labels; "" when they are dropped.
  std::string forward(Labels labels) const;
  /// Forgets what could not be read, to try it again, and everything when that is too much.
  void trim();

 private:
  const Store& store_;
  const Labels external_;
  const std::vector<RelabelConfig> steps_;
  std::unordered_map<std::uint64_t, Series> known_;
  std::vector<std::uint64_t> unreadable_;
  std::size_t bytes_ = 0;
};

/// The labels that `encode_labels` has written. Nothing when the bytes are not that.
std::vector<std::pair<std::string_view, std::string_view>> decode_labels(std::string_view encoded);

}  // namespace pipit
