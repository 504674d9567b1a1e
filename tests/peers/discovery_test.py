"""Docker and DNS discovery against stand-ins that answer as the engine's API and RFC 1035 say: Pipit and Debian's Prometheus must
find the same targets with the same labels."""
import json
import os
import socket
import struct
import threading
import unittest

import harness

CONFIG = """
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
  - job_name: docker
    docker_sd_configs:
      - host: tcp://127.0.0.1:{docker}
        refresh_interval: 1s
        port: 9
        host_networking_host: "box:9100"
        filters: [{{name: label, values: [scrape=yes]}}]
"""
DNS_JOBS = "".join(f"""
  - job_name: dns_{kind.lower()}
    dns_sd_configs: [{{names: [{name}, missing.test], type: {kind}, port: 9100, refresh_interval: 1s}}]
""" for kind, name in (("A", "a.test"), ("AAAA", "aaaa.test"), ("SRV", "_x._tcp.test"), ("MX", "mx.test")))

CONTAINERS = [
    {"Id": "c1", "Names": ["/web", "/alias"], "Image": "shop", "State": "running", "Status": "Up",
     "Labels": {"traefik.http.port": "80", "app": "shop", "empty": ""}, "HostConfig": {"NetworkMode": "front"},
     "Ports": [{"IP": "0.0.0.0", "PrivatePort": 8000, "PublicPort": 80, "Type": "tcp"},
               {"PrivatePort": 8001, "Type": "tcp"}, {"PrivatePort": 53, "Type": "udp"}],
     "NetworkSettings": {"Networks": {"front": {"NetworkID": "n1", "IPAddress": "172.18.0.2", "Gateway": "172.18.0.1"}}}},
    {"Id": "c2", "Names": ["/plain"], "Labels": {}, "HostConfig": {"NetworkMode": "back"}, "Ports": [],
     "NetworkSettings": {"Networks": {"back": {"NetworkID": "n2", "IPAddress": "172.19.0.2"}}}},
    {"Id": "c3", "Names": ["/node-exporter"], "Labels": {"app": "node"}, "HostConfig": {"NetworkMode": "host"}, "Ports": [],
     "NetworkSettings": {"Networks": {"host": {"NetworkID": "n3", "IPAddress": ""}}}},
]
NETWORKS = [
    {"Name": "front", "Id": "n1", "Scope": "local", "Driver": "bridge", "Internal": False, "Ingress": False, "Labels": {"com.x": "y"}},
    {"Name": "back", "Id": "n2", "Scope": "local", "Driver": "bridge", "Internal": True, "Ingress": False, "Labels": {}},
    {"Name": "host", "Id": "n3", "Scope": "local", "Driver": "host", "Internal": False, "Ingress": False, "Labels": {}},
]


class Engine:
    """The Docker engine's API, as far as discovery asks it: with a version in the path or without."""

    def __init__(self):
        self.containers = list(CONTAINERS)
        self.broken = False
        self.paths = []
        self.server = harness.PageServer(self.answer)

    def answer(self, handler):
        self.paths.append(handler.path)
        path = handler.path.split("?")[0]
        body = b"OK"
        if path.endswith("/containers/json"):
            body = json.dumps(self.containers).encode()
        elif path.endswith("/networks"):
            body = json.dumps(NETWORKS).encode()
        if self.broken:
            body = body[: len(body) // 2]
        handler.send_response(200)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("API-Version", "1.41")
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)


def name(text):
    return b"".join(bytes([len(part)]) + part.encode() for part in text.split(".") if part) + b"\0"


class NameServer:
    """Answers over UDP from a small zone; other names do not exist."""

    TYPES = {1: "A", 28: "AAAA", 33: "SRV", 15: "MX"}  # NS is newer than 2.42
    ZONE = {
        ("a.test", "A"): [socket.inet_aton("10.0.0.1"), socket.inet_aton("10.0.0.2")],
        ("aaaa.test", "AAAA"): [socket.inet_pton(socket.AF_INET6, "fd00::1")],
        ("_x._tcp.test", "SRV"): [struct.pack("!HHH", 1, 2, 8080) + name("one.test"), struct.pack("!HHH", 1, 2, 8081) + name("two.test")],
        ("mx.test", "MX"): [struct.pack("!H", 10) + name("mail.test")],
    }

    def __init__(self, address):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((address, 53))
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                question, sender = self.socket.recvfrom(4096)
            except OSError:
                return
            end = question.index(b"\0", 12)
            labels, at = [], 12
            while at < end:
                labels.append(question[at + 1: at + 1 + question[at]].decode())
                at += 1 + question[at]
            kind = struct.unpack("!H", question[end + 1: end + 3])[0]
            records = self.ZONE.get((".".join(labels).lower(), self.TYPES.get(kind)))
            head = question[:2] + struct.pack("!HHHHH", 0x8180 | (0 if records else 3), 1, len(records or ()), 0, 0)
            answer = head + question[12: end + 5]
            for data in records or ():
                answer += b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 60, len(data)) + data
            self.socket.sendto(answer, sender)

    def close(self):
        self.socket.close()


class DiscoveryTest(unittest.TestCase):
    maxDiff = 4000

    def setUp(self):
        self.folder = harness.Folder()
        self.addCleanup(self.folder.remove)
        self.engine = Engine()
        self.addCleanup(self.engine.server.close)

    def start(self, config, wrap=lambda program: program):
        self.servers = []
        for kind, program in (("pipit", harness.PIPIT), ("prometheus", harness.peer("prometheus"))):
            server = harness.Server(wrap(program), self.folder, config, name=kind)
            self.addCleanup(server.kill)
            self.servers.append(server.wait_ready())

    @staticmethod
    def found(server):
        return sorted((t["scrapePool"], sorted(t["discoveredLabels"].items()), sorted(t["labels"].items())) for t in server.targets())

    def same(self, count):
        """What both find, once it is `count` targets."""
        for server in self.servers:
            harness.wait_until(lambda: len(server.targets()) == count, f"{server.program} has {count} targets")
        ours, theirs = map(self.found, self.servers)
        self.assertEqual(ours, theirs)
        return ours

    def test_docker_targets_are_the_same_and_stay_while_the_engine_is_broken(self):
        self.start(CONFIG.format(docker=self.engine.server.port))
        self.same(4)
        self.assertTrue(any("filters=%7B%22label%22%3A%7B%22scrape%3Dyes%22%3Atrue%7D%7D" in path for path in self.engine.paths))
        self.engine.broken = True
        page = lambda: harness.request(self.servers[0].url + "/metrics").body.decode()
        harness.wait_until(lambda: 'pipit_sd_refresh_failures_total{mechanism="docker"} 0' not in page(), "a refresh has failed")
        self.assertEqual(len(self.servers[0].targets()), 4)
        self.engine.broken = False
        self.engine.containers = CONTAINERS[:1]
        self.same(2)

    def test_dns_targets_are_the_same(self):
        address = "127.0.0.53"
        try:
            server = NameServer(address)
        except PermissionError:
            print("SKIPPED: port 53 cannot be bound, DNS discovery is not compared")
            return
        self.addCleanup(server.close)
        resolv = self.folder.write("resolv.conf", f"nameserver {address}\n")

        def wrap(program):
            """The program with a resolv.conf of its own."""
            script = self.folder.write(f"run-{os.path.basename(program)}", f"""#!/bin/sh
exec unshare -rm sh -c 'mount --bind {resolv} /etc/resolv.conf && exec "$@"' sh {program} "$@"
""")
            os.chmod(script, 0o755)
            return script

        self.start("global: {scrape_interval: 1s, scrape_timeout: 1s}\nscrape_configs:" + DNS_JOBS, wrap)
        found = self.same(6)
        self.assertIn("[fd00::1]:9100", str(found))


if __name__ == "__main__":
    unittest.main()
