"""The same alerts and configuration lead Debian's Alertmanager and Pipit to the same notifications in the same groups."""
import concurrent.futures
import datetime
import json
import random
import time
import unittest

import harness
from receivers import Webhook

JSON = {"Content-Type": "application/json"}
ALWAYS = "[{times: [{start_time: '00:00', end_time: '24:00'}]}]"
NEVER = "[{years: ['1990:1991']}]"

# Of each: the configuration, where WEB is the webhook, and what is done with it. A step is a list of alerts to post, as
# "name key=value ..." with a "-" before those that are over; a silence is "silence: matcher ..."; a number waits, such
# that steps fall between the flushes of groups and not on one.
CASES = {
    "grouping": ("""
route:
  receiver: root
  group_by: [alertname, site]
  group_wait: 500ms
  group_interval: 1500ms
  repeat_interval: 1h
receivers: [{name: root, webhook_configs: [{url: WEB/root}]}]
""", [["Down site=a host=1", "Down site=a host=2", "Down site=b host=1", "Slow site=a"], 3,
      ["Down site=a host=3", "-Down site=b host=1"], 3, ["-Down site=a host=1"], 3,
      ["-Down site=a host=2", "-Down site=a host=3", "-Slow site=a"], 3]),
    "all labels apart": ("""
route: {receiver: root, group_by: ['...'], group_wait: 300ms, group_interval: 1s, repeat_interval: 1h}
receivers: [{name: root, webhook_configs: [{url: WEB/root}]}]
""", [["Down host=1", "Down host=2", "Slow"], 1.8, ["-Down host=1"], 2.5]),
    "one group, resolved unwanted": ("""
route: {receiver: root, group_wait: 300ms, group_interval: 1s, repeat_interval: 1h}
receivers: [{name: root, webhook_configs: [{url: WEB/root, send_resolved: false}, {url: WEB/second}]}]
""", [["Down host=1", "Down host=2"], 1.8, ["-Down host=1"], 3, ["-Down host=2"], 2.5]),
    "routes and continue": ("""
route:
  receiver: root
  group_by: [alertname]
  group_wait: 300ms
  group_interval: 1s
  repeat_interval: 1h
  routes:
    - matchers: [severity=~"page|call"]
      receiver: pager
      continue: true
      routes:
        - {matchers: ['team="db"'], receiver: db, group_by: [team, host]}
        - {match_re: {team: 'web|shop'}, receiver: web}
    - {matchers: ['severity!="info"', 'site="a"'], receiver: site}
    - {match: {severity: info}, receiver: quiet}
    - {matchers: ['{odd=~".+", severity="x"}'], receiver: db}
receivers:
  - {name: root, webhook_configs: [{url: WEB/root}]}
  - {name: pager, webhook_configs: [{url: WEB/pager}]}
  - {name: db, webhook_configs: [{url: WEB/db}]}
  - {name: web, webhook_configs: [{url: WEB/web}]}
  - {name: site, webhook_configs: [{url: WEB/site, max_alerts: 1}]}
  - {name: quiet}
""", [["A severity=page team=db host=1 site=a", "A severity=page team=db host=2", "B severity=call team=shop site=a",
       "B severity=page team=other site=b", "C severity=info site=a", "D", "E severity=x site=a", "E severity=x site=a host=9",
       "F severity=x odd=y"], 2.8, ["-A severity=page team=db host=1 site=a", "-D"], 2.5]),
    "inhibition": ("""
route: {receiver: root, group_by: [alertname], group_wait: 500ms, group_interval: 1s, repeat_interval: 1h}
inhibit_rules:
  - {source_matchers: ['severity="critical"'], target_matchers: ['severity=~"warning|info"'], equal: [site]}
  - {source_match: {alertname: Power}, target_match_re: {alertname: 'Down|Power'}, equal: [room]}
receivers: [{name: root, webhook_configs: [{url: WEB/root}]}]
""", [["Hot severity=critical site=a", "Warm severity=warning site=a", "Warm severity=warning site=b", "Mild severity=info site=a",
       "Power room=1", "Down room=1 host=1", "Down room=2 host=2", "Down host=3"], 3,
      ["-Hot severity=critical site=a", "-Power room=1"], 3.5]),
    "silences": ("""
route: {receiver: root, group_by: [alertname], group_wait: 700ms, group_interval: 1s, repeat_interval: 1h}
receivers: [{name: root, webhook_configs: [{url: WEB/root}]}]
""", ["silence: host=1", "silence: alertname=~S.* site!=a", 0.5,
      ["Down host=1", "Down host=2", "Slow site=a", "Slow site=b", "Slow"], 3.2, ["-Down host=1", "-Down host=2"], 2.5]),
    "mute and active times": (f"""
route:
  receiver: root
  group_wait: 300ms
  group_interval: 1s
  repeat_interval: 1h
  group_by: [alertname]
  routes:
    - {{matchers: [alertname=Muted], receiver: root, mute_time_intervals: [always]}}
    - {{matchers: [alertname=Unmuted], receiver: root, mute_time_intervals: [never]}}
    - {{matchers: [alertname=Active], receiver: root, active_time_intervals: [always]}}
    - {{matchers: [alertname=Inactive], receiver: root, active_time_intervals: [never]}}
receivers: [{{name: root, webhook_configs: [{{url: WEB/root}}]}}]
mute_time_intervals: [{{name: always, time_intervals: {ALWAYS}}}]
time_intervals: [{{name: never, time_intervals: {NEVER}}}]
""", [["Muted", "Unmuted", "Active", "Inactive", "Other"], 3]),
    "repeat": ("""
route: {receiver: root, group_wait: 300ms, group_interval: 1s, repeat_interval: 2500ms}
receivers: [{name: root, webhook_configs: [{url: WEB/root}]}]
""", [["Down host=1"], 5.8]),
}


def alert_of(text, now, since):
    """It begins when it is first said: what is older than group_wait is told at once, while others still come in."""
    name, *pairs = text.lstrip("-").split()
    labels = {"alertname": name, **dict(pair.split("=") for pair in pairs)}
    alert = {"labels": labels, "annotations": {"summary": f"{name} it is", "odd": "<b>\"ü\" & 'x'</b>"},
             "startsAt": since.setdefault(text.lstrip("-"), now.isoformat()), "generatorURL": f"http://prometheus.example/{name}"}
    if text.startswith("-"):
        alert["endsAt"] = now.isoformat()
    else:
        alert["endsAt"] = (now + datetime.timedelta(hours=1)).isoformat()
    return alert


def silence_of(text, now):
    matchers = []
    for word in text.split():
        name, sign, value = next((word.partition(s)) for s in ("!=", "=~", "=") if s in word)
        matchers.append({"name": name, "value": value, "isRegex": "~" in sign, "isEqual": sign != "!="})
    return {"matchers": matchers, "startsAt": now.isoformat(), "endsAt": (now + datetime.timedelta(hours=1)).isoformat(),
            "createdBy": "test", "comment": "none"}


def comparable(request):
    """A notification without what differs between two programs and two runs."""
    body = dict(request["body"], externalURL="", path=request["path"])
    for alert in body["alerts"]:
        alert["startsAt"] = "since"
        if alert["endsAt"].startswith("20"):
            alert["endsAt"] = "over"
    body["alerts"] = sorted(body["alerts"], key=lambda a: json.dumps(a["labels"], sort_keys=True))
    return json.dumps(body, sort_keys=True)


def play(url, webhook, steps):
    """Does the steps; gives the notifications, in order of each group."""
    since = {}
    for step in steps:
        now = datetime.datetime.now(datetime.timezone.utc)
        if isinstance(step, (int, float)):
            time.sleep(step)
            continue
        if isinstance(step, str):
            answer = harness.request(url + "/api/v2/silences", headers=JSON,
                                     body=json.dumps(silence_of(step.removeprefix("silence:"), now)).encode())
        else:
            answer = harness.request(url + "/api/v2/alerts", headers=JSON,
                                     body=json.dumps([alert_of(text, now, since) for text in step]).encode())
        assert answer.status == 200, answer.body
    groups = {}
    for request in list(webhook.requests):
        groups.setdefault((request["path"], request["body"]["groupKey"]), []).append(comparable(request))
    return groups


NAMES, VALUES = ("a", "b", "c", "d"), ("x", "y", "z", "xx", "")


def random_matcher(dice):
    operator = dice.choice(("=", "!=", "=~", "!~"))
    value = dice.choice(("x|y", ".*", "x.*", "", "[xz]+", "y?") if "~" in operator else VALUES)
    return f'{dice.choice(NAMES)}{operator}"{value}"'


def random_routes(dice):
    """A configuration as JSON, which is YAML: a tree of routes of every kind, and rules of inhibition."""
    def route(depth):
        it = {"receiver": f"r{dice.randrange(6)}", "routes": [route(depth + 1) for _ in range(dice.randrange(4))] if depth < 3 else []}
        for key, odds, make in (("matchers", .8, lambda: [random_matcher(dice) for _ in range(dice.randint(1, 2))]),
                                ("match", .2, lambda: {dice.choice(NAMES): dice.choice(VALUES)}),
                                ("match_re", .2, lambda: {dice.choice(NAMES): "x|y"}), ("continue", .4, lambda: True),
                                ("group_by", .4, lambda: dice.choice((["a"], ["a", "b"], ["..."], [], ["nope"])))):
            if dice.random() < odds:
                it[key] = make()
        if dice.random() < .3:
            del it["receiver"]
        return it

    inhibitions = [{"source_matchers": [random_matcher(dice)], "target_matchers": [random_matcher(dice)], "equal": dice.sample(NAMES, 2)}
                   for _ in range(3)]
    return json.dumps({"route": {"receiver": "r0", "group_by": ["c"], "group_wait": "1h", "routes": [route(1) for _ in range(5)]},
                       "receivers": [{"name": f"r{i}"} for i in range(6)], "inhibit_rules": inhibitions})


def random_alerts(dice):
    return [{"labels": {"alertname": f"A{i}", **{name: value for name in NAMES if (value := dice.choice(VALUES))}}} for i in range(200)]


def random_silences(dice):
    now = datetime.datetime.now(datetime.timezone.utc)
    return [silence_of(" ".join(dice.choice(NAMES) + dice.choice(("=", "!=", "=~")) + dice.choice(("x", "y", "x|z", "xx")) for _ in range(2)), now)
            for _ in range(4)]


def outcome_of(url, alerts, silences):
    """Each alert's receivers, state and what silences it; each group's labels, receiver and alerts."""
    ids = []
    for silence in silences:
        ids.append(json.loads(harness.request(url + "/api/v2/silences", body=json.dumps(silence).encode(), headers=JSON).body)["silenceID"])
    assert harness.request(url + "/api/v2/alerts", body=json.dumps(alerts).encode(), headers=JSON).status == 200

    def get(path):
        return json.loads(harness.request(url + "/api/v2/" + path).body)

    harness.wait_until(lambda: sum(len(g["alerts"]) for g in get("alerts/groups")) >= len(alerts) == len(get("alerts")), "all are in groups")
    found = {alert["fingerprint"]: (alert["labels"], [receiver["name"] for receiver in alert["receivers"]], alert["status"]["state"],
                                    sorted(ids.index(each) for each in alert["status"]["silencedBy"]), bool(alert["status"]["inhibitedBy"]))
             for alert in get("alerts")}
    groups = sorted((json.dumps(group["labels"], sort_keys=True), group["receiver"]["name"],
                     sorted(alert["fingerprint"] for alert in group["alerts"])) for group in get("alerts/groups"))
    return found, groups


class DeliveryCompareTest(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.folder = harness.Folder()
        self.addCleanup(self.folder.remove)

    def start(self, program, name, config):
        """The URL of a running one, and its webhook."""
        webhook = Webhook()
        self.addCleanup(webhook.close)
        path = self.folder.write(f"{name}-alertmanager.yml", config.replace("WEB", webhook.url))
        if program == "pipit":
            server = harness.Server(harness.PIPIT, self.folder, "global: {}\n", [f"--alertmanager.config.file={path}"], name=name)
            self.addCleanup(server.kill)
            return server.wait_ready().url, webhook
        port = harness.free_port()
        process = harness.Process([harness.peer("prometheus-alertmanager"), f"--config.file={path}",
                                   f"--storage.path={self.folder.path / name}", f"--web.listen-address=127.0.0.1:{port}",
                                   "--cluster.listen-address="], self.folder.path / f"{name}.log")
        self.addCleanup(process.kill)
        url = f"http://127.0.0.1:{port}"

        def ready():
            assert process.alive(), process.log()
            try:
                return harness.request(url + "/-/ready", timeout=5).status == 200
            except OSError:
                return False

        harness.wait_until(ready, "Alertmanager is ready")
        return url, webhook

    def test_the_same_notifications_in_the_same_groups(self):
        started = {}
        for number, (case, (config, _)) in enumerate(CASES.items()):
            started[case] = [self.start(program, f"{program}-{number}", config) for program in ("alertmanager", "pipit")]
        with concurrent.futures.ThreadPoolExecutor(2 * len(CASES)) as pool:
            played = {case: [pool.submit(play, url, webhook, CASES[case][1]) for url, webhook in servers]
                      for case, servers in started.items()}
            for case, (theirs, ours) in played.items():
                with self.subTest(case):
                    self.assertTrue(theirs.result(), "nobody was told of anything")
                    self.assertEqual(ours.result(), theirs.result())

    def test_random_routes_inhibitions_and_silences_say_the_same(self):
        for seed in range(1, 6):
            dice = random.Random(seed)
            config, alerts, silences = random_routes(dice), random_alerts(dice), random_silences(dice)
            servers = [self.start(program, f"{program}-{seed}", config)[0] for program in ("alertmanager", "pipit")]
            said = [outcome_of(url, alerts, silences) for url in servers]
            with self.subTest(seed):
                self.assertEqual(len(said[0][0]), len(alerts))
                self.assertEqual(said[1], said[0])

    def test_the_api_answers_the_same(self):
        """What is right, what is wrong, and with which status; the bodies too, where Go's JSON has not worded them."""
        config = "route: {receiver: a, group_by: [alertname], group_wait: 1h}\nreceivers: [{name: a}, {name: b}]\n"
        servers = [self.start(program, program, config)[0] for program in ("alertmanager", "pipit")]
        silence = {"matchers": [{"name": "a", "value": "b", "isRegex": False}], "startsAt": "2026-11-23T01:00:00Z",
                   "endsAt": "2096-11-23T01:00:00Z", "createdBy": "me", "comment": "why"}
        nobody = "00000000-0000-4000-8000-000000000000"
        requests = [
            ("POST", "alerts", [{"labels": {"alertname": "A", "x": "", "site": "a"}, "annotations": {"s": "", "t": "ü"},
                                 "startsAt": "2026-01-02T03:04:05.678Z", "endsAt": "2096-01-01T00:00:00Z"}]),
            ("POST", "alerts", [{"labels": {"alertname": "B"}, "generatorURL": "http://x/y", "startsAt": "2026-01-02T03:04:05Z",
                                 "endsAt": "2096-01-01T00:00:00Z"}]),
            ("POST", "alerts", []), ("POST", "alerts", [{"labels": {}}]), ("POST", "alerts", [{"annotations": {"a": "b"}}]),
            ("POST", "alerts", [{"labels": {"a": "b"}, "generatorURL": "bad"}]),
            ("POST", "alerts", [{"labels": {"a": "b"}, "startsAt": "2026-11-23T10:00:00Z", "endsAt": "2026-11-23T09:00:00Z"}]),
            ("POST", "alerts", None),
            ("GET", "alerts", None), ("GET", "alerts?filter=alertname%3DA", None), ("GET", "alerts?filter=alertname%21~A", None),
            ("GET", "alerts?filter=nonsense", None), ("GET", "alerts?receiver=a", None), ("GET", "alerts?receiver=.", None),
            ("GET", "alerts?receiver=b", None), ("GET", "alerts?active=false", None), ("GET", "alerts?active=perhaps", None),
            ("GET", "alerts/groups", None), ("GET", "alerts/groups?receiver=b", None), ("GET", "alerts/groups?filter=x", None),
            ("GET", "receivers", None), ("GET", "nothing", None),
            ("GET", "silence/x", None), ("GET", f"silence/{nobody}", None), ("DELETE", "silence/x", None),
            ("POST", "silences", {}), ("POST", "silences", None), ("POST", "silences", {**silence, "matchers": []}),
            ("POST", "silences", {**silence, "matchers": [{"name": "a", "value": "b"}]}),
            ("POST", "silences", {**silence, "matchers": [{"name": "a", "value": "", "isRegex": False}]}),
            ("POST", "silences", {**silence, "matchers": [{"name": "a", "value": "(", "isRegex": True}]}),
            ("POST", "silences", {**silence, "endsAt": "2026-11-23T00:00:00Z"}),
            ("POST", "silences", {**silence, "startsAt": "2020-01-01T00:00:00Z", "endsAt": "2021-01-01T00:00:00Z"}),
            ("POST", "silences", {**silence, "id": nobody}), ("POST", "silences", {k: silence[k] for k in silence if k != "comment"}),
        ]
        for method, path, body in requests:
            answers = []
            for url in servers:
                data = json.dumps(body).encode() if body is not None else (b"" if method == "POST" else None)
                reply = harness.request(f"{url}/api/v2/{path}", method=method, body=data, headers=JSON)
                answers.append((reply.status, without_times(reply.body)))
            if path == "alerts" and method == "POST":
                time.sleep(0.3)
            with self.subTest(f"{method} {path} {json.dumps(body)}"):
                self.assertEqual(answers[1], answers[0])


def without_times(body):
    """An answer as a value, without what newer Alertmanagers have, and the time of a posting."""
    try:
        value = json.loads(body.replace(b"silence invalid:", b"invalid silence:")) if body else ""
    except ValueError:
        return body

    def walk(part):
        if isinstance(part, dict):
            return {k: walk(v) for k, v in part.items() if k not in ("updatedAt", "mutedBy")}
        return [walk(each) for each in part] if isinstance(part, list) else part

    return walk(value)


if __name__ == "__main__":
    unittest.main()
