"""Kernels about memory itself: who owns it, strided views of it, and number ranges."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = Any


class StorageKernels:
    """Mixed into Backend."""

    xp: Any

    def owner(self, x: Array) -> Array:
        """The array whose memory `x` looks into."""
        while x.base is not None and x.base.__class__ is x.__class__:
            x = x.base
        return x

    def alone(self, x: Array) -> bool:
        """Whether a view is all that is left of its memory, so that it may be kept instead of a copy."""
        return False

    def is_dense(self, x: Array) -> bool:
        """Whether an array fills its memory without gaps or overlaps, in some order of its axes."""
        return bool(x.transpose(np.argsort([-s for s in x.strides], kind="stable").tolist()).flags.c_contiguous)

    def bytes_of(self, x: Array) -> Array:
        """The memory of a dense array as bytes, in memory order: a view."""
        order = np.argsort([-s for s in x.strides], kind="stable").tolist()
        return x.transpose(order).reshape(-1).view(np.uint8)

    def strided_view(
        self, flat: Array, shape: tuple[int, ...], strides: tuple[int, ...], offset: int, dtype: Any
    ) -> Array:
        """An array over the bytes `flat`; strides and offset in bytes."""
        return np.ndarray(shape, dtype, flat, offset, strides)

    def linspace(self, start: Any, end: Any, steps: int, dtype: Any) -> Array:
        """Steps from both ends, as PyTorch computes them: float32 with one rounding, 16-bit floats with one per op."""
        xp, kind = self.xp, np.dtype(dtype)
        if kind.kind in "iu":
            kind = np.dtype(np.float64)
        if steps == 1:
            return xp.full((1,), start, kind).astype(dtype)
        one = kind.type
        first, last = one(start), one(end)
        step = (last - first) / one(max(steps - 1, 1))
        i = xp.arange(steps).astype(kind)
        if kind == np.float32:
            i, first, last, step = i.astype(np.float64), float(first), float(last), float(step)
        half = steps // 2
        out = xp.empty((steps,), kind)
        out[:half] = first + step * i[:half]
        out[half:] = last - step * i[: steps - half][::-1]
        return out if kind == dtype else out.astype(dtype)

    def logspace(self, start: Any, end: Any, steps: int, base: float, dtype: Any) -> Array:
        """base ** linspace; integers and 16-bit floats compute wider."""
        kind = np.dtype(dtype)
        wide = np.dtype(np.float64) if kind.kind in "iu" else np.dtype(np.float32) if kind.itemsize == 2 else kind
        return self.xp.power(wide.type(base), self.linspace(start, end, steps, wide)).astype(dtype)

    def frombuffer(self, buffer: Any, dtype: Any, count: int, offset: int) -> Array:
        """A NumPy array over a Python buffer; the front has checked the lengths."""
        return np.frombuffer(buffer, dtype, count, offset)
