"""The recorded pages of an exporter: parsed, and how small their values could be."""
import decimal
import functools
import lzma

import recorded_pages


@functools.lru_cache(maxsize=1)
def pages(path):
    """All pages in order, each as [(series as the page has it, text of the value)]."""
    return [parse(text) for text in recorded_pages.texts(path)]


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
