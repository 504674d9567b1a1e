// Source of the messages: prometheus/prometheus, prompb/remote.proto.

#include "api/remote_read.h"

#include <snappy.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "api/api_answer.h"
#include "model/labels.h"
#include "model/matcher.h"
#include "model/symbol_table.h"

namespace pipit {
namespace {

static_assert(std::endian::native == std::endian::little, "doubles are put on the wire as they are");

constexpr std::size_t kMaxRequestBytes = 4 << 20;
constexpr std::size_t kMaxAnswerBytes = 256 << 20;
constexpr std::size_t kMaxQueries = 1000;
/// Of all queries together: a compiled expression has hundreds of times the memory of its four bytes in a message.
constexpr std::size_t kMaxMatchers = 10'000;
constexpr std::uint64_t kSamples = 0;  ///< ReadRequest.ResponseType

// ---- reading protobuf --------------------------------------------------------------------------------------------

/// The fields of a message, one after another.
class FieldReader {
 public:
  explicit FieldReader(std::string_view message) : left_(message) {}

  /// Moves to the next field. False at the end, and when the message is broken.
  bool next() {
    std::uint64_t tag = 0;
    if (left_.empty() || broken_) return false;
    if (!varint(tag) || tag >> 3 == 0) return fail();
    field_ = tag >> 3;
    wire_type_ = tag & 7;
    number_ = 0;
    bytes_ = {};
    switch (wire_type_) {
      case 0:
        return varint(number_) || fail();
      case 1:
        return take(8) || fail();
      case 2:
        return (varint(number_) && take(number_)) || fail();
      case 5:
        return take(4) || fail();
      default:
        return fail();
    }
  }
  bool broken() const { return broken_; }
  /// The field's number if it has this wire type, else 0.
  std::uint64_t varint_field() const { return wire_type_ == 0 ? field_ : 0; }
  std::uint64_t bytes_field() const { return wire_type_ == 2 ? field_ : 0; }
  std::uint64_t number() const { return number_; }
  std::string_view bytes() const { return bytes_; }

 private:
  bool fail() {
    broken_ = true;
    return false;
  }
  bool varint(std::uint64_t& out) {
    out = 0;
    for (unsigned shift = 0; shift < 64 && !left_.empty(); shift += 7) {
      const auto byte = static_cast<unsigned char>(left_.front());
      left_.remove_prefix(1);
      out |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return true;
    }
    return false;
  }
  bool take(std::uint64_t size) {
    if (size > left_.size()) return false;
    bytes_ = left_.substr(0, size);
    left_.remove_prefix(size);
    return true;
  }

  std::string_view left_;
  std::uint64_t field_ = 0;
  std::uint64_t wire_type_ = 0;
  std::uint64_t number_ = 0;
  std::string_view bytes_;
  bool broken_ = false;
};

struct ReadQuery {
  TimestampMs start = 0;
  TimestampMs end = 0;
  std::vector<Matcher> matchers;
};

struct ReadRequest {
  std::vector<ReadQuery> queries;
  std::vector<std::uint64_t> accepted_types;
};

Error broken_message() { return bad_data("remote read: the body is no prometheus.ReadRequest"); }

Result<Matcher> read_matcher(std::string_view message) {
  constexpr MatchType kTypes[] = {MatchType::equal, MatchType::not_equal, MatchType::regex, MatchType::not_regex};
  std::uint64_t type = 0;
  std::string name;
  std::string value;
  FieldReader fields(message);
  while (fields.next()) {
    if (fields.varint_field() == 1) type = fields.number();
    if (fields.bytes_field() == 2) name = fields.bytes();
    if (fields.bytes_field() == 3) value = fields.bytes();
  }
  if (fields.broken()) return broken_message();
  if (type >= std::size(kTypes)) return bad_data("invalid matcher type");
  return Matcher::make(kTypes[type], std::move(name), std::move(value));
}

Result<ReadQuery> read_query(std::string_view message, std::size_t& matchers_left) {
  ReadQuery query;
  FieldReader fields(message);
  while (fields.next()) {
    if (fields.varint_field() == 1) query.start = static_cast<TimestampMs>(fields.number());
    if (fields.varint_field() == 2) query.end = static_cast<TimestampMs>(fields.number());
    if (fields.bytes_field() != 3) continue;
    if (matchers_left-- == 0) return bad_data("remote read: too many matchers in one request");
    auto matcher = read_matcher(fields.bytes());
    if (!matcher.ok()) return matcher.error();
    query.matchers.push_back(std::move(*matcher));
  }
  if (fields.broken()) return broken_message();
  return query;
}

/// A repeated enum comes packed or one by one.
void read_types(const FieldReader& field, std::vector<std::uint64_t>& types) {
  if (field.varint_field() == 2) types.push_back(field.number());
  if (field.bytes_field() != 2) return;
  for (const char type : field.bytes()) types.push_back(static_cast<unsigned char>(type));
}

Result<ReadRequest> read_request(std::string_view message) {
  ReadRequest request;
  std::size_t matchers_left = kMaxMatchers;
  FieldReader fields(message);
  while (fields.next()) {
    read_types(fields, request.accepted_types);
    if (fields.bytes_field() != 1) continue;
    if (request.queries.size() == kMaxQueries) return bad_data("remote read: too many queries in one request");
    auto query = read_query(fields.bytes(), matchers_left);
    if (!query.ok()) return query.error();
    request.queries.push_back(std::move(*query));
  }
  if (fields.broken()) return broken_message();
  return request;
}

Result<ReadRequest> decode(std::string_view body) {
  std::size_t size = 0;
  if (!snappy::GetUncompressedLength(body.data(), body.size(), &size) || size > kMaxRequestBytes) {
    return bad_data("snappy: corrupt input");
  }
  std::string message(size, '\0');
  if (!snappy::RawUncompress(body.data(), body.size(), message.data())) return bad_data("snappy: corrupt input");
  return read_request(message);
}

// ---- writing protobuf --------------------------------------------------------------------------------------------

std::size_t varint_size(std::uint64_t value) { return (static_cast<std::size_t>(std::bit_width(value | 1)) + 6) / 7; }

void append_varint(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  out += static_cast<char>(value);
}

/// The tag and length of a field whose bytes follow.
void append_head(std::string& out, unsigned field, std::size_t size) {
  append_varint(out, field << 3 | 2);
  append_varint(out, size);
}

void append_text(std::string& out, unsigned field, std::string_view text) {
  append_head(out, field, text.size());
  out.append(text);
}

void append_label(std::string& out, std::string_view name, std::string_view value) {
  append_head(out, 1, 2 + varint_size(name.size()) + name.size() + varint_size(value.size()) + value.size());
  append_text(out, 1, name);
  append_text(out, 2, value);
}

/// As protobuf 3 has it: zeros are left out.
void append_sample(std::string& out, TimestampMs time, double value) {
  const auto bits = std::bit_cast<std::uint64_t>(value);
  const auto wire_time = static_cast<std::uint64_t>(time);
  append_head(out, 2, (bits != 0 ? 9 : 0) + (time != 0 ? 1 + varint_size(wire_time) : 0));
  if (bits != 0) {
    char bytes[9] = {0x09};
    std::memcpy(bytes + 1, &bits, sizeof bits);
    out.append(bytes, sizeof bytes);
  }
  if (time != 0) {
    out += 0x10;
    append_varint(out, wire_time);
  }
}

// ---- answering ---------------------------------------------------------------------------------------------------

/// Collects the answer of one request.
class ReadAnswer {
 public:
  ReadAnswer(const ServerContext& context, std::uint64_t sample_limit, const std::atomic<bool>* canceled)
      : context_(context),
        sample_limit_(sample_limit),
        canceled_(canceled),
        external_(context.external_labels ? context.external_labels() : Labels()) {}

  /// Appends the QueryResult of `query`.
  Status add(ReadQuery query) {
    // Stored series lack the external labels that the client knows them by.
    std::erase_if(query.matchers, [this](const Matcher& matcher) {
      return matcher.type() == MatchType::equal && std::any_of(external_.begin(), external_.end(), [&](const Label& l) {
               return l.name == matcher.name() && l.value == matcher.value();
             });
    });
    if (query.matchers.empty()) {
      append_text(message_, 1, "");
      return {};
    }
    SymbolTable symbols;
    SelectRequest select{.matchers = query.matchers, .min_time = query.start, .max_time = query.end};
    select.canceled = canceled_;
    auto cursor = context_.source.select(select, symbols);
    if (!cursor.ok()) return cursor.error();
    std::string result;
    while (true) {
      const auto more = (*cursor)->next();
      if (!more.ok()) return more.error();
      if (!*more) break;
      samples_ += (*cursor)->times().size();
      if (samples_ > sample_limit_) {
        return bad_data("exceeded sample limit (" + std::to_string(sample_limit_) + ")");
      }
      append_series(symbols, **cursor);
      append_text(result, 1, series_);
      if (message_.size() + result.size() > kMaxAnswerBytes) {
        return bad_data("the answer exceeds " + std::to_string(kMaxAnswerBytes >> 20) +
                        " MB; ask for fewer series or less time");
      }
    }
    append_text(message_, 1, result);
    return {};
  }

  const std::string& message() const { return message_; }

 private:
  /// Writes the TimeSeries of the cursor's series to `series_`.
  void append_series(const SymbolTable& symbols, const SeriesCursor& cursor) {
    labels_.clear();
    for (const LabelPair& pair : cursor.labels())
      labels_.emplace_back(symbols.text(pair.name), symbols.text(pair.value));
    const std::size_t own = labels_.size();
    for (const Label& label : external_) {
      const bool has = std::any_of(labels_.begin(), labels_.begin() + static_cast<std::ptrdiff_t>(own),
                                   [&](const auto& l) { return l.first == label.name; });
      if (!has) labels_.emplace_back(label.name, label.value);
    }
    std::sort(labels_.begin(), labels_.end());
    series_.clear();
    for (const auto& [name, value] : labels_) append_label(series_, name, value);
    const auto times = cursor.times();
    const auto values = cursor.values();
    for (std::size_t i = 0; i < times.size(); ++i) append_sample(series_, times[i], values[i]);
  }

  const ServerContext& context_;
  const std::uint64_t sample_limit_;
  const std::atomic<bool>* canceled_;
  const Labels external_;
  std::uint64_t samples_ = 0;
  std::string message_;
  std::string series_;
  std::vector<std::pair<std::string_view, std::string_view>> labels_;
};

HttpResponse text_error(const Error& error) {
  HttpResponse response;
  response.status = http_status(error.kind);
  response.body = error.message + "\n";
  return response;
}

}  // namespace

HttpResponse handle_remote_read(const ServerContext& context, const HttpRequest& request, std::uint64_t sample_limit) {
  auto asked = decode(request.body);
  if (!asked.ok()) return text_error(asked.error());
  const auto& types = asked->accepted_types;
  if (!types.empty() && std::find(types.begin(), types.end(), kSamples) == types.end()) {
    return text_error(bad_data("server does not support any of the requested response types; supported: [SAMPLES]"));
  }
  ReadAnswer answer(context, sample_limit, request.canceled);
  for (ReadQuery& query : asked->queries) {
    if (Status status = answer.add(std::move(query)); !status.ok()) return text_error(status.error());
  }
  HttpResponse response;
  response.content_type = "application/x-protobuf";
  response.headers.emplace_back("Content-Encoding", "snappy");
  snappy::Compress(answer.message().data(), answer.message().size(), &response.body);
  return response;
}

}  // namespace pipit
