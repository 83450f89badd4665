"""Numba's cache of compiled kernels, made safe for new versions and for processes that compile at the same time.

Numba compiles a kernel anew when its own file changes, though not when a file does whose functions it inlines: here all
files of the backends count.

Numba writes a kernel's index and its machine code one after the other, and reads the index before that: of two processes
that save at once, one may leave an entry that names the other's code, and whoever loads it crashes. A lock on a file in
the cache's folder makes loads and saves of this package's kernels one step. (Where there is no flock, as on Windows,
things stay as Numba has them.)
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from numba.core.caching import CacheImpl, FunctionCache

try:
    from fcntl import LOCK_EX, LOCK_SH, LOCK_UN, flock
except ImportError:
    flock = None  # type: ignore[assignment]

HERE = Path(__file__).parent


@cache
def sources(folder: Path = HERE) -> bytes:
    """A digest of the files that kernels are made of."""
    digest = hashlib.sha256()
    for path in sorted([*folder.glob("*.py"), *folder.parent.glob("*.py")]):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.digest()


class Locator:
    """Numba's own locator of a kernel's cache, with `sources` as the stamp of what was compiled."""

    @classmethod
    def from_function(cls, fn: Any, file: str) -> Any:
        """None for functions that are not of this package, and where no folder can be written to."""
        if Path(file).parent != HERE:
            return None
        for other in CacheImpl._locator_classes:
            found = None if other is cls else other.from_function(fn, file)
            if found is not None:
                found.get_source_stamp = sources
                return found
        return None


CacheImpl._locator_classes.insert(0, Locator)


@contextmanager
def locked(folder: str, shared: bool = False) -> Iterator[None]:
    """Hold the lock of a cache folder; without one where it cannot be opened."""
    try:
        file = None if flock is None else open(os.path.join(folder, "polytensor.lock"), "ab")
    except OSError:
        file = None
    if file is None:
        yield
        return
    with file:
        flock(file, LOCK_SH if shared else LOCK_EX)
        try:
            yield
        finally:
            flock(file, LOCK_UN)


class LockedFile:
    """Stands for the cache file of one function: loads and saves under the lock."""

    def __init__(self, file: Any, folder: str) -> None:
        self._file, self._folder = file, folder

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def save(self, key: Any, data: Any) -> None:
        with locked(self._folder):
            self._file.save(key, data)

    def load(self, key: Any) -> Any:
        with locked(self._folder, shared=True):
            return self._file.load(key)


def lock_cache(dispatcher: Any) -> Any:
    """Put the lock in front of a jitted function's cache; returns the function."""
    cache = dispatcher._cache
    if getattr(cache, "cache_path", None) is not None:
        cache._cache_file = LockedFile(cache._cache_file, cache.cache_path)
    return dispatcher


@contextmanager
def building(body: Any) -> Iterator[None]:
    """Hold the lock while a ufunc of `body` is compiled or loaded: its cache cannot be reached before."""
    with locked(FunctionCache(body).cache_path):
        yield
