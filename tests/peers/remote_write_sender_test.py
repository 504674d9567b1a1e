"""Pipit delivers to others by remote write: what they have is what it has, through outages and kills."""
import signal
import time
import unittest

import harness
import remote_write
from remote_write_test import Pages, SCRAPES

REMOTE = """
remote_write:
  - name: central
    url: "{url}"
    queue_config: {{batch_send_deadline: 200ms, max_samples_per_send: {batch}, min_backoff: 30ms, max_backoff: 500ms}}
    metadata_config: {{send: true, send_interval: 1s}}
    protobuf_message: {message}
"""
V1, V2 = "prometheus.WriteRequest", "io.prometheus.write.v2.Request"


class RemoteWriteSenderTest(unittest.TestCase):
    def setUp(self):
        self.folder = harness.Folder()
        self.addCleanup(self.folder.remove)

    def server(self, program, config, name, *flags, port=None):
        server = harness.Server(program, self.folder, config, flags, name=name, port=port)
        self.addCleanup(server.kill)
        return server.wait_ready()

    def receiver(self, program=None, port=None):
        return self.server(program or harness.peer("prometheus"), "scrape_configs: []\n", "receiver",
                           "--web.enable-remote-write-receiver", port=port)

    def victoria(self):
        port = harness.free_port()
        process = harness.Process([harness.peer("victoria-metrics"), f"-storageDataPath={self.folder.path / 'vm'}",
                                   f"-httpListenAddr=127.0.0.1:{port}", "-search.latencyOffset=0s",
                                   "-search.disableCache"], self.folder.path / "vm.log")
        self.addCleanup(process.kill)
        url = f"http://127.0.0.1:{port}"

        def ready():
            try:
                return harness.request(url + "/health", timeout=5).status == 200
            except OSError:
                return False

        harness.wait_until(ready, "VictoriaMetrics is ready")
        return url

    def pipit(self, remote, scrapes="scrape_configs: []\n", name="pipit", **kw):
        return self.server(harness.PIPIT, scrapes + remote, name, "--web.enable-remote-write-receiver", **kw)

    def samples(self, server, end, selector='{job="app"}[20s]'):
        result = server.query(selector, at=end)
        return {tuple(sorted(r["metric"].items())): r["values"] for r in result}

    def scraped(self):
        pages = Pages()
        self.addCleanup(pages.server.close)
        return SCRAPES.format(port=pages.server.port)

    def assert_same_scrapes(self, source, receiver):
        newest = 'max(timestamp(zero{job="app"}))'
        first = harness.wait_until(lambda: source.query(newest), "the source has samples")
        end = float(first[0]["value"][1]) + 5
        for server in (source, receiver):
            harness.wait_until(lambda: (n := server.query(newest)) and float(n[0]["value"][1]) > end, source.log)
        expected = self.samples(source, end)
        self.assertGreaterEqual(len(expected), 45)
        self.assertEqual(self.samples(receiver, end), expected)
        for expr in ("sum by (path) (requests_total)", "count_over_time(sometimes[10s])", "sometimes", "up"):
            ours, theirs = (sorted(s.query(expr, at=end), key=lambda r: sorted(r["metric"].items())) for s in (source, receiver))
            self.assertEqual(ours, theirs, expr)

    def test_prometheus_receives_scrapes(self):
        receiver = self.receiver()
        source = self.pipit(REMOTE.format(url=receiver.url + "/api/v1/write", batch=2000, message=V1), self.scraped())
        self.assert_same_scrapes(source, receiver)
        metrics = harness.request(source.url + "/metrics").body.decode()
        for name in ("samples_failed_total", "samples_retried_total", "metadata_failed_total"):
            self.assertRegex(metrics, rf'prometheus_remote_storage_{name}\{{[^}}]*\}} 0\n')

    def test_another_pipit_receives_scrapes_of_version_two(self):
        receiver = self.receiver(harness.PIPIT)
        source = self.pipit(REMOTE.format(url=receiver.url + "/api/v1/write", batch=100, message=V2), self.scraped())
        self.assert_same_scrapes(source, receiver)
        metadata = harness.wait_until(lambda: receiver.data_of("metadata", {"metric": "requests_total"}), "metadata")
        self.assertEqual(metadata["requests_total"], [{"type": "counter", "help": "All requests.", "unit": ""}])

    def test_victoria_metrics_receives_what_is_sent_to_pipit(self):
        url = self.victoria()
        source = self.pipit(REMOTE.format(url=url + "/api/v1/write", batch=500, message=V1))
        now = int(time.time() - 7200) * 1000
        series = [({"__name__": "load", "i": str(i)}, [(now + 15_000 * t, float(t * 7 + i)) for t in range(100)])
                  for i in range(50)]
        self.assertEqual(remote_write.post(source.url + "/api/v1/write", remote_write.write_request(series)).status, 204)

        def count():
            harness.request(url + "/internal/force_flush")
            answer = harness.request(f"{url}/api/v1/query?query=sum(count_over_time(load[2h]))&time={now / 1000 + 3600}").json()
            return answer["data"]["result"] and answer["data"]["result"][0]["value"][1] == "5000"

        harness.wait_until(count, lambda: source.log())
        expr = "sum(load)"
        at = now / 1000 + 15 * 99
        theirs = harness.request(f"{url}/api/v1/query?query={expr}&time={at}").json()["data"]["result"][0]["value"][1]
        self.assertEqual(source.query(expr, at=at)[0]["value"][1], theirs)

    def kill_and_outage(self, receiver_program, message):
        """Writes rounds of samples while the receiver goes and comes and Pipit is killed: each is there once."""
        receiver_port = harness.free_port()
        receiver = self.receiver(receiver_program, receiver_port)
        remote = REMOTE.format(url=f"http://127.0.0.1:{receiver_port}/api/v1/write", batch=97, message=message)
        port = harness.free_port()
        source = self.pipit(remote, port=port)
        sent = 0
        t = 0
        base = int(time.time() - 7200) * 1000

        def write(rounds):
            nonlocal sent, t
            for _ in range(rounds):
                t += 1
                series = [({"__name__": "load", "i": str(i)}, [(base + 1000 * t, float(t * 31 + i))]) for i in range(40)]
                answer = remote_write.post(source.url + "/api/v1/write", remote_write.write_request(series))
                self.assertEqual(answer.status, 204, answer.body)
                sent += 40

        for round_number in range(6):
            write(30)
            if round_number == 1:
                receiver.kill()
            if round_number in (2, 4):
                source.signal(signal.SIGKILL)
                source.wait()
                source = self.pipit(remote, port=port)
            if round_number == 3:
                receiver = self.receiver(receiver_program, receiver_port)
        write(10)
        expr = "sum(count_over_time(load[1h]))"
        at = base / 1000 + 3000

        def there():
            found = receiver.query(expr, at=at)
            return found and float(found[0]["value"][1]) == sent

        harness.wait_until(there, lambda: f"{receiver.query(expr, at=at)} of {sent}\n{source.log()[-3000:]}")
        self.assertEqual(self.samples(receiver, at, "load[1h]"), self.samples(source, at, "load[1h]"))

    def test_nothing_is_lost_to_prometheus_by_outages_and_kills(self):
        self.kill_and_outage(harness.peer("prometheus"), V1)

    def test_nothing_is_lost_to_pipit_by_outages_and_kills(self):
        self.kill_and_outage(harness.PIPIT, V2)


if __name__ == "__main__":
    unittest.main()
