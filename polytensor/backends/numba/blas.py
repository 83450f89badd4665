"""y += a * x by the OpenBLAS that NumPy brought along, on the threads that its matrix products have just used.

After a threaded product the cores hold the gradient in their own caches, and OpenBLAS's threads are awake: its axpy
updates 660,000 parameters in 70 us, where waking Numba's threads for it takes 270, and one thread 300.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache
from typing import Any

LARGE = 1 << 16  # elements from which it pays


@cache
def axpy(kind: str) -> Callable[[Any, Any, float], None] | None:
    """axpy(y, x, a) for contiguous arrays of dtype character `kind` ('f' or 'd'); None where NumPy has other BLAS."""
    try:
        from threadpoolctl import threadpool_info
    except ImportError:
        return None
    letter, real = ("s", ctypes.c_float) if kind == "f" else ("d", ctypes.c_double)
    for info in threadpool_info():
        if info.get("internal_api") != "openblas" or "numpy" not in info["filepath"]:
            continue
        library = ctypes.CDLL(info["filepath"])
        # NumPy's wheels: prefix scipy_, and suffix 64_ with 64-bit integers
        function = getattr(library, f"scipy_cblas_{letter}axpy64_", None)
        if function is None:
            continue
        size = ctypes.c_int64
        function.argtypes = (size, real, ctypes.c_void_p, size, ctypes.c_void_p, size)
        function.restype = None

        def run(y: Any, x: Any, a: float, call: Any = function) -> None:
            call(y.size, a, x.__array_interface__["data"][0], 1, y.__array_interface__["data"][0], 1)

        return run
    return None
