"""The memory of CUDA devices: CuPy's pool with its peaks, errors that say what was asked for, what copies still need.

An allocation costs two calls more than CuPy's own; a free costs nothing. Imported only where CUDA is usable.
"""

from __future__ import annotations

import sys
from collections import OrderedDict, deque
from typing import Any
from weakref import WeakSet, finalize

import cupy

from ...devices import OutOfMemoryError

NO_MEMORY = 2  # cudaErrorMemoryAllocation


class Accounts:
    """What is counted beside the pool itself, by device."""

    def __init__(self, pool: Any, count: int) -> None:
        self.pool = pool
        self.used = [0] * count  # most bytes in use
        self.held = [0] * count  # most bytes that the pool had
        self.failures = [0] * count
        self.pending: deque[tuple[Any, Any]] = deque()  # (event, what must live until then)
        self.private: WeakSet[Any] = WeakSet()  # pools of graphs
        self.retired: list[Any] = []  # of such that are gone, with arrays that are not

    def allocator(self) -> Any:
        """What CuPy calls for each array: the pool's malloc, the peak noted."""
        malloc, used_bytes, most, pending = self.pool.malloc, self.pool.used_bytes, self.used, self.pending
        full = cupy.cuda.memory.OutOfMemoryError

        def allocate(size: int) -> Any:
            if pending:
                self.release()
            try:
                made = malloc(size)
            except full:
                raise self.told(size) from None
            used = used_bytes()
            if used > most[made.device_id]:
                most[made.device_id] = used
            return made

        return allocate

    def bytes(self) -> tuple[int, int]:
        """Bytes of the current device in use, and held by pools."""
        pools = (self.pool, *self.private)
        return sum(int(p.used_bytes()) for p in pools), sum(int(p.total_bytes()) for p in pools)

    def told(self, size: int) -> OutOfMemoryError:
        """The error of an allocation that failed on the current device."""
        index = cupy.cuda.runtime.getDevice()
        self.failures[index] += 1
        free, total = cupy.cuda.runtime.memGetInfo()
        (used, held), limit = self.bytes(), self.pool.get_limit()
        op = running(sys._getframe(2))
        text = (
            f"CUDA out of memory. Tried to allocate {in_words(size)}{f' for {op}' if op else ''}. GPU {index} has a total "
            f"capacity of {in_words(total)} of which {in_words(free)} is free. PolyTensor holds {in_words(held)} of it: "
            f"{in_words(used)} in use by tensors and {in_words(held - used)} kept for reuse, which "
            "torch.cuda.empty_cache() gives back."
        )
        if limit:
            text += f" It may hold {in_words(limit)}, by torch.cuda.set_per_process_memory_fraction or CUPY_GPU_MEMORY_LIMIT."
        return OutOfMemoryError(text)

    def release(self) -> None:
        """Let go of what finished work needed, up to the first that is not over: asking costs a microsecond."""
        pending = self.pending
        while pending:
            try:
                item = pending.popleft()
            except IndexError:  # another thread was here
                return
            if not item[0].done:
                pending.appendleft(item)
                return

    def retire(self, *pools: Any) -> None:
        """Let go of what nobody uses in pools that nobody has: CuPy would keep that for ever, and parts of larger blocks."""
        rest, self.retired = [*self.retired, *pools], []
        for pool in rest:
            held = 0
            for index in range(len(self.used)):
                with cupy.cuda.Device(index):
                    pool.free_all_blocks()
                    held += pool.total_bytes()
            if held:
                self.retired.append(pool)

    def shrink(self) -> None:
        """Give cached blocks of the current device back to the driver."""
        self.release()
        self.retire()
        index = cupy.cuda.runtime.getDevice()
        self.held[index] = max(self.held[index], self.pool.total_bytes())
        self.pool.free_all_blocks()


def in_words(size: int) -> str:
    """A number of bytes as 512 bytes, 1.50 KiB, 2.00 GiB."""
    if size <= 1024:
        return f"{size} bytes"
    for unit, power in (("GiB", 30), ("MiB", 20), ("KiB", 10)):
        if size > 1 << power:
            return f"{size / (1 << power):.2f} {unit}"
    return f"{size / 1024:.2f} KiB"


def running(frame: Any) -> str:
    """The op that runs in a frame or in one of its callers: matmul, MmBackward0, Adam.step; "" for none."""
    kernel = ""
    while frame is not None:
        code, here = frame.f_code, frame.f_globals.get("__name__") or ""
        if code.co_filename == "<string>" and "_node" in frame.f_globals:
            return str(code.co_name)  # the function that was written out from a row
        if code.co_name in ("fast", "run"):
            node = frame.f_locals.get("self" if code.co_name == "run" else "n")
            if hasattr(node, "edges"):
                return type(node).__name__
        part = here.partition("polytensor.")[2].partition(".")[0] if here.startswith("polytensor.") else ""
        if part == "optim":
            owner = frame.f_locals.get("self")
            return f"{type(owner).__name__}.{code.co_name}" if owner is not None else str(code.co_name)
        if part == "ops" and code.co_name[0] not in "_<":
            named = (
                frame.f_locals.get("name") if code.co_name == "make" else None
            )  # zeros, rand_like and others share a text
            return str(named or code.co_name)
        if part == "backends" and code.co_name[0] not in "_<":
            kernel = code.co_name
        elif kernel and not part:
            break
        frame = frame.f_back
    return kernel


_accounts: Accounts | None = None


def accounts() -> Accounts:
    """The accounts of this process. The pool is the one that CuPy allocates from when they are opened."""
    global _accounts
    if _accounts is None:
        pool = getattr(cupy.cuda.get_allocator(), "__self__", None)
        known = hasattr(pool, "used_bytes") and hasattr(pool, "malloc")
        _accounts = Accounts(pool if known else cupy.get_default_memory_pool(), cupy.cuda.runtime.getDeviceCount())
        if known:  # else the user's own allocator stays as it is, and is not counted
            cupy.cuda.set_allocator(_accounts.allocator())
    return _accounts


class _NoMemory(Exception):
    """Of a class that CuPy's pools do not look for."""


def _from_driver(size: int) -> Any:
    try:
        return cupy.cuda.memory.MemoryPointer(cupy.cuda.memory.Memory(size), 0)
    except cupy.cuda.runtime.CUDARuntimeError as error:
        if error.status != NO_MEMORY:
            raise
        raise _NoMemory from None


class PrivatePool:
    """A pool that only graphs allocate from; it counts as long as somebody has it.

    Graphs hold the addresses of blocks that are free between replays: where no memory is left they must not go back to the
    driver, as from CuPy's pools.
    """

    def __init__(self) -> None:
        self.base = cupy.cuda.MemoryPool(_from_driver)
        self.base.set_limit(size=0)  # CUPY_GPU_MEMORY_LIMIT would have it give blocks back too
        self.used_bytes, self.total_bytes = self.base.used_bytes, self.base.total_bytes
        accounts().private.add(self)
        finalize(self, accounts().retire, self.base).atexit = False

    def malloc(self, size: int) -> Any:
        try:
            return self.base.malloc(size)
        except _NoMemory:
            raise accounts().told(size) from None


def keep(event: Any, needed: Any) -> None:
    """Let `needed` live until the event is over."""
    kept = accounts()
    kept.release()
    kept.pending.append((event, needed))


def stats(index: int) -> OrderedDict[str, int]:
    """Counts of a device's memory under PyTorch's names, as far as they are known."""
    known = accounts()
    with cupy.cuda.Device(index):
        own, held = int(known.pool.used_bytes()), int(known.pool.total_bytes())
        used, kept = known.bytes()
    known.used[index] = max(known.used[index], own)
    known.held[index] = max(known.held[index], held)
    most = known.used[index] + used - own  # graphs keep what they hold
    result = OrderedDict()
    for name, now, peak in (
        ("active_bytes", used, most),
        ("allocated_bytes", used, most),
        ("reserved_bytes", kept, known.held[index] + kept - held),
    ):
        result[f"{name}.all.current"], result[f"{name}.all.peak"] = now, peak
    result["num_ooms"] = known.failures[index]
    return result


def reset_peak(index: int) -> None:
    known = accounts()
    with cupy.cuda.Device(index):
        known.used[index], known.held[index] = int(known.pool.used_bytes()), int(known.pool.total_bytes())


def set_limit(fraction: float, index: int) -> None:
    """Let the pool hold at most that fraction of a device's memory."""
    with cupy.cuda.Device(index):
        total = cupy.cuda.runtime.memGetInfo()[1]
        accounts().pool.set_limit(size=max(1, int(fraction * total)))  # 0 would be no limit


def limit(index: int) -> float:
    """The fraction of a device's memory that the pool may hold."""
    with cupy.cuda.Device(index):
        most, total = accounts().pool.get_limit(), cupy.cuda.runtime.memGetInfo()[1]
    return most / total if most else 1.0


def info(index: int) -> tuple[int, int]:
    """Free and total bytes of a device."""
    with cupy.cuda.Device(index):
        free, total = cupy.cuda.runtime.memGetInfo()
    return int(free), int(total)


# ---- page-locked memory of the host ------------------------------------------------------------------------------------
def is_pinned(address: int) -> bool:
    """Whether host memory at an address is page-locked."""
    return bool(cupy.cuda.runtime.pointerGetMemoryType(address) == cupy.cuda.runtime.memoryTypeHost)


def pinned_empty(shape: tuple[int, ...], dtype: Any) -> Any:
    """An uninitialised NumPy array in page-locked memory."""
    import cupyx

    return cupyx.empty_pinned(shape, dtype)


def hold_for(stream: Any, array: Any) -> None:
    """Once `array` is gone, let its memory rest until the work that `stream` has by then is done."""
    finalize(array, _rest, stream, array.data.mem).atexit = False


class _Captured:
    """Stands for an event in a graph, which CUDA does not let anyone ask: over when the capture is."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream

    @property
    def done(self) -> bool:
        return not self.stream.is_capturing()


def _rest(stream: Any, memory: Any) -> None:
    with cupy.cuda.Device(memory.device_id):
        if stream.is_capturing():
            keep(_Captured(stream), memory)
            return
        event = cupy.cuda.Event(disable_timing=True)
        event.record(stream)
    keep(event, memory)
