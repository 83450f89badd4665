"""y += a * x by the OpenBLAS that NumPy brought along, on the threads that its matrix products have just used.

After a threaded product the cores hold the gradient in their own caches, and OpenBLAS's threads are awake: its axpy
updates 660,000 parameters in 70 us, where waking Numba's threads for it takes 270, and one thread 300.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from functools import cache
from typing import Any

from .vectors import WIDE

# elements from which it pays: where products are our own (products.py), no thread of BLAS is awake
LARGE = sys.maxsize if WIDE else 1 << 16


@cache
def _openblas() -> Any:
    """The OpenBLAS that NumPy loaded, as a ctypes library; None where it has another BLAS."""
    try:
        from threadpoolctl import threadpool_info
    except ImportError:
        return None
    for info in threadpool_info():
        if info.get("internal_api") == "openblas" and "numpy" in info["filepath"]:
            return ctypes.CDLL(info["filepath"])
    return None


@cache
def thread_setter() -> Callable[[int], None] | None:
    """OpenBLAS's own switch of its number of threads, which costs next to nothing; None where it is not to be had."""
    found = getattr(_openblas(), "scipy_openblas_set_num_threads64_", None)
    if found is not None:
        found.argtypes, found.restype = (ctypes.c_int,), None
    return found


@cache
def axpy(kind: str) -> Callable[[Any, Any, float], None] | None:
    """axpy(y, x, a) for contiguous arrays of dtype character `kind` ('f' or 'd'); None where NumPy has other BLAS."""
    letter, real = ("s", ctypes.c_float) if kind == "f" else ("d", ctypes.c_double)
    # NumPy's wheels: prefix scipy_, and suffix 64_ with 64-bit integers
    function = getattr(_openblas(), f"scipy_cblas_{letter}axpy64_", None)
    if function is None:
        return None
    size = ctypes.c_int64
    function.argtypes = (size, real, ctypes.c_void_p, size, ctypes.c_void_p, size)
    function.restype = None

    def run(y: Any, x: Any, a: float, call: Any = function) -> None:
        call(y.size, a, x.__array_interface__["data"][0], 1, y.__array_interface__["data"][0], 1)

    return run
