"""Where a batch's tensors lie: page-locked memory, the default device."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .. import devices
from ..tensor import Tensor
from .collate import map_mapping, map_sequence

__all__ = ["pin_memory"]


def _place(data: Any, fn: Callable[[Any], Any]) -> Any:
    """fn on the tensors of a batch, and on what it knows itself; containers keep their classes."""
    made = fn(data)
    if made is not NotImplemented:
        return made
    if isinstance(data, (str, bytes)):
        return data
    if isinstance(data, Mapping):
        return map_mapping(data, lambda key: _place(data[key], fn))
    if isinstance(data, tuple):
        kind: Any = type(data)
        parts = [_place(x, fn) for x in data]
        return kind(*parts) if hasattr(data, "_fields") else kind(parts)
    if isinstance(data, Sequence):
        return map_sequence(data, lambda: [_place(x, fn) for x in data])
    return data


def pin_memory(data: Any, device: Any = None) -> Any:
    """A batch in page-locked memory, so that copies of it to a CUDA device may overlap with work.

    Objects with a method pin_memory() answer for themselves. Source: torch.utils.data._utils.pin_memory.
    """
    return _place(data, _pin)


def _pin(x: Any) -> Any:
    if isinstance(x, Tensor):
        return devices.pinned(x) if x.device.type == "cpu" else x
    return x.pin_memory() if hasattr(x, "pin_memory") else NotImplemented


def to_default(batch: Any, dev: Any) -> Any:
    """A batch on the default device."""

    def move(x: Any) -> Any:
        if isinstance(x, Tensor):
            return x.to(dev, non_blocking=True) if x.device != dev else x  # type: ignore[attr-defined]
        return NotImplemented

    return _place(batch, move)
