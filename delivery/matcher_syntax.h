#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "model/matcher.h"
#include "model/result.h"

namespace pipit {

/// One matcher as routes, silences and amtool write it: `severity=~"page|ticket"`. Errors: bad_data.
///
/// Alertmanager has two syntaxes: the classic one, and one in which names may be of any characters. What the classic
/// one takes means what it says; the other is asked for the rest.
Result<Matcher> parse_alert_matcher(std::string_view text);
/// Several: `{a="b", c!~"d"}`, or the same without braces.
Result<std::vector<Matcher>> parse_alert_matchers(std::string_view text);

/// `severity=~"page|ticket"`, as group keys have it.
std::string alert_matcher_text(const Matcher& matcher);
/// `{a="b",c!~"d"}`
std::string alert_matchers_text(const std::vector<Matcher>& matchers);
/// By name, value and type, as routes have them.
void sort_alert_matchers(std::vector<Matcher>& matchers);

}  // namespace pipit
