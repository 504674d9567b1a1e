"""Figures of the programs, and the one table that they are printed in."""
import sys

import queries

UNITS = {
    "s": lambda v: f"{v:.2f} s" if v < 100 else f"{v:.0f} s",
    "MB": lambda v: f"{v / 1e6:.1f} MB" if v < 100e6 else f"{v / 1e6:.0f} MB",
    "M/s": lambda v: f"{v / 1e6:.2f} M",
    "B/sample": lambda v: f"{v:.3f} B",
    "ms": lambda v: f"{v * 1e3:.0f} ms",
    "cores": lambda v: f"{v:.3f}",
    "count": lambda v: f"{v:,.0f}",
}
REFERENCE = "prometheus"  # whose latencies and answers the others' are held against
FIGURE_WIDTH, PROGRAM_WIDTH = 64, 26


class Figures:
    """What one program did in one scenario, in the order in which it is printed."""

    def __init__(self):
        self.values = {}  # name -> (value, unit)
        self.queries = []

    def add(self, name, value, unit):
        self.values[name] = (value, unit)

    def memory(self, name, memory):
        self.add(f"resident, {name}", memory.total, "MB")
        self.add(f"  anonymous, {name}", memory.anonymous, "MB")

    def ready(self, ways):
        for way, measured in ways.items():
            self.add(f"ready after {way}", measured["stages"][-1], "s")
            self.add(f"  of that until the first answer: {way}", measured["stages"][0], "s")
            self.add(f"  resident until then, peak: {way}", measured["memory peak"], "MB")
            if measured["new series"]:
                self.add(f"  series NOT KNOWN any more: {way}", measured["new series"], "count")


def print_header(programs, versions):
    print(row("", [f"{name} {versions[name]}" for name in programs]))


def print_scenario(title, results):
    """`results`: {program: Figures}."""
    print(f"--- {title}")
    for name in merged(figures.values for figures in results.values()):
        print(row(name, [cell(figures.values.get(name)) for figures in results.values()]))
    if any(figures.queries for figures in results.values()):
        print_queries(results)
    sys.stdout.flush()


def print_queries(results):
    reference = results[REFERENCE].queries if REFERENCE in results else None
    ratios = {program: [] for program in results}
    for number, (expression, duration, step) in enumerate(queries.QUERIES):
        cells = []
        for program, figures in results.items():
            measured = figures.queries[number]
            text = f"{measured['seconds'] * 1e3:.1f} ms"
            if isinstance(measured["result"], str):
                text += " FAILED"
            elif reference and program != REFERENCE:
                ratios[program].append(measured["seconds"] / reference[number]["seconds"])
                measured["agrees"] = queries.agree(measured["result"], reference[number]["result"])
                text += f" x {ratios[program][-1]:.2f}{'' if measured['agrees'] else ' differs'}"
            cells.append(text)
        window = f"{duration // 3600}h/{step}s" if duration else "now"
        print(row(f"{window} {expression}", cells))
    if reference:
        means = [f"x {queries.geometric_mean(found):.3f}" if found else "x 1.000" for found in ratios.values()]
        print(row("geometric mean of latencies", means))


def merged(mappings):
    """All keys in an order that agrees with each mapping's own."""
    names = []
    for mapping in mappings:
        at = 0
        for name in mapping:
            if name in names:
                at = names.index(name) + 1
            else:
                names.insert(at, name)
                at += 1
    return names


def cell(figure):
    return "-" if figure is None else UNITS[figure[1]](figure[0])


def row(name, cells):
    cut = name if len(name) < FIGURE_WIDTH else name[:FIGURE_WIDTH - 4] + "..."
    return f"{cut:{FIGURE_WIDTH}}" + "".join(f"{cell:>{PROGRAM_WIDTH}}" for cell in cells)


def as_json(figures):
    asked = [{"query": query[0], "range": query[1], "step": query[2], "seconds": measured["seconds"],
              "agrees": measured.get("agrees")} for query, measured in zip(queries.QUERIES, figures.queries)]
    return {"figures": {name: value for name, (value, _) in figures.values.items()}, "queries": asked}
