"""What is measured: each scenario takes a server that is not started and gives its figures (docs/benchmarks.md)."""
import json
import math
import os
import re
import signal
import subprocess
import sys
import time

import harness
import queries
import readiness
import readback
import recording
from figures import Figures
from programs import all_files, settle, wait_until_quiet
from servers import NOTHING_TO_SCRAPE

DAY = 86400


class Run:
    """One call of bench/compare: its options and where things are."""

    def __init__(self, options, build, pages):
        self.options, self.build, self.pages = options, build, pages

    def load(self, server, targets, steps, start, page_offset):
        """Sends history by remote write and gives what remote_write_load says of it."""
        command = [os.path.join(self.build, "remote_write_load"), "--pages", self.pages, "--port", str(server.port),
                   "--path", server.program.write_path, "--targets", str(targets), "--steps", str(steps),
                   "--interval", str(self.options.interval), "--start", str(start), "--page-offset", str(page_offset),
                   "--connections", str(self.options.connections)]
        answer = subprocess.run(command, stdout=subprocess.PIPE, text=True)
        server.check_alive()
        assert answer.returncode == 0, f"{server.program.name}: remote_write_load failed"
        return json.loads(answer.stdout.splitlines()[-1])

    def history_start(self, days):
        """Midnight (UTC) so many whole days ago that all of the history lies in days that are over."""
        return (int(time.time()) // DAY - math.ceil(days)) * DAY

    def say(self, program, what):
        print(f"{time.strftime('%H:%M:%S')} {program.name}: {what}", file=sys.stderr, flush=True)


def history(run, program, server):
    """A day of many targets, loaded in the past; then a dashboard's queries and restarts."""
    options, figures = run.options, Figures()
    start, steps = run.history_start(options.days), int(options.days * DAY / options.interval)
    run.say(program, f"history of {options.series_targets} targets x {steps} steps")
    server.start()
    loaded = run.load(server, options.series_targets, steps, start, page_offset=7)
    cpu_loaded = server.cpu_seconds()
    run.say(program, f"loaded {loaded['samples']} samples, {cpu_loaded:.1f} CPU s; settling")
    cpu = settle(server)
    count_load(figures, loaded, cpu_loaded, cpu)
    figures.memory("peak of loading and settling", server.memory_peak())
    figures.memory("settled", server.memory())
    count_disk(figures, program.sizes(server), loaded)

    run.say(program, "queries")
    last = start + (steps - 1) * options.interval
    figures.queries = queries.measure(server, last)
    figures.memory("peak with queries", server.memory_peak())
    run.say(program, "restarts")
    expectations = readiness.Expectations(server, last, next_write=last + 1)
    figures.add("series, newest 5 minutes", expectations.series, "count")
    figures.ready(readiness.all_ways(server, expectations))
    return figures


def bytes_a_sample(run, program, server):
    """Four targets that share no page: what a sample takes on disk, and whether it reads back as it was."""
    options, figures = run.options, Figures()
    pages = recording.pages(run.pages)
    steps = min(len(pages) // options.stretches, options.stretch_steps)
    start = run.history_start(steps * options.interval / DAY)
    run.say(program, f"bytes of {options.stretches} stretches of {steps} pages")
    server.start()
    loaded = run.load(server, options.stretches, steps, start, page_offset=steps)
    cpu_loaded = server.cpu_seconds()
    cpu = settle(server)
    count_load(figures, loaded, cpu_loaded, cpu)
    count_disk(figures, program.sizes(server), loaded)
    stretches = [pages[i * steps:(i + 1) * steps] for i in range(options.stretches)]
    run.say(program, "reading back")
    found = readback.compare(server, stretches, start, options.interval)
    figures.add("samples read back with other bits", found.differing, "count")
    figures.add("samples lost", found.lost, "count")
    figures.add("reference: decimal deltas under xz -9e",
                recording.limit_bytes(stretches) / loaded["samples"], "B/sample")
    return figures


def scrape(run, program, server):
    """Many targets scraped every second, then killed."""
    options, figures = run.options, Figures()
    port = harness.free_port()
    command = [os.path.join(run.build, "replay"), "--targets", str(options.scrape_targets), "--pages", run.pages,
               "--port", str(port), "--interval", str(options.scrape_interval)]
    command += ["--gzip"] if options.gzip else []
    targets = subprocess.run(command + ["--config"], check=True, capture_output=True, text=True).stdout
    server.configure(targets)
    replay = harness.Process(command, os.path.join(server.folder.path, "replay.log"))
    run.say(program, f"scraping {options.scrape_targets} targets for {options.scrape_seconds} s")
    try:
        harness.wait_until(lambda: listens(port), "the targets answer")
        server.start()
        begin = time.monotonic()
        time.sleep(options.scrape_seconds)
        figures.add("CPU", server.cpu_seconds(), "s")
        figures.memory("peak", server.memory_peak())
        figures.memory("at the end", server.memory())
        figures.add("disk, all files, running", all_files(server.data)["allocated"], "MB")
        at = int(time.time()) - 10
        figures.add("targets up", number(server, "sum(up)"), "count")
        figures.add("samples a scrape of all", number(server, "sum(scrape_samples_scraped)"), "count")
        figures.add("seconds", time.monotonic() - begin, "s")
        expectations = readiness.Expectations(server, at, next_write=time.time() + 60, job="replay")
        figures.add("series", expectations.series, "count")
    finally:
        replay.kill()
    run.say(program, "restarts")
    server.configure(NOTHING_TO_SCRAPE)  # the same after each start, whatever answers by then
    figures.ready(readiness.all_ways(server, expectations, clean_stop=False))
    return figures


def million(run, program, server):
    """Many series, each first seen and then alive for a few minutes."""
    options, figures = run.options, Figures()
    start = run.history_start(options.million_steps * options.interval / DAY)
    run.say(program, f"{options.million_targets} targets x {options.million_steps} steps")
    server.start()
    loaded = run.load(server, options.million_targets, options.million_steps, start, page_offset=1)
    cpu_loaded = server.cpu_seconds()
    cpu = wait_until_quiet(server, timeout=3600)
    count_load(figures, loaded, cpu_loaded, cpu)
    figures.memory("peak", server.memory_peak())
    figures.memory("at rest", server.memory())
    figures.add("disk, all files, running", all_files(server.data)["allocated"], "MB")
    last = start + (options.million_steps - 1) * options.interval
    run.say(program, "restarts")
    expectations = readiness.Expectations(server, last, next_write=last + 1)
    figures.add("series", expectations.series, "count")
    figures.memory("peak with a count of all series", server.memory_peak())
    figures.ready(readiness.all_ways(server, expectations, clean_stop=False))
    return figures


def targets(run, program, server):
    """Thousands of targets every ten seconds: what they cost at rest, plain and compressed, and whom hanging ones delay."""
    figures = Figures()
    for mode, arguments in (("plain", []), ("gzip", ["--gzip"])):
        measure_targets(run, program, server, mode, arguments, figures)
    hanging = run.options.targets // 10
    measure_targets(run, program, server, f"{hanging} hang", ["--hang", str(hanging)], figures)
    return figures


def measure_targets(run, program, server, mode, arguments, figures):
    options, port = run.options, harness.free_port()
    server.data = os.path.join(server.folder.path, f"data, {mode}")
    command = [os.path.join(run.build, "replay"), "--targets", str(options.targets), "--pages", run.pages, "--port",
               str(port), "--interval", str(options.targets_interval), *arguments]
    server.configure(subprocess.run(command + ["--config"], check=True, capture_output=True, text=True).stdout)
    replay = harness.Process(command, os.path.join(server.folder.path, f"replay {mode}.log"))
    run.say(program, f"{options.targets} targets, {mode}")
    try:
        harness.wait_until(lambda: listens(port, options.targets - 1), "the targets answer")
        server.start()
        time.sleep(options.targets_settle)
        replay.signal(signal.SIGUSR1)
        cpu, begin = server.cpu_seconds(), time.monotonic()
        time.sleep(options.targets_seconds)
        cores = (server.cpu_seconds() - cpu) / (time.monotonic() - begin)
        run.say(program, f"{cores:.4f} cores")
        figures.add(f"cores, {mode}", cores, "cores")
        replay.signal(signal.SIGUSR1)
        harness.wait_until(lambda: replay.log().count("latest") == 2, "the replay says how late scrapes were")
        latest = float(re.findall(r"latest (\S+) ms", replay.log())[1])
        figures.add(f"latest scrape, {mode}", latest / 1e3, "ms")
        figures.memory(mode, server.memory())
        figures.add(f"targets up, {mode}", number(server, "sum(up)"), "count")
        figures.add(f"samples a scrape of all, {mode}", number(server, "sum(scrape_samples_scraped)"), "count")
    finally:
        replay.kill()
        server.stop()


SCENARIOS = {"history": history, "bytes": bytes_a_sample, "scrape": scrape, "targets": targets, "million": million}


def count_load(figures, loaded, cpu_loaded, cpu):
    figures.add("samples", loaded["samples"], "count")
    if loaded["refused"]:
        figures.add("samples REFUSED", loaded["refused"], "count")
    figures.add("CPU until all was acknowledged", cpu_loaded, "s")
    figures.add("CPU until the disk had settled", cpu, "s")
    figures.add("samples a CPU second, settled", loaded["samples"] / cpu, "M/s")
    figures.add("seconds of loading", loaded["seconds"], "s")


def count_disk(figures, sizes, loaded):
    figures.add("disk, samples alone", sizes["samples"] / loaded["samples"], "B/sample")
    figures.add("disk, all files", sizes["all"] / loaded["samples"], "B/sample")
    figures.add("disk, all files as allocated", sizes["allocated"] / loaded["samples"], "B/sample")


def number(server, expression):
    result = readiness.ask(server, "query", {"query": expression})
    return float(result[0]["value"][1]) if result else 0.0


def listens(port, target=0):
    try:
        return harness.request(f"http://127.0.0.1:{port}/t/{target}/metrics").status == 200
    except OSError:
        return False
