"""Kernels that take or give indices: gather, scatter, index writes, sorting, strided windows into memory."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

Array = Any
Geometry = tuple[tuple[int, ...], int]  # strides and storage offset, in elements

ALL = slice(None)
MANY = 1 << 12  # places from which their numbers in the flat array are worth making
REDUCERS = {"sum": "add", "mean": "add", "prod": "multiply", "amax": "maximum", "amin": "minimum"}


def span(shape: tuple[int, ...], strides: tuple[int, ...]) -> int:
    """How many elements of memory a layout reaches over."""
    return 0 if 0 in shape else 1 + sum((n - 1) * s for n, s in zip(shape, strides, strict=True))


def overlapping(shape: tuple[int, ...], strides: tuple[int, ...]) -> bool:
    """Whether two elements of a layout may share memory."""
    reach = 1
    for s, n in sorted((s, n) for n, s in zip(shape, strides, strict=True) if n != 1):
        if s < reach:
            return True
        reach += (n - 1) * s
    return False


def _spread(index: tuple[Any, ...]) -> list[Any]:
    """An index with one item per dimension: a mask stands for as many as it has."""
    return [i for i in index for _ in range(i.ndim if i.__class__ is not slice and i.dtype.kind == "b" else 1)]


class IndexKernels:
    """Mixed into Backend."""

    xp: Any

    # ---- memory behind arrays ---------------------------------------------------------------------------------
    def storage(self, x: Array) -> Array:
        """The whole memory block that `x` lies in, as bytes."""
        owner, base = x, x.base
        while base is not None:
            if isinstance(base, self.xp.ndarray):
                owner = base
            base = getattr(base, "base", None)  # NumPy puts an object of its own between as_strided and its array
        size = owner.dtype.itemsize
        n = span(owner.shape, tuple(s // size for s in owner.strides))
        return self.xp.lib.stride_tricks.as_strided(owner, (n,), (size,)).view("uint8")

    def _restride(self, x: Array, shape: tuple[int, ...], strides: tuple[int, ...]) -> Array:
        """Another layout (strides in bytes) from the first element of `x` on."""
        return self.xp.lib.stride_tricks.as_strided(x, shape, strides)

    def _strided(self, flat: Array, start: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> Array:
        """A window into the 1-D array `flat`."""
        item = flat.dtype.itemsize
        return self._restride(flat[start:], shape, tuple([s * item for s in strides]))

    def _laid_out(self, shape: Any, size: Any, stride: Any, offset: int, geometry: Geometry, dtype: Any) -> Any:
        """Zeroed memory for an array of `shape` in `geometry` and for the window into it; where each of both starts."""
        strides, first = geometry
        low = min(first, offset)
        high = max(first + span(shape, strides), offset + span(size, stride))
        return self.xp.zeros((max(high - low, 0),), dtype), first - low, offset - low

    def as_strided(self, x: Array, size: Any, stride: Any, offset: int, geometry: Geometry) -> Array:
        """The window (size, stride, offset) into the memory of a tensor with `geometry` whose elements are those of x."""
        strides, first = geometry
        item = x.dtype.itemsize
        if all(n == 1 or s == t * item for n, s, t in zip(x.shape, x.strides, strides, strict=True)):
            memory = self.storage(x)
            start = self.data_ptr(x) - self.data_ptr(memory) + (offset - first) * item  # type: ignore[attr-defined]
            if 0 in size:
                return self.xp.empty(size, x.dtype)
            if start >= 0 and start + span(size, stride) * item <= memory.size:
                flat = memory[start : start + span(size, stride) * item].view(x.dtype)
                return self._strided(flat, 0, size, stride)
        flat, here, there = self._laid_out(x.shape, size, stride, offset, geometry, x.dtype)
        self._strided(flat, here, x.shape, strides)[...] = x
        return self._strided(flat, there, size, stride)

    def as_strided_backward(
        self, g: Array, shape: Any, size: Any, stride: Any, offset: int, geometry: Geometry
    ) -> Array:
        """Gradients of elements that share memory add up; an input that overlaps itself gets the mean."""
        flat, here, there = self._laid_out(shape, size, stride, offset, geometry, g.dtype)
        if overlapping(size, stride):
            places = self.xp.arange(len(flat))
            self._at("add", flat, self._strided(places, there, size, stride).ravel(), g.ravel())
        else:
            self._strided(flat, there, size, stride)[...] = g
        out = self._strided(flat, here, shape, geometry[0])
        if overlapping(shape, geometry[0]):
            places = self._strided(self.xp.arange(len(flat)), here, shape, geometry[0])
            count = self.xp.zeros(flat.shape, g.dtype)
            self._at("add", count, places.ravel(), self.xp.ones(out.size, g.dtype))
            return out / self._strided(count, here, shape, geometry[0])
        return self.contiguous(out)  # type: ignore[attr-defined, no-any-return]

    def unfold(self, x: Array, dim: int, size: int, step: int) -> Array:
        """Windows along `dim` as a last dimension, sharing memory."""
        if x.ndim == 0:
            return self._restride(x, (size,), (x.dtype.itemsize,))
        shape = list(x.shape)
        shape[dim] = (shape[dim] - size) // step + 1
        strides = list(x.strides)
        inner = strides[dim]
        strides[dim] *= step
        return self._restride(x, (*shape, size), (*strides, inner))

    def unfold_backward(self, g: Array, shape: tuple[int, ...], dim: int, size: int, step: int) -> Array:
        out = self.xp.zeros(shape, g.dtype)
        if not shape:
            return self.sum(g, None, False) if size else out  # type: ignore[attr-defined]
        windows = g.shape[dim]
        before = (slice(None),) * dim
        if windows < size:
            for i in range(windows):
                out[(*before, slice(i * step, i * step + size))] += self.xp.moveaxis(g[(*before, i)], -1, dim)
        else:
            for i in range(size):
                out[(*before, slice(i, i + (windows - 1) * step + 1, step))] += g[..., i]
        return out

    def diagonal(self, x: Array, offset: int, dim1: int, dim2: int) -> Array:
        """The diagonal as a last dimension, sharing memory."""
        shape = [n for i, n in enumerate(x.shape) if i not in (dim1, dim2)]
        strides = [s for i, s in enumerate(x.strides) if i not in (dim1, dim2)]
        n, m = x.shape[dim1], x.shape[dim2]
        length = max(min(n, m - offset) if offset >= 0 else min(n + offset, m), 0)
        if length:
            index: list[Any] = [slice(None)] * x.ndim
            index[dim2 if offset >= 0 else dim1] = slice(abs(offset), None)
            x = x[tuple(index)]
        step = x.strides[dim1] + x.strides[dim2] if x.size else x.dtype.itemsize
        return self._restride(x, (*shape, length), (*strides, step))

    def diagonal_backward(self, g: Array, shape: tuple[int, ...], offset: int, dim1: int, dim2: int) -> Array:
        """`g` on the diagonal of zeros."""
        out = self.xp.zeros(shape, g.dtype)
        self.diagonal(out, offset, dim1, dim2)[...] = g
        return out

    def view_dtype(self, x: Array, dtype: Any) -> Array:
        return x.view(dtype)

    def view_scatter(self, x: Array, src: Array, chain: tuple[Any, ...], order: tuple[int, ...]) -> Array:
        """`x` with the region that `chain` views replaced by `src`; memory in the axis order `order`."""
        if chain[0][0] == "as_strided":  # refers to the memory of the base: give the result the same
            size, stride, offset, geometry = chain[0][1]
            flat, here, _ = self._laid_out(x.shape, size, stride, offset, geometry, x.dtype)
            out = self._strided(flat, here, x.shape, geometry[0])
        else:
            out = self.empty_ordered(x.shape, x.dtype, order)
        out[...] = x
        self.view_replay(out, chain)[...] = src  # type: ignore[attr-defined]
        return out

    def empty_ordered(self, shape: tuple[int, ...], dtype: Any, order: tuple[int, ...]) -> Array:
        """Uninitialised, with the axes in memory from outermost to innermost as `order` says."""
        out = self.empty(tuple(shape[i] for i in order), dtype)  # type: ignore[attr-defined]
        return out.transpose(np.argsort(order).tolist())

    def clone(self, x: Array, order: tuple[int, ...] | None) -> Array:
        """A copy in an axis order (None: C)."""
        if order is None:
            return self.copy(x)  # type: ignore[attr-defined, no-any-return]
        out = self.empty_ordered(x.shape, x.dtype, order)
        out[...] = x
        return out

    def roll(self, x: Array, shifts: tuple[int, ...], dims: tuple[int, ...]) -> Array:
        return self.contiguous(self.xp.roll(x, shifts, dims))  # type: ignore[attr-defined, no-any-return]

    def tril(self, x: Array, diagonal: int) -> Array:
        return self.contiguous(self.keep(x, self.xp.tri(*x.shape[-2:], diagonal, bool)))  # type: ignore[attr-defined, no-any-return]

    def triu(self, x: Array, diagonal: int) -> Array:
        below = self.xp.tri(*x.shape[-2:], diagonal - 1, bool)
        return self.contiguous(self.keep(x, ~below))  # type: ignore[attr-defined, no-any-return]

    def triangle_indices(self, lower: bool, rows: int, columns: int, offset: int) -> Array:
        """(2, n) int64: where tril (triu) of a matrix of that size keeps elements, by rows."""
        indices = (self.xp.tril_indices if lower else self.xp.triu_indices)(rows, offset, columns)
        return self.xp.stack(indices).astype("int64")

    # ---- indexing with arrays ---------------------------------------------------------------------------------
    def check_index(self, index: tuple[Any, ...], shape: tuple[int, ...]) -> None:
        """IndexError for an out-of-range integer index, where the library itself would wrap around."""

    def _at(self, ufunc: str, x: Array, index: Array, value: Array) -> None:
        """x[index] = ufunc(x[index], value), one after the other where indices are equal; all are 1-D."""
        if x.dtype.itemsize == 2 and x.dtype.kind not in "iu":
            out = x.astype("float32")
            getattr(self.xp, ufunc).at(out, index, value.astype("float32"))
            x[...] = out.astype(x.dtype)
        else:
            getattr(self.xp, ufunc).at(x, index, value)

    def index(self, x: Array, index: tuple[Any, ...]) -> Array:
        self.check_index(index, x.shape)
        if len(index) == 1 and index[0].__class__ is not slice and index[0].dtype.kind != "b":
            return x.take(index[0], 0)
        arrays = [k for k, i in enumerate(index) if i.__class__ is not slice]
        if (
            len(arrays) == 1
            and index[arrays[0]].dtype.kind != "b"
            and all(i == ALL for i in index if i.__class__ is slice)
        ):
            return x.take(index[arrays[0]], arrays[0])
        return self.contiguous(x[index])  # type: ignore[attr-defined, no-any-return]

    def index_put(self, x: Array, index: tuple[Any, ...], value: Array, accumulate: bool) -> None:
        """Write into `x`; with `accumulate`, equal indices add up."""
        self.check_index(index, x.shape)
        if not accumulate or all(not hasattr(i, "dtype") or i.dtype.kind == "b" for i in index):
            if accumulate:
                value = x[index] + value
            x[index] = value
        else:
            self._add_rows(x, index, value)

    def _by_rows(self, x: Array, index: tuple[Any, ...], value: Array) -> tuple[Array, int, Array, Array]:
        """(a view of x with the indexed dimensions first, their number n, flat places in those, `value` for each place)."""
        x = x[tuple([i if i.__class__ is slice else slice(None) for i in _spread(index)])]
        found: list[Any] = []
        for i in index:  # a mask as the places where it is true
            found += [slice(None)] if i.__class__ is slice else [i] if i.dtype.kind != "b" else self.xp.nonzero(i)
        index = tuple(found)
        axes = [k for k, i in enumerate(index) if i.__class__ is not slice]
        arrays = self.xp.broadcast_arrays(*(index[k] for k in axes))
        shape, n = arrays[0].shape, len(axes)
        ahead = axes if axes == list(range(axes[0], axes[0] + n)) else None  # where the indexed axes go in `value`
        first = axes[0] if ahead else 0
        rest = [m for k, m in enumerate(x.shape) if k not in axes]
        target = self.xp.moveaxis(x, axes, list(range(n)))
        flat: Any = 0
        for i, m in zip(arrays, target.shape, strict=False):
            if not self.asynchronous:  # elsewhere check_index has seen to it
                self.require_range(i, -m, m, IndexError, f"index out of bounds for a dimension of size {m}")
            flat = flat * m + self.xp.where(i < 0, i + m, i)
        value = self.xp.broadcast_to(value, (*rest[:first], *shape, *rest[first:]))
        places = range(first, first + len(shape))
        value = self.xp.moveaxis(value, list(places), list(range(len(shape))))
        return target, n, flat.reshape(-1), value.reshape(prod(shape), *rest)

    def _add_rows(self, x: Array, index: tuple[Any, ...], value: Array) -> None:
        """Add `value` where integer arrays (and slices) point; equal places add up, in order."""
        target, n, flat, value = self._by_rows(x, index, value)
        if not value.size or not x.size:
            return
        if target.ndim == n and target.flags.c_contiguous:
            self._at("add", target.reshape(-1), flat, value)
        else:
            self._add_at_rows(target, n, flat, value)

    def _add_at_rows(self, target: Array, n: int, flat: Array, value: Array) -> None:
        """Add each of `value` to the part of target that `flat` names in its first n dimensions; equal places in order."""
        if target.flags.c_contiguous and target.dtype.itemsize > 2 and not self.asynchronous:
            inner = prod(target.shape[n:])
            if self._add_by_turns(target.reshape(-1, inner), flat, value.reshape(-1, inner)):
                return
            step, out, inside = max(1, (1 << 16) // inner), target.reshape(-1), self.xp.arange(inner)
            for i in range(0, len(flat), step):  # faster than a sort; places of some rows at a time
                places = flat[i : i + step, None] * inner + inside
                self._at("add", out, places.reshape(-1), value[i : i + step].reshape(-1))
            return
        order = self.xp.argsort(flat, kind="stable")
        rows = flat[order]
        starts = self.xp.flatnonzero(self.xp.concatenate([self.xp.ones(1, bool), rows[1:] != rows[:-1]]))
        sums = self._sum_runs(value[order], starts)
        rows = rows[starts]
        where = rows if n == 1 else self.xp.unravel_index(rows, target.shape[:n])
        target[where] = (target[where].astype(sums.dtype) + sums).astype(target.dtype)

    def _add_by_turns(self, out: Array, places: Array, rows: Array) -> bool:
        """Add rows to those of `out` at places, equal ones in order; False where that is not done."""
        return False

    def _sum_runs(self, x: Array, starts: Array) -> Array:
        """Sums of runs of rows, each from one of `starts` to the next, in the dtype of x; of 16-bit floats in float32."""
        if x.dtype.itemsize == 2 and x.dtype.kind not in "iu":
            return self._sum_runs(x.astype("float32"), starts)
        return self.xp.add.reduceat(x, starts, axis=0, dtype=x.dtype)

    def index_backward(self, g: Array, shape: tuple[int, ...], index: tuple[Any, ...]) -> Array:
        out = self.xp.zeros(shape, g.dtype)
        self.index_put(out, index, g, True)
        return out

    def index_put_copy(self, x: Array, v: Array, index: tuple[Any, ...], accumulate: bool) -> Array:
        out = self.copy(x)  # type: ignore[attr-defined]
        self.index_put(out, index, v, accumulate)
        return out  # type: ignore[no-any-return]

    def scatter_copy(self, x: Array, src: Array, index: Array, dim: int, add: bool) -> Array:
        out = self.copy(x)  # type: ignore[attr-defined]
        (self.scatter_add if add else self.scatter)(out, dim, index, src)
        return out  # type: ignore[no-any-return]

    def _along(self, index: Array, dim: int) -> tuple[Any, ...]:
        last = index.ndim - 1
        return tuple(
            [
                index
                if k == dim
                else self.xp.arange(n).reshape((n,) + (1,) * (last - k))
                if k < last
                else self.xp.arange(n)
                for k, n in enumerate(index.shape)
            ]
        )

    def _flat_along(self, index: Array, dim: int, shape: tuple[int, ...]) -> Array:
        """Positions in the flattened array of `shape` that `index` names along `dim`, 1-D."""
        flat: Any = 0
        for i, n in zip(self._along(index, dim), shape, strict=True):
            flat = flat * n + i
        return self.xp.broadcast_to(flat, index.shape).ravel()

    def _named(self, x: Array, dim: int, index: Array) -> tuple[Array, Any]:
        """(a view of x, its elements that `index` names along `dim`): of many those of the flat array, which takes half the time."""
        if index.size >= MANY and x.flags.c_contiguous and not self.asynchronous:
            return x.reshape(-1), self._flat_along(index, dim, x.shape).reshape(index.shape)
        return x, self._along(index, dim)

    def gather_(self, x: Array, dim: int, index: Array) -> Array:
        self.check_index((*(slice(None),) * dim, index), x.shape)
        x, places = self._named(x, dim, index)
        return self.contiguous(x[places])  # type: ignore[attr-defined, no-any-return]

    def gather_backward(self, g: Array, shape: tuple[int, ...], dim: int, index: Array) -> Array:
        out = self.xp.zeros(shape, g.dtype)
        self.scatter_add(out, dim, index, g)
        return out

    def take_along(self, x: Array, index: Array, dim: int) -> Array:
        return self.gather_(x, dim, index)

    def add_along(self, g: Array, index: Array, shape: tuple[int, ...], dim: int) -> Array:
        """Zeros of `shape` with `g` added where `index` points along `dim`: the adjoint of take_along."""
        return self.gather_backward(g, shape, dim, index)

    def scatter(self, x: Array, dim: int, index: Array, src: Array) -> None:
        x, places = self._named(x, dim, index)
        x[places] = src

    def scatter_add(self, x: Array, dim: int, index: Array, src: Array) -> None:
        self._scatter_at("add", x, dim, index, src)

    def _scatter_at(self, ufunc: str, x: Array, dim: int, index: Array, src: Array) -> None:
        """Combine `src` into x in place."""
        out = self.contiguous(x)  # type: ignore[attr-defined]
        flat = out.reshape(-1)
        self._at(ufunc, flat, self._flat_along(index, dim, x.shape), self.xp.broadcast_to(src, index.shape).ravel())
        if out is not x:
            x[...] = out

    def scatter_reduce(self, x: Array, src: Array, index: Array, dim: int, reduce: str, include_self: bool) -> Array:
        """`x` combined with `src` where `index` points along `dim`; sum, prod, mean, amax or amin."""
        if x.dtype.itemsize == 2 and x.dtype.kind not in "iu":
            wide = self.scatter_reduce(x.astype("float32"), src.astype("float32"), index, dim, reduce, include_self)
            return self.cast(wide, x.dtype)  # type: ignore[attr-defined, no-any-return]
        out = self.copy(x)  # type: ignore[attr-defined]
        if not include_self:
            kind = x.dtype.kind
            if reduce in ("amax", "amin"):
                low = reduce == "amax"
                if kind == "b":
                    start: Any = not low
                elif kind in "iu":
                    info = self.xp.iinfo(x.dtype)
                    start = info.min if low else info.max
                else:
                    start = -self.xp.inf if low else self.xp.inf
            else:
                start = 1 if reduce == "prod" else 0
            out[self._along(index, dim)] = start
        self._scatter_at(REDUCERS[reduce], out, dim, index, src)
        if reduce == "mean":
            count = self.xp.full(x.shape, 1 if include_self else 0, "int64")
            self._scatter_at("add", count, dim, index, self.xp.ones(index.shape, "int64"))
            count = self.xp.maximum(count, 1).astype(x.dtype)
            out = self.xp.floor_divide(out, count) if x.dtype.kind in "iu" else self.xp.true_divide(out, count)
        return out  # type: ignore[no-any-return]

    def nonzero(self, x: Array) -> Array:
        """(n, ndim) int64, laid out by columns."""
        return self.xp.stack(self.xp.nonzero(x)).T if x.ndim else self.xp.zeros((int(x != 0), 0), "int64")

    # ---- order ------------------------------------------------------------------------------------------------
    def argsort(self, x: Array, dim: int, descending: bool) -> Array:
        """Stable; NaN counts as largest."""
        if x.dtype.itemsize == 2 and x.dtype.kind not in "iu":
            x = x.astype("float32")
        if not descending:
            return self.contiguous(self.xp.argsort(x, axis=dim, kind="stable"))  # type: ignore[attr-defined, no-any-return]
        n = x.shape[dim] - 1  # stable from the back: reverse, sort, reverse, and count from the other end
        flipped = self.xp.argsort(self.xp.flip(x, dim), axis=dim, kind="stable")
        return self.contiguous(n - self.xp.flip(flipped, dim))  # type: ignore[attr-defined, no-any-return]

    def argselect(self, x: Array, k: int, dim: int, largest: bool) -> Array:
        """Where the k largest (smallest) elements along `dim` are, in order; NaN counts as largest."""
        n = x.shape[dim]
        if x.dtype.itemsize == 2 and x.dtype.kind not in "iu":
            x = x.astype("float32")
        before = (slice(None),) * dim
        if k == 0 or n < 64 or k > n // 4:
            return self.contiguous(self.argsort(x, dim, largest)[(*before, slice(0, k))])  # type: ignore[attr-defined, no-any-return]
        found = self.xp.argpartition(x, n - k if largest else k - 1, axis=dim)
        found = self.xp.sort(found[(*before, slice(n - k, n) if largest else slice(0, k))], axis=dim)
        order = self.argsort(self.xp.take_along_axis(x, found, dim), dim, largest)
        return self.contiguous(self.xp.take_along_axis(found, order, dim))  # type: ignore[attr-defined, no-any-return]

    def searchsorted(self, boundaries: Array, values: Array, right: bool) -> Array:
        """Where values would go into the sorted last axis of boundaries (1-D, or with the leading axes of values)."""
        n = boundaries.shape[-1]
        if values.size == 0 or n == 0:
            return self.xp.zeros(values.shape, "int64")
        if boundaries.dtype.itemsize == 2 and boundaries.dtype.kind not in "iu":
            boundaries, values = boundaries.astype("float32"), values.astype("float32")
        if boundaries.ndim == 1 and bool(boundaries[-1] == boundaries[-1]):
            return self.xp.searchsorted(boundaries, values, "right" if right else "left").astype("int64")
        rows = boundaries.reshape(-1, n)
        wanted = values.reshape(len(rows), -1)
        low = self.xp.zeros(wanted.shape, "int64")
        high = self.xp.full(wanted.shape, n, "int64")
        for _ in range(n.bit_length()):
            middle = (low + high) // 2
            found = self.xp.take_along_axis(rows, self.xp.minimum(middle, n - 1), 1)
            above = self.xp.logical_not((found > wanted) if right else (found >= wanted))
            inside = low < high
            low = self.xp.where(inside & above, middle + 1, low)
            high = self.xp.where(inside & ~above, middle, high)
        return low.reshape(values.shape)

    def isin(self, x: Array, values: Array) -> Array:
        if x.dtype.itemsize == 2 and x.dtype.kind not in "iu":
            x, values = x.astype("float32"), values.astype("float32")
        return self.xp.isin(x, values)
