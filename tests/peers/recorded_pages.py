"""The recorded pages of an exporter: found or made, and read."""
import itertools
import os
import pathlib
import subprocess
import sys
import tarfile
import time

import harness


def obtain(path, own_folder, count=600, seconds_between=0.25):
    """`path` if there is such a recording; otherwise `own_folder`, with `count` pages of a node exporter recorded if need be."""
    if os.path.exists(path):
        return path
    folder = pathlib.Path(own_folder)
    if not folder.exists():
        print(f"There is no {path}: recording {count} pages into {folder}", file=sys.stderr)
        record(folder, count, seconds_between)
    return str(folder)


def record(folder, count, seconds_between):
    unfinished = folder.with_name(folder.name + ".unfinished")
    unfinished.mkdir(parents=True, exist_ok=True)
    port = harness.free_port()
    exporter = harness.Process([harness.peer("prometheus-node-exporter"), f"--web.listen-address=127.0.0.1:{port}"],
                               os.devnull)
    try:
        url = f"http://127.0.0.1:{port}/metrics"
        harness.wait_until(lambda: answers(url), "the node exporter answers")
        for number in range(count):
            (unfinished / f"{number:05}.prom").write_bytes(harness.request(url).body)
            time.sleep(seconds_between)
    finally:
        exporter.kill()
    unfinished.rename(folder)


def answers(url):
    try:
        return harness.request(url).status == 200
    except OSError:
        return False


def texts(path, most=None, skip=0):
    """The pages in order as texts, at most `most` of them from the `skip`th on."""
    past = None if most is None else skip + most
    if os.path.isdir(path):
        for file in sorted(pathlib.Path(path).iterdir())[skip:past]:
            yield file.read_text()
        return
    with subprocess.Popen(["zstd", "-q", "-d", "--long=27", "-c", path], stdout=subprocess.PIPE) as unpacker:
        try:
            with tarfile.open(fileobj=unpacker.stdout, mode="r|") as archive:
                files = (member for member in archive if member.isfile())
                for member in itertools.islice(files, skip, past):
                    yield archive.extractfile(member).read().decode()
        finally:
            unpacker.kill()
