"""A made-up history of three exporters, as pages with explicit timestamps.

Deterministic but for the start time. Samples lie at .123, .377 and .611 of a second, so that a query at .5 of a second whose
windows are whole seconds has no sample on an edge: Prometheus 2.42 counts the left edge of a window and of the
lookback in, 3.x and Pipit do not.
"""
import math
import random

PAGES = 120
STEP_SECONDS = 10
OFFSETS_MS = {"web-1": 123, "web-2": 377, "db": 611}

RESET_AT = {"web-1": 70, "web-2": 33}
ROUTES = [("GET", "200", "/"), ("GET", "404", "/"), ("POST", "200", "/login"), ("POST", "500", "/login"),
          ("GET", "200", "/größe")]
# Bounds and quantiles as 3.x normalises them; 2.42 stores what the page says.
BOUNDS = ["0.1", "0.5", "1.0", "2.5", "+Inf"]


class Page:
    def __init__(self, timestamp_ms):
        self.timestamp = timestamp_ms
        self.lines = []

    def family(self, name, kind, help_text):
        self.lines += [f"# HELP {name} {help_text}", f"# TYPE {name} {kind}"]

    def sample(self, name, value, **labels):
        def escape(text):
            return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")

        inner = ",".join(f'{k}="{escape(v)}"' for k, v in labels.items())
        self.lines.append(f"{name}{{{inner}}} {number(value)} {self.timestamp}" if inner else
                          f"{name} {number(value)} {self.timestamp}")

    def text(self):
        return "\n".join(self.lines) + "\n"


def number(value):
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return repr(value)


def history(instance, start_seconds):
    """All pages of an instance; the first is at `start_seconds` and some milliseconds."""
    dice = random.Random(instance)
    state = {}
    make = db_page if instance == "db" else app_page
    return [make(instance, k, start_seconds * 1000 + k * STEP_SECONDS * 1000 + OFFSETS_MS[instance], dice, state)
            for k in range(PAGES)]


# Counters start high: where the first of them lies close to zero, the two versions extrapolate differently.
FIRST_COUNT = 5000


def grow(state, key, by):
    state[key] = state.get(key, FIRST_COUNT) + by
    return state[key]


def app_page(instance, k, timestamp, dice, state):
    page = Page(timestamp)
    if k == RESET_AT[instance]:
        for key in [key for key in state if key[0] == "requests"]:
            state[key] = 0
    page.family("http_requests_total", "counter", "Requests by method, code and path.")
    for i, (method, code, path) in enumerate(ROUTES):
        page.sample("http_requests_total", grow(state, ("requests", i), dice.randrange(0, 40 >> i)), method=method, code=code,
                    path=path)
    page.family("bytes_total", "counter", "A float counter.")
    page.sample("bytes_total", 1e9 + grow(state, "bytes", dice.random() * 1e6))
    page.family("memory_bytes", "gauge", "Memory, with a \\n in the help.")
    page.sample("memory_bytes", dice.randrange(10**8, 10**9), area="heap")
    page.sample("memory_bytes", dice.randrange(10**7, 10**8), area="stack")
    page.family("temperature_celsius", "gauge", "Goes up and down.")
    for room, phase in (("hall", 0), ("attic", 1), ("cellar", 2)):
        page.sample("temperature_celsius", round(20 * math.sin(k / 7 + phase), 2), room=room)
    page.family("queue_length", "gauge", "Never changes.")
    page.sample("queue_length", 3 if instance == "web-1" else 7)
    histogram(page, dice, state)
    summary(page, dice, state)
    odd_values(page, k, dice)
    comings_and_goings(page, k, dice, state)
    page.family("build_info", "gauge", "For joins.")
    page.sample("build_info", 1, version="1.2.3" if instance == "web-1" else "1.10.0", branch="main")
    page.family("start_time_seconds", "gauge", "A date: 2024-02-29 23:59:30 UTC and on.")
    page.sample("start_time_seconds", 1709251170 + 86400 * k + (0 if instance == "web-1" else 0.75))
    page.sample("no_type", k % 13, job="from the page", quote='a"b\\c', lines="1\n2", empty="")
    return page.text()


def histogram(page, dice, state):
    page.family("request_duration_seconds", "histogram", "Classic buckets.")
    for handler in ("index", "login"):
        for _ in range(dice.randrange(1, 9)):
            value = dice.expovariate(1.5)
            grow(state, (handler, "sum"), value)
            for bound in BOUNDS:
                grow(state, (handler, bound), 1 if value <= float(bound) else 0)
        for bound in BOUNDS:
            page.sample("request_duration_seconds_bucket", state[handler, bound], handler=handler, le=bound)
        page.sample("request_duration_seconds_sum", state[handler, "sum"], handler=handler)
        page.sample("request_duration_seconds_count", state[handler, "+Inf"], handler=handler)


def summary(page, dice, state):
    page.family("rpc_seconds", "summary", "Quantiles.")
    for quantile in ("0.5", "0.9", "0.99"):
        page.sample("rpc_seconds", round(dice.random() * float(quantile), 4), quantile=quantile)
    page.sample("rpc_seconds_sum", grow(state, "rpc_sum", dice.random()))
    page.sample("rpc_seconds_count", grow(state, "rpc_count", dice.randrange(5)))


def odd_values(page, k, dice):
    page.family("odd_value", "gauge", "What is no ordinary number.")
    page.sample("odd_value", math.nan, kind="nan")
    page.sample("odd_value", math.inf, kind="inf")
    page.sample("odd_value", -math.inf, kind="-inf")
    page.sample("odd_value", -0.0, kind="-0")
    page.sample("odd_value", 5e-324 * (k + 1), kind="tiny")
    page.sample("odd_value", 1.7e308, kind="huge")
    page.sample("odd_value", [1.5, math.nan, -2.5][k % 3], kind="sometimes nan")
    page.sample("odd_value", [1.5, 3, math.inf][k % 3] if k % 20 < 3 else 4, kind="sometimes inf")
    page.sample("odd_value", dice.random() * 10 ** dice.randrange(-20, 20), kind="wild")


def comings_and_goings(page, k, dice, state):
    if k >= 60:
        page.sample("late_total", grow(state, "late", dice.randrange(1, 9)))
    if k < 50:
        page.sample("early_gauge", k * 1.5)
    if k // 15 % 2 == 0:
        page.sample("flapping_gauge", k % 7, phase=str(k // 30))


def db_page(_, k, timestamp, dice, state):
    page = Page(timestamp)
    page.family("db_size_bytes", "gauge", "Size by shard; the page's instance is honoured.")
    for shard in range(1, 5):
        page.sample("db_size_bytes", 1000 * shard + k * shard, instance=f"shard-{shard}", shard=str(shard))
    page.family("db_queries_total", "counter", "Queries.")
    for shard in range(1, 5):
        page.sample("db_queries_total", grow(state, shard, dice.randrange(10 * shard)), instance=f"shard-{shard}",
                    shard=str(shard), kind="read" if shard % 2 else "write")
    page.sample("secret_thing", 1)
    page.sample("internal_build", 7, tmp_region="eu", tmp_zone="a")
    page.sample("limit_bytes", 4096, tier="gold")
    page.sample("limit_bytes", 1024, tier="basic")
    return page.text()
