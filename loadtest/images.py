"""Checks a PNG without a library, to cost the load generator little time."""

import struct
import zlib

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def fault(data, width, height, may_be_blank=False):
    """What is wrong with an image that should be a whole PNG of this size and not blank, or None."""
    if not data.startswith(SIGNATURE):
        return f"not a PNG: begins with {data[:8]!r}"
    pixels = []
    at, found, kind = len(SIGNATURE), None, b""
    while at + 12 <= len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        body = data[at + 8 : at + 8 + length]
        if kind == b"IHDR":
            found = struct.unpack(">II", body[:8])
        elif kind == b"IDAT":
            pixels.append(body)
        at += 12 + length
    if kind != b"IEND":
        return f"a PNG cut off after {len(data)} bytes"
    if found != (width, height):
        return f"a PNG of {found[0]}x{found[1]} instead of {width}x{height}"
    if not may_be_blank and len(set(zlib.decompress(b"".join(pixels))[:: max(1, width // 8)])) < 8:
        return "a blank image"
    return None
