"""The dashboards of tools/grafana for the node exporter, Django and HAProxy: their variables and each of their queries, resolved as
Grafana resolves them, give the same answers on Pipit and on Debian's Prometheus over the same samples of the real exporters."""
import json
import os
import re
import sys
import time
import unittest

import answers
import harness
import remote_write

PAGES = 24
STEP_SECONDS = 15
RELATIVE_TOLERANCE = 1e-9
DASHBOARDS = harness.REPOSITORY / "tools/grafana"
HAPROXY = """
global
  log /dev/null local0
defaults
  mode http
  timeout client 5s
  timeout server 5s
  timeout connect 1s
frontend stats
  bind 127.0.0.1:{haproxy}
  http-request use-service prometheus-exporter if {{ path /metrics }}
frontend shop
  bind 127.0.0.1:{shop}
  http-request deny if {{ path /denied }}
  default_backend django
backend django
  server one 127.0.0.1:{django1}
  server two 127.0.0.1:{django2}
  server gone 127.0.0.1:{nobody} backup
"""
# What django_prometheus adds for databases, caches, models and failures, which the site of the tests does not have.
DATABASE = """
# TYPE django_migrations_unapplied_total gauge
django_migrations_unapplied_total{{connection="default"}} 1
# TYPE django_db_execute_total counter
django_db_execute_total{{alias="default",vendor="postgresql"}} {n}7
# TYPE django_db_new_connections_total counter
django_db_new_connections_total{{alias="default",vendor="postgresql"}} {n}
# TYPE django_db_query_duration_seconds histogram
django_db_query_duration_seconds_bucket{{alias="default",vendor="postgresql",le="0.01"}} {n}2
django_db_query_duration_seconds_bucket{{alias="default",vendor="postgresql",le="0.1"}} {n}6
django_db_query_duration_seconds_bucket{{alias="default",vendor="postgresql",le="+Inf"}} {n}7
# TYPE django_model_inserts_total counter
django_model_inserts_total{{model="order"}} {n}
# TYPE django_model_updates_total counter
django_model_updates_total{{model="order"}} {n}1
# TYPE django_cache_get_total counter
django_cache_get_total{{backend="redis"}} {n}3
# TYPE django_cache_get_hits_total counter
django_cache_get_hits_total{{backend="redis"}} {n}1
# TYPE django_http_exceptions_total_by_view_total counter
django_http_exceptions_total_by_view_total{{view="checkout"}} {n}
# TYPE django_http_exceptions_total_by_type_total counter
django_http_exceptions_total_by_type_total{{type="KeyError"}} {n}
"""
SAMPLE = re.compile(r"([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$")
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def samples_of(page):
    """(labels, value) of a page in text format. Counters are raised: where the first sample of one is close to zero, Prometheus
    2.42 and 3.x extrapolate differently."""
    kinds = {}
    for line in page.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ", 3)
            kinds[name] = kind
        found = SAMPLE.match(line)
        if line.startswith("#") or not found:
            continue
        name, labels, value = found.groups()
        family = re.sub("_(bucket|sum|count)$", "", name)
        counts = kinds.get(name) == "counter" or kinds.get(family) in ("histogram", "summary")
        unescape = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}
        named = {k: re.sub(r'\\[\\"n]', lambda m: unescape[m.group()], v) for k, v in LABEL.findall(labels or "")}
        yield {"__name__": name, **{k: v for k, v in named.items() if v}}, float(value) + (5000 if counts else 0)


class DashboardsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = harness.Folder()
        cls.addClassCleanup(cls.folder.remove)
        cls.ports = {name: harness.free_port() for name in ("node", "django1", "django2", "haproxy", "shop", "nobody")}
        cls.start_exporters()
        # Samples lie at .123 of a second and queries at .5, so that none is on the edge of a window.
        cls.start = int(time.time()) - PAGES * STEP_SECONDS - 60
        cls.end = cls.start + (PAGES - 1) * STEP_SECONDS
        cls.servers = {}
        for name, program in (("pipit", harness.PIPIT), ("prometheus", harness.peer("prometheus"))):
            server = harness.Server(program, cls.folder, "scrape_configs: []\n", ["--web.enable-remote-write-receiver"], name=name)
            cls.addClassCleanup(server.kill)
            cls.servers[name] = server
        for server in cls.servers.values():
            server.wait_ready()
        cls.record()

    @classmethod
    def start_exporters(cls):
        site = str(harness.REPOSITORY / "tests/peers/django_site.py")
        commands = {
            "node": [harness.peer("prometheus-node-exporter"), f"--web.listen-address=127.0.0.1:{cls.ports['node']}"],
            "django1": [sys.executable, site, str(cls.ports["django1"])],
            "django2": [sys.executable, site, str(cls.ports["django2"])],
            "haproxy": [harness.peer("haproxy"), "-db", "-f", cls.folder.write("haproxy.cfg", HAPROXY.format(**cls.ports))],
        }
        libraries = f"{harness.REPOSITORY}/build/peers/usr/lib/x86_64-linux-gnu"
        env = {**os.environ, "LD_LIBRARY_PATH": libraries, "HOME": str(cls.folder.path)}
        for name, command in commands.items():
            process = harness.Process(command, cls.folder.path / f"{name}.log", env=env)
            cls.addClassCleanup(process.kill)
            harness.wait_until(lambda name=name: cls.page(name), f"{name} serves metrics", timeout=60)

    @classmethod
    def page(cls, name):
        try:
            reply = harness.request(f"http://127.0.0.1:{cls.ports[name]}/metrics")
            return reply.body.decode() if reply.status == 200 else None
        except OSError:
            return None

    @classmethod
    def record(cls):
        """Sends the exporters' pages to both servers, as if they had been scraped every 15 s, with requests between them."""
        for number in range(PAGES):
            for path in ("/", "/metrics", "/missing", "/denied")[: 1 + number % 4]:
                harness.request(f"http://127.0.0.1:{cls.ports['shop']}{path}")
            series = []
            at = (cls.start + number * STEP_SECONDS) * 1000 + 123
            for name in ("node", "django1", "django2", "haproxy"):
                target = {"job": name.rstrip("12"), "instance": f"{name}.example:9100"}
                for labels, value in samples_of(cls.page(name) + (DATABASE.format(n=number) if "django" in name else "")):
                    series.append(({**labels, **target}, [(at, value)]))
                series.append(({"__name__": "up", **target}, [(at, 1)]))
            body = remote_write.write_request(series)
            for server in cls.servers.values():
                reply = remote_write.post(server.url + "/api/v1/write", body)
                assert reply.status in (200, 204), reply.body

    def variables(self, dashboard):
        """The values of its variables, each with those before it filled in; both servers must offer the same."""
        chosen = {"datasource": "unused"}
        for variable in dashboard["templating"]["list"]:
            if variable["type"] != "query":
                continue
            query = variable["query"]["query"]
            selector, label = re.fullmatch(r"label_values\((?:(.*), )?(\w+)\)", query).groups()
            pairs = [("start", self.start), ("end", self.end)]
            if selector:
                pairs.append(("match[]", self.resolved(selector, chosen)))
            found = [self.servers[name].data_of(f"label/{label}/values", pairs) for name in ("pipit", "prometheus")]
            self.assertEqual(found[0], found[1], query)
            self.assertTrue(found[0], f"{query} offers nothing")
            # Several values are chosen, as by hand: Grafana joins them as a regular expression.
            chosen[variable["name"]] = "(" + "|".join(re.escape(v).replace("\\", "\\\\") for v in found[0]) + ")"
        return chosen

    @staticmethod
    def resolved(expr, chosen):
        expr = expr.replace("$__rate_interval", "1m").replace("$__interval", "15s").replace("$__range", "300s")
        return re.sub(r"\$(\w+)", lambda m: chosen[m.group(1)], expr)

    def check(self, name):
        dashboard = json.loads((DASHBOARDS / f"{name}.json").read_text())
        chosen = self.variables(dashboard)
        expressions = [(a["name"], a["expr"], False) for a in dashboard["annotations"]["list"]]
        for panel in dashboard["panels"]:
            expressions += [(panel["title"], t["expr"], t["instant"]) for t in panel.get("targets", [])]
        self.assertGreater(len(expressions), 20)
        empty = []
        for title, expr, instant in expressions:
            expr = self.resolved(expr, chosen)
            with self.subTest(panel=title, expr=expr):
                # A panel may be asked both ways, as "Both" in Grafana does it.
                times = {"start": self.start + 60.5, "end": self.end + 0.5, "step": "15"}
                ranged = self.compare("query_range", {"query": expr, **times}, True)
                at_once = self.compare("query", {"query": expr, "time": self.end + 0.5}, expr.startswith("topk"))
                if not (at_once if instant else ranged)["data"]["result"]:
                    empty.append(title)
        return empty

    def compare(self, path, form, ordered):
        ours, theirs = (self.servers[name].api(path, form, post=True).json() for name in ("pipit", "prometheus"))
        self.assertIsNone(answers.difference(ours, theirs, ordered and "topk" not in form["query"], RELATIVE_TOLERANCE))
        return ours

    # Panels that show what has gone wrong are empty when nothing has.
    def test_node_exporter(self):
        empty = self.check("node")
        # A virtual machine may have neither disks nor swap.
        self.assertLessEqual(set(empty), {"Boot", "Full within a day", "Collectors that failed", "Disk throughput", "Disk busy", "Time per read"})

    def test_django(self):
        empty = self.check("django")
        self.assertLessEqual(set(empty), {"Restarts"})

    def test_haproxy(self):
        self.assertLessEqual(set(self.check("haproxy")), {"Restarts", "Share of errors"})

    def test_own_dashboards_variables_are_all_used(self):
        for name in ("node", "django", "haproxy", "pipit"):
            dashboard = json.loads((DASHBOARDS / f"{name}.json").read_text())
            text = json.dumps([dashboard["panels"], dashboard["annotations"], dashboard["templating"]])
            for variable in dashboard["templating"]["list"]:
                self.assertRegex(text, rf"\$\{{?{variable['name']}\b", f"{name}: {variable['name']}")
            ids = [panel["id"] for panel in dashboard["panels"]]
            self.assertEqual(len(ids), len(set(ids)))
