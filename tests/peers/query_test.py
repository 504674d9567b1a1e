"""Hostile queries do no harm, and Prometheus's own tool can ask."""
import json
import pathlib
import socket
import subprocess
import threading
import time
import unittest

import harness

CONFIG = """
global: {{scrape_interval: 200ms}}
scrape_configs:
  - job_name: made-up
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""

PAGE = "# TYPE requests_total counter\n" + "".join(f'requests_total{{n="{n}"}} {n}\n' for n in range(50))


class QueryTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = harness.Folder()
        cls.addClassCleanup(cls.folder.remove)
        pages = harness.PageServer(lambda handler: harness.send_page(handler, PAGE))
        cls.addClassCleanup(pages.close)
        cls.server = harness.Server(harness.PIPIT, cls.folder, CONFIG.format(port=pages.port))
        cls.addClassCleanup(cls.server.kill)
        cls.server.wait_ready()
        harness.wait_until(lambda: cls.server.query("count_over_time(requests_total[1m]) >= 3"), "three scrapes")

    def tearDown(self):
        self.assertTrue(self.server.alive(), self.server.log()[-3000:])
        self.assertEqual(self.server.query("1 + 1")[1], "2")

    def ask(self, expr, **params):
        return self.server.api("query", {"query": expr, **params}, post=True)

    def test_deep_nesting_is_answered_or_refused(self):
        for depth in (1000, 100_000):
            for expr in ("(" * depth + "1" + ")" * depth, "-" * depth + "1", "1" + "+1" * depth, "1" + "^1" * depth,
                         "sum(" * depth + "up" + ")" * depth, "abs(" * depth + "up" + ")" * depth, "(" * depth,
                         "up or " * depth + "up", "up" + "[5m:]" * depth, "{" * depth, "sum by (a) " * depth):
                reply = self.ask(expr)
                self.assertIn(reply.status, (200, 400, 422), f"{depth} {expr[:20]}")
                if reply.status != 200:
                    self.assertTrue(reply.json()["error"])
                    self.assertLess(len(reply.body), 3_000_000)

    def test_ten_million_steps_are_refused(self):
        reply = self.server.api("query_range", {"query": "up", "start": 0, "end": 10_000_000, "step": 1})
        self.assertEqual((reply.status, reply.json()["errorType"]), (400, "bad_data"))
        self.assertIn("exceeded maximum resolution of 11,000 points per timeseries", reply.json()["error"])

    def test_too_much_work_is_refused(self):
        for expr in ("count_over_time(requests_total[100y:1ms])", "max_over_time(vector(1)[1000000h:1ms])",
                     "sum_over_time(sum_over_time(vector(1)[1y:1s])[1y:1s])"):
            reply = self.ask(expr, timeout="5s")
            self.assertIn(reply.status, (400, 422, 503), expr)
            self.assertIn(reply.json()["errorType"], ("bad_data", "execution", "timeout"))

    def test_large_things_are_refused_or_answered(self):
        for expr in ('{a=~"' + "(" * 50_000 + '"}', '{a=~"(x{1,1000}){1,1000}"}', '{a=~"' + "a|" * 100_000 + 'b"}',
                     '"' + "x" * 500_000 + '"', "up{" + ",".join(f'l{i}="1"' for i in range(20_000)) + "}", "9" * 100_000,
                     "up offset 99999999999999999y", "up[99999999999y]", "up @ 1e300", "\0", "\x7f", "ü", "'" + "\\" * 9999,
                     'label_replace(up, "x", "$1", "job", "(.*)*")', "topk(1e300, up)", "quantile(Inf, up)",
                     "up offset -290y", "count_values('n', requests_total)"):
            reply = self.ask(expr)
            self.assertIn(reply.status, (200, 400, 422), expr[:60])
            reply.json()

    def test_times_at_the_end_of_the_world(self):
        for at in ("-1e15", "1e15", "9223372036854775", "-9223372036854775", "1e300", "NaN", "Inf", "0",
                   "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2015-02-30T00:00:00Z"):
            for expr in ("up", "rate(requests_total[5m])", "up offset 100y", "up offset -100y", "time()"):
                reply = self.ask(expr, time=at)
                self.assertIn(reply.status, (200, 400, 422), (expr, at))
                reply.json()

    def test_client_that_goes_away_ends_its_query(self):
        request = b"POST /api/v1/query HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        body = b"query=sum_over_time(max_over_time(vector(1)[5000s:1s])[5000s:1s])&timeout=60s"
        for _ in range(30):
            with socket.create_connection(("127.0.0.1", self.server.port)) as connection:
                connection.sendall(request + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        harness.wait_until(lambda: self.server.query("1")[1] == "1", "the server answers others", timeout=10)

    def test_garbage_instead_of_http(self):
        for garbage in (b"\0" * 1000, b"GET\r\n\r\n", b"\x16\x03\x01\x02\x00", b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 100_000,
                        b"POST /api/v1/query HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
                        b"POST /api/v1/query HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
                        b"POST /api/v1/query HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzzz\r\n",
                        b"GET /" + b"a" * 1_000_000 + b" HTTP/1.1\r\n\r\n"):
            with socket.create_connection(("127.0.0.1", self.server.port), timeout=10) as connection:
                try:
                    connection.sendall(garbage)
                    connection.shutdown(socket.SHUT_WR)
                    while connection.recv(65536):
                        pass
                except OSError:
                    pass

    def test_many_clients_at_once(self):
        wrong = []

        def client():
            for _ in range(20):
                found = self.server.query("sum(requests_total)")
                if not found or found[0]["value"][1] != str(sum(range(50))):
                    wrong.append(found)

        threads = [threading.Thread(target=client) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(wrong, [])

    def test_long_queries_fit_by_get_and_post(self):
        expr = " or ".join(f'requests_total{{n="{n % 50}"}}' for n in range(400))
        for post in (True, False):
            reply = self.server.api("query", {"query": expr}, post=post)
            self.assertEqual(reply.status, 200)
            self.assertEqual(len(reply.json()["data"]["result"]), 50)

    def test_memory_stays_small(self):
        text = pathlib.Path(f"/proc/{self.server.process.pid}/status").read_text()
        peak_kb = int(next(line.split()[1] for line in text.splitlines() if line.startswith("VmHWM")))
        self.assertLess(peak_kb, 1024 * 1024)

    def promtool(self, *arguments):
        done = subprocess.run([harness.peer("promtool"), "query", *arguments], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def test_promtool_instant(self):
        self.assertRegex(self.promtool("instant", self.server.url, 'requests_total{n="7"}'),
                         r'requests_total\{instance="127.0.0.1:\d+", job="made-up", n="7"\} => 7 @\[')
        self.assertEqual(json.loads(self.promtool("instant", "-o", "json", self.server.url, "scalar(vector(2))"))[1], "2")

    def test_promtool_range(self):
        now = int(time.time())
        out = self.promtool("range", f"--start={now - 2}", f"--end={now + 10}", "--step=1s", self.server.url, "sum(requests_total)")
        self.assertIn("1225 @[", out)

    def test_promtool_series_and_labels(self):
        series = self.promtool("series", '--match=requests_total{n=~"1|2"}', self.server.url)
        self.assertEqual(series.count("__name__="), 2)
        self.assertEqual(self.promtool("labels", self.server.url, "job").split(), ["made-up"])
