"""Others read from Pipit: a Prometheus that federates, one that remote-reads, vmalert, promtool, and clients over TLS."""
import base64
import ssl
import subprocess
import time
import unittest
import urllib.request

import harness
from remote_write_test import Pages

SOURCE = """
global: {{scrape_interval: 250ms, scrape_timeout: 250ms, external_labels: {{region: eu}}}}
scrape_configs:
  - job_name: app
    static_configs: [{{targets: ["127.0.0.1:{port}"], labels: {{zone: b, "a_first": "ü \\" \\\\"}}}}]
"""
FEDERATES = """
global: {{scrape_interval: 250ms, scrape_timeout: 250ms}}
scrape_configs:
  - job_name: federate
    honor_labels: true
    metrics_path: /federate
    params: {{"match[]": ['{{job="app"}}']}}
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""
REMOTE_READS = """
remote_read:
  - {{url: "{url}/api/v1/read", read_recent: true}}
"""
RULES = """
groups:
  - name: app
    interval: 250ms
    rules:
      - {record: "zone:requests:sum", expr: "sum by (zone) (requests_total)"}
      - {alert: Always, expr: "zero == 0"}
"""
# bcrypt of "secret" at its least cost.
HASH = "$2y$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW"


def by_labels(result):
    """Series by their labels without those that the way added."""
    return {tuple(sorted((k, v) for k, v in r["metric"].items() if k != "region")): r.get("values", r.get("value")) for r in result}


class ReadersTest(unittest.TestCase):
    maxDiff = 2000

    def setUp(self):
        self.folder = harness.Folder()
        self.addCleanup(self.folder.remove)
        self.pages = Pages()
        self.addCleanup(self.pages.server.close)

    def server(self, program, config, name, *flags):
        server = harness.Server(program, self.folder, config, flags, name=name)
        self.addCleanup(server.kill)
        return server.wait_ready()

    def source(self, *flags):
        pipit = self.server(harness.PIPIT, SOURCE.format(port=self.pages.server.port), "pipit", *flags)
        harness.wait_until(lambda: pipit.query("count_over_time(zero[10s]) > 12"), "three seconds of samples")
        return pipit

    def test_prometheus_federates(self):
        pipit = self.source()
        reader = self.server(harness.peer("prometheus"), FEDERATES.format(port=pipit.port), "reader")
        harness.wait_until(lambda: reader.query("count_over_time(zero[10s]) > 4"), "federated samples")
        end = time.time() - 1
        theirs = by_labels(reader.query('{job="app"}[2s]', at=end))
        ours = by_labels(pipit.query('{job="app"}[4s]', at=end))
        self.assertGreaterEqual(len(theirs), 45)
        for labels, samples in theirs.items():
            for sample in samples:
                self.assertIn(sample, ours[labels], labels)
        self.assertEqual({r["metric"].get("region") for r in reader.query('{job="app"}', at=end)}, {"eu"})
        self.assertEqual([t["lastError"] for t in reader.targets()], [""])

    def test_prometheus_remote_reads(self):
        pipit = self.source()
        reader = self.server(harness.peer("prometheus"), REMOTE_READS.format(url=pipit.url), "reader")
        end = time.time() - 0.5
        for expr in ('{job="app"}[5s]', "sum by (path) (rate(requests_total[2s]))", 'requests_total{path=~"/1.*",code!="500"}',
                     "odd", "sometimes", 'up{region="eu"}', "absent(nothing)"):
            theirs, ours = by_labels(reader.query(expr, at=end)), by_labels(pipit.query(expr.replace('{region="eu"}', ""), at=end))
            # NaN is text here, and rates differ in their last digit.
            self.assertEqual(theirs.keys(), ours.keys(), expr)
            if "rate" not in expr:
                self.assertEqual(theirs, ours, expr)

    def test_pipit_remote_reads(self):
        """From Prometheus, which streams its own chunks, and from another Pipit, which streams those that it makes."""
        for program in (harness.peer("prometheus"), harness.PIPIT):
            source = self.server(program, SOURCE.format(port=self.pages.server.port), f"source-{len(program)}")
            harness.wait_until(lambda: source.query("count_over_time(zero[10s]) > 12"), "three seconds of samples")
            reader = self.server(harness.PIPIT, REMOTE_READS.format(url=source.url), f"reader-{len(program)}")
            end = time.time() - 0.5
            for expr in ('{job="app"}[5s]', "sum by (path) (rate(requests_total[2s]))", "odd", "sometimes", "absent(nothing)",
                         'requests_total{path=~"/1.*",code!="500"}'):
                theirs, ours = by_labels(source.query(expr, at=end)), by_labels(reader.query(expr, at=end))
                self.assertEqual(theirs.keys(), ours.keys(), expr)
                if "rate" not in expr:
                    self.assertEqual(theirs, ours, expr)
            source.kill()
            answer = reader.api("query", {"query": "odd"}).json()
            self.assertEqual(answer["data"]["result"], [])
            self.assertIn("remote read", answer["warnings"][0])

    def test_vmalert_evaluates_rules(self):
        pipit = self.source("--web.enable-remote-write-receiver")
        rules = self.folder.write("rules.yml", RULES)
        port = harness.free_port()
        alert = harness.Process([harness.peer("vmalert"), f"-rule={rules}", f"-datasource.url={pipit.url}", "-evaluationInterval=1s",
                                 f"-remoteWrite.url={pipit.url}", "-remoteWrite.flushInterval=100ms", f"-remoteRead.url={pipit.url}",
                                 f"-notifier.url=http://127.0.0.1:{harness.free_port()}", f"-httpListenAddr=127.0.0.1:{port}"], self.folder.path / "vmalert.log")
        self.addCleanup(alert.kill)
        recorded = harness.wait_until(lambda: pipit.query("zone:requests:sum"), "a recorded series")
        self.assertEqual(recorded[0]["metric"]["zone"], "b")
        self.assertGreater(float(recorded[0]["value"][1]), 0)
        harness.wait_until(lambda: pipit.query('ALERTS{alertname="Always",alertstate="firing"}'), "the alert's series")

    def test_promtool_asks(self):
        pipit = self.source()

        def promtool(*arguments):
            run = subprocess.run([harness.peer("promtool"), *arguments], capture_output=True, text=True, timeout=30)
            self.assertEqual(run.returncode, 0, run.stderr)
            return run.stdout

        self.assertIn('zone="b"', promtool("query", "instant", pipit.url, "zero"))
        self.assertIn('path="/7"', promtool("query", "range", pipit.url, "requests_total", "--step=1s"))
        self.assertIn("temperature", promtool("query", "series", pipit.url, '--match={job="app"}'))
        self.assertEqual(promtool("query", "labels", pipit.url, "zone"), "b\n")

    def test_tls_and_passwords(self):
        certificate, key = self.folder.path / "server.pem", self.folder.path / "server.key"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1",
                        "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out",
                        str(certificate)], check=True, capture_output=True)
        web = self.folder.write("web.yml", "tls_server_config: {cert_file: server.pem, key_file: server.key}\n"
                                           f"basic_auth_users: {{alice: {HASH}}}\n")
        check = subprocess.run([harness.peer("promtool"), "check", "web-config", web], capture_output=True, text=True, timeout=30)
        self.assertEqual(check.returncode, 0, check.stderr)
        pipit = harness.Server(harness.PIPIT, self.folder, "scrape_configs: []\n", [f"--web.config.file={web}"], name="pipit")
        self.addCleanup(pipit.kill)
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}),
            urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=str(certificate))))

        def status(password):
            request = urllib.request.Request(f"https://127.0.0.1:{pipit.port}/-/ready")
            if password:
                request.add_header("Authorization", "Basic " + base64.b64encode(f"alice:{password}".encode()).decode())
            try:
                return opener.open(request, timeout=5).status
            except urllib.error.HTTPError as error:
                return error.code
            except OSError:
                return 0

        harness.wait_until(lambda: status("secret") == 200, "an answer to the right password")
        self.assertEqual(status(""), 401)
        self.assertEqual(status("wrong"), 401)
        # Prometheus scrapes it with the same credentials.
        scraper = self.server(harness.peer("prometheus"), f"""
global: {{scrape_interval: 250ms, scrape_timeout: 250ms}}
scrape_configs:
  - job_name: pipit
    scheme: https
    basic_auth: {{username: alice, password: secret}}
    tls_config: {{ca_file: {certificate}}}
    static_configs: [{{targets: ["127.0.0.1:{pipit.port}"]}}]
""", "scraper")
        harness.wait_until(lambda: scraper.query("up == 1"), "a scrape over TLS")
