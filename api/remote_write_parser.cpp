// Protobuf of the few messages that remote write has, by hand: a library would cost 4 MB of RSS and an allocation for
// every label.

#include "api/remote_write_parser.h"

#include <bit>
#include <cstring>

namespace pipit {
namespace {

static_assert(std::endian::native == std::endian::little, "doubles are taken over from the wire as they are");

/// A field's number and wire type as they stand in one byte; all known fields fit.
constexpr std::uint64_t tag(unsigned field, unsigned wire_type) { return field << 3 | wire_type; }
constexpr unsigned kVarint = 0;
constexpr unsigned kFixed64 = 1;
constexpr unsigned kBytes = 2;
constexpr unsigned kFixed32 = 5;

/// The low seven bits of each byte, put together.
std::uint64_t join_groups(std::uint64_t bytes) {
  bytes &= 0x7f7f7f7f7f7f7f7fULL;
  bytes = (bytes & 0x007f007f007f007fULL) | (bytes & 0x7f007f007f007f00ULL) >> 1;
  bytes = (bytes & 0x00003fff00003fffULL) | (bytes & 0x3fff00003fff0000ULL) >> 2;
  return (bytes & 0x000000000fffffffULL) | (bytes & 0x0fffffff00000000ULL) >> 4;
}

bool read_long_varint(std::string_view& in, std::uint64_t& out) {
  if (in.size() >= sizeof(std::uint64_t)) {  // a time has six bytes
    std::uint64_t bytes = 0;
    std::memcpy(&bytes, in.data(), sizeof bytes);
    const std::uint64_t ends = ~bytes & 0x8080808080808080ULL;
    if (ends != 0) {
      const int bits = std::countr_zero(ends) + 1;
      out = join_groups(bytes & (~std::uint64_t{0} >> (64 - bits)));
      in.remove_prefix(static_cast<std::size_t>(bits) / 8);
      return true;
    }
  }
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < 10 && i < in.size(); ++i) {
    const auto byte = static_cast<unsigned char>(in[i]);
    value |= static_cast<std::uint64_t>(byte & 0x7f) << (7 * i);
    if (byte < 0x80) {
      if (i == 9 && byte > 1) return false;  // more than 64 bits
      out = value;
      in.remove_prefix(i + 1);
      return true;
    }
  }
  return false;
}

inline bool read_varint(std::string_view& in, std::uint64_t& out) {
  if (in.empty() || static_cast<unsigned char>(in[0]) >= 0x80) return read_long_varint(in, out);
  out = static_cast<unsigned char>(in[0]);
  in.remove_prefix(1);
  return true;
}

inline bool read_bytes(std::string_view& in, std::string_view& out) {
  std::uint64_t length = 0;
  if (!read_varint(in, length) || length > in.size()) return false;
  out = in.substr(0, length);
  in.remove_prefix(length);
  return true;
}

/// Past the content of a field that nobody knows.
bool skip_field(std::string_view& in, std::uint64_t field_tag) {
  std::uint64_t number = 0;
  std::string_view bytes;
  if (field_tag >> 3 == 0) return false;
  switch (field_tag & 7) {
    case kVarint:
      return read_varint(in, number);
    case kBytes:
      return read_bytes(in, bytes);
    case kFixed64:
    case kFixed32: {
      const std::size_t size = (field_tag & 7) == kFixed64 ? 8 : 4;
      if (in.size() < size) return false;
      in.remove_prefix(size);
      return true;
    }
    default:
      return false;
  }
}

/// A known field must have its own wire type.
bool is_known(std::uint64_t field_tag, unsigned last_field) { return field_tag >> 3 <= last_field; }

namespace request {
constexpr std::uint64_t kSeries = tag(1, kBytes);
constexpr std::uint64_t kMetadata = tag(3, kBytes);
}  // namespace request
namespace series {
constexpr std::uint64_t kLabel = tag(1, kBytes);
constexpr std::uint64_t kSample = tag(2, kBytes);
constexpr std::uint64_t kExemplar = tag(3, kBytes);
constexpr std::uint64_t kHistogram = tag(4, kBytes);
constexpr unsigned kLastField = 4;
}  // namespace series
namespace label {
constexpr std::uint64_t kName = tag(1, kBytes);
constexpr std::uint64_t kValue = tag(2, kBytes);
constexpr unsigned kLastField = 2;
}  // namespace label
namespace sample {
constexpr std::uint64_t kValue = tag(1, kFixed64);
constexpr std::uint64_t kTime = tag(2, kVarint);
constexpr unsigned kLastField = 2;
}  // namespace sample
namespace exemplar {
constexpr std::uint64_t kLabel = tag(1, kBytes);
constexpr std::uint64_t kValue = tag(2, kFixed64);
constexpr std::uint64_t kTime = tag(3, kVarint);
constexpr unsigned kLastField = 3;
}  // namespace exemplar
namespace metadata {
constexpr std::uint64_t kType = tag(1, kVarint);
constexpr std::uint64_t kMetric = tag(2, kBytes);
constexpr std::uint64_t kHelp = tag(4, kBytes);
constexpr std::uint64_t kUnit = tag(5, kBytes);
}  // namespace metadata

double load_double(const char* from) {
  double value = 0;
  std::memcpy(&value, from, sizeof value);
  return value;
}

/// Any field may be missing, which means 0, or come twice, then the last counts.
bool parse_sample(std::string_view fields, TimestampMs& time, double& value) {
  std::uint64_t number = 0;
  // As all clients write it.
  constexpr std::size_t kTimeAt = 1 + sizeof(double);
  if (fields.size() > kTimeAt + 1 && static_cast<unsigned char>(fields[0]) == sample::kValue &&
      static_cast<unsigned char>(fields[kTimeAt]) == sample::kTime) {
    std::string_view rest = fields.substr(kTimeAt + 1);
    if (read_varint(rest, number) && rest.empty()) {
      value = load_double(fields.data() + 1);
      time = static_cast<TimestampMs>(number);
      return true;
    }
  }
  time = 0;
  value = 0;
  while (!fields.empty()) {
    std::uint64_t field_tag = 0;
    if (!read_varint(fields, field_tag)) return false;
    if (field_tag == sample::kValue && fields.size() >= sizeof(double)) {
      value = load_double(fields.data());
      fields.remove_prefix(sizeof(double));
    } else if (field_tag == sample::kTime) {
      if (!read_varint(fields, number)) return false;
      time = static_cast<TimestampMs>(number);
    } else if (is_known(field_tag, sample::kLastField) || !skip_field(fields, field_tag)) {
      return false;
    }
  }
  return true;
}

bool parse_label(std::string_view fields, RemoteWriteLabel& out) {
  out = {};
  while (!fields.empty()) {
    std::uint64_t field_tag = 0;
    if (!read_varint(fields, field_tag)) return false;
    if (field_tag == label::kName) {
      if (!read_bytes(fields, out.name)) return false;
    } else if (field_tag == label::kValue) {
      if (!read_bytes(fields, out.value)) return false;
    } else if (is_known(field_tag, label::kLastField) || !skip_field(fields, field_tag)) {
      return false;
    }
  }
  return true;
}

/// Without `labels` they are only checked.
bool parse_exemplar(std::string_view fields, std::vector<RemoteWriteLabel>* labels, TimestampMs& time, double& value) {
  time = 0;
  value = 0;
  while (!fields.empty()) {
    std::uint64_t field_tag = 0;
    std::uint64_t number = 0;
    std::string_view content;
    RemoteWriteLabel found;
    if (!read_varint(fields, field_tag)) return false;
    if (field_tag == exemplar::kLabel) {
      if (!read_bytes(fields, content) || !parse_label(content, found)) return false;
      if (labels != nullptr) labels->push_back(found);
    } else if (field_tag == exemplar::kValue && fields.size() >= sizeof(double)) {
      value = load_double(fields.data());
      fields.remove_prefix(sizeof(double));
    } else if (field_tag == exemplar::kTime) {
      if (!read_varint(fields, number)) return false;
      time = static_cast<TimestampMs>(number);
    } else if (is_known(field_tag, exemplar::kLastField) || !skip_field(fields, field_tag)) {
      return false;
    }
  }
  return true;
}

}  // namespace

RemoteWriteParser::Item RemoteWriteParser::next() {
  while (!rest_.empty()) {
    std::string_view rest = rest_;
    std::uint64_t field_tag = 0;
    std::string_view fields;
    if (!read_varint(rest, field_tag)) return Item::malformed;
    if (field_tag == request::kSeries || field_tag == request::kMetadata) {
      const bool is_series = field_tag == request::kSeries;
      if (!read_bytes(rest, fields) || !(is_series ? parse_series(fields) : parse_metadata(fields))) {
        return Item::malformed;
      }
      rest_ = rest;
      return is_series ? Item::series : Item::metadata;
    }
    const bool wrong_type = field_tag >> 3 == request::kSeries >> 3 || field_tag >> 3 == request::kMetadata >> 3;
    if (wrong_type || !skip_field(rest, field_tag)) return Item::malformed;
    rest_ = rest;
  }
  return Item::end;
}

bool RemoteWriteParser::parse_series(std::string_view fields) {
  // Labels are most of the bytes, and nearly all are shorter than 128: the bounds are checked once a label.
  const char* at = fields.data();
  const char* const end = at + fields.size();
  std::string_view content;
  while (end - at >= 2 && static_cast<unsigned char>(at[0]) == series::kLabel) {
    const auto length = static_cast<unsigned char>(at[1]);
    if (length < 0x80) {
      at += 2;
      if (length > end - at) return false;
      at += length;
      continue;
    }
    std::string_view long_label(at + 1, static_cast<std::size_t>(end - at - 1));
    if (!read_bytes(long_label, content)) return false;
    at = long_label.data();
  }
  std::string_view rest(at, static_cast<std::size_t>(end - at));
  series_ = {};
  series_.labels = fields.substr(0, fields.size() - rest.size());
  while (!rest.empty()) {
    const std::string_view from_here = rest;
    std::uint64_t field_tag = 0;
    if (!read_varint(rest, field_tag)) return false;
    if (field_tag == series::kSample) {
      TimestampMs time = 0;
      double value = 0;
      if (!read_bytes(rest, content) || !parse_sample(content, time, value)) return false;
      if (series_.sample_count++ == 0) {
        series_.first_time = time;
        series_.first_value = value;
        series_.after_first = rest;
      }
    } else if (field_tag == series::kLabel) {
      if (!read_bytes(rest, content)) return false;
      series_.labels = fields;
    } else if (field_tag == series::kExemplar) {
      TimestampMs time = 0;
      double value = 0;
      if (!read_bytes(rest, content) || !parse_exemplar(content, nullptr, time, value)) return false;
      if (series_.exemplar_count++ == 0) series_.from_first_exemplar = from_here;
    } else if (field_tag == series::kHistogram) {
      if (!read_bytes(rest, content)) return false;
      ++series_.histogram_count;
    } else if (is_known(field_tag, series::kLastField) || !skip_field(rest, field_tag)) {
      return false;
    }
  }
  return true;
}

bool RemoteWriteParser::parse_metadata(std::string_view fields) {
  metadata_ = {};
  while (!fields.empty()) {
    std::uint64_t field_tag = 0;
    std::uint64_t type = 0;
    if (!read_varint(fields, field_tag)) return false;
    if (field_tag == metadata::kType) {
      if (!read_varint(fields, type)) return false;
      // The numbers of the protocol are those of MetricType.
      const bool known = type <= static_cast<std::uint64_t>(MetricType::stateset);
      metadata_.type = known ? static_cast<MetricType>(type) : MetricType::unknown;
    } else if (field_tag == metadata::kMetric) {
      if (!read_bytes(fields, metadata_.metric)) return false;
    } else if (field_tag == metadata::kHelp) {
      if (!read_bytes(fields, metadata_.help)) return false;
    } else if (field_tag == metadata::kUnit) {
      if (!read_bytes(fields, metadata_.unit)) return false;
    } else if (!skip_field(fields, field_tag)) {
      return false;
    }
  }
  return true;
}

/// What it reads was read before and is well-formed.
void RemoteWriteSamples::read_ahead() {
  for (;;) {
    std::uint64_t field_tag = 0;
    std::string_view content;
    if (!read_varint(rest_, field_tag)) return;
    if (field_tag == series::kSample) {
      read_bytes(rest_, content);
      parse_sample(content, time_, value_);
      return;
    }
    skip_field(rest_, field_tag);
  }
}

bool parse_remote_write_labels(std::string_view fields, std::vector<RemoteWriteLabel>& labels) {
  labels.clear();
  while (!fields.empty()) {
    std::uint64_t field_tag = 0;
    std::string_view content;
    if (!read_varint(fields, field_tag)) return false;
    if (field_tag == series::kLabel) {
      if (labels.size() == kMaxRemoteWriteLabels) return false;
      if (!read_bytes(fields, content) || !parse_label(content, labels.emplace_back())) return false;
    } else if (!skip_field(fields, field_tag)) {
      return false;
    }
  }
  return true;
}

/// What it reads was read before and is well-formed.
bool read_remote_write_exemplar(std::string_view& fields, RemoteWriteExemplar& exemplar) {
  while (!fields.empty()) {
    std::uint64_t field_tag = 0;
    std::string_view content;
    if (!read_varint(fields, field_tag)) return false;
    if (field_tag == series::kExemplar) {
      exemplar.labels.clear();
      return read_bytes(fields, content) && parse_exemplar(content, &exemplar.labels, exemplar.time, exemplar.value);
    }
    if (!skip_field(fields, field_tag)) return false;
  }
  return false;
}

bool is_well_formed(RemoteWriteParser parser) {
  std::vector<RemoteWriteLabel> labels;
  for (;;) {
    const RemoteWriteParser::Item item = parser.next();
    if (item == RemoteWriteParser::Item::end) return true;
    if (item == RemoteWriteParser::Item::malformed) return false;
    if (item == RemoteWriteParser::Item::series && !parse_remote_write_labels(parser.series().labels, labels)) {
      return false;
    }
  }
}

}  // namespace pipit
