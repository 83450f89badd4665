"""One step of the gates of an LSTM and a GRU, forward and backward, row by row in cache.

Each loop writes one array and reads few: with more, LLVM gives up on proving that they do not overlap, and on vectors.
"""

from __future__ import annotations

from typing import Any

from numba import njit, prange

from .pointwise import fast_exp, span
from .threads import Kernel

TASK = 4096  # elements of a state to a task
COST = 1.5  # nanoseconds an element of the state


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


def _lstm_step(gates: Any, c: Any, n: int, tc: Any, y: Any) -> None:
    """As LSTM in backends.recurrent, on rows of n; gates and c in place."""
    one = c.dtype.type(1)
    rows = c.size // n
    per = max(1, TASK // n)
    for task in prange((rows + per - 1) // per):
        for row in range(task * per, min(rows, task * per + per)):
            g = gates[row * 4 * n : row * 4 * n + 4 * n]
            i, f, cell, o = g[:n], g[n : 2 * n], g[2 * n : 3 * n], g[3 * n :]
            s = span(row, c.size, n)
            cs, ts, ys = c[s], tc[s], y[s]
            sigmoid_into(g[: 2 * n], one)
            tanh_into(cell, one, cell)
            sigmoid_into(o, one)
            for k in range(cs.size):
                cs[k] = f[k] * cs[k] + i[k] * cell[k]
            tanh_into(cs, one, ts)
            for k in range(ys.size):
                ys[k] = o[k] * ts[k]


def _lstm_step_backward(dy: Any, dc: Any, gates: Any, tc: Any, before: Any, n: int, d: Any) -> None:
    one = dc.dtype.type(1)
    rows = dc.size // n
    per = max(1, TASK // n)
    for task in prange((rows + per - 1) // per):
        for row in range(task * per, min(rows, task * per + per)):
            start = row * 4 * n
            g, dg = gates[start : start + 4 * n], d[start : start + 4 * n]
            i, f, cell, o = g[:n], g[n : 2 * n], g[2 * n : 3 * n], g[3 * n :]
            di, df, dcell, do = dg[:n], dg[n : 2 * n], dg[2 * n : 3 * n], dg[3 * n :]
            s = span(row, dc.size, n)
            dys, dcs, ts, bs = dy[s], dc[s], tc[s], before[s]
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


def _gru_step(gates: Any, hidden: Any, h: Any, n: int, inner: Any, y: Any) -> None:
    """As GRU in backends.recurrent, on rows of n; gates in place."""
    one = h.dtype.type(1)
    rows = h.size // n
    per = max(1, TASK // n)
    for task in prange((rows + per - 1) // per):
        for row in range(task * per, min(rows, task * per + per)):
            start = row * 3 * n
            g, t = gates[start : start + 3 * n], hidden[start : start + 3 * n]
            both, r, z, new = g[: 2 * n], g[:n], g[n : 2 * n], g[2 * n :]
            s = span(row, h.size, n)
            hs, ins, ys = h[s], inner[s], y[s]
            for k in range(both.size):
                both[k] += t[k]
            sigmoid_into(both, one)
            own = t[2 * n :]
            for k in range(ins.size):
                ins[k] = own[k]
            for k in range(new.size):
                new[k] += r[k] * ins[k]
            tanh_into(new, one, new)
            for k in range(ys.size):
                ys[k] = new[k] + z[k] * (hs[k] - new[k])


def _gru_step_backward(dh: Any, gates: Any, inner: Any, past: Any, n: int, dx: Any, d: Any) -> None:
    one = dh.dtype.type(1)
    rows = dh.size // n
    per = max(1, TASK // n)
    for task in prange((rows + per - 1) // per):
        for row in range(task * per, min(rows, task * per + per)):
            start = row * 3 * n
            g, dg, dxg = gates[start : start + 3 * n], d[start : start + 3 * n], dx[start : start + 3 * n]
            r, z, new = g[:n], g[n : 2 * n], g[2 * n :]
            dr, dz, dnew, dxnew = dg[:n], dg[n : 2 * n], dg[2 * n :], dxg[2 * n :]
            s = span(row, dh.size, n)
            dhs, ins, ps = dh[s], inner[s], past[s]
            for k in range(dxnew.size):
                dxnew[k] = dhs[k] * (one - z[k]) * (one - new[k] * new[k])
            for k in range(dr.size):
                dr[k] = dxnew[k] * ins[k] * (r[k] * (one - r[k]))
            for k in range(dz.size):
                dz[k] = dhs[k] * (ps[k] - new[k]) * (z[k] * (one - z[k]))
            for k in range(dnew.size):
                dnew[k] = dxnew[k] * r[k]
            both, dboth = dg[: 2 * n], dxg[: 2 * n]
            for k in range(dboth.size):
                dboth[k] = both[k]
            for k in range(dhs.size):
                dhs[k] *= z[k]


lstm_kernel = Kernel(_lstm_step)
lstm_backward_kernel = Kernel(_lstm_step_backward)
gru_kernel = Kernel(_gru_step)
gru_backward_kernel = Kernel(_gru_step_backward)


def run(kernel: Kernel, arrays: tuple[Any, ...], n: int, outs: tuple[Any, ...]) -> None:
    """Run a kernel on rows of n; all arrays are contiguous and written in place."""
    kernel(COST * outs[-1].size, *[a.reshape(-1) for a in arrays], n, *[a.reshape(-1) for a in outs])
