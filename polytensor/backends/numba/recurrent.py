"""LSTM and GRU: all steps of a layer in one kernel, each thread with rows of the batch of its own, which never meet.

A step multiplies a few rows by the same weights, which are packed once, in panels of a few vectors of columns: a product
by BLAS would pack them at every step. A tile of ROWS rows by one panel stays in registers. Rows are independent and sum
in one order, so the bits depend neither on how many there are nor on the number of threads.

Loops of the gates write one array and read few: with more, LLVM gives up on proving that they do not overlap, and on
vectors.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, prange

from .pointwise import fast_exp, span
from .products import RATE, ROWS, multiply, pack
from .threads import Kernel, get_num_threads

TASK = 4096  # elements of a state to a task
COST = 1.5  # nanoseconds an element of the state
LARGEST = 1 << 22  # bytes of weights that a walk over few rows at a time should take from the caches at each step


@njit(inline="always", error_model="numpy")
def copy_into(out: Any, x: Any) -> None:
    for k in range(out.size):
        out[k] = x[k]


@njit(inline="always", error_model="numpy")
def add_into(out: Any, x: Any) -> None:
    for k in range(out.size):
        out[k] += x[k]


# ---- the gates of one row ---------------------------------------------------------------------------------------------
@njit(inline="always", error_model="numpy")
def sigmoid_into(x: Any, one: Any) -> None:
    for k in range(x.size):
        x[k] = one / (one + fast_exp(-x[k]))


@njit(inline="always", error_model="numpy")
def tanh_into(x: Any, one: Any, out: Any) -> None:
    """1 - 2 / (1 + exp(2 x)): to the last place of 1."""
    two = one + one
    for k in range(out.size):
        out[k] = one - two / (one + fast_exp(x[k] * two))


@njit(error_model="numpy")
def lstm_row(g: Any, cs: Any, ts: Any, ys: Any) -> None:
    """As _lstm_step in backends.recurrent; g and cs in place."""
    n, one = cs.size, cs.dtype.type(1)
    i, f, cell, o = g[:n], g[n : 2 * n], g[2 * n : 3 * n], g[3 * n :]
    sigmoid_into(g[: 2 * n], one)
    tanh_into(cell, one, cell)
    sigmoid_into(o, one)
    for k in range(cs.size):
        cs[k] = f[k] * cs[k] + i[k] * cell[k]
    tanh_into(cs, one, ts)
    for k in range(ys.size):
        ys[k] = o[k] * ts[k]


@njit(error_model="numpy")
def lstm_row_backward(dys: Any, dcs: Any, g: Any, ts: Any, bs: Any, dg: Any) -> None:
    n, one = dcs.size, dcs.dtype.type(1)
    i, f, cell, o = g[:n], g[n : 2 * n], g[2 * n : 3 * n], g[3 * n :]
    di, df, dcell, do = dg[:n], dg[n : 2 * n], dg[2 * n : 3 * n], dg[3 * n :]
    for k in range(dcs.size):
        dcs[k] += dys[k] * o[k] * (one - ts[k] * ts[k])
    for k in range(di.size):
        di[k] = dcs[k] * cell[k] * (i[k] * (one - i[k]))
    for k in range(df.size):
        df[k] = dcs[k] * bs[k] * (f[k] * (one - f[k]))
    for k in range(dcell.size):
        dcell[k] = dcs[k] * i[k] * (one - cell[k] * cell[k])
    for k in range(do.size):
        do[k] = dys[k] * ts[k] * (o[k] * (one - o[k]))
    for k in range(dcs.size):
        dcs[k] *= f[k]


@njit(error_model="numpy")
def gru_row(g: Any, t: Any, hs: Any, ins: Any, ys: Any) -> None:
    """As _gru_step in backends.recurrent; g in place."""
    n, one = hs.size, hs.dtype.type(1)
    both, r, z, new, own = g[: 2 * n], g[:n], g[n : 2 * n], g[2 * n :], t[2 * n :]
    add_into(both, t)
    sigmoid_into(both, one)
    copy_into(ins, own)
    for k in range(new.size):
        new[k] += r[k] * ins[k]
    tanh_into(new, one, new)
    for k in range(ys.size):
        ys[k] = new[k] + z[k] * (hs[k] - new[k])


@njit(error_model="numpy")
def gru_row_backward(dhs: Any, g: Any, ins: Any, ps: Any, dxg: Any, dg: Any) -> None:
    n, one = dhs.size, dhs.dtype.type(1)
    r, z, new = g[:n], g[n : 2 * n], g[2 * n :]
    dr, dz, dnew, dxnew = dg[:n], dg[n : 2 * n], dg[2 * n :], dxg[2 * n :]
    for k in range(dxnew.size):
        dxnew[k] = dhs[k] * (one - z[k]) * (one - new[k] * new[k])
    for k in range(dr.size):
        dr[k] = dxnew[k] * ins[k] * (r[k] * (one - r[k]))
    for k in range(dz.size):
        dz[k] = dhs[k] * (ps[k] - new[k]) * (z[k] * (one - z[k]))
    for k in range(dnew.size):
        dnew[k] = dxnew[k] * r[k]
    copy_into(dxg[: 2 * n], dg)
    for k in range(dhs.size):
        dhs[k] *= z[k]


# ---- one step, for layers whose weights a walk does not take ------------------------------------------------------------
def _lstm_step(gates: Any, c: Any, n: int, tc: Any, y: Any) -> None:
    rows = c.size // n
    per = max(1, TASK // n)
    for task in prange((rows + per - 1) // per):
        for row in range(task * per, min(rows, task * per + per)):
            s = span(row, c.size, n)
            lstm_row(gates[row * 4 * n : row * 4 * n + 4 * n], c[s], tc[s], y[s])


def _lstm_step_backward(dy: Any, dc: Any, gates: Any, tc: Any, before: Any, n: int, d: Any) -> None:
    rows = dc.size // n
    per = max(1, TASK // n)
    for task in prange((rows + per - 1) // per):
        for row in range(task * per, min(rows, task * per + per)):
            s, wide = span(row, dc.size, n), slice(row * 4 * n, row * 4 * n + 4 * n)
            lstm_row_backward(dy[s], dc[s], gates[wide], tc[s], before[s], d[wide])


def _gru_step(gates: Any, hidden: Any, h: Any, n: int, inner: Any, y: Any) -> None:
    rows = h.size // n
    per = max(1, TASK // n)
    for task in prange((rows + per - 1) // per):
        for row in range(task * per, min(rows, task * per + per)):
            s, wide = span(row, h.size, n), slice(row * 3 * n, row * 3 * n + 3 * n)
            gru_row(gates[wide], hidden[wide], h[s], inner[s], y[s])


def _gru_step_backward(dh: Any, gates: Any, inner: Any, past: Any, n: int, dx: Any, d: Any) -> None:
    rows = dh.size // n
    per = max(1, TASK // n)
    for task in prange((rows + per - 1) // per):
        for row in range(task * per, min(rows, task * per + per)):
            s, wide = span(row, dh.size, n), slice(row * 3 * n, row * 3 * n + 3 * n)
            gru_row_backward(dh[s], gates[wide], inner[s], past[s], dx[wide], d[wide])


lstm_kernel = Kernel(_lstm_step)
lstm_backward_kernel = Kernel(_lstm_step_backward)
gru_kernel = Kernel(_gru_step)
gru_backward_kernel = Kernel(_gru_step_backward)


def run(kernel: Kernel, arrays: tuple[Any, ...], n: int, outs: tuple[Any, ...]) -> None:
    """Run a kernel on rows of n; all arrays are contiguous and written in place."""
    kernel(COST * outs[-1].size, *[a.reshape(-1) for a in arrays], n, *[a.reshape(-1) for a in outs])


# ---- all steps --------------------------------------------------------------------------------------------------------
def _lstm_walk(
    w: Any, bits: Any, bias: Any, steps: Any, each: int, n: int, h: Any, c: Any, gates: Any, tc: Any, before: Any, past: Any,
    ys: Any,
) -> None:  # fmt: skip
    """steps: (first row, last + 1) of each; `each` rows of the batch to a task."""
    packed = pack(w, bits, n, 4 * n, bias)
    batch = h.size // n
    for task in prange((batch + each - 1) // each):
        top = task * each
        for t in range(steps.size // 2):
            rows = min(each, steps[2 * t + 1] - steps[2 * t] - top)
            at = steps[2 * t] + top
            for r in range(rows):
                s, row = span(top + r, h.size, n), span(at + r, past.size, n)
                copy_into(past[row], h[s])
                copy_into(before[row], c[s])
            multiply(h, top * n, n, packed, n, 4 * n, gates, at * 4 * n, 4 * n, rows, 1)
            for r in range(rows):
                s, row = span(top + r, h.size, n), span(at + r, past.size, n)
                lstm_row(gates[(at + r) * 4 * n : (at + r + 1) * 4 * n], c[s], tc[row], ys[row])
                copy_into(h[s], ys[row])


def _lstm_walk_back(
    g: Any, w: Any, bits: Any, steps: Any, each: int, n: int, dh: Any, dc: Any, gates: Any, tc: Any, before: Any, d: Any
) -> None:
    packed = pack(w, bits, 4 * n, n, w[:0])
    batch = dh.size // n
    for task in prange((batch + each - 1) // each):
        top = task * each
        for t in range(steps.size // 2 - 1, -1, -1):
            rows = min(each, steps[2 * t + 1] - steps[2 * t] - top)
            at = steps[2 * t] + top
            for r in range(rows):
                s, row = span(top + r, dh.size, n), span(at + r, tc.size, n)
                if g.size:
                    add_into(dh[s], g[row])
                wide = slice((at + r) * 4 * n, (at + r + 1) * 4 * n)
                lstm_row_backward(dh[s], dc[s], gates[wide], tc[row], before[row], d[wide])
            multiply(d, at * 4 * n, 4 * n, packed, 4 * n, n, dh, top * n, n, rows, 0)


def _gru_walk(
    w: Any, bits: Any, bias: Any, steps: Any, each: int, n: int, h: Any, gates: Any, inner: Any, past: Any, ys: Any
) -> None:
    packed = pack(w, bits, n, 3 * n, bias)
    batch = h.size // n
    for task in prange((batch + each - 1) // each):
        top = task * each
        hidden = np.empty(each * 3 * n, h.dtype)
        for t in range(steps.size // 2):
            rows = min(each, steps[2 * t + 1] - steps[2 * t] - top)
            at = steps[2 * t] + top
            multiply(h, top * n, n, packed, n, 3 * n, hidden, 0, 3 * n, rows, 0)
            for r in range(rows):
                s, row = span(top + r, h.size, n), span(at + r, past.size, n)
                copy_into(past[row], h[s])
                wide = slice((at + r) * 3 * n, (at + r + 1) * 3 * n)
                gru_row(gates[wide], hidden[r * 3 * n : (r + 1) * 3 * n], past[row], inner[row], ys[row])
                copy_into(h[s], ys[row])


def _gru_walk_back(
    g: Any,
    w: Any,
    bits: Any,
    steps: Any,
    each: int,
    n: int,
    dh: Any,
    gates: Any,
    inner: Any,
    past: Any,
    dx: Any,
    d: Any,
) -> None:
    packed = pack(w, bits, 3 * n, n, w[:0])
    batch = dh.size // n
    for task in prange((batch + each - 1) // each):
        top = task * each
        for t in range(steps.size // 2 - 1, -1, -1):
            rows = min(each, steps[2 * t + 1] - steps[2 * t] - top)
            at = steps[2 * t] + top
            for r in range(rows):
                s, row = span(top + r, dh.size, n), span(at + r, past.size, n)
                if g.size:
                    add_into(dh[s], g[row])
                wide = slice((at + r) * 3 * n, (at + r + 1) * 3 * n)
                gru_row_backward(dh[s], gates[wide], inner[row], past[row], dx[wide], d[wide])
            multiply(d, at * 3 * n, 3 * n, packed, 3 * n, n, dh, top * n, n, rows, 1)


lstm_walk_kernel = Kernel(_lstm_walk)
lstm_walk_back_kernel = Kernel(_lstm_walk_back)
gru_walk_kernel = Kernel(_gru_walk)
gru_walk_back_kernel = Kernel(_gru_walk_back)


def takes(w: Any) -> bool:
    """Whether walks win with these weights: larger ones should be read once for many rows, as BLAS does."""
    return bool(w.nbytes <= LARGEST)


def walk(
    kernel: Kernel, before: list[Any], w: Any, more: list[Any], steps: list[tuple[int, int]], arrays: list[Any]
) -> None:
    """Run a walk: its arrays come as before, w, more, (steps, rows to a task, size), arrays; the first of these is the state."""
    batch, n = arrays[0].shape
    each = -(-batch // get_num_threads())
    rows = sum(b - a for a, b in steps)
    kernel(
        2 * rows * w.size / RATE + COST * rows * n, *[a.reshape(-1) for a in (*before, w, *more)],
        np.array(steps, np.int64).reshape(-1), -(-each // ROWS) * ROWS, n, *[a.reshape(-1) for a in arrays],
    )  # fmt: skip
