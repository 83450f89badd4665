"""How a direct convolution is cut: geometry, and the tables that its kernels read."""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import Any, NamedTuple

import numpy as np

from .direct import (
    CHUNK,
    LONE_TAPS,
    LONE_TILE,
    ROWS,
    TAPS,
    TILE,
    add_pieces_kernel,
    correlate_kernel,
    weight_products_kernel,
)
from .vectors import BYTES

Array = Any
Ints = tuple[int, ...]

FEW = 4  # output channels to a group that go one by one
PIECE = 1 << 16  # elements of a packed source: they should stay in the second cache
PIECES = 8  # at least so many for a batch
SMALL = 1 << 17  # vectors of products that threads are not woken for
PARTIAL = 1 << 22  # elements of the weight's gradient summed apart
WORST = 0.6  # of the lanes in use, below which im2col is better


def _along(size: int, out: int, k: int, stride: int, padding: int, dilation: int) -> tuple[int, int, list[Any]]:
    """One axis of a convolution: (padding, packed length, classes); a class is (first output, outputs, [(tap, phase, at)])."""
    taps = [(t, t * dilation % stride, t * dilation // stride) for t in range(k)]
    return padding, out + taps[-1][2], [(0, out, taps)]


def _against(size: int, out: int, k: int, stride: int, padding: int, dilation: int) -> tuple[int, int, list[Any]]:
    """The same for the gradient of an input of `size`: the positions of equal remainder by the stride read equal taps."""
    classes = []
    for a in range(stride):
        start = -((a - padding) // stride)  # the first window
        first = stride * start + a - padding
        count = (size - 1 - first) // stride + 1
        if count > 0:
            taps = [(t, 0, start - t * dilation // stride) for t in range(k) if t * dilation % stride == a]
            classes.append((first, count, taps))
    reads = [at for _, _, taps in classes for _, _, at in taps] or [0]
    pad = -min(reads)
    length = max([count + at + pad for _, count, taps in classes for _, _, at in taps] or [1])
    return pad, max(1, length), [(f, n, [(t, q, at + pad) for t, q, at in taps]) for f, n, taps in classes]


def _segments(rows: int, columns: int, wide: int, width: int, run: int) -> list[Ints]:
    """(start in the source, start in the output, lanes) along the rows of an output."""
    return [(r * wide + j, r * width + j, min(run, columns - j)) for r in range(rows) for j in range(0, columns, run)]


def _table(values: Any) -> Array:
    return np.array(values, np.int64).reshape(-1)


class Plan(NamedTuple):
    """How one convolution is cut: what its kernel reads. None of it depends on the number of threads."""

    source: Ints
    phases: Array
    form: Ints
    cut: Ints
    classes: Array
    taps: Array
    offsets: Array
    segments: Array
    pieces: int


@lru_cache(512)
def plan(
    kind: str, n: int, groups: int, ins: int, outs: int, given: Ints, wanted: Ints, kernel: Ints, stride: Ints, padding: Ints,
    dilation: Ints, lanes: int,
) -> Plan | None:  # fmt: skip
    """The plan of a convolution ("forward"), of its input's gradient ("input") or of its weight's ("weight").

    Sizes of a plane: `given` of what is read and `wanted` of the output (of the output's gradient with "weight"); `ins` and
    `outs` are channels to a group. None where too few lanes would be in use.
    """
    against = kind == "input"
    sides = [
        (_against if against else _along)(wanted[i], wanted[i], kernel[i], stride[i], padding[i], dilation[i])
        for i in (0, 1)
    ]
    (ph, height, down), (pw, wide, across) = sides
    step, spread = ((1, 1), stride) if against else (stride, (1, 1))
    phases = sorted({(a[1], b[1]) for _, _, r in down for a in r for _, _, c in across for b in c}) or [(0, 0)]
    used = sum(r[1] * c[1] for r in down for c in across)
    whole, half = (sum(r[1] * -(-c[1] // run) * run for r in down for c in across) for run in (lanes, lanes // 2))
    halves = half < whole
    run = lanes // 2 if halves else lanes
    lone = outs <= FEW
    mode = 2 * lone + halves
    rows = 1 if lone else ROWS
    blocks = -(-outs // rows)
    if used < (WORST / 2 if groups > 1 else WORST) * min(whole, half):
        return None
    one = len(down) * len(across) == 1 and spread[1] == 1
    # the cut: images to a piece, rows to a band, groups to a chunk, parts of the outputs
    volume = ins * len(phases) * height * wide
    least = PIECES if n * groups * ins * outs * prod(kernel) * prod(wanted) > SMALL * lanes else 1
    together = max(1, min(groups, PIECE // volume))
    limit = max(1, min(-(-n // least), PIECE // (groups * volume)))
    images = max(1, n // (-(-n // limit // least) * least)) if n >= least else limit  # as many pieces for each thread
    vectors = -(-min(whole, half) // lanes)
    high = band = wanted[0]
    if kind == "weight":
        images = min(n, max(images, -(-n * outs * groups * ins * prod(kernel) // PARTIAL), CHUNK // vectors // 2))
        units = groups * blocks
        parts = max(-(-least // -(-n // images)), -(-groups * volume // PIECE) if groups > 1 else 1)
        parts = min(units, parts)
    else:
        tasks = -(-n // images)
        if groups > 1:
            together = max(1, min(together, groups // -(-least // tasks)))
        tasks *= -(-groups // together)
        if one and images == 1 and tasks < least:
            band = max(min(4, high), -(-high // -(-least // tasks)))
        extra = height - high
        while one and images == 1 and band > 8 and together * ins * len(phases) * (band + extra) * wide > 2 * PIECE:
            band = -(-band // 2)
        if band < high:
            height = band + extra
            tasks *= -(-high // band)
        parts = min(blocks, max(1, least // tasks))
    plane = -(-height * wide // 16) * 16
    plane += 16 if plane // 16 % 2 == 0 else 0  # planes a power of two apart fall on the same lines of the cache
    classes, taps, offsets, segments = [], [], [], []
    for first, rows_, row_taps in down:
        for left, columns, column_taps in across:
            chosen = [
                (a * kernel[1] + b, phases.index((pa, pb)) * plane + ra * wide + cb)
                for a, pa, ra in row_taps
                for b, pb, cb in column_taps
            ]
            pixel = first * wanted[1] + left
            apart = spread[0] * wanted[1]
            table = _segments(rows_, columns, wide, columns if spread[1] > 1 else apart, run)
            if spread[1] == 1:
                table = [(x, y + pixel, count) for x, y, count in table]
            classes.append(
                (len(taps), len(taps) + len(chosen), apart, spread[1], pixel, rows_, columns, len(segments),
                 len(segments) + len(table))
            )  # fmt: skip
            taps += [t for t, _ in chosen]
            offsets += [i * len(phases) * plane + at for i in range(ins) for _, at in chosen]
            segments += table
    source = (*given, ph, pw, *step, wide, plane)
    area, t = prod(wanted), prod(kernel)
    volume = ins * len(phases) * plane
    slack = 4 * lanes
    if kind == "weight":
        each = len(segments)
        per = -(-units // parts)
        span = min(groups, (per - 1) // blocks + 2)  # groups that a part's units may touch
        segments = [
            (x + i * span * volume, y + i * groups * outs * area, count)
            for i in range(images)
            for x, y, count in segments
        ]
        form: Ints = (outs, ins, t)
        cut: Ints = (n, groups, images, parts, span, images * span * volume + slack, mode, height, area, each)
    else:
        form = (outs, ins, outs * ins * t, t, outs * t) if against else (outs, ins, outs * ins * t, ins * t, t)
        cut = (
            n, groups, images, -(-high // band), band, together, parts, images * together * volume + slack, mode, height,
            area,
        )  # fmt: skip
    segments += [(0, 0, 0)] * (2 * max(TILE, LONE_TILE))
    return Plan(
        source, _table(phases), form, tuple(map(int, cut)), _table(classes), _table(taps), _table(offsets + [0] * LONE_TAPS),
        _table(segments), -(-n // images),
    )  # fmt: skip


def _flat(kernel: Ints, stride: Ints, padding: Ints, size: Ints) -> Ints:
    """A plane's size; with a 1 x 1 kernel, which has no neighbours, in rows that fill vectors."""
    if kernel != (1, 1) or stride != (1, 1) or padding != (0, 0) or size[1] % 16 == 0:
        return size
    area = prod(size)
    wide = next((w for w in (64, 32, 16) if area % w == 0), area)
    return area // wide, wide


@lru_cache(64)
def _none(n: int, dtype: Any) -> Array:
    """A bias of zeros, which is only read."""
    return np.zeros(n, dtype)


def _work(x: Array, outs: int, ins: int, taps: int, area: int) -> float:
    """Serial nanoseconds."""
    return float(x.shape[0] * area * (outs * ins * taps * x.itemsize / 400 + 0.2 * ins))


def correlate(
    kind: str,
    x: Array,
    w: Array,
    b: Array | None,
    wanted: Ints,
    stride: Ints,
    padding: Ints,
    dilation: Ints,
    groups: int,
) -> Array | None:
    """The convolution of x, or the gradient of an input with planes of `wanted` given x, that of the output."""
    n, channels = x.shape[:2]
    outs = w.shape[1] if kind == "input" else w.shape[0] // groups
    kernel = w.shape[2:]
    sizes = [_flat(kernel, stride, padding, s) for s in (x.shape[2:], wanted)]
    p = plan(kind, n, groups, channels // groups, outs, *sizes, kernel, stride, padding, dilation, BYTES // x.itemsize)
    if p is None:
        return None
    y = np.empty((n, groups * outs, *wanted), x.dtype)
    if b is None:
        bias = _none(groups * outs + ROWS, x.dtype)
    else:
        bias = np.zeros(groups * outs + ROWS, x.dtype)
        bias[: b.size] = b
    rows = 1 if outs <= FEW else ROWS
    wp = np.empty(-(-outs // rows) * rows * (w.size // outs), x.dtype)
    work = _work(x, outs, channels, prod(kernel), prod(wanted))
    correlate_kernel(
        work, x.reshape(-1), w.reshape(-1), bias, p.source, p.phases, p.form, p.cut, p.classes, p.taps, p.offsets, p.segments,
        wp, y.reshape(-1),
    )  # fmt: skip
    return y


def weight_gradient(
    g: Array, x: Array, shape: Ints, stride: Ints, padding: Ints, dilation: Ints, groups: int
) -> Array | None:
    n, channels = x.shape[:2]
    outs, ins, kernel = shape[0] // groups, shape[1], shape[2:]
    sizes = [_flat(kernel, stride, padding, s) for s in (x.shape[2:], g.shape[2:])]
    p = plan("weight", n, groups, ins, outs, *sizes, kernel, stride, padding, dilation, BYTES // x.itemsize)
    if p is None:
        return None
    rows, taps = (1, LONE_TAPS) if outs <= FEW else (ROWS, TAPS)
    k, blocks = ins * prod(kernel), -(-outs // rows)
    padded = -(-k // taps) * taps
    part = np.empty(p.pieces * groups * blocks * padded * rows, x.dtype)
    work = _work(x, outs, channels, prod(kernel), prod(g.shape[2:]))
    weight_products_kernel(
        work, x.reshape(-1), g.reshape(-1), p.source, p.phases, p.form, p.cut, p.offsets, p.segments, part
    )
    dw = np.empty(shape, x.dtype)
    add_pieces_kernel(0.1 * part.size, part, blocks, outs, k, padded, rows, dw.reshape(-1))
    return dw
