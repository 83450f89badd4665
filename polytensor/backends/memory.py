"""Keep freed array memory in the process.

A training step frees and allocates the same megabytes again and again. glibc hands large freed blocks back to the
system, and every page of the next array then costs a fault: 0.6 of the 1.4 ms of an MLP step (784-512-512-10, batch 64).
"""

from __future__ import annotations

import ctypes
import os
import platform

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h
KEPT = 256 << 20  # bytes at the top of the heap that are not handed back
LARGEST = 32 << 20  # bytes of the largest array on the heap; glibc takes no more
USERS = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES")


def keep_freed_memory() -> bool:
    """Raise glibc's thresholds, unless the user has set them or another malloc is in use; whether that was done."""
    if any(name in os.environ for name in (*USERS, "LD_PRELOAD")) or platform.libc_ver()[0] != "glibc":
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    return bool(mallopt(M_MMAP_THRESHOLD, LARGEST)) and bool(mallopt(M_TRIM_THRESHOLD, KEPT))
