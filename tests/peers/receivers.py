"""Who is told of alerts in the tests: a webhook and mail servers on loopback, which keep what they get."""
import email
import email.policy
import http.server
import json
import logging
import ssl
import subprocess
import threading
import time
import warnings

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

import harness

# A server that takes passwords without TLS says that this is bad.
logging.getLogger("mail.log").setLevel(logging.CRITICAL)
warnings.filterwarnings("ignore", module="aiosmtpd")


class Page:
    """Answers each request with 200 and the same body."""

    def __init__(self, body, content_type):
        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self):
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self.send_response(200)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_DELETE = answer

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Webhook:
    """Keeps the JSON of each request with its path and time; answers with `status`, or never."""

    def __init__(self, status=200, port=0):
        self.status, self.hang, self.requests = status, threading.Event(), []
        webhook = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                webhook.requests.append({"path": self.path, "headers": dict(self.headers), "body": json.loads(body),
                                         "time": time.time(), "status": webhook.status})
                if webhook.status == 0:
                    webhook.hang.wait(120)
                    self.close_connection = True
                    return
                self.send_response(webhook.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        class Quiet(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass  # a sender that hangs up is no fault here

        self.server = Quiet(("127.0.0.1", port), Handler)
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def taken(self, path=None):
        """The bodies that were answered with 200."""
        return [r["body"] for r in self.requests if r["status"] == 200 and path in (None, r["path"])]

    def close(self):
        self.hang.set()
        self.server.shutdown()
        self.server.server_close()


def certificate(folder):
    """A certificate for localhost that signs itself: its path and its key's."""
    cert, key = str(folder.path / "mail.pem"), str(folder.path / "mail.key")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-keyout", key, "-out", cert, "-days", "2", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"], check=True, capture_output=True)
    return cert, key


class MailServer:
    """A real SMTP server. `tls` is "", "starttls" (and required) or "implicit"; `login` a name and a password."""

    def __init__(self, folder, tls="", login=None, refusals=()):
        self.mails, self.refusals, self.logins, self.data_delay = [], list(refusals), [], 0
        context = None
        if tls:
            cert, key = certificate(folder)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(cert, key)
            self.ca_file = cert
        mail_server = self

        def authenticate(server, session, envelope, mechanism, data):
            right = isinstance(data, LoginPassword) and (data.login.decode(), data.password.decode()) == login
            mail_server.logins.append((mechanism, right))
            return AuthResult(success=right, handled=False)

        class Handler:
            async def handle_RCPT(self, server, session, envelope, address, options):
                if mail_server.refusals:
                    return mail_server.refusals.pop(0)
                envelope.rcpt_tos.append(address)
                return "250 OK"

            async def handle_DATA(self, server, session, envelope):
                message = email.message_from_bytes(envelope.content, policy=email.policy.default)
                mail_server.mails.append({"from": envelope.mail_from, "to": list(envelope.rcpt_tos), "time": time.time(),
                                          "tls": tls == "implicit" or session.ssl is not None, "message": message, "raw": envelope.content})
                return "250 OK"

        class Loopback(Controller):
            def factory(self):
                options = {}
                if tls == "starttls":
                    options = {"tls_context": context, "require_starttls": True}
                if login:
                    # Without TLS a password may be read on its way; the test wants to see that it is sent at all.
                    options.update(authenticator=authenticate, auth_required=True, auth_require_tls=bool(tls))
                return SMTP(self.handler, enable_SMTPUTF8=True, **options)

        self.port = harness.free_port()
        self.controller = Loopback(Handler(), hostname="127.0.0.1", port=self.port,
                                   ssl_context=context if tls == "implicit" else None)
        self.controller.start()

    def close(self):
        self.controller.stop(no_assert=True)

    def subjects(self):
        return [str(mail["message"]["Subject"]) for mail in self.mails]
