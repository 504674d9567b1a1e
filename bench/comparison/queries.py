"""Queries as dashboards send them, how long each takes and whether two programs answer alike."""
import http.client
import json
import math
import statistics
import time
import urllib.parse

WARM_RUNS = 5
SECONDS_A_QUERY = 20
TOLERANCE = 1e-9  # relative
HOUR, DAY = 3600, 86400

# (PromQL, seconds of the range that is drawn or 0 for an instant, step). Node Exporter Full's panels, an overview of
# many hosts, alerts' conditions and what somebody asks who looks for what there is. No `topk` where values can tie.
QUERIES = [
    ('sum by (instance) (rate(node_cpu_seconds_total{mode!="idle"}[5m]))', HOUR, 15),
    ('100 - avg by (instance) (rate(node_cpu_seconds_total{mode="idle"}[5m])) * 100', DAY, 300),
    ('sum by (mode) (irate(node_cpu_seconds_total{instance="host-0"}[5m]))', DAY, 60),
    ("1 - node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes", DAY, 300),
    ('node_memory_MemTotal_bytes{instance="host-1"} - node_memory_MemFree_bytes{instance="host-1"}'
     ' - node_memory_Cached_bytes{instance="host-1"} - node_memory_Buffers_bytes{instance="host-1"}', DAY, 60),
    ("topk(5, rate(node_context_switches_total[5m]))", 6 * HOUR, 60),
    ("sum by (instance) (rate(node_disk_read_bytes_total[5m]) + rate(node_disk_written_bytes_total[5m]))", DAY, 300),
    ('node_filesystem_avail_bytes{fstype!~"tmpfs|overlay"} / node_filesystem_size_bytes', DAY, 300),
    ("avg_over_time(node_load1[1h])", DAY, 300),
    ("quantile_over_time(0.95, node_load5[1h])", DAY, 900),
    ('rate(node_network_receive_bytes_total{instance=~"host-1.*",device!~"lo|veth.*"}[5m])', DAY, 120),
    ("avg by (collector) (node_scrape_collector_duration_seconds)", DAY, 300),
    ('{__name__=~"node_netstat_Tcp.*",instance="host-2"}', 6 * HOUR, 60),
    ("sum by (instance) (increase(node_network_receive_bytes_total[1d]))", 0, 0),
    ("count by (job) (node_scrape_collector_success == 1)", 0, 0),
    ('topk(3, count by (__name__) ({__name__=~".+"}))', 0, 0),
    ("predict_linear(node_filesystem_avail_bytes[6h], 86400) < 0 or node_filesystem_files_free", 0, 0),
    ('max_over_time(node_pressure_io_waiting_seconds_total{instance="host-0"}[1d])', 0, 0),
    ("(node_time_seconds - node_boot_time_seconds) / 86400", 0, 0),
]


class Client:
    """One kept-alive connection."""

    def __init__(self, server):
        self.program = server.program
        self.connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=600)

    def ask(self, query, end):
        """The body of the answer and the seconds until its last byte was there."""
        expression, duration, step = query
        form = {"query": expression, **self.program.query_parameters}
        form.update({"start": end - duration, "end": end, "step": step} if duration else {"time": end})
        body = urllib.parse.urlencode(form)
        begin = time.monotonic()
        self.connection.request("POST", "/api/v1/query" + ("_range" if duration else ""), body,
                                {"Content-Type": "application/x-www-form-urlencoded"})
        answer = self.connection.getresponse().read()
        return answer, time.monotonic() - begin


def measure(server, end):
    """For each query {"seconds": median of warm runs, "result": the answer}. The right edge is half a second before
    `end`, so that no window begins at a sample: Prometheus 2.42 would count it and 3.x does not."""
    client = Client(server)
    figures = []
    for query in QUERIES:
        times = []
        begin = time.monotonic()
        answer, first = client.ask(query, end - 0.5)
        while len(times) < WARM_RUNS and time.monotonic() - begin < SECONDS_A_QUERY:
            times.append(client.ask(query, end - 0.5)[1])
        figures.append({"seconds": statistics.median(times or [first]), "result": read(answer)})
    return figures


def read(answer):
    """{labels: {time: value}} or the error's text."""
    content = json.loads(answer)
    if content["status"] != "success":
        return content.get("error", "failed")
    return {tuple(sorted(series["metric"].items())): {round(t * 1000): float(value) for t, value in
                                                      series.get("values") or [series["value"]]}
            for series in content["data"]["result"]}


def agree(one, other):
    """Whether two results have the same series, times and, but for a relative 1e-9, values."""
    if isinstance(one, str) or isinstance(other, str) or one.keys() != other.keys():
        return False
    return all(one[labels].keys() == other[labels].keys() and
               all(close(value, other[labels][t]) for t, value in values.items()) for labels, values in one.items())


def close(a, b):
    return math.isclose(a, b, rel_tol=TOLERANCE) or (math.isnan(a) and math.isnan(b))


def geometric_mean(values):
    return math.exp(statistics.fmean(math.log(value) for value in values))
