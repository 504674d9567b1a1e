"""The prompt of `pipit query` on a pseudo-terminal, and its other questions, against a running Pipit."""
import os
import pathlib
import pty
import select
import signal
import time
import unittest

import harness

PAGE = """# HELP requests_total Requests that were answered.
# TYPE requests_total counter
requests_total{path="/a-b",code="200"} 5
requests_total{path="/c",code="500"} 7
# HELP queue_length Waiting.
# TYPE queue_length gauge
queue_length 3
"""
CONFIG = """
global: {{scrape_interval: 200ms, scrape_timeout: 200ms}}
scrape_configs:
  - job_name: shop
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""


class Terminal:
    """`pipit query` on a pseudo-terminal of 80 columns."""

    def __init__(self, arguments, home):
        environment = {**os.environ, "TERM": "xterm", "HOME": str(home), "LANG": "C.UTF-8"}
        environment.pop("XDG_STATE_HOME", None)
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execve(harness.PIPIT, [harness.PIPIT, "query", *arguments], environment)
        self.seen = ""

    def type(self, text):
        os.write(self.fd, text.encode())

    def expect(self, text, timeout=20):
        """Waits for `text` and forgets what came before its end."""
        deadline = time.monotonic() + timeout
        while text not in self.seen:
            ready, _, _ = select.select([self.fd], [], [], max(0, deadline - time.monotonic()))
            if not ready:
                raise AssertionError(f"no {text!r} in {self.seen!r}")
            try:
                self.seen += os.read(self.fd, 65536).decode(errors="replace")
            except OSError:
                raise AssertionError(f"it ended; no {text!r} in {self.seen!r}") from None
        self.seen = self.seen.split(text, 1)[1]

    def exit_code(self):
        """Reads the rest until it ends."""
        try:
            while os.read(self.fd, 65536):
                pass
        except OSError:
            pass
        _, status = os.waitpid(self.pid, 0)
        self.pid = 0
        return os.waitstatus_to_exitcode(status)

    def close(self):
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.fd)


class PromptTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = harness.Folder()
        cls.addClassCleanup(cls.folder.remove)
        pages = harness.PageServer(lambda handler: harness.send_page(handler, PAGE))
        cls.addClassCleanup(pages.close)
        cls.server = harness.Server(harness.PIPIT, cls.folder, CONFIG.format(port=pages.port))
        cls.addClassCleanup(cls.server.kill)
        cls.server.wait_ready()
        harness.wait_until(lambda: cls.server.query("queue_length"), "a scrape")

    def terminal(self, *arguments):
        terminal = Terminal(["--url", self.server.url, *arguments], self.folder.path)
        self.addCleanup(terminal.close)
        terminal.expect("pipit> ")
        return terminal

    def ask(self, *arguments):
        done = harness.pipit_query(*arguments, env={"PIPIT_URL": self.server.url})
        return done.returncode, done.stdout, done.stderr

    def test_evaluates_and_shows_errors_under_the_expression(self):
        terminal = self.terminal()
        terminal.type("sum(requests_total)\n")
        terminal.expect("{}  12")
        terminal.type("rate(up[5m)\n\n")
        terminal.expect("error: bad_data")
        terminal.expect("^")
        terminal.type("\\output csv\nsum(\nqueue_length)\n")
        terminal.expect("...> ")
        terminal.expect("timestamp,value")
        terminal.type("\\range 1m\n\\step 20s\nvector(1)\n")
        for _ in range(4):
            terminal.expect(",1")
        terminal.type("\\nothing\n")
        terminal.expect("\\help lists")
        terminal.type("\\quit\n")
        self.assertEqual(terminal.exit_code(), 0)

    def test_completes_metrics_functions_labels_and_values(self):
        terminal = self.terminal()
        terminal.type("queue_l\t\n")
        terminal.expect("queue_length{")
        terminal.type("count(req\t{co\t=\"5\t\"})\n")
        terminal.expect("{}  1")
        terminal.type("requests_total{path=\"/a\t\"}\n")
        terminal.expect('path="/a-b"')
        terminal.expect("  5")
        terminal.type("\nabsent_ov\t(nothing[5m])\n")
        terminal.expect("{}  1")

    def test_interrupt_gives_up_the_line_and_history_comes_back(self):
        terminal = self.terminal()
        terminal.type("1 + 41\n")
        terminal.expect("42")
        terminal.expect("pipit> ")
        terminal.type("nonsense\x03")
        terminal.expect("pipit> ")
        terminal.type("\x04")
        self.assertEqual(terminal.exit_code(), 0)
        history = pathlib.Path(self.folder.path, ".local/state/pipit/query_history")
        self.assertEqual(history.stat().st_mode & 0o077, 0)
        again = self.terminal()
        again.type("\x1b[A\n")
        again.expect("42")

    def test_without_terminal_an_expression_is_required(self):
        self.assertEqual(self.ask()[0], 2)

    def test_instant_and_range(self):
        self.assertEqual(self.ask("instant", "queue_length + 0")[1].split(), [f'{{instance="{self.instance()}",', 'job="shop"}', "3"])
        code, out, _ = self.ask("range", self.server.url, "vector(1)", "--range", "1m", "--step", "30s", "-o", "csv")
        self.assertEqual((code, out.count("\n")), (0, 4))
        self.assertEqual(self.ask("instant", "sum(")[0], 1)

    def instance(self):
        return self.server.targets()[0]["labels"]["instance"]

    def test_series_and_labels(self):
        code, out, _ = self.ask("series", "--match", 'requests_total{code="500"}')
        self.assertEqual((code, out), (0, f'requests_total{{code="500", instance="{self.instance()}", job="shop", path="/c"}}\n'))
        self.assertEqual(self.ask("labels", "code")[1], "200\n500\n")
        self.assertEqual(self.ask("labels", "path", "--match", 'requests_total{code="200"}', "-o", "csv")[1], "path\n/a-b\n")
        self.assertEqual(self.ask("labels")[1].split(), ["__name__", "code", "instance", "job", "path"])
        self.assertEqual(self.ask("labels", "code", "-o", "json")[1], '["200","500"]\n')
        code, out, error = self.ask("series", "--match", "nothing")
        self.assertEqual((code, out, error), (0, "", "nothing matches\n"))
        code, _, error = self.ask("series", "--match", "{")
        self.assertEqual(code, 1)
        self.assertIn("bad_data", error)

    def test_metrics_and_exemplars(self):
        code, out, _ = self.ask("metrics", "requests")
        self.assertEqual(code, 0)
        self.assertEqual(out.splitlines()[1].split(None, 2), ["requests_total", "counter", "Requests that were answered."])
        self.assertEqual(self.ask("exemplars", "requests_total")[0], 0)

    def test_slow_answers_are_told_of_on_the_terminal(self):
        slow = harness.PageServer(lambda handler: (time.sleep(2), harness.send_page(handler, '{"status":"success","data":[]}')))
        self.addCleanup(slow.close)
        terminal = Terminal(["labels", "job", "--url", f"http://127.0.0.1:{slow.port}"], self.folder.path)
        self.addCleanup(terminal.close)
        terminal.expect("waiting for the answer")
        terminal.expect("nothing matches")
