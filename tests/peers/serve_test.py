"""The server as its user meets it: starting, stopping, reloading, its folder, its flags."""
import gzip
import hashlib
import pathlib
import signal
import socket
import subprocess
import time
import unittest

import harness

EMPTY = "scrape_configs: []\n"

ONE_TARGET = """
global: {{scrape_interval: 200ms}}
scrape_configs:
  - job_name: {job}
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""


class ServeTest(unittest.TestCase):
    def setUp(self):
        self.folder = harness.Folder()
        self.addCleanup(self.folder.remove)

    def server(self, config=EMPTY, *flags, **names):
        server = harness.Server(harness.PIPIT, self.folder, config, flags, **names)
        self.addCleanup(server.kill)
        return server

    def run_to_end(self, *arguments):
        return subprocess.run([harness.PIPIT, *arguments], capture_output=True, text=True, timeout=20, cwd=self.folder.path,
                              stdin=subprocess.DEVNULL)

    def pages(self):
        pages = harness.PageServer(lambda handler: harness.send_page(handler, "answer 42\n"))
        self.addCleanup(pages.close)
        return pages

    # --- starting

    def test_second_server_on_the_same_port_is_refused(self):
        first = self.server().wait_ready()
        second = self.server(name="second", port=first.port)
        self.assertEqual(second.wait(), 1, second.log())
        self.assertIn(str(first.port), second.log())
        self.assertIn("in use", second.log())
        first.wait_ready()

    def test_second_server_on_the_same_folder_is_refused(self):
        first = self.server().wait_ready()
        second = self.server()
        self.assertEqual(second.wait(), 1, second.log())
        self.assertIn(str(first.data), second.log())
        first.wait_ready()

    def test_unreachable_data_folder_is_named(self):
        self.folder.write("file", "")
        for path in (self.folder.path / "file" / "below", "/proc/nothing/data"):
            ended = self.run_to_end(f"--config.file={self.folder.write('c.yml', EMPTY)}", f"--storage.tsdb.path={path}",
                                    f"--web.listen-address=127.0.0.1:{harness.free_port()}")
            self.assertEqual(ended.returncode, 1, ended.stderr)
            self.assertIn(str(path), ended.stderr)

    def test_bad_address_is_named(self):
        for address in ("300.1.1.1:1", "127.0.0.1:99999", "nonsense"):
            ended = self.run_to_end(f"--config.file={self.folder.write('c.yml', EMPTY)}",
                                    f"--storage.tsdb.path={self.folder.path / 'd'}", f"--web.listen-address={address}")
            self.assertIn(ended.returncode, (1, 2), ended.stderr)
            self.assertIn(address, ended.stderr)

    def test_missing_or_broken_configuration_is_named(self):
        for name, text, said in (("missing.yml", None, "missing.yml"), ("key.yml", "global:\n  scrap_interval: 1s\n", "key.yml:2"),
                                 ("yaml.yml", "global: [\n", "yaml.yml"), ("type.yml", "scrape_configs: 3\n", "type.yml:1"),
                                 ("twice.yml", "scrape_configs:\n- job_name: a\n- job_name: a\n", "twice.yml:3"),
                                 ("bad.yml", "global:\n\n  scrape_interval: soon\n", "bad.yml:3")):
            path = str(self.folder.path / name) if text is None else self.folder.write(name, text)
            ended = self.run_to_end(f"--config.file={path}", f"--storage.tsdb.path={self.folder.path / 'd'}",
                                    f"--web.listen-address=127.0.0.1:{harness.free_port()}")
            self.assertIn(ended.returncode, (1, 2), ended.stderr)
            self.assertIn(said, ended.stderr)
            checked = self.run_to_end("check", "config", path)
            self.assertEqual(checked.returncode, 1, checked.stdout + checked.stderr)
            self.assertIn(said, checked.stdout + checked.stderr)

    def test_wrong_flag_is_wrong_usage(self):
        for arguments in (("--no.such.flag",), ("--query.timeout=soon",), ("no-such-subcommand",), ("check", "nothing")):
            ended = self.run_to_end(*arguments)
            self.assertEqual(ended.returncode, 2, f"{arguments}: {ended.stdout}{ended.stderr}")
            self.assertIn(arguments[-1].split("=")[0].lstrip("-"), ended.stderr)

    def test_help_and_version(self):
        for arguments in (("--help",), ("--version",), ("serve", "--help"), ("query", "--help"), ("check", "--help")):
            ended = self.run_to_end(*arguments)
            self.assertEqual((ended.returncode, ended.stderr), (0, ""), arguments)
            self.assertTrue(ended.stdout)

    def test_debians_own_configuration_loads(self):
        path = pathlib.Path(harness.peer("prometheus")).resolve().parent.parent.parent / "etc/prometheus/prometheus.yml"
        self.assertEqual(self.run_to_end("check", "config", str(path)).returncode, 0)
        server = self.server(path.read_text()).wait_ready()
        self.assertEqual({t["scrapePool"] for t in server.targets()}, {"prometheus", "node"})
        self.assertEqual(len(server.data_of("alertmanagers")["activeAlertmanagers"]), 1)

    def test_flags_of_a_prometheus_unit_file_work(self):
        server = self.server(EMPTY, "--storage.tsdb.retention.time=15d", "--storage.tsdb.retention.size=1GB",
                             "--web.console.templates=/etc/prometheus/consoles", "--web.console.libraries=/usr/share/x",
                             "--query.max-concurrency=4", "--query.lookback-delta=4m", "--query.timeout=30s",
                             "--web.external-url=http://example.org/", "--log.level=info", "--log.format=json",
                             "--storage.tsdb.min-block-duration=2h", "--enable-feature=exemplar-storage",
                             "--web.enable-admin-api", "--no-storage.tsdb.wal-compression").wait_ready()
        flags = server.data_of("status/flags")
        self.assertEqual((flags["query.lookback-delta"], flags["query.timeout"]), ("4m", "30s"))

    def test_route_prefix(self):
        server = self.server(EMPTY, "--web.route-prefix=/metrics-db")
        harness.wait_until(lambda: self.try_status(f"{server.url}/metrics-db/-/ready") == 200, server.log)
        self.assertEqual(self.try_status(f"{server.url}/metrics-db/api/v1/labels"), 200)
        self.assertEqual(self.try_status(f"{server.url}/api/v1/labels"), 404)
        self.assertEqual(harness.pipit_query("1", "--url", f"{server.url}/metrics-db").stdout, "1\n")

    def try_status(self, url):
        try:
            return harness.request(url).status
        except OSError:
            return None

    # --- the folder

    def test_prometheus_data_is_left_alone_and_told(self):
        data = self.folder.path / "server-data"
        block = data / "01HZX0K9C3T5V7X9Z1B3D5F7H9"
        for path, text in ((block / "meta.json", '{"ulid": "01HZX0K9C3T5V7X9Z1B3D5F7H9", "version": 1}'),
                           (block / "index", "index"), (block / "chunks" / "000001", "chunks"), (block / "tombstones", ""),
                           (data / "wal" / "00000000", "wal"), (data / "wal" / "checkpoint.00000001" / "00000000", "cp"),
                           (data / "chunks_head" / "000001", "head"), (data / "queries.active", "["), (data / "lock", "")):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

        def fingerprint():
            return {str(p.relative_to(data)): (hashlib.sha256(p.read_bytes()).hexdigest(), p.stat().st_mtime_ns)
                    for p in data.rglob("*") if p.is_file()}

        before = fingerprint()
        pages = self.pages()
        server = self.server(ONE_TARGET.format(job="a", port=pages.port)).wait_ready()
        harness.wait_until(lambda: server.query("answer"), "a scrape is stored")
        server.signal(signal.SIGTERM)
        self.assertEqual(server.wait(), 0, server.log())
        after = fingerprint()
        self.assertEqual({k: after.get(k) for k in before}, before)
        own = {name.split("/")[0] for name in after if name not in before}
        self.assertEqual(len(own), 1, f"Pipit keeps to one folder: {own}")
        self.assertRegex(server.log().lower(), "prometheus")

    # --- stopping

    def test_sigterm_and_sigint_stop_cleanly_and_data_stays(self):
        pages = self.pages()
        for number in (signal.SIGTERM, signal.SIGINT):
            server = self.server(ONE_TARGET.format(job="a", port=pages.port)).wait_ready()
            harness.wait_until(lambda: server.query("answer"), "a scrape is stored")
            now = time.time()
            known = server.query("answer[1h]", f"{now:.3f}")[0]["values"]
            server.signal(number)
            self.assertEqual(server.wait(5), 0, server.log())
            again = self.server().wait_ready()
            self.assertLessEqual({tuple(v) for v in known},
                                 {tuple(v) for v in again.query("answer[1h]", f"{now:.3f}")[0]["values"]})
            again.signal(number)
            self.assertEqual(again.wait(5), 0, again.log())

    def test_hanging_target_and_idle_clients_do_not_hold_up_the_end(self):
        hang = harness.PageServer(lambda handler: time.sleep(30))
        self.addCleanup(hang.close)
        server = self.server(ONE_TARGET.format(job="a", port=hang.port)).wait_ready()
        idle = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(50)]
        for connection in idle[:10]:
            connection.sendall(b"GET /api/v1/query?query=up HTTP/1.1\r\nHost: x\r\n")  # and never the end of it
        server.signal(signal.SIGTERM)
        self.assertEqual(server.wait(5), 0, server.log())
        for connection in idle:
            connection.close()

    def test_quit_needs_the_lifecycle_flag(self):
        server = self.server().wait_ready()
        self.assertEqual(harness.request(server.url + "/-/quit", method="POST").status, 403)
        server = self.server(EMPTY, "--web.enable-lifecycle", name="with").wait_ready()
        self.assertEqual(harness.request(server.url + "/-/quit", method="GET").status, 405)
        self.assertEqual(harness.request(server.url + "/-/quit", method="POST").status, 200)
        self.assertEqual(server.wait(5), 0, server.log())

    # --- reloading

    def test_sighup_takes_a_good_configuration_and_refuses_a_bad_one(self):
        pages = self.pages()
        server = self.server(ONE_TARGET.format(job="first", port=pages.port)).wait_ready()
        harness.wait_until(lambda: server.query('answer{job="first"}'), "first is scraped")
        pathlib.Path(server.config).write_text(ONE_TARGET.format(job="second", port=pages.port))
        server.signal(signal.SIGHUP)
        harness.wait_until(lambda: server.query('answer{job="second"}'), "second is scraped")
        self.assertEqual([t["scrapePool"] for t in server.targets()], ["second"])
        # What is no longer scraped ends at once, not after the lookback.
        harness.wait_until(lambda: not server.query('{job="first"}'), "first went stale", timeout=5)
        self.assertIn("second", server.data_of("status/config")["yaml"])

        pathlib.Path(server.config).write_text("global:\n  scrap_interval: 1s\n")
        server.signal(signal.SIGHUP)
        harness.wait_until(lambda: f"{server.config}:2" in server.log(), "the bad configuration is refused")
        self.assertEqual([t["scrapePool"] for t in server.targets()], ["second"])
        self.assertIn("second", server.data_of("status/config")["yaml"])

    def test_reload_over_http(self):
        pages = self.pages()
        server = self.server().wait_ready()
        self.assertEqual(harness.request(server.url + "/-/reload", method="POST").status, 403)
        server = self.server(EMPTY, "--web.enable-lifecycle", name="with").wait_ready()
        pathlib.Path(server.config).write_text(ONE_TARGET.format(job="new", port=pages.port))
        self.assertEqual(harness.request(server.url + "/-/reload", method="POST").status, 200)
        harness.wait_until(lambda: server.query('answer{job="new"}'), "new is scraped")
        pathlib.Path(server.config).write_text("scrape_configs:\n- job_name: a\n  scrape_interval: 1x\n")
        refused = harness.request(server.url + "/-/reload", method="POST")
        self.assertEqual(refused.status, 500)
        self.assertIn(f"{server.config}:3".encode(), refused.body)
        self.assertEqual([t["scrapePool"] for t in server.targets()], ["new"])

    # --- serving

    def test_idle_and_slow_clients_starve_nobody(self):
        server = self.server().wait_ready()
        connections = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(200)]
        for connection in connections[:100]:
            connection.sendall(b"POST /api/v1/query HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nquery=")
        for _ in range(5):
            self.assertEqual(server.query("1")[1], "1")
        for connection in connections:
            connection.close()

    def test_status_pages(self):
        server = self.server().wait_ready()
        self.assertEqual(harness.request(server.url + "/-/healthy").status, 200)
        build = server.data_of("status/buildinfo")
        self.assertLessEqual({"version", "revision", "branch", "buildUser", "buildDate", "goVersion"}, set(build))
        runtime = server.data_of("status/runtimeinfo")
        self.assertLessEqual({"startTime", "CWD", "reloadConfigSuccess", "lastConfigTime", "storageRetention"}, set(runtime))
        self.assertTrue(runtime["reloadConfigSuccess"])
        for path in ("/", "/graph", "/targets"):
            page = harness.request(server.url + path)
            self.assertEqual(page.status, 200, path)
            self.assertIn("text/html", page.headers["Content-Type"])
        self.assertEqual(harness.request(server.url + "/no/such/page").status, 404)
        metrics = harness.request(server.url + "/metrics")
        self.assertIn("text/plain", metrics.headers["Content-Type"])
        checked = subprocess.run([harness.peer("promtool"), "check", "metrics"], input=metrics.body, capture_output=True)
        self.assertEqual((checked.returncode, checked.stdout + checked.stderr), (0, b""))

    def test_compressed_answers(self):
        server = self.server().wait_ready()
        reply = harness.request(server.url + "/api/v1/query?query=vector(1)", headers={"Accept-Encoding": "gzip"})
        self.assertEqual(reply.status, 200)
        body = gzip.decompress(reply.body) if reply.headers.get("Content-Encoding") == "gzip" else reply.body
        self.assertIn(b'"success"', body)

    def test_memory_of_an_idle_server(self):
        server = self.server().wait_ready()
        status = pathlib.Path(f"/proc/{server.process.pid}/status").read_text()
        resident_kb = int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS")))
        self.assertLess(resident_kb, 20 * 1024)
