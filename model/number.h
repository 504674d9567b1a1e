#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace pipit {

/// As Go's strconv.FormatFloat(v, 'f', -1, 64): shortest digits that read back the same, filled up with zeros, no
/// exponent; "NaN", "+Inf", "-Inf". The form of numbers that become labels.
void append_float(std::string& out, double v);
/// A value as the HTTP API writes it: as append_float, but in exponent form below 1e-6 and from 1e21 on.
/// Source: Prometheus, util/jsonutil.
void append_api_float(std::string& out, double v);
/// As Go's fmt.Sprint prints a float64, and so as Prometheus shows numbers in PromQL and on exposition pages: shortest
/// digits, exponent form below 1e-4 and from 1e6 on (1e+06).
std::string format_float_g(double v);
/// As Go's strconv.ParseFloat accepts them: decimal, exponent, hexadecimal, Inf, Infinity, NaN in any case, a sign.
/// The whole text must be a number. Exact (correctly rounded).
std::optional<double> parse_float(std::string_view text);

}  // namespace pipit
