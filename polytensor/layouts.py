"""torch.layout and torch.memory_format: objects with PyTorch's names; only strided tensors exist here."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from . import devices


class _Named:
    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"torch.{self.name}"

    def __reduce__(self) -> Any:
        return _find, (self.name,)

    def __deepcopy__(self, memo: Any) -> Any:
        return self


class layout(_Named):
    """How a tensor lies in memory. Source: torch.layout."""

    __slots__ = ()


class memory_format(_Named):
    """In which order of dimensions a tensor lies in memory. Source: torch.memory_format."""

    __slots__ = ()


def _find(name: str) -> Any:
    return globals()[name]


layout.__module__ = memory_format.__module__ = "torch"  # repr(type) as in PyTorch
strided = layout("strided")
sparse_coo, sparse_csr, sparse_csc = layout("sparse_coo"), layout("sparse_csr"), layout("sparse_csc")
sparse_bsr, sparse_bsc = layout("sparse_bsr"), layout("sparse_bsc")
contiguous_format = memory_format("contiguous_format")
preserve_format = memory_format("preserve_format")
channels_last = memory_format("channels_last")
channels_last_3d = memory_format("channels_last_3d")

CHANNELS_LAST = {channels_last: (0, 2, 3, 1), channels_last_3d: (0, 2, 3, 4, 1)}


def check_layout(wanted: Any) -> None:
    """NotImplementedError for a sparse layout, TypeError for what is no layout."""
    if wanted is None or wanted is strided:
        return
    if not isinstance(wanted, layout):
        raise TypeError(f"argument 'layout' must be torch.layout, not {type(wanted).__name__}")
    raise NotImplementedError(f"PolyTensor has no {wanted} tensors: only torch.strided")


def check_pinned(pin_memory: Any) -> None:
    """RuntimeError if pinned memory is asked for where no CUDA device is usable."""
    if pin_memory and not devices.cuda_allowed():
        raise RuntimeError(
            "pin_memory=True requires a CUDA or other accelerator backend; no pinned memory allocator is available on this "
            "system."
        )


def axis_order(wanted: memory_format | None, array: Any, shape: tuple[int, ...]) -> tuple[int, ...] | None:
    """The axes of a new tensor from the outermost in memory to the innermost (None: in their own order).

    `array` is what preserve_format (or None) keeps the order of, if there is one.
    """
    if wanted is None or wanted is preserve_format:
        if array is None:
            if wanted is preserve_format:
                raise RuntimeError("unsupported memory format Preserve")
            return None
        return dense_order(array)
    if wanted is contiguous_format:
        return None
    if wanted not in CHANNELS_LAST:
        raise TypeError(f"argument 'memory_format' must be torch.memory_format, not {type(wanted).__name__}")
    order = CHANNELS_LAST[wanted]
    if len(shape) != len(order):
        raise RuntimeError(f"required rank {len(order)} tensor to use {wanted.name} format")
    return order


def dense_order(array: Any) -> tuple[int, ...] | None:
    """The order of axes in an array's memory, as PyTorch's preserve_format has it; None: as they stand."""
    return None if array.flags.c_contiguous or array.size == 0 else memory_order(array.shape, array.strides)


@lru_cache(4096)
def memory_order(shape: tuple[int, ...], strides: tuple[int, ...]) -> tuple[int, ...] | None:
    """The same of a shape with elements and its strides."""
    order = list(range(len(shape) - 1, -1, -1))  # innermost first

    def swap(i: int, j: int) -> int:
        a, b = strides[i], strides[j]
        if a == 0 or b == 0 or a == b and shape[i] <= shape[j]:
            return 0
        return -1 if a < b else 1

    for i in range(1, len(order)):
        k = i
        for j in range(i - 1, -1, -1):
            s = swap(order[j], order[k])
            if s > 0:
                order[j], order[k] = order[k], order[j]
                k = j
            elif s < 0:
                break
    result = tuple(reversed(order))
    return None if result == tuple(range(len(shape))) else result
