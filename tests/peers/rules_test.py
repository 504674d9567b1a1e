"""Rules and alerts: an Alertmanager hears of them, Prometheus fires the same, and a restart forgets nothing."""
import http.server
import json
import signal
import socket
import threading
import time
import unittest

import harness

RULES = """
groups:
  - name: site
    rules:
      - record: job:up:sum
        expr: sum by (job) (up)
      - alert: Down
        expr: up == 0
        for: {hold}
        labels: {{severity: page, team: '{{{{ if eq $labels.job "shop" }}}}web{{{{ else }}}}ops{{{{ end }}}}'}}
        annotations:
          summary: '{{{{ $labels.job }}}} of {{{{ $externalLabels.site }}}} is down: {{{{ $value }}}}'
          value: '{{{{ with query "queue_length" }}}}{{{{ . | first | value | humanize }}}}{{{{ end }}}}'
      - alert: QueueLong
        expr: queue_length > 100
        labels: {{severity: mail}}
        annotations:
          summary: '{{{{ humanize $value }}}} wait, {{{{ printf "%.1f" $value }}}}'
          bad: '{{{{ humanize "x" }}}}'
"""
CONFIG = """
global: {{scrape_interval: 1s, evaluation_interval: 1s, external_labels: {{site: here}}}}
rule_files: [rules.yml]
alerting:
  alertmanagers:
    - static_configs: [{{targets: [{alertmanagers}]}}]
scrape_configs:
  - job_name: shop
    static_configs: [{{targets: ['127.0.0.1:{shop}']}}]
  - job_name: gone
    static_configs: [{{targets: ['127.0.0.1:1']}}]
"""


class Page:
    """A target whose one metric can be set."""

    def __init__(self):
        self.value = 1
        self.server = harness.PageServer(lambda handler: harness.send_page(handler, f"queue_length {self.value}\n"))
        self.port = self.server.port


class Receiver:
    """Stands in for an Alertmanager that answers as it is told."""

    def __init__(self, status=200):
        self.status, self.alerts, self.requests = status, [], 0
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.requests += 1
                if receiver.status == 200:
                    receiver.alerts += json.loads(body)
                self.send_response(receiver.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class RulesTest(unittest.TestCase):
    def setUp(self):
        self.folder = harness.Folder()
        self.addCleanup(self.folder.remove)
        self.page = Page()
        self.addCleanup(self.page.server.close)

    def server(self, program, alertmanagers=(), hold="2s", name="pipit", flags=(), port=None):
        self.folder.write("rules.yml", RULES.format(hold=hold))
        config = CONFIG.format(shop=self.page.port, alertmanagers=", ".join(f"'127.0.0.1:{p}'" for p in alertmanagers))
        server = harness.Server(program, self.folder, config, flags, name=name, port=port)
        self.addCleanup(server.kill)
        return server.wait_ready()

    def alertmanager(self):
        port = harness.free_port()
        config = self.folder.write("alertmanager.yml", """
route: {receiver: all, group_by: [severity], group_wait: 0s, group_interval: 1s}
receivers: [{name: all}]
""")
        process = harness.Process([harness.peer("prometheus-alertmanager"), f"--config.file={config}",
                                   f"--storage.path={self.folder.path / 'am'}", f"--web.listen-address=127.0.0.1:{port}",
                                   "--cluster.listen-address="], self.folder.path / "am.log")
        self.addCleanup(process.kill)

        def ready():
            try:
                return harness.request(f"http://127.0.0.1:{port}/-/ready", timeout=5).status == 200
            except OSError:
                return False

        harness.wait_until(ready, "Alertmanager is ready")
        return port

    def alerts(self, server):
        """The firing ones, without their times."""
        return sorted((sorted(a["labels"].items()), sorted(a["annotations"].items()))
                      for a in server.data_of("alerts")["alerts"] if a["state"] == "firing")

    def active_since(self, server, name, job=None):
        for alert in server.data_of("alerts")["alerts"]:
            if alert["labels"]["alertname"] == name and job in (None, alert["labels"].get("job")):
                return alert["state"], alert["activeAt"]
        return None

    def test_an_alertmanager_receives_groups_and_resolves(self):
        port = self.alertmanager()
        pipit = self.server(harness.PIPIT, [port])
        url = f"http://127.0.0.1:{port}/api/v2"
        self.page.value = 1234567

        def groups():
            answer = harness.request(url + "/alerts/groups?silenced=false").json()
            return {g["labels"]["severity"]: {a["labels"]["alertname"] for a in g["alerts"]} for g in answer}

        harness.wait_until(lambda: groups() == {"page": {"Down"}, "mail": {"QueueLong"}}, "both groups are there")
        down = next(a for a in harness.request(url + "/alerts?filter=alertname=Down").json())
        self.assertEqual(down["labels"], {"alertname": "Down", "instance": "127.0.0.1:1", "job": "gone", "severity": "page",
                                          "site": "here", "team": "ops"})
        self.assertEqual(down["annotations"]["summary"], "gone of here is down: 0")
        self.assertIn("/graph?g0.expr=up+%3D%3D+0&g0.tab=1", down["generatorURL"])
        self.page.value = 1
        harness.wait_until(lambda: groups() == {"page": {"Down"}}, "the queue's alert is resolved")
        self.assertEqual(pipit.data_of("alertmanagers")["activeAlertmanagers"], [{"url": url + "/alerts"}])

    def test_prometheus_fires_the_same(self):
        prometheus = self.server(harness.peer("prometheus"), name="prometheus")
        pipit = self.server(harness.PIPIT)
        self.page.value = 1234567
        harness.wait_until(lambda: len(self.alerts(pipit)) == 2 and len(self.alerts(prometheus)) == 2, "both fire")
        theirs, ours = self.alerts(prometheus), self.alerts(pipit)
        self.assertEqual([labels for labels, _ in ours], [labels for labels, _ in theirs])
        for (_, a), (_, b) in zip(ours, theirs):
            a, b = dict(a), dict(b)
            # The place within the template is a byte in one and another in the other.
            self.assertEqual(a.pop("bad", "").startswith("<error expanding template: error executing template "),
                             b.pop("bad", "").startswith("<error expanding template: error executing template "))
            self.assertEqual(a, b)
        for server in (pipit, prometheus):
            series = {(tuple(sorted(r["metric"].items())), r["value"][1]) for r in server.query('{__name__=~"ALERTS|job:up:sum"}')}
            if server is pipit:
                expected = series
        self.assertEqual(series, expected)
        keys = [set(r) for g in pipit.data_of("rules")["groups"] for r in g["rules"]]
        for ours, theirs in zip(keys, [set(r) for g in prometheus.data_of("rules")["groups"] for r in g["rules"]]):
            self.assertLessEqual(theirs, ours)

    def test_a_restart_keeps_the_state(self):
        flags = ("--rules.alert.for-grace-period=1s",)
        for hold, state in (("60s", "pending"), ("3s", "firing")):
            with self.subTest(state=state):
                name = "pipit-" + state
                pipit = self.server(harness.PIPIT, hold=hold, name=name, flags=flags)
                harness.wait_until(lambda: (self.active_since(pipit, "Down") or [""])[0] == state, f"it is {state}")
                time.sleep(6)
                before = self.active_since(pipit, "Down")[1]
                pipit.signal(signal.SIGKILL)
                pipit.wait()
                begin = time.time()
                pipit = self.server(harness.PIPIT, hold=hold, name=name, flags=flags, port=pipit.port)
                seconds = lambda text: time.mktime(time.strptime(text[:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone

                def restored():
                    now = self.active_since(pipit, "Down")
                    return now and now[0] == state and seconds(now[1]) < begin - 1 and now

                now = harness.wait_until(restored, "the alert is active since before the restart")
                # While it was pending the time away does not count; once it fires it is active since then.
                self.assertGreaterEqual(seconds(now[1]), seconds(before) - 1)
                if state == "firing":
                    self.assertLessEqual(seconds(now[1]), seconds(before) + 1)
                pipit.stop()

    def test_alertmanagers_that_fail_delay_nobody(self):
        hanging = socket.socket()
        hanging.bind(("127.0.0.1", 0))
        hanging.listen(1)
        self.addCleanup(hanging.close)
        failing, good = Receiver(500), Receiver()
        self.addCleanup(failing.close)
        self.addCleanup(good.close)
        refusing = harness.free_port()
        pipit = self.server(harness.PIPIT, [hanging.getsockname()[1], failing.port, good.port, refusing],
                            flags=("--rules.alert.resend-delay=1s",))
        harness.wait_until(lambda: len(good.alerts) >= 3, "the good one hears of the alert again and again")
        groups = pipit.data_of("rules")["groups"]
        self.assertLess(groups[0]["evaluationTime"], 0.5)
        metrics = harness.request(pipit.url + "/metrics").body.decode()
        self.assertIn('prometheus_rule_group_iterations_missed_total{rule_group="' + groups[0]["file"] + ';site"} 0', metrics)
        self.assertRegex(metrics, f'prometheus_notifications_errors_total{{alertmanager="http://127.0.0.1:{failing.port}/api/v2/alerts"}} [1-9]')
        failing.status = 200
        harness.wait_until(lambda: failing.alerts, "what failed is sent again")

    def test_a_bad_rule_file_is_refused_and_the_old_one_stays(self):
        pipit = self.server(harness.PIPIT, flags=("--web.enable-lifecycle",))
        self.folder.write("rules.yml", "groups: [{name: a, rules: [{record: x, expr: 'sum('}]}]\n")
        answer = harness.request(pipit.url + "/-/reload", form={})
        self.assertEqual(answer.status, 500)
        self.assertIn("rules.yml:1:", answer.body.decode())
        self.assertEqual([g["name"] for g in pipit.data_of("rules")["groups"]], ["site"])
        self.folder.write("rules.yml", "groups: [{name: a, rules: [{record: x, expr: 'vector(1)'}]}]\n")
        self.assertEqual(harness.request(pipit.url + "/-/reload", form={}).status, 200)
        self.assertEqual([g["name"] for g in pipit.data_of("rules")["groups"]], ["a"])
        harness.wait_until(lambda: pipit.query("x"), "the new rule records")

    def test_filters_and_pages(self):
        pipit = self.server(harness.PIPIT)
        names = lambda **k: [r["name"] for g in pipit.data_of("rules", k)["groups"] for r in g["rules"]]
        self.assertEqual(names(), ["job:up:sum", "Down", "QueueLong"])
        self.assertEqual(names(type="alert"), ["Down", "QueueLong"])
        self.assertEqual(names(**{"rule_name[]": "Down"}), ["Down"])
        self.assertEqual(names(**{"match[]": '{severity="mail"}'}), ["QueueLong"])
        self.assertEqual(names(**{"rule_group[]": "other"}), [])
        self.folder.write("rules.yml", "groups:" + "".join(
            f"\n- {{name: g{i}, rules: [{{record: x{i}, expr: 'vector(1)'}}]}}" for i in range(5)) + "\n")
        pipit.signal(signal.SIGHUP)
        harness.wait_until(lambda: len(pipit.data_of("rules")["groups"]) == 5, "five groups")
        seen, token = [], None
        for _ in range(4):
            page = pipit.data_of("rules", {"group_limit": 2, **({"group_next_token": token} if token else {})})
            seen += [g["name"] for g in page["groups"]]
            token = page.get("groupNextToken")
            if not token:
                break
        self.assertEqual(seen, [f"g{i}" for i in range(5)])
        self.assertEqual(pipit.api("rules", {"group_limit": 2, "group_next_token": "x"}).status, 400)


if __name__ == "__main__":
    unittest.main()
