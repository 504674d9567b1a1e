"""Remote write requests (version 1.0), encoded by hand."""
import struct

import harness

# The value that ends a series: a NaN of its own.
STALE = struct.unpack("<d", (0x7FF0000000000002).to_bytes(8, "little"))[0]
HEADERS = {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy", "X-Prometheus-Remote-Write-Version": "0.1.0"}


def write_request(series):
    """The body for [(labels as a dict, [(milliseconds, value)])]."""
    return snappy(b"".join(field(1, time_series(labels, samples)) for labels, samples in series))


def time_series(labels, samples):
    parts = [field(1, field(1, name.encode()) + field(2, value.encode())) for name, value in sorted(labels.items())]
    for milliseconds, value in samples:
        parts.append(field(2, b"\x09" + struct.pack("<d", value) + b"\x10" + varint(milliseconds)))
    return b"".join(parts)


def field(number, content):
    return varint(number << 3 | 2) + varint(len(content)) + content


def varint(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out) + bytes([value])


def snappy(data):
    """Snappy's block format without any compression: one literal, whose length less one follows in four bytes."""
    assert data
    return varint(len(data)) + bytes([63 << 2]) + struct.pack("<I", len(data) - 1) + data


def post(url, body):
    """The answer to a remote write."""
    return harness.request(url, body=body, headers=HEADERS)
