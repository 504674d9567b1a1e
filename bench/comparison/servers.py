"""A program under measurement: started, stopped and killed, with its CPU time and memory read from the kernel."""
import os
import re
import signal
import threading
import time

import harness

TICKS = os.sysconf("SC_CLK_TCK")
NOTHING_TO_SCRAPE = "scrape_configs: []\n"


class Server:
    """One program with a data folder of its own. CPU time and the memory peak are those of all its processes so far."""

    def __init__(self, program, folder):
        self.program = program
        self.folder = folder
        self.data = str(folder.path / "data")
        self.configure(NOTHING_TO_SCRAPE)
        self.child = None
        self.cpu_of_earlier = 0.0
        self.peak = Memory()

    def configure(self, text):
        """From the next start on."""
        self.config = self.folder.write("config.yml", text)

    # ---- life ------------------------------------------------------------------------------------------------------
    def start(self, wait=True):
        self.port = harness.free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.child = harness.Process(self.program.command(self.config, self.data, self.port), self.folder.path / "log",
                                     cwd=self.folder.path)
        self.pid = self.child.process.pid
        self.watcher = PeakWatcher(self.pid)
        if wait:
            harness.wait_until(self.answers, f"{self.program.name} answers", timeout=600)
        return self

    def answers(self):
        self.check_alive()
        try:
            return harness.request(self.url + "/metrics", timeout=5).status == 200
        except OSError:
            return False

    def check_alive(self):
        assert self.child.alive(), f"{self.program.name} ended by itself:\n{self.child.log()[-2000:]}"

    def stop(self):
        self.end(signal.SIGTERM)

    def kill(self):
        self.end(signal.SIGKILL)

    def end(self, number):
        if self.child is None:
            return
        self.peak = self.memory_peak()
        self.child.signal(number)
        os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)  # leaves it there: what it used can be read until wait()
        self.cpu_of_earlier = self.cpu_seconds()
        self.watcher.stop()
        self.child.wait()
        self.child = None

    # ---- what the kernel knows -------------------------------------------------------------------------------------
    def cpu_seconds(self):
        """User and system time of all threads, of the processes that have ended, too."""
        with open(f"/proc/{self.pid}/stat") as f:
            fields = f.read().rpartition(")")[2].split()
        return self.cpu_of_earlier + (int(fields[11]) + int(fields[12])) / TICKS

    def memory(self):
        return Memory.of(self.pid)

    def memory_peak(self):
        """The highest resident set, exact; how it is split is that of the highest of the samples."""
        return max(self.peak, self.watcher.peak.at_least(high_water_mark(self.pid)), key=lambda memory: memory.total)

    # ---- what it says of itself ------------------------------------------------------------------------------------
    def metric(self, name):
        """The sum over all series of a metric; 0 when there is none."""
        text = harness.request(self.url + "/metrics").body.decode()
        return sum(float(value) for value in re.findall(rf"^{name}(?:{{[^\n]*}})? (\S+)$", text, re.MULTILINE))


class Memory:
    """Resident bytes: anonymous (heaps, stacks) and of files (code, mapped data)."""

    def __init__(self, anonymous=0, file=0, total=None):
        self.anonymous, self.file = anonymous, file
        self.total = anonymous + file if total is None else total

    @classmethod
    def of(cls, pid):
        fields = status_of(pid)
        return cls(fields.get("RssAnon", 0), fields.get("RssFile", 0) + fields.get("RssShmem", 0))

    def at_least(self, total):
        return Memory(self.anonymous, self.file, max(self.total, total))


def status_of(pid):
    """The sizes of /proc/PID/status, in bytes."""
    with open(f"/proc/{pid}/status") as f:
        return {key: int(value) * 1024 for key, value in re.findall(r"^(\w+):\s+(\d+) kB$", f.read(), re.MULTILINE)}


def high_water_mark(pid):
    return status_of(pid).get("VmHWM", 0)


class PeakWatcher:
    """Looks at a process's memory twice a second and keeps the highest."""

    def __init__(self, pid):
        self.pid = pid
        self.peak = Memory()
        self.stopped = threading.Event()
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while not self.stopped.wait(0.5):
            try:
                self.peak = max(self.peak, Memory.of(self.pid), key=lambda memory: memory.total)
            except (FileNotFoundError, ProcessLookupError):
                return

    def stop(self):
        self.stopped.set()
