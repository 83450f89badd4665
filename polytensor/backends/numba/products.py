"""Products of a few rows and packed weights, by tiles that stay in registers; and with them linear layers.

Weights are packed in panels of two vectors of columns, turned over in registers where they come as (columns, k). A tile
is ROWS rows by one panel. Each element sums over k in one order, whatever the tile, the task or the number of threads.
BLAS packs for rows by the hundred: on the 64 of a usual batch it spends a third of its time on it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, prange
from numba.core import cgutils

from .intrinsics import turn_tile
from .threads import Kernel, blas_alone, get_num_threads
from .vectors import BYTES, I64, WIDE, Emit, routine

ROWS = 8 if WIDE else 4
PANEL = 2 * BYTES  # bytes of a row of a panel
DEPTH = 256  # of k at a time: what is packed of a panel stays in the nearest caches
CHUNK = 256  # rows to a task
RATE = 200  # floating-point operations a nanosecond
LARGEST = 1 << 27  # products of two elements, from which BLAS wins
LEAST, SMALL = 1 << 17, 10**6  # and those up to which it wins, too: always, and where no factor is turned over
EACH = 1 << 22  # and up to which one thread takes a matrix; those of float64 above go to BLAS on several threads


def product(rows: int) -> Any:
    """Y[rows, panel] = (keep: Y) + P[0] + the sum over k of A[row, k] * P[1 + k]; `valid` rows and `columns` of it.

    A[row, k] is at a0 + row * lead + k * step.
    """

    @routine("A a0 lead step P p0 k Y y0 across valid columns keep")
    def body(
        e: Emit, A: Any, a0: Any, lead: Any, step: Any, P: Any, p0: Any, k: Any, Y: Any, y0: Any, across: Any, valid: Any,
        columns: Any, keep: Any,
    ) -> None:  # fmt: skip
        b, n = e.b, e.lanes
        exists = [b.icmp_signed("<", I64(r), valid) for r in range(rows)]
        inputs = [b.gep(A, [b.add(a0, b.mul(lead, b.select(x, I64(r), I64(0))))]) for r, x in enumerate(exists)]
        panel = b.gep(P, [p0])
        first = [e.load(panel, I64(v * n), n) for v in range(2)]
        sums = [[cgutils.alloca_once_value(b, start) for start in first] for _ in range(rows)]
        rest = b.gep(panel, [I64(2 * n)])
        with cgutils.for_range(b, k) as loop:
            here, i = b.gep(rest, [b.mul(loop.index, I64(2 * n))]), b.mul(loop.index, step)
            ws = [e.load(here, I64(v * n), n) for v in range(2)]
            for r in range(rows):
                x = e.splat(b.load(b.gep(inputs[r], [i])), n)
                for v in range(2):
                    b.store(e.fma(x, ws[v], b.load(sums[r][v])), sums[r][v])
        nothing = ir.Constant(e.vector(n), None)
        for r in range(rows):
            for v in range(2):
                mask = e.mask(b.select(exists[r], b.sub(columns, I64(v * n)), I64(0)), n)
                to = b.add(b.add(y0, b.mul(across, I64(r))), I64(v * n))
                old = e.masked_load(Y, to, mask, n)
                old = b.select(b.icmp_signed("!=", keep, I64(0)), old, nothing)
                e.masked_store(b.fadd(old, b.load(sums[r][v])), Y, to, mask, n)

    return body


many, few = product(ROWS), product(4)


@njit(error_model="numpy")
def panel_rows(
    x: Any, x0: int, lead: int, step: int, packed: Any, p0: int, k: int, y: Any, y0: int, across: int, rows: int,
    columns: int, keep: int,
) -> None:  # fmt: skip
    """The product of all rows and one panel."""
    for r in range(0, rows, ROWS):
        a, to, left = x0 + r * lead, y0 + r * across, rows - r
        if left > 4:
            many(x, a, lead, step, packed, p0, k, y, to, across, left, columns, keep)
        else:
            few(x, a, lead, step, packed, p0, k, y, to, across, left, columns, keep)


@njit(error_model="numpy")
def multiply(
    x: Any, x0: int, lead: int, packed: Any, k: int, columns: int, y: Any, y0: int, across: int, rows: int, keep: int
) -> None:
    """y[rows, columns] = (keep: y) + the bias + x[rows, k] @ the packed weights."""
    width = PANEL // x.itemsize
    for p in range((columns + width - 1) // width):
        j, p0 = p * width, p * width * (k + 1)
        panel_rows(x, x0, lead, 1, packed, p0, k, y, y0 + j, across, rows, columns - j, keep)


@njit(error_model="numpy", forceinline=True)
def room(n: int, like: Any) -> Any:
    """Memory that begins where a line of the cache does: a vector across two lines costs two loads."""
    lanes = BYTES // like.itemsize
    found = np.empty(n + lanes, like.dtype)
    start = -(found.ctypes.data // like.itemsize) % lanes
    return found[start : start + n]


@njit(error_model="numpy")
def pack_panel(
    w: Any, bits: Any, lead: int, k0: int, depth: int, j0: int, count: int, bias: Any, packed: Any, at: int
) -> None:
    """`count` columns from j0 on of w's rows k0 to k0 + depth: a row of the bias, then those of w.

    w[k, j] is at k * lead + j; with `bits`, w's memory as integers, at j * lead + k, and turned over.
    """
    width, tile = PANEL // w.itemsize, 64 // w.itemsize
    for j in range(width):
        packed[at + j] = bias[j0 + j] if j < count and bias.size > 0 else 0
    at += width
    if count < width:
        packed[at : at + depth * width] = 0
    if bits.size:
        turned = packed.view(bits.dtype)
        whole = depth // tile * tile if count == width else 0
        for i in range(0, whole, tile):
            for j in range(0, width, tile):
                turn_tile(bits, (j0 + j) * lead + k0 + i, lead, turned, at + i * width + j, width)
        for i in range(whole, depth):
            for j in range(count):
                packed[at + i * width + j] = w[(j0 + j) * lead + k0 + i]
    else:
        for i in range(depth):
            start = (k0 + i) * lead + j0
            a, b = w[start : start + count], packed[at + i * width : at + i * width + count]
            for j in range(b.size):
                b[j] = a[j]


@njit(error_model="numpy")
def pack(w: Any, bits: Any, k: int, columns: int, bias: Any) -> Any:
    """All panels of w (k, columns), or with bits (columns, k)."""
    width = PANEL // w.itemsize
    panels = (columns + width - 1) // width
    packed = room(panels * (k + 1) * width, w)
    for p in range(panels):
        j0 = p * width
        lead = k if bits.size else columns
        pack_panel(w, bits, lead, 0, k, j0, min(width, columns - j0), bias, packed, p * (k + 1) * width)
    return packed


def _gemm(
    x: Any, lead: int, step: int, w: Any, bits: Any, across: int, bias: Any, m: int, k: int, n: int, y: Any
) -> None:
    """y (m, n) = x @ w + bias; x[row, k] is at row * lead + k * step, w's rows are `across` apart, see pack_panel."""
    width = PANEL // x.itemsize
    panels = (n + width - 1) // width
    for task in prange((m + CHUNK - 1) // CHUNK * panels):
        top, j0 = task // panels * CHUNK, task % panels * width
        rows, count = min(CHUNK, m - top), min(width, n - j0)
        packed = room((min(k, DEPTH) + 1) * width, x)
        for k0 in range(0, k, DEPTH):
            depth = min(DEPTH, k - k0)
            first = bias if k0 == 0 else bias[:0]
            pack_panel(w, bits, across, k0, depth, j0, count, first, packed, 0)
            start, keep = top * lead + k0 * step, 1 if k0 else 0
            panel_rows(x, start, lead, step, packed, 0, depth, y, top * n + j0, n, rows, count, keep)


gemm_kernel = Kernel(_gemm)


def takes(x: Any, w: Any) -> bool:
    """Whether gemm takes x and w and wins over BLAS."""
    if not WIDE or x.ndim != 2 or w.ndim != 2 or x.dtype.char not in "fd" or w.dtype is not x.dtype:
        return False
    (m, k), (depth, n) = x.shape, w.shape
    size = m * k * n
    if depth != k or m < 4 or k < 32 or n < 32 or size >= LARGEST:
        return False
    if size >= EACH and x.dtype.char == "d" and get_num_threads() > 1:
        return False  # a panel of float64 has half the columns: BLAS's threads do more with them
    turned = not w.flags.c_contiguous
    if size <= SMALL and (not turned or m < 32 or size < LEAST):  # BLAS packs nothing there
        return False
    if m < 16 and not turned:
        return False
    return all(a.flags.carray or a.T.flags.carray for a in (x, w))


def gemm(x: Any, w: Any, bias: Any) -> Any:
    """x @ w + bias of float32 or float64; x and w are contiguous or transposes of such; a bias of no elements is none."""
    (m, k), n = x.shape, w.shape[1]
    y = np.empty((m, n), x.dtype)
    lead, step = (k, 1) if x.flags.c_contiguous else (1, m)
    turned = not w.flags.c_contiguous
    flat = (w.T if turned else w).reshape(-1)
    bits = flat.view(np.uint32 if x.itemsize == 4 else np.uint64)
    gemm_kernel(
        2 * m * k * n / RATE, (x if step == 1 else x.T).reshape(-1), lead, step, flat, bits if turned else bits[:0],
        k if turned else n, bias, m, k, n, y.reshape(-1),
    )  # fmt: skip
    return y


def _gemm_each(
    x: Any,
    xs: int,
    lead: int,
    step: int,
    w: Any,
    bits: Any,
    ws: int,
    across: int,
    count: int,
    m: int,
    k: int,
    n: int,
    y: Any,
) -> None:
    """The product of each of `count` pairs, xs and ws elements apart."""
    width = PANEL // x.itemsize
    for i in prange(count):
        packed = room((k + 1) * width, x)
        for j0 in range(0, n, width):
            columns = min(width, n - j0)
            pack_panel(w[i * ws :], bits[i * ws :], across, 0, k, j0, columns, w[:0], packed, 0)
            panel_rows(x, i * xs, lead, step, packed, 0, k, y, i * m * n + j0, n, m, columns, 0)


each_kernel = Kernel(_gemm_each)


def memory(x: Any) -> Any:
    """x's elements as they lie, flat; None where there are gaps between them."""
    order = sorted(range(x.ndim), key=lambda i: -x.strides[i])
    x = x.transpose(order)
    return x.reshape(-1) if x.flags.carray else None


def gemm_each(x: Any, w: Any) -> Any:
    """x (count, m, k) @ w (count, k, n) for many small matrices; None where BLAS does as well, or has to."""
    if not WIDE or x.dtype.char not in "fd" or w.dtype is not x.dtype or len(x) != len(w) or x.shape[2] != w.shape[1]:
        return None
    (count, m, k), n, size = x.shape, w.shape[2], x.itemsize
    if (
        m < 16
        or k < 16
        or n < 32
        or k > DEPTH
        or m * k * n >= EACH
        or size not in x.strides[1:]
        or size not in w.strides[1:]
    ):
        return None
    flat, rows = memory(x), memory(w)
    if flat is None or rows is None:
        return None
    y = np.empty((count, m, n), x.dtype)
    bits = rows.view(np.uint32 if size == 4 else np.uint64)
    xs, lead, step = (s // size for s in x.strides)
    turned = w.strides[2] != size
    across = w.strides[2 if turned else 1] // size
    each_kernel(
        2 * count * m * k * n / RATE, flat, xs, lead, step, rows, bits if turned else bits[:0], w.strides[0] // size, across,
        count, m, k, n, y.reshape(-1),
    )  # fmt: skip
    return y


def by_blas(x: Any, w: Any) -> Any:
    """BLAS's product of matrices; of small ones by one thread.

    Waking BLAS's threads for them costs more than it gains, and they would go on spinning beside our own.
    """
    if len(x) * w.size >= EACH:
        return x.dot(w)
    with blas_alone:
        return x.dot(w)
