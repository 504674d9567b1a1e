"""kill -9 in the middle of scraping loses nothing that could be queried before."""
import os
import random
import time
import unittest

import harness

ROUNDS = int(os.environ.get("CRASH_ROUNDS", "6"))
SERIES_A_ROUND = 40

CONFIG = """
global: {scrape_interval: 100ms, scrape_timeout: 100ms}
scrape_configs:
  - job_name: counting
    static_configs:
      - targets: ["127.0.0.1:PORT", "127.0.0.2:PORT", "127.0.0.3:PORT"]
"""


class CrashTest(unittest.TestCase):
    def setUp(self):
        self.folder = harness.Folder()
        self.addCleanup(self.folder.remove)
        self.round = 0
        self.scrapes = 0
        self.pages = harness.PageServer(self.answer, hosts=("127.0.0.1", "127.0.0.2", "127.0.0.3"))
        self.addCleanup(self.pages.close)
        self.port = harness.free_port()

    def answer(self, handler):
        """A counter of scrapes, noise, and series of each round that live for three, so that some are always being born."""
        self.scrapes += 1
        lines = ["# TYPE pages_total counter", f"pages_total {self.scrapes}"]
        lines += [f'noise{{n="{n}"}} {random.random()}' for n in range(20)]
        rounds = range(max(0, self.round - 2), self.round + 1)
        lines += [f'born{{round="{r}",n="{n}"}} {self.scrapes}' for r in rounds for n in range(SERIES_A_ROUND)]
        harness.send_page(handler, "\n".join(lines) + "\n")

    def start(self):
        server = harness.Server(harness.PIPIT, self.folder, CONFIG.replace("PORT", str(self.pages.port)), port=self.port)
        self.addCleanup(server.kill)
        return server.wait_ready()

    def samples(self, server, at):
        """All samples of the last hour up to `at` as {series: {(timestamp, value), ...}}."""
        result = server.query('{__name__=~"pages_total|noise|born|up|scrape_samples_scraped"}[1h]', f"{at:.3f}")
        return {tuple(sorted(s["metric"].items())): {tuple(v) for v in s["values"]} for s in result}

    def missing(self, before, after):
        return [(series, sorted(points - after.get(series, set()))[:3]) for series, points in before.items()
                if points - after.get(series, set())]

    def test_kill_nine_loses_nothing(self):
        begin = self.scrapes
        acknowledged = {}
        for self.round in range(ROUNDS):
            server = self.start()
            lost = self.missing(acknowledged, self.samples(server, time.time()))
            self.assertEqual(lost, [], f"after {self.round} kills {len(lost)} series lost samples; log:\n{server.log()[-3000:]}")
            scraped = self.scrapes
            harness.wait_until(lambda: self.scrapes > scraped + 12, "the restarted server scrapes")
            time.sleep(random.random() * 0.4)
            acknowledged = self.samples(server, time.time())
            server.kill()
            newborn = [s for s in acknowledged if dict(s).get("round") == str(self.round)]
            self.assertGreaterEqual(len(newborn), SERIES_A_ROUND)
        self.assertGreater(self.scrapes - begin, ROUNDS * 12)
        server = self.start()
        self.assertEqual(self.missing(acknowledged, self.samples(server, time.time())), [])
        # Names, labels and help come back too.
        self.assertLessEqual({"born", "noise", "pages_total", "up"}, set(server.data_of("label/__name__/values")))
        self.assertEqual(len(server.data_of("label/round/values")), ROUNDS)
        self.assertEqual(server.data_of("metadata", {"metric": "pages_total"})["pages_total"][0]["type"], "counter")
        # And a counter goes on where it was.
        self.assertEqual(server.query("max(resets(pages_total[1h]))")[0]["value"][1], "0")
        server.stop()

    def test_kill_during_start_loses_nothing(self):
        server = self.start()
        harness.wait_until(lambda: self.scrapes > 20, "scrapes")
        time.sleep(0.3)
        acknowledged = self.samples(server, time.time())
        server.kill()
        for delay in (0.0, 0.01, 0.03, 0.1):
            interrupted = harness.Server(harness.PIPIT, self.folder, CONFIG.replace("PORT", str(self.pages.port)),
                                         port=self.port)
            time.sleep(delay)
            interrupted.kill()
        server = self.start()
        self.assertEqual(self.missing(acknowledged, self.samples(server, time.time())), [], server.log()[-3000:])
        server.stop()
