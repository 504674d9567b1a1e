"""The samples that the differential test asks about: recorded pages of exporters and made-up series.

The same in every run: times are fixed, and so a seed means the same expressions and answers everywhere (as long as the recordings
do; without them a node exporter is recorded). Samples lie at odd milliseconds and queries at half seconds with windows of
whole seconds, so that no sample lies on an edge of a window or of the lookback.
"""
import math
import pathlib
import random
import re

import harness
import pages
import recorded_pages
import remote_write

START = 1_700_000_000
SPAN_SECONDS = (pages.PAGES - 1) * pages.STEP_SECONDS
END = START + SPAN_SECONDS
RECORDINGS = harness.REPOSITORY / ".." / "shared" / "recordings"
RECORDED_STEP_SECONDS = 15
RECORDED_PAGES = SPAN_SECONDS // RECORDED_STEP_SECONDS
BATCH_SECONDS = 120

NODE_FAMILIES = re.compile(
    r"node_(cpu_seconds|network_(receive|transmit)_bytes|disk_(written_bytes|io_time_seconds)|context_switches)_total|"
    r"node_load(1|5|15)|node_memory_(MemFree|MemAvailable|Cached|Active)_bytes|node_filesystem_(avail|size)_bytes|"
    r"node_network_(up|info)|node_(uname|os|disk)_info|node_time_seconds|node_pressure_cpu_waiting_seconds_total|"
    r"go_gc_duration_seconds(_sum|_count)?|process_(cpu_seconds_total|resident_memory_bytes|open_fds)")
DJANGO_FAMILIES = re.compile(
    r"django_http_responses_total_by_status(_view_method)?_total|django_http_requests_total_by_view_transport_method_total|"
    r"django_http_requests_latency_including_middlewares_seconds_(bucket|sum|count)|"
    r"django_db_(execute_total|query_duration_seconds_sum)|python_(gc_objects_collected_total|info)|"
    r"process_(cpu_seconds_total|resident_memory_bytes|open_fds)")

LINE = re.compile(r"^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)(?: (\d+))?$", re.MULTILINE)
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"')
ESCAPES = {"\\n": "\n", '\\"': '"', "\\\\": "\\"}


class History:
    """All series: `samples[labels as sorted pairs]` is [(milliseconds, value)]."""

    def __init__(self, folder):
        self.samples = {}
        self.recorded(folder)
        for job, instance in (("app", "web-1"), ("app", "web-2"), ("db", "db")):
            # Only the first target's series end with a stale marker, as those of a scrape; the others just stop.
            self.add_pages(pages.history(instance, START), {"job": job, "instance": instance}, marks_stale=instance == "web-1")
        make_up(self, random.Random(1))
        self.series = [dict(labels) for labels in self.samples]

    def recorded(self, folder):
        node = recorded_pages.obtain(RECORDINGS / "node.tar.zst", folder / "node", count=RECORDED_PAGES, seconds_between=0.05)
        for k, (instance, milliseconds) in enumerate((("n1:9100", 233), ("n2:9100", 877))):
            self.add_recording(node, k * RECORDED_PAGES, NODE_FAMILIES, {"job": "node", "instance": instance}, milliseconds)
        if (django := RECORDINGS / "django.tar.zst").exists():
            self.add_recording(django, 1500, DJANGO_FAMILIES, {"job": "django", "instance": "site"}, 457)

    def add_recording(self, path, skip, families, target, milliseconds):
        texts = list(recorded_pages.texts(path, RECORDED_PAGES, skip)) or list(recorded_pages.texts(path, RECORDED_PAGES))
        self.add_pages(texts, target, True, families, lambda k: (START + k * RECORDED_STEP_SECONDS) * 1000 + milliseconds)

    def add_pages(self, texts, target, marks_stale, families=None, time_of=None):
        present = set()
        for k, text in enumerate(texts):
            now = set()
            milliseconds = time_of(k) if time_of else None
            for name, inner, value, timestamp in LINE.findall(text):
                if families and not families.fullmatch(name):
                    continue
                labels = {**target, **page_labels(inner), "__name__": name}
                milliseconds = milliseconds or int(timestamp)
                now.add(self.add(labels, milliseconds, float(value)))
            for gone in present - now if marks_stale else ():
                self.samples[gone].append((milliseconds, remote_write.STALE))
            present = now

    def add(self, labels, milliseconds, value):
        """Adds a sample; gives the series' key."""
        assert milliseconds % 500, "on the edge of some window"
        key = tuple(sorted((name, text) for name, text in labels.items() if text))
        self.samples.setdefault(key, []).append((milliseconds, value))
        return key

    def requests(self):
        """Remote write bodies, in the order of time."""
        for begin in range(START * 1000, END * 1000 + 60_000, BATCH_SECONDS * 1000):
            part = [(dict(key), [s for s in samples if begin <= s[0] < begin + BATCH_SECONDS * 1000])
                    for key, samples in self.samples.items()]
            part = [(labels, samples) for labels, samples in part if samples]
            if part:
                yield remote_write.write_request(part)

    def load(self, server):
        for body in self.requests():
            reply = remote_write.post(server.url + "/api/v1/write", body)
            assert 200 <= reply.status < 300, (server.program, reply.status, reply.body[:500])


def page_labels(inner):
    return {name: re.sub(r"\\.", lambda m: ESCAPES.get(m[0], m[0]), text) for name, text in LABEL.findall(inner)}


def make_up(history, dice):
    """Series with what exporters seldom have."""
    state = {"total": [0.0, 1e6, 5e15], "level": [0.0] * 4}
    for k in range(pages.PAGES):
        at = (START + k * pages.STEP_SECONDS) * 1000

        def sample(name, value, milliseconds=299, at=at, **labels):
            history.add({"__name__": name, "job": "made", "instance": "m", **labels}, at + milliseconds, value)

        # A counter that starts again near zero, and then is not there for a while.
        for shard, total in enumerate(state["total"]):
            total = total + dice.randrange(50) if k % (37 + shard) else float(dice.randrange(3))
            state["total"][shard] = total
            if k % 40 > 3 * shard:
                sample("restarts_total", total, shard=str(shard))
            elif k % 40 == 3 * shard and shard:
                sample("restarts_total", remote_write.STALE, shard=str(shard))
        # A walk through zero, all values distinct.
        for zone, level in enumerate(state["level"]):
            state["level"][zone] = level + dice.gauss(0, 1) + zone / 1000
            sample("level", state["level"][zone], zone="abcd"[zone], unit="m" if zone % 2 else "ft")
        # Neither the spacing nor the presence is regular.
        if dice.random() < 0.7:
            sample("irregular", dice.uniform(-100, 100), dice.randrange(1, 4999) | 1, kind="often")
        if dice.random() < 0.1:
            sample("irregular", dice.uniform(0, 10), dice.randrange(5001, 9998) | 1, kind="seldom")
        if k % 7 == 0:
            sample("irregular", 0.1 * k if k % 14 else remote_write.STALE, kind="mostly stale")
        sample("constant", 0.1, kind="tenth")
        sample("constant", 0.0, kind="zero")
        sample("constant", -1e9, kind="negative")
        # Buckets that are no histogram: not growing, without +Inf, with a bound that is no number.
        for bound, count in (("-1", 1), ("0", 3 + k % 5), ("1", 2 + k % 3), ("10", 9 + k), ("+Inf", 10 + k)):
            sample("strange_bucket", count, le=bound, kind="shrinking")
            if bound != "+Inf":
                sample("strange_bucket", count + k, le=bound, kind="open")
        sample("strange_bucket", k, le="wide", kind="shrinking")
        if 30 <= k < 35 or k == 80:
            sample("short_lived", float(k), at_k=str(k // 35))
    # Many samples, in several chunks, of the shapes that chunks are encoded in.
    for k in range(SPAN_SECONDS):
        for shape, value in (("steady", 1000.0 + 3 * k), ("decimal", round(20 + 5 * math.sin(k / 50), 2)),
                             ("double", dice.gauss(0, 1e-3)), ("constant", 42.0), ("resets", float(k % 400))):
            history.add({"__name__": "dense", "job": "made", "instance": "m", "shape": shape}, (START + k) * 1000 + 733, value)
    for weight in range(12):
        for k in range(0, pages.PAGES, 3):
            labels = {"__name__": "weight", "job": "made", "instance": "m", "item": f"i{weight:02}", "parity": ("even", "odd")[weight % 2]}
            history.add(labels, (START + k * pages.STEP_SECONDS) * 1000 + 301, weight * 1.37 + (k * (weight + 1) % 11) / 64)


def start_servers(folder, history):
    """Pipit and Prometheus, both with the history."""
    flags = ["--web.enable-remote-write-receiver", "--storage.tsdb.retention.time=100y"]
    pipit = harness.Server(harness.PIPIT, folder, "scrape_configs: []\n", flags, name="pipit")
    prometheus = harness.Server(harness.peer("prometheus"), folder, "scrape_configs: []\n", flags, name="prometheus")
    for server in (pipit, prometheus):
        history.load(server.wait_ready())
    return pipit, prometheus
