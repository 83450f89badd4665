"""Direct convolution: blocks of channels and pixels held in registers, no columns in memory.

The source is copied with its padding, split in stride x stride planes, so that for each tap of the kernel a run of pixels
along a row of the output reads a run of the source at a fixed offset. A tile is ROWS output channels by TILE vectors of
pixels: for each tap and channel it takes TILE loads and ROWS scalars. The weight's gradient is a tile of ROWS channels by
TAPS taps, summed along vectors of pixels. Vectors are written in LLVM's own terms (Numba's loops are at the mercy of the
vectoriser), and a run is cut in vectors or, where rows are short, in halves of vectors; the lanes left over are masked.
Images go by pieces of fixed size, so that the bits do not depend on the number of threads.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, prange
from numba.core import cgutils

from .threads import Kernel
from .vectors import BYTES, I64, WIDE, Emit, routine

ROWS, TILE = (8, 2) if WIDE else (4, 2)
TAPS = 3
LONE_TILE, LONE_TAPS = 4, 9  # of a tile of one channel: groups of few
CHUNK = 64  # vectors of the gradient summed before the registers are folded


def _segments(e: Emit, table: Any, first: Any, count: int, limit: Any) -> list[tuple[Any, Any, Any]]:
    """(start in the source, start in the output, lanes) of segments; from `limit` on no lanes, and a start that is there."""
    found: list[tuple[Any, Any, Any]] = []
    for i in range(count):
        index = e.b.add(first, I64(i))
        at = e.b.mul(index, I64(3))
        x, y, lanes = (e.b.load(e.b.gep(table, [e.b.add(at, I64(j))])) for j in range(3))
        inside = e.b.icmp_signed("<", index, limit)
        found.append((e.b.select(inside, x, found[0][0]) if i else x, y, e.b.select(inside, lanes, I64(0))))
    return found


def tile(rows: int, wide: int, pieces: int) -> Any:
    """Y[rows, wide vectors] = bias + the sum over k of W[k, row] * X[pixel + OFF[k]]; a vector is `pieces` segments."""

    @routine("X x0 W w0 OFF k0 k B b0 Y y0 plane channels SEG first limit")
    def body(
        e: Emit, X: Any, x0: Any, W: Any, w0: Any, OFF: Any, k0: Any, k: Any, B: Any, b0: Any, Y: Any, y0: Any, plane: Any,
        channels: Any, SEG: Any, first: Any, limit: Any,
    ) -> None:  # fmt: skip
        b, n = e.b, e.lanes // pieces
        segments = _segments(e, SEG, first, wide * pieces, limit)
        sources = [b.gep(X, [b.add(x0, s[0])]) for s in segments]
        sums = []
        for r in range(rows):
            start = e.splat(b.load(b.gep(B, [b.add(b0, I64(r))])), e.lanes)
            sums.append([cgutils.alloca_once_value(b, start) for _ in range(wide)])
        offsets, weights = b.gep(OFF, [k0]), b.gep(W, [w0])
        with cgutils.for_range(b, k) as loop:
            o = b.load(b.gep(offsets, [loop.index]))
            xs = [e.join([e.load(p, o, n) for p in sources[v * pieces : (v + 1) * pieces]]) for v in range(wide)]
            here = b.gep(weights, [b.mul(loop.index, I64(rows))])
            for r in range(rows):
                w = e.splat(b.load(b.gep(here, [I64(r)])), e.lanes)
                for v in range(wide):
                    b.store(e.fma(w, xs[v], b.load(sums[r][v])), sums[r][v])
        for i, (_, y, count) in enumerate(segments):
            to = b.add(y0, y)
            for r in range(rows):
                used = b.select(b.icmp_signed("<", I64(r), channels), count, I64(0))
                value = e.part(b.load(sums[r][i // pieces]), i % pieces, n)
                e.masked_store(value, Y, b.add(to, b.mul(plane, I64(r))), e.mask(used, n), n)

    return body


def products(rows: int, taps: int, pieces: int) -> Any:
    """OUT[tap, row] += the sum over segments of G[segment, row] * X[pixel + OFF[tap]], for `rows` x `taps`."""

    @routine("X x0 G g0 OFF k0 SEG first last OUT o0")
    def body(
        e: Emit, X: Any, x0: Any, G: Any, g0: Any, OFF: Any, k0: Any, SEG: Any, first: Any, last: Any, OUT: Any, o0: Any,
    ) -> None:  # fmt: skip
        b, n = e.b, e.lanes // pieces
        zero = ir.Constant(e.vector(e.lanes), None)
        sums = [[cgutils.alloca_once_value(b, zero) for _ in range(taps)] for _ in range(rows)]
        base = b.gep(X, [x0])
        sources = [b.gep(base, [b.load(b.gep(OFF, [b.add(k0, I64(t))]))]) for t in range(taps)]
        vectors = b.sdiv(b.add(b.sub(last, first), I64(pieces - 1)), I64(pieces))
        with cgutils.for_range(b, vectors) as loop:
            at = b.add(first, b.mul(loop.index, I64(pieces)))
            segments = _segments(e, SEG, at, pieces, last)
            masks = [e.mask(s[2], n) for s in segments]
            xs = [e.join([e.masked_load(p, s[0], m, n) for s, m in zip(segments, masks, strict=True)]) for p in sources]
            here = b.gep(G, [b.add(g0, b.mul(loop.index, I64(rows * e.lanes)))])
            for r in range(rows):
                g = e.load(here, I64(r * e.lanes), e.lanes)
                for t in range(taps):
                    b.store(e.fma(g, xs[t], b.load(sums[r][t])), sums[r][t])
        for t in range(taps):
            to = b.add(o0, I64(t * rows))
            whole = e.totals([b.load(sums[r][t]) for r in range(rows)])
            e.store(b.fadd(e.load(OUT, to, rows), whole), OUT, to, rows)

    return body


def gather(pieces: int) -> Any:
    """The segments [first, last) of Y into whole vectors of OUT, `stride` apart; lanes left over are zero."""

    @routine("Y y0 SEG first last OUT o0 stride")
    def body(e: Emit, Y: Any, y0: Any, SEG: Any, first: Any, last: Any, OUT: Any, o0: Any, stride: Any) -> None:
        b, n = e.b, e.lanes // pieces
        vectors = b.sdiv(b.add(b.sub(last, first), I64(pieces - 1)), I64(pieces))
        with cgutils.for_range(b, vectors) as loop:
            at = b.add(first, b.mul(loop.index, I64(pieces)))
            to = b.add(o0, b.mul(loop.index, stride))
            for i, (_, y, count) in enumerate(_segments(e, SEG, at, pieces, last)):
                v = e.masked_load(Y, b.add(y0, y), e.mask(count, n), n)
                e.store(v, OUT, b.add(to, I64(i * n)), n)

    return body


def copying(step: int) -> Any:
    """`rows` rows of Y, `wide` apart: zeros, and from `first` to `last` each `step`th of a run of X; these are `down` apart."""

    @routine("X x0 down Y y0 wide first last rows")
    def body(
        e: Emit, X: Any, x0: Any, down: Any, Y: Any, y0: Any, wide: Any, first: Any, last: Any, rows: Any
    ) -> None:  # fmt: skip
        b, n = e.b, e.lanes
        with cgutils.for_range(b, b.sdiv(b.add(wide, I64(n - 1)), I64(n))) as vector:
            at = b.mul(vector.index, I64(n))
            low = b.mul(b.sub(first, at), I64(step))
            high = b.sub(b.mul(b.sub(last, at), I64(step)), I64(step - 1))
            inner = [
                b.and_(e.mask(b.sub(high, I64(i * n)), n), b.not_(e.mask(b.sub(low, I64(i * n)), n)))
                for i in range(step)
            ]
            whole = e.mask(b.sub(wide, at), n)
            x, y = b.sub(x0, low), b.add(y0, at)
            with cgutils.for_range(b, rows) as loop:
                here = b.add(x, b.mul(loop.index, down))
                parts = [e.masked_load(X, b.add(here, I64(i * n)), m, n) for i, m in enumerate(inner)]
                v = parts[0]
                if step == 2:
                    v = b.shuffle_vector(*parts, e.constant(range(0, 2 * n, 2)))
                e.masked_store(v, Y, b.add(y, b.mul(loop.index, wide)), whole, n)

    return body


copy_rows, copy_even = copying(1), copying(2)
tile_whole, tile_halves = tile(ROWS, TILE, 1), tile(ROWS, TILE, 2)
lone_whole, lone_halves = tile(1, LONE_TILE, 1), tile(1, LONE_TILE, 2)
products_whole, products_halves = products(ROWS, TAPS, 1), products(ROWS, TAPS, 2)
lone_products_whole, lone_products_halves = products(1, LONE_TAPS, 1), products(1, LONE_TAPS, 2)
gather_whole, gather_halves = gather(1), gather(2)


@njit(error_model="numpy", forceinline=True)
def inside(n: int, windows: int, stride: int, offset: int) -> tuple[int, int]:
    """The windows i (first, last + 1) that read inside: 0 <= i * stride + offset < n."""
    if stride == 1:
        first, last = -offset, n - offset
    else:  # divisions cost as much as copying a short row
        first, last = (stride - 1 - offset) // stride, (n - 1 - offset) // stride + 1
    first = min(windows, max(0, first))
    return first, max(first, min(windows, last))


@njit(error_model="numpy", forceinline=True)
def aligned(n: int, like: Any) -> Any:
    """Zeros that begin where a line of the cache does: a vector across two lines costs two loads."""
    lanes = BYTES // like.itemsize
    room = np.zeros(n + lanes, like.dtype)
    start = -(room.ctypes.data // like.itemsize) % lanes
    return room[start : start + n]


@njit(error_model="numpy")
def pack(x: Any, start: int, planes: int, source: Any, phases: Any, top: int, rows: int, out: Any, at: int) -> None:
    """Copy `planes` planes of x, from row `top` of the padded ones on; zeros where they leave x."""
    h, w, ph, pw, sh, sw, wide, plane = source
    for p in range(planes):
        base = start + p * h * w
        for q in range(phases.size // 2):
            upper, left = top * sh + phases[2 * q] - ph, phases[2 * q + 1] - pw
            low, high = inside(h, rows, sh, upper)
            first, last = inside(w, wide, sw, left)
            a, to = base + (low * sh + upper) * w + first * sw + left, at + low * wide
            out[at:to] = 0
            out[at + high * wide : at + rows * wide] = 0
            if sw == 1:
                copy_rows(x, a, sh * w, out, to, wide, first, last, high - low)
            elif sw == 2:
                copy_even(x, a, sh * w, out, to, wide, first, last, high - low)
            else:
                step = np.uint64(sw)
                for r in range(high - low):
                    o = out[to + r * wide : to + r * wide + wide]
                    o[:first] = 0
                    o[last:] = 0
                    i, j = np.uint64(a + r * sh * w), np.uint64(to + r * wide + first)
                    for m in range(np.uint64(last - first)):
                        out[j + m] = x[i + m * step]
            at += plane


@njit(error_model="numpy")
def pack_weights(w: Any, form: Any, groups: int, rows: int, taps: Any, wp: Any) -> None:
    """wp[group, block, (channel, tap), row]; form: (outputs, inputs to a group, strides of group, output and input)."""
    outs, ins, sg, so, si = form
    at, count = 0, np.uint64(taps.size)
    apart = np.uint64(rows)
    for g in range(groups):
        for block in range(0, outs, rows):
            for r in range(rows):
                to = np.uint64(at + r)
                if block + r >= outs:
                    for _ in range(ins * taps.size):
                        wp[to] = 0
                        to += apart
                    continue
                start = g * sg + (block + r) * so
                for i in range(ins):
                    ws = w[start + i * si :]
                    for t in range(count):
                        wp[to] = ws[np.uint64(taps[t])]
                        to += apart
            at += ins * taps.size * rows


@njit(error_model="numpy")
def tiles(
    mode: int, x: Any, x0: int, w: Any, w0: int, offsets: Any, k0: int, k: int, bias: Any, b0: int, y: Any, y0: int, gap: int,
    valid: int, seg: Any, first: int, last: int,
) -> None:  # fmt: skip
    """The pixels of segments [first, last), for a block of channels; mode: 1 with halves of vectors, 2 by lone channels."""
    if mode == 0:
        for f in range(first, last, TILE):
            tile_whole(x, x0, w, w0, offsets, k0, k, bias, b0, y, y0, gap, valid, seg, f, last)
    elif mode == 1:
        for f in range(first, last, 2 * TILE):
            tile_halves(x, x0, w, w0, offsets, k0, k, bias, b0, y, y0, gap, valid, seg, f, last)
    elif mode == 2:
        for f in range(first, last, LONE_TILE):
            lone_whole(x, x0, w, w0, offsets, k0, k, bias, b0, y, y0, gap, valid, seg, f, last)
    else:
        for f in range(first, last, 2 * LONE_TILE):
            lone_halves(x, x0, w, w0, offsets, k0, k, bias, b0, y, y0, gap, valid, seg, f, last)


@njit(error_model="numpy")
def correlate_piece(
    task: int, x: Any, wp: Any, bias: Any, source: Any, phases: Any, form: Any, cut: Any, classes: Any, offsets: Any, seg: Any,
    y: Any,
) -> None:  # fmt: skip
    """Task number `task` of _correlate."""
    n, groups, images, bands, band, together, parts, room, mode, height, area = cut
    outs, ins, _, _, _ = form
    h, width, _, _, _, _, wide, plane = source
    rows = 1 if mode > 1 else ROWS
    blocks = (outs + rows - 1) // rows
    volume = ins * (phases.size // 2) * plane
    chunks = (groups + together - 1) // together
    per = (blocks + parts - 1) // parts
    rest, part = task // parts, task % parts
    rest, chunk = rest // chunks, rest % chunks
    piece, top = rest // bands, rest % bands * band
    i0, i1 = piece * images, min(n, piece * images + images)
    g0, g1 = chunk * together, min(groups, chunk * together + together)
    size = (g1 - g0) * volume
    xs = np.empty(room, x.dtype)
    for i in range(i0, i1):
        start = (i * groups + g0) * ins * h * width
        pack(x, start, (g1 - g0) * ins, source, phases, top, height, xs, (i - i0) * size)
    before = 0
    for c in range(classes.size // 9):
        k0, k1, down, across, pixel, high, broad, s0, s1 = classes[9 * c : 9 * c + 9]
        k = (k1 - k0) * ins
        first, last = s0, s1
        if bands > 1:
            each = (s1 - s0) // high
            first, last = s0 + top * each, s0 + min(high, top + band) * each
        z = np.empty(rows * high * broad if across > 1 else 0, x.dtype)
        for g in range(g0, g1):
            for block in range(part * per, min(blocks, part * per + per)):
                o = g * outs + block * rows
                valid = min(rows, outs - block * rows)
                w0 = before + (g * blocks + block) * k * rows
                for i in range(i0, i1):
                    x0 = (i - i0) * size + (g - g0) * volume - top * wide
                    y0 = (i * groups * outs + o) * area
                    to, base, gap = (z, 0, high * broad) if across > 1 else (y, y0, area)
                    tiles(mode, xs, x0, wp, w0, offsets, k0 * ins, k, bias, o, to, base, gap, valid, seg, first, last)
                    if across == 1:
                        continue
                    step = np.uint64(across)
                    for r in range(valid):
                        for a in range(high):
                            i_from = np.uint64((r * high + a) * broad)
                            i_to = np.uint64(y0 + r * area + pixel + a * down)
                            for m in range(np.uint64(broad)):
                                y[i_to + m * step] = z[i_from + m]
        before += groups * blocks * rows * k


def _correlate(
    x: Any, w: Any, bias: Any, source: Any, phases: Any, form: Any, cut: Any, classes: Any, taps: Any, offsets: Any, seg: Any,
    wp: Any, y: Any,
) -> None:  # fmt: skip
    """y from x and w. classes: per class (taps from, to, row stride, column stride, first pixel, rows, columns of y, segments
    from, to, an image); cut: see Plan."""
    n, groups, images, bands, _, together, parts, _, mode, _, _ = cut
    outs, ins, _, _, _ = form
    rows = 1 if mode > 1 else ROWS
    at = 0
    for c in range(classes.size // 9):
        t = taps[classes[9 * c] : classes[9 * c + 1]]
        pack_weights(w, form, groups, rows, t, wp[at:])
        at += groups * ((outs + rows - 1) // rows) * rows * ins * t.size
    chunks = (groups + together - 1) // together
    for task in prange((n + images - 1) // images * bands * chunks * parts):
        correlate_piece(task, x, wp, bias, source, phases, form, cut, classes, offsets, seg, y)


@njit(error_model="numpy")
def sum_block(
    mode: int, x: Any, x0: int, g: Any, y0: int, area: int, valid: int, gs: Any, offsets: Any, k: int, seg: Any, length: int,
    part: Any, o0: int,
) -> None:  # fmt: skip
    """The products of a block of channels of g with x at every tap, over all segments."""
    rows, taps = (1, LONE_TAPS) if mode > 1 else (ROWS, TAPS)
    lanes = BYTES // x.itemsize
    step = CHUNK * (1 + mode % 2)
    for f in range(0, length, step):
        t = min(length, f + step)
        for r in range(valid):
            if mode % 2:
                gather_halves(g, y0 + r * area, seg, f, t, gs, r * lanes, rows * lanes)
            else:
                gather_whole(g, y0 + r * area, seg, f, t, gs, r * lanes, rows * lanes)
        for m in range(0, k, taps):
            if mode == 0:
                products_whole(x, x0, gs, 0, offsets, m, seg, f, t, part, o0 + m * rows)
            elif mode == 1:
                products_halves(x, x0, gs, 0, offsets, m, seg, f, t, part, o0 + m * rows)
            elif mode == 2:
                lone_products_whole(x, x0, gs, 0, offsets, m, seg, f, t, part, o0 + m * rows)
            else:
                lone_products_halves(x, x0, gs, 0, offsets, m, seg, f, t, part, o0 + m * rows)


@njit(error_model="numpy")
def products_piece(
    task: int, x: Any, g: Any, source: Any, phases: Any, form: Any, cut: Any, offsets: Any, seg: Any, part: Any
) -> None:
    """Task number `task` of _weight_products."""
    n, groups, images, parts, span, room, mode, height, area, each = cut
    outs, ins, taps = form
    h, width, _, _, _, _, _, plane = source
    rows, step = (1, LONE_TAPS) if mode > 1 else (ROWS, TAPS)
    blocks = (outs + rows - 1) // rows
    per = (groups * blocks + parts - 1) // parts
    k = ins * taps
    size = (k + step - 1) // step * step * rows
    volume = ins * (phases.size // 2) * plane
    piece, u0 = task // parts, task % parts * per
    u1 = min(groups * blocks, u0 + per)
    if u0 >= u1:
        return
    i0, i1 = piece * images, min(n, piece * images + images)
    first, last = u0 // blocks, min(groups, (u1 - 1) // blocks + 1)
    xs = np.empty(room, x.dtype)
    gs = aligned(rows * (BYTES // x.itemsize) * CHUNK, x)
    for i in range(i0, i1):
        start = (i * groups + first) * ins * h * width
        pack(x, start, (last - first) * ins, source, phases, 0, height, xs, (i - i0) * span * volume)
    for u in range(u0, u1):
        block = u % blocks * rows
        channel = u // blocks * outs + block
        x0, y0 = (u // blocks - first) * volume, (i0 * groups * outs + channel) * area
        o0 = (piece * groups * blocks + u) * size
        part[o0 : o0 + size] = 0
        valid, length = min(rows, outs - block), (i1 - i0) * each
        sum_block(mode, xs, x0, g, y0, area, valid, gs, offsets, k, seg, length, part, o0)


def _weight_products(
    x: Any, g: Any, source: Any, phases: Any, form: Any, cut: Any, offsets: Any, seg: Any, part: Any
) -> None:
    """Each piece's sums of the weight's gradient, into part (pieces, groups, blocks, inputs * taps, rows)."""
    n, _, images, parts, _, _, _, _, _, _ = cut
    for task in prange((n + images - 1) // images * parts):
        products_piece(task, x, g, source, phases, form, cut, offsets, seg, part)


def _add_pieces(part: Any, blocks: int, outs: int, k: int, padded: int, rows: int, dw: Any) -> None:
    """The sum over pieces, in their order, from (pieces, groups, blocks, taps, rows) to (groups, outputs, taps)."""
    units = dw.size // (outs * k) * blocks
    size = padded * rows
    for u in prange(units):
        o = part[u * size : u * size + size]
        for p in range(units + u, part.size // size, units):
            s = part[p * size : p * size + size]
            for i in range(o.size):
                o[i] += s[i]
        first = u % blocks * rows
        for r in range(min(rows, outs - first)):
            d = dw[(u // blocks * outs + first + r) * k :][:k]
            for i in range(d.size):
                d[i] = o[i * rows + r]


correlate_kernel = Kernel(_correlate)
weight_products_kernel = Kernel(_weight_products)
add_pieces_kernel = Kernel(_add_pieces)
