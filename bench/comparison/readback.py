"""Reads loaded history back and holds each sample against the page it came from."""
import re
import struct

import readiness
import recording

LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


class Found:
    def __init__(self):
        self.lost = 0  # samples without an answer
        self.differing = 0  # samples with other bits than the page's value


def compare(server, stretches, start, interval):
    """`stretches[k]`: the pages that `host-k` sent, from `start` on."""
    found = Found()
    for number, stretch in enumerate(stretches):
        compare_target(found, server, f"host-{number}", recording.series_of(stretch), start, interval, len(stretch))
    return found


def compare_target(found, server, instance, series, start, interval, steps):
    end = start + (steps - 1) * interval
    result = readiness.ask(server, "query", {"query": f'{{instance="{instance}"}}[{steps * interval}s]', "time": end})
    answers = {labels_of_answer(one["metric"]): {round((t - start) / interval): value for t, value in one["values"]}
               for one in result or []}
    for text, values in series.items():
        answer = answers.get(labels_of_page(text), {})
        for index, value in values:
            if index not in answer:
                found.lost += 1
            elif bits(answer[index]) != bits(value):
                found.differing += 1


def labels_of_page(text):
    name, _, rest = text.partition("{")
    return frozenset([("__name__", name), *((label, unescape(value)) for label, value in LABEL.findall(rest) if value)])


def unescape(text):
    return re.sub(r"\\(.)", lambda escape: "\n" if escape[1] == "n" else escape[1], text)


def labels_of_answer(metric):
    return frozenset(pair for pair in metric.items() if pair[0] not in ("instance", "job"))


def bits(text):
    return struct.pack("<d", float(text))
