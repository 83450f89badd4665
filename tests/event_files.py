"""A reader of TensorBoard's event files: messages as {field: [values]}, fields of text and of messages as bytes."""

import struct

from polytensor.utils.tensorboard import wire


def varint(raw, at):
    value = shift = 0
    while True:
        byte = raw[at]
        value, shift, at = value | (byte & 127) << shift, shift + 7, at + 1
        if byte < 128:
            return value, at


def message(raw):
    out, at = {}, 0
    while at < len(raw):
        key, at = varint(raw, at)
        if key & 7 == 0:
            value, at = varint(raw, at)
        elif key & 7 == 2:
            size, at = varint(raw, at)
            value, at = raw[at : at + size], at + size
        else:
            kind, size = {1: ("<d", 8), 5: ("<f", 4)}[key & 7]
            value, at = struct.unpack_from(kind, raw, at)[0], at + size
        out.setdefault(key >> 3, []).append(value)
    return out


def inside(raw, *path):
    """The first value of a field of a field of ... a message."""
    for number in path:
        raw = message(raw)[number][0]
    return raw


def events(path):
    raw, at, out = path.read_bytes(), 0, []
    while at < len(raw):
        head = raw[at : at + 8]
        (size,) = struct.unpack("<Q", head)
        body = raw[at + 12 : at + 12 + size]
        assert raw[at + 8 : at + 12] == wire.checksum(head)
        assert raw[at + 12 + size : at + 16 + size] == wire.checksum(body)
        out.append(body)
        at += 16 + size
    return out
