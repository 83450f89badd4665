"""One thread budget: BLAS and the jitted kernels share it."""

from __future__ import annotations

import os

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
    if not isinstance(n, int) or n <= 0:
        raise RuntimeError("set_num_threads expects a positive integer")
    _chosen = n
    devices.current_device().backend.set_num_threads(n)
