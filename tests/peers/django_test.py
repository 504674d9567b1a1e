"""A Django site and the node exporter, scraped for real, asked by `pipit query` and by curl."""
import csv
import io
import json
import subprocess
import sys
import time
import unittest

import harness

CONFIG = """
global: {{scrape_interval: 1s}}
scrape_configs:
  - job_name: django
    static_configs: [{{targets: ["127.0.0.1:{django}"]}}]
  - job_name: node
    static_configs: [{{targets: ["127.0.0.1:{node}"]}}]
  - job_name: pipit
    static_configs: [{{targets: ["127.0.0.1:{pipit}"]}}]
"""

RATE = "rate(django_http_requests_before_middlewares_total[1m])"


class DjangoTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = harness.Folder()
        cls.addClassCleanup(cls.folder.remove)
        django, node, pipit = harness.free_port(), harness.free_port(), harness.free_port()
        site = harness.Process([sys.executable, str(harness.REPOSITORY / "tests/peers/django_site.py"), str(django)],
                               cls.folder.path / "django.log")
        cls.addClassCleanup(site.kill)
        exporter = harness.Process([harness.peer("prometheus-node-exporter"), f"--web.listen-address=127.0.0.1:{node}"],
                                   cls.folder.path / "node.log")
        cls.addClassCleanup(exporter.kill)
        for port, process in ((django, site), (node, exporter)):
            def answers():
                assert process.alive(), process.log()
                try:
                    return harness.request(f"http://127.0.0.1:{port}/metrics").status == 200
                except OSError:
                    return False

            harness.wait_until(answers, f"port {port} serves metrics")
        cls.server = harness.Server(harness.PIPIT, cls.folder, CONFIG.format(django=django, node=node, pipit=pipit), port=pipit)
        cls.addClassCleanup(cls.server.kill)
        cls.server.wait_ready()
        cls.site_url = f"http://127.0.0.1:{django}"

        def enough():
            harness.request(cls.site_url + "/hello")
            found = cls.server.query(RATE)
            return found and float(found[0]["value"][1]) > 0

        harness.wait_until(enough, "the rate of requests is known", interval=0.2)

    def test_all_targets_are_up(self):
        harness.wait_until(lambda: [t["health"] for t in self.server.targets()] == ["up"] * 3, "three targets up")
        self.assertEqual({t["lastError"] for t in self.server.targets()}, {""})
        up = {s["metric"]["job"]: s["value"][1] for s in self.server.query("up")}
        self.assertEqual(up, {"django": "1", "node": "1", "pipit": "1"})

    def test_cli_and_curl_answer_the_same(self):
        now = f"{time.time():.3f}"
        table = harness.pipit_query(RATE, "--url", self.server.url, "--time", now)
        self.assertEqual((table.returncode, table.stderr), (0, ""))
        series, value = table.stdout.rstrip().rsplit(None, 1)
        self.assertRegex(series, r'^\{instance="127\.0\.0\.1:\d+", job="django"\}$')
        curl = subprocess.run([harness.peer("curl"), "-sS", "--fail", "--data-urlencode", f"query={RATE}", "-d", f"time={now}",
                               self.server.url + "/api/v1/query"], capture_output=True, text=True, check=True)
        result = json.loads(curl.stdout)["data"]["result"]
        self.assertEqual([s["value"][1] for s in result], [value])
        self.assertGreater(float(value), 0)

    def test_cli_speaks_json_csv_and_draws(self):
        raw = harness.pipit_query(RATE, "--url", self.server.url, "-o", "json")
        self.assertEqual(json.loads(raw.stdout)["resultType"], "vector")
        lines = harness.pipit_query("node_cpu_seconds_total", "--url", self.server.url, "--range", "5s", "-o", "csv")
        rows = list(csv.DictReader(io.StringIO(lines.stdout)))
        self.assertGreater(len(rows), 8)
        self.assertEqual({"timestamp", "value", "__name__", "cpu", "instance", "job", "mode"}, set(rows[0]))
        graph = harness.pipit_query("node_memory_MemAvailable_bytes", "--url", self.server.url, "--range", "1m", "-o", "graph",
                                    env={"LC_ALL": "C.UTF-8"})
        self.assertEqual(graph.returncode, 0)
        self.assertIn("node_memory_MemAvailable_bytes{", graph.stdout)
        self.assertRegex(graph.stdout, r"\d+(\.\d+)?[GM]? ┤")

    def test_url_may_come_from_the_environment(self):
        answer = harness.pipit_query("1 + 1", env={"PIPIT_URL": self.server.url + "/"})
        self.assertEqual((answer.returncode, answer.stdout), (0, "2\n"))

    def test_exit_codes_and_errors(self):
        def run(*arguments):
            return harness.pipit_query(*arguments, "--url", self.server.url)

        wrong = run("rate(up[5m]")
        self.assertEqual(wrong.returncode, 1)
        self.assertRegex(wrong.stderr, r"bad_data: .*1:\d+: parse error: ")
        self.assertIn("  rate(up[5m]\n", wrong.stderr)
        self.assertIn("^\n", wrong.stderr)
        self.assertEqual(run("memory * on(a) group_left up", "--step", "5s").returncode, 2)
        self.assertEqual(run().returncode, 2)
        nothing = run("no_such_metric")
        self.assertEqual((nothing.returncode, nothing.stdout, nothing.stderr), (0, "", "no series match\n"))
        unreachable = harness.pipit_query("up", "--url", f"http://127.0.0.1:{harness.free_port()}")
        self.assertEqual(unreachable.returncode, 3)
        stranger = harness.pipit_query("up", "--url", self.site_url)
        self.assertEqual(stranger.returncode, 3)
        self.assertIn("404", stranger.stderr)
        self.assertEqual(harness.pipit_query("--help").returncode, 0)

    def test_long_query_fits(self):
        query = "up or up{job=~\"" + "|".join(f"no-such-job-{i}" for i in range(5000)) + "\"}"
        self.assertEqual(harness.pipit_query(query, "--url", self.server.url).stdout.count("\n"), 3)

    def test_exporters_metadata_and_pages(self):
        metadata = self.server.data_of("metadata", {"metric": "node_cpu_seconds_total"})
        self.assertEqual(metadata["node_cpu_seconds_total"][0]["type"], "counter")
        buckets = self.server.query("django_http_requests_latency_seconds_by_view_method_bucket{le='+Inf'}")
        self.assertTrue(buckets)
        quantile = self.server.query(
            "histogram_quantile(0.9, sum by (le) (django_http_requests_latency_seconds_by_view_method_bucket))")
        self.assertGreater(float(quantile[0]["value"][1]), 0)

    def test_node_exporters_values_are_those_of_the_machine(self):
        total = self.server.query("node_memory_MemTotal_bytes")[0]["value"][1]
        with open("/proc/meminfo") as meminfo:
            self.assertEqual(int(float(total)), int(meminfo.readline().split()[1]) * 1024)
