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
