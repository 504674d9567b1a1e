"""The programs that are compared: how each is started, when its disk has settled, and which of its files are what."""
import os
import re
import subprocess
import time

import harness

QUIET_SECONDS = 10


class Program:
    """What the three differ in. `server` is a running one, see servers.py."""

    name = ""
    write_path = "/api/v1/write"
    query_parameters = {}

    def __init__(self, build):
        self.binary = harness.peer(self.name)

    def version(self):
        """The upstream version of the package."""
        answer = subprocess.run(["dpkg-query", "-W", "-f=${Version}", self.name], capture_output=True, text=True)
        return answer.stdout.partition("+")[0] or "unknown"

    def command(self, config, data, port):
        raise NotImplementedError

    def flush(self, server):
        """Asks for what the program would do in time by itself: bring all to its place on disk and merge it."""

    def busy(self, server):
        """Whether work goes on that files and CPU time do not show."""
        return False

    def series_known(self, server):
        """To be handed to `series_made` of the next process."""

    def series_made(self, server, known_before):
        """How many series got a new id since the process started."""
        raise NotImplementedError

    def sizes(self, server):
        """Bytes on disk as {"samples": ..., "all": ..., "allocated": ...}: what holds samples, and all files."""
        raise NotImplementedError


class Pipit(Program):
    name = "pipit"

    def __init__(self, build):
        self.binary = os.path.join(build, "pipit")
        self.flushed = False

    def version(self):
        answer = subprocess.run([self.binary, "--version"], capture_output=True, text=True)
        return (re.search(r"\d+\.\d+\.\d+", answer.stdout) or ["unknown"])[0]

    def command(self, config, data, port):
        return [self.binary, f"--config.file={config}", f"--storage.tsdb.path={data}",
                f"--web.listen-address=127.0.0.1:{port}", "--storage.tsdb.retention.time=100y",
                "--web.enable-remote-write-receiver"]

    def flush(self, server):
        # A clean stop writes the open chunks. Some minutes later they are merged, as all of history lies in closed days.
        server.stop()
        server.start()
        self.flushed = True

    def busy(self, server):
        return self.flushed and (server.metric("pipit_storage_chunk_file_bytes") >
                                 server.metric("pipit_storage_merged_file_bytes"))

    def series_made(self, server, known_before):
        return server.metric("pipit_storage_series_created_total")

    def sizes(self, server):
        return {"samples": server.metric("pipit_storage_chunk_file_bytes"), **all_files(server.data)}


class Prometheus(Program):
    name = "prometheus"

    def command(self, config, data, port):
        return [self.binary, f"--config.file={config}", f"--storage.tsdb.path={data}",
                f"--web.listen-address=127.0.0.1:{port}", "--storage.tsdb.retention.time=100y",
                "--web.enable-remote-write-receiver", "--web.enable-admin-api"]

    def flush(self, server):
        """The head holds up to three hours and has no command to let go of them; a snapshot writes them as a block."""
        answer = harness.request(server.url + "/api/v1/admin/tsdb/snapshot", method="POST", timeout=600)
        self.snapshot = os.path.join(server.data, "snapshots", answer.json()["data"]["name"])

    def series_known(self, server):
        return server.metric("prometheus_tsdb_head_series")

    def series_made(self, server, known_before):
        return max(0, self.series_known(server) - known_before)

    def sizes(self, server):
        chunks = os.path.join("chunks", "")
        return {"samples": sum(size for path, size, _ in files(self.snapshot) if chunks in path),
                **all_files(self.snapshot)}


class VictoriaMetrics(Program):
    name = "victoria-metrics"
    query_parameters = {"nocache": "1"}  # a repeated query is to be answered, not remembered

    def command(self, config, data, port):
        return [self.binary, f"-promscrape.config={config}", f"-storageDataPath={data}",
                f"-httpListenAddr=127.0.0.1:{port}", "-promscrape.config.strictParse=false", "-retentionPeriod=100y",
                "-search.maxUniqueTimeseries=100000000", "-search.latencyOffset=1ms"]

    def flush(self, server):
        harness.request(server.url + "/internal/force_flush")
        harness.request(server.url + "/internal/force_merge")

    def series_made(self, server, known_before):
        return server.metric("vm_new_timeseries_created_total")

    def busy(self, server):
        return server.metric("vm_active_force_merges") > 0 or server.metric("vm_active_merges") > 0

    def sizes(self, server):
        data = os.path.join(server.data, "data", "")
        return {"samples": sum(size for path, size, _ in files(server.data) if path.startswith(data)),
                **all_files(server.data)}


PROGRAMS = {program.name: program for program in (Pipit, Prometheus, VictoriaMetrics)}


def files(folder):
    """(path, length, allocated bytes) of each file; files that vanish meanwhile are left out."""
    for parent, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(parent, name)
            try:
                status = os.lstat(path)
            except FileNotFoundError:
                continue
            yield path, status.st_size, status.st_blocks * 512


def all_files(folder):
    found = list(files(folder))
    return {"all": sum(size for _, size, _ in found), "allocated": sum(allocated for _, _, allocated in found)}


def settle(server, timeout=3600):
    """Waits until the disk has its final state; gives the CPU seconds that the program had used when it had."""
    wait_until_quiet(server, timeout)
    server.program.flush(server)
    return wait_until_quiet(server, timeout)


def wait_until_quiet(server, timeout):
    """Quiet: for ten seconds no file changed, nothing ran that shows in the metrics, and the processor idled."""
    deadline = time.monotonic() + timeout
    state, cpu, since = None, 0.0, time.monotonic()
    while time.monotonic() < deadline:
        now = sorted((path, size) for path, size, _ in files(server.data) if counts_as_change(path))
        used = server.cpu_seconds()
        if now != state or used - cpu > 0.02 * (time.monotonic() - since) + 0.1 or server.program.busy(server):
            state, cpu, since = now, used, time.monotonic()
        elif time.monotonic() - since >= QUIET_SECONDS:
            return cpu
        time.sleep(0.5)
    raise AssertionError(f"{server.program.name} did not come to rest within {timeout} s")


def counts_as_change(path):
    """RocksDB's own log of what it did, and VictoriaMetrics's caches, are written without any news."""
    return os.path.basename(path) != "LOG" and "/cache/" not in path
