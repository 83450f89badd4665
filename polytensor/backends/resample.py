"""Sparse linear maps along one axis: pools, paddings and interpolation are all of this kind.

A Plan holds, for each output element, the input elements that it reads and their weights, grouped in taps: tap k writes
every output that has a k-th element, at most once. Its adjoint is the Plan of the transposed map.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

Array = Any
RUNS = 8  # slices that are read faster than an index


class Plan:
    """A sparse matrix (size, n) from entries (output, input, weight); weights None: all 1."""

    def __init__(self, n: int, size: int, outs: Any, ins: Any, weights: Any = None) -> None:
        self.n, self.size = n, size
        self.scale = 1.0
        if weights is not None and weights.size and (weights == weights[0]).all():
            self.scale, weights = float(weights[0]), None
        self._entries = (outs, ins, weights)
        self._adjoint: Plan | None = None
        self.tables: dict[Any, Any] = {}  # what a backend makes of it
        order = np.lexsort((ins, outs))
        outs, ins = outs[order], ins[order]
        weights = None if weights is None else weights[order]
        rank = np.arange(len(outs)) - np.searchsorted(outs, outs)
        self.taps = []
        for k in range(int(rank.max()) + 1 if len(rank) else 0):
            sel = rank == k
            self.taps.append((as_slice(outs[sel]), as_runs(ins[sel]), None if weights is None else weights[sel]))

    def rows(self) -> tuple[Any, Any, Any]:
        """The entries by output: where each output's start (size + 1 numbers), their inputs, their weights."""
        outs, ins, weights = self._entries
        order = np.lexsort((ins, outs))
        starts = np.searchsorted(outs[order], np.arange(self.size + 1))
        return starts, ins[order], np.ones(len(ins)) if weights is None else weights[order]

    @property
    def adjoint(self) -> Plan:
        if self._adjoint is None:
            outs, ins, weights = self._entries
            self._adjoint = Plan(self.size, self.n, ins, outs, weights)
            self._adjoint.scale *= self.scale
            self._adjoint._adjoint = self
        return self._adjoint


def as_slice(index: Any) -> Any:
    """An arithmetic progression as a slice, anything else as it is."""
    if len(index) == 1:
        return slice(int(index[0]), int(index[0]) + 1)
    step = int(index[1] - index[0])
    if step > 0 and (np.diff(index) == step).all():
        return slice(int(index[0]), int(index[-1]) + 1, step)
    return index


def as_runs(index: Any) -> Any:
    """as_slice, or a few slices that are read one after the other, as for paddings."""
    one = as_slice(index)
    if one.__class__ is slice:
        return one
    runs: list[slice] = []
    steps, at = np.diff(index), 0
    while at < len(index):
        if len(runs) == RUNS:
            return index
        step = int(steps[at]) if at < len(steps) else 0
        length = 1  # of equal numbers, one at a time
        if step:
            other = np.flatnonzero(steps[at:] != step)
            length = int(other[0]) + 1 if len(other) else len(index) - at
        first = int(index[at])
        end = first + length * step if step else first + 1
        runs.append(slice(first, end if end >= 0 else None, step or 1))
        at += length
    return tuple(runs)


def _windows(starts: Any, ends: Any) -> tuple[Any, Any]:
    lengths = ends - starts
    outs: Any = np.repeat(np.arange(len(starts)), lengths)
    first: Any = np.repeat(np.cumsum(lengths) - lengths, lengths)
    return outs, np.arange(len(outs)) - first + np.repeat(starts, lengths)


@lru_cache(256)
def average_plan(n: int, size: int, kernel: int, stride: int, padding: int, count_pad: bool, divide: bool) -> Plan:
    """Sums over windows, divided by their lengths (with or without the padding that they cover)."""
    starts: Any = np.arange(size) * stride - padding
    padded = np.minimum(starts + kernel, n + padding)
    low, high = np.maximum(starts, 0), np.minimum(padded, n)
    high = np.maximum(high, low)
    outs, ins = _windows(low, high)
    if not divide:
        return Plan(n, size, outs, ins)
    lengths = padded - starts if count_pad else high - low
    return Plan(n, size, outs, ins, 1.0 / lengths[outs])


@lru_cache(256)
def dilated_plan(n: int, size: int, kernel: int, stride: int, padding: int, dilation: int) -> Plan:
    """The elements inside the input that each window of a pool reads."""
    at = (np.arange(size) * stride - padding)[:, None] + np.arange(kernel) * dilation
    outs, taps = np.nonzero((at >= 0) & (at < n))
    return Plan(n, size, outs, at[outs, taps])


@lru_cache(256)
def adaptive_plan(n: int, size: int, divide: bool) -> Plan:
    """Windows from floor(i n / size) to ceil((i + 1) n / size)."""
    i: Any = np.arange(size)
    starts, ends = i * n // size, -(-(i + 1) * n // size)
    outs, ins = _windows(starts, ends)
    return Plan(n, size, outs, ins, 1.0 / (ends - starts)[outs] if divide else None)


@lru_cache(256)
def pad_plan(n: int, left: int, right: int, mode: str) -> Plan:
    """mode constant (zeros outside), reflect, replicate or circular; negative widths crop."""
    at = np.arange(-left, n + right)
    outs = np.arange(len(at))
    if mode == "constant":
        inside = (at >= 0) & (at < n)
        return Plan(n, len(at), outs[inside], at[inside])
    if mode == "reflect":
        at = np.abs(at)
        at = np.where(at >= n, 2 * (n - 1) - at, at)
    elif mode == "replicate":
        at = np.clip(at, 0, n - 1)
    else:  # around what negative widths leave
        low, high = max(-left, 0), n - max(-right, 0)
        at = low + (at - low) % max(high - low, 1)
    return Plan(n, len(at), outs, at)


def _scale(n: int, size: int, factor: float | None, align: bool, kind: Any) -> Any:
    if align:
        return kind((n - 1) / (size - 1)) if size > 1 else kind(0)
    return kind(1.0 / factor) if factor else kind(n) / kind(size)


@lru_cache(256)
def nearest_plan(n: int, size: int, factor: float | None, exact: bool, single: bool) -> Plan:
    """single: positions are computed in float32, as for a float32 input."""
    kind = np.float32 if single else np.float64
    i: Any = np.arange(size).astype(kind)
    at = (i + kind(0.5)) * _scale(n, size, factor, False, kind) if exact else i * _scale(n, size, factor, False, kind)
    return Plan(n, size, np.arange(size), np.minimum(np.floor(at).astype(np.int64), n - 1))


def _cubic(x: Any, a: float) -> Any:
    x = np.abs(x)
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = (((x - 5) * x + 8) * x - 4) * a
    return np.where(x <= 1, near, np.where(x < 2, far, 0))


@lru_cache(256)
def linear_plan(n: int, size: int, factor: float | None, align: bool, single: bool) -> Plan:
    if n == size:  # a copy, whatever the factor
        return Plan(n, size, np.arange(n), np.arange(n))
    kind = np.float32 if single else np.float64
    at = _positions(n, size, factor, align, kind)
    at = np.maximum(at, 0)
    low = np.minimum(np.floor(at).astype(np.int64), n - 1)
    high = np.minimum(low + 1, n - 1)
    w = np.clip(at.astype(np.float64) - low, 0, 1)
    i = np.arange(size)
    two = high > low
    outs = np.concatenate((i, i[two]))
    return Plan(n, size, outs, np.concatenate((low, high[two])), np.concatenate((np.where(two, 1 - w, 1), w[two])))


def _positions(n: int, size: int, factor: float | None, align: bool, kind: Any) -> Any:
    i, scale = np.arange(size).astype(kind), _scale(n, size, factor, align, kind)
    return i * scale if align else (i + kind(0.5)) * scale - kind(0.5)


@lru_cache(256)
def cubic_plan(n: int, size: int, factor: float | None, align: bool, single: bool) -> Plan:
    kind = np.float32 if single else np.float64
    at = _positions(n, size, factor, align, kind)
    low = np.floor(at).astype(np.int64)
    t = at.astype(np.float64) - low
    taps = np.arange(-1, 3)
    weights = _cubic(t[:, None] - taps, -0.75)
    ins = np.clip(low[:, None] + taps, 0, n - 1)
    return Plan(n, size, np.repeat(np.arange(size), 4), ins.ravel(), weights.ravel())


@lru_cache(256)
def antialias_plan(n: int, size: int, factor: float | None, align: bool, mode: str) -> Plan:
    """A triangle, a cubic or a Lanczos window, widened by the scale where the output is smaller."""
    if n == size:  # a copy, whatever the factor
        return Plan(n, size, np.arange(n), np.arange(n))
    scale = float(_scale(n, size, factor, align, np.float64))
    wide = max(scale, 1.0)
    support = {"bicubic": 2.0, "lanczos": 3.0}.get(mode, 1.0) * wide
    center = scale * (np.arange(size) + 0.5)
    low = np.maximum((center - support + 0.5).astype(np.int64), 0)
    high = np.minimum((center + support + 0.5).astype(np.int64), n)
    outs, ins = _windows(low, high)
    x = (ins - center[outs] + 0.5) / wide
    if mode == "bicubic":
        w = _cubic(x, -0.5)
    elif mode == "lanczos":
        w = np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0)
    else:
        w = np.maximum(0, 1 - np.abs(x))
    total = np.zeros(size)
    np.add.at(total, outs, w)
    return Plan(n, size, outs, ins, w / total[outs])


def fixed_point(plan: Plan) -> Plan:
    """`plan` for bytes: its weights in the steps of 16-bit numbers, as many bits as the largest leaves."""
    outs, ins, weights = plan._entries
    if weights is None and plan.scale == 1:
        return plan
    pairs, which = np.unique(outs * plan.n + ins, return_inverse=True)
    w = np.bincount(which, weights) if weights is not None else np.bincount(which) * plan.scale
    bits = 0
    while bits < 21 and int(0.5 + w.max() * 2.0 ** (bits + 1)) < 1 << 15:
        bits += 1
    w = np.trunc(w * 2.0**bits + np.copysign(0.5, w)) / 2.0**bits
    return Plan(plan.n, plan.size, pairs // plan.n, pairs % plan.n, w)


class ResampleKernels:
    """Mixed into Backend."""

    xp: Any

    def resample(self, x: Array, dim: int, plan: Plan) -> Array:
        """The sparse map along `dim`. Half types and integers come with weights of 1 only."""
        before = (slice(None),) * dim
        shape = (*x.shape[:dim], plan.size, *x.shape[dim + 1 :])
        tail = (1,) * (x.ndim - dim - 1)
        out = None
        for to, source, weights in plan.taps:
            part = self._read(x, dim, source)
            if weights is not None:
                part = part * self.asarray(weights.astype(x.dtype)).reshape(-1, *tail)  # type: ignore[attr-defined]
            if out is None:
                if part.shape == shape:
                    fresh = weights is not None or source.__class__ is not slice
                    out = self.xp.ascontiguousarray(part) if fresh else self.xp.array(part, order="C")
                    continue
                out = self.xp.zeros(shape, x.dtype)
            out[(*before, self._selector(to))] += part
        if out is None:
            return self.xp.zeros(shape, x.dtype)
        if plan.scale != 1:
            out *= self.scalar(plan.scale, x.dtype)  # type: ignore[attr-defined]
        return out

    def _read(self, x: Array, dim: int, source: Any) -> Array:
        """x at `source` along `dim`: a view where that is a slice, else new."""
        before = (slice(None),) * dim
        if source.__class__ is tuple:
            return self.xp.concatenate([x[(*before, run)] for run in source], dim)
        return x[(*before, source)] if source.__class__ is slice else x.take(self.asarray(source), dim)  # type: ignore[attr-defined]

    def _selector(self, index: Any) -> Any:
        return index if index.__class__ is slice else self.asarray(index)  # type: ignore[attr-defined]

    def window_argmax(self, x: Array, dims: tuple[int, ...], plans: tuple[Plan, ...]) -> Array:
        """The flat position over `dims` (the last ones of x) of each window's first maximum; NaN is the largest.

        Axis by axis from the last: among the rows that reach the maximum the first one counts, and so do the columns.
        """
        flat = None
        for dim, plan in zip(reversed(dims), reversed(plans), strict=True):
            x, at = self._axis_argmax(x, dim, plan)
            if flat is None:
                flat, span = at, plan.n
            else:
                flat = self.xp.take_along_axis(flat, at, dim) + at * span
                span *= plan.n
        return flat

    def _axis_argmax(self, x: Array, dim: int, plan: Plan) -> tuple[Array, Array]:
        before, tail = (slice(None),) * dim, (1,) * (x.ndim - dim - 1)
        everywhere = self.asarray(np.arange(plan.n))  # type: ignore[attr-defined]
        shape = (*x.shape[:dim], plan.size, *x.shape[dim + 1 :])
        y, at = self.xp.empty(shape, x.dtype), self.xp.zeros(shape, np.int64)
        for k, (to, source, _) in enumerate(plan.taps):
            to, part = (*before, self._selector(to)), self._read(x, dim, source)
            where = self._read(everywhere, 0, source).reshape(-1, *tail)
            if k == 0:
                y[to], at[to] = part, where
                continue
            old = y[to]
            better = part > old
            if x.dtype.kind not in "biu":
                better |= (part != part) & (old == old)
            y[to] = self.xp.where(better, part, old)
            at[to] = self.xp.where(better, where, at[to])
        return y, at
