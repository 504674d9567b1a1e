"""How long a program takes from the start of its process until it answers right and takes samples again."""
import os
import time

import harness
import remote_write
from servers import high_water_mark

GIVE_UP_AFTER_SECONDS = 600
PAUSE = 0.002


class Expectations:
    """What a server answered about the time `at` (Unix seconds) before it ended, and has to answer again. From
    `next_write` on the series that is written to has no sample yet."""

    def __init__(self, server, at, next_write, job="node"):
        self.labels = {"__name__": "node_load1", "instance": "host-0", "job": job}
        selector = f'node_load1{{instance="host-0",job="{job}"}}'
        self.questions = [
            ("query", {"query": selector, "time": at}),
            ("query_range", {"query": f"max_over_time({selector}[1m])", "start": at - 300, "end": at, "step": 15}),
            ("query", {"query": 'count({__name__=~".+"})', "time": at}),
        ]
        self.answers = [ask(server, *question) for question in self.questions]
        assert all(self.answers), f"{server.program.name} has no data at {at}: {self.answers}"
        self.series = int(self.answers[2][0]["value"][1])
        self.next_write = next_write

    def stages(self, server, begin):
        """Seconds since `begin` (monotonic) at which each was met in turn; the last is the write. REQUIRES: the server
        was just started."""
        deadline = begin + GIVE_UP_AFTER_SECONDS
        met = []
        for question, answer in zip(self.questions, self.answers):
            poll(lambda: ask(server, *question) == answer, server, deadline, question)
            met.append(time.monotonic() - begin)
        body = remote_write.write_request([(self.labels, [(int(self.next_write * 1000), 1.5)])])
        self.next_write += 1
        poll(lambda: send(server, body), server, deadline, "remote write")
        return [*met, time.monotonic() - begin]


def measure(server, expectations, end, drop_cache):
    """Ends the server with `end` (its `kill` or `stop`) and starts it: {"stages", "new series", "memory peak"}."""
    known = server.program.series_known(server)
    end()
    if drop_cache:
        drop_page_cache()
    begin = time.monotonic()
    server.start(wait=False)
    stages = expectations.stages(server, begin)
    return {"stages": stages, "new series": server.program.series_made(server, known),
            "memory peak": server.watcher.peak.at_least(high_water_mark(server.pid)).total}


def all_ways(server, expectations, clean_stop=True):
    """After kill -9 and after a clean stop, with the page cache warm and dropped: {way: figures}."""
    ends = {"kill -9": server.kill, **({"clean stop": server.stop} if clean_stop else {})}
    caches = ("warm", "dropped") if os.geteuid() == 0 else ("warm",)
    return {f"{what}, page cache {cache}": measure(server, expectations, end, cache == "dropped")
            for what, end in ends.items() for cache in caches}


def drop_page_cache():
    os.sync()
    with open("/proc/sys/vm/drop_caches", "w") as f:
        f.write("3")


# ---- asking ------------------------------------------------------------------------------------------------------
def poll(condition, server, deadline, what):
    while True:
        try:
            if condition():
                return
        except OSError:
            pass  # nobody listens yet
        server.check_alive()
        assert time.monotonic() < deadline, f"{server.program.name} is not ready in time: {what}"
        time.sleep(PAUSE)


def ask(server, path, parameters):
    """The result of a query, None when it is refused."""
    form = {**parameters, **server.program.query_parameters}
    reply = harness.request(f"{server.url}/api/v1/{path}", form=form, timeout=GIVE_UP_AFTER_SECONDS)
    return reply.json()["data"]["result"] if reply.status == 200 else None


def send(server, body):
    """Whether a remote write was acknowledged; asserts that it is not refused for good."""
    reply = remote_write.post(server.url + server.program.write_path, body)
    assert not 400 <= reply.status < 429, f"{server.program.name}: {reply.status} {reply.body[:300]}"
    return 200 <= reply.status < 300
