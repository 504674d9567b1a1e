"""Requests that are wrong, hostile or somebody else's: malformed values of every parameter, held against Debian's Prometheus;
random ones with a seed; paths that try to leave the tree; the usual list of a web scanner; bodies beyond the limit."""
import http.client
import os
import random
import re
import socket
import unittest
import urllib.parse

import harness

RANDOM_REQUESTS = int(os.environ.get("PIPIT_RANDOM_REQUESTS", "1500"))
SEED = int(os.environ.get("PIPIT_RANDOM_SEED", "6"))
CONFIG = "global: {scrape_interval: 1s}\nscrape_configs: []\n"

# Endpoint, parameters, and the message where it differs from 2.42's, which is 3.14's then.
MALFORMED = [
    ("query", "query=up&time=x", None),
    ("query", "query=up&time=1e400", None),
    ("query", "query=up&time=2024-13-01T00:00:00Z", None),
    ("query", "query=up&time=0x10", None),
    ("query", "query=up&time=%20", None),
    ("query", "query=up&timeout=x", None),
    ("query", "query=up&timeout=-", None),
    ("query", "query=up&timeout=1y2", None),
    ("query", "query=up&time=99999999999999999999", "only here"),
    ("query", "time=1", "unknown position"),
    ("query_range", "query=up", None),
    ("query_range", "query=up&start=1", None),
    ("query_range", "query=up&start=1&end=x&step=1", None),
    ("query_range", "query=up&start=1&end=2", None),
    ("query_range", "query=up&start=1&end=2&step=x", None),
    ("query_range", "query=up&start=1&end=2&step=0", None),
    ("query_range", "query=up&start=1&end=2&step=-1", None),
    ("query_range", "query=up&start=1&end=2&step=1e100", None),
    ("query_range", "query=up&start=2&end=1&step=1", None),
    ("query_range", "query=up&start=0&end=1000000&step=1", None),
    ("query_range", "query=up&start=1&end=2&step=1&timeout=x", None),
    ("query_range", "query=up&start=1&end=2&step=NaN", "overflows"),
    ("query_range", "query=up&start=1&end=2&step=Inf", None),
    ("series", "", None),
    ("series", "match[]=up&start=x", None),
    ("series", "match[]=up&end=x", None),
    ("labels", "start=x", None),
    ("labels", "end=2024", "2024 is a time"),
    ("label/job/values", "start=x", None),
    ("query_exemplars", "query=up&start=x", None),
    ("query_exemplars", "query=up&start=2&end=1", None),
    ("metadata", "limit=x", None),
    ("metadata", "limit=1.5", None),
    ("metadata", "limit=99999999999999999999", None),
    ("rules", "type=x", None),
    ("targets", "state=x", "no error"),
]
# Values for random requests: of times, durations, numbers, selectors, expressions, and of nothing of the kind.
VALUES = ["", " ", "0", "1", "-1", "1.5", "1e3", "1e300", "-1e300", "NaN", "Inf", "-Inf", "+5", "x", "now", "5m", "1h30m", "1d12h", "-5m", "0s", "1ms",
          "2024-01-01T00:00:00Z", "2024-01-01T00:00:00.5+02:00", "2024-01-01", "1970-01-01T00:00:00Z", "9223372036854775807", "-9223372036854775808",
          "18446744073709551616", "1700000000.123", "0x1p4", "up", "up{", "{}", '{a="b"}', '{a=~"("}', '{a=~".*"}', "up[5m]", "sum(up)", "1+1", "true", "false",
          "%", "%zz", "\x00", "\n", "ä", "\ud83d\ude00", "é" * 50, "a" * 3000, "[]", "(" * 200, "up" + "+up" * 100, '"', "'", "`", "\\", "a;b", "a&b"]
PARAMETERS = {
    "query": ["query", "time", "timeout", "stats"],
    "query_range": ["query", "start", "end", "step", "timeout", "stats"],
    "series": ["match[]", "start", "end"],
    "labels": ["match[]", "start", "end"],
    "label/job/values": ["match[]", "start", "end"],
    "label/__name__/values": ["match[]", "start", "end"],
    "query_exemplars": ["query", "start", "end"],
    "metadata": ["limit", "metric"],
    "targets": ["state"],
    "targets/metadata": ["match_target", "metric", "limit"],
    "format_query": ["query"],
    "status/tsdb": [],
}
SCANNED = """
/.env /.git/config /.git/HEAD /.svn/entries /.htaccess /.htpasswd /.aws/credentials /.ssh/id_rsa /.DS_Store /.well-known/security.txt
/admin /admin/ /administrator /login /wp-login.php /wp-admin/ /xmlrpc.php /phpmyadmin/ /phpinfo.php /index.php /shell.php /cgi-bin/ /cgi-bin/test.cgi
/cgi-bin/.%2e/.%2e/bin/sh /server-status /server-info /actuator /actuator/env /actuator/heapdump /jmx-console/ /manager/html /solr/ /console /console/
/consoles/prometheus.html /consoles/../prometheus.yml /debug/pprof/ /debug/pprof/heap /debug/vars /static/..%2f..%2fetc/passwd /swagger.json /swagger-ui.html
/api /api/ /api/v1 /api/v1/ /api/v2/alerts /api/v1/nothing /api/v1/label//values /api/v1/label/values /api/v1/admin /api/v1/status /graphql /config.json /config.yml
/prometheus.yml /web.yml /etc/passwd /proc/self/environ /backup.zip /data/ /data/LOCK /db.sql /dump.sql /test /robots.txt /sitemap.xml /crossdomain.xml
/ecp/Current/exporttool /owa/ /HNAP1 /boaform/admin/formLogin /setup.cgi /vendor/phpunit/phpunit/src/Util/PHP/eval-stdin.php /%00 /a%00.html /favicon.ico.bak
""".split()
TRICKS = ["/../etc/passwd", "/../../../../etc/passwd", "/assets/../../../etc/passwd", "/assets/..%2f..%2f..%2fetc/passwd", "/assets/%2e%2e/%2e%2e/etc/passwd",
          "/assets/%252e%252e%252fetc/passwd", "/assets/..\\..\\etc\\passwd", "//etc/passwd", "///etc/passwd", "/./etc/passwd", "/assets/", "/assets/.", "/assets/..",
          "/assets/graph.html", "/assets/a/b/graph.js%00", "/api/v1/../../etc/passwd", "/api/v1/label/../../values", "/assets//etc/passwd", "/%2fetc%2fpasswd",
          "/graph/../../etc/passwd", "/api/v1/query/", "/api/v1/query/x", "/API/V1/query", "/-/", "/-/readyx", "/-/../etc/passwd", "/file:///etc/passwd"]


def raw(port, data):
    """What comes back for these bytes."""
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        connection.settimeout(10)
        connection.sendall(data)
        answer = b""
        try:
            while piece := connection.recv(65536):
                answer += piece
        except (ConnectionResetError, TimeoutError):
            pass
        return answer


class BadRequestsTest(unittest.TestCase):
    maxDiff = 2000

    @classmethod
    def setUpClass(cls):
        cls.folder = harness.Folder()
        cls.addClassCleanup(cls.folder.remove)
        cls.servers = {}
        for name, program in (("pipit", harness.PIPIT), ("prometheus", harness.peer("prometheus"))):
            server = harness.Server(program, cls.folder, CONFIG, name=name)
            cls.addClassCleanup(server.kill)
            cls.servers[name] = server
        for server in cls.servers.values():
            server.wait_ready()
        cls.pipit = cls.servers["pipit"]

    def tearDown(self):
        self.assertTrue(self.pipit.alive(), self.pipit.log()[-2000:])
        self.assertEqual(harness.request(self.pipit.url + "/-/ready").status, 200)

    def status_of(self, path, method="GET"):
        """The status for a path that is sent as it stands."""
        connection = http.client.HTTPConnection("127.0.0.1", self.pipit.port, timeout=10)
        connection.putrequest(method, path, skip_accept_encoding=True)
        connection.endheaders()
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        self.assertNotIn(b"root:", body)
        return answer.status

    def test_messages_are_prometheus_s(self):
        for path, text, newer in MALFORMED:
            pairs = urllib.parse.parse_qsl(text, keep_blank_values=True)
            with self.subTest(path=path, parameters=text):
                ours, theirs = (server.api(path, pairs) for server in self.servers.values())
                if newer in ("no error", "only here"):
                    self.assertEqual(ours.status, 200 if newer == "no error" else 400)
                    continue
                self.assertEqual((ours.status, theirs.status), (theirs.status, theirs.status), ours.body)
                if newer is None:
                    self.assertEqual(ours.json(), theirs.json())

    def test_random_parameters_fare_as_with_prometheus(self):
        dice = random.Random(SEED)
        found = []
        for number in range(RANDOM_REQUESTS):
            path = dice.choice(list(PARAMETERS))
            pairs = []
            for name in PARAMETERS[path]:
                good = {"query": "up", "match[]": "up", "start": "1", "end": "20", "step": "5"}.get(name)
                if good and dice.random() < 0.5:
                    pairs.append((name, good))
                elif dice.random() < 0.7:
                    pairs.append((name, dice.choice(VALUES)))
            if dice.random() < 0.2:
                pairs.append((dice.choice(["query", "limit", "unknown", "start"]), dice.choice(VALUES)))
            post = dice.random() < 0.4 and path in ("query", "query_range", "series", "labels", "query_exemplars", "format_query")
            pairs = [(k, v.encode("utf-8", "surrogatepass") if "\ud83d" in v else v.encode()) for k, v in pairs]
            ours, theirs = (server.api(path, pairs, post=post) for server in self.servers.values())
            if ours.status != theirs.status and not explained(path, pairs, ours, theirs):
                found.append((number, path, pairs, ours.status, ours.body[:200], theirs.status, theirs.body[:200]))
            if ours.status >= 400:
                body = ours.json()
                self.assertEqual(set(body), {"status", "errorType", "error"}, body)
        self.assertEqual(found[:5], [], f"{len(found)} of {RANDOM_REQUESTS} with seed {SEED}")

    def test_broken_escapes_and_encodings(self):
        for query in ("match[]=%zz", "match[]=%", "match[]=up&start=%g1", "%zz=1&match[]=up", "match[]=up&a=%f"):
            with self.subTest(query=query):
                ours, theirs = (harness.request(f"{server.url}/api/v1/series", body=query.encode(), headers={
                    "Content-Type": "application/x-www-form-urlencoded"}) for server in self.servers.values())
                self.assertEqual((ours.status, ours.json()), (theirs.status, theirs.json()))
        # Where Prometheus leaves out what it can't read, it is refused here too.
        self.assertEqual(harness.request(f"{self.pipit.url}/api/v1/query?query=up&time=%g1").status, 400)
        reply = harness.request(f"{self.pipit.url}/api/v1/query", body=b"\x1f\x8b junk", headers={
            "Content-Type": "application/x-www-form-urlencoded", "Content-Encoding": "gzip"})
        self.assertEqual(reply.status, 400)

    def test_scanner_s_list_finds_nothing(self):
        for path in SCANNED:
            for method in ("GET", "HEAD"):
                with self.subTest(path=path, method=method):
                    self.assertIn(self.status_of(path, method), (404, 400) if "%00" in path else (404,))

    def test_paths_do_not_leave_the_tree(self):
        for path in TRICKS:
            with self.subTest(path=path):
                self.assertIn(self.status_of(path), (400, 404))

    def test_methods(self):
        for path in ("/", "/graph", "/metrics", "/-/healthy", "/api/v1/query", "/api/v1/status/config", "/assets/graph.js", "/federate"):
            for method in ("DELETE", "PATCH", "TRACE", "CONNECT", "PROPFIND", "XYZ"):
                with self.subTest(path=path, method=method):
                    answer = raw(self.pipit.port, f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
                    self.assertRegex(answer, rb"^HTTP/1.1 (405|400|501) ")

    def test_lifecycle_and_admin_are_off(self):
        self.assertEqual(harness.request(self.pipit.url + "/-/quit", method="POST").status, 403)
        self.assertEqual(harness.request(self.pipit.url + "/-/reload", method="PUT").status, 403)
        reply = harness.request(self.pipit.url + "/api/v1/admin/tsdb/delete_series", form={"match[]": "up"})
        self.assertEqual((reply.status, reply.json()["errorType"]), (503, "unavailable"))
        self.assertEqual(harness.request(self.pipit.url + "/api/v1/write", body=b"x").status, 404)

    def test_sizes(self):
        form = {"query": "up" + " " * 1_000_000}
        self.assertEqual(self.pipit.api("query", form, post=True).status, 200)
        self.assertEqual(self.status_of("/api/v1/query?query=up&x=" + "a" * 60_000), 200)
        head = b"POST /api/v1/query HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: "
        self.assertRegex(raw(self.pipit.port, head + b"4000000000\r\n\r\n"), rb"^HTTP/1.1 413 ")
        self.assertRegex(raw(self.pipit.port, b"GET /" + b"a" * 300_000 + b" HTTP/1.1\r\n\r\n"), rb"^HTTP/1.1 414 ")
        self.assertRegex(raw(self.pipit.port, b"GET / HTTP/1.1\r\nX: " + b"a" * 300_000 + b"\r\n\r\n"), rb"^HTTP/1.1 431 ")

    def test_answers_say_little_of_the_server(self):
        reply = harness.request(self.pipit.url + "/api/v1/nothing")
        self.assertEqual(reply.status, 404)
        self.assertNotIn("Server", reply.headers)
        self.assertEqual(reply.headers["X-Content-Type-Options"], "nosniff")
        page = harness.request(self.pipit.url + "/graph")
        self.assertIn("default-src 'none'", page.headers["Content-Security-Policy"])


def explained(path, pairs, ours, theirs):
    """What differs on purpose: 3.x has limits; times that no clock can show are refused, where Go makes some other time of them."""
    values = {k: v.decode(errors="replace") for k, v in reversed(pairs)}
    if re.fullmatch(r"-?(\d+(y|w|d|h|ms|m|s))+", values.get("query", "")):
        return True  # a duration is a number since 3.0
    if "NaN" in (values.get("timeout"), values.get("step")) and ours.status == 400:
        return True
    if "limit" in values and ours.status == 400 and "limit" in ours.json()["error"]:
        return True
    impossible = {"1e300", "-1e300", "NaN", "Inf", "-Inf", "9223372036854775807", "-9223372036854775808", "18446744073709551616"}
    return ours.status == 400 and "to a valid timestamp" in ours.json()["error"] and any(
        values.get(name) in impossible for name in ("time", "start", "end"))
