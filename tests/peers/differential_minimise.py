"""Shrinks a difference to the smallest subexpression that differs at one point in time."""
import answers
from promql_expression import NAME, OURS, THEIRS

TOLERANCE = 1e-9


def differs(ours, theirs, ordered=False):
    """Whether two answers differ, by more than rounding. Of two errors the type counts, not the text."""
    if ours["status"] == theirs["status"] == "error":
        return ours["errorType"] != theirs["errorType"]
    return answers.difference(ours, theirs, ordered, TOLERANCE) is not None


class Moment:
    """A point in time at which both servers are asked: by instant queries, or as a step of the range query `times`, as rounding
    may depend on that. `fixed`: the query's start and end."""

    def __init__(self, asker, at, fixed, times=None):
        self.asker, self.at, self.fixed, self.times = asker, at, fixed, times

    def both(self, expr):
        if self.times and expr.type in ("instant", "scalar"):
            return [at_step(answer, self.at) for answer in self.asker.both(expr, "query_range", self.times, self.fixed)]
        return self.asker.both(expr, "query", {"time": f"{self.at:.3f}"}, self.fixed)


def at_step(answer, at):
    """The vector at one step of a matrix."""
    if answer["status"] != "success":
        return answer
    result = [{"metric": s["metric"], "value": point} for s in answer["data"]["result"] for point in s["values"] if point[0] == at]
    return {"status": "success", "data": {"resultType": "vector", "result": result}}


class Operand:
    """A child of the smallest subexpression, with its answers."""

    def __init__(self, expr, ours, theirs):
        self.expr, self.ours, self.theirs = expr, ours, theirs
        self.same_bits = answers.difference(ours, theirs, False, None) is None


def only(answer, labels):
    """The series of a vector that has these labels, but for the name."""
    result = [s for s in answer["data"]["result"] if nameless(tuple(sorted(s["metric"].items()))) == labels]
    return {"status": "success", "data": {**answer["data"], "result": result}}


def nameless(labels):
    return tuple(pair for pair in labels if pair[0] != NAME)


class Smallest:
    """A subexpression whose answers differ at `moment` while those of its operands do not, but for rounding."""

    def __init__(self, expr, moment, ours, theirs, operands):
        self.expr, self.moment, self.ours, self.theirs, self.operands = expr, moment, ours, theirs, operands

    def split(self):
        """One for each series that differs, when the answers are vectors of the same series."""
        if any(a["status"] != "success" or a["data"]["resultType"] != "vector" for a in (self.ours, self.theirs)):
            return []
        vectors = [dict(answers.series_of(answer["data"])) for answer in (self.ours, self.theirs)]
        if vectors[0].keys() != vectors[1].keys():
            return []
        return [Smallest(self.expr, self.moment, only(self.ours, nameless(labels)), only(self.theirs, nameless(labels)), self.operands)
                for labels in vectors[0] if not answers.same_points(vectors[0][labels], vectors[1][labels], TOLERANCE)]

    def text(self):
        fixed = self.moment.fixed
        lines = [f"  smallest: {self.expr.text(OURS, fixed)}"]
        if self.expr.text(THEIRS, fixed) != self.expr.text(OURS, fixed):
            lines.append(f"  for 2.42: {self.expr.text(THEIRS, fixed)}")
        lines.append(f"  at {self.moment.at}" + (f" as a step of {self.moment.times} only" if self.moment.times else ""))
        lines.append(f"  {answers.difference(self.ours, self.theirs, False, TOLERANCE) or 'the order differs'}")
        lines += [f"  pipit: {shown(self.ours)}", f"  prometheus: {shown(self.theirs)}"]
        for operand in self.operands:
            lines.append(f"    {operand.expr.text(OURS, fixed)}: {shown(operand.ours)}"
                         + (" (the same)" if operand.same_bits else f"\n      prometheus: {shown(operand.theirs)}"))
        return "\n".join(lines)


def shown(answer, most=700):
    if answer["status"] != "success":
        return answers.summary(answer)
    text = str(answer["data"]["result"])
    return text if len(text) <= most else text[:most] + f"... ({len(text)} characters)"


def smallest_of(expr, asker, at, fixed, times):
    """What differs in `expr` at the instant `at`, or over the range `times` when it is None."""
    moment = Moment(asker, at, fixed) if at is not None else moment_of(expr, asker, fixed, times)
    ours, theirs = moment.both(expr)
    while True:
        operands = [(child, then, *then.both(child)) for child in expr.children() for then in moments(expr, moment, ours, theirs)]
        worse = next((operand for operand in operands if differs(*operand[2:])), None)
        if not worse:
            return Smallest(expr, moment, ours, theirs, [Operand(child, *both) for child, _, *both in operands])
        expr, moment, ours, theirs = worse


def moment_of(expr, asker, fixed, times):
    """A step of the range at which the answers differ, if possible when asked as an instant."""
    steps = range(round((times["end"] - times["start"]) / times["step"]) + 1)
    all_steps = [times["start"] + k * times["step"] for k in steps]
    for candidates in ([Moment(asker, at, fixed) for at in all_steps], [Moment(asker, at, fixed, times) for at in all_steps]):
        for moment in candidates:
            if differs(*moment.both(expr)):
                return moment
    return Moment(asker, times["start"], fixed, times)


def moments(expr, moment, ours, theirs):
    """When a node's children are evaluated: for a subquery at the steps at which its points differ."""
    if expr.kind != "subquery":
        return [moment]
    if ours["status"] != "success" or theirs["status"] != "success":
        return []
    points = [{(labels, time): value for labels, of_series in answers.series_of(answer["data"]) for time, value in of_series}
              for answer in (ours, theirs)]
    different = {time for labels, time in points[0].keys() | points[1].keys()
                 if not answers.same_float(points[0].get((labels, time), "NaN"), points[1].get((labels, time), "NaN"), TOLERANCE)}
    start, end = expr.window(moment.at, moment.fixed)
    steps = {"start": (start // expr.step + 1) * expr.step, "end": end // expr.step * expr.step, "step": expr.step}
    return [Moment(moment.asker, at, moment.fixed, steps) for at in sorted(different)[:3]]
