"""The requests that Grafana's Prometheus data source sends (pkg/promlib and packages/grafana-prometheus of grafana/grafana), as a
table, to Pipit and to Debian's Prometheus 2.42 over the same samples: what 2.42 answers, Pipit answers the same."""
import json
import unittest
import urllib.parse

import compare_test
import harness

RELATIVE_TOLERANCE = 1e-12
# What 3.14 answers and 2.42 does not, by endpoint.
ADDED = {
    "query": {"infos"},
    "query_range": {"infos"},
    "status/buildinfo": {"application", "applicationVersion"},  # Pipit's own
    "status/runtimeinfo": {"hostname", "serverTime", "GOMEMLIMIT"},
    "targets": set(),
}

history = None


def setUpModule():
    global history
    history = compare_test.History()
    history.wait()


def tearDownModule():
    history.close()


def start_end(step=1):
    """A range as Grafana aligns it: to the step; seconds as a float without needless digits."""
    return {"start": str((history.start + 60) // step * step), "end": str((history.end - 40) // step * step)}


def in_range():
    return {"start": str(history.start), "end": str(history.end)}


# (name, method, path, parameters as a function). A `method` of FORM is POST with a form, as the data source does by default.
REQUESTS = [
    ("save and test", "FORM", "query", lambda: {"query": "1+1", "time": str(history.end)}),
    ("save and test by GET", "GET", "query", lambda: {"query": "1+1", "time": str(history.end) + ".5"}),
    ("panel, range", "FORM", "query_range", lambda: {"query": "sum by (path) (rate(http_requests_total[1m]))", **start_end(15), "step": "15"}),
    ("panel, range, step of less than a second", "FORM", "query_range",
     lambda: {"query": "memory_bytes", "start": f"{history.start + 100}.25", "end": f"{history.start + 110}.25", "step": "0.5"}),
    ("panel, range, fractional step", "FORM", "query_range",
     lambda: {"query": "temperature_celsius", "start": f"{history.start + 100}.0625", "end": f"{history.end}.0625", "step": "37.5"}),
    ("panel, range, with a timeout", "FORM", "query_range", lambda: {"query": "up{env=\"test\"}", **start_end(60), "step": "60", "timeout": "30s"}),
    ("panel, the same as instant", "FORM", "query",
     lambda: {"query": "sum by (path) (rate(http_requests_total[1m]))", "time": f"{history.end - 40}.789"}),
    ("panel, GET", "GET", "query_range", lambda: {"query": "queue_length", **start_end(20), "step": "20"}),
    ("panel, an expression that fails to parse", "FORM", "query_range", lambda: {"query": "sum(", **start_end(15), "step": "15"}),
    ("panel, too many points", "FORM", "query_range", lambda: {"query": "up", **start_end(15), "step": "0.01"}),
    ("panel, regex of a variable", "FORM", "query_range",
     lambda: {"query": 'http_requests_total{instance=~"(web-1|web-2)",path=~"/login|/größe"}', **start_end(30), "step": "30"}),
    ("panel, heatmap", "FORM", "query_range",
     lambda: {"query": "sum by (le) (increase(request_duration_seconds_bucket[2m]))", **start_end(120), "step": "120"}),
    ("panel, scalar", "FORM", "query", lambda: {"query": "scalar(queue_length{instance=\"web-1\"})", "time": str(history.end)}),
    ("panel, string", "FORM", "query", lambda: {"query": '"text"', "time": str(history.end)}),
    ("annotation", "FORM", "query_range", lambda: {"query": "resets(http_requests_total[2m]) > 0", **start_end(60), "step": "60"}),
    ("exemplars", "FORM", "query_exemplars", lambda: {"query": "request_duration_seconds_bucket", **start_end()}),
    ("exemplars of an expression", "GET", "query_exemplars",
     lambda: {"query": "histogram_quantile(0.9, sum by (le) (rate(request_duration_seconds_bucket[1m])))", **start_end()}),
    ("editor, names of metrics", "GET", "label/__name__/values", lambda: {**in_range(), "limit": "40000"}),
    ("editor, names of a job's metrics", "GET", "label/__name__/values", lambda: {**in_range(), "match[]": '{job="db"}', "limit": "40000"}),
    ("editor, names of labels", "FORM", "labels", lambda: {**in_range(), "limit": "40000"}),
    ("editor, labels of a metric", "FORM", "labels", lambda: {**in_range(), "match[]": "http_requests_total", "limit": "40000"}),
    ("editor, labels with matchers", "GET", "labels", lambda: {**in_range(), "match[]": '{__name__="http_requests_total",code=~"2.."}'}),
    ("editor, values of a label", "GET", "label/code/values", lambda: {**in_range(), "match[]": "http_requests_total", "limit": "40000"}),
    ("editor, values with matchers", "GET", "label/path/values", lambda: {**in_range(), "match[]": '{__name__="http_requests_total",method="GET"}'}),
    ("editor, values where there are none", "GET", "label/nothing/values", lambda: {**in_range()}),
    ("editor, series", "FORM", "series", lambda: {**in_range(), "match[]": '{__name__="memory_bytes"}', "limit": "40000"}),
    ("editor, series of everything", "GET", "series", lambda: {**in_range(), "match[]": '{__name__!=""}', "limit": "40000"}),
    ("editor, series for values", "FORM", "series", lambda: {**in_range(), "match[]": '{room!=""}'}),
    ("editor, bad selector", "FORM", "series", lambda: {**in_range(), "match[]": "{"}),
    ("editor, no selector", "FORM", "series", lambda: {**in_range()}),
    ("editor, metadata", "GET", "metadata", lambda: {}),
    ("editor, metadata, some", "GET", "metadata", lambda: {"metric": "memory_bytes"}),
    ("variable, label_names()", "GET", "labels", in_range),
    ("variable, label_values(label)", "GET", "label/instance/values", in_range),
    ("variable, label_values(metric, label)", "GET", "label/room/values", lambda: {**in_range(), "match[]": "temperature_celsius"}),
    ("variable, label_values(selector, label)", "GET", "label/version/values", lambda: {**in_range(), "match[]": 'build_info{instance=~"web-.*"}'}),
    ("variable, metrics(regex)", "GET", "label/__name__/values", in_range),
    ("variable, query_result(expr)", "GET", "query", lambda: {"query": "topk(3, memory_bytes)", "time": str(history.end)}),
    ("variable, a selector", "GET", "series", lambda: {**in_range(), "match[]": "queue_length"}),
    ("rules", "GET", "rules", lambda: {}),
    ("rules, alerts only", "GET", "rules", lambda: {"type": "alert"}),
    ("alerts", "GET", "alerts", lambda: {}),
    ("alertmanagers", "GET", "alertmanagers", lambda: {}),
    ("scrape pools", "GET", "scrape_pools", lambda: {}),
]


class GrafanaTest(unittest.TestCase):
    maxDiff = 3000

    def send(self, server, method, path, parameters):
        if method == "FORM":
            return server.api(path, parameters, post=True)
        return server.api(path, parameters)

    def ask(self, method, path, parameters):
        ours, theirs = (self.send(server, method, path, parameters) for server in (history.pipit, history.prometheus))
        self.assertEqual(ours.status, theirs.status, ours.body[:300])
        self.assertEqual(ours.headers.get_content_type(), theirs.headers.get_content_type())
        return ours.json(), theirs.json()

    def check(self, method, path, parameters):
        ours, theirs = self.ask(method, path, parameters)
        self.assertEqual(set(ours) - set(theirs) - ADDED.get(path, set()), set(), "fields that 3.14 has not either")
        if theirs["status"] == "error":
            # The wording of a parse error is 3.14's.
            self.assertEqual({k: v for k, v in ours.items() if k != "error"}, {k: v for k, v in theirs.items() if k != "error"})
            return
        self.assertEqual(normal(ours["data"], path), normal(theirs["data"], path))


def normal(data, path):
    """What is compared of an answer: all but the order that none of both promises, and names of what each has of itself."""
    if isinstance(data, dict) and "resultType" in data:
        result = data["result"]
        if data["resultType"] in ("vector", "matrix"):
            result = sorted((sorted(s["metric"].items()), rounded(s.get("values", [s.get("value")]))) for s in result)
        return data["resultType"], result
    if path.startswith("label/__name__"):
        # A scrape's own series are of now, outside the range. Prometheus finds them in its head all the same.
        return [name for name in data if name != "up" and not name.startswith("scrape_")]
    if path == "series":
        return sorted(sorted(series.items()) for series in data)
    return data


def rounded(points):
    return [(at, f"{float(value):.11e}") for at, value in points]


def add_requests():
    for name, method, path, parameters in REQUESTS:
        test = "test_" + "".join(c if c.isalnum() else "_" for c in name)
        assert not hasattr(GrafanaTest, test), test
        setattr(GrafanaTest, test, lambda self, m=method, p=path, q=parameters: self.check(m, p, q()))


add_requests()


class DetectionTest(unittest.TestCase):
    """How Grafana finds out what it speaks to."""

    def data(self, path):
        return history.pipit.data_of(path), history.prometheus.data_of(path)

    def test_build_info_is_that_of_a_newer_prometheus(self):
        ours, theirs = self.data("status/buildinfo")
        self.assertEqual(set(theirs) - set(ours), set())
        self.assertEqual(set(ours) - set(theirs), ADDED["status/buildinfo"])
        self.assertNotIn("features", ours, "Grafana would take it for Mimir")
        version = tuple(map(int, ours["version"].split(".")))
        self.assertGreaterEqual(version, (3, 0, 0))
        self.assertTrue(all(isinstance(value, str) for value in ours.values()))

    def test_newer_fields_of_runtime_info_are_listed(self):
        ours, theirs = self.data("status/runtimeinfo")
        self.assertEqual(set(theirs) - set(ours), set())
        self.assertLessEqual(set(ours) - set(theirs), ADDED["status/runtimeinfo"])

    def test_fields_of_targets(self):
        ours, theirs = self.data("targets")
        for kind in ("activeTargets", "droppedTargets"):
            self.assertEqual([set(t) for t in ours[kind]], [set(t) for t in theirs[kind]])

    def test_flags_and_configuration_are_there(self):
        ours, theirs = self.data("status/flags")
        # Hidden flags of Go's flag library.
        self.assertEqual(set(theirs) - set(ours), {"storage.agent.use-lockfile", "storage.tsdb.use-lockfile", "web.local-assets"})
        ours, theirs = self.data("status/config")
        self.assertEqual(set(ours), set(theirs))

    def test_features_of_314(self):
        reply = history.pipit.api("features")
        self.assertEqual(reply.status, 200)
        features = reply.json()["data"]
        self.assertTrue(features["api"]["label_values_match"])
        self.assertTrue(features["promql_functions"]["rate"])
        self.assertEqual(history.prometheus.api("features").status, 404)

    def test_limits_of_3x_cut_and_say_so(self):
        for method, path, more in (("FORM", "series", {"match[]": '{job="app"}'}), ("FORM", "labels", {}), ("GET", "label/__name__/values", {})):
            form = {**in_range(), **more, "limit": "2"}
            reply = history.pipit.api(path, form, post=method == "FORM").json()
            self.assertEqual(len(reply["data"]), 2, path)
            self.assertEqual(reply["warnings"], ["results truncated due to limit"], path)

    def test_names_in_utf8_as_the_editor_escapes_them(self):
        values = history.pipit.data_of("label/U__code/values", in_range())
        self.assertEqual(values, history.prometheus.data_of("label/code/values", in_range()))

    def test_a_range_longer_than_a_url_allows(self):
        # Variables with many values make expressions of tens of kilobytes.
        many = "|".join(f"host-{n}.example.com" for n in range(1000)) + "|web-1"
        form = {"query": f'queue_length{{instance=~"{many}"}}', "time": str(history.end)}
        ours, theirs = (server.data_of("query", form, post=True) for server in (history.pipit, history.prometheus))
        self.assertEqual(ours, theirs)
        url = f"{history.pipit.url}/api/v1/query?{urllib.parse.urlencode(form)}"
        self.assertEqual(json.loads(harness.request(url).body)["data"], theirs)
