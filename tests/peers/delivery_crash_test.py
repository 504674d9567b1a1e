"""kill -9 between firing and delivery: everything is told at least once, and never again once it was logged."""
import datetime
import json
import os
import random
import signal
import time
import unittest

import harness
from receivers import MailServer, Webhook

ROUNDS = int(os.environ.get("DELIVERY_CRASH_ROUNDS", "5"))

CONFIG = """
global: {smtp_from: pipit@example.org, smtp_smarthost: '127.0.0.1:SMTP', smtp_require_tls: false}
route: {receiver: both, group_by: [alertname], group_wait: 200ms, group_interval: 400ms, repeat_interval: 1d}
receivers:
  - name: both
    email_configs: [{to: me@example.org}]
    webhook_configs: [{url: 'http://127.0.0.1:HOOK/', send_resolved: false}]
"""


class DeliveryCrashTest(unittest.TestCase):
    def setUp(self):
        self.folder = harness.Folder()
        self.addCleanup(self.folder.remove)
        self.webhook, self.mail = Webhook(), MailServer(self.folder)
        self.addCleanup(self.webhook.close)
        self.addCleanup(self.mail.close)
        self.config = self.folder.write("alertmanager.yml", CONFIG.replace("SMTP", str(self.mail.port))
                                        .replace("HOOK", str(self.webhook.port)))
        self.port = harness.free_port()
        self.since = {}

    def start(self):
        server = harness.Server(harness.PIPIT, self.folder, "global: {}\n", [f"--alertmanager.config.file={self.config}"],
                                port=self.port)
        self.addCleanup(server.kill)
        return server.wait_ready()

    def fire(self, server, name):
        """Says that an alert fires, and since when, as Prometheus does each time."""
        now = datetime.datetime.now(datetime.timezone.utc)
        start = self.since.setdefault(name, now.isoformat())
        end = (now + datetime.timedelta(hours=2)).isoformat()
        answer = harness.request(server.url + "/api/v2/alerts", headers={"Content-Type": "application/json"},
                                 body=json.dumps([{"labels": {"alertname": name}, "startsAt": start, "endsAt": end}]).encode())
        self.assertEqual(answer.status, 200)

    def hooked(self, name):
        return [r for r in self.webhook.requests if r["body"]["groupLabels"] == {"alertname": name}]

    def mailed(self, name):
        return [m for m in self.mail.mails if name in str(m["message"]["Subject"])]

    def test_kill_nine_loses_nothing_and_repeats_nothing_that_was_logged(self):
        known = []
        server = self.start()
        for number in range(ROUNDS):
            name = f"Round{number:03}"
            self.fire(server, name)
            # From before the alert is known to after all was told; most often just about the sending.
            time.sleep(random.choice([random.random() * 0.5, 0.2 + random.random() * 0.08, 0.2 + random.random() * 0.03]))
            # What the log has, before the kill.
            counted = {name: (len(self.hooked(name)), len(self.mailed(name))) for name in known}
            server.kill()
            server = self.start()
            # As Prometheus does, which says it again.
            self.fire(server, name)
            harness.wait_until(lambda: self.hooked(name) and self.mailed(name), f"{name} is told; log:\n{server.log()[-3000:]}")
            for earlier, (hooks, mails) in counted.items():
                self.assertEqual((len(self.hooked(earlier)), len(self.mailed(earlier))), (hooks, mails),
                                 f"{earlier} was told again after round {number}")
            time.sleep(0.6)  # the log is written, and a flush more has passed
            known.append(name)
        server.stop()
        repeats = 0
        for name in known:
            hooks, mails = self.hooked(name), self.mailed(name)
            self.assertLessEqual(len(hooks), 2)
            self.assertLessEqual(len(mails), 2)
            self.assertEqual(len({m["message"]["Message-ID"] for m in mails}), 1, f"{name}: a mail sent again is the same mail")
            repeats += len(hooks) + len(mails) - 2
        ids = {m["message"]["Message-ID"] for m in self.mail.mails}
        self.assertEqual(len(ids), len(known))
        print(f"{ROUNDS} kills, {repeats} repeats between the receiver's word and the log")

    def test_a_restart_tells_nothing_twice(self):
        server = self.start()
        self.fire(server, "Once")
        harness.wait_until(lambda: self.hooked("Once") and self.mailed("Once"), "it is told")
        time.sleep(0.5)
        for number in (signal.SIGKILL, signal.SIGTERM):
            server.signal(number)
            server.wait()
            server = self.start()
            self.fire(server, "Once")
            time.sleep(1.2)
        self.assertEqual((len(self.hooked("Once")), len(self.mailed("Once"))), (1, 1))

    def test_what_was_acknowledged_is_told_although_nobody_says_it_again(self):
        self.webhook.status = 500
        server = self.start()
        self.fire(server, "Said")
        harness.wait_until(lambda: self.hooked("Said"), "the first attempt")
        server.kill()
        self.webhook.status = 200
        self.start()
        harness.wait_until(lambda: any(r["status"] == 200 for r in self.hooked("Said")), "it is told after the restart")


if __name__ == "__main__":
    unittest.main()
