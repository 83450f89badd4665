"""One thread budget: BLAS and the jitted kernels share it."""

from __future__ import annotations

import os
from numbers import Integral

from . import devices

_chosen: int | None = None


def get_num_threads() -> int:
    """How many threads one op may use. Source: torch.get_num_threads."""
    if _chosen is not None:
        return _chosen
    named = os.environ.get("OMP_NUM_THREADS", "")
    return int(named) if named.isdigit() and int(named) else len(os.sched_getaffinity(0))


def set_num_threads(n: int) -> None:
    """Limit the threads of BLAS and of jitted kernels alike. Source: torch.set_num_threads."""
    global _chosen
    if not isinstance(n, Integral):
        raise RuntimeError(f"set_num_threads expects an int, but got {type(n).__name__}")
    if n <= 0:
        raise RuntimeError("set_num_threads expects a positive integer")
    _chosen = int(n)
    devices.current_device().backend.set_num_threads(_chosen)


_interop: int | None = None


def get_num_interop_threads() -> int:
    """How many threads may run ops side by side, as set. Source: torch.get_num_interop_threads."""
    return get_num_threads() if _interop is None else _interop


def set_num_interop_threads(n: int) -> None:
    """Kept and reported: ops never run side by side on their own. Source: torch.set_num_interop_threads."""
    global _interop
    if not isinstance(n, Integral):
        raise RuntimeError(f"set_num_interop_threads expects an int, but got {type(n).__name__}")
    if n <= 0:
        raise RuntimeError("set_num_interop_threads expects a positive integer")
    if _interop is not None:
        raise RuntimeError("Error: cannot set number of interop threads after set_num_interop_threads was called")
    _interop = int(n)
