"""The exporters that a website's machine has, scraped for real by Pipit and by Debian's Prometheus with the same jobs: both must
find the same series."""
import os
import sys
import unittest

import harness

# The jobs are as the exporters' documentation recommends them. Prometheus 2.42 and Pipit read the same text.
JOBS = """
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
  - job_name: node
    static_configs: [{{targets: ["127.0.0.1:{node}"]}}]
  - job_name: django
    static_configs: [{{targets: ["127.0.0.1:{worker1}", "127.0.0.1:{worker2}", "127.0.0.1:{worker3}"]}}]
  - job_name: haproxy
    static_configs: [{{targets: ["127.0.0.1:{haproxy}"]}}]
  - job_name: caddy
    static_configs: [{{targets: ["127.0.0.1:{caddy}"]}}]
  - job_name: alertmanager
    static_configs: [{{targets: ["127.0.0.1:{alertmanager}"]}}]
  - job_name: pushgateway
    honor_labels: true
    static_configs: [{{targets: ["127.0.0.1:{pushgateway}"]}}]
  - job_name: blackbox
    metrics_path: /probe
    params: {{module: [http_2xx]}}
    static_configs: [{{targets: ["http://127.0.0.1:{caddy}/metrics", "http://127.0.0.1:{nobody}/"]}}]
    relabel_configs:
      - source_labels: [__address__]
        target_label: __param_target
      - source_labels: [__param_target]
        target_label: instance
      - target_label: __address__
        replacement: 127.0.0.1:{blackbox}
  - job_name: by_file
    file_sd_configs: [{{files: ["{folder}/targets/*.json"]}}]
    relabel_configs:
      - source_labels: [__meta_filepath]
        regex: .*/(.*)\\.json
        target_label: file
  - job_name: by_http
    http_sd_configs: [{{url: "http://127.0.0.1:{discovery}/targets"}}]
"""

HAPROXY = """
defaults
  mode http
  timeout client 5s
  timeout server 5s
  timeout connect 5s
frontend stats
  bind 127.0.0.1:{port}
  http-request use-service prometheus-exporter if {{ path /metrics }}
"""
CADDY = """
{{
  admin off
  auto_https off
}}
http://127.0.0.1:{port} {{
  metrics /metrics
}}
"""
BLACKBOX = "modules: {http_2xx: {prober: http, timeout: 1s}}\n"
ALERTMANAGER = "route: {receiver: none}\nreceivers: [{name: none}]\n"
PUSHED = "# TYPE backup_duration_seconds gauge\nbackup_duration_seconds 12.5\n"


class ExportersTest(unittest.TestCase):
    maxDiff = 2000

    @classmethod
    def setUpClass(cls):
        cls.folder = harness.Folder()
        cls.addClassCleanup(cls.folder.remove)
        names = ("node", "worker1", "worker2", "worker3", "haproxy", "caddy", "alertmanager", "pushgateway", "blackbox", "nobody")
        cls.ports = {name: harness.free_port() for name in names}
        port = cls.ports
        cls.start_exporters(port)
        discovery = harness.PageServer(cls.answer_targets)
        cls.addClassCleanup(discovery.close)
        cls.folder.write("targets/node.json", f'[{{"targets": ["127.0.0.1:{port["node"]}"], "labels": {{"site": "shop"}}}}]')
        harness.request(f"http://127.0.0.1:{port['pushgateway']}/metrics/job/backup/instance/db", body=PUSHED.encode())
        config = JOBS.format(folder=cls.folder.path, discovery=discovery.port, **port)
        cls.servers = {}
        for name, program in (("pipit", harness.PIPIT), ("prometheus", harness.peer("prometheus"))):
            server = harness.Server(program, cls.folder, config, name=name)
            cls.addClassCleanup(server.kill)
            cls.servers[name] = server
        for server in cls.servers.values():
            server.wait_ready()

            def all_scraped():
                targets = server.targets()
                return len(targets) == 12 and all(t["health"] != "unknown" for t in targets)

            harness.wait_until(all_scraped, f"{server.program} has scraped 12 targets", timeout=60)

    @classmethod
    def answer_targets(cls, handler):
        body = f'[{{"targets": ["127.0.0.1:{cls.ports["caddy"]}"], "labels": {{"from": "http"}}}}]'.encode()
        handler.send_response(200)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    @classmethod
    def start_exporters(cls, port):
        def address(name):
            return f"127.0.0.1:{port[name]}"

        site = str(harness.REPOSITORY / "tests/peers/django_site.py")
        write = cls.folder.write
        commands = {
            "node": [harness.peer("prometheus-node-exporter"), f"--web.listen-address={address('node')}"],
            "haproxy": [harness.peer("haproxy"), "-db", "-f", write("haproxy.cfg", HAPROXY.format(port=port["haproxy"]))],
            "caddy": [harness.peer("caddy"), "run", "--adapter", "caddyfile", "--config",
                      write("Caddyfile", CADDY.format(port=port["caddy"]))],
            "alertmanager": [*cls.with_shared_files(), harness.peer("prometheus-alertmanager"), f"--config.file={write('am.yml', ALERTMANAGER)}",
                             f"--storage.path={cls.folder.path}/am", f"--web.listen-address={address('alertmanager')}",
                             "--cluster.listen-address="],
            "pushgateway": [harness.peer("prometheus-pushgateway"), f"--web.listen-address={address('pushgateway')}"],
            "blackbox": [harness.peer("prometheus-blackbox-exporter"), f"--config.file={write('blackbox.yml', BLACKBOX)}",
                         f"--web.listen-address={address('blackbox')}"],
        }
        for worker in ("worker1", "worker2", "worker3"):
            commands[worker] = [sys.executable, site, str(port[worker])]
        libraries = f"{harness.REPOSITORY}/build/peers/usr/lib/x86_64-linux-gnu"
        env = {**os.environ, "LD_LIBRARY_PATH": libraries, "HOME": str(cls.folder.path)}
        started = {}
        for name, command in commands.items():
            started[name] = harness.Process(command, cls.folder.path / f"{name}.log", env=env)
            cls.addClassCleanup(started[name].kill)
        for name, process in started.items():
            def answers():
                assert process.alive(), f"{name}: {process.log()}"
                try:
                    return harness.request(f"http://{address(name)}/metrics").status == 200
                except OSError:
                    return False

            harness.wait_until(answers, f"{name} serves metrics", timeout=60)

    @staticmethod
    def with_shared_files():
        """Debian's Alertmanager reads templates from /usr/share: what is only unpacked is laid over it, for that process alone."""
        if os.path.exists("/usr/share/prometheus/alertmanager/default.tmpl"):
            return []
        overlay = f"mount -t overlay overlay -o lowerdir={harness.REPOSITORY}/build/peers/usr/share:/usr/share /usr/share"
        return ["unshare", "-rm", "sh", "-c", overlay + ' && exec "$@"', "sh"]

    def both(self, ask):
        return ask(self.servers["pipit"]), ask(self.servers["prometheus"])

    def test_targets_have_the_same_labels_and_health(self):
        def targets(server):
            return sorted((t["scrapePool"], t["scrapeUrl"], sorted(t["labels"].items()), t["health"]) for t in server.targets())

        ours, theirs = self.both(targets)
        self.assertEqual(ours, theirs)

    def test_discovered_labels_are_the_same(self):
        def labels(server):
            return sorted(sorted((k, v) for k, v in t["discoveredLabels"].items()) for t in server.targets())

        ours, theirs = self.both(labels)
        self.assertEqual(ours, theirs)

    def test_both_find_the_same_series(self):
        for job in ("node", "django", "haproxy", "caddy", "alertmanager", "pushgateway", "blackbox", "by_file", "by_http"):
            with self.subTest(job=job):
                # The pushed series keep the job that they were pushed with.
                selector = '{job=~"pushgateway|backup"}' if job == "pushgateway" else f'{{job="{job}"}}'

                def same():
                    ours, theirs = self.both(lambda server: self.series(server, selector))
                    return ours == theirs and len(ours) > 5

                try:
                    harness.wait_until(same, f"the series of {job} are the same", timeout=20, interval=0.5)
                except AssertionError:
                    ours, theirs = self.both(lambda server: self.series(server, selector))
                    self.assertEqual(sorted(ours - theirs), [], "only here")
                    self.assertEqual(sorted(theirs - ours), [], "only there")
                    raise

    @staticmethod
    def series(server, selector):
        """The series as sets of labels. `le` and `quantile` are numbers, which 3.x writes as floats."""
        out = set()
        for sample in server.query(selector):
            labels = dict(sample["metric"])
            for name in ("le", "quantile"):
                if name in labels:
                    labels[name] = str(float(labels[name]))
            out.add(tuple(sorted(labels.items())))
        return out


if __name__ == "__main__":
    unittest.main()
