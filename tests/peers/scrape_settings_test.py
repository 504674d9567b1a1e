"""What a job's settings make of real pages, through the whole server."""
import json
import time
import unittest

import harness

TEXT = "text/plain; version=1.0.0; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
DAY_MS = 86400 * 1000


def far_times():
    now = int(time.time() * 1000)
    return (f"at_once 1 {now}\nsoon 1 {now + 5 * 60 * 1000}\n"
            f"tomorrow 1 {now + DAY_MS}\nyears_ago 1 {now - 40 * 365 * DAY_MS}\n")


def page_of(text, content_type):
    return lambda handler: harness.send_page(handler, text() if callable(text) else text, content_type=content_type)


def without_type(handler):
    body = b"untyped_page 1\n"
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))


# Path -> how it answers.
PAGES = {
    "dots": page_of('{"with.dots", "label.too"="x"} 1\n', TEXT),
    "untyped": without_type,
    "odd": page_of("# TYPE no_total counter\nno_total 1\n# EOF\n", OPENMETRICS),
    "twice": page_of("same 1\nother 5\nsame 2\n", TEXT),
    "far": page_of(far_times, TEXT),
    "exemplars": page_of('# TYPE asked counter\nasked_total 4 # {trace_id="abc"} 1 1700000002\n# EOF\n', OPENMETRICS),
}

# Job -> page and settings.
JOBS = {
    "utf8": ("dots", ""),
    "legacy": ("dots", "metric_name_validation_scheme: legacy"),
    "renamed": ("dots", """metric_name_validation_scheme: legacy
    metric_relabel_configs:
      - {source_labels: [__name__], regex: "with.dots", target_label: __name__, replacement: with_dots}
      - {action: labeldrop, regex: "label[.]too"}"""),
    "untyped": ("untyped", "scrape_failure_log_file: FOLDER/failed.log"),
    "fallback": ("untyped", "fallback_scrape_protocol: PrometheusText0.0.4"),
    "fallback-wrong": ("untyped", "fallback_scrape_protocol: OpenMetricsText1.0.0"),
    "odd": ("odd", ""),
    "twice": ("twice", ""),
    "far": ("far", ""),
    "exemplars": ("exemplars", ""),
}


class ScrapeSettingsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = harness.Folder()
        cls.addClassCleanup(cls.folder.remove)
        cls.asked = {}

        def answer(handler):
            cls.asked[handler.path] = dict(handler.headers)
            PAGES[handler.path.split("/")[1]](handler)

        cls.pages = harness.PageServer(answer)
        cls.addClassCleanup(cls.pages.close)
        config = "global: {scrape_interval: 300ms, scrape_timeout: 300ms}\nscrape_configs:\n"
        for job, (page, settings) in JOBS.items():
            settings = settings.replace("FOLDER", str(cls.folder.path))
            config += (f"  - job_name: {job}\n    metrics_path: /{page}/{job}\n"
                       f"    static_configs: [{{targets: ['127.0.0.1:{cls.pages.port}']}}]\n    {settings}\n")
        cls.config = config
        cls.server = harness.Server(harness.PIPIT, cls.folder, config)
        cls.addClassCleanup(lambda: cls.server.kill())
        cls.server.wait_ready()
        harness.wait_until(lambda: all(t["health"] != "unknown" for t in cls.server.targets()), "all were scraped")
        time.sleep(1)

    def target(self, job):
        return next(t for t in self.server.targets() if t["scrapePool"] == job)

    def up(self, job):
        return self.server.query(f'up{{job="{job}"}}')[0]["value"][1]

    def metric(self, name):
        page = harness.request(self.server.url + "/metrics").body.decode()
        return sum(float(line.split()[-1]) for line in page.splitlines() if line.startswith(name))

    def test_names_in_utf8_are_taken_by_default(self):
        self.assertEqual(self.up("utf8"), "1")
        found = self.server.query('{"with.dots", job="utf8"}')
        self.assertEqual(found[0]["metric"]["label.too"], "x")
        self.assertIn("escaping=allow-utf-8", self.asked["/dots/utf8"]["Accept"])

    def test_legacy_names_are_asked_for_and_others_refused(self):
        self.assertIn("escaping=underscores", self.asked["/dots/legacy"]["Accept"])
        self.assertEqual(self.up("legacy"), "0")
        self.assertIn("invalid metric name or label names", self.target("legacy")["lastError"])
        self.assertEqual(self.server.query('{"with.dots", job="legacy"}'), [])

    def test_relabelling_comes_before_the_check_of_names(self):
        self.assertEqual(self.target("renamed")["lastError"], "")
        self.assertEqual(len(self.server.query('with_dots{job="renamed"}')), 1)

    def test_a_page_without_a_type_needs_a_fallback(self):
        self.assertEqual(self.up("untyped"), "0")
        self.assertIn("no fallback_scrape_protocol specified", self.target("untyped")["lastError"])
        self.assertEqual(self.up("fallback"), "1")
        self.assertEqual(len(self.server.query('untyped_page{job="fallback"}')), 1)
        self.assertEqual(self.up("fallback-wrong"), "0")
        self.assertIn("EOF", self.target("fallback-wrong")["lastError"])

    def test_failed_scrapes_stand_in_the_jobs_file(self):
        lines = [json.loads(line) for line in (self.folder.path / "failed.log").read_text().splitlines()]
        self.assertGreater(len(lines), 1)
        self.assertEqual({line["job_name"] for line in lines}, {"untyped"})
        self.assertEqual(lines[0]["target"], f"http://127.0.0.1:{self.pages.port}/untyped/untyped")
        self.assertIn("no fallback_scrape_protocol", lines[0]["msg"])

    def test_what_is_wrong_with_a_page_that_is_stored_is_a_warning(self):
        odd = self.target("odd")
        self.assertEqual((odd["health"], odd["lastError"]), ("up", ""))
        self.assertIn("not as OpenMetrics demands: line", odd["lastWarning"])
        twice = self.target("twice")
        self.assertEqual(twice["health"], "up")
        self.assertIn("1 with another value for a time", twice["lastWarning"])
        self.assertEqual(self.server.query('same{job="twice"}')[0]["value"][1], "1")
        self.assertGreater(self.metric("pipit_scrape_samples_duplicate_timestamp_total"), 0)
        self.assertNotIn("lastWarning", self.target("utf8"))

    def test_times_far_away_are_refused_and_counted(self):
        target = self.target("far")
        self.assertEqual(target["health"], "up")
        self.assertIn("2 out of bounds", target["lastWarning"])
        found = self.server.query('last_over_time({__name__=~"at_once|soon|tomorrow|years_ago"}[1h] offset -10m)')
        self.assertEqual({s["metric"]["__name__"] for s in found}, {"at_once", "soon"})
        self.assertGreater(self.metric("pipit_scrape_samples_out_of_bounds_total"), 1)

    def test_exemplars_outlive_a_kill(self):
        folder = harness.Folder()
        self.addCleanup(folder.remove)
        server = harness.Server(harness.PIPIT, folder, self.config)
        self.addCleanup(lambda: server.kill())

        def exemplars():
            return server.data_of("query_exemplars", {"query": "asked_total", "start": "1", "end": "9999999999"})

        server.wait_ready()
        harness.wait_until(exemplars, "an exemplar")
        server.kill()
        server = harness.Server(harness.PIPIT, folder, "scrape_configs: []\n")
        server.wait_ready()
        (series,) = exemplars()
        self.assertEqual(series["seriesLabels"]["job"], "exemplars")
        self.assertEqual([e["labels"] for e in series["exemplars"]], [{"trace_id": "abc"}])


class LargePageTest(unittest.TestCase):
    def test_a_page_of_many_new_series_delays_nobody(self):
        folder = harness.Folder()
        self.addCleanup(folder.remove)
        large = "".join(f'large{{number="{i}",of="a page that is far too long"}} 1\n' for i in range(200_000))
        begun = {}

        def answer(handler):
            begun.setdefault(handler.path, []).append(time.monotonic())
            harness.send_page(handler, large if handler.path == "/large" else "small 1\n")

        pages = harness.PageServer(answer)
        self.addCleanup(pages.close)
        config = f"""
global: {{scrape_interval: 500ms, scrape_timeout: 500ms}}
scrape_configs:
  - {{job_name: small, metrics_path: /small, static_configs: [{{targets: ["127.0.0.1:{pages.port}"]}}]}}
  - job_name: large
    scrape_interval: 20s
    scrape_timeout: 20s
    metrics_path: /large
    static_configs: [{{targets: ["127.0.0.1:{pages.port}"]}}]
"""
        server = harness.Server(harness.PIPIT, folder, config)
        self.addCleanup(server.kill)
        server.wait_ready()
        harness.wait_until(lambda: server.query('up{job="large"} == 1'), "the large page was stored", timeout=120)
        self.assertEqual(server.query('scrape_series_added{job="large"}')[0]["value"][1], "200000")
        self.assertEqual(server.query("count(large)")[0]["value"][1], "200000")
        self.assertEqual(server.query('min_over_time(up{job="small"}[5m])')[0]["value"][1], "1")


if __name__ == "__main__":
    unittest.main()
