"""Pipit and Debian's Prometheus scrape the same history and must give the same answers."""
import pathlib
import time
import unittest
import urllib.parse

import answers
import harness
import pages

HERE = pathlib.Path(__file__).resolve().parent
RELATIVE_TOLERANCE = 1e-12
INTERVAL = "200ms"
HOSTS = {"127.0.0.1": "web-1", "127.0.0.2": "web-2", "127.0.0.3": "db"}

CONFIG = """
global:
  scrape_interval: {interval}
  scrape_timeout: {interval}
  external_labels: {{ignored: here}}
scrape_configs:
  - job_name: app
    params: {{scraper: [{scraper}]}}
    static_configs:
      - targets: ["127.0.0.1:{port}", "127.0.0.2:{port}"]
        labels: {{env: test}}
    relabel_configs:
      - source_labels: [__address__]
        regex: 127\\.0\\.0\\.(\\d+):.*
        target_label: instance
        replacement: web-$1
      - source_labels: [instance]
        modulus: 1000
        target_label: shard_of_target
        action: hashmod
  - job_name: db
    honor_labels: true
    params: {{scraper: [{scraper}]}}
    static_configs:
      - targets: ["127.0.0.3:{port}"]
    metric_relabel_configs:
      - source_labels: [__name__]
        regex: secret_.*
        action: drop
      - regex: tmp_(.+)
        action: labelmap
        replacement: $1
      - regex: tmp_.+
        action: labeldrop
      - source_labels: [tier]
        target_label: tier
        action: uppercase
"""


class History:
    """Both servers after they scraped the same pages."""

    def __init__(self):
        self.start = int(time.time()) - pages.PAGES * pages.STEP_SECONDS - 20
        self.end = self.start + (pages.PAGES - 1) * pages.STEP_SECONDS
        self.pages = {name: pages.history(name, self.start) for name in HOSTS.values()}
        self.served = {}
        self.folder = harness.Folder()
        self.page_server = harness.PageServer(self.answer, hosts=HOSTS)
        self.prometheus = self.start_server(harness.peer("prometheus"), "prometheus")
        self.pipit = self.start_server(harness.PIPIT, "pipit")

    def start_server(self, program, name):
        config = CONFIG.format(interval=INTERVAL, scraper=name, port=self.page_server.port)
        return harness.Server(program, self.folder, config, name=name)

    def answer(self, handler):
        """The k-th scrape of an instance by a server gets page k; the last page repeats."""
        scraper = urllib.parse.parse_qs(urllib.parse.urlsplit(handler.path).query)["scraper"][0]
        instance = HOSTS[handler.headers["Host"].split(":")[0]]
        k = self.served.get((scraper, instance), 0)
        self.served[scraper, instance] = k + 1
        harness.send_page(handler, self.pages[instance][min(k, pages.PAGES - 1)])

    def wait(self):
        self.prometheus.wait_ready()
        self.pipit.wait_ready()
        expected = 2 * len(HOSTS)
        # Two more than there are pages, so that the last one is stored for sure.
        harness.wait_until(lambda: len(self.served) == expected and min(self.served.values()) >= pages.PAGES + 2,
                           "all pages are scraped", timeout=120)

    def complete(self):
        """Whether no scrape was lost to its short time-out."""
        for server in (self.prometheus, self.pipit):
            counts = server.query('count_over_time({__name__=~"queue_length|db_size_bytes"}[1h])')
            if len(counts) != 6 or any(float(c["value"][1]) != pages.PAGES for c in counts):
                return False
        return True

    def close(self):
        self.prometheus.stop()
        self.pipit.stop()
        self.page_server.close()
        self.folder.remove()


history = None


def setUpModule():
    global history
    for attempt in range(3):
        history = History()
        try:
            history.wait()
            if history.complete():
                return
        except BaseException:
            history.close()
            raise
        log = history.pipit.log()
        counts = [s.query('count_over_time({__name__=~"queue_length|db_size_bytes"}[1h])') for s in
                  (history.prometheus, history.pipit)]
        history.close()
    raise AssertionError(f"scrapes were lost three times over: {counts}\n{log[-4000:]}")


def tearDownModule():
    history.close()


class QueryTest(unittest.TestCase):
    """One test a line of compare_queries.txt."""

    def check(self, line):
        ours, _, theirs = line.partition(" |2.42| ")
        theirs = theirs or ours
        start, end = history.start, history.end
        ordered = ours.startswith(("sort", "topk(", "bottomk("))
        for at in (start + 61.5, start + 333.5, start + 777.5, end - 3.5, end + 200.5):
            self.compare("query", ours, theirs, {"time": at}, ordered)
        self.compare("query_range", ours, theirs, {"start": start - 30.5, "end": end + 400.5, "step": 17}, True)

    def compare(self, path, ours, theirs, times, ordered):
        a = history.pipit.api(path, {"query": ours, **times}, post=True).json()
        b = history.prometheus.api(path, {"query": theirs, **times}, post=True).json()
        if "invalid expression type" in b.get("error", "") and path == "query_range":
            self.assertEqual(a.get("errorType"), b["errorType"])
            return
        self.assertIsNone(answers.difference(a, b, ordered, RELATIVE_TOLERANCE), f"{path} {ours} {times}")


def lines_of(name):
    return [line for line in (HERE / name).read_text().splitlines() if line and not line.startswith("#")]


def add_query_tests():
    for i, line in enumerate(lines_of("compare_queries.txt")):
        name = "".join(c if c.isalnum() else "_" for c in line)[:60]
        setattr(QueryTest, f"test_{i:03}_{name}", lambda self, line=line: self.check(line))


add_query_tests()


class ErrorTest(unittest.TestCase):
    """One test a line of compare_errors.txt."""

    def check(self, path, parameters):
        pairs = [tuple(p.split("=", 1)) for p in parameters.split("&") if p]
        a, b = (server.api(path, pairs) for server in (history.pipit, history.prometheus))
        self.assertEqual(a.status, b.status, f"{a.body[:300]} instead of {b.body[:300]}")
        if b.headers.get("Content-Type", "").startswith("application/json"):
            self.assertEqual(a.json().get("errorType"), b.json().get("errorType"), a.body[:300])
            self.assertEqual(a.json()["status"], b.json()["status"])


def add_error_tests():
    for i, line in enumerate(lines_of("compare_errors.txt")):
        path, _, parameters = line.partition("\t")
        setattr(ErrorTest, f"test_{i:03}", lambda self, p=path, q=parameters: self.check(p, q))


add_error_tests()


class BrowseTest(unittest.TestCase):
    """The endpoints that tell what there is. Names that only one of the servers knows belong to its own scrapes."""

    def both(self, path, *pairs):
        return [server.data_of(path, pairs) for server in (history.pipit, history.prometheus)]

    def window(self, start=0, end=0):
        return ("start", history.start + start), ("end", history.end + end)

    def test_label_names(self):
        ours, theirs = self.both("labels")
        self.assertEqual(ours, theirs)

    def test_label_names_of_matching_series(self):
        for match in ("memory_bytes", '{job="db"}', "no_such_metric", '{__name__=~"http_.*", code="200"}'):
            ours, theirs = self.both("labels", ("match[]", match))
            self.assertEqual(ours, theirs, match)
        ours, theirs = self.both("labels", ("match[]", "memory_bytes"), ("match[]", '{job="db"}'))
        self.assertEqual(ours, theirs)

    def test_label_values(self):
        for name in ("job", "instance", "code", "path", "le", "tier", "lines", "quote", "shard_of_target", "nothing",
                     "__name__"):
            ours, theirs = self.both(f"label/{name}/values")
            self.assertEqual(ours, theirs, name)

    def test_label_values_of_matching_series(self):
        for name, match in (("__name__", '{job="db"}'), ("instance", "queue_length"), ("code", 'http_requests_total{method="GET"}'),
                            ("code", "memory_bytes"), ("area", '{area=~"s.*"}'), ("instance", '{instance=~"shard-[12]"}')):
            ours, theirs = self.both(f"label/{name}/values", ("match[]", match))
            self.assertEqual(ours, theirs, (name, match))

    def test_series(self):
        for matches in (["memory_bytes"], ['{job="db"}'], ["no_such_metric"], ['{__name__=~"odd.*"}', "queue_length"],
                        ["queue_length", 'queue_length{instance="web-1"}'], ['{tier!~"G.*", job="db"}', '{job!=""}']):
            def found(server):
                series = server.data_of("series", [("match[]", m) for m in matches] + list(self.window(end=60)))
                return sorted(tuple(sorted(s.items())) for s in series)

            self.assertEqual(found(history.pipit), found(history.prometheus), matches)

    def test_post_is_the_same_as_get(self):
        for path in ("series", "labels"):
            pairs = [("match[]", "memory_bytes"), *self.window()]
            self.assertEqual(history.pipit.data_of(path, pairs), history.pipit.data_of(path, pairs, post=True))

    def test_metadata(self):
        ours, theirs = self.both("metadata")
        self.assertEqual(ours, theirs)
        for metric in ("memory_bytes", "rpc_seconds", "nothing"):
            ours, theirs = self.both("metadata", ("metric", metric))
            self.assertEqual(ours, theirs)
        ours, _ = self.both("metadata", ("limit", "2"))
        self.assertEqual(len(ours), 2)

    def test_targets(self):
        """Targets show the same labels and state; only lengths of time and dates differ."""
        def targets(server):
            return sorted((t["scrapePool"], t["health"], t["lastError"], t["scrapeInterval"], t["scrapeTimeout"],
                           sorted(t["labels"].items()),
                           sorted((k, v) for k, v in t["discoveredLabels"].items() if k != "__param_scraper"),
                           t["scrapeUrl"].split("?")[0]) for t in server.targets())

        self.assertEqual(targets(history.pipit), targets(history.prometheus))

    def test_scrape_samples(self):
        """What a server notes of its own scrapes."""
        for metric in ("up", "scrape_samples_scraped", "scrape_samples_post_metric_relabeling", "scrape_series_added"):
            def values(server):
                return sorted((sorted(s["metric"].items()), s["value"][1]) for s in server.query(metric))

            self.assertEqual(values(history.pipit), values(history.prometheus), metric)

    def test_line_edges_of_the_lookback(self):
        """3.x and Pipit leave the left edge out: a sample exactly 5 minutes old is gone. 2.42 still shows it."""
        last = history.end + pages.OFFSETS_MS["web-1"] / 1000
        expr = 'queue_length{instance="web-1"}'
        self.assertEqual(len(history.pipit.query(expr, f"{last + 299.999:.3f}")), 1)
        self.assertEqual(history.pipit.query(expr, f"{last + 300:.3f}"), [])
        self.assertEqual(history.pipit.query(f"count_over_time({expr}[10s])", f"{last:.3f}")[0]["value"][1], "1")
