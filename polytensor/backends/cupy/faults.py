"""Checks of values that wait for nothing: a kernel sets a flag in memory of the host, which is read after the next wait.

Every value check of an op (indices, targets, probabilities) has a flag of its own, known by its class and text. The memory
is page-locked, so that kernels write to it and reading it needs no copy.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .launch import CTYPES, I64, NAMES, kernel, register

CHECK_RANGE = r"""
// What is not in [low, high) puts `number` into a flag that is 0. Which thread does it makes no difference.
template <typename T>
__global__ void check_range(const T* x, i64 n, i64 low, i64 high, i64 number, unsigned int* flag) {
    bool bad = false;
    for (i64 i = blockIdx.x * (i64)blockDim.x + threadIdx.x; i < n; i += (i64)gridDim.x * blockDim.x) {
        i64 v = (i64)x[i];
        bad |= v < low || v >= high;
    }
    if (bad && *flag == 0) *flag = (unsigned int)number;
}
"""
CHECK_TRUE = r"""
__global__ void check_true(const bool* good, i64 n, i64 number, unsigned int* flag) {
    bool bad = false;
    for (i64 i = blockIdx.x * (i64)blockDim.x + threadIdx.x; i < n; i += (i64)gridDim.x * blockDim.x) bad |= !good[i];
    if (bad && *flag == 0) *flag = (unsigned int)number;
}
"""
INTEGERS = ("int64", "int32", "int16", "int8", "uint8")
register("check_true", CHECK_TRUE)
register("check_range", CHECK_RANGE, [(CTYPES[d],) for d in INTEGERS])
SLOTS = 1024
LATE = " (found when the device was waited for: CUDA runs asynchronously)"


class Faults:
    """`flags`: SLOTS zeros (uint32) of the host; `seen`: the same memory as an array of the device."""

    def __init__(self, flags: Any, seen: Any) -> None:
        self.flags, self.seen = flags, seen
        self.slots: dict[tuple[type[Exception], str], Any] = {}
        self.kinds: list[tuple[type[Exception], str]] = []
        self.checks = 0

    def flag(self, error: type[Exception], text: str) -> Any:
        """The flag of an error: one element (uint32) of the device; not 0 raises, and the smallest one first."""
        found = self.slots.get((error, text))
        if found is None:
            if len(self.kinds) == SLOTS:  # texts name sizes, so that there may be any number of them
                error, text = IndexError, "an index is out of bounds, or a value is out of range"
                if (error, text) not in self.slots:
                    self.kinds[-1] = (error, text)
                    self.slots[error, text] = self.seen[SLOTS - 1 :]
                return self.slots[error, text]
            k = len(self.kinds)
            self.kinds.append((error, text))
            found = self.slots[error, text] = self.seen[k : k + 1]
        return found

    def number(self) -> int:
        """The number of the next check: what it writes into its flag, so that the first fault is told."""
        self.checks = self.checks % (2**32 - 2) + 1
        return self.checks

    def check(self) -> None:
        """Raise the first fault that a kernel has left; the device was just waited for."""
        if not self.flags.any():
            return
        k = int(np.where(self.flags, self.flags, 2**32 - 1).argmin())
        self.flags[...] = 0
        error, text = self.kinds[k]
        raise error(text + LATE)


class FaultKernels:
    """Mixed into CupyBackend, before Backend."""

    asynchronous = True
    xp: Any
    refuse_captured: Any
    current_index: Any
    _faults: Faults | None

    @property
    def faults(self) -> Faults:
        if self._faults is None:
            self._faults = self._make_faults()
        return self._faults

    def _make_faults(self) -> Faults:
        import cupyx

        flags = cupyx.zeros_pinned(SLOTS, np.uint32)
        memory = self.xp.cuda.memory
        owner = memory.UnownedMemory(flags.ctypes.data, flags.nbytes, flags, self.current_index())
        return Faults(flags, self.xp.ndarray((SLOTS,), np.uint32, memory.MemoryPointer(owner, 0)))

    def require(self, good: Any, error: type[Exception], text: str) -> None:
        if not good.size:
            return
        if not good.flags.c_contiguous:
            good = self.xp.ascontiguousarray(good)
        faults, n = self.faults, good.size
        args = (good, I64[n], faults.number(), faults.flag(error, text))
        kernel("check_true").over(n, args)

    def require_range(self, index: Any, low: int, high: int, error: type[Exception], text: str) -> None:
        if not index.size:
            return
        if low >= high:  # at once: CuPy divides by the size, and would read or write beside the memory
            raise error(text)
        name = NAMES[index.dtype]
        if name not in INTEGERS:
            return self.require((index >= low) & (index < high), error, text)
        faults, n = self.faults, index.size
        if not index.flags.c_contiguous:
            index = self.xp.ascontiguousarray(index)
        numbers = (I64[n], I64[low], I64[high], faults.number())
        kernel("check_range", CTYPES[name]).over(n, (index, *numbers, faults.flag(error, text)))

    def may_hold(self, mask: Any) -> bool:
        return True

    def waited(self) -> None:
        """Raise what kernels that ran before the last wait have found."""
        if self._faults is not None:
            self._faults.check()

    def item(self, x: Any) -> Any:
        self.refuse_captured("item()")
        value = x.item()
        self.waited()
        return value

    def tolist(self, x: Any) -> Any:
        self.refuse_captured("tolist()")
        values = x.tolist()
        self.waited()
        return values

    def to_numpy(self, a: Any) -> Any:
        self.refuse_captured("a copy to the host")
        found = self.xp.asnumpy(a)
        self.waited()
        return found

    def synchronize(self) -> None:
        self.refuse_captured("synchronize()")
        self.xp.cuda.get_current_stream().synchronize()
        self.waited()
