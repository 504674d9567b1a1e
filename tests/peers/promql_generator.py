"""Random PromQL that is well-typed and mostly has an answer, of what Prometheus 2.42 and 3.14 have in common.

Two restrictions keep the versions' known differences out (docs/testing.md): all durations are whole seconds, so that no sample
lies on the edge of a window that ends at a half second; and a subquery inside of another, which is evaluated at
whole seconds, is offset by half a second. Names that an operation dropped are not asked for, as 2.42 drops them at once.
"""
import math

import differential_data
from promql_expression import (Bound, Expr, Matching, NAME, Spelling, call, distinct, key, keep, label_names, many_to_one,
                               nameless, quote, replaced, unique, without)

MAX_DEPTH = 4
MAX_EVALUATIONS = 250  # of the innermost subquery, for each step of the query
MANY_SERIES = 24
TRIES = 8

MATH = ("abs acos acosh asin asinh atan atanh ceil cos cosh deg exp floor ln log10 log2 rad round sgn sin sinh sqrt tan tanh").split()
DATES = "day_of_month day_of_week day_of_year days_in_month hour minute month year".split()
OVER_TIME = {"rate": 9, "increase": 5, "irate": 3, "delta": 4, "idelta": 3, "resets": 2, "changes": 3, "deriv": 3,
             "predict_linear": 2, "double_exponential_smoothing": 2, "avg_over_time": 4, "sum_over_time": 4, "min_over_time": 3,
             "max_over_time": 3, "count_over_time": 3, "last_over_time": 3, "present_over_time": 2, "stddev_over_time": 3,
             "stdvar_over_time": 2, "quantile_over_time": 3, "absent_over_time": 1}
AGGREGATIONS = {"sum": 9, "avg": 4, "min": 3, "max": 3, "count": 4, "group": 1, "stddev": 2, "stdvar": 2, "topk": 2,
                "bottomk": 2, "quantile": 3, "count_values": 1}
ARITHMETIC = {"+": 4, "-": 4, "*": 4, "/": 4, "%": 2, "^": 1, "atan2": 1}
COMPARISONS = {"==": 2, "!=": 2, "<": 2, "<=": 1, ">": 4, ">=": 1}
NUMBERS = ("0 1 2 3 10 100 0.5 0.25 -1 -2 -0.5 1e3 1e6 1e-3 3.7 0x1f 60 300 7 1e18 -1e9 Inf -Inf NaN 5e-324 1.5e300").split()
NUMBER_WEIGHTS = [9] * 20 + [1] * 6
RANGES = {11: 1, 25: 2, 45: 3, 60: 5, 90: 3, 120: 5, 300: 6, 437: 1, 600: 3, 1800: 1}
OFFSETS = {10: 1, 31: 2, 60: 3, 120: 2, 300: 1, 600: 1, -45: 1, -120: 1}
REGEXES = ["(.*)", "(.+)", "(.)(.*)", "(.*)-(.*)", "([a-z]+).*", "web-(.*)", "(..)?.*", "no match", ".*"]
REPLACEMENTS = ["$1", "${1}x", "constant", "", "$2-$1", "$1$3"]
STRINGS = ["text", "", "ü \"quoted\" \\ \n", "$1"]


def duration(seconds):
    """As text, in one of the units that fit."""
    sign, seconds = ("-", -seconds) if seconds < 0 else ("", seconds)
    for unit, size in (("h", 3600), ("m", 60)):
        if seconds and seconds % size == 0:
            return f"{sign}{seconds // size}{unit}"
    return f"{sign}{seconds}s"


class Modifiers:
    """`offset` and `@` behind a selector: as parts, and what they do to the evaluation time."""

    def __init__(self, parts, at, offset):
        self.parts, self.at, self.offset = parts, at, offset

    def window(self, seconds):
        """A function (evaluation time, the times of start() and end()) -> (start, end) of a range so long."""
        def of(now, fixed):
            at = now if self.at is None else fixed[self.at.which == "end"] if isinstance(self.at, Bound) else self.at
            return at - self.offset - seconds, at - self.offset

        return of


class Generator:
    """`dice` decides everything: the same state of it gives the same expression."""

    def __init__(self, dice, history):
        self.dice, self.history = dice, history
        self.metrics = {}
        for labels in history.series:
            self.metrics.setdefault(labels[NAME], []).append(labels)
        self.metric_names = sorted(self.metrics)
        self.metric_weights = [math.sqrt(len(self.metrics[name])) for name in self.metric_names]
        self.bucket_metrics = [name for name in self.metric_names if name.endswith("_bucket")]
        self.evaluations = 1  # by the subqueries around what is being made

    def chance(self, probability):
        return self.dice.random() < probability

    def pick(self, weighted):
        return self.dice.choices(list(weighted), list(weighted.values()))[0]

    def some(self, items, most):
        items = list(items)
        return self.dice.sample(items, min(len(items), self.dice.randint(0, most)))

    def expression(self):
        """A whole query."""
        self.evaluations = 1
        depth = self.dice.choices(range(MAX_DEPTH + 1), (2, 5, 8, 5, 3))[0]
        kind = self.pick({"instant": 88, "scalar": 6, "range": 5, "string": 1})
        if kind == "string":
            return Expr("string", "string", [quote(self.dice.choice(STRINGS))], family="literal")
        if kind == "instant" and self.chance(0.06):
            return self.sorted(depth)
        return {"instant": self.vector, "scalar": self.scalar, "range": self.matrix}[kind](depth)

    # ---- selectors ----------------------------------------------------------------------------------------------
    def selector_parts(self):
        """(parts without modifiers, the series that match)."""
        if self.chance(0.03):
            return self.selector_of_several()
        metric = self.dice.choices(self.metric_names, self.metric_weights)[0]
        return self.narrowed(metric, self.metrics[metric])

    def selector_of_several(self):
        metric = self.dice.choice(self.metric_names)
        prefix = metric[:self.dice.randint(4, len(metric))]
        matching = [s for s in self.history.series if s[NAME].startswith(prefix)]
        if len(matching) > MANY_SERIES:
            return self.narrowed(metric, self.metrics[metric])
        return [f'{{{NAME}=~"{prefix}.*"}}'], matching

    def narrowed(self, metric, series):
        """With matchers for labels that are there, until it is not too many."""
        matchers = []
        for _ in range(TRIES):
            if len(series) <= MANY_SERIES and self.chance(0.65):
                break
            text, matches = self.matcher(self.dice.choice(series))
            left = [s for s in series if matches(s)]
            if (left or self.chance(0.05)) and text not in matchers:
                matchers.append(text)
                series = left
            if not series:
                break
        if self.chance(0.01):
            matchers, series = ['nothing="here"'], []
        return [metric + ("{" + ", ".join(matchers) + "}" if matchers else "")], series

    def matcher(self, labels):
        """(text, predicate) of a matcher that mostly lets `labels` through."""
        name = self.dice.choice(sorted(set(labels) - {NAME}))
        value = labels[name]
        kind = self.pick({"=": 5, "!=": 2, "=~": 3, "!~": 1, "absent": 0.3})
        if kind == "absent":
            return 'no_label=""', lambda s: True
        if kind == "=":
            return f"{name}={quote(value)}", lambda s: s.get(name) == value
        if kind == "!=":
            return f"{name}!={quote(value)}", lambda s: s.get(name) != value
        # Quantifiers and brackets are no plain characters; such values get an ordinary matcher.
        if not value.replace("-", "").replace("_", "").isalnum() or not value.isascii():
            return f"{name}={quote(value)}", lambda s: s.get(name) == value
        if kind == "!~":
            return f'{name}!~"{value}|x.*"', lambda s: s.get(name, "") != value and not s.get(name, "").startswith("x")
        if self.chance(0.5):
            return f'{name}=~"{value[0]}.*"', lambda s: s.get(name, "").startswith(value[0])
        return f'{name}=~"{value}|nothing|.?"', lambda s: s.get(name, "") in (value, "nothing") or len(s.get(name, "")) < 2

    def modifiers(self, half_second=False):
        """offset and @. `half_second`: the time that it is about is a whole second and must not stay one."""
        at, offset, text = None, 0, ""
        if self.chance(0.07):
            at = self.pick({Bound("start"): 1, Bound("end"): 1, None: 1}) or (
                differential_data.START + self.dice.randrange(60, differential_data.SPAN_SECONDS) + 0.5)
        if self.chance(0.15):
            offset = self.pick(OFFSETS)
            text = f" offset {duration(offset)}"
        if half_second and at is None:
            offset = self.dice.choice((0.5, 1.5, 60.5))
            text = f" offset {1000 * offset:.0f}ms"
        parts = [text] if at is None else [" @ ", at if isinstance(at, Bound) else str(at)] + [text]
        return Modifiers(parts if at is None or self.chance(0.5) else parts[2:] + parts[:2], at, offset)

    def selector(self):
        return self.instant_of(*self.selector_parts())

    def instant_of(self, parts, series):
        """The selected series, perhaps at another time."""
        modifiers = self.modifiers()
        made = Expr("instant", "selector", parts + modifiers.parts, series, family="leaf")
        made.pinned, made.offset, made.window = modifiers.at is not None, modifiers.offset, modifiers.window(0)
        return made

    def matrix(self, depth):
        subquery_fits = depth > 0 and self.evaluations * 4 <= MAX_EVALUATIONS
        if subquery_fits and self.chance(0.3):
            return self.subquery(depth)
        return self.range_of(*self.selector_parts())

    def range_of(self, parts, series, modified=True):
        """A range of the selected series."""
        seconds, modifiers = self.pick(RANGES), self.modifiers() if modified else Modifiers([], None, 0)
        made = Expr("range", "matrix", parts + [f"[{duration(seconds)}]"] + modifiers.parts, series, family="leaf")
        made.window, made.pinned = modifiers.window(seconds), modifiers.at is not None
        return made

    def subquery(self, depth):
        steps = self.dice.randint(2, min(30, MAX_EVALUATIONS // self.evaluations))
        step = self.dice.choice((5, 7, 10, 15, 30, 60))
        inside, before = self.evaluations > 1, self.evaluations
        self.evaluations *= steps
        inner = self.vector(depth - 1)
        self.evaluations = before
        spelled = "" if step == 60 and self.chance(0.5) else duration(step)
        seconds, modifiers = steps * step + self.dice.choice((0, 0, 3)), self.modifiers(half_second=inside)
        parts = inner.operand() + [f"[{duration(seconds)}:{spelled}]"] + modifiers.parts
        made = Expr("range", "subquery", parts, inner.series, family="leaf")
        made.window, made.pinned, made.step = modifiers.window(seconds), modifiers.at is not None, step
        return made

    # ---- scalars ------------------------------------------------------------------------------------------------
    def number(self):
        return Expr("scalar", "number", [self.dice.choices(NUMBERS, NUMBER_WEIGHTS)[0]], family="number")

    def scalar(self, depth):
        kind = self.pick({"number": 6, "time": 1, "pi": 0.5, "scalar": 2 if depth else 0.01, "binary": 2 if depth else 0.01})
        if kind == "number":
            return self.number()
        if kind in ("time", "pi"):
            return call("scalar", kind, [])
        if kind == "scalar":
            inner = self.aggregated(depth - 1, by=[]) if self.chance(0.7) else self.vector(depth - 1)
            return call("scalar", "scalar", [inner])
        op = self.pick({**ARITHMETIC, **COMPARISONS})
        bool_text = " bool" if op in COMPARISONS else ""
        parts = self.scalar(depth - 1).operand() + [f" {op}{bool_text} "] + self.scalar(depth - 1).operand()
        return Expr("scalar", op, parts, family="binary")

    def parameter(self, low, high):
        """A number between, seldom anything."""
        if self.chance(0.05):
            return self.scalar(1)
        return Expr("scalar", "number", [f"{self.dice.uniform(low, high):.3g}"], family="number")

    # ---- instant vectors ----------------------------------------------------------------------------------------
    def vector(self, depth):
        if depth <= 0:
            return self.selector() if self.chance(0.93) else call("instant", "vector", [self.scalar(0)], [{}])
        makers = {self.selector: 5, self.instant_function: 11, self.range_function: 26, self.aggregated: 22,
                  self.vector_and_scalar: 12, self.vectors: 14, self.set_operation: 5, self.histogram: 5, self.relabelled: 5,
                  self.odds_and_ends: 5}
        for _ in range(TRIES):
            make = self.pick(makers)
            made = make() if make == self.selector else make(depth)
            if made:
                return made
        return self.selector()

    def instant_function(self, depth):
        inner = self.vector(depth - 1)
        name = self.dice.choice(MATH + ["clamp", "clamp_max", "clamp_min", "timestamp", "minus"] + self.dice.sample(DATES, 3))
        if not unique(nameless(inner.series)):
            return None
        series = nameless(inner.series)
        if name == "minus":
            return Expr("instant", "-", ["-"] + inner.operand(), series, family="unary")
        arguments = [inner]
        if name.startswith("clamp"):
            arguments += [self.scalar(min(depth - 1, 1)) for _ in range(2 if name == "clamp" else 1)]
        if name == "round" and self.chance(0.5):
            arguments.append(self.parameter(0, 10))
        return call("instant", name, arguments, series)

    def range_function(self, depth):
        name = self.pick(OVER_TIME)
        matrix = self.matrix(depth - 1)
        series = matrix.series
        if name != "last_over_time":
            series = nameless(series)
        if name == "absent_over_time":
            return call("instant", name, [matrix], [{}])
        if not unique(series):
            return None
        if name == "quantile_over_time":
            return call("instant", name, [self.parameter(-0.1, 1.1), matrix], series)
        if name == "predict_linear":
            return call("instant", name, [matrix, self.parameter(-600, 3600)], series)
        if name == "double_exponential_smoothing":
            factors = [self.parameter(0.01, 0.99), self.parameter(0.01, 0.99)]
            return call("instant", name, [matrix, *factors], series, Spelling(name, "holt_winters"))
        return call("instant", name, [matrix], series)

    def names_of(self, expr):
        """The labels that it has, seldom with the metric's name, if that is not dropped."""
        named = expr.series and all(NAME in labels for labels in expr.series) and self.chance(0.15)
        return label_names(expr.series) + [NAME] * bool(named)

    def aggregated(self, depth, by=None):
        op = self.pick(AGGREGATIONS)
        # Rounding would become text in the labels of count_values.
        return self.aggregation(op, self.selector() if op == "count_values" else self.vector(depth - 1), by)

    def aggregation(self, op, inner, by=None):
        """`by`: the labels to keep; random ones or all but random ones when it is None."""
        names = self.names_of(inner)
        clause, series = "", [{}] if inner.series else []
        if by is not None or self.chance(0.5):
            by = self.some(names + (["nothing"] if self.chance(0.1) else []), 3) if by is None else by
            clause, series = f"by ({', '.join(by)})", distinct(keep(inner.series, by))
        elif self.chance(0.5):
            dropped = self.some(names, 2)
            clause, series = f"without ({', '.join(dropped)})", distinct(without(inner.series, [*dropped, NAME]))
        arguments = [inner]
        if op in ("topk", "bottomk"):
            arguments, series = [Expr("scalar", "number", [self.dice.choice("1 2 3 5 2.7 0".split())], family="number"), inner], inner.series
        elif op == "quantile":
            arguments = [self.parameter(-0.1, 1.1), inner]
        elif op == "count_values":
            # Over a range 2.42 forgets the labels of `by` that sort behind this one.
            arguments, series = [quote("zvalue"), inner], [{**labels, "zvalue": "?"} for labels in series]
        made = call("instant", op, arguments, series)
        made.family, made.ordered = "aggregation", op in ("topk", "bottomk") and clause in ("", "by ()")
        if clause and self.chance(0.7):
            made.parts[0] = f"{op} {clause} "
        elif clause:
            made.parts.append(f" {clause}")
        return made

    def sorted(self, depth):
        name = self.dice.choice(("sort", "sort_desc", "topk", "bottomk"))
        inner = self.vector(depth - 1)
        made = self.aggregation(name, inner, []) if name.endswith("k") else call("instant", name, [inner], inner.series)
        made.ordered = True
        return made

    # ---- operators ----------------------------------------------------------------------------------------------
    def operator(self):
        """(operator, " bool" or "", whether the result keeps its name)."""
        if self.chance(0.65):
            return self.pick(ARITHMETIC), "", False
        with_bool = self.chance(0.4)
        return self.pick(COMPARISONS), " bool" if with_bool else "", not with_bool

    def binary(self, left, op, bool_text, matching_text, right, series):
        parts = left.operand() + [f" {op}{bool_text}{matching_text} "] + right.operand()
        if op == "atan2":
            # 2.42 keeps the metric's name; the product drops it and changes no value.
            parts = [Spelling("", "(")] + parts + [Spelling("", ") * 1")]
        return Expr("instant", op, parts, series, family="binary")

    def vector_and_scalar(self, depth):
        op, bool_text, keeps_name = self.operator()
        vector, scalar = self.vector(depth - 1), self.scalar(min(depth - 1, 1))
        series = vector.series if keeps_name else nameless(vector.series)
        if not unique(series):
            return None
        sides = (vector, scalar) if self.chance(0.7) else (scalar, vector)
        return self.binary(sides[0], op, bool_text, "", sides[1], series)

    def partner(self, left, depth):
        """Something that `left` may be matched with."""
        roll = self.dice.random()
        if roll < 0.4 and left.type == "instant":
            # The same series, seen otherwise.
            leaves = [e for e in left.walk() if e.family == "leaf" and e.kind != "subquery" and e.series]
            if leaves:
                metric = self.dice.choice(leaves).series[0][NAME]
                parts, series = self.narrowed(metric, self.metrics[metric])
                if self.chance(0.5):
                    return self.instant_of(parts, series)
                name = self.dice.choice(("rate", "avg_over_time", "min_over_time", "count_over_time", "delta"))
                return call("instant", name, [self.range_of(parts, series, modified=False)], nameless(series))
        if roll < 0.6 and unique(nameless(left.series)):
            return self.aggregation(self.dice.choice(("sum", "max", "count", "avg")), left, self.some(label_names(left.series), 2))
        return self.vector(depth - 1)

    def matchings(self, left, right):
        """Ways to match that may do, at random."""
        names = label_names(left.series)
        both = [n for n in names if n in label_names(right.series)]
        if NAME in self.names_of(left) and NAME in self.names_of(right):
            both.append(NAME)
        one_side = sorted(set(names) ^ set(label_names(right.series)))
        return [Matching(False, []), Matching(True, self.some(both, 3)), Matching(False, one_side),
                Matching(True, both), Matching(False, self.some(names, 2)), Matching(True, [])]

    def vectors(self, depth):
        left = self.vector(depth - 1)
        right = self.partner(left, depth)
        op, bool_text, keeps_name = self.operator()
        ways = self.matchings(left, right)
        if self.chance(0.6):
            self.dice.shuffle(ways)
        for way in ways:
            a, b = way.groups(left.series), way.groups(right.series)
            if not a.keys() & b.keys():
                continue
            left_single = all(len(a[g]) == 1 for g in a)
            right_single = all(len(b[g]) == 1 for g in b)
            text, series = way.text(), None
            if left_single and right_single and self.chance(0.8):
                series = way.one_to_one([s for s in left.series if way.of(s) in b], keeps_name)
            elif right_single or left_single:
                many, one, side = (left, right, "left") if right_single else (right, left, "right")
                include = self.some(label_names(one.series), 2) if self.chance(0.4) else []
                include = [n for n in include if not (way.on and n in way.names)]
                series = many_to_one(way, many.series, one.series, include, keeps_name)
                text = (text or " ignoring ()") + f" group_{side}" + (f" ({', '.join(include)})" if include or self.chance(0.3) else "")
            if series is not None and unique(series):
                return self.binary(left, op, bool_text, text, right, series)
        if self.chance(0.03):
            return self.binary(left, op, bool_text, ways[0].text(), right, [])
        return None

    def set_operation(self, depth):
        left = self.vector(depth - 1)
        right = self.partner(left, depth)
        op = self.dice.choice(("and", "or", "unless"))
        way = self.dice.choice(self.matchings(left, right))
        if op == "or":
            there = {way.of(s) for s in left.series}
            series = left.series + [s for s in right.series if way.of(s) not in there]
            if not unique(series):
                return None
        else:
            series = left.series
        return Expr("instant", op, left.operand() + [f" {op}{way.text()} "] + right.operand(), series, family="set")

    # ---- histograms, labels and the rest ------------------------------------------------------------------------
    def histogram(self, depth):
        metric = self.dice.choice(self.bucket_metrics)
        parts, series = self.narrowed(metric, self.metrics[metric])
        if self.chance(0.3) or depth < 2:
            buckets = self.instant_of(parts, series)
        else:
            function = self.dice.choice(("rate", "increase", "sum_over_time", "delta"))
            buckets = call("instant", function, [self.range_of(parts, series)], nameless(series))
            if self.chance(0.6):
                buckets = self.aggregation("sum", buckets, ["le"] + self.some(label_names(series), 1))
        result = distinct(without(buckets.series, ("le", NAME)))
        return call("instant", "histogram_quantile", [self.parameter(-0.05, 1.05), buckets], result)

    def relabelled(self, depth):
        inner = self.vector(depth - 1)
        names = self.names_of(inner) or ["nothing"]
        destination = self.dice.choice(["new"] * 3 + names)
        if self.chance(0.3):
            sources, separator = self.some(names + ["nothing"], 3), self.dice.choice(("", "-", ", "))
            series = []
            for labels in inner.series:
                value = separator.join(labels.get(n, "") for n in sources)
                labels = {**labels, destination: value}
                series.append({n: v for n, v in labels.items() if v})
            arguments = [inner, quote(destination), quote(separator), *map(quote, sources)]
            return call("instant", "label_join", arguments, series) if unique(series) else None
        source = self.dice.choice(names)
        regex, replacement = self.dice.choice(REGEXES), self.dice.choice(REPLACEMENTS)
        if any("\n" in s.get(source, "") for s in inner.series):
            return None  # "." matches a line's end in 3.x only
        series = replaced(inner.series, destination, replacement, source, regex)
        if not unique(series):
            return None
        return call("instant", "label_replace", [inner, *map(quote, (destination, replacement, source, regex))], series)

    def odds_and_ends(self, depth):
        kind = self.pick({"absent": 2, "vector": 2, "date": 1, "parentheses": 2, "sort": 1})
        if kind == "vector":
            return call("instant", "vector", [self.scalar(depth - 1)], [{}])
        if kind == "date":
            return call("instant", self.dice.choice(DATES), [], [{}])
        inner = self.vector(depth - 1)
        if kind == "absent":
            return call("instant", "absent", [inner], [{}])
        if kind == "sort":
            return call("instant", self.dice.choice(("sort", "sort_desc")), [inner], inner.series)
        return Expr("instant", "()", ["(", inner, ")"], inner.series)
