"""Batches split over devices and put together again. Source: torch.nn.parallel.scatter_gather."""

from __future__ import annotations

import warnings
from typing import Any

from ...devices import Device, resolve
from ...ops import cat
from ...tensor import Tensor

__all__ = ["gather", "scatter", "scatter_kwargs"]


def as_device(device: Any) -> Device:
    """A device; an int is a CUDA device's index."""
    return resolve(f"cuda:{device}" if isinstance(device, int) else device)


def _is_namedtuple(x: Any) -> bool:
    return isinstance(x, tuple) and hasattr(x, "_fields")


def _each(xs: list[Any], like: Any) -> list[Any]:
    """The scattered parts of a container's items as one such container per device."""
    if _is_namedtuple(like):
        return [type(like)(*part) for part in zip(*xs, strict=True)]
    return [type(like)(part) for part in zip(*xs, strict=True)]


def _split(x: Any, devices: list[Any], dim: int) -> list[Any]:
    """A part for each device."""
    if isinstance(x, Tensor):
        parts: Any = x.chunk(len(devices), dim)  # type: ignore[attr-defined]
        return [p.to(d) for p, d in zip(parts, devices, strict=False)]
    if isinstance(x, (tuple, list)) and x:
        return _each([_split(v, devices, dim) for v in x], x)
    if isinstance(x, dict) and x:
        return _each([[(k, v) for v in _split(value, devices, dim)] for k, value in x.items()], x)
    return [x] * len(devices)


def _fit(x: Any, count: int, dim: int) -> int:
    """How many parts there are: those of different numbers fit the shortest."""
    if isinstance(x, Tensor):
        return min(count, max(1, -(-x.shape[dim] // max(1, -(-x.shape[dim] // count)))))
    values = list(x.values()) if isinstance(x, dict) else x if isinstance(x, (tuple, list)) else ()
    return min((_fit(v, count, dim) for v in values), default=count)


def scatter(inputs: Any, target_gpus: Any, dim: int = 0) -> Any:
    """For each device a part of every Tensor along `dim`, in copies of the structure; other objects as they are.

    Fewer parts than devices come where a batch is too small.
    """
    devices = [as_device(d) for d in target_gpus]

    devices = devices[: _fit(inputs, len(devices), dim)]
    return _split(inputs, devices, dim)


def scatter_kwargs(inputs: Any, kwargs: Any, target_gpus: Any, dim: int = 0) -> tuple[Any, Any]:
    """Positional and keyword arguments for each device."""
    parts = scatter(inputs, target_gpus, dim) if inputs else []
    named = scatter(kwargs, target_gpus, dim) if kwargs else []
    count = max(len(parts), len(named))
    parts += [()] * (count - len(parts))
    named += [{} for _ in range(count - len(named))]
    return tuple(parts), tuple(named)


def _join(parts: Any, device: Any, dim: int) -> Any:
    first = parts[0]
    if isinstance(first, Tensor):
        if all(p.dim() == 0 for p in parts) and dim == 0:
            warnings.warn(
                "Was asked to gather along dimension 0, but all input tensors were scalars; will instead unsqueeze and "
                "return a vector.",
                stacklevel=4,
            )
            parts = [p.unsqueeze(0) for p in parts]
        return cat([p.to(device) for p in parts], dim)
    if first is None:
        return None
    if isinstance(first, dict):
        if any(len(p) != len(first) for p in parts):
            raise ValueError("All dicts must have the same number of keys")
        return type(first)((k, _join([p[k] for p in parts], device, dim)) for k in first)
    joined = (_join(list(values), device, dim) for values in zip(*parts, strict=True))
    return type(first)(*joined) if _is_namedtuple(first) else type(first)(joined)


def gather(outputs: Any, target_device: Any, dim: int = 0) -> Any:
    """What the devices gave, Tensors joined along `dim` on one device."""
    device = resolve("cpu") if target_device == -1 else as_device(target_device)

    return _join(list(outputs), device, dim)
