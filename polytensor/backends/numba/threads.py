"""Compiling kernels, and the one thread budget that Numba and BLAS share.

A kernel is one Python function over flat contiguous arrays, compiled twice: serial, and with its `prange` loop spread
over threads. It cuts its work in fixed blocks and is compiled without any fast-math flag, so that the bits depend
neither on the number of threads nor on how LLVM vectorises either form.
"""

from __future__ import annotations

import ctypes
import os
import threading
import types
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from time import perf_counter
from typing import Any

import numba
import numpy as np
from numba.core import event
from numba.core.compiler_lock import global_compiler_lock
from numba.np.ufunc import parallel

from .blas import thread_setter
from .cache import lock_cache

PARALLEL_NS: float = 50_000  # serial work worth the 22 us that waking the threads costs

SPINS = "3000"  # of an idle OpenMP thread; GOMP_SPINCOUNT in the environment overrides it

TEAM_NS: float = 1_000_000  # and worth handing pieces of it to Python threads

_lock = threading.Lock()  # the workqueue layer aborts on concurrent use, and two owners of the cores are slow
_local = threading.local()
_budget = numba.config.NUMBA_NUM_THREADS
_forked = False

# what machine code reads (spread.py): the budget, whether it is spending it, whether a kernel is, and Numba's parallel_for
THREADS, BUSY, KERNEL, PARALLEL_FOR = range(4)
words = np.array([_budget, 0, 0, 0], np.int64)


def _load_openmp() -> None:
    """Load Numba's OpenMP layer with threads that soon sleep when idle: SPINS rounds, some 40 us, from kernel to kernel.

    Threads that spin for long beside OpenBLAS's cost a training step 8 to 17 times its time. GNU OpenMP reads the
    variable while it is loaded, so it is set around the import only: a PyTorch that was imported before keeps its own. One
    that comes before or after shares its OpenMP with Numba; it keeps its number of threads, which Numba would set.
    """
    if numba.config.THREADING_LAYER != "default" or parallel._is_initialized:
        return  # the user has chosen
    spin = os.environ.get("GOMP_SPINCOUNT")
    os.environ.setdefault("GOMP_SPINCOUNT", SPINS)
    try:
        pool = import_module("numba.np.ufunc.omppool")
    except ImportError:  # no OpenMP here: Numba falls back on its workqueue
        return
    finally:
        if spin is None:
            del os.environ["GOMP_SPINCOUNT"]
    numba.config.THREADING_LAYER = "omp"
    openmp: Any = ctypes.pythonapi  # sees what the layer is bound to: PyTorch's, which is loaded for all,
    if not hasattr(openmp, "omp_get_max_threads"):
        openmp = ctypes.CDLL(pool.__file__)  # or one of its own
    count = openmp.omp_get_max_threads()
    numba.get_num_threads()  # launches the layer
    openmp.omp_set_num_threads(count)


def _after_fork() -> None:
    global _forked, _lock
    _forked = True  # the threads are not there any more, and the OpenMP layer would abort
    words[THREADS] = 1
    _lock = threading.Lock()
    blas_alone.reset()


_load_openmp()
os.register_at_fork(after_in_child=_after_fork)
os.register_at_fork(  # a child would wait for ever for a lock that a thread which it lacks has while it compiles or loads
    before=global_compiler_lock.acquire,
    after_in_parent=global_compiler_lock.release,
    after_in_child=global_compiler_lock.release,
)


def get_num_threads() -> int:
    """How many threads kernels may use."""
    return 1 if _forked else _budget


def set_num_threads(n: int) -> None:
    """Let kernels use `n` threads, at most as many as Numba started with."""
    global _budget
    _budget = max(1, min(int(n), numba.config.NUMBA_NUM_THREADS))
    words[THREADS] = get_num_threads()


class Kernel:
    """Decorates the body of a kernel, whose outer loop is over numba.prange. Call it with its serial work in nanoseconds, then its arguments."""

    __slots__ = ("parallel", "serial")

    def __init__(self, body: Callable[..., Any]) -> None:
        # Numba's cache is keyed by name but not by options: the second form needs a name of its own
        twin = types.FunctionType(body.__code__, body.__globals__, body.__name__ + "_parallel", body.__defaults__)
        twin.__qualname__ = twin.__name__
        twin.__module__ = body.__module__
        options = {"error_model": "numpy", "cache": True, "nogil": True}
        self.serial = lock_cache(numba.njit(**options)(body))
        self.parallel = lock_cache(numba.njit(parallel=True, **options)(twin))

    def __call__(self, work: float, *args: Any) -> Any:
        budget = _budget  # another thread may set it meanwhile
        if work < PARALLEL_NS or budget == 1 or _forked or words[BUSY] or not _lock.acquire(False):
            return self.serial(*args)
        try:
            words[KERNEL] = 1
            if getattr(_local, "threads", None) != budget:  # Numba's own setting is per thread
                numba.set_num_threads(budget)
                _local.threads = budget
            return self.parallel(*args)
        finally:
            words[KERNEL] = 0
            _lock.release()


class BlasAlone:
    """`with blas_alone:` BLAS works on one thread; when the last thread leaves, it gets the budget back."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.lock = threading.RLock()
        self.inside = 0

    def __enter__(self) -> None:
        with self.lock:
            self.inside += 1
            if self.inside == 1 and (setter := thread_setter()) is not None:
                setter(1)

    def __exit__(self, *error: object) -> None:
        with self.lock:
            self.inside -= 1
            if self.inside == 0 and (setter := thread_setter()) is not None:
                setter(get_num_threads())

    def change(self, n: int, limit: Callable[[int], None]) -> None:
        """Give kernels and, by `limit`, BLAS n threads; BLAS only once nobody is inside."""
        with self.lock:
            set_num_threads(n)
            limit(n)
            if self.inside and (setter := thread_setter()) is not None:
                setter(1)


blas_alone = BlasAlone()


class Team:
    """Python threads for work that is BLAS calls and serial kernels in turn: one piece each, BLAS on one thread.

    A threaded product of small matrices waits longer for its threads than it computes, and BLAS's threads and Numba's
    wake each other up in turn. Pieces are of fixed size, so that results do not depend on how many threads there are.
    """

    def __init__(self) -> None:
        self._pool: Any = None
        self._made: tuple[int, int] | None = None
        self._busy = threading.Lock()

    def run(self, work: float, body: Callable[[Any, bool], Any], pieces: list[Any]) -> list[Any]:
        """[body(piece, alone)] in order; `work`: serial nanoseconds. `alone`: no other thread works on the pieces."""
        budget = get_num_threads()
        if budget == 1 or thread_setter() is None or not self._busy.acquire(False):
            return [body(p, True) for p in pieces]
        try:  # BLAS is alone also for small work: its own threads go on spinning after a product and take the cores
            with blas_alone:
                if work < TEAM_NS or len(pieces) < 2:
                    return [body(p, True) for p in pieces]
                made = (os.getpid(), budget)
                if self._made != made:  # another budget, or a fork, which leaves no threads
                    if self._pool is not None and made[0] == self._made[0]:  # type: ignore[index]
                        self._pool.shutdown(wait=False)
                    self._pool, self._made = ThreadPoolExecutor(budget, "polytensor"), made
                return list(self._pool.map(lambda p: body(p, False), pieces))
        finally:
            self._busy.release()


team = Team()


class CompileClock(event.Listener):  # type: ignore[misc]
    """Seconds spent compiling functions of this package (loads from the cache are not compilations)."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._depth = 0
        self._start = 0.0

    def _ours(self, e: Any) -> bool:
        return str(e.data["dispatcher"].py_func.__module__).startswith(__package__)  # it is None for text run by exec()

    def on_start(self, e: Any) -> None:
        if self._ours(e):
            if self._depth == 0:
                self._start = perf_counter()
            self._depth += 1

    def on_end(self, e: Any) -> None:
        if self._ours(e):
            self._depth -= 1
            if self._depth == 0:
                self.seconds += perf_counter() - self._start


clock = CompileClock()
event.register("numba:compile", clock)
