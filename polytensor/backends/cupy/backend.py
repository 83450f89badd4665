"""CupyBackend: `base` over CuPy, with kernels of our own for the random stream and pooling."""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np

from ..base import Backend
from ..conv import Pair, out_size
from ..indexing import span
from . import kernels

HINT = "pip install 'polytensor[cuda12]' (CUDA 12) or 'polytensor[cuda13]' (CUDA 13)"


class CupyBackend(Backend):
    """CUDA through CuPy; see Backend for the contract."""

    name = "cupy"
    device_type = "cuda"

    @classmethod
    def availability(cls) -> tuple[bool, str, str]:
        try:
            import cupy
        except ImportError as error:
            return False, f"CuPy is not installed ({error})", HINT
        if not cupy.cuda.is_available():
            return (
                False,
                "CuPy is installed, but no CUDA device or driver is usable",
                "an NVIDIA driver and GPU are needed",
            )
        return True, "", ""

    def __init__(self) -> None:
        import cupy

        self.xp = cupy
        super().__init__()
        self._philox = cupy.RawKernel(kernels.PHILOX, "philox4x64")
        self._pools: dict[str, Any] = {}
        self._roots: dict[int, tuple[Any, Any]] = {}

    # ---- memory and devices -------------------------------------------------------------------------------------------
    def to_numpy(self, a: Any) -> Any:
        return self.xp.asnumpy(a)

    def from_numpy(self, a: Any) -> Any:
        return self.xp.asarray(a)

    def synchronize(self) -> None:
        self.xp.cuda.get_current_stream().synchronize()

    def memory_info(self) -> dict[str, int]:
        free, total = self.xp.cuda.runtime.memGetInfo()
        return {"free": free, "total": total}

    def device_count(self) -> int:
        return int(self.xp.cuda.runtime.getDeviceCount())

    def current_index(self) -> int:
        return int(self.xp.cuda.runtime.getDevice())

    def device_name(self) -> str:
        return str(self.xp.cuda.runtime.getDeviceProperties(self.current_index())["name"].decode())

    def empty_cache(self) -> None:
        self.xp.get_default_memory_pool().free_all_blocks()

    def data_ptr(self, x: Any) -> int:
        return int(x.data.ptr)

    def _restride(self, x: Any, shape: tuple[int, ...], strides: tuple[int, ...]) -> Any:
        out = super()._restride(x, shape, strides)
        # CuPy gives such a view no base: remember whose memory it is for as long as it lives
        key = id(out)
        self._roots[key] = (weakref.ref(out, lambda _: self._roots.pop(key, None)), self.owner(x))
        return out

    def owner(self, x: Any) -> Any:
        while True:
            if x.base is not None:
                x = x.base
            elif id(x) in self._roots:
                x = self._roots[id(x)][1]
            else:
                return x

    def storage(self, x: Any) -> Any:
        owner = self.owner(x)
        size = owner.dtype.itemsize
        n = span(owner.shape, tuple(s // size for s in owner.strides)) * size
        return self.xp.ndarray((n,), np.uint8, memptr=owner.data)

    def strided_view(self, flat: Any, shape: tuple[int, ...], strides: tuple[int, ...], offset: int, dtype: Any) -> Any:
        if 0 in shape:
            return self.xp.empty(shape, dtype)
        nbytes = sum((n - 1) * s for n, s in zip(shape, strides, strict=True)) + np.dtype(dtype).itemsize
        return self._restride(flat.view(np.uint8)[offset : offset + nbytes].view(dtype), shape, strides)

    # ---- kernels ------------------------------------------------------------------------------------------------------
    def special_library(self) -> Any:
        import cupyx.scipy.special

        return cupyx.scipy.special

    def erf(self, x: Any) -> Any:
        return self._by_scipy("erf", x)

    def erfc(self, x: Any) -> Any:
        return self._by_scipy("erfc", x)

    def erfinv(self, x: Any) -> Any:
        return self._by_scipy("erfinv", x)

    def random_words(self, seed: int, counter: int, nblocks: int) -> Any:
        out = self.xp.empty(4 * nblocks, np.uint64)
        if nblocks:
            args = (np.uint64(seed), np.uint64(counter), np.uint64(nblocks), out)
            self._philox((min((nblocks + 255) // 256, 65535),), (256,), args)
        return out

    def max_pool2d(
        self, x: Any, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair, ceil_mode: bool
    ) -> tuple[Any, Any]:
        ctype = {"float32": "float", "float64": "double", "int64": "long long", "int32": "int"}.get(str(x.dtype))
        if ctype is None:
            return super().max_pool2d(x, kernel, stride, padding, dilation, ceil_mode)
        xp = self.xp
        n, c, h, w = x.shape
        oh = out_size(h, kernel[0], stride[0], padding[0], dilation[0], ceil_mode)
        ow = out_size(w, kernel[1], stride[1], padding[1], dilation[1], ceil_mode)
        y = xp.empty((n, c, oh, ow), x.dtype)
        index = xp.empty((n, c, oh, ow), np.int64)
        if ctype not in self._pools:
            name = f"max_pool2d<{ctype}>"
            module = xp.RawModule(code=kernels.MAX_POOL2D, options=("-std=c++17",), name_expressions=(name,))
            self._pools[ctype] = module.get_function(name)
        if y.size:
            sizes = [np.int32(v) for v in (h, w, oh, ow, *kernel, *stride, *padding, *dilation)]
            args = (xp.ascontiguousarray(x), y, index, np.int64(y.size), *sizes)
            self._pools[ctype]((min((y.size + 255) // 256, 65535),), (256,), args)
        return y, index

    def check_index(self, index: tuple[Any, ...], shape: tuple[int, ...]) -> None:
        position = 0
        for i in index:
            if hasattr(i, "dtype") and i.dtype.kind in "iu" and i.size:
                n = shape[position]
                if bool(((i < -n) | (i >= n)).any()):
                    raise IndexError(f"index is out of bounds for dimension {position} with size {n}")
            position += i.ndim if hasattr(i, "dtype") and i.dtype.kind == "b" else 1

    def index_put(self, x: Any, index: tuple[Any, ...], value: Any, accumulate: bool) -> None:
        if not accumulate:
            super().index_put(x, index, value, accumulate)
        elif all(not hasattr(i, "dtype") or i.dtype.kind == "b" for i in index):
            x[index] = x[index] + value
        else:
            self.check_index(index, x.shape)
            self.scatter_add_at(x, index, value)

    def scatter_add_at(self, x: Any, index: Any, value: Any) -> None:
        """x[index] += value, equal indices adding up."""
        import cupyx

        cupyx.scatter_add(x, index, value)

    def _sum_runs(self, x: Any, starts: Any) -> Any:
        # CuPy's reduceat subtracts running sums: NaN and rounding errors of one run would reach all that follow
        run = self.xp.searchsorted(starts, self.xp.arange(len(x)), side="right") - 1
        out = self.xp.zeros((len(starts), *x.shape[1:]), x.dtype)
        self.scatter_add_at(out, (run,), x)
        return out

    def max_pool2d_grad(self, g: Any, index: Any, shape: tuple[int, ...]) -> Any:
        n, c, h, w = shape
        out = self.xp.zeros((n * c * h * w,), g.dtype)
        flat = index.reshape(n * c, index.shape[2] * index.shape[3]) + self.xp.arange(n * c)[:, None] * (h * w)
        self.scatter_add_at(out, flat.ravel(), g.ravel())
        return out.reshape(shape)

    def _reduce_add(self, x: Any, dim: Any, keepdim: bool) -> Any:
        return self.xp.sum(x, axis=dim, keepdims=keepdim)  # CuPy adds in blocks on every axis

    def amax(self, x: Any, dim: Any, keepdim: bool) -> Any:
        return self.xp.amax(x, axis=dim, keepdims=keepdim)

    def amin(self, x: Any, dim: Any, keepdim: bool) -> Any:
        return self.xp.amin(x, axis=dim, keepdims=keepdim)

    def prod(self, x: Any, dim: Any, keepdim: bool) -> Any:
        return self.xp.prod(x, axis=dim, keepdims=keepdim)
