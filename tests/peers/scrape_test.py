"""Targets as they come: broken, hostile, slow, coming and going."""
import gzip
import pathlib
import time
import unittest
import zlib

import harness

GOOD = "fine 1\nbefore 1\n"
MIB = 1 << 20

CONFIG_HEAD = """
global: {scrape_interval: 1s, scrape_timeout: 1s}
scrape_configs:
"""
JOB = """
  - job_name: "{name}"
    metrics_path: /{name}
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""


def start_stream(handler, encoding=None):
    handler.send_response(200)
    handler.send_header("Content-Type", "text/plain; version=0.0.4")
    if encoding:
        handler.send_header("Content-Encoding", encoding)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()


def send_chunk(handler, data):
    handler.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))


def gzip_bomb():
    """1 GiB of one comment in about a megabyte."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    parts = [packer.compress(b"before 1\n#")]
    block = b"x" * MIB
    parts += [packer.compress(block) for _ in range(1024)]
    return b"".join(parts) + packer.flush()


BOMB = gzip_bomb()


def endless(handler):
    start_stream(handler)
    n = 0
    while True:
        send_chunk(handler, b"".join(b"before{n=\"%d\"} 1\n" % (n + i) for i in range(5000)))
        n += 5000


def endless_line(handler):
    start_stream(handler)
    send_chunk(handler, b"before 1\n")
    while True:
        send_chunk(handler, b"x" * 65536)


def endless_header(handler):
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        handler.wfile.write(b"X-More: " + b"y" * 8000 + b"\r\n")


def cut_off(handler):
    handler.send_response(200)
    handler.send_header("Content-Type", "text/plain")
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b"before 1\nfine 1\n")
    handler.close_connection = True


def cut_off_chunked(handler):
    start_stream(handler)
    send_chunk(handler, b"before 1\n")
    handler.close_connection = True


def drip(handler):
    start_stream(handler)
    while True:
        send_chunk(handler, b"#")
        time.sleep(0.05)


def status(code):
    def answer(handler):
        handler.send_response(code)
        handler.send_header("Content-Length", "9")
        handler.end_headers()
        handler.wfile.write(b"before 1\n")

    return answer


def page(text, **options):
    return lambda handler: harness.send_page(handler, text, **options)


def redirect(handler):
    handler.send_response(302)
    handler.send_header("Location", handler.path)
    handler.send_header("Content-Length", "0")
    handler.end_headers()


def hang_up(handler):
    handler.close_connection = True


# Name -> how the target answers, and a part of the error that /api/v1/targets must show ("" for any).
BROKEN = {
    "endless": (endless, ""),
    "endless-line": (endless_line, ""),
    "endless-header": (endless_header, ""),
    "gzip-bomb": (page(BOMB, encoding="gzip"), ""),
    "gzip-cut-off": (page(gzip.compress(b"before 1\n" * 1000)[:-20], encoding="gzip"), ""),
    "gzip-garbage": (page(b"\x1f\x8b" + b"junk" * 50, encoding="gzip"), ""),
    "not-gzip": (page("before 1\n", encoding="gzip"), ""),
    "cut-off": (cut_off, ""),
    "cut-off-chunked": (cut_off_chunked, ""),
    "hang": (lambda handler: time.sleep(8), "deadline exceeded"),
    "drip": (drip, "deadline exceeded"),
    "status-500": (status(500), "server returned HTTP status 500"),
    "status-404": (status(404), "server returned HTTP status 404"),
    "redirects": (redirect, "redirect"),
    "hang-up": (hang_up, "EOF"),
    "html": (page("<html><body>before 1</body></html>", content_type="text/html"), ""),
    "invalid-utf8": (page(b'before 1\nbroken{a="\xff"} 1\n'), "2"),
    "broken-line": (page("before 1\nfine 2\nbroken{a= 3\nfine 4\n"), "3"),
    "no-value": (page("before 1\nbroken\n"), "2"),
    "bad-number": (page("before 1\nbroken 1.2.3\n"), "2"),
    "bad-timestamp": (page("before 1\nbroken 1 soon\n"), "2"),
    "nul-byte": (page(b"before 1\nbro\0ken 1\n"), "2"),
    "unclosed-quote": (page('before 1\nbroken{a="b 1\n'), "2"),
}


class BrokenTargetsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = harness.Folder()
        cls.addClassCleanup(cls.folder.remove)

        def answer(handler):
            name = handler.path.lstrip("/")
            (page(GOOD) if name == "good" else BROKEN[name][0])(handler)

        cls.pages = harness.PageServer(answer)
        cls.addClassCleanup(cls.pages.close)
        jobs = [JOB.format(name=name, port=cls.pages.port) for name in ["good", *BROKEN]]
        jobs.append(JOB.format(name="nobody-there", port=harness.free_port()))
        cls.server = harness.Server(harness.PIPIT, cls.folder, CONFIG_HEAD + "".join(jobs))
        cls.addClassCleanup(cls.server.kill)
        cls.server.wait_ready()
        harness.wait_until(lambda: [t["health"] != "unknown" for t in cls.server.targets()] == [True] * (len(BROKEN) + 2),
                           "every target was scraped")
        time.sleep(2.5)  # for what only a second attempt at the same target breaks
        cls.targets = {t["scrapePool"]: t for t in cls.server.targets()}

    def test_good_target_is_scraped_on_time_among_them(self):
        self.assertEqual(self.targets["good"]["health"], "up")
        self.assertEqual(self.targets["good"]["lastError"], "")
        times = [float(t) for t, _ in self.server.query('fine{job="good"}[1m]')[0]["values"]]
        gaps = [b - a for a, b in zip(times, times[1:])]
        self.assertTrue(all(gap < 2 for gap in gaps), gaps)

    def test_unreachable_target(self):
        self.assertEqual(self.targets["nobody-there"]["health"], "down")
        self.assertIn("connection refused", self.targets["nobody-there"]["lastError"])

    def test_memory_stays_small(self):
        text = pathlib.Path(f"/proc/{self.server.process.pid}/status").read_text()
        peak_kb = int(next(line.split()[1] for line in text.splitlines() if line.startswith("VmHWM")))
        self.assertLess(peak_kb, 300 * 1024)
        self.assertTrue(self.server.alive())


def add_broken_tests():
    def check(self, name, said):
        target = self.targets[name]
        self.assertEqual(target["health"], "down")
        self.assertTrue(target["lastError"])
        self.assertIn(said, target["lastError"])
        self.assertEqual(self.server.query(f'up{{job="{name}"}}')[0]["value"][1], "0")
        self.assertEqual(self.server.query(f'{{__name__=~"before|fine|broken", job="{name}"}}'), [])
        self.assertEqual(self.server.query(f'max_over_time(scrape_samples_scraped{{job="{name}"}}[1m]) > 1e9'), [])

    for name, (_, said) in BROKEN.items():
        setattr(BrokenTargetsTest, f"test_broken_{name.replace('-', '_')}",
                lambda self, name=name, said=said: check(self, name, said))


add_broken_tests()


class ComingAndGoingTest(unittest.TestCase):
    """Series, targets and jobs that end get stale markers: they are gone at the next scrape, not after five minutes."""

    def setUp(self):
        self.folder = harness.Folder()
        self.addCleanup(self.folder.remove)
        self.page = "always 1\nsometimes 1\n"
        self.pages = harness.PageServer(self.answer)
        self.addCleanup(self.pages.close)
        config = CONFIG_HEAD.replace("1s", "200ms") + JOB.format(name="job", port=self.pages.port)
        self.server = harness.Server(harness.PIPIT, self.folder, config)
        self.addCleanup(self.server.kill)
        self.server.wait_ready()
        harness.wait_until(lambda: self.value("sometimes") == "1", "both series")

    def answer(self, handler):
        if self.page is None:
            status(503)(handler)
        else:
            harness.send_page(handler, self.page)

    def value(self, expr):
        found = self.server.query(expr)
        return found[0]["value"][1] if found else None

    def test_series_that_leaves_the_page(self):
        self.page = "always 1\n"
        harness.wait_until(lambda: self.value("sometimes") is None, "the series is gone", timeout=10)
        self.assertEqual(self.value("always"), "1")
        self.page = "always 1\nsometimes 2\n"
        harness.wait_until(lambda: self.value("sometimes") == "2", "the series is back")
        self.assertEqual(self.value("count_over_time(always[1m]) > bool count_over_time(sometimes[1m])"), "1")

    def test_target_that_fails(self):
        self.page = None
        harness.wait_until(lambda: self.value("up") == "0", "the target is down", timeout=10)
        self.assertIsNone(self.value("always"))
        self.assertEqual(self.value("scrape_samples_scraped"), "0")
        self.page = "always 3\n"
        harness.wait_until(lambda: self.value("always") == "3", "the target is back")
        self.assertEqual(self.value("up"), "1")

    def test_target_that_turns_bad_in_the_middle_of_its_page(self):
        self.page = "always 5\nsometimes\n"
        harness.wait_until(lambda: self.value("up") == "0", "the target is down", timeout=10)
        self.assertIsNone(self.value("always"))
        self.assertEqual(self.value("max_over_time(always[1m])"), "1")

    def test_order_of_lines_may_change(self):
        self.page = "sometimes 7\nnew 8\nalways 9\n"
        harness.wait_until(lambda: self.value("always") == "9", "the new page")
        self.assertEqual((self.value("sometimes"), self.value("new")), ("7", "8"))

    def test_restart_ends_what_was_scraped(self):
        now = time.time()
        self.assertEqual(self.server.query("always", f"{now:.3f}")[0]["value"][1], "1")
        self.server.stop()
        self.assertEqual(self.server.process.returncode, 0)
