#pragma once

#include <string>
#include <string_view>

#include "tools/query_answer.h"

namespace pipit {

/// For people: a vector as two aligned columns, a matrix as one block a series with a line a point (times in UTC),
/// a scalar or string as its bare value.
std::string format_table(const QueryAnswer& answer);

/// For programs: RFC 4180 with `\n`. A header, then a line a point: timestamp (seconds), value, then one column a label
/// name, sorted; a label that the series does not have is empty.
std::string format_csv(const QueryAnswer& answer);

/// A field of a line of CSV, quoted if it has to be.
void append_csv_field(std::string& out, std::string_view text);

/// The error as the terminal shows it: the server's words and, when they name a line and column of the
/// expression, that line with a caret below the column.
std::string format_error(const AnswerError& error, std::string_view expr);

/// `text` with control characters replaced, so that a server can't send escape sequences to the terminal.
std::string printable(std::string_view text);

/// Terminal cells that `text` takes, counting each code point as one.
std::size_t display_width(std::string_view text);

}  // namespace pipit
