"""Starts servers for the end-to-end tests and talks to them.

Everything runs on free loopback ports and in temporary folders, and ends with the test, at the latest with the test's
process.
"""
import ctypes
import http.server
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent.parent
PIPIT = os.environ.get("PIPIT_BIN", str(REPOSITORY / "build" / "pipit"))
START_TIMEOUT = 30
LIBC = ctypes.CDLL(None)
PR_SET_PDEATHSIG = 1


def peer(name):
    """The path of a program from a Debian package, as tools/setup unpacks it or as it is installed."""
    unpacked = f"{REPOSITORY}/build/peers/usr"
    path = shutil.which(name, path=f"{unpacked}/bin:{unpacked}/sbin:{os.environ.get('PATH', '')}:/usr/bin")
    assert path, f"{name} is missing; run tools/setup test"
    return path


def free_port(host="127.0.0.1"):
    with socket.socket() as s:
        s.bind((host, 0))
        return s.getsockname()[1]


def wait_until(condition, what, timeout=START_TIMEOUT, interval=0.05):
    """Calls `condition` until it gives something true, and returns that."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"after {timeout} s still not: {what}")
        time.sleep(interval)


class Folder:
    """A temporary folder that goes with the test: `self.addCleanup(folder.remove)`."""

    def __init__(self):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="pipit-peer-"))

    def write(self, name, text):
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return str(path)

    def remove(self):
        shutil.rmtree(self.path, ignore_errors=True)


class Process:
    """A child process whose output goes to a file."""

    def __init__(self, command, log, env=None, cwd=None):
        self.log_path = log
        with open(log, "ab") as output:
            # The kernel ends it when this process dies, however that happens.
            self.process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                                            env=env, cwd=cwd,
                                            preexec_fn=lambda: LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL))

    def log(self):
        return pathlib.Path(self.log_path).read_text(errors="replace")

    def alive(self):
        return self.process.poll() is None

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self, timeout=START_TIMEOUT):
        return self.process.wait(timeout)

    def kill(self):
        self.process.kill()
        self.process.wait()


class Reply:
    """What an HTTP server answered."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)


def request(url, form=None, method=None, headers=None, timeout=60, body=None):
    """`form`, a dict or a list of pairs, or a `body` of bytes makes it a POST. An HTTP error status is a reply like others."""
    data = body if form is None else urllib.parse.urlencode(form).encode()
    question = urllib.request.Request(url, data=data, method=method, headers=headers or {})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(question, timeout=timeout) as answer:
            return Reply(answer.status, answer.headers, answer.read())
    except urllib.error.HTTPError as error:
        return Reply(error.code, error.headers, error.read())


class Server(Process):
    """A Prometheus, or a Pipit in its place: the flags are the same."""

    def __init__(self, program, folder, config, flags=(), name="server", port=None):
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.data = folder.path / f"{name}-data"
        self.config = folder.write(f"{name}.yml", config)
        self.program = program
        super().__init__([program, f"--config.file={self.config}", f"--storage.tsdb.path={self.data}",
                          f"--web.listen-address=127.0.0.1:{self.port}", *flags], folder.path / f"{name}.log")

    def wait_ready(self, timeout=START_TIMEOUT):
        def ready():
            assert self.alive(), f"{self.program} ended at start:\n{self.log()}"
            try:
                return request(self.url + "/-/ready", timeout=5).status == 200
            except OSError:
                return False

        wait_until(ready, f"{self.program} is ready", timeout)
        return self

    def api(self, path, params=(), post=False):
        pairs = list(params.items() if isinstance(params, dict) else params)
        if post:
            return request(f"{self.url}/api/v1/{path}", form=pairs)
        return request(f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(pairs)}")

    def data_of(self, path, params=(), post=False):
        answer = self.api(path, params, post).json()
        assert answer["status"] == "success", answer
        return answer["data"]

    def query(self, expr, at=None):
        """The result of an instant query."""
        return self.data_of("query", {"query": expr, **({"time": at} if at is not None else {})}, post=True)["result"]

    def targets(self):
        return self.data_of("targets")["activeTargets"]

    def stop(self):
        if self.alive():
            self.signal(signal.SIGTERM)
            try:
                self.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()


class PageServer:
    """Serves what `answer(handler)` writes, on one port of one or several loopback addresses, a thread a connection."""

    def __init__(self, answer, hosts=("127.0.0.1",)):
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                try:
                    answer(self)
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True

            def log_message(self, *_):
                pass

        class Quiet(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass  # a scraper that hangs up is no fault here

        self.servers = []
        self.port = 0
        for host in hosts:
            self.servers.append(Quiet((host, self.port), Handler))
            self.port = self.servers[0].server_address[1]
        for server in self.servers:
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self):
        for server in self.servers:
            server.shutdown()
            server.server_close()


def send_page(handler, text, content_type="text/plain; version=0.0.4", encoding=None):
    """Sends a whole page with the headers that it needs."""
    body = text if isinstance(text, bytes) else text.encode()
    handler.send_response(200)
    handler.send_header("Content-Type", content_type)
    if encoding:
        handler.send_header("Content-Encoding", encoding)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def pipit_query(*arguments, timeout=60, env=None):
    """Runs `pipit query ...`."""
    environment = dict(os.environ, **(env or {}))
    return subprocess.run([PIPIT, "query", *arguments], capture_output=True, text=True, timeout=timeout, env=environment,
                          stdin=subprocess.DEVNULL)
