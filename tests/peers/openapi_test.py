"""The description at /api/v1/openapi.yaml, held against what the server answers: every path of it exists, every answer has its
schema, and nothing is answered that it does not name."""
import json
import re
import unittest

import jsonschema
import yaml

import harness

PAGE = """# HELP requests_total Requests.
# TYPE requests_total counter
requests_total{path="/",code="200"} 5
# TYPE took_seconds histogram
took_seconds_bucket{le="1"} 1
took_seconds_bucket{le="+Inf"} 2
took_seconds_sum 3
took_seconds_count 2
"""
CONFIG = """
global: {{scrape_interval: 200ms, scrape_timeout: 200ms}}
scrape_configs:
  - job_name: shop
    static_configs: [{{targets: ["127.0.0.1:{port}", "127.0.0.1:{nobody}"]}}]
    relabel_configs: [{{source_labels: [__address__], target_label: host}}]
"""
# Parameters that make an endpoint answer; others are asked for without any.
ASKED = {
    "/query": [{"query": "requests_total"}, {"query": "1"}, {"query": '"text"'}, {"query": "up[1m]"}, {"query": "up", "stats": "all"},
               {"query": "rate(up[1m])", "limit": "1"}],
    "/query_range": [{"query": "up", "start": "now", "end": "now", "step": "15"}],
    "/query_exemplars": [{"query": "took_seconds_bucket", "start": "0", "end": "now"}],
    "/format_query": [{"query": "sum(up)"}],
    "/parse_query": [{"query": "sum by (job) (rate(up[5m])) > 1"}],
    "/series": [{"match[]": "up"}, {"match[]": "up", "limit": "1"}],
    "/labels": [{}, {"match[]": "up"}],
    "/label/{name}/values": [{}],
    "/search/metric_names": [{}, {"search[]": "req", "include_score": "true", "include_metadata": "true"}, {"batch_size": "1"}],
    "/search/label_names": [{"search[]": "cde", "sort_by": "score", "include_score": "1"}],
    "/search/label_values": [{"label": "code"}, {"label": "__name__", "limit": "2", "sort_by": "alpha", "sort_dir": "dsc"}],
    "/targets/relabel_steps": [{"scrapePool": "shop", "labels": '{"__address__":"a:1"}'}],
}
# What changes the server or wants bodies of its own.
NOT_ASKED = {"/write", "/read", "/admin/tsdb/delete_series", "/admin/tsdb/clean_tombstones", "/admin/tsdb/snapshot"}


class OpenApiTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = harness.Folder()
        cls.addClassCleanup(cls.folder.remove)
        pages = harness.PageServer(lambda handler: harness.send_page(handler, PAGE))
        cls.addClassCleanup(pages.close)
        cls.server = harness.Server(harness.PIPIT, cls.folder, CONFIG.format(port=pages.port, nobody=harness.free_port()))
        cls.addClassCleanup(cls.server.kill)
        cls.server.wait_ready()
        harness.wait_until(lambda: cls.server.query("requests_total"), "a scrape")
        reply = cls.server.api("openapi.yaml")
        assert reply.headers.get_content_type() == "application/yaml", reply.headers
        cls.text = reply.body.decode()
        cls.document = yaml.safe_load(cls.text)

    def schema(self, node):
        """A validator of a schema in the document."""
        return jsonschema.Draft202012Validator(node, resolver=jsonschema.RefResolver("", self.document))

    def resolve(self, node):
        while "$ref" in node:
            reference = node["$ref"]
            node = self.document
            for part in reference[2:].split("/"):
                node = node[part]
        return node

    def ask(self, path, method, parameters):
        now = str(int(float(self.server.query("time()")[1])))
        pairs = {k: now if v == "now" else v for k, v in parameters.items()}
        return self.server.api(path.format(name="job").lstrip("/"), pairs, post=method == "post")

    def test_is_openapi_32_when_asked(self):
        self.assertEqual(self.server.api("openapi.yaml", {"openapi_version": "3.2"}).body.decode(), self.text.replace("openapi: 3.1.0", "openapi: 3.2.0", 1))

    def test_is_openapi_31(self):
        self.assertEqual(self.document["openapi"], "3.1.0")
        self.assertEqual(self.document["servers"], [{"url": "/api/v1"}])
        for path, operations in self.document["paths"].items():
            for method, operation in operations.items():
                self.assertIn(method, ("get", "post", "put"))
                self.assertTrue(operation["responses"], path)
                for parameter in map(self.resolve, operation.get("parameters", ())):
                    self.assertLessEqual({"name", "in", "required", "schema"}, set(parameter))
        for name, schema in self.document["components"]["schemas"].items():
            with self.subTest(schema=name):
                jsonschema.Draft202012Validator.check_schema(schema)
        references = set(re.findall(r"#/[\w/]+", self.text))
        for reference in references:
            self.resolve({"$ref": reference})

    def test_every_answer_has_its_schema(self):
        for path, operations in self.document["paths"].items():
            if path in NOT_ASKED:
                continue
            for method, operation in operations.items():
                for parameters in ASKED.get(path, [{}]):
                    with self.subTest(path=path, method=method, parameters=parameters):
                        self.check(path, method, operation, parameters)

    def check(self, path, method, operation, parameters):
        reply = self.ask(path, method, parameters)
        self.assertEqual(reply.status, 200, reply.body[:500])
        (content_type, content), = operation["responses"]["200"]["content"].items()
        self.assertEqual(reply.headers.get_content_type(), content_type)
        validator = self.schema(content["schema"])
        if content_type == "application/yaml":
            return
        lines = reply.body.decode().splitlines() if content_type == "application/x-ndjson" else [reply.body]
        for line in lines:
            validator.validate(json.loads(line))
        if content_type == "application/x-ndjson":
            self.assertEqual(json.loads(lines[-1])["status"], "success")

    def test_parameters_that_are_required_are(self):
        for path, operations in self.document["paths"].items():
            operation = operations.get("get")
            if operation is None:
                continue
            required = [p["name"] for p in map(self.resolve, operation.get("parameters", ())) if p["required"] and p["in"] == "query"]
            for name in required:
                with self.subTest(path=path, parameter=name):
                    good = dict(ASKED[path][0])
                    del good[name]
                    reply = self.ask(path, "get", good)
                    self.assertEqual(reply.status, 400)
                    self.schema({"$ref": "#/components/schemas/Failure"}).validate(reply.json())

    def test_methods_that_it_does_not_name_are_refused(self):
        for path, operations in self.document["paths"].items():
            url = f"{self.server.url}/api/v1{path.format(name='job')}"
            for method in {"get", "post", "put", "delete", "patch"} - set(operations):
                with self.subTest(path=path, method=method):
                    reply = harness.request(url, method=method.upper())
                    self.assertEqual(reply.status, 405)
                    allowed = {m.strip().lower() for m in reply.headers["Allow"].split(",")} - {"head", "options"}
                    self.assertEqual(allowed, set(operations))

    def test_features_name_what_is_there(self):
        features = self.server.data_of("features")
        for name in features["promql_functions"]:
            self.assertRegex(name, r"^[a-z][a-z0-9_]*$")
        for name, enabled in (("admin", False), ("lifecycle", False), ("remote_write_receiver", False), ("openapi_3.1", True), ("openapi_3.2", True)):
            self.assertEqual(features["api"][name], enabled)
        # What is named as there can be parsed.
        for expr, feature in (("up offset 5m", "offset"), ("up @ 1", "at_modifier"), ("up[5m:1m]", "subqueries"), ("up offset -5m", "negative_offset"),
                              ("rate(up[5m] smoothed)", "smoothed"), ("rate(up[5m] anchored)", "anchored"), ("up offset (1m * 2)", "duration_expr"),
                              ("up + fill(0) up", "fill"), ("up + fill_left(0) up", "fill_left")):
            with self.subTest(expr=expr):
                status = self.server.api("parse_query", {"query": expr}).json()["status"]
                self.assertEqual(status == "success", features["promql"][feature])

    def test_search_pages_and_says_that_there_is_more(self):
        reply = self.server.api("search/metric_names", {"limit": "3", "batch_size": "2"})
        lines = [json.loads(line) for line in reply.body.decode().splitlines()]
        self.assertEqual([len(line["results"]) for line in lines[:-1]], [2, 1])
        self.assertEqual(lines[-1], {"status": "success", "has_more": True})
        for parameters, message in (
                ({"fuzz_threshold": "101"}, 'invalid fuzz_threshold "101": must be 0-100'),
                ({"fuzz_alg": "x"}, 'unsupported fuzz_alg "x": must be one of [subsequence jarowinkler]'),
                ({"case_sensitive": "y"}, 'invalid case_sensitive "y": must be boolean'),
                ({"sort_dir": "asc"}, "sort_dir is only valid when sort_by is set"),
                ({"sort_by": "score"}, "sort_by=score requires search[] to be set"),
                ({"sort_by": "x"}, 'invalid sort_by "x" for metric_names: must be "alpha" or "score"'),
                ({"limit": "-1"}, 'invalid limit "-1": must be non-negative integer'),
                ({"batch_size": "x"}, 'invalid batch_size "x": must be non-negative integer')):
            with self.subTest(parameters=parameters):
                reply = self.server.api("search/metric_names", parameters)
                self.assertEqual((reply.status, reply.json()["error"]), (400, message))
