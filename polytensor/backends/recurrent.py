"""Recurrent kernels: one layer over all its steps, with one fused kernel of the gates a step.

A sequence is packed: the rows of all steps one after the other, `sizes[t]` rows for step t, never more than for the step
before. Sequences of one length are the case of equal sizes. Weight gradients are one product over all steps.
"""

from __future__ import annotations

from itertools import accumulate
from typing import Any

Array = Any
Sizes = tuple[int, ...]
Steps = list[tuple[int, int]]


def spans(sizes: Sizes, reverse: bool) -> Steps:
    """Where each step's rows begin and end, in the order of the recurrence."""
    ends = list(accumulate(sizes))
    found = [(end - n, end) for end, n in zip(ends, sizes, strict=True)]
    return found[::-1] if reverse else found


class RecurrentKernels:
    """Mixed into Backend. float16 and bfloat16 do not reach it: the front widens.

    x (rows, in), h0 and c0 (batch, size), w_ih (gates * size, in), w_hh (gates * size, size); a bias of no elements is none.
    Beside the results, forward kernels return what their backward kernels take (`kept`).
    """

    xp: Any

    def _gates(self, x: Array, w_ih: Array, b_ih: Array) -> Array:
        """The input's part of all gates of all steps."""
        gates = self.matmul(x, w_ih.T)  # type: ignore[attr-defined]
        if b_ih.size:
            gates += b_ih
        return gates

    def _outer_gradients(
        self, need: Any, d: Array, x: Array, w_ih: Array, b_ih: Array
    ) -> tuple[Array | None, Array | None, Array | None]:
        """Gradients of x, w_ih and b_ih, given those of the gates."""
        dx = self.matmul(d, w_ih) if need[0] else None  # type: ignore[attr-defined]
        dw = self.matmul(d.T, x) if need[1] else None  # type: ignore[attr-defined]
        return dx, dw, self.sum(d, (0,), False) if need[2] and b_ih.size else None  # type: ignore[attr-defined]

    def _state_gradient(self, g: Array | None, like: Array) -> Array:
        return self.xp.zeros(like.shape, like.dtype) if g is None else self.copy(g)  # type: ignore[attr-defined]

    def _needed(self, need: Any, *grads: Array | None) -> list[Array | None]:
        return [g if wanted else None for g, wanted in zip(grads, need, strict=True)]

    # ---- tanh and relu --------------------------------------------------------------------------------------------
    def _rnn_walk(self, w: Array, relu: bool, steps: Steps, h: Array, own: Array, before: Array) -> None:
        """All steps; `own` comes in as the input's part, and holds all h after. h moves on in place. w: w_hh'."""
        for a, b in steps:
            now, y = h[: b - a], own[a:b]
            before[a:b] = now
            y += self.xp.matmul(now, w)
            if relu:
                self.xp.maximum(y, self.scalar(0, y.dtype), out=y)  # type: ignore[attr-defined]
            else:
                self.xp.tanh(y, out=y)
            now[...] = y

    def _rnn_walk_back(
        self, g: Array | None, w_hh: Array, relu: bool, steps: Steps, dh: Array, own: Array, d: Array
    ) -> None:
        """Fill d, the gradient before the activation; dh moves back in place."""
        for a, b in reversed(steps):
            now, y, out = dh[: b - a], own[a:b], d[a:b]
            if g is not None:
                now += g[a:b]
            if relu:
                self.xp.multiply(now, self.xp.logical_not(y <= 0), out=out)
            else:
                self.xp.multiply(y, y, out=out)
                self.xp.subtract(1, out, out=out)
                out *= now
            now[...] = self.xp.matmul(out, w_hh)

    def rnn_scan(
        self, x: Array, h0: Array, w_ih: Array, w_hh: Array, b_ih: Array, b_hh: Array, relu: bool, sizes: Sizes,
        reverse: bool,
    ) -> tuple[Array, ...]:  # fmt: skip
        """h = f(x w_ih' + b_ih + h w_hh' + b_hh) step by step. Returns (all h, the last ones, *kept)."""
        own = self._gates(x, w_ih, b_ih + b_hh)
        before = self.empty(own.shape, own.dtype)  # type: ignore[attr-defined]
        h, w = self.copy(h0), w_hh.T  # type: ignore[attr-defined]
        self._rnn_walk(w, relu, spans(sizes, reverse), h, own, before)
        return self.copy(own), h, own, before  # type: ignore[attr-defined]

    def rnn_scan_backward(
        self, g: Any, need: Any, x: Array, h0: Array, w_ih: Array, w_hh: Array, b_ih: Array, b_hh: Array, own: Array,
        before: Array, relu: bool, sizes: Sizes, reverse: bool,
    ) -> list[Array | None]:  # fmt: skip
        """Gradients of the inputs of rnn_scan, given those of its first two results (None where none came)."""
        d = self.empty(own.shape, own.dtype)  # type: ignore[attr-defined]
        dh = self._state_gradient(g[1], h0)
        self._rnn_walk_back(g[0], w_hh, relu, spans(sizes, reverse), dh, own, d)
        dx, dw, db = self._outer_gradients((need[0], need[2], need[4] or need[5]), d, x, w_ih, b_ih)
        d_hh = self.matmul(d.T, before) if need[3] else None  # type: ignore[attr-defined]
        return self._needed(need, dx, dh, dw, d_hh, db, db)

    # ---- LSTM -----------------------------------------------------------------------------------------------------
    def _sigmoid_into(self, x: Array) -> None:
        self.xp.multiply(x, -1, out=x)  # NumPy 2.4: negative in place is wrong for columns of four or eight
        self.xp.exp(x, out=x)
        x += 1
        self.xp.reciprocal(x, out=x)

    def _lstm_step(self, gates: Array, c: Array, tc: Array, y: Array) -> None:
        """Activate the gates (in, forget, cell, out) and move c on, in place; tc = tanh(c), y = out * tc."""
        n = c.shape[1]
        self._sigmoid_into(gates[:, : 2 * n])
        self._sigmoid_into(gates[:, 3 * n :])
        cell = gates[:, 2 * n : 3 * n]
        self.xp.tanh(cell, out=cell)
        c *= gates[:, n : 2 * n]
        c += gates[:, :n] * cell
        self.xp.tanh(c, out=tc)
        self.xp.multiply(gates[:, 3 * n :], tc, out=y)

    def _lstm_step_backward(self, dy: Array, dc: Array, gates: Array, tc: Array, before: Array, d: Array) -> None:
        """Fill d, the gradient of the gates before their activation; dc moves one step back in place."""
        n = dc.shape[1]
        i, f, cell, o = (gates[:, k * n : (k + 1) * n] for k in range(4))
        dc += dy * o * (1 - tc * tc)
        d[:, :n] = dc * cell * (i * (1 - i))
        d[:, n : 2 * n] = dc * before * (f * (1 - f))
        d[:, 2 * n : 3 * n] = dc * i * (1 - cell * cell)
        d[:, 3 * n :] = dy * tc * (o * (1 - o))
        dc *= f

    def _lstm_walk(
        self, w_hh: Array, bias: Array, w_hr: Array, steps: Steps, h: Array, c: Array, gates: Array, tc: Array, before: Array,
        past: Array, ys: Array,
    ) -> None:  # fmt: skip
        """All steps; the gates come in as the input's part of them. h and c move on in place."""
        if bias.size:
            gates += bias
        plain = self.empty(c.shape, c.dtype) if w_hr.size else None  # type: ignore[attr-defined]
        w = w_hh.T
        for a, b in steps:
            n = b - a
            now, y = h[:n], ys[a:b]
            past[a:b] = now
            before[a:b] = c[:n]
            gates[a:b] += self.xp.matmul(now, w)
            if plain is None:
                self._lstm_step(gates[a:b], c[:n], tc[a:b], y)
            else:
                self._lstm_step(gates[a:b], c[:n], tc[a:b], plain[:n])
                y[...] = self.xp.matmul(plain[:n], w_hr.T)
            now[...] = y

    def _lstm_walk_back(
        self, g: Array | None, w_hh: Array, w_hr: Array, steps: Steps, dh: Array, dc: Array, gates: Array, tc: Array,
        before: Array, d: Array, dys: Array | None,
    ) -> None:  # fmt: skip
        """Fill d, and with a projection dys, the gradients of the gates and of all h; dh and dc move back in place."""
        for a, b in reversed(steps):
            now = dh[: b - a]
            if g is not None:
                now += g[a:b]
            dy = now
            if dys is not None:
                dys[a:b] = now
                dy = self.xp.matmul(now, w_hr)
            self._lstm_step_backward(dy, dc[: b - a], gates[a:b], tc[a:b], before[a:b], d[a:b])
            now[...] = self.xp.matmul(d[a:b], w_hh)

    def lstm_scan(
        self, x: Array, h0: Array, c0: Array, w_ih: Array, w_hh: Array, b_ih: Array, b_hh: Array, w_hr: Array,
        sizes: Sizes, reverse: bool,
    ) -> tuple[Array, ...]:  # fmt: skip
        """Hochreiter and Schmidhuber (1997), with forget gates; w_hr projects h unless it is empty.

        Returns (all h, the last h and c, *kept).
        """
        gates = self.matmul(x, w_ih.T)  # type: ignore[attr-defined]
        rows, dtype = len(x), x.dtype
        tc, before = (self.empty((rows, c0.shape[1]), dtype) for _ in range(2))  # type: ignore[attr-defined]
        ys, past = (self.empty((rows, h0.shape[1]), dtype) for _ in range(2))  # type: ignore[attr-defined]
        h, c = self.copy(h0), self.copy(c0)  # type: ignore[attr-defined]
        self._lstm_walk(w_hh, b_ih + b_hh, w_hr, spans(sizes, reverse), h, c, gates, tc, before, past, ys)
        return ys, h, c, gates, tc, before, past

    def lstm_scan_backward(
        self, g: Any, need: Any, x: Array, h0: Array, c0: Array, w_ih: Array, w_hh: Array, b_ih: Array, b_hh: Array,
        w_hr: Array, gates: Array, tc: Array, before: Array, past: Array, sizes: Sizes, reverse: bool,
    ) -> list[Array | None]:  # fmt: skip
        """Gradients of the inputs of lstm_scan, given those of its first three results (None where none came)."""
        d = self.empty(gates.shape, gates.dtype)  # type: ignore[attr-defined]
        dh, dc = self._state_gradient(g[1], h0), self._state_gradient(g[2], c0)
        dys = self.empty(past.shape, past.dtype) if w_hr.size else None  # type: ignore[attr-defined]
        self._lstm_walk_back(g[0], w_hh, w_hr, spans(sizes, reverse), dh, dc, gates, tc, before, d, dys)
        dx, dw, db = self._outer_gradients((need[0], need[3], need[5] or need[6]), d, x, w_ih, b_ih)
        d_hh = self.matmul(d.T, past) if need[4] else None  # type: ignore[attr-defined]
        d_hr = None
        if dys is not None and need[7]:
            d_hr = self.matmul(dys.T, gates[:, 3 * c0.shape[1] :] * tc)  # type: ignore[attr-defined]
        return self._needed(need, dx, dh, dc, dw, d_hh, db, db, d_hr)

    # ---- GRU ------------------------------------------------------------------------------------------------------
    def _gru_step(self, gates: Array, hidden: Array, h: Array, inner: Array, y: Array) -> None:
        """Activate the gates (reset, update, new) in place; inner: the state's part of `new`; y = new + update * (h - new)."""
        n = h.shape[1]
        both, new = gates[:, : 2 * n], gates[:, 2 * n :]
        both += hidden[:, : 2 * n]
        self._sigmoid_into(both)
        inner[...] = hidden[:, 2 * n :]
        new += gates[:, :n] * inner
        self.xp.tanh(new, out=new)
        self.xp.subtract(h, new, out=y)
        y *= gates[:, n : 2 * n]
        y += new

    def _gru_step_backward(self, dh: Array, gates: Array, inner: Array, past: Array, dx: Array, d: Array) -> None:
        """Fill dx and d, the gradients of the input's and the state's part of the gates; dh keeps what passes by."""
        n = dh.shape[1]
        r, z, new = (gates[:, k * n : (k + 1) * n] for k in range(3))
        dnew = dh * (1 - z) * (1 - new * new)
        d[:, :n] = dx[:, :n] = dnew * inner * (r * (1 - r))
        d[:, n : 2 * n] = dx[:, n : 2 * n] = dh * (past - new) * (z * (1 - z))
        dx[:, 2 * n :] = dnew
        d[:, 2 * n :] = dnew * r
        dh *= z

    def _gru_walk(
        self, w_hh: Array, b_hh: Array, steps: Steps, h: Array, gates: Array, inner: Array, past: Array, ys: Array
    ) -> None:
        """As _lstm_walk."""
        w = w_hh.T
        for a, b in steps:
            now = h[: b - a]
            past[a:b] = now
            hidden = self.xp.matmul(now, w)
            if b_hh.size:
                hidden += b_hh
            self._gru_step(gates[a:b], hidden, now, inner[a:b], ys[a:b])
            now[...] = ys[a:b]

    def _gru_walk_back(
        self, g: Array | None, w_hh: Array, steps: Steps, dh: Array, gates: Array, inner: Array, past: Array, dx: Array,
        d: Array,
    ) -> None:  # fmt: skip
        """Fill dx and d; dh moves back in place."""
        for a, b in reversed(steps):
            now = dh[: b - a]
            if g is not None:
                now += g[a:b]
            self._gru_step_backward(now, gates[a:b], inner[a:b], past[a:b], dx[a:b], d[a:b])
            now += self.xp.matmul(d[a:b], w_hh)

    def gru_scan(
        self, x: Array, h0: Array, w_ih: Array, w_hh: Array, b_ih: Array, b_hh: Array, sizes: Sizes, reverse: bool
    ) -> tuple[Array, ...]:
        """Cho et al. (2014), with the reset gate after the product. Returns (all h, the last ones, *kept)."""
        gates = self._gates(x, w_ih, b_ih)
        inner, ys, past = (self.empty((len(x), h0.shape[1]), x.dtype) for _ in range(3))  # type: ignore[attr-defined]
        h = self.copy(h0)  # type: ignore[attr-defined]
        self._gru_walk(w_hh, b_hh, spans(sizes, reverse), h, gates, inner, past, ys)
        return ys, h, gates, inner, past

    def gru_scan_backward(
        self, g: Any, need: Any, x: Array, h0: Array, w_ih: Array, w_hh: Array, b_ih: Array, b_hh: Array, gates: Array,
        inner: Array, past: Array, sizes: Sizes, reverse: bool,
    ) -> list[Array | None]:  # fmt: skip
        """Gradients of the inputs of gru_scan, given those of its first two results (None where none came)."""
        dx, d = (self.empty(gates.shape, gates.dtype) for _ in range(2))  # type: ignore[attr-defined]
        dh = self._state_gradient(g[1], h0)
        self._gru_walk_back(g[0], w_hh, spans(sizes, reverse), dh, gates, inner, past, dx, d)
        own, dw, db = self._outer_gradients((need[0], need[2], need[4]), dx, x, w_ih, b_ih)
        d_hh = self.matmul(d.T, past) if need[3] else None  # type: ignore[attr-defined]
        d_b = self.sum(d, (0,), False) if need[5] and b_hh.size else None  # type: ignore[attr-defined]
        return self._needed(need, own, dh, dw, d_hh, db, d_b)
