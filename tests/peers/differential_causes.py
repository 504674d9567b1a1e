"""Why Pipit may answer otherwise than Prometheus 2.42: a predicate for each change between 2.42 and 3.14, and for what no version
promises (rounding, order, the machine's conversions).

Each looks at the smallest subexpression that differs, with what its operands are on both sides, and holds only when the change
explains all of the difference. Its first lines say what changed, and where that is written.
"""
import math
import sys

import answers
from differential_minimise import Moment, TOLERANCE, differs, nameless
from differential_rounding import different_values, follows, increase_of, is_rounding, values_of
from promql_expression import THEIRS

LOOKBACK_SECONDS = 300
SAME_LABELSET = "vector cannot contain metrics with the same labelset"


def cause_of(smallest):
    """The name of what explains the difference, or None. Several series may differ for several reasons; the first is named."""
    if cause := first_cause(smallest):
        return cause
    parts = [first_cause(part) for part in smallest.split()]
    return parts[0] if parts and all(parts) else None


def first_cause(smallest):
    return next((cause.__name__ for cause in CAUSES if cause(smallest)), None)


def input_of(smallest):
    """{labels: value} of the vector that a function or aggregation was given."""
    return values_of(smallest.operands[-1].ours) if smallest.operands else {}


def rounding(smallest):
    """No change of meaning: other order of additions, compensated sums, another libm. differential_rounding.py has the bounds."""
    return is_rounding(smallest)


def delayed_name_removal(smallest):
    """Names are dropped at the end of a query, and two series that only differ in it are an error only there. Source: 3.x's
    feature flag promql-delayed-name-removal, which Pipit has always on. Until then `x or rate(x[5m])` is one series in a subquery
    and over a range, with a name or without for all of its steps."""
    if smallest.ours["status"] != "success" or smallest.theirs["status"] != "success":
        return smallest.ours["status"] == "success" and SAME_LABELSET in smallest.theirs["error"]
    if smallest.expr.kind != "subquery" and not (smallest.expr.kind == "or" and smallest.moment.times is not None):
        return False
    ours, theirs = (sorted((nameless(labels), *point) for labels, points in answers.series_of(answer["data"]) for point in points)
                    for answer in (smallest.ours, smallest.theirs))
    return len(ours) == len(theirs) and all(
        a[:2] == b[:2] and answers.same_float(a[2], b[2], TOLERANCE) for a, b in zip(ours, theirs))


def overflow_of_exponential(smallest):
    """2.42 computes sinh and cosh as half of an exponential, which overflows first. Source: Go's math.Sinh."""
    different = different_values(smallest)
    return smallest.expr.kind in ("sinh", "cosh") and bool(different) and all(
        math.isinf(theirs) and sys.float_info.max / 2 < abs(ours) for _, ours, theirs in different)


def rate_that_begins_at_zero(smallest):
    """A gap before a counter's first sample is first cut to half an interval and then to where the counter was zero;
    2.42 did it the other way round. Source: extrapolatedRate of 3.x."""
    if smallest.expr.kind not in ("rate", "increase"):
        return False
    return follows(smallest, increase_of, lambda *given: increase_of(*given, zero_first=True))


def pinned_prediction(smallest):
    """2.42 lets the range of predict_linear(x[5m] @ t) move with the steps of a range query. Source: 3.x's engine, which reads
    such a range at the first step only; functions.test of 3.x."""
    moment = smallest.moment
    return smallest.expr.kind == "predict_linear" and smallest.expr.children()[0].pinned and moment.times is not None and (
        not differs(*Moment(moment.asker, moment.at, moment.fixed).both(smallest.expr)))


def timestamp_without_offset(smallest):
    """timestamp(x @ t offset d) looks for samples at t, in what was read for t - d. Source: a special case of timestamp() in the
    engine (issue 8433); an oversight that 3.x has too, and Pipit has not."""
    selector = smallest.expr.children()[0] if smallest.expr.kind == "timestamp" else None
    if not selector or selector.kind != "selector" or not selector.pinned or not selector.offset:
        return False
    ours, theirs = values_of(smallest.ours), values_of(smallest.theirs)
    pinned = selector.window(smallest.moment.at, smallest.moment.fixed)[1] + selector.offset
    if selector.offset > 0:  # the same sample, if it is young enough as seen from t
        return theirs == {labels: time for labels, time in ours.items() if time > pinned - LOOKBACK_SECONDS}
    return all(time <= pinned and time <= ours.get(labels, math.inf) for labels, time in theirs.items())


def parameter_of_the_first_step(smallest):
    """Over vectors that are the same at all steps 2.42 aggregates once, even if the parameter changes. Source: 3.x's
    preprocessing, which looks at the parameter too."""
    moment = smallest.moment
    if smallest.expr.kind not in ("quantile", "topk", "bottomk") or moment.times is None:
        return False
    first = Moment(moment.asker, moment.times["start"], moment.fixed, moment.times).both(smallest.expr)
    return not differs(*Moment(moment.asker, moment.at, moment.fixed).both(smallest.expr)) and (
        values_of(first[THEIRS]) == values_of(smallest.theirs))


def ambiguity_of_the_filtered(smallest):
    """A comparison with several matches is an error even if it filters them away. Source: prometheus pull request 17668,
    operators.test of 3.x."""
    return smallest.expr.kind in COMPARISONS and smallest.theirs["status"] == "success" and (
        smallest.ours.get("error", "").startswith("multiple matches for labels: "))


def overflow_of_variance(smallest):
    """A sum of squares that overflows is infinite; 2.42 goes on compensating it, which makes it NaN. Source: util/kahansum of 3.x."""
    different = different_values(smallest)
    return smallest.expr.kind in ("stddev_over_time", "stdvar_over_time") and bool(different) and all(
        math.isinf(ours) and math.isnan(theirs) for _, ours, theirs in different)


def deviation_of_no_number(smallest):
    """The deviation of a group with NaN or an infinity is NaN, also when that comes first in it. Source: aggregators.test of 3.x."""
    different = different_values(smallest)
    return smallest.expr.kind in ("stddev", "stdvar") and different and all(math.isnan(ours) for _, ours, _ in different) and any(
        not math.isfinite(value) for value in input_of(smallest).values())


def date_beyond_64_bits(smallest):
    """The date of NaN, an infinity or a time that 64 bits of seconds do not hold is NaN here, and what the machine makes of the
    conversion there. Source: Go's specification, conversions between numeric types."""
    given = input_of(smallest)
    return smallest.expr.kind in DATES and all(
        math.isnan(ours) and not abs(given.get(labels, 0)) < 1e17 for labels, ours, _ in different_values(smallest) or [((), 0, 0)])


def choice_among_equals(smallest):
    """Which of several equal values topk keeps depends on the order of series, and that on the store. Source: none promises it."""
    if smallest.expr.kind not in ("topk", "bottomk"):
        return False
    ours, theirs, given = values_of(smallest.ours), values_of(smallest.theirs), input_of(smallest)
    swapped = [given[labels] for labels in ours.keys() ^ theirs.keys() if labels in given]
    return len(ours) == len(theirs) and all(
        answers.same_float(a, b, TOLERANCE) for a, b in zip(sorted_values(ours), sorted_values(theirs))) and all(
        sum(answers.same_float(value, other, TOLERANCE) for other in given.values()) > 1 for value in swapped)


def sorted_values(vector):
    return sorted(vector.values(), key=lambda value: (math.isnan(value), value))


def logarithm_of_subnormal(smallest):
    """Below 2.3e-308 the logarithm of 2.42 is wrong, and so are powers. Source: Go's math.Log for amd64, in assembler."""
    given = values_of(smallest.operands[0].ours) if smallest.operands else {}
    different = different_values(smallest)
    return smallest.expr.kind in ("ln", "log2", "log10", "^") and bool(different) and all(
        0 < abs(given.get(labels, 0)) < sys.float_info.min for labels, _, _ in different)


COMPARISONS = {"==", "!=", "<", "<=", ">", ">="}
DATES = {"day_of_month", "day_of_week", "day_of_year", "days_in_month", "hour", "minute", "month", "year"}
CAUSES = [delayed_name_removal, rate_that_begins_at_zero, pinned_prediction, timestamp_without_offset, parameter_of_the_first_step,
          ambiguity_of_the_filtered, overflow_of_variance, deviation_of_no_number, date_beyond_64_bits, logarithm_of_subnormal,
          overflow_of_exponential, choice_among_equals, rounding]
