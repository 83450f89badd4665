"""CupyBackend: `base` over CuPy, with NVIDIA's libraries and kernels of our own, a family in each module beside this one."""

from __future__ import annotations

import weakref
from functools import wraps
from sys import getrefcount
from types import ModuleType
from typing import Any

import numpy as np

from ... import dtypes
from .. import MISSING, STORAGE, TABLE
from ..base import FLOAT16, Backend
from ..indexing import span
from .attention import CudaAttentionKernels
from .capture import CaptureKernels
from .conv import CudaConvKernels
from .cudnn import CudnnKernels
from .elementwise import ElementwiseKernels
from .faults import FaultKernels
from .gemm import GemmKernels
from .half import HalfAttention
from .large_attention import LargeAttention
from .layers import LayerKernels
from .moves import MoveKernels
from .placement import Placement
from .pool import PoolKernels
from .reduce import ReduceKernels
from .scatter import ScatterKernels
from .search import SearchKernels

HINT = "pip install 'polytensor[cuda12]' (CUDA 12) or 'polytensor[cuda13]' (CUDA 13)"


def library(cupy: Any) -> Any:
    """CuPy's names, with a `where` that takes bfloat16: CuPy's own would answer with float32."""
    xp, choose, bfloat16 = ModuleType("cupy"), cupy.where, dtypes.bfloat16.array
    xp.__dict__.update(vars(cupy))

    def where(condition: Any, x: Any, y: Any) -> Any:
        if bfloat16 is None or bfloat16 not in (getattr(x, "dtype", None), getattr(y, "dtype", None)):
            return choose(condition, x, y)
        bits = [cupy.asarray(v, bfloat16).view(np.uint16) for v in (x, y)]
        return choose(condition, *bits).view(bfloat16)

    xp.where = where
    return xp


def maker(cupy: Any) -> Any:
    """cupy.empty without what the class does for subclasses, and CuPy for dtypes that it does not know by heart."""
    from cupy._core.core import _ndarray_base

    new, init, kind = _ndarray_base.__new__, _ndarray_base._init, cupy.ndarray
    known = {d.array: d.array.type for d in dtypes.ALL if d.array is not None}

    def empty(shape: Any, dtype: Any = float) -> Any:
        made = new(kind)
        init(made, shape, known.get(dtype, dtype))
        return made

    return empty


class CupyBackend(
    CaptureKernels,
    CudnnKernels,
    CudaConvKernels,
    LargeAttention,
    CudaAttentionKernels,
    HalfAttention,
    ElementwiseKernels,
    FaultKernels,
    GemmKernels,
    LayerKernels,
    MoveKernels,
    Placement,
    PoolKernels,
    ReduceKernels,
    ScatterKernels,
    SearchKernels,
    Backend,
):
    """CUDA through CuPy; see Backend for the contract."""

    name = "cupy"
    device_type = "cuda"
    takes_half = True
    span = 1 << 24
    attends_small = True
    attention_room = 1 << 24  # a launch costs more than a cache is worth

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

    @classmethod
    def capability(cls, d: dtypes.dtype) -> str:
        import cupy

        found = super().capability(d)
        if d is dtypes.bfloat16 and found is STORAGE and not any("E" in loop for loop in cupy.add.types):
            return f"{MISSING}CuPy 14 and NumPy 2.1.2, or newer (here are {cupy.__version__} and {np.__version__})"
        return found

    def _refuse_missing(self) -> None:
        """Let the functions that make arrays say so where CuPy cannot hold a dtype."""
        reasons = {d.array: (d, self.capability(d)) for d in dtypes.ALL if d.array is not None}
        missing = {k: v for k, v in reasons.items() if v[1].startswith(MISSING)}

        def refusing(make: Any) -> Any:
            @wraps(make)
            def checked(*args: Any) -> Any:
                for a in args:
                    kind = a if isinstance(a, np.dtype) else getattr(a, "dtype", None)
                    if kind in missing:
                        d, reason = missing[kind]
                        raise RuntimeError(f"{d} on {self.name} needs {reason.removeprefix(MISSING)} ({TABLE})")
                return make(*args)

            return checked

        for name in ("empty", "zeros", "full", "asarray", "from_numpy", "cast", "scalar") if missing else ():
            setattr(self, name, refusing(getattr(self, name)))

    def __init__(self) -> None:
        import cupy

        self.xp = library(cupy)
        self.xp.empty = maker(cupy)
        super().__init__()
        self.memory().accounts()
        self._bind_products()
        self._bind_elementwise()
        self._refuse_missing()
        self._faults = None
        self._nothings: dict[Any, Any] = {}
        self._roots: dict[int, tuple[Any, Any]] = {}

    # ---- memory and devices -------------------------------------------------------------------------------------------
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

    def alone(self, x: Any) -> bool:
        base = x.base
        # the view's own reference, `base` and getrefcount's
        return base is not None and base.nbytes == x.nbytes and id(x) not in self._roots and getrefcount(base) <= 3

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

    def nothing(self, dtype: Any) -> Any:
        """An array without elements, for an argument that a launch has no use for."""
        found = self._nothings.get(dtype)
        if found is None:
            found = self._nothings[dtype] = self.empty(0, dtype)
        return found

    # ---- kernels ------------------------------------------------------------------------------------------------------
    def special_library(self) -> Any:
        import cupyx.scipy.special

        return cupyx.scipy.special

    # CuPy's logical functions know no complex numbers, two of them no bfloat16
    def logical_not(self, x: Any) -> Any:
        return x == 0 if x.dtype.kind in "cV" else self.xp.logical_not(x)

    def logical_and(self, x: Any, y: Any) -> Any:
        return (x != 0) & (y != 0) if x.dtype.kind in "cV" else self.xp.logical_and(x, y)

    def logical_or(self, x: Any, y: Any) -> Any:
        return (x != 0) | (y != 0) if x.dtype.kind in "cV" else self.xp.logical_or(x, y)

    def logical_xor(self, x: Any, y: Any) -> Any:
        return (x != 0) ^ (y != 0) if x.dtype.kind in "cV" else self.xp.logical_xor(x, y)

    def erf(self, x: Any) -> Any:
        return self._by_scipy("erf", x)

    def erfc(self, x: Any) -> Any:
        return self._by_scipy("erfc", x)

    def erfinv(self, x: Any) -> Any:
        return self._by_scipy("erfinv", x)

    def check_index(self, index: tuple[Any, ...], shape: tuple[int, ...]) -> None:
        position = 0
        for i in index:
            if hasattr(i, "dtype") and i.dtype.kind in "iu" and i.size:
                n = shape[position]
                self.require_range(
                    i, -n, n, IndexError, f"index is out of bounds for dimension {position} with size {n}"
                )
            position += i.ndim if hasattr(i, "dtype") and i.dtype.kind == "b" else 1
        shapes = [i.shape for i in index if hasattr(i, "dtype") and i.dtype.kind != "b"]
        if len(set(shapes)) > 1:  # CuPy raises ValueError, as for a value that does not fit
            try:
                np.broadcast_shapes(*shapes)
            except ValueError:
                told = ", ".join(str(list(s)) for s in shapes)
                raise IndexError(
                    f"shape mismatch: indexing tensors could not be broadcast together with shapes {told}"
                ) from None

    def index(self, x: Any, index: tuple[Any, ...]) -> Any:
        try:
            return super().index(x, index)
        except ValueError as error:  # a mask whose number of places does not fit
            raise IndexError(f"shape mismatch: indexing tensors could not be broadcast together: {error}") from None

    def triangle_indices(self, lower: bool, rows: int, columns: int, offset: int) -> Any:
        # CuPy's functions look for what is not 0, whose number they must wait for
        xp = self.xp
        kept: Any = np.clip(np.arange(rows) + offset + (1 if lower else 0), 0, columns)  # columns left of the diagonal
        total = int(kept.sum() if lower else (columns - kept).sum())
        left = xp.clip(xp.arange(rows) + (offset + (1 if lower else 0)), 0, columns)
        counts = left if lower else columns - left
        ends = xp.cumsum(counts)
        places = xp.arange(total)
        row = xp.searchsorted(ends, places, side="right")
        column = places - (ends - counts)[row] + (0 if lower else left[row])
        return xp.stack((row, column)).astype(np.int64)

    def prod(self, x: Any, dim: Any, keepdim: bool) -> Any:
        if x.dtype in FLOAT16:
            return self.cast(self.prod(x.astype(np.float32), dim, keepdim), x.dtype)
        return self.xp.prod(x, axis=dim, keepdims=keepdim)
