"""Pages of OpenMetrics's conformance tests, scraped by Prometheus and by Pipit: both take the same ones."""
import json
import pathlib
import time
import unittest

import harness

PAGES = harness.REPOSITORY.parent / "shared" / "conformance" / "openmetrics"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


def job(name, port, targets):
    return f"""
  - job_name: {name}
    scrape_interval: 1s
    static_configs:
    - targets: {json.dumps([f"127.0.0.1:{port}"])}
      labels: {{page: "{targets}"}}
    metrics_path: /{targets}
"""


@unittest.skipUnless(PAGES.is_dir(), "no ../shared/conformance/openmetrics")
class ConformancePagesTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = harness.Folder()
        cls.addClassCleanup(cls.folder.remove)
        cls.pages = {folder.name: (folder / json.loads((folder / "test.json").read_text())["file"]).read_bytes()
                     for folder in PAGES.iterdir()}

        def answer(handler):
            harness.send_page(handler, cls.pages[handler.path.lstrip("/")], content_type=OPENMETRICS)

        cls.exporter = harness.PageServer(answer)
        cls.addClassCleanup(cls.exporter.close)
        config = "global: {scrape_timeout: 1s}\nscrape_configs:" + "".join(
            job(name, cls.exporter.port, name) for name in cls.pages)
        cls.servers = {}
        for name, program in (("pipit", harness.PIPIT), ("prometheus", harness.peer("prometheus"))):
            server = harness.Server(program, cls.folder, config, name=name)
            cls.addClassCleanup(server.kill)
            cls.servers[name] = server.wait_ready()
        for server in cls.servers.values():
            harness.wait_until(lambda server=server: all(t["health"] != "unknown" for t in server.targets())
                               and len(server.targets()) == len(cls.pages), "every page was scraped")
        time.sleep(1)

    def targets_of(self, name):
        return {t["labels"]["page"]: t for t in self.servers[name].targets()}

    def test_both_take_the_same_pages(self):
        pipit, prometheus = self.targets_of("pipit"), self.targets_of("prometheus")
        differences = {page: (pipit[page]["health"], pipit[page]["lastError"],
                              prometheus[page]["health"], prometheus[page]["lastError"])
                       for page in self.pages
                       if pipit[page]["health"] != prometheus[page]["health"]}
        self.maxDiff = None
        self.assertEqual(differences, {})

    def test_both_count_the_same_samples(self):
        for metric in ("scrape_samples_scraped", "scrape_samples_post_metric_relabeling"):
            counts = {name: {s["metric"]["page"]: s["value"][1] for s in server.query(metric)}
                      for name, server in self.servers.items()}
            self.maxDiff = None
            ours = {page: count for page, count in counts["pipit"].items()
                    if self.targets_of("pipit")[page]["health"] == "up"}
            self.assertEqual(ours, {page: counts["prometheus"][page] for page in ours})

    def test_faults_of_meaning_are_shown_and_counted(self):
        targets = self.targets_of("pipit")
        for page, target in targets.items():
            if target["health"] == "up" and page.startswith("bad_"):
                self.assertIn("not as OpenMetrics demands", target.get("lastWarning", ""), page)
            elif not page.startswith("bad_"):
                self.assertNotIn("OpenMetrics", target.get("lastWarning", ""), page)
        metrics = harness.request(self.servers["pipit"].url + "/metrics").body.decode()
        line = next(l for l in metrics.splitlines() if l.startswith("pipit_scrape_openmetrics_faults_total"))
        self.assertGreater(float(line.split()[1]), 50)


EXEMPLARS = """# HELP http_seconds Time of requests.
# TYPE http_seconds histogram
# UNIT http_seconds seconds
http_seconds_bucket{le="1.0"} 4 # {trace_id="abc",span="1"} 0.5 1700000000.5
http_seconds_bucket{le="+Inf"} 5 # {trace_id="def"} 3e-7 1700000001
http_seconds_sum 6
http_seconds_count 5
# TYPE requests counter
# HELP requests Said \\"so\\" on\\ntwo lines.
requests_total 4 # {} 1 1700000002
# EOF
"""

# Whole answers, but for the times of exemplars without a time of their own.
SAME_ANSWERS = [
    "query_exemplars?query=rate(http_seconds_bucket[5m])",
    "query_exemplars?query=http_seconds_bucket%7Ble=%221.0%22%7D",
    "query_exemplars?query=http_seconds_bucket/requests_total",
    "query_exemplars?query=%7Bjob=%22app%22%7D&start=1700000000.6&end=1700000001",
    "query_exemplars?query=nothing",
    "query_exemplars?query=1",
    "query_exemplars?query=requests_total&start=x",
    "query_exemplars?query=requests_total&start=3&end=1",
    "metadata",
    "metadata?metric=requests",
    "metadata?metric=nothing",
    "metadata?limit=0",
    "metadata?limit=x",
    "targets/metadata",
    "targets/metadata?metric=http_seconds",
    "targets/metadata?metric=nothing",
    "targets/metadata?match_target=%7Bjob=%22app%22%7D&limit=1&metric=requests",
    "targets/metadata?match_target=%7Bjob=%22other%22%7D",
    "targets/metadata?limit=x",
]


class ExemplarsAndMetadataTest(unittest.TestCase):
    def test_answers_are_the_same(self):
        folder = harness.Folder()
        self.addCleanup(folder.remove)
        exporter = harness.PageServer(lambda handler: harness.send_page(handler, EXEMPLARS, content_type=OPENMETRICS))
        self.addCleanup(exporter.close)
        config = f"""
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
- {{job_name: app, static_configs: [{{targets: ["127.0.0.1:{exporter.port}"]}}]}}
"""
        servers = {}
        for name, program, flags in (("pipit", harness.PIPIT, ()),
                                     ("prometheus", harness.peer("prometheus"), ("--enable-feature=exemplar-storage",))):
            servers[name] = harness.Server(program, folder, config, flags, name=name)
            self.addCleanup(servers[name].kill)
        for server in servers.values():
            server.wait_ready()
            harness.wait_until(lambda server=server: server.query('up{job="app"} == 1'), "the target is up")

        def answer(name, path):
            got = harness.request(f"{servers[name].url}/api/v1/{path}")
            data = got.json() if got.body else {"status": "empty"}
            if path.startswith("targets/metadata") and data["status"] == "success":
                data["data"].sort(key=json.dumps)
            return got.status, data

        for path in SAME_ANSWERS:
            with self.subTest(path):
                self.assertEqual(answer("pipit", path), answer("prometheus", path))
