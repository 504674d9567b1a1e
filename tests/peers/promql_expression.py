"""Expressions as trees that print in two dialects, and the labels that their results will have.

`series` of an expression is a forecast, in which samples are left out: the label sets that come out if all series that
it selects have samples. The generator needs it to group and match by labels that are there.
"""
import re

NAME = "__name__"
OURS, THEIRS = 0, 1
# What needs parentheses as an operand.
OPERATORS = {"binary", "set", "unary"}


class Spelling:
    """A part that Prometheus 2.42 wants otherwise."""

    def __init__(self, ours, theirs):
        self.texts = (ours, theirs)


class Bound:
    """`start()` or `end()` behind `@`, which `fixed` turns into numbers."""

    def __init__(self, which):
        self.which = which


class Expr:
    """`parts`: strings, other Exprs and the above, which together are the text. `type` is PromQL's: scalar, instant, range
    or string. `kind` says what the topmost node is: the function's, aggregation's or operator's name, "selector", "matrix",
    "subquery"... These have `pinned`, whether there is an @, and `window`, a function (evaluation time, start and end of the query)
    -> (start, end) of the range; a selector has `offset` and a subquery `step`, in seconds. `ordered`: its samples come sorted by value."""

    ordered = False

    def __init__(self, type, kind, parts, series=(), family="call"):
        self.type, self.kind, self.parts, self.series, self.family = type, kind, parts, list(series), family

    def text(self, dialect, fixed=None):
        """`fixed`: the two times to print for `@ start()` and `@ end()`."""
        out = []
        for part in self.parts:
            if isinstance(part, str):
                out.append(part)
            elif isinstance(part, Expr):
                out.append(part.text(dialect, fixed))
            elif isinstance(part, Spelling):
                out.append(part.texts[dialect])
            else:
                out.append(f"{fixed[part.which == 'end']:.3f}" if fixed else part.which + "()")
        return "".join(out)

    def children(self):
        return [part for part in self.parts if isinstance(part, Expr)]

    def walk(self):
        yield self
        for child in self.children():
            yield from child.walk()

    def operand(self):
        """The parts that print it as an operand."""
        negative = self.family == "number" and self.parts[0].startswith("-")
        return ["(", self, ")"] if negative or self.family in OPERATORS else [self]


def call(type, name, arguments, series=(), spelling=None):
    """`arguments`: Exprs or strings (as they are printed)."""
    parts = [spelling or name, "("]
    for i, argument in enumerate(arguments):
        parts += [", "] * (i > 0) + [argument]
    return Expr(type, name, parts + [")"], series)


def quote(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


# ---- label sets -------------------------------------------------------------------------------------------------
def key(labels):
    return frozenset(labels.items())


def unique(series):
    return len({key(labels) for labels in series}) == len(series)


def distinct(series):
    return list({key(labels): labels for labels in series}.values())


def without(series, names):
    return [{name: value for name, value in labels.items() if name not in names} for labels in series]


def keep(series, names):
    return [{name: value for name, value in labels.items() if name in names} for labels in series]


def nameless(series):
    return without(series, (NAME,))


def label_names(series):
    return sorted({name for labels in series for name in labels} - {NAME})


class Matching:
    """on(...) or ignoring(...) between two vectors."""

    def __init__(self, on, names):
        self.on, self.names = on, names

    def of(self, labels):
        if self.on:
            return frozenset((n, v) for n, v in labels.items() if n in self.names)
        return frozenset((n, v) for n, v in labels.items() if n not in self.names and n != NAME)

    def groups(self, series):
        groups = {}
        for labels in series:
            groups.setdefault(self.of(labels), []).append(labels)
        return groups

    def text(self):
        if not self.on and not self.names:
            return ""
        return f" {'on' if self.on else 'ignoring'} ({', '.join(self.names)})"

    def one_to_one(self, left, keeps_name):
        result = keep(left, self.names) if self.on else without(left, self.names)
        return result if keeps_name else nameless(result)


def many_to_one(matching, many, one, include, keeps_name):
    """The labels that group_left(include) gives those of `many` that have a partner."""
    partners = {group: found[0] for group, found in matching.groups(one).items()}
    result = []
    for labels in many:
        partner = partners.get(matching.of(labels))
        if partner is None:
            continue
        labels = {n: v for n, v in labels.items() if n not in include}
        labels.update({n: partner[n] for n in include if n in partner})
        result.append(labels)
    return result if keeps_name else nameless(result)


def replaced(series, destination, replacement, source, regex):
    """What label_replace makes of the labels."""
    result = []
    for labels in series:
        found = re.fullmatch(regex, labels.get(source, ""), re.DOTALL)
        if found:
            value = re.sub(r"\$(?:(\w+)|\{(\w+)\})", lambda m: group(found, m[1] or m[2]), replacement)
            labels = {**labels, destination: value}
            if not value:
                del labels[destination]
        result.append(labels)
    return result


def group(found, name):
    number = int(name) if name.isdigit() else len(found.groups()) + 1
    return (found[number] or "") if number <= len(found.groups()) else ""
