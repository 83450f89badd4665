"""TensorBoard's files: protocol buffers, written field by field, in records with checksums.

A message is the bytes of its fields one after the other, so messages are made by adding. The names of the fields stand
beside their numbers where they are used.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable
from typing import Any

__all__ = ["data", "doubles", "f32", "f64", "floats", "integer", "png", "record"]


def varint(n: int) -> bytes:
    n &= 0xFFFFFFFFFFFFFFFF
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    out.append(n)
    return bytes(out)


def integer(number: int, value: int) -> bytes:
    """A field of an integer, bool or enum type."""
    return varint(number << 3) + varint(int(value))


def f64(number: int, value: float) -> bytes:
    return varint(number << 3 | 1) + struct.pack("<d", value)


def f32(number: int, value: float) -> bytes:
    try:
        return varint(number << 3 | 5) + struct.pack("<f", value)
    except OverflowError:  # a finite number beyond float32
        return f32(number, float("inf") if value > 0 else float("-inf"))


def data(number: int, value: bytes | str) -> bytes:
    """A field of text, bytes or a message."""
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def doubles(number: int, values: list[float]) -> bytes:
    return data(number, struct.pack(f"<{len(values)}d", *values))


def floats(number: int, values: list[float]) -> bytes:
    return data(number, struct.pack(f"<{len(values)}f", *values))


def _table() -> list[int]:
    out = []
    for n in range(256):
        for _ in range(8):
            n = n >> 1 ^ (0x82F63B78 if n & 1 else 0)
        out.append(n)
    return out


_CRC = _table()


def checksum(value: bytes) -> bytes:
    """CRC-32C, masked as TensorFlow's records want it."""
    crc, table = 0xFFFFFFFF, _CRC
    for byte in value:
        crc = table[(crc ^ byte) & 255] ^ crc >> 8
    crc ^= 0xFFFFFFFF
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def record(message: bytes) -> bytes:
    """One record of an event file."""
    size = struct.pack("<Q", len(message))
    return size + checksum(size) + message + checksum(message)


def png(width: int, height: int, channels: int, rows: Iterable[Any]) -> bytes:
    """A PNG file of 8-bit rows, each of them led by a zero byte; 1, 3 or 4 channels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", width, height, 8, {1: 0, 3: 2, 4: 6}[channels], 0, 0, 0)
    body = zlib.compress(b"".join(rows), 6)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
