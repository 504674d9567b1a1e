"""Asks Pipit and Prometheus 2.42 random questions about the same samples, and says where the answers differ.

    tests/peers/run differential --forever                 # until ten answers differ, from a seed of its own
    tests/peers/run differential --seed 7 --count 5000     # the same expressions each time
    tests/peers/run differential --seed 7 --only 1234      # one of them, with both answers
    tests/peers/run differential --expr 'rate(level[1m])' --at 1700000600.5

PIPIT_BIN names the program (default: build/pipit). docs/testing.md tells how it works. Exit code 1: something differs.
"""
import argparse
import collections
import itertools
import json
import multiprocessing
import os
import random
import signal
import socket
import sys
import time
import urllib.parse

import answers
import differential_data
import harness
from differential_causes import cause_of
from differential_minimise import TOLERANCE, differs, smallest_of
from promql_expression import OURS, THEIRS
from promql_generator import Generator

MAX_EXPLAINED_SHARE = 0.02
WORKERS = os.cpu_count() or 1
CHUNK = 50
ASK_AGAIN = 40
MANY_STEPS_SHARE = 0.05  # so many that a mask of them takes several words


class Client:
    """A kept-alive connection to a server's API."""

    def __init__(self, port):
        self.port, self.stream = port, None

    def ask(self, path, parameters):
        """The answer as a dict."""
        body = urllib.parse.urlencode(parameters).encode()
        head = (f"POST /api/v1/{path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n"
                f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n")
        if not self.stream:
            connection = socket.create_connection(("127.0.0.1", self.port), timeout=60)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.stream = connection.makefile("rwb", buffering=1 << 16)
        self.stream.write(head.encode() + body)
        self.stream.flush()
        return json.loads(self.read_reply())

    def read_reply(self):
        assert self.stream.readline().startswith(b"HTTP/1.1 "), "no answer"
        headers = {}
        while (line := self.stream.readline().strip()):
            name, _, value = line.partition(b":")
            headers[name.lower()] = value.strip()
        if b"content-length" in headers:
            return self.stream.read(int(headers[b"content-length"]))
        body = b""
        while (size := int(self.stream.readline(), 16)):
            body += self.stream.read(size)
            self.stream.readline()
        self.stream.readline()
        return body


class Question:
    """An expression and the times to ask about: an instant, and a range of steps."""

    def __init__(self, seed, index, history):
        dice = random.Random(f"{seed}:{index}")
        self.expr = Generator(dice, history).expression()
        # Mostly while there are samples, but also before them and after the last.
        self.at = differential_data.START + dice.randrange(-30, differential_data.SPAN_SECONDS + 400) + 0.5
        start = differential_data.START + dice.randrange(-60, differential_data.SPAN_SECONDS) + 0.5
        step, steps = dice.randrange(7, 100), dice.randrange(1, 14)
        if dice.random() < MANY_STEPS_SHARE:
            step, steps = dice.randrange(1, 12), dice.randrange(60, 200)
        self.range = {"start": start, "end": start + step * steps, "step": step}


class Asker:
    """Asks both servers."""

    def __init__(self, ports):
        self.clients = [Client(port) for port in ports]

    def both(self, expr, path, times, fixed=None):
        """The two answers. `fixed`: see Expr.text."""
        return [client.ask(path, {"query": expr.text(dialect, fixed), **times})
                for dialect, client in zip((OURS, THEIRS), self.clients)]


class Outcome:
    """How one question went: `answer` is "data", "empty" or "error", the best of its answers; `cause` names what explains a
    difference; `report` is of one that nothing explains."""

    def __init__(self, index, answer, cause=None, report=None):
        self.index, self.answer, self.cause, self.report = index, answer, cause, report


class Judge:
    def __init__(self, ports, history):
        self.asker, self.history = Asker(ports), history

    def outcome(self, seed, index):
        question = Question(seed, index, self.history)
        ways = [("query", {"time": question.at})]
        if question.expr.type in ("instant", "scalar"):
            ways.append(("query_range", question.range))
        kinds = []
        for path, times in ways:
            both = self.asker.both(question.expr, path, times)
            kinds.append(kind_of(both[THEIRS]))
            if not self.same(question, path, *both):
                return self.explained(seed, index, question, path, times, both, min(kinds))
        return Outcome(index, min(kinds))

    def same(self, question, path, ours, theirs):
        if path == "query_range":
            return not differs(ours, theirs, ordered=True)
        return not differs(ours, theirs) and (not question.expr.ordered or same_order(ours, theirs))

    def explained(self, seed, index, question, path, times, both, kind):
        at, fixed = (question.at, (question.at,) * 2) if path == "query" else (None, (times["start"], times["end"]))
        smallest = smallest_of(question.expr, self.asker, at, fixed, question.range)
        cause = cause_of(smallest) or ("order_that_varies" if self.varies(question, path, times, both) else None)
        report = None if cause else f"--seed {seed} --only {index}: {question.expr.text(OURS)}\n{smallest.text()}"
        return Outcome(index, kind, cause, report)

    def varies(self, question, path, times, both):
        """Whether 2.42 answers otherwise when it is asked again, and each sample of Pipit's answer is in some answer of 2.42: it adds
        the series of a group in an order that varies. Pipit must not."""
        again = [self.asker.both(question.expr, path, times) for _ in range(ASK_AGAIN)]
        if any(ours != both[OURS] for ours, _ in again):
            return False
        ours, *theirs = (samples_of(answer) for answer in (both[OURS], both[THEIRS], *(theirs for _, theirs in again)))
        return all(any(same_sample(ours.get(at), found.get(at)) for found in theirs) for at in set(ours).union(*theirs))


def same_sample(a, b):
    return a == b if a is None or b is None else answers.same_float(a, b, TOLERANCE)


def samples_of(answer):
    """{(labels, time): value} of a vector or matrix; a scalar is a vector without labels."""
    if answer["status"] != "success":
        return {answer["errorType"]: "0"}
    if answer["data"]["resultType"] in ("scalar", "string"):
        return {(): answer["data"]["result"][1]}
    return {(labels, time): value for labels, points in answers.series_of(answer["data"]) for time, value in points}


def kind_of(answer):
    if answer["status"] != "success":
        return "error"
    return "data" if answer["data"]["result"] else "empty"


def same_order(ours, theirs):
    """Whether both sort by value alike; series with equal values may stand in any order."""
    if ours["status"] != "success":
        return True
    a, b = ([float(s["value"][1]) for s in answer["data"]["result"]] for answer in (ours, theirs))
    return all(answers.same_float(x, y, TOLERANCE) for x, y in zip(a, b))


# ---- many of them ------------------------------------------------------------------------------------------------
judge = None


def start_worker(ports, history):
    global judge
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends it
    judge = Judge(ports, history)


def judge_chunk(chunk):
    seed, indices = chunk
    return [judge.outcome(seed, index) for index in indices]


class Tally:
    """What is counted of a run."""

    def __init__(self):
        self.answers, self.causes, self.reports = collections.Counter(), collections.Counter(), []
        self.asked = 0

    def add(self, outcome):
        self.asked += 1
        self.answers[outcome.answer] += 1
        if outcome.cause:
            self.causes[outcome.cause] += 1
        if outcome.report:
            self.reports.append(outcome.report)

    def explained_share(self):
        return sum(self.causes.values()) / max(self.asked, 1)

    def text(self):
        lines = [f"{self.asked} expressions: " + ", ".join(f"{kind} {self.answers[kind] / max(self.asked, 1):.1%}"
                                                            for kind in ("data", "empty", "error"))]
        lines += [f"  explained by {cause}: {count} ({count / self.asked:.2%})" for cause, count in self.causes.most_common()]
        return "\n".join(lines + [f"  explained in all: {self.explained_share():.2%}; not explained: {len(self.reports)}"])


def run(servers, history, seed, count, most_reports=10, progress=None):
    """Asks `count` questions, without end when it is None, and stops after `most_reports` differences or Ctrl-C; gives a Tally."""
    tally = Tally()
    numbers = range(count) if count is not None else itertools.count()
    chunks = ((seed, chunk) for chunk in iter(lambda it=iter(numbers): list(itertools.islice(it, CHUNK)), []))
    with multiprocessing.get_context("fork").Pool(WORKERS, start_worker, ([s.port for s in servers], history)) as pool:
        try:
            for outcomes in feed(pool, chunks):
                for outcome in outcomes:
                    tally.add(outcome)
                if progress:
                    progress(tally)
                if len(tally.reports) >= most_reports:
                    break
        except KeyboardInterrupt:
            pass  # what is counted so far is the result
    return tally


def feed(pool, chunks):
    """The results of `judge_chunk` in order, with a few chunks under way: there may be no end to them."""
    waiting = collections.deque(pool.apply_async(judge_chunk, (chunk,)) for chunk in itertools.islice(chunks, 2 * WORKERS))
    while waiting:
        yield waiting.popleft().get()
        waiting.extend(pool.apply_async(judge_chunk, (chunk,)) for chunk in itertools.islice(chunks, 1))


# ---- the command line --------------------------------------------------------------------------------------------
def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=None, help="a number for the whole run; the time by default")
    parser.add_argument("--count", type=int, default=5000, help="how many expressions; %(default)s by default")
    parser.add_argument("--forever", action="store_true", help="without end")
    parser.add_argument("--only", type=int, metavar="N", help="the Nth expression of the seed, with both answers")
    parser.add_argument("--expr", help="this expression instead, at --at, with both answers")
    parser.add_argument("--at", type=float, default=differential_data.START + 600.5)
    parser.add_argument("--keep-going", action="store_true", help="do not stop at the tenth difference")
    options = parser.parse_args()
    seed = int(time.time()) if options.seed is None else options.seed
    folder = harness.Folder()
    servers = ()
    try:
        history = differential_data.History(folder.path)
        servers = differential_data.start_servers(folder, history)
        ports = [server.port for server in servers]
        if options.expr:
            clients = [Client(port) for port in ports]
            return show([client.ask("query", {"query": options.expr, "time": options.at}) for client in clients])
        if options.only is not None:
            return show_question(Judge(ports, history), seed, options.only)
        print(f"seed {seed}", flush=True)
        tally = run(servers, history, seed, None if options.forever else options.count,
                    10**9 if options.keep_going else 10, Progress())
        print(tally.text())
        return 1 if tally.reports or tally.explained_share() > MAX_EXPLAINED_SHARE else 0
    finally:
        for server in servers:
            server.kill()
        folder.remove()


class Progress:
    """A line from time to time."""

    def __init__(self):
        self.next, self.reported = 1000, 0

    def __call__(self, tally):
        for report in tally.reports[self.reported:]:
            print(report + "\n", flush=True)
        self.reported = len(tally.reports)
        if tally.asked >= self.next:
            print(tally.text().replace("\n", ";"), flush=True)
            self.next *= 2


def show_question(judge, seed, index):
    question = Question(seed, index, judge.history)
    print(question.expr.text(OURS))
    for path, times in (("query", {"time": question.at}), ("query_range", question.range)):
        print(f"-- {path} {times}")
        show(judge.asker.both(question.expr, path, times))
    outcome = judge.outcome(seed, index)
    print(outcome.report or f"explained by {outcome.cause}" if outcome.cause or outcome.report else "the same")
    return 1 if outcome.report else 0


def show(both):
    for name, answer in zip(("pipit", "prometheus"), both):
        print(f"{name}: " + "\n  ".join(lines_of(answer)))
    return 1 if differs(*both) else 0


def lines_of(answer):
    if answer["status"] != "success":
        return [answers.summary(answer)]
    data = answer["data"]
    if data["resultType"] in ("scalar", "string"):
        return [str(data["result"])]
    return [data["resultType"], *(f"{dict(labels)}: {points}" for labels, points in sorted(answers.series_of(data)))]


if __name__ == "__main__":
    sys.exit(main())
