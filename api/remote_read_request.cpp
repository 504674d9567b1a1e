// Source of the messages: prometheus/prometheus, prompb/remote.proto.

#include "api/remote_read_request.h"

#include <snappy.h>

#include <algorithm>
#include <string>
#include <utility>

namespace pipit {
namespace {

constexpr std::size_t kMaxRequestBytes = 4 << 20;
constexpr std::size_t kMaxQueries = 1000;
/// Of all queries together: a compiled expression has hundreds of times the memory of its four bytes in a message.
constexpr std::size_t kMaxMatchers = 10'000;

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

}  // namespace

Result<ReadRequest> decode_read_request(std::string_view body) {
  std::size_t size = 0;
  if (!snappy::GetUncompressedLength(body.data(), body.size(), &size) || size > kMaxRequestBytes) {
    return bad_data("snappy: corrupt input");
  }
  std::string message(size, '\0');
  if (!snappy::RawUncompress(body.data(), body.size(), message.data())) return bad_data("snappy: corrupt input");
  return read_request(message);
}

void drop_external_matchers(ReadQuery& query, const Labels& external) {
  std::erase_if(query.matchers, [&](const Matcher& matcher) {
    return matcher.type() == MatchType::equal && std::any_of(external.begin(), external.end(), [&](const Label& l) {
             return l.name == matcher.name() && l.value == matcher.value();
           });
  });
}

}  // namespace pipit
