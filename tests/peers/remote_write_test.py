"""Others deliver to Pipit by remote write: what they deliver is what they have."""
import random
import unittest

import harness

SCRAPES = """
global: {{scrape_interval: 250ms, scrape_timeout: 250ms}}
scrape_configs:
  - job_name: app
    static_configs: [{{targets: ["127.0.0.1:{port}"], labels: {{zone: b, "a_first": "ü \\" \\\\"}}}}]
"""
PROMETHEUS_REMOTE = """
remote_write:
  - url: "{url}/api/v1/write"
    send_exemplars: true
    metadata_config: {{send: true, send_interval: 1s}}
    queue_config: {{batch_send_deadline: 200ms, min_shards: 2}}
"""


class Pages:
    """A page whose values change each time, with a series that comes and goes."""

    def __init__(self):
        self.random = random.Random(3)
        self.count = 0
        self.server = harness.PageServer(self.answer)

    def answer(self, handler):
        self.count += 1
        lines = ["# HELP requests_total All requests.", "# TYPE requests_total counter"]
        lines += [f'requests_total{{path="/{i}",code="200"}} {self.count * (i + 1)}' for i in range(40)]
        lines += ["# TYPE temperature gauge", f"temperature {self.random.uniform(-5, 40)!r}", "odd NaN", "far +Inf", "zero 0"]
        if self.count % 6 < 3:
            lines.append("sometimes 1")
        harness.send_page(handler, "\n".join(lines) + "\n")


class RemoteWriteTest(unittest.TestCase):
    def setUp(self):
        self.folder = harness.Folder()
        self.addCleanup(self.folder.remove)
        self.pages = Pages()
        self.addCleanup(self.pages.server.close)
        self.pipit = self.server(harness.PIPIT, "scrape_configs: []\n", "pipit", "--web.enable-remote-write-receiver")

    def server(self, program, config, name, *flags):
        server = harness.Server(program, self.folder, config, flags, name=name)
        self.addCleanup(server.kill)
        return server.wait_ready()

    def assert_same(self, source):
        """The samples of some seconds, on Pipit and where they came from."""
        newest = 'max(timestamp(zero{job="app"}))'
        first = harness.wait_until(lambda: source.query(newest), "the source has samples")
        end = float(first[0]["value"][1]) + 5

        def samples(server):
            result = server.query('{job="app"}[10s]', at=end)
            return {tuple(sorted(r["metric"].items())): r["values"] for r in result}

        for server in (source, self.pipit):
            harness.wait_until(lambda: (n := server.query(newest)) and float(n[0]["value"][1]) > end, self.pipit.log)
        expected = samples(source)
        self.assertGreaterEqual(len(expected), 45)
        self.assertGreaterEqual(sum(map(len, expected.values())), 45 * 4)
        self.assertEqual(samples(self.pipit), expected)
        for expr in ('sum by (path) (increase(requests_total[3s])) > bool 0', 'count_over_time(sometimes[10s])', 'temperature', "up",
                     'sometimes', 'changes(sometimes[10s])', 'sum without (path) (requests_total)'):
            ours, theirs = (sorted(s.query(expr, at=end), key=lambda r: sorted(r["metric"].items()))
                            for s in (self.pipit, source))
            self.assertEqual(ours, theirs, expr)
        return expected

    def test_prometheus_delivers(self):
        config = SCRAPES.format(port=self.pages.server.port) + PROMETHEUS_REMOTE.format(url=self.pipit.url)
        source = self.server(harness.peer("prometheus"), config, "prometheus")
        self.assert_same(source)
        metadata = harness.wait_until(lambda: self.pipit.data_of("metadata", {"metric": "requests_total"}), "metadata")
        self.assertEqual(metadata["requests_total"], [{"type": "counter", "help": "All requests.", "unit": ""}])
        metrics = harness.request(source.url + "/metrics").body.decode()
        for line in metrics.splitlines():
            if line.startswith(("prometheus_remote_storage_samples_failed_total", "prometheus_remote_storage_samples_retried_total",
                                "prometheus_remote_storage_metadata_failed_total")):
                self.assertTrue(line.endswith(" 0"), line)

    def test_vmagent_delivers(self):
        # It has no queries: what it delivers to a Prometheus is the measure.
        witness = self.server(harness.peer("prometheus"), "scrape_configs: []\n", "prometheus",
                              "--web.enable-remote-write-receiver")
        config = self.folder.write("vmagent.yml", SCRAPES.format(port=self.pages.server.port))
        agent = harness.Process([harness.peer("vmagent"), f"-promscrape.config={config}", "-remoteWrite.flushInterval=100ms",
                                 "-remoteWrite.queues=1",  # several overtake each other
                                 f"-remoteWrite.url={self.pipit.url}/api/v1/write", f"-remoteWrite.url={witness.url}/api/v1/write",
                                 f"-remoteWrite.tmpDataPath={self.folder.path / 'vmagent'}",
                                 f"-httpListenAddr=127.0.0.1:{harness.free_port()}"], self.folder.path / "vmagent.log")
        self.addCleanup(agent.kill)
        self.assert_same(witness)
        self.assertIn('pipit_remote_write_requests_total{code="204"}', harness.request(self.pipit.url + "/metrics").body.decode())
        self.assertNotIn('pipit_remote_write_requests_total{code="4', harness.request(self.pipit.url + "/metrics").body.decode())

    def test_a_disabled_receiver_says_so(self):
        off = self.server(harness.PIPIT, "scrape_configs: []\n", "off")
        reply = harness.request(off.url + "/api/v1/write", form={}, method="POST")
        self.assertEqual(reply.status, 404)
        self.assertEqual(reply.body, b"remote write receiver needs to be enabled with --web.enable-remote-write-receiver\n")
        witness = self.server(harness.peer("prometheus"), "scrape_configs: []\n", "prometheus")
        # 2.42 still names the flag of older releases.
        self.assertEqual(harness.request(witness.url + "/api/v1/write", form={}, method="POST").status, 404)
