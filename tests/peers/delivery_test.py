"""Pipit tells people itself: amtool, mail servers and webhooks talk to it, and those that fail are seen."""
import datetime
import json
import os
import signal
import socket
import subprocess
import sys
import time
import unittest

import harness
from receivers import MailServer, Page, Webhook

PROMETHEUS = """
global: {scrape_interval: 1s, evaluation_interval: 1s, external_labels: {site: here}}
rule_files: [rules.yml]
scrape_configs:
  - job_name: shop
    static_configs: [{targets: ['127.0.0.1:SHOP']}]
"""
RULES = """
groups:
  - name: site
    rules:
      - alert: SiteDown
        expr: up{job="shop"} == 0
        for: 1s
        labels: {severity: page}
        annotations: {summary: 'The site {{ $labels.job }} of {{ $externalLabels.site }} is down'}
"""
# Nobody is told: for what is only asked.
QUIET = """
route: {receiver: nobody, group_by: [alertname], group_wait: 1h}
receivers: [{name: nobody}, {name: other}]
"""


class DeliveryTest(unittest.TestCase):
    def setUp(self):
        self.folder = harness.Folder()
        self.addCleanup(self.folder.remove)

    def pipit(self, alertmanager, config="global: {}\n", port=None, flags=()):
        path = self.folder.write("alertmanager.yml", alertmanager)
        server = harness.Server(harness.PIPIT, self.folder, config,
                                [f"--alertmanager.config.file={path}", "--web.enable-lifecycle", *flags], port=port)
        self.addCleanup(server.kill)
        return server.wait_ready()

    def webhook(self, status=200):
        webhook = Webhook(status)
        self.addCleanup(webhook.close)
        return webhook

    def page(self, body, content_type):
        """The URL of a server that answers each request so."""
        page = Page(body, content_type)
        self.addCleanup(page.close)
        return page.url

    def mail_server(self, **options):
        server = MailServer(self.folder, **options)
        self.addCleanup(server.close)
        return server

    def post(self, server, *alerts):
        answer = harness.request(server.url + "/api/v2/alerts", body=json.dumps(alerts).encode(),
                                 headers={"Content-Type": "application/json"})
        self.assertEqual((answer.status, answer.body), (200, b""))

    def get(self, server, path):
        answer = harness.request(f"{server.url}/api/v2/{path}")
        self.assertEqual(answer.status, 200, answer.body)
        return answer.json()

    def integration(self, server, name):
        return next(i for i in self.get(server, "integrations") if i["name"] == name)

    # ---- amtool ----

    def amtool(self, server, *arguments, code=0):
        result = subprocess.run([harness.peer("amtool"), f"--alertmanager.url={server.url}", *arguments], capture_output=True,
                                text=True, timeout=30, env=dict(os.environ, HOME=str(self.folder.path)))
        self.assertEqual(result.returncode, code, result.stderr)
        return result.stdout

    def test_amtool_lists_and_adds_alerts(self):
        server = self.pipit(QUIET)
        self.amtool(server, "alert", "add", "SiteDown", "instance=shop", "severity=page", "--annotation=summary=It is down")
        self.amtool(server, "alert", "add", "Slow", "instance=shop", "--generator-url=http://example.org/graph")
        harness.wait_until(lambda: len(self.get(server, "alerts")) == 2, "both are there")
        self.assertRegex(self.amtool(server, "alert", "query"), r"SiteDown .* It is down +active")
        self.assertNotIn("Slow", self.amtool(server, "alert", "query", "severity=page"))
        self.assertNotIn("SiteDown", self.amtool(server, "alert", "query", "alertname=~S.*w", "severity!=page"))
        self.assertIn("http://example.org/graph", self.amtool(server, "alert", "query", "Slow", "-o", "extended"))
        self.assertEqual(len(json.loads(self.amtool(server, "alert", "query", "--receiver=nob.*", "-o", "json"))), 2)
        self.assertEqual(json.loads(self.amtool(server, "alert", "query", "--receiver=other", "-o", "json")), [])
        self.assertIn("disabled", self.amtool(server, "cluster", "show"))
        self.assertIn("receiver: nobody", self.amtool(server, "config", "show"))
        self.amtool(server, "check-config", str(self.folder.path / "alertmanager.yml"))

    def test_amtool_adds_changes_and_expires_silences(self):
        server = self.pipit(QUIET)
        self.post(server, {"labels": {"alertname": "SiteDown", "instance": "shop"}},
                  {"labels": {"alertname": "SiteDown", "instance": "blog"}})
        silence = self.amtool(server, "silence", "add", "SiteDown", "instance=~sh.p", "-c", "moving", "-a", "me", "-d", "2h").strip()
        listed = self.amtool(server, "silence", "query")
        self.assertRegex(listed, silence + r' +alertname="SiteDown" instance=~"sh.p" .* me +moving')
        harness.wait_until(lambda: "shop" not in self.amtool(server, "alert", "query", "-o", "extended"), "it is silenced")
        self.assertIn("blog", self.amtool(server, "alert", "query", "-o", "extended"))
        suppressed = json.loads(self.amtool(server, "alert", "query", "--silenced", "-o", "json"))
        self.assertEqual([(a["labels"]["instance"], a["status"]["state"], a["status"]["silencedBy"]) for a in suppressed],
                         [("shop", "suppressed", [silence])])
        self.amtool(server, "silence", "update", "-d", "5h", "-c", "still moving", silence)
        self.assertIn("still moving", self.amtool(server, "silence", "query"))
        # A restart forgets nothing.
        server.signal(signal.SIGKILL)
        server.wait()
        server = self.pipit(QUIET, port=server.port)
        silence = self.amtool(server, "silence", "query", "-q").strip()
        self.assertIn("still moving", self.amtool(server, "silence", "query"))
        self.amtool(server, "silence", "expire", silence)
        self.assertEqual(self.amtool(server, "silence", "query", "-q"), "")
        self.assertIn(silence, self.amtool(server, "silence", "query", "--expired"))
        self.amtool(server, "silence", "expire", "00000000-0000-4000-8000-000000000000", code=1)

    def command(self, url):
        """Runs a subcommand of pipit that asks a server."""
        def run(*arguments, code=0, stream="stdout"):
            result = subprocess.run([harness.PIPIT, *arguments, "--url", url], capture_output=True, text=True, timeout=30)
            self.assertEqual(result.returncode, code, result.stdout + result.stderr)
            return getattr(result, stream)

        return run

    def test_pipits_own_commands_do_the_same(self):
        server = self.pipit(QUIET)
        self.post(server, {"labels": {"alertname": "SiteDown", "instance": "shop"}, "annotations": {"summary": "It is down"}})
        run = self.command(server.url)
        harness.wait_until(lambda: "It is down" in run("alert", "list"), "it is listed")
        self.assertIn('{alertname="SiteDown"} to nobody', run("alert", "list", "--groups"))
        silence = run("silence", "add", "SiteDown", "--comment", "moving", "--author", "me").strip()
        self.assertRegex(run("silence", "list"), silence + r'  \{alertname="SiteDown"\} .*me +moving')
        harness.wait_until(lambda: run("alert", "list") == "", "it is silenced")
        self.assertIn("silenced", run("alert", "list", "--silenced"))
        self.assertEqual(json.loads(run("silence", "list", "-o", "json"))[0]["id"], silence)
        self.assertEqual(run("silence", "list", "--within", "30m"), "")
        run("silence", "expire", silence)
        self.assertEqual(run("silence", "list", "-q"), "")
        self.assertEqual(run("silence", "list", "-q", "--expired").strip(), silence)
        run("silence", "expire", "nonsense", code=2)
        run("silence", "add", "--comment", "nothing", code=2)
        run("silence", "add", "a=~(", "--comment", "bad", code=2)

    def test_alerts_are_added_and_silences_changed_by_pipits_own_commands(self):
        server = self.pipit(QUIET)
        run = self.command(server.url)
        run("alert", "add", "BackupFailed", "--annotation", "summary=No backup", "--annotation=why=full", "host=db",
            "--start", "now-1h", "--end", "now+1h", "--generator-url", "http://db/")
        alert = harness.wait_until(lambda: self.get(server, "alerts"), "it is there")[0]
        self.assertEqual((alert["labels"], alert["annotations"], alert["generatorURL"]),
                         ({"alertname": "BackupFailed", "host": "db"}, {"summary": "No backup", "why": "full"}, "http://db/"))
        begins, ends = (datetime.datetime.fromisoformat(alert[m][:19]) for m in ("startsAt", "endsAt"))
        self.assertEqual((ends - begins).total_seconds(), 7200)
        for wrong in (["a=~b"], ["A", "--annotation", "x"], ["A", "--end", "soon"], []):
            run("alert", "add", *wrong, code=2)

        one, two = (run("silence", "add", name, "--comment", "moving").strip() for name in ("BackupFailed", "Other"))
        self.assertEqual(run("silence", "update", one, two, "--duration", "3h", "--comment", "still moving").split(), [one, two])
        for silence in self.get(server, "silences"):
            begins, ends = (datetime.datetime.fromisoformat(silence[m][:19]) for m in ("startsAt", "endsAt"))
            self.assertEqual((silence["comment"], (ends - begins).total_seconds()), ("still moving", 10800))
        later = run("silence", "update", one, "--start", "now+1h").strip()
        self.assertNotEqual(later, one)
        self.assertEqual(self.get(server, f"silence/{one}")["status"]["state"], "expired")
        self.assertEqual(self.get(server, f"silence/{later}")["status"]["state"], "pending")
        run("silence", "expire", two, later, one)
        self.assertEqual(run("silence", "list", "-q"), "")
        for wrong in ([one], ["nonsense", "--comment", "x"], [one, "--end", "now+1h", "--duration", "1h"], [one, "--end", "now-9h"]):
            run("silence", "update", *wrong, code=2)
        unknown = "00000000-0000-4000-8000-000000000000"
        self.assertIn("no such silence", run("silence", "update", unknown, "--comment", "x", code=1, stream="stderr"))

    def test_a_server_that_is_none_is_told_from_one_and_writes_nothing_on_the_terminal(self):
        for body, type_, code in ((b"<html>Hello</html>", "text/html", 3), (b"\x1b[31m", "text/plain", 3), (b"[1", "application/json", 3)):
            run = self.command(self.page(body, type_))
            unknown = "00000000-0000-4000-8000-000000000000"
            for arguments in (["alert", "list"], ["alert", "add", "A"], ["silence", "list"], ["silence", "add", "A", "--comment", "x"],
                              ["silence", "update", unknown, "--comment", "x"], ["silence", "expire", unknown]):
                self.assertIn("not as Alertmanager's API does", run(*arguments, code=code, stream="stderr"), arguments)
        text = "\x1b[31mred\x9b5m\x07"
        silences = [{"id": text, "comment": text, "createdBy": text, "startsAt": text, "endsAt": text,
                     "matchers": [{"name": text, "value": text}]}]
        run = self.command(self.page(json.dumps(silences).encode(), "application/json"))
        for arguments in (["silence", "list"], ["silence", "list", "-q"], ["alert", "list"], ["alert", "list", "--groups"]):
            self.assertNotRegex(run(*arguments), "[\x00-\x09\x0b-\x1f\x7f-\x9f]", arguments)

    def test_a_test_notification_takes_labels_before_the_receiver(self):
        webhook = self.webhook()
        path = self.folder.write("try.yml", f"route: {{receiver: me}}\nreceivers: [{{name: me, webhook_configs: [{{url: '{webhook.url}/'}}]}}]\n")
        subprocess.run([harness.PIPIT, "alert", "try", "--label", "severity=page", "--label=a=b", "--annotation", "x=y", "me",
                        f"--alertmanager.config.file={path}"], check=True, capture_output=True, timeout=30)
        alert = webhook.taken()[0]["alerts"][0]
        self.assertEqual((alert["labels"]["severity"], alert["labels"]["a"], alert["annotations"]["x"]), ("page", "b", "y"))

    def test_what_a_receiver_says_writes_nothing_on_the_terminal(self):
        url = self.page("\x1b[31mno such channel\x9b5m\x07".encode(), "text/plain")
        path = self.folder.write("try.yml", f"route: {{receiver: me}}\nreceivers: [{{name: me, slack_configs: [{{api_url: '{url}/'}}]}}]\n")
        result = subprocess.run([harness.PIPIT, "alert", "try", "me", f"--alertmanager.config.file={path}"], capture_output=True,
                                text=True, timeout=30)
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertIn("no such channel", result.stdout)
        self.assertNotRegex(result.stdout, "[\x00-\x09\x0b-\x1f\x7f-\x9f]")

    def test_other_sites_pages_may_not_write(self):
        server = self.pipit(QUIET)
        for method, path, body in (("POST", "alerts", b"[]"), ("POST", "silences", b"{}"),
                                   ("DELETE", "silence/00000000-0000-4000-8000-000000000000", None)):
            for header in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "http://evil.example"}):
                answer = harness.request(f"{server.url}/api/v2/{path}", method=method, body=body,
                                         headers={"Content-Type": "application/json", **header})
                self.assertEqual(answer.status, 403, (path, header))

    def config_metrics(self, server):
        text = harness.request(server.url + "/metrics").body.decode()
        lines = (line.split(" ") for line in text.splitlines() if line.startswith("alertmanager_config_"))
        return {name: float(value) for name, value in lines}

    def test_alertmanagers_metrics_tell_of_reloads(self):
        server = self.pipit(QUIET)
        first = self.config_metrics(server)
        self.assertEqual(first["alertmanager_config_last_reload_successful"], 1)
        self.folder.write("alertmanager.yml", "route: {}")
        harness.request(server.url + "/-/reload", method="POST")
        self.assertEqual(self.config_metrics(server), {**first, "alertmanager_config_last_reload_successful": 0})
        self.folder.write("alertmanager.yml", QUIET.replace("other", "third"))
        harness.request(server.url + "/-/reload", method="POST")
        second = self.config_metrics(server)
        self.assertEqual(second["alertmanager_config_last_reload_successful"], 1)
        self.assertNotEqual(second["alertmanager_config_hash"], first["alertmanager_config_hash"])
        self.assertGreater(second["alertmanager_config_last_reload_success_timestamp_seconds"],
                           first["alertmanager_config_last_reload_success_timestamp_seconds"])

    def test_a_reload_takes_a_right_file_and_refuses_a_wrong_one(self):
        server = self.pipit(QUIET)
        self.assertEqual(self.get(server, "receivers"), [{"name": "nobody"}, {"name": "other"}])
        self.folder.write("alertmanager.yml", QUIET.replace("other", "third"))
        self.assertEqual(harness.request(server.url + "/-/reload", method="POST").status, 200)
        self.assertEqual(self.get(server, "receivers"), [{"name": "nobody"}, {"name": "third"}])
        self.folder.write("alertmanager.yml", QUIET.replace("other", "fourth").replace("group_wait", "group_weight"))
        refused = harness.request(server.url + "/-/reload", method="POST")
        self.assertEqual(refused.status, 500)
        self.assertRegex(refused.body.decode(), r"alertmanager.yml:2:\d+: .*group_weight")
        self.assertEqual(self.get(server, "receivers"), [{"name": "nobody"}, {"name": "third"}])
        self.assertIn("pipit_config_last_reload_successful 0", harness.request(server.url + "/metrics").body.decode())

    # ---- e-mail ----

    def told_by_mail(self, mail_server, smtp):
        """A Django site dies and comes back; gives the two mails."""
        django = harness.free_port()
        command = [sys.executable, str(harness.REPOSITORY / "tests/peers/django_site.py"), str(django)]
        site = harness.Process(command, self.folder.path / "django.log")
        self.addCleanup(site.kill)
        self.folder.write("rules.yml", RULES)
        server = self.pipit(f"""
global: {{smtp_from: pipit@example.org, {smtp}}}
route: {{receiver: me, group_wait: 200ms, group_interval: 1s}}
receivers:
  - name: me
    email_configs: [{{to: 'me@example.org', send_resolved: true}}]
""", PROMETHEUS.replace("SHOP", str(django)))
        harness.wait_until(lambda: [t["health"] for t in server.targets()] == ["up"], "the site is up")
        site.kill()
        harness.wait_until(lambda: mail_server.mails, f"a mail: {self.get(server, 'integrations')} {server.log()[-2000:]}")
        site = harness.Process(command, self.folder.path / "django.log")
        self.addCleanup(site.kill)
        harness.wait_until(lambda: len(mail_server.mails) == 2, "the mail that it is over")
        self.assertEqual(self.integration(server, "email")["lastError"], "")
        return server, mail_server.mails

    def check_mails(self, mails):
        for mail, word in zip(mails, ("FIRING", "RESOLVED")):
            message = mail["message"]
            self.assertEqual((mail["from"], mail["to"]), ("pipit@example.org", ["me@example.org"]))
            self.assertIn(word, message["Subject"])
            self.assertIn("SiteDown", message["Subject"])
            self.assertTrue(message["Message-ID"] and message["Date"], message)
            html = message.get_body(("html",)).get_content()
            self.assertIn("SiteDown", html)
            self.assertIn("The site shop of here is down", html)
            self.assertLessEqual(max(map(len, mail["raw"].split(b"\r\n"))), 998)
        self.assertNotEqual(mails[0]["message"]["Message-ID"], mails[1]["message"]["Message-ID"])

    def test_a_plain_mail_server_hears_of_a_django_site(self):
        mail_server = self.mail_server()
        _, mails = self.told_by_mail(mail_server, f"smtp_smarthost: '127.0.0.1:{mail_server.port}', smtp_require_tls: false")
        self.check_mails(mails)

    def test_a_mail_server_with_starttls_and_a_password(self):
        mail_server = self.mail_server(tls="starttls", login=("pipit", "s3cret word"))
        server, mails = self.told_by_mail(mail_server, f"""
  smtp_smarthost: 'localhost:{mail_server.port}', smtp_auth_username: pipit, smtp_auth_password: 's3cret word',
  smtp_tls_config: {{ca_file: '{mail_server.ca_file}'}}""")
        self.check_mails(mails)
        self.assertTrue(all(mail["tls"] for mail in mails))
        self.assertEqual({right for _, right in mail_server.logins}, {True})
        self.assertNotIn("s3cret", server.log() + harness.request(server.url + "/api/v2/status").body.decode())

    def told_once(self, mail_server, smtp, require="false"):
        """A server that was given one alert for a mail."""
        server = self.pipit(f"""
global: {{smtp_from: pipit@example.org, {smtp}, smtp_require_tls: {require}}}
route: {{receiver: me, group_wait: 100ms, group_interval: 1s}}
receivers: [{{name: me, email_configs: [{{to: 'me@example.org'}}]}}]
""")
        self.post(server, {"labels": {"alertname": "SiteDown"}})
        return server

    def failure(self, server, name="email"):
        return harness.wait_until(lambda: self.integration(server, name)["lastError"], "the failure is shown")

    def test_implicit_tls(self):
        mail_server = self.mail_server(tls="implicit")
        self.told_once(mail_server, f"smtp_smarthost: 'localhost:{mail_server.port}', smtp_force_implicit_tls: true, "
                                    f"smtp_tls_config: {{ca_file: '{mail_server.ca_file}'}}")
        harness.wait_until(lambda: mail_server.mails, "the mail")
        self.assertTrue(mail_server.mails[0]["tls"])

    def test_tls_that_is_required_is_not_done_without(self):
        mail_server = self.mail_server()
        server = self.told_once(mail_server, f"smtp_smarthost: '127.0.0.1:{mail_server.port}'", require="true")
        self.failure(server)
        self.assertEqual(mail_server.mails, [])

    def test_a_wrong_password_is_shown_and_kept(self):
        mail_server = self.mail_server(login=("pipit", "right"))
        server = self.told_once(mail_server, f"smtp_smarthost: '127.0.0.1:{mail_server.port}', smtp_auth_username: pipit, "
                                             "smtp_auth_password: s3cret")
        failure = self.failure(server)
        self.assertNotIn("s3cret", failure + server.log())
        self.assertNotIn("czNjcmV0", failure + server.log())

    def test_greylisting_is_waited_out(self):
        mail_server = self.mail_server(refusals=["451 4.7.1 Greylisted, try again"])
        server = self.told_once(mail_server, f"smtp_smarthost: '127.0.0.1:{mail_server.port}'")
        harness.wait_until(lambda: mail_server.mails, f"the mail: {server.log()[-2000:]}", timeout=60)
        self.assertEqual(len(mail_server.mails), 1)

    def test_a_mail_server_that_hangs_delays_no_one_else(self):
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            silent.listen()
            webhook = self.webhook()
            self.folder.write("rules.yml", RULES)
            server = self.pipit(f"""
global: {{smtp_from: a@example.org, smtp_smarthost: '127.0.0.1:{silent.getsockname()[1]}', smtp_require_tls: false}}
route: {{receiver: both, group_wait: 100ms, group_interval: 1s, group_by: [alertname]}}
receivers:
  - name: both
    email_configs: [{{to: me@example.org}}]
    webhook_configs: [{{url: '{webhook.url}/hook'}}]
""", PROMETHEUS.replace("SHOP", "1"))
            harness.wait_until(lambda: webhook.taken(), "the webhook hears all the same")
            self.post(server, {"labels": {"alertname": "Another"}})
            harness.wait_until(lambda: any(b["groupLabels"] == {"alertname": "Another"} for b in webhook.taken()), "and so on")
            group = server.data_of("rules")["groups"][0]
            self.assertLess(group["evaluationTime"], 1)
            began = time.monotonic()
            server.signal(signal.SIGTERM)
            server.wait(10)
            self.assertLess(time.monotonic() - began, 8)

    # ---- webhooks ----

    def test_a_webhook_gets_alertmanagers_json(self):
        webhook = self.webhook()
        server = self.pipit(f"""
route: {{receiver: hook, group_by: [alertname], group_wait: 100ms, group_interval: 500ms}}
receivers: [{{name: hook, webhook_configs: [{{url: '{webhook.url}/hook'}}]}}]
""", flags=["--web.external-url=http://pipit.example/"])
        alert = {"labels": {"alertname": "SiteDown", "instance": "shop"}, "annotations": {"summary": "down"},
                 "generatorURL": "http://pipit.example/graph", "startsAt": "2026-11-20T10:00:00.500Z"}
        self.post(server, alert)
        harness.wait_until(lambda: webhook.taken(), "the notification")
        request, body = webhook.requests[0], webhook.taken()[0]
        self.assertEqual(request["headers"]["Content-Type"], "application/json")
        fingerprint = body["alerts"][0].pop("fingerprint")
        self.assertRegex(fingerprint, "^[0-9a-f]{16}$")
        self.assertEqual(fingerprint, self.get(server, "alerts")[0]["fingerprint"])
        self.assertEqual(body, {
            "receiver": "hook", "status": "firing", "version": "4", "truncatedAlerts": 0,
            "groupKey": '{}:{alertname="SiteDown"}', "externalURL": "http://pipit.example",
            "groupLabels": {"alertname": "SiteDown"}, "commonLabels": alert["labels"], "commonAnnotations": alert["annotations"],
            "alerts": [{"status": "firing", "labels": alert["labels"], "annotations": alert["annotations"],
                        "startsAt": "2026-11-20T10:00:00.5Z", "endsAt": "0001-01-01T00:00:00Z",
                        "generatorURL": alert["generatorURL"]}]})
        end = datetime.datetime.now(datetime.timezone.utc).isoformat()
        self.post(server, {**alert, "endsAt": end})
        harness.wait_until(lambda: len(webhook.taken()) == 2, "the notification that it is over")
        resolved = webhook.taken()[1]
        self.assertEqual((resolved["status"], resolved["alerts"][0]["status"]), ("resolved", "resolved"))
        self.assertEqual(resolved["alerts"][0]["endsAt"][:19], end[:19])

    def test_a_webhook_that_fails_is_seen_and_tried_again(self):
        webhook = self.webhook(500)
        secret = "/services/T0/s3cret"
        server = self.pipit(f"""
route: {{receiver: hook, group_wait: 100ms, group_interval: 1s}}
receivers: [{{name: hook, webhook_configs: [{{url: '{webhook.url}{secret}'}}]}}]
""")
        self.post(server, {"labels": {"alertname": "SiteDown"}})
        harness.wait_until(lambda: len(webhook.requests) >= 2, "it is tried again")
        failure = self.failure(server, "webhook")
        self.assertIn("500", failure)
        metrics = harness.request(server.url + "/metrics").body.decode()
        self.assertRegex(metrics, r'alertmanager_notification_requests_failed_total\{integration="webhook"[^}]*\} [1-9]')
        self.assertNotIn("s3cret", failure + server.log() + metrics)
        webhook.status = 200
        harness.wait_until(lambda: webhook.taken(), "it is told in the end")
        time.sleep(2.5)
        self.assertEqual(len(webhook.taken()), 1, "and once")
        harness.wait_until(lambda: self.integration(server, "webhook")["lastError"] == "", "the failure is forgotten")

    def test_a_webhook_that_never_answers_stops_nobody(self):
        silent, webhook = self.webhook(0), self.webhook()
        server = self.pipit(f"""
route:
  receiver: silent
  group_wait: 100ms
  group_interval: 1s
  routes: [{{receiver: hook, matchers: [alertname=Good]}}]
receivers:
  - {{name: silent, webhook_configs: [{{url: '{silent.url}/'}}]}}
  - {{name: hook, webhook_configs: [{{url: '{webhook.url}/'}}]}}
""")
        self.post(server, {"labels": {"alertname": "Bad"}})
        harness.wait_until(lambda: silent.requests, "the silent one was asked")
        self.post(server, {"labels": {"alertname": "Good"}})
        harness.wait_until(lambda: webhook.taken(), "the other hears")
        began = time.monotonic()
        server.signal(signal.SIGTERM)
        server.wait(10)
        self.assertLess(time.monotonic() - began, 8)

    # ---- heartbeat ----

    def test_two_pipits_watch_each_other(self):
        first = harness.free_port()
        watcher = harness.Server(harness.PIPIT, self.folder, f"""
global: {{scrape_interval: 1s}}
scrape_configs: [{{job_name: pipit, static_configs: [{{targets: ['127.0.0.1:{first}']}}]}}]
""", ["--heartbeat.receive=second"], name="watcher", port=first)
        self.addCleanup(watcher.kill)
        watcher.wait_ready()
        watched = harness.Server(harness.PIPIT, self.folder, """
global: {scrape_interval: 1s}
scrape_configs: [{job_name: gone, static_configs: [{targets: ['127.0.0.1:1']}]}]
""", [f"--heartbeat.url=http://127.0.0.1:{first}/-/heartbeat/second", "--heartbeat.interval=1s"], name="watched")
        self.addCleanup(watched.kill)
        watched.wait_ready()

        def age():
            found = watcher.query("time() - pipit_heartbeat_received_timestamp_seconds")
            return float(found[0]["value"][1]) if found else 0.0

        count = "pipit_heartbeats_received_total"
        harness.wait_until(lambda: any(float(s["value"][1]) >= 2 for s in watcher.query(count)), "heartbeats come")
        self.assertLess(age(), 5)
        self.assertEqual(watched.data_of("status/flags")["heartbeat.url"], f"http://127.0.0.1:{first}/<secret>")
        watched.kill()
        harness.wait_until(lambda: age() > 5, "no more come")
        stranger = harness.request(f"{watcher.url}/-/heartbeat/stranger")
        self.assertEqual(stranger.status, 404)


if __name__ == "__main__":
    unittest.main()
