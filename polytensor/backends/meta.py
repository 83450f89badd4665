"""Tensors without data (device 'meta'): shapes, dtypes and strides only.

An array is memory that the system has promised and that nobody writes to, so it takes none; its elements read as zeros.
Creation, random numbers, copies, elementwise functions and products leave it at that. Other kernels are NumPy's: they run
on the zeros for the sake of the result's shape, which takes the time and memory that they take anyway.
"""

from __future__ import annotations

import mmap
import os
from math import prod
from typing import Any

import numpy as np

from .conv import out_size
from .numpy import NumpyBackend

ADDRESSES = 2**42  # bytes
NO_DATA = "Cannot copy out of meta tensor; no data!"


def zeros(shape: Any, dtype: Any) -> Any:
    """Memory that is not there yet; where the system promises no such amount, addresses that can only be read.

    Beyond ADDRESSES one element stands for all, and the strides are 0.
    """
    try:
        return np.zeros(shape, dtype)
    except MemoryError:
        size = prod((shape,) if isinstance(shape, int) else shape) * np.dtype(dtype).itemsize
        if size > ADDRESSES or os.name != "posix":
            return np.broadcast_to(np.zeros((), dtype), shape)
        memory = mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, mmap.PROT_READ)
        return np.frombuffer(memory, np.uint8).view(dtype).reshape(shape)


def like(a: Any, dtype: Any = None) -> Any:
    """An array whose axes lie in memory in the order of a's."""
    order = sorted(range(a.ndim), key=lambda d: -abs(a.strides[d]))
    back = sorted(range(a.ndim), key=order.__getitem__)
    return zeros([a.shape[d] for d in order], dtype or a.dtype).transpose(back)


def shape_only(ufunc: Any) -> Any:
    """A ufunc that computes nothing."""

    def kernel(*xs: Any, out: Any = None, dtype: Any = None) -> Any:
        if out is not None:
            return out[0] if isinstance(out, tuple) else out
        kinds = tuple(x.dtype if hasattr(x, "dtype") else type(x) for x in xs)
        try:
            found = ufunc.resolve_dtypes((*kinds, None))[-1] if dtype is None else dtype
        except TypeError:  # a dtype that NumPy does not know of
            return ufunc(*xs)
        shaped = [x for x in xs if hasattr(x, "shape")]
        shape = np.broadcast_shapes(*(x.shape for x in shaped))
        return like(shaped[0], found) if len(shaped) == 1 else zeros(shape, found)

    return kernel


def drawn(shape_at: int) -> Any:
    """A kernel (seed, counter, shape, dtype, ...) of random numbers."""

    def kernel(self: Any, *args: Any, **kwargs: Any) -> Any:
        return zeros(args[shape_at], args[shape_at + 1])

    return kernel


class MetaBackend(NumpyBackend):
    """See the module."""

    name = device_type = "meta"

    def __init__(self) -> None:
        super().__init__()
        for name, kernel in vars(self).items():
            if isinstance(kernel, np.ufunc):
                setattr(self, name, shape_only(kernel))

    # ---- creation ---------------------------------------------------------------------------------------------------
    def empty(self, shape: Any, dtype: Any) -> Any:
        return zeros(shape, dtype)

    def zeros(self, shape: Any, dtype: Any) -> Any:
        return zeros(shape, dtype)

    def full(self, shape: Any, value: Any, dtype: Any) -> Any:
        return zeros(shape, dtype)

    def arange(self, n: int, start: Any, step: Any, dtype: Any) -> Any:
        return zeros((max(n, 0),), dtype)

    def eye(self, n: int, m: int, dtype: Any) -> Any:
        return zeros((n, m), dtype)

    def linspace(self, start: Any, end: Any, steps: int, dtype: Any) -> Any:
        return zeros((steps,), dtype)

    def logspace(self, start: Any, end: Any, steps: int, base: float, dtype: Any) -> Any:
        return zeros((steps,), dtype)

    uniform = normal = randint = exponential = cauchy = log_normal = geometric = drawn(2)

    def randperm(self, seed: int, counter: int, n: int) -> Any:
        return zeros((n,), np.int64)

    def bernoulli(self, seed: int, counter: int, shape: Any, p: Any) -> Any:
        return zeros(shape, np.bool_)

    def random_words(self, seed: int, counter: int, nblocks: int) -> Any:
        return zeros((4 * nblocks,), np.uint64)

    # ---- copies and writes ------------------------------------------------------------------------------------------
    def take(self, a: Any, source: Any, non_blocking: bool = False) -> Any:
        return like(a)

    def from_numpy(self, a: Any) -> Any:
        return like(np.asarray(a))

    def copy(self, a: Any) -> Any:
        return zeros(a.shape, a.dtype)

    def copy_like(self, a: Any) -> Any:
        return like(a)

    def cast(self, x: Any, dtype: Any) -> Any:
        return like(x, dtype)

    def write(self, x: Any, value: Any) -> None:
        np.broadcast_to(value, x.shape)

    def shares_part(self, x: Any, y: Any) -> bool:
        return False  # there is no memory

    def iadd(self, x: Any, value: Any) -> None:
        pass

    def fill(self, x: Any, value: Any) -> Any:
        return like(x)

    def overwrite(self, x: Any, y: Any) -> Any:
        return zeros(x.shape, x.dtype)

    def relu(self, x: Any) -> Any:
        return like(x)

    sigmoid = square = rsqrt = reciprocal = relu

    # ---- products ---------------------------------------------------------------------------------------------------
    def matmul(self, a: Any, b: Any) -> Any:
        rows, columns = a.shape[-2:-1], b.shape[-1:] if b.ndim > 1 else ()
        if a.shape[-1] != b.shape[-2 if b.ndim > 1 else 0]:
            return np.matmul(a, b)  # the error
        batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
        return zeros((*batch, *rows, *columns), a.dtype)

    bmm = mv = dot = matmul

    def addmm(self, b: Any, x: Any, y: Any, beta: Any = 1, alpha: Any = 1) -> Any:
        return self.matmul(x, y)

    def linear(self, x: Any, w: Any, b: Any) -> Any:
        return self.matmul(x, w.T)

    def sum(self, x: Any, dim: Any, keepdim: bool) -> Any:
        dims = {d % x.ndim for d in (range(x.ndim) if dim is None else (dim,) if isinstance(dim, int) else dim)}
        if not keepdim:
            return zeros([n for d, n in enumerate(x.shape) if d not in dims], x.dtype)
        return zeros([1 if d in dims else n for d, n in enumerate(x.shape)], x.dtype)

    mean = amax = amin = max_all = min_all = sum

    def convnd(self, x: Any, w: Any, b: Any, stride: Any, padding: Any, dilation: Any, groups: int) -> Any:
        sizes = zip(x.shape[2:], w.shape[2:], stride, padding, dilation, strict=True)
        return zeros((x.shape[0], w.shape[0], *(out_size(*a) for a in sizes)), x.dtype)

    conv2d = convnd

    def max_pool2d(self, x: Any, kernel: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool) -> Any:
        sizes = zip(x.shape[2:], kernel, stride, padding, dilation, (ceil_mode,) * 2, strict=True)
        shape = (*x.shape[:2], *(out_size(*a) for a in sizes))
        return zeros(shape, x.dtype), zeros(shape, np.int64)

    # ---- what needs data --------------------------------------------------------------------------------------------
    def item(self, x: Any) -> Any:
        raise RuntimeError("Tensor.item() cannot be called on meta tensors")

    def to_host(self, a: Any, non_blocking: bool = False) -> Any:
        raise NotImplementedError(NO_DATA)

    def to_numpy(self, a: Any) -> Any:
        raise NotImplementedError(NO_DATA)

    def tolist(self, x: Any) -> Any:
        raise NotImplementedError(NO_DATA)

    def nonzero(self, x: Any) -> Any:
        raise NotImplementedError("nonzero of a meta tensor: the size of the result depends on data that is not there")

    def unique(self, *args: Any) -> Any:
        raise NotImplementedError("unique of a meta tensor: the size of the result depends on data that is not there")

    def index(self, x: Any, index: Any) -> Any:
        if any(getattr(i, "dtype", None) == np.bool_ for i in index):
            raise NotImplementedError(
                "a mask of a meta tensor: the size of the result depends on data that is not there"
            )
        return super().index(x, index)

    def index_put(self, x: Any, index: Any, value: Any, accumulate: bool) -> None:
        pass

    def require(self, good: Any, error: type[Exception], text: str) -> None:
        pass

    def require_range(self, index: Any, low: int, high: int, error: type[Exception], text: str) -> None:
        pass

    def may_hold(self, mask: Any) -> bool:
        return True

    def data_ptr(self, x: Any) -> int:
        return 0

    def memory_info(self) -> dict[str, int]:
        return {"free": 0, "total": 0}
