"""Kernels of statistics: cumulative ops, order statistics, sets and histograms."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

Array = Any


def is_half(x: Array) -> bool:
    """Whether x is float16 or bfloat16, which compute in float32."""
    return x.dtype.itemsize == 2 and x.dtype.kind in "fV"


class StatisticsKernels:
    """Mixed into Backend."""

    xp: Any

    # ---- reductions -------------------------------------------------------------------------------------------
    def std(self: Any, x: Array, dim: Any, correction: float, keepdim: bool) -> Array:
        if is_half(x):
            return self.cast(self.std(x.astype(np.float32), dim, correction, keepdim), x.dtype)
        return self.xp.sqrt(self.var(x, dim, correction, keepdim))

    def count_nonzero(self: Any, x: Array, dim: Any) -> Array:
        return self.sum(x if x.dtype.kind == "b" else x != 0, dim, False)

    def logsumexp(self: Any, x: Array, dim: Any, keepdim: bool) -> Array:
        if is_half(x):
            return self.cast(self.logsumexp(x.astype(np.float32), dim, keepdim), x.dtype)
        if x.size == 0:
            return self.xp.log(self.sum(x, dim, keepdim))
        # of complex numbers the real part alone is taken off, so that the angle stays in (-pi, pi]
        top = self.amax(x.real if x.dtype.kind == "c" else x, dim, True)
        top = self.xp.where(self.xp.isfinite(top), top, self.scalar(0, top.dtype))
        total = self.sum(self.xp.exp(x - top), dim, True)
        return self._drop(self.xp.log(total) + top, dim, keepdim)

    def _drop(self, y: Array, dim: Any, keepdim: bool) -> Array:
        """y, reduced with keepdim, as asked."""
        if keepdim:
            return y
        return y.reshape(tuple(n for i, n in enumerate(y.shape) if dim is not None and i not in dim))

    def prod_backward(self: Any, g: Array, x: Array, out: Array, dim: int) -> Array:
        """g times the product of all other elements along dim; g and out keep dim. Right at zeros."""
        if is_half(x):
            return self.prod_backward(*(a.astype(np.float32) for a in (g, x, out)), dim).astype(x.dtype)
        zero = x == 0
        if not self.may_hold(zero):
            return g * self.conj(out / x)
        count = zero.sum(dim, keepdims=True)
        safe = self.xp.where(zero, self.scalar(1, x.dtype), x)
        rest = self.prod(safe, dim, True) / safe
        kept = (count == 0) | ((count == 1) & zero)
        return g * self.conj(self.xp.where(kept, rest, self.scalar(0, x.dtype)))

    # ---- along a dimension ------------------------------------------------------------------------------------
    def _summing(self, x: Array) -> Any:
        """The dtype in which a running sum or product is kept: single precision would lose digits on the way."""
        if x.dtype.kind in "biu":
            return np.int64
        return np.float32 if is_half(x) else np.float64 if x.dtype.char == "f" else x.dtype

    def _narrow(self: Any, y: Array, x: Array) -> Array:
        return y if x.dtype.kind in "biu" or y.dtype == x.dtype else self.cast(y, x.dtype)

    def cumsum(self: Any, x: Array, dim: int) -> Array:
        return self._narrow(self.contiguous(x).cumsum(dim, self._summing(x)), x)

    def cumprod(self: Any, x: Array, dim: int) -> Array:
        return self._narrow(self.contiguous(x).cumprod(dim, self._summing(x)), x)

    def _running(self: Any, op: Any, x: Array, dim: int) -> Array:
        """op(x_0, ..., x_k) for each k, op being associative: log2(n) steps over the whole array."""
        y = self.copy(x)
        step, before = 1, (slice(None),) * dim
        while step < x.shape[dim]:
            late = (*before, slice(step, None))
            y[late] = op(y[late], y[(*before, slice(None, -step))])
            step *= 2
        return y

    def _places(self: Any, x: Array, dim: int) -> Array:
        """Indices along dim, shaped to broadcast with x."""
        return self.xp.arange(x.shape[dim]).reshape((-1,) + (1,) * (x.ndim - dim - 1))

    def _running_extreme(self: Any, op: Any, x: Array, dim: int) -> tuple[Array, Array]:
        values = self._running(op, x, dim)
        record = x == values
        if x.dtype.kind not in "biu":
            record |= x != x
        places = record * self._places(x, dim).astype(np.int32)
        return values, self._running(self.xp.maximum, places, dim).astype(np.int64)

    def cummax(self: Any, x: Array, dim: int) -> tuple[Array, Array]:
        return self._running_extreme(self.xp.maximum, x, dim)  # type: ignore[no-any-return]

    def cummin(self: Any, x: Array, dim: int) -> tuple[Array, Array]:
        return self._running_extreme(self.xp.minimum, x, dim)  # type: ignore[no-any-return]

    def logcumsumexp(self: Any, x: Array, dim: int) -> Array:
        if is_half(x):
            return self.logcumsumexp(x.astype(np.float32), dim).astype(x.dtype)
        return self._running(self.logaddexp if x.dtype.kind == "c" else self.xp.logaddexp, x, dim)

    def shift(self: Any, x: Array, dim: int, by: int, value: float) -> Array:
        """y_k = x_(k - by), `value` where that is outside."""
        y = self.full(x.shape, value, x.dtype)
        before = (slice(None),) * dim
        cut = (slice(by, None), slice(None, -by)) if by > 0 else (slice(None, by), slice(-by, None))
        y[(*before, cut[0])] = x[(*before, cut[1])]
        return y

    def recurrence(self: Any, a: Array, b: Array, dim: int, reverse: bool) -> Array:
        """h_k = b_k + a_k h_(k-1), or h_(k+1) in reverse; log2(n) steps over the whole array."""
        if is_half(b):
            return self.recurrence(a.astype(np.float32), b.astype(np.float32), dim, reverse).astype(b.dtype)
        a, b = self.copy(a), self.copy(b)
        step, before = 1, (slice(None),) * dim
        while step < b.shape[dim]:
            here, there = (*before, slice(step, None)), (*before, slice(None, -step))
            if reverse:
                here, there = there, here
            b[here] += a[here] * b[there]
            a[here] = a[here] * a[there]
            step *= 2
        return b

    def cumprod_backward(self: Any, g: Array, x: Array, out: Array, dim: int) -> Array:
        """The gradient of cumprod; right at zeros."""
        if is_half(x):
            return self.cumprod_backward(*(a.astype(np.float32) for a in (g, x, out)), dim).astype(x.dtype)
        if x.shape[dim] > 1 and not (x == 0).any():
            total = self.cumsum(self.flip(g * self.conj(out), (dim,)), dim)
            return self.flip(total, (dim,)) / self.conj(x)
        left = self.recurrence(self.conj(self.shift(x, dim, -1, 0)), g, dim, True)
        return left * self.conj(self.shift(out, dim, 1, 1))

    # ---- order statistics -------------------------------------------------------------------------------------
    def _order(self: Any, x: Array, dim: int) -> Array:
        return self.argsort(x, dim, False)

    def median(self: Any, x: Array, dim: int, keepdim: bool, skip_nan: bool) -> tuple[Array, Array]:
        """The lower median and the place that it has in a stable sort."""
        if is_half(x):
            values, places = self.median(x.astype(np.float32), dim, keepdim, skip_nan)
            return self.cast(values, x.dtype), places
        xp, n = self.xp, x.shape[dim]
        nan = x != x
        some = x.dtype.kind == "f" and self.may_hold(nan)
        if some and skip_nan:
            k = xp.maximum(n - nan.sum(dim, keepdims=True) - 1, 0) // 2
            values = xp.take_along_axis(xp.sort(x, axis=dim), k, dim)
        else:
            k = (n - 1) // 2
            values = self.copy(xp.partition(x, k, axis=dim)[(*(slice(None),) * dim, slice(k, k + 1))])
        same = x == values
        rank = k - (x < values).sum(dim, keepdims=True) + 1
        places = (xp.cumsum(same, axis=dim) == rank).argmax(dim, keepdims=True)
        if some:  # a NaN is the median: the first one, without any other value if they are skipped
            lost = nan.all(dim, keepdims=True) if skip_nan else nan.any(dim, keepdims=True)
            places = xp.where(lost, nan.argmax(dim, keepdims=True), places)
            values = xp.where(lost, self.scalar(float("nan"), x.dtype), values)
        return (values, places) if keepdim else (values.squeeze(dim), places.squeeze(dim))

    def _no_median(self: Any, dtype: Any) -> Array:
        """NaN, or what PyTorch's conversion makes of it."""
        value = float("nan") if dtype.kind not in "iu" else np.iinfo(dtype).min if dtype.itemsize > 2 else 0
        return self.full((), value, dtype)

    def median_all(self: Any, x: Array, dim: None, keepdim: bool, skip_nan: bool) -> Array:
        if x.size == 0:
            return self._no_median(x.dtype)
        return self.median(x.reshape(-1), 0, False, skip_nan)[0]

    def mode_dim(self: Any, x: Array, dim: int, keepdim: bool) -> tuple[Array, Array]:
        """The smallest of the most frequent values and the last place where it is."""
        xp = self.xp
        order = self._order(x, dim)
        y = xp.take_along_axis(x, order, dim)
        before = (slice(None),) * dim
        fresh = xp.ones(x.shape, bool)
        fresh[(*before, slice(1, None))] = y[(*before, slice(1, None))] != y[(*before, slice(None, -1))]
        places = self._places(x, dim)
        run = places - self._running(xp.maximum, xp.where(fresh, places, 0), dim)
        best = run.argmax(dim, keepdims=True)
        values, index = xp.take_along_axis(y, best, dim), xp.take_along_axis(order, best, dim)
        return (values, index) if keepdim else (values.squeeze(dim), index.squeeze(dim))

    # ---- sets and histograms ----------------------------------------------------------------------------------
    def unique(self: Any, x: Array, dim: int | None, consecutive: bool, inverse: bool) -> tuple[Array, Any, Array]:
        """(the values, or slices along dim; which of them each element is, None unless `inverse`; their counts)."""
        xp = self.xp
        width = prod(m for i, m in enumerate(x.shape) if i != dim)
        rows = x.reshape(-1) if dim is None else xp.moveaxis(x, dim, 0).reshape(x.shape[dim], width)
        n = len(rows)
        order = None
        if not consecutive:
            if dim is not None:
                keys = rows.T[::-1]
                order = xp.lexsort(keys.astype(np.float32) if is_half(x) else keys)
            elif inverse or is_half(x):
                order = self._order(rows, 0)
            rows = xp.sort(rows) if order is None else rows[order]
        fresh = xp.ones(n, bool)
        if n:
            differs = rows[1:] != rows[:-1]
            fresh[1:] = differs if dim is None else differs.any(1)
        starts = xp.nonzero(fresh)[0]
        counts = xp.diff(xp.concatenate([starts, xp.full(1, n, starts.dtype)]))
        where = None
        if inverse:
            where = xp.cumsum(fresh) - 1
            if order is not None:
                group, where = where, xp.empty(n, np.int64)
                where[order] = group
        values = rows[starts]
        if dim is None:
            return values, None if where is None else where.reshape(x.shape), counts
        values = values.reshape(len(starts), *(m for i, m in enumerate(x.shape) if i != dim))
        return xp.moveaxis(values, 0, dim), where, counts

    def bincount(self: Any, x: Array, weights: Array | None, minlength: int) -> Array:
        n = max(int(x.max()) + 1 if x.size else 0, minlength)
        if not x.size:
            return self.zeros((n,), np.int64 if weights is None else weights.dtype)
        counts = self.counts(x, weights, n)
        return counts if weights is None else counts.astype(weights.dtype)

    def linear_bins(self: Any, x: Array, lo: float, hi: float, bins: int) -> Array:
        """The bin of each element of x among `bins` equal ones from lo to hi, the last one closed; -1 outside."""
        inside = (x >= self.scalar(lo, x.dtype)) & (x <= self.scalar(hi, x.dtype))
        place = (x - self.scalar(lo, x.dtype)) * self.scalar(bins, x.dtype) / self.scalar(hi - lo, x.dtype)
        place = self.xp.where(inside, place, self.scalar(0, x.dtype)).astype(np.int64)
        return self.xp.where(inside, self.xp.minimum(place, bins - 1), -1)

    def edge_bins(self: Any, x: Array, edges: Array) -> Array:
        """The bin of each element of x between rising edges, the last one closed; -1 outside."""
        inside = (x >= edges[0]) & (x <= edges[-1])
        place = self.xp.searchsorted(edges, self.contiguous(x), side="right") - 1
        return self.xp.where(inside, self.xp.minimum(place, len(edges) - 2), -1)

    def histogram(self: Any, bins: list[Array], sizes: tuple[int, ...], weights: Array | None, dtype: Any) -> Array:
        """How many elements (or how much of `weights`) fall into each cell; bins has one index array per dimension."""
        flat, inside = bins[0] * 0, bins[0] >= 0
        for place, n in zip(bins, sizes, strict=True):
            flat = flat * n + place
            inside = inside & (place >= 0)
        total = int(np.prod(sizes))
        if not flat.size:
            return self.zeros(sizes, dtype)
        flat = self.xp.where(inside, flat, total)  # one more bin, for what lies outside
        counts = self.counts(flat.reshape(-1), None if weights is None else weights.reshape(-1), total + 1)[:total]
        return counts.astype(dtype).reshape(sizes)

    def counts(self: Any, x: Array, weights: Array | None, n: int) -> Array:
        """How often each of 0 ... n - 1 is in x (1-D, of no others), or the sums of their weights in float64."""
        return self.xp.bincount(x, weights, n)
