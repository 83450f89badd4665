"""Winograd's convolution F(2 x 2, 3 x 3): 16 products for four pixels, where nine taps each take 36.

A tile of 4 x 4 pixels of the input, two apart, becomes 16 numbers, so do the nine of a pair of channels, and the sums over
channels of their products become 2 x 2 pixels: 16 products of matrices (tiles by channels, channels by channels). Lanes are
channels: a piece of the input is turned over to pixels by channels, and the output back. A piece is a few images or a band of
rows, of a size that depends on nothing but the shape, and each of its products stays in the second cache.
Sums differ from those of a direct convolution in their last digits, and an infinity spreads over its tile: outputs are
watched, and where one is not finite the caller computes everything anew. A kernel of 5 x 5 is four of 3 x 3 at once, over four
times the channels: 64 products where there were 100, with the same accuracy, which tiles of 6 x 6 would not have.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import njit, prange
from numba.core import cgutils

from .products import room
from .threads import Kernel
from .vectors import I64, WIDE, Emit, routine

LANES = 16  # float32 only
ROWS = 8
PANEL = 32  # columns of a block
RATE, NARROW = 118.0, 95.0  # products a nanosecond, in blocks of two vectors and of one
DIRECT, DIRECT_WEIGHT = 125.0, 105.0  # and in the direct convolution
MOVE, WEIGH = (
    1.2,
    0.5,
)  # nanoseconds for a tile and channel to be brought in or out, and for a pair of channels' weights
WINS = 0.95  # of the direct convolution's time, below which this is taken
FEW = 8  # channels that it is never taken for
TILES, LEAST = 1 << 13, 64  # tiles to a unit, times channels: their numbers should stay in the second cache
WIDEST = 1 << 17  # and of one row of tiles: 8 MB for each thread
PIECES = 8  # at least so many for a batch
PARTIAL = 1 << 18  # elements of the weight's gradient summed apart: more take longer to bring to memory than to compute


def turning() -> Any:
    """Y[i, r] = X[r, i] of at most 16 x 16: `rows` and `columns` of X are there; rows of Y take `lanes` lanes, zero after `rows`."""

    @routine("X x0 across rows columns Y y0 down lanes")
    def body(
        e: Emit, X: Any, x0: Any, across: Any, rows: Any, columns: Any, Y: Any, y0: Any, down: Any, lanes: Any
    ) -> None:
        b, n = e.b, LANES
        inner = e.mask(columns, n)
        none = ir.Constant(inner.type, None)
        tile = []
        for r in range(n):
            exists = b.icmp_signed("<", I64(r), rows)
            at = b.add(x0, b.mul(across, b.select(exists, I64(r), I64(0))))
            tile.append(e.masked_load(X, at, b.select(exists, inner, none), n))
        s = 1
        while s < n:
            low = e.constant(n + k - s if k & s else k for k in range(n))
            high = e.constant(n + k if k & s else k + s for k in range(n))
            for i in range(n):
                if not i & s:
                    x, y = tile[i], tile[i + s]
                    tile[i], tile[i + s] = b.shuffle_vector(x, y, low), b.shuffle_vector(x, y, high)
            s *= 2
        outer = e.mask(lanes, n)
        for i, v in enumerate(tile):
            exists = b.icmp_signed("<", I64(i), columns)
            e.masked_store(v, Y, b.add(y0, b.mul(down, I64(i))), b.select(exists, outer, none), n)

    return body


def _square(e: Emit, rows: list[Any], rule: Any) -> list[Any]:
    """rule over the columns and the rows of a square of vectors, given and returned row by row."""
    first = [rule(e.b, column) for column in zip(*rows, strict=True)]  # by columns
    return [rule(e.b, list(row)) for row in zip(*first, strict=True)]


def _input_rule(b: Any, d: list[Any]) -> list[Any]:
    return [b.fsub(d[0], d[2]), b.fadd(d[1], d[2]), b.fsub(d[2], d[1]), b.fsub(d[1], d[3])]


def _gradient_rule(b: Any, g: list[Any]) -> list[Any]:
    return [g[0], b.fadd(g[0], g[1]), b.fsub(g[0], g[1]), b.fneg(g[1])]


def _output_rule(b: Any, m: list[Any]) -> list[Any]:
    return [b.fadd(b.fadd(m[0], m[1]), m[2]), b.fsub(b.fsub(m[1], m[2]), m[3])]


def _weight_rule(b: Any, w: list[Any]) -> list[Any]:
    half = ir.Constant(w[0].type, [0.5] * LANES)
    outer, middle = b.fmul(b.fadd(w[0], w[2]), half), b.fmul(w[1], half)
    return [w[0], b.fadd(outer, middle), b.fsub(outer, middle), w[2]]


def _sum_rule(b: Any, u: list[Any]) -> list[Any]:
    half = ir.Constant(u[0].type, [0.5] * LANES)
    plus, minus = b.fmul(b.fadd(u[1], u[2]), half), b.fmul(b.fsub(u[1], u[2]), half)
    return [b.fadd(u[0], plus), minus, b.fadd(plus, u[3])]


def entering(size: int, rule: Any) -> Any:
    """A row of tiles of size x size pixels, two apart, each by its rule as 16 numbers, `gap` apart; tiles' are `apart`."""

    @routine("X x0 pitch channels V v0 gap apart tiles")
    def body(
        e: Emit, X: Any, x0: Any, pitch: Any, channels: Any, V: Any, v0: Any, gap: Any, apart: Any, tiles: Any
    ) -> None:  # fmt: skip
        b = e.b
        vectors = b.sdiv(channels, I64(LANES))
        with cgutils.for_range(b, tiles) as tile, cgutils.for_range(b, vectors) as part:
            lane = b.mul(part.index, I64(LANES))
            at = b.add(b.add(x0, lane), b.mul(tile.index, b.mul(channels, I64(2))))
            to = b.add(b.add(v0, lane), b.mul(tile.index, apart))
            d = [
                [e.load(X, b.add(at, b.add(b.mul(pitch, I64(i)), b.mul(channels, I64(j)))), LANES) for j in range(size)]
                for i in range(size)
            ]
            for i, row in enumerate(_square(e, d, rule)):
                for j, v in enumerate(row):
                    e.store(v, V, b.add(to, b.mul(gap, I64(4 * i + j))), LANES)

    return body


def leaving() -> Any:
    """A row of tiles from their 16 sums, with a bias, to 2 x 2 pixels each; WATCH is NaN once one is not finite."""

    @routine("M m0 gap channels Y y0 pitch B WATCH tiles")
    def body(
        e: Emit, M: Any, m0: Any, gap: Any, channels: Any, Y: Any, y0: Any, pitch: Any, B: Any, WATCH: Any, tiles: Any
    ) -> None:  # fmt: skip
        b = e.b
        vectors, zero = b.sdiv(channels, I64(LANES)), ir.Constant(e.vector(LANES), None)
        seen = cgutils.alloca_once_value(b, e.load(WATCH, I64(0), LANES))
        with cgutils.for_range(b, tiles) as tile, cgutils.for_range(b, vectors) as part:
            lane = b.mul(part.index, I64(LANES))
            at = b.add(b.add(m0, lane), b.mul(tile.index, channels))
            to = b.add(b.add(y0, lane), b.mul(tile.index, b.mul(channels, I64(2))))
            m = [[e.load(M, b.add(at, b.mul(gap, I64(4 * i + j))), LANES) for j in range(4)] for i in range(4)]
            bias = e.load(B, lane, LANES)
            for i, row in enumerate(_square(e, m, _output_rule)):
                for j, v in enumerate(row):
                    v = b.fadd(v, bias)
                    b.store(e.fma(v, zero, b.load(seen)), seen)
                    e.store(v, Y, b.add(to, b.add(b.mul(pitch, I64(i)), b.mul(channels, I64(j)))), LANES)
        e.store(b.load(seen), WATCH, I64(0), LANES)

    return body


def weighing() -> Any:
    """16 numbers, `gap` apart, of nine vectors of weights, `down` apart."""

    @routine("W w0 down U u0 gap")
    def body(e: Emit, W: Any, w0: Any, down: Any, U: Any, u0: Any, gap: Any) -> None:
        b = e.b
        w = [[e.load(W, b.add(w0, b.mul(down, I64(3 * i + j))), LANES) for j in range(3)] for i in range(3)]
        for i, row in enumerate(_square(e, w, _weight_rule)):
            for j, v in enumerate(row):
                e.store(v, U, b.add(u0, b.mul(gap, I64(4 * i + j))), LANES)

    return body


def summing() -> Any:
    """Nine vectors of a weight's gradient, `down` apart, from 16 in each of `count` pieces, `gap` and `far` apart."""

    @routine("U u0 gap far count W w0 down WATCH")
    def body(e: Emit, U: Any, u0: Any, gap: Any, far: Any, count: Any, W: Any, w0: Any, down: Any, WATCH: Any) -> None:
        b, zero = e.b, ir.Constant(e.vector(LANES), None)
        sums = [[cgutils.alloca_once_value(b, zero) for _ in range(4)] for _ in range(4)]
        with cgutils.for_range(b, count) as piece:
            at = b.add(u0, b.mul(far, piece.index))
            for i in range(16):
                s = sums[i // 4][i % 4]
                b.store(b.fadd(b.load(s), e.load(U, b.add(at, b.mul(gap, I64(i))), LANES)), s)
        seen = e.load(WATCH, I64(0), LANES)
        for i, row in enumerate(_square(e, [[b.load(s) for s in row] for row in sums], _sum_rule)):
            for j, v in enumerate(row):
                seen = e.fma(v, zero, seen)
                e.store(v, W, b.add(w0, b.mul(down, I64(3 * i + j))), LANES)
        e.store(seen, WATCH, I64(0), LANES)

    return body


def block(vectors: int, turned: bool) -> Any:
    """Y[ROWS, vectors] = (keep: Y) + the sum over k of A[row, k] * B[k]; A's rows, or if turned its k, are `lead` apart."""

    @routine("A a0 lead B b0 across k Y y0 down keep")
    def body(
        e: Emit, A: Any, a0: Any, lead: Any, B: Any, b0: Any, across: Any, k: Any, Y: Any, y0: Any, down: Any, keep: Any
    ) -> None:  # fmt: skip
        b = e.b
        kept = e.splat(b.icmp_signed("!=", keep, I64(0)), LANES)
        to = [b.add(y0, b.mul(down, I64(r))) for r in range(ROWS)]
        sums = [
            [
                cgutils.alloca_once_value(b, e.masked_load(Y, b.add(to[r], I64(v * LANES)), kept, LANES))
                for v in range(vectors)
            ]
            for r in range(ROWS)
        ]
        inputs = [b.gep(A, [b.add(a0, I64(r) if turned else b.mul(lead, I64(r)))]) for r in range(ROWS)]
        panel = b.gep(B, [b0])
        with cgutils.for_range(b, k) as loop:
            here = b.gep(panel, [b.mul(loop.index, across)])
            i = b.mul(loop.index, lead) if turned else loop.index
            ws = [e.load(here, I64(v * LANES), LANES) for v in range(vectors)]
            for r in range(ROWS):
                x = e.splat(b.load(b.gep(inputs[r], [i])), LANES)
                for v in range(vectors):
                    b.store(e.fma(x, ws[v], b.load(sums[r][v])), sums[r][v])
        for r in range(ROWS):
            for v in range(vectors):
                e.store(b.load(sums[r][v]), Y, b.add(to[r], I64(v * LANES)), LANES)

    return body


turn, leave, weigh, add_up = turning(), leaving(), weighing(), summing()
enter, enter_gradient = entering(4, _input_rule), entering(2, _gradient_rule)
narrow, wide = block(1, False), block(2, False)
narrow_turned, wide_turned = block(1, True), block(2, True)


@njit(error_model="numpy")
def turn_in(x: Any, start: int, plane: int, channels: int, h: int, w: int, top: int, left: int, rows: int, columns: int,
            padded: int, out: Any, at: int) -> None:  # fmt: skip
    """A window of x's planes, from row `top` and column `left` on, zero outside, as (rows, columns, padded channels)."""
    low, high = min(rows, max(0, -top)), max(0, min(rows, h - top))
    first, last = min(columns, max(0, -left)), max(0, min(columns, w - left))
    pitch = columns * padded
    out[at : at + low * pitch] = 0
    out[at + max(low, high) * pitch : at + rows * pitch] = 0
    for r in range(low, high):
        to, base = at + r * pitch, start + (top + r) * w + left
        out[to : to + first * padded] = 0
        out[to + last * padded : to + pitch] = 0
        for c in range(0, padded, LANES):
            for j in range(first, last, LANES):
                turn(
                    x, base + c * plane + j, plane, min(LANES, channels - c), min(LANES, last - j),
                    out, to + j * padded + c, padded, LANES,
                )  # fmt: skip


@njit(error_model="numpy")
def turn_out(
    y: Any, at: int, columns: int, padded: int, out: Any, start: int, plane: int, channels: int, rows: int, ow: int
) -> None:
    """`rows` rows of (columns, padded channels) back to planes; the columns from `ow` on are left over."""
    if columns == ow:
        rows, ow, columns = 1, rows * ow, rows * columns
    for r in range(rows):
        for c in range(0, channels, LANES):
            for j in range(0, ow, LANES):
                count = min(LANES, ow - j)
                turn(
                    y, at + (r * columns + j) * padded + c, padded, count, min(LANES, channels - c),
                    out, start + c * plane + r * ow + j, plane, count,
                )  # fmt: skip


def _weights(w: Any, outs: int, ins: int, against: int, op: int, cp: int, gap: int, u: Any) -> None:
    """u[16, panel, input, column of the panel] of w (outs, ins, 9); with `against`, w is (ins, outs, 9) and turned by half."""
    for part in prange(op // LANES):
        o = part * LANES
        scratch = room(9 * cp * LANES, w)
        scratch[9 * ins * LANES :] = 0
        count = min(LANES, outs - o)
        if against:
            for c in range(ins):
                turn(w, (c * outs + o) * 9, 9, count, 9, scratch, (9 * c + 8) * LANES, -LANES, LANES)
        else:
            for i in range(0, 9 * ins, LANES):
                turn(w, o * ins * 9 + i, ins * 9, count, min(LANES, 9 * ins - i), scratch, i * LANES, LANES, LANES)
        base = o // PANEL * PANEL
        broad = min(PANEL, op - base)
        for c in range(cp):
            weigh(scratch, 9 * c * LANES, LANES, u, base * cp + c * broad + o - base, gap)


@njit(error_model="numpy")
def unit(number: int, cut: Any) -> tuple[int, int, int, int]:
    """The images and the rows of tiles (first, last + 1) of a unit of work."""
    n, th, images, bands, band = cut[0], (cut[7] + 1) // 2, cut[12], cut[13], cut[14]
    i, t = number // bands * images, number % bands * band
    return i, min(n, i + images), t, min(th, t + band)


@njit(error_model="numpy")
def enter_input(x: Any, number: int, cut: Any, c0: int, cp: int, xs: Any, v: Any, gap: int) -> int:
    """The tiles of a unit of x as v[16, tile, shift, channel], of `cp` channels from c0 on; their number."""
    c, h, w, ph, pw, tw, side = cut[1], cut[3], cut[4], cut[9], cut[10], cut[11], cut[15]
    i0, i1, t0, t1 = unit(number, cut)
    columns, height, each = 2 * tw + 3 * side - 1, t1 - t0, side * side * cp
    for i in range(i0, i1):
        start = (i * c + c0) * h * w
        turn_in(
            x, start, h * w, min(cp, c - c0), h, w, 2 * t0 - ph, -pw, 2 * height + 3 * side - 1, columns, cp, xs, 0
        )  # fmt: skip
        for r in range(height):
            to = ((i - i0) * height + r) * tw * each
            for s in range(side * side):
                at = ((2 * r + 3 * (s // side)) * columns + 3 * (s % side)) * cp
                enter(xs, at, columns * cp, cp, v, to + s * cp, gap, each, tw)
    return int((i1 - i0) * height * tw)


def _winograd(x: Any, u: Any, gap_u: int, bias: Any, cut: Any, y: Any, watch: Any) -> None:
    """y from x and transformed weights; watch (units, 16) gets NaN where a y is not finite. cut: see Cut."""
    n, _, cp, _, _, o, op, oh, ow, _, _, tw, images, bands, band, side = cut
    k = side * side * cp
    most = images * band * tw + ROWS
    for number in prange((n + images - 1) // images * bands):
        i0, i1, t0, t1 = unit(number, cut)
        height = t1 - t0
        gap_v, gap_m = most * k + LANES, most * op + LANES  # powers of two would fall on the same lines of the cache
        xs = room((2 * band + 3 * side - 1) * (2 * tw + 3 * side - 1) * cp, x)
        v, m = room(16 * gap_v, x), room(16 * gap_m, x)
        tiles = enter_input(x, number, cut, 0, cp, xs, v, gap_v)
        rows = (tiles + ROWS - 1) // ROWS * ROWS
        for t in range(16):
            v[t * gap_v + tiles * k : t * gap_v + rows * k] = 0
            for p in range(0, op, PANEL):
                b0 = t * gap_u + p * k
                for r in range(0, rows, ROWS):
                    a0, y0 = t * gap_v + r * k, t * gap_m + r * op + p
                    if op - p >= PANEL:
                        wide(v, a0, k, u, b0, PANEL, k, m, y0, op, 0)
                    else:
                        narrow(v, a0, k, u, b0, LANES, k, m, y0, op, 0)
        ys = room(2 * band * 2 * tw * op, x)
        seen = watch[number * LANES : number * LANES + LANES]
        seen[:] = 0
        for i in range(i0, i1):
            for r in range(height):
                leave(m, ((i - i0) * height + r) * tw * op, gap_m, op, ys, 4 * r * tw * op, 2 * tw * op, bias, seen, tw)
            left = min(2 * height, oh - 2 * t0)
            turn_out(ys, 0, 2 * tw, op, y, i * o * oh * ow + 2 * t0 * ow, oh * ow, o, left, ow)


def _winograd_weight(x: Any, g: Any, cut: Any, pieces: int, parts: int, part: Any) -> None:
    """part[piece, 16, shift, input, output]: the sums over the units of each piece of the products of x's and g's tiles.

    A task has one of `parts` of the inputs, too.
    """
    n, _, inputs, _, _, o, op, oh, ow, _, _, tw, images, bands, band, side = cut
    shifts = side * side
    most = images * band * tw
    units = (n + images - 1) // images * bands
    for task in prange(pieces * parts):
        piece, c0 = task // parts, task % parts * (inputs // LANES) // parts * LANES
        cp = (task % parts + 1) * (inputs // LANES) // parts * LANES - c0
        gap_v, gap_z = most * shifts * cp + LANES, most * op + LANES
        xs = room((2 * band + 3 * side - 1) * (2 * tw + 3 * side - 1) * cp, x)
        v, z = room(16 * gap_v, x), room(16 * gap_z, x)
        gs = room(2 * band * 2 * tw * op, x)
        first = piece * units // pieces
        for number in range(first, (piece + 1) * units // pieces):
            tiles = enter_input(x, number, cut, c0, cp, xs, v, gap_v)
            i0, i1, t0, t1 = unit(number, cut)
            height = t1 - t0
            for i in range(i0, i1):
                turn_in(g, i * o * oh * ow, oh * ow, o, oh, ow, 2 * t0, 0, 2 * height, 2 * tw, op, gs, 0)
                for r in range(height):
                    to = ((i - i0) * height + r) * tw * op
                    enter_gradient(gs, 4 * r * tw * op, 2 * tw * op, op, z, to, gap_z, op, tw)
            keep = 1 if number > first else 0
            for t in range(16):
                for p in range(0, op, PANEL):
                    for r in range(0, shifts * cp, ROWS):
                        row = (piece * 16 + t) * shifts * inputs + r // cp * inputs + c0 + r % cp
                        a0, y0 = t * gap_v + r, row * op + p
                        if op - p >= PANEL:
                            wide_turned(v, a0, shifts * cp, z, t * gap_z + p, op, tiles, part, y0, op, keep)
                        else:
                            narrow_turned(v, a0, shifts * cp, z, t * gap_z + p, op, tiles, part, y0, op, keep)


def _add_up(part: Any, pieces: int, c: int, cp: int, o: int, op: int, dw: Any, watch: Any) -> None:
    """dw (o, c, 9) from the pieces, in their order; watch (blocks of 16 x 16 channels, 16) as in _winograd."""
    across = op // LANES
    for number in prange(cp // LANES * across):
        c0, o0 = number // across * LANES, number % across * LANES
        scratch = room(9 * LANES * LANES, dw)
        seen = watch[number * LANES : number * LANES + LANES]
        seen[:] = 0
        count = 9 * min(LANES, c - c0)
        for i in range(count // 9):
            at = (c0 + i) * op + o0
            add_up(part, at, cp * op, 16 * cp * op, pieces, scratch, 9 * i * LANES, LANES, seen)
        for i in range(0, count, LANES):
            k = min(LANES, count - i)
            turn(scratch, i * LANES, LANES, k, min(LANES, o - o0), dw, (o0 * c + c0) * 9 + i, c * 9, k)


weights_kernel = Kernel(_weights)
winograd_kernel = Kernel(_winograd)
winograd_weight_kernel = Kernel(_winograd_weight)
add_up_kernel = Kernel(_add_up)


class Cut(NamedTuple):
    """How a convolution is cut, from its shape alone: channels are padded to vectors; a unit is images by bands of rows."""

    n: int
    c: int
    cp: int
    h: int
    w: int
    o: int
    op: int
    oh: int
    ow: int
    ph: int
    pw: int
    tw: int
    images: int
    bands: int
    band: int
    side: int


def _up(n: int, step: int) -> int:
    return -(-n // step) * step


def _work(tiles: int, cp: int, op: int) -> float:
    """Serial nanoseconds."""
    return tiles * (16 * cp * op / (NARROW if op % PANEL else RATE) + MOVE * (cp + op))


@lru_cache(512)
def cut_of(
    weight: bool, n: int, c: int, h: int, w: int, o: int, padding: tuple[int, int], kernel: int = 3
) -> Cut | None:
    """The cut of a convolution; None where the direct one is as fast, by what both took of shapes that were measured."""
    (ph, pw), cp, op = padding, _up(c, LANES), _up(o, LANES)
    oh, ow, side = h + 2 * ph - kernel + 1, w + 2 * pw - kernel + 1, kernel // 2
    th, tw = -(-oh // 2), -(-ow // 2)
    if not WIDE or not 0 <= ph < kernel or not 0 <= pw < kernel or oh < 1 or ow < 1 or min(c, o) <= FEW:
        return None
    if (side > 1 and (c % LANES or o % LANES)) or tw * (side * side * cp + op) > WIDEST:
        return None
    direct = kernel * kernel * n * oh * _up(ow, 8) * c * o / (DIRECT_WEIGHT if weight else DIRECT)
    if _work(n * th * tw, side * side * cp, op) + WEIGH * side * side * cp * op > WINS * direct:
        return None
    most = max(LEAST, TILES // (side * side * cp + op))
    images = max(1, min(most // (th * tw), n // PIECES))
    band = th if images > 1 else max(1, min(th, most // tw))
    if images == 1 and n * -(-th // band) < PIECES:
        band = max(2, -(-th * n // PIECES))
    bands = -(-th // band)
    return Cut(n, c, cp, h, w, o, op, oh, ow, ph, pw, tw, images, bands, -(-th // bands), side)


def _units(cut: Cut) -> int:
    return -(-cut.n // cut.images) * cut.bands


def _split(w: Any) -> Any:
    """5 x 5 weights (outs, ins) as 3 x 3 ones (outs, 4 * ins): a quarter each of 6 x 6, of which a row and a column are zero."""
    outs, ins = w.shape[:2]
    quarters = np.zeros((outs, 2, 2, ins, 3, 3), w.dtype)
    for i in range(2):
        for j in range(2):
            quarter = w[:, :, 3 * i : 3 * i + 3, 3 * j : 3 * j + 3]
            quarters[:, i, j, :, : quarter.shape[2], : quarter.shape[3]] = quarter
    return quarters


def _joined(quarters: Any) -> Any:
    """The other way round, for gradients."""
    outs, _, _, ins = quarters.shape[:4]
    w = np.empty((outs, ins, 5, 5), quarters.dtype)
    for i in range(2):
        for j in range(2):
            part = w[:, :, 3 * i : 3 * i + 3, 3 * j : 3 * j + 3]
            part[...] = quarters[:, i, j, :, : part.shape[2], : part.shape[3]]
    return w


def correlate(x: Any, w: Any, b: Any, padding: tuple[int, int], against: bool) -> Any:
    """The convolution of x (n, c, h, w) with 3 x 3 or 5 x 5 weights, or (`against`) with those of a layer whose gradient x is.

    None where the direct one is as fast or a result is not finite.
    """
    outs, ins, kernel = w.shape[:3]
    if against:
        outs, ins, padding = ins, outs, (kernel - 1 - padding[0], kernel - 1 - padding[1])
    cut = cut_of(False, *x.shape, outs, padding, kernel)
    if cut is None:
        return None
    k, turned = cut.side**2 * cut.cp, int(against)
    if kernel == 5:
        w, ins, turned = _split(w.swapaxes(0, 1)[:, :, ::-1, ::-1] if against else w), k, 0
    gap = k * cut.op + LANES
    u, bias = np.empty(16 * gap, x.dtype), np.zeros(cut.op, x.dtype)
    if b is not None:
        bias[:outs] = b
    weights_kernel(WEIGH * k * cut.op, w.reshape(-1), outs, ins, turned, cut.op, k, gap, u)
    y, watch = np.empty((cut.n, outs, cut.oh, cut.ow), x.dtype), np.empty(_units(cut) * LANES, x.dtype)
    work = _work(cut.n * cut.oh * cut.ow // 4, k, cut.op)
    winograd_kernel(work, x.reshape(-1), u, gap, bias, tuple(cut), y.reshape(-1), watch)
    return None if np.isnan(watch.sum()) else y


def weight_gradient(g: Any, x: Any, padding: tuple[int, int], kernel: int = 3) -> Any:
    """The gradient of 3 x 3 or 5 x 5 weights; None as from correlate."""
    cut = cut_of(True, *x.shape, g.shape[1], padding, kernel)
    if cut is None:
        return None
    k = cut.side**2 * cut.cp
    size = 16 * k * cut.op
    pieces = max(1, min(PIECES, _units(cut), PARTIAL // size))
    parts = min(cut.cp // LANES, -(-PIECES // pieces))
    part = np.empty(pieces * size, x.dtype)
    work = _work(cut.n * cut.oh * cut.ow // 4, k, cut.op)
    winograd_weight_kernel(work, x.reshape(-1), g.reshape(-1), tuple(cut), pieces, parts, part)
    ins = cut.c * cut.side**2
    dw, watch = np.empty((cut.o, ins, 3, 3), x.dtype), np.empty(size // 16 // LANES, x.dtype)
    add_up_kernel(0.1 * part.size, part, pieces, ins, k, cut.o, cut.op, dw.reshape(-1), watch)
    if np.isnan(watch.sum()):
        return None
    return dw if kernel == 3 else _joined(dw.reshape(cut.o, 2, 2, cut.c, 3, 3))
