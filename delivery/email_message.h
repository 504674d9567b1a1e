#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/result.h"
#include "model/sample.h"

namespace pipit {

struct MailAddress {
  std::string name;     ///< for people, may be empty
  std::string address;  ///< user@host
};

/// `Ann <ann@site>, "Bob, jr." <bob@site>, carol@site`. Errors: bad_data; also of what could be taken for more than an
/// address by a server.
Result<std::vector<MailAddress>> parse_addresses(std::string_view text);

struct MailMessage {
  TimestampMs date = 0;
  std::string id;                                            ///< `pipit-0123456789abcdef@host`
  std::vector<std::pair<std::string, std::string>> headers;  ///< any text: line breaks become spaces
  std::string text;
  std::string html;
};

/// The mail as it goes over the wire (RFC 5322, MIME), lines end with CRLF: text and HTML as alternatives, quoted-
/// printable, header texts that are not ASCII as encoded words (RFC 2047).
std::string format_mail(const MailMessage& message);

/// `text` quoted-printable, for lines of CRLF.
std::string quoted_printable(std::string_view text);

}  // namespace pipit
