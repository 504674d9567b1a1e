// Source of the fields: Prometheus, prompb/io/prometheus/write/v2/types.proto.

#include "api/remote_write_v2.h"

#include <vector>

#include "api/remote_write_parser.h"
#include "model/labels.h"
#include "model/metadata.h"
#include "storage/protobuf.h"

namespace pipit {
namespace {

using protobuf::Fields;
using protobuf::kBytes;
using protobuf::kFixed64;
using protobuf::kVarint;
using protobuf::put_bytes;

/// Numbers that are packed in one field or stand in several. False when there are more than labels could be.
bool add_references(const Fields& field, std::vector<std::uint64_t>& references) {
  if (field.type == kVarint) {
    references.push_back(field.varint);
    return references.size() <= 2 * kMaxRemoteWriteLabels;
  }
  if (field.type != kBytes) return false;
  ByteReader reader(field.bytes);
  while (!reader.done()) {
    if (!reader.varint(references.emplace_back()) || references.size() > 2 * kMaxRemoteWriteLabels) return false;
  }
  return true;
}

class Translation {
 public:
  Translation(std::string_view message, std::size_t limit) : message_(message), limit_(limit) {}

  Result<std::string> run() {
    if (!read_symbols()) return malformed();
    if (symbols_.size() > kMaxRemoteWriteSymbols) {
      return bad_data("the request has more than " + std::to_string(kMaxRemoteWriteSymbols) +
                      " symbols, send fewer series at once");
    }
    Fields field(message_);
    while (field.next()) {
      if (field.number != 5) continue;
      if (field.type != kBytes || !translate_series(field.bytes)) return malformed();
      if (too_long_ || out_.size() > limit_) {
        return bad_data("the request has more than " + std::to_string(limit_) +
                        " bytes with its symbols in place of their references, send fewer samples at once");
      }
    }
    if (!field.good()) return malformed();
    return std::move(out_);
  }

 private:
  static Error malformed() { return bad_data("the body is no io.prometheus.write.v2.Request: malformed protobuf"); }

  bool read_symbols() {
    Fields field(message_);
    while (field.next()) {
      if (field.number != 4) continue;
      if (field.type != kBytes) return false;
      symbols_.push_back(field.bytes);
      if (symbols_.size() > kMaxRemoteWriteSymbols) return true;
    }
    return field.good();
  }

  /// Appends labels, as fields of number 1. False when a reference leads nowhere or has no companion.
  bool put_labels(std::string& out, bool of_series) {
    if (references_.size() % 2 != 0) return false;
    for (const std::uint64_t reference : references_) {
      if (reference >= symbols_.size()) return false;
    }
    for (std::size_t i = 0; i < references_.size(); i += 2) {
      const std::string_view name = symbols_[references_[i]];
      const std::string_view value = symbols_[references_[i + 1]];
      if (of_series && name == kMetricName) metric_ = value;
      label_.clear();
      put_bytes(label_, 1, name);
      put_bytes(label_, 2, value);
      put_bytes(out, 1, label_);
      // A few bytes of references can stand for any length.
      if (out.size() > limit_) {
        too_long_ = true;
        return true;
      }
    }
    return true;
  }

  bool translate_series(std::string_view fields) {
    series_.clear();
    references_.clear();
    metric_ = {};
    Fields label(fields);
    while (label.next()) {
      if (label.number == 1 && !add_references(label, references_)) return false;
    }
    if (!label.good()) return false;
    if (!put_labels(series_, true)) series_.clear();

    std::string_view metadata;
    Fields field(fields);
    while (!too_long_ && field.next()) {
      if (field.number < 2 || field.number > 5) continue;
      if (field.type != kBytes) return false;
      if (field.number == 2) {
        put_bytes(series_, 2, field.bytes);
      } else if (field.number == 3) {
        put_bytes(series_, 4, field.bytes);
      } else if (field.number == 4) {
        if (!translate_exemplar(field.bytes)) return false;
      } else {
        metadata = field.bytes;
      }
    }
    put_bytes(out_, 1, series_);
    return metadata.empty() || translate_metadata(metadata);
  }

  bool translate_exemplar(std::string_view fields) {
    references_.clear();
    exemplar_.clear();
    Fields field(fields);
    while (field.next()) {
      if (field.number == 1) {
        if (!add_references(field, references_)) return false;
      } else if (field.number == 2 && field.type == kFixed64) {
        exemplar_ += protobuf::tag(2, kFixed64);
        exemplar_ += field.bytes;
      } else if (field.number == 3 && field.type == kVarint) {
        exemplar_ += protobuf::tag(3, kVarint);
        put_varint(exemplar_, field.varint);
      } else if (field.number <= 3) {
        return false;
      }
    }
    if (!field.good()) return false;
    if (!put_labels(exemplar_, false)) return true;  // an exemplar that nobody can read is left out
    put_bytes(series_, 3, exemplar_);
    return true;
  }

  bool translate_metadata(std::string_view fields) {
    std::uint64_t type = 0;
    std::uint64_t help = 0;
    std::uint64_t unit = 0;
    Fields field(fields);
    while (field.next()) {
      const bool known = field.number == 1 || field.number == 3 || field.number == 4;
      if (!known) continue;
      if (field.type != kVarint) return false;
      (field.number == 1 ? type : field.number == 3 ? help : unit) = field.varint;
    }
    if (!field.good()) return false;
    if (help >= symbols_.size() || unit >= symbols_.size()) return true;
    if (type > static_cast<std::uint64_t>(MetricType::stateset)) type = 0;
    if (type == 0 && symbols_[help].empty() && symbols_[unit].empty()) return true;
    const std::string_view family = family_of(static_cast<MetricType>(type));
    // The series of a metric follow each other, and all say the same.
    const Said said{family, type, help, unit};
    if (family.empty() || said == last_said_) return true;
    last_said_ = said;
    label_.clear();
    label_ += protobuf::tag(1, kVarint);
    put_varint(label_, type);
    put_bytes(label_, 2, family);
    put_bytes(label_, 4, symbols_[help]);
    put_bytes(label_, 5, symbols_[unit]);
    put_bytes(out_, 3, label_);
    return true;
  }

  /// The name under which targets speak of the series' metric.
  std::string_view family_of(MetricType type) const {
    const bool parts =
        type == MetricType::histogram || type == MetricType::gaugehistogram || type == MetricType::summary;
    if (!parts) return metric_;
    for (const std::string_view suffix : {"_bucket", "_count", "_sum", "_gcount", "_gsum"}) {
      if (metric_.ends_with(suffix)) return metric_.substr(0, metric_.size() - suffix.size());
    }
    return metric_;
  }

  struct Said {
    std::string_view family;
    std::uint64_t type = 0;
    std::uint64_t help = 0;
    std::uint64_t unit = 0;
    bool operator==(const Said&) const = default;
  };

  const std::string_view message_;
  const std::size_t limit_;
  std::vector<std::string_view> symbols_;
  std::string out_;
  bool too_long_ = false;
  // Of the series at hand.
  std::vector<std::uint64_t> references_;
  std::string_view metric_;
  std::string series_;
  std::string exemplar_;
  std::string label_;
  Said last_said_;
};

}  // namespace

Result<std::string> translate_remote_write_v2(std::string_view message, std::size_t limit) {
  return Translation(message, limit).run();
}

}  // namespace pipit
