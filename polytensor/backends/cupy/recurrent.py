"""Recurrent layers: beside the product of each step, one kernel does all that is element by element.

It adds the product and the biases to the gates, activates them, moves the states on, and keeps what backward needs. A step
is then two launches. Arrays of all steps come whole, with the row `at` where the step begins.
"""

from __future__ import annotations

from typing import Any

from ..recurrent import Steps
from . import launch
from .rows import CTYPE, SINGLE

Array = Any


CELLS = r"""
template <typename T> __device__ __forceinline__ T sigmoid(T x) { return 1 / (1 + exp(-x)); }
// f(row, column, row * n + column)
template <typename F> __device__ __forceinline__ void each_unit(i64 rows, i64 n, F f) {
    #pragma unroll 1
    for (i64 i = blockIdx.x * (i64)blockDim.x + threadIdx.x; i < rows * n; i += (i64)gridDim.x * blockDim.x) {
        i64 row = ((rows | n) >> 31) == 0 && (rows * n) >> 32 == 0 ? (i64)((unsigned)i / (unsigned)n) : i / n;
        f(row, i - row * n, i);
    }
}
"""

RNN_CELL = r"""
template <typename T>
__global__ void rnn_cell(const T* hidden, T* own, T* h, T* before, i64 at, i64 rows, i64 n, bool relu) {
    each_unit(rows, n, [=](i64, i64, i64 i) {
        i64 o = at * n + i;
        T y = own[o] + hidden[i];
        y = !relu ? tanh(y) : y <= 0 ? (T)0 : y;
        before[o] = h[i];
        h[i] = own[o] = y;
    });
}
"""

RNN_CELL_BACKWARD = r"""
// As lstm_cell_backward.
template <typename T>
__global__ void rnn_cell_backward(const T* g, const T* product, const T* own, T* dh, T* d, i64 at, i64 rows, i64 fresh, i64 n,
                                  bool relu, bool given) {
    each_unit(rows > fresh ? rows : fresh, n, [=](i64 row, i64, i64 i) {
        T dy = row < fresh ? product[i] : dh[i];
        if (row >= rows) {
            dh[i] = dy;
            return;
        }
        i64 o = at * n + i;
        T y = own[o];
        if (given) dy += g[o];
        d[o] = !relu ? dy * (1 - y * y) : y <= 0 ? (T)0 : dy;
    });
}
"""

LSTM_CELL = r"""
// Gates: in, forget, cell, out. hidden: the state's part of them.
template <typename T>
__global__ void lstm_cell(const T* hidden, const T* bias, T* gates, T* h, T* c, T* tc, T* before, T* past, T* ys, i64 at,
                          i64 rows, i64 n, bool biased) {
    each_unit(rows, n, [=](i64 row, i64 column, i64 i) {
        T g[4];
        #pragma unroll
        for (int k = 0; k < 4; ++k) {
            g[k] = gates[(at + row) * 4 * n + k * n + column] + hidden[row * 4 * n + k * n + column];
            if (biased) g[k] += bias[k * n + column];
            g[k] = k == 2 ? tanh(g[k]) : sigmoid(g[k]);
            gates[(at + row) * 4 * n + k * n + column] = g[k];
        }
        i64 o = at * n + i;
        past[o] = h[i];
        before[o] = c[i];
        T state = c[i] * g[1] + g[0] * g[2], t = tanh(state);
        c[i] = state;
        tc[o] = t;
        h[i] = ys[o] = g[3] * t;
    });
}
"""

LSTM_CELL_BACKWARD = r"""
// d: the gradient of the gates before their activation; dc moves one step back. The gradient of h is what the step after
// this one left for its `fresh` rows (product), and dh for all others, and g. Rows that only it had keep it in dh.
template <typename T>
__global__ void lstm_cell_backward(const T* g, const T* product, const T* gates, const T* tc, const T* before, T* dh, T* dc,
                                   T* d, i64 at, i64 rows, i64 fresh, i64 n, bool given) {
    each_unit(rows > fresh ? rows : fresh, n, [=](i64 row, i64 column, i64 i) {
        T dy = row < fresh ? product[i] : dh[i];
        if (row >= rows) {
            dh[i] = dy;
            return;
        }
        i64 o = at * n + i, wide = (at + row) * 4 * n + column;
        if (given) dy += g[o];
        T in = gates[wide], forget = gates[wide + n], cell = gates[wide + 2 * n], out = gates[wide + 3 * n], t = tc[o];
        T dstate = dc[i] + dy * out * (1 - t * t);
        d[wide] = dstate * cell * (in * (1 - in));
        d[wide + n] = dstate * before[o] * (forget * (1 - forget));
        d[wide + 2 * n] = dstate * in * (1 - cell * cell);
        d[wide + 3 * n] = dy * t * (out * (1 - out));
        dc[i] = dstate * forget;
    });
}
"""

GRU_CELL = r"""
// Gates: reset, update, new. inner: the state's part of `new`.
template <typename T>
__global__ void gru_cell(const T* hidden, const T* bias, T* gates, T* h, T* inner, T* past, T* ys, i64 at, i64 rows, i64 n,
                         bool biased) {
    each_unit(rows, n, [=](i64 row, i64 column, i64 i) {
        i64 o = at * n + i, wide = (at + row) * 3 * n + column;
        T own[3];
        #pragma unroll
        for (int k = 0; k < 3; ++k) {
            own[k] = hidden[row * 3 * n + k * n + column];
            if (biased) own[k] += bias[k * n + column];
        }
        T r = sigmoid(gates[wide] + own[0]), z = sigmoid(gates[wide + n] + own[1]), state = h[i];
        T fresh = tanh(gates[wide + 2 * n] + r * own[2]);
        gates[wide] = r;
        gates[wide + n] = z;
        gates[wide + 2 * n] = fresh;
        inner[o] = own[2];
        past[o] = state;
        h[i] = ys[o] = (state - fresh) * z + fresh;
    });
}
"""

GRU_CELL_BACKWARD = r"""
// dx and d: the gradients of the input's and the state's part of the gates. The gradient of h is dh, plus what the step
// after this one left for its `fresh` rows (product), plus g; dh keeps what passes by the gates.
template <typename T>
__global__ void gru_cell_backward(const T* g, const T* product, const T* gates, const T* inner, const T* past, T* dh, T* dx,
                                  T* d, i64 at, i64 rows, i64 fresh, i64 n, bool given) {
    each_unit(rows > fresh ? rows : fresh, n, [=](i64 row, i64 column, i64 i) {
        T dy = dh[i];
        if (row < fresh) dy += product[i];
        if (row >= rows) {
            dh[i] = dy;
            return;
        }
        i64 o = at * n + i, wide = (at + row) * 3 * n + column;
        if (given) dy += g[o];
        T r = gates[wide], z = gates[wide + n], made = gates[wide + 2 * n];
        T dmade = dy * (1 - z) * (1 - made * made);
        T dr = dmade * inner[o] * (r * (1 - r)), dz = dy * (past[o] - made) * (z * (1 - z));
        d[wide] = dx[wide] = dr;
        d[wide + n] = dx[wide + n] = dz;
        dx[wide + 2 * n] = dmade;
        d[wide + 2 * n] = dmade * r;
        dh[i] = dy * z;
    });
}
"""

for _name, _text in (
    ("rnn_cell", RNN_CELL), ("rnn_cell_backward", RNN_CELL_BACKWARD), ("lstm_cell", LSTM_CELL),
    ("lstm_cell_backward", LSTM_CELL_BACKWARD), ("gru_cell", GRU_CELL),
    ("gru_cell_backward", GRU_CELL_BACKWARD),
):  # fmt: skip
    launch.register(_name, CELLS + _text, [(c,) for c in SINGLE])


def _takes(n: int, *arrays: Array) -> str | None:
    """The C type of contiguous arrays of one dtype with elements, else None."""
    first = arrays[0]
    found = CTYPE.get(first.dtype)
    if found not in SINGLE or not first.size or not n:
        return None
    return found if all([a.dtype == first.dtype and a.flags.c_contiguous for a in arrays]) else None


class CudaRecurrent:
    """Mixed into CupyBackend."""

    xp: Any
    matmul: Any
    contiguous: Any

    def _rnn_walk(self, w: Array, relu: bool, steps: Steps, h: Array, own: Array, before: Array) -> None:
        n = h.shape[1]
        ctype = _takes(n, own, h, before)
        if ctype is None:
            return super()._rnn_walk(w, relu, steps, h, own, before)  # type: ignore[misc, no-any-return]
        kernel = launch.kernel("rnn_cell", ctype)
        for a, b in steps:
            args = (self.matmul(h[: b - a], w), own, h, before, *launch.i64(a, b - a, n), launch.BOOL[relu])
            kernel.over((b - a) * n, args)
        return None

    def _rnn_walk_back(
        self, g: Array | None, w_hh: Array, relu: bool, steps: Steps, dh: Array, own: Array, d: Array
    ) -> None:
        n = dh.shape[1]
        ctype = _takes(n, own, dh, d)
        if ctype is None:
            return super()._rnn_walk_back(g, w_hh, relu, steps, dh, own, d)  # type: ignore[misc, no-any-return]
        kernel, flags = launch.kernel("rnn_cell_backward", ctype), (launch.BOOL[relu], launch.BOOL[g is not None])
        g, product, fresh = own if g is None else self.contiguous(g), dh, 0
        for a, b in reversed(steps):
            args = (g, product, own, dh, d, *launch.i64(a, b - a, fresh, n), *flags)
            kernel.over(max(b - a, fresh) * n, args)
            product, fresh = self.matmul(d[a:b], w_hh), b - a
        dh[:fresh] = product
        return None

    def _lstm_walk(
        self, w_hh: Array, bias: Array, w_hr: Array, steps: Steps, h: Array, c: Array, gates: Array, tc: Array, before: Array,
        past: Array, ys: Array,
    ) -> None:  # fmt: skip
        n = c.shape[1]
        ctype = None if w_hr.size else _takes(n, gates, h, c, tc, before, past, ys)
        if ctype is None:
            return super()._lstm_walk(w_hh, bias, w_hr, steps, h, c, gates, tc, before, past, ys)  # type: ignore[misc, no-any-return]
        kernel, w, biased = launch.kernel("lstm_cell", ctype), w_hh.T, launch.BOOL[bias.size > 0]
        bias = self.contiguous(bias)
        for a, b in steps:
            hidden = self.matmul(h[: b - a], w)
            args = (hidden, bias, gates, h, c, tc, before, past, ys, *launch.i64(a, b - a, n), biased)
            kernel.over((b - a) * n, args)
        return None

    def _lstm_walk_back(
        self, g: Array | None, w_hh: Array, w_hr: Array, steps: Steps, dh: Array, dc: Array, gates: Array, tc: Array,
        before: Array, d: Array, dys: Array | None,
    ) -> None:  # fmt: skip
        n = dc.shape[1]
        ctype = None if dys is not None else _takes(n, gates, dh, dc, tc, before, d)
        if ctype is None:
            return super()._lstm_walk_back(g, w_hh, w_hr, steps, dh, dc, gates, tc, before, d, dys)  # type: ignore[misc, no-any-return]
        kernel, given = launch.kernel("lstm_cell_backward", ctype), launch.BOOL[g is not None]
        g, product, fresh = gates if g is None else self.contiguous(g), dh, 0
        for a, b in reversed(steps):
            args = (g, product, gates, tc, before, dh, dc, d, *launch.i64(a, b - a, fresh, n), given)
            kernel.over(max(b - a, fresh) * n, args)
            product, fresh = self.matmul(d[a:b], w_hh), b - a
        dh[:fresh] = product
        return None

    def _gru_walk(
        self, w_hh: Array, b_hh: Array, steps: Steps, h: Array, gates: Array, inner: Array, past: Array, ys: Array
    ) -> None:
        n = h.shape[1]
        ctype = _takes(n, gates, h, inner, past, ys)
        if ctype is None:
            return super()._gru_walk(w_hh, b_hh, steps, h, gates, inner, past, ys)  # type: ignore[misc, no-any-return]
        kernel, w, biased = launch.kernel("gru_cell", ctype), w_hh.T, launch.BOOL[b_hh.size > 0]
        bias = self.contiguous(b_hh)
        for a, b in steps:
            hidden = self.matmul(h[: b - a], w)
            kernel.over((b - a) * n, (hidden, bias, gates, h, inner, past, ys, *launch.i64(a, b - a, n), biased))
        return None

    def _gru_walk_back(
        self, g: Array | None, w_hh: Array, steps: Steps, dh: Array, gates: Array, inner: Array, past: Array, dx: Array,
        d: Array,
    ) -> None:  # fmt: skip
        n = dh.shape[1]
        ctype = _takes(n, gates, dh, inner, past, dx, d)
        if ctype is None:
            return super()._gru_walk_back(g, w_hh, steps, dh, gates, inner, past, dx, d)  # type: ignore[misc, no-any-return]
        kernel, given = launch.kernel("gru_cell_backward", ctype), launch.BOOL[g is not None]
        g, product, fresh = gates if g is None else self.contiguous(g), dh, 0
        for a, b in reversed(steps):
            args = (g, product, gates, inner, past, dh, dx, d, *launch.i64(a, b - a, fresh, n), given)
            kernel.over(max(b - a, fresh) * n, args)
            product, fresh = self.matmul(d[a:b], w_hh), b - a
        dh[:fresh] += product
        return None
