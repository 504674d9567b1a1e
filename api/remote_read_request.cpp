// Source of the messages: prometheus/prometheus, prompb/remote.proto.

#include "api/remote_read_request.h"

#include <snappy.h>

#include <algorithm>
#include <string>
#include <utility>

#include "storage/protobuf.h"

namespace pipit {
namespace {

using protobuf::Fields;
using protobuf::kBytes;
using protobuf::kVarint;

constexpr std::size_t kMaxRequestBytes = 4 << 20;
constexpr std::size_t kMaxQueries = 1000;
/// Of all queries together: a compiled expression has hundreds of times the memory of its four bytes in a message.
constexpr std::size_t kMaxMatchers = 10'000;

Error broken_message() { return bad_data("remote read: the body is no prometheus.ReadRequest"); }

Result<Matcher> read_matcher(std::string_view message) {
  constexpr MatchType kTypes[] = {MatchType::equal, MatchType::not_equal, MatchType::regex, MatchType::not_regex};
  std::uint64_t type = 0;
  std::string name;
  std::string value;
  Fields fields(message);
  while (fields.next()) {
    if (fields.is(1, kVarint)) type = fields.varint;
    if (fields.is(2, kBytes)) name = fields.bytes;
    if (fields.is(3, kBytes)) value = fields.bytes;
  }
  if (!fields.good()) return broken_message();
  if (type >= std::size(kTypes)) return bad_data("invalid matcher type");
  return Matcher::make(kTypes[type], std::move(name), std::move(value));
}

Result<ReadQuery> read_query(std::string_view message, std::size_t& matchers_left) {
  ReadQuery query;
  Fields fields(message);
  while (fields.next()) {
    if (fields.is(1, kVarint)) query.start = static_cast<TimestampMs>(fields.varint);
    if (fields.is(2, kVarint)) query.end = static_cast<TimestampMs>(fields.varint);
    if (!fields.is(3, kBytes)) continue;
    if (matchers_left-- == 0) return bad_data("remote read: too many matchers in one request");
    auto matcher = read_matcher(fields.bytes);
    if (!matcher.ok()) return matcher.error();
    query.matchers.push_back(std::move(*matcher));
  }
  if (!fields.good()) return broken_message();
  return query;
}

/// A repeated enum comes packed or one by one.
void read_types(const Fields& field, std::vector<std::uint64_t>& types) {
  if (field.is(2, kVarint)) types.push_back(field.varint);
  if (!field.is(2, kBytes)) return;
  for (const char type : field.bytes) types.push_back(static_cast<unsigned char>(type));
}

Result<ReadRequest> read_request(std::string_view message) {
  ReadRequest request;
  std::size_t matchers_left = kMaxMatchers;
  Fields fields(message);
  while (fields.next()) {
    read_types(fields, request.accepted_types);
    if (!fields.is(1, kBytes)) continue;
    if (request.queries.size() == kMaxQueries) return bad_data("remote read: too many queries in one request");
    auto query = read_query(fields.bytes, matchers_left);
    if (!query.ok()) return query.error();
    request.queries.push_back(std::move(*query));
  }
  if (!fields.good()) return broken_message();
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
