"""Whether a difference beyond the tolerance is still no more than rounding.

Each case is held against what the operands make possible, never against a looser tolerance alone: a sum whose terms cancel
out, and an operation that makes much of operands that differ in their last bits (`sin(1e12)`, `x > y`, `changes(...)`).
"""
import math
import sys

import answers
from differential_minimise import TOLERANCE, differs, nameless
from promql_expression import Expr, OURS, quote

# Of each operation of a sum, in units of the last place; both sides round, and some formulas take several steps a sample.
ROUNDINGS_A_SAMPLE = 16


def is_rounding(smallest):
    return is_cancelled_sum(smallest) or is_small_difference(smallest) or is_amplified(smallest) or is_stepwise(smallest)


def values_of(answer):
    """{labels without the name: value} of an instant vector; empty for anything else."""
    if answer["status"] != "success" or answer["data"]["resultType"] != "vector":
        return {}
    return {nameless(labels): float(points[0][1]) for labels, points in answers.series_of(answer["data"])}


def different_values(smallest):
    """[(labels, ours, theirs)] of two vectors with the same series; empty when it isn't just values that differ."""
    ours, theirs = values_of(smallest.ours), values_of(smallest.theirs)
    if ours.keys() != theirs.keys():
        return []
    return [(labels, ours[labels], theirs[labels]) for labels in ours
            if not answers.same_float(ours[labels], theirs[labels], TOLERANCE)]


# ---- operands in their last bits -----------------------------------------------------------------------------------
def is_amplified(smallest):
    """Pipit answers as 2.42 does when it is given 2.42's operands."""
    if all(operand.same_bits or operand.expr.type not in ("instant", "scalar") for operand in smallest.operands):
        return False
    parts = list(smallest.expr.parts)
    for operand in smallest.operands:
        if operand.expr.type in ("instant", "scalar"):
            literal = Expr(operand.expr.type, "literal", [as_text(operand.theirs)])
            parts = [literal if part is operand.expr else part for part in parts]
    expr = Expr(smallest.expr.type, smallest.expr.kind, parts)
    moment = smallest.moment
    ours = moment.asker.clients[OURS].ask("query", {"query": expr.text(OURS, moment.fixed), "time": f"{moment.at:.3f}"})
    return not differs(ours, smallest.theirs)


def as_text(answer):
    """An expression for a scalar or vector that was answered."""
    data = answer["data"]
    if data["resultType"] == "scalar":
        return f"({data['result'][1]})"
    series = []
    for one in data["result"]:
        text = f"vector({one['value'][1]})"
        for name, value in one["metric"].items():
            text = f'label_replace({text}, {quote(name)}, {quote(value.replace("$", "$$"))}, "", "")'
        series.append(text)
    return "(" + (" or ".join(series) or "vector(0) < 0") + ")"


def is_stepwise(smallest):
    """Both sides are right for the samples that they have: a fall more is a reset more, and a step more is all of an idelta."""
    compute = SAMPLE_BY_SAMPLE.get(smallest.expr.kind)
    return compute is not None and not all(operand.same_bits for operand in smallest.operands) and follows(smallest, compute, compute)


def follows(smallest, ours_of, theirs_of):
    """Whether all values that differ are what two functions (expression, samples, start, end) make of the samples on each side."""
    different, matrix = different_values(smallest), smallest.operands[0] if smallest.operands else None
    if not different or matrix.expr.type != "range":
        return False
    start, end = (round(time * 1000) for time in matrix.expr.window(smallest.moment.at, smallest.moment.fixed))
    ours, theirs = (terms_of(answer, smallest, different) for answer in (matrix.ours, matrix.theirs))
    return all(answers.same_float(ours_of(smallest.expr, ours.get(labels, []), start, end), our_value, TOLERANCE) and
               answers.same_float(theirs_of(smallest.expr, theirs.get(labels, []), start, end), their_value, TOLERANCE)
               for labels, our_value, their_value in different)


def changes_of(_, samples, *__):
    return sum(a != b and not (math.isnan(a) and math.isnan(b)) for (_, a), (_, b) in zip(samples, samples[1:]))


def resets_of(_, samples, *__):
    return sum(b < a for (_, a), (_, b) in zip(samples, samples[1:]))


def last_step_of(expr, samples, *_):
    """idelta and irate."""
    if len(samples) < 2:
        return math.nan
    (before, a), (now, b) = samples[-2:]
    return b - a if expr.kind == "idelta" else (b if b < a else b - a) / ((now - before) / 1000)


def increase_of(expr, samples, start, end, zero_first=False):
    """rate or increase of a counter as 3.x extrapolates it, or 2.42 (`zero_first`). Times are milliseconds."""
    if len(samples) < 2:
        return math.nan
    values = [value for _, value in samples]
    increase = values[-1] - values[0] + sum(a for a, b in zip(values, values[1:]) if b < a)
    # In seconds and in this order, as rounding may decide which side of the threshold a gap is on.
    to_start, to_end, sampled = (samples[0][0] - start) / 1000, (end - samples[-1][0]) / 1000, (samples[-1][0] - samples[0][0]) / 1000
    average = sampled / (len(samples) - 1)
    to_zero = sampled * (values[0] / increase) if increase > 0 and values[0] >= 0 else math.inf
    if zero_first:
        to_start = min(to_start, to_zero)
    if to_start >= average * 1.1:
        to_start = average / 2
    if to_end >= average * 1.1:
        to_end = average / 2
    increase *= (sampled + min(to_start, math.inf if zero_first else to_zero) + to_end) / sampled
    return increase / ((end - start) / 1000) if expr.kind == "rate" else increase


SAMPLE_BY_SAMPLE = {"changes": changes_of, "resets": resets_of, "idelta": last_step_of, "irate": last_step_of, "rate": increase_of,
                    "increase": increase_of}


# ---- sums that cancel out ------------------------------------------------------------------------------------------
def is_cancelled_sum(smallest):
    """All values differ by no more than rounding can make of their terms."""
    bound_of = BOUNDS.get(smallest.expr.kind)
    different = different_values(smallest)
    if not bound_of or not different or not smallest.operands:
        return False
    inputs = [operand for operand in smallest.operands if operand.expr.type in ("range", "instant")]
    if len(inputs) != 1:
        return False
    ours, theirs = (terms_of(answer, smallest, different) for answer in (inputs[0].ours, inputs[0].theirs))
    for labels, our_value, their_value in different:
        a, b = ours.get(labels, []), theirs.get(labels, [])
        if len(a) != len(b) or not a or not all(math.isfinite(value) for _, value in a + b):
            return False
        unit = ROUNDINGS_A_SAMPLE * len(a) * sys.float_info.epsilon + max(relative(x[1], y[1]) for x, y in zip(a, b))
        if not abs(our_value - their_value) <= bound_of(smallest, a, unit):
            return False
    return True


def is_small_difference(smallest):
    """`a - b` and `a % b` of sums: 2.42 adds in an order that varies from one evaluation to the next, even within a query, so that
    its operands are not known to the last bits."""
    if smallest.expr.kind not in ("+", "-", "%") or len(smallest.operands) != 2:
        return False
    bound = 64 * sys.float_info.epsilon * sum(largest_of(operand.ours) for operand in smallest.operands)
    different = different_values(smallest)
    return bool(different) and all(abs(ours - theirs) <= bound for _, ours, theirs in different)


def largest_of(answer):
    values = values_of(answer).values() if answer["data"]["resultType"] == "vector" else [float(answer["data"]["result"][1])]
    return max((abs(value) for value in values if math.isfinite(value)), default=0)


def relative(a, b):
    return abs(a - b) / max(abs(a), abs(b)) if a != b else 0


def terms_of(answer, smallest, different):
    """{labels of a result: [(milliseconds, value)]}: what each of the results is made of."""
    if answer["status"] != "success":
        return {}
    if answer["data"]["resultType"] == "matrix":
        return {nameless(labels): [(round(time * 1000), float(value)) for time, value in points]
                for labels, points in answers.series_of(answer["data"])}
    # An aggregation: the groups are those of the results, found by the labels that these have.
    terms = {}
    for labels, points in answers.series_of(answer["data"]):
        for group, _, _ in different:
            if set(group) <= set(labels):
                terms.setdefault(group, []).append((0, float(points[0][1])))
    return {group: sorted(values) for group, values in terms.items()}


def size_of(terms):
    return sum(abs(value) for _, value in terms)


def bound_of_sum(_, terms, unit):
    return unit * size_of(terms)


def bound_of_mean(_, terms, unit):
    return unit * size_of(terms) / len(terms)


def bound_of_increase(smallest, terms, unit):
    """The first and the last value and those before resets are added, and extrapolated to the range."""
    values = [abs(value) for _, value in terms]
    resets = sum(a for (_, a), (_, b) in zip(terms, terms[1:]) if b < a) if smallest.expr.kind != "delta" else 0
    start, end = smallest.expr.children()[0].window(smallest.moment.at, smallest.moment.fixed)
    per_second = 1 if smallest.expr.kind != "rate" else end - start
    return unit * (values[0] + values[-1] + abs(resets)) * (end - start) * 1000 / (terms[-1][0] - terms[0][0]) / per_second


def bound_of_slope(_, terms, unit):
    """The covariance of times and values is a difference of two sums, over the variance of the times."""
    times = [(time - terms[0][0]) / 1000 for time, _ in terms]
    mean = sum(times) / len(times)
    covariance = sum(time * abs(value) for time, (_, value) in zip(times, terms)) + mean * size_of(terms)
    return unit * covariance / sum((time - mean) ** 2 for time in times)


def bound_of_prediction(smallest, terms, unit):
    """The slope times a distance, and the mean."""
    distance = abs(float(smallest.operands[1].ours["data"]["result"][1])) + abs(smallest.moment.at - terms[0][0] / 1000)
    return bound_of_slope(smallest, terms, unit) * distance + bound_of_mean(smallest, terms, unit)


def bound_of_variance(_, terms, unit):
    """Squares of what is left of a value without the mean."""
    mean = size_of(terms) / len(terms)
    deviation = math.sqrt(sum((abs(value) - mean) * (abs(value) - mean) for _, value in terms) / len(terms))
    spread = max(abs(value) for _, value in terms) if any(value < 0 for _, value in terms) else deviation
    return unit * (2 * mean + spread) * spread + unit * mean * unit * mean


def bound_of_deviation(_, terms, unit):
    """The root of the variance, which may be no more than rounding itself."""
    return 2 * unit * max(abs(value) for _, value in terms)


def bound_of_curve(_, terms, unit):
    """Functions that go through zero steeply, and are no more exact there than elsewhere. log2 adds the exponent."""
    return unit


BOUNDS = {"sum": bound_of_sum, "sum_over_time": bound_of_sum, "avg": bound_of_mean, "avg_over_time": bound_of_mean,
          "rate": bound_of_increase, "increase": bound_of_increase, "delta": bound_of_increase,
          "deriv": bound_of_slope, "predict_linear": bound_of_prediction, "stdvar": bound_of_variance,
          "stdvar_over_time": bound_of_variance, **dict.fromkeys(("sin", "cos", "ln", "log2", "log10"), bound_of_curve), "stddev": bound_of_deviation, "stddev_over_time": bound_of_deviation}
