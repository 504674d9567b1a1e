"""The recorded pages of an exporter: found or made, read, and how small their values could be."""
import decimal
import functools
import lzma
import os
import pathlib
import subprocess
import sys
import tarfile
import time

import harness

PAGES_TO_RECORD = 600
SECONDS_BETWEEN_PAGES = 0.25


def obtain(path, own_folder):
    """`path` if there is such a recording; otherwise `own_folder`, with pages of a node exporter recorded if need be."""
    if os.path.exists(path):
        return path
    folder = pathlib.Path(own_folder)
    if not folder.exists():
        print(f"There is no {path}: recording {PAGES_TO_RECORD} pages into {folder}", file=sys.stderr)
        record(folder)
    return str(folder)


def record(folder):
    unfinished = folder.with_name(folder.name + ".unfinished")
    unfinished.mkdir(parents=True, exist_ok=True)
    port = harness.free_port()
    exporter = harness.Process([harness.peer("prometheus-node-exporter"), f"--web.listen-address=127.0.0.1:{port}"],
                               os.devnull)
    try:
        url = f"http://127.0.0.1:{port}/metrics"
        harness.wait_until(lambda: answers(url), "the node exporter answers")
        for number in range(PAGES_TO_RECORD):
            (unfinished / f"{number:05}.prom").write_bytes(harness.request(url).body)
            time.sleep(SECONDS_BETWEEN_PAGES)
    finally:
        exporter.kill()
    unfinished.rename(folder)


def answers(url):
    try:
        return harness.request(url).status == 200
    except OSError:
        return False


@functools.lru_cache(maxsize=1)
def pages(path):
    """All pages in order, each as [(series as the page has it, text of the value)]."""
    if os.path.isdir(path):
        return [parse(file.read_text()) for file in sorted(pathlib.Path(path).iterdir())]
    with subprocess.Popen(["zstd", "-q", "-d", "--long=27", "-c", path], stdout=subprocess.PIPE) as unpacker:
        with tarfile.open(fileobj=unpacker.stdout, mode="r|") as archive:
            return [parse(archive.extractfile(member).read().decode()) for member in archive if member.isfile()]


def parse(page):
    return [tuple(line.rsplit(" ", 1)) for line in page.splitlines() if line and line[0] != "#"]


def series_of(stretch):
    """The pages of a stretch by series: {series: [(index of the page, text of the value)]}."""
    series = {}
    for index, page in enumerate(stretch):
        for name, text in page:
            series.setdefault(name, []).append((index, text))
    return series


def limit_bytes(stretches):
    """About what the values of these stretches need: per series the smallest decimal scale that makes all of them
    integers, the differences from one to the next in zigzag varints, all under `xz -9e`. Times cost nothing."""
    out = bytearray()
    for stretch in stretches:
        for values in series_of(stretch).values():
            append_deltas(out, [text for _, text in values])
    return len(lzma.compress(out, preset=9 | lzma.PRESET_EXTREME))


def append_deltas(out, texts):
    numbers = {text: decimal.Decimal(text) for text in set(texts)}
    scale = max(0, max(-number.as_tuple().exponent for number in numbers.values() if number.is_finite()))
    integers = {text: int(number.scaleb(scale)) if number.is_finite() else 0 for text, number in numbers.items()}
    last = 0
    for text in texts:
        delta = integers[text] - last
        last = integers[text]
        rest = delta * 2 if delta >= 0 else -delta * 2 - 1
        while rest >= 0x80:
            out.append(rest & 0x7F | 0x80)
            rest >>= 7
        out.append(rest)
