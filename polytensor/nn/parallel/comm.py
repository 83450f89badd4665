"""Tensors sent to several devices and added up again. Source: torch.nn.parallel.comm."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...devices import cuda_allowed, resolve
from ...ops import cat
from .scatter_gather import as_device

__all__ = ["broadcast", "broadcast_coalesced", "gather", "reduce_add", "reduce_add_coalesced", "scatter"]


def broadcast(tensor: Any, devices: Any = None, *, out: Any = None) -> tuple[Any, ...]:
    """A copy on each device (the tensor itself where it is there), or in the tensors of `out`."""
    if (devices is None) == (out is None):
        raise RuntimeError(
            f"Exactly one of 'devices' and 'out' must be specified, but got devices={devices} and out={out}"
        )
    if out is not None:
        return tuple(t.copy_(tensor, non_blocking=True) for t in out)
    return tuple(tensor.to(as_device(d), non_blocking=True) for d in devices)


def broadcast_coalesced(tensors: Sequence[Any], devices: Any, buffer_size: int = 10485760) -> list[tuple[Any, ...]]:
    """For each device the copies of all tensors."""
    return [tuple(t.to(as_device(d), non_blocking=True) for t in tensors) for d in devices]


def _target(destination: Any, inputs: Any) -> Any:
    if destination is None:
        return resolve("cuda") if cuda_allowed() else inputs[0].device
    return resolve("cpu") if destination == -1 else as_device(destination)


def reduce_add(inputs: Sequence[Any], destination: Any = None) -> Any:
    """The sum of tensors of several devices on one (the current one)."""
    place = _target(destination, inputs)
    if any(t.shape != inputs[0].shape for t in inputs):
        raise ValueError("reduce_add expects all inputs to have the same shape")
    total = inputs[0].to(place)
    for t in inputs[1:]:
        total = total + t.to(place)
    return total


def reduce_add_coalesced(
    inputs: Sequence[Any], destination: Any = None, buffer_size: int = 10485760
) -> tuple[Any, ...]:
    """reduce_add of the first tensors of all devices, of the second ones, ..."""
    return tuple(reduce_add(ts, destination) for ts in zip(*inputs, strict=True))


def scatter(
    tensor: Any, devices: Any = None, chunk_sizes: Any = None, dim: int = 0, streams: Any = None, *, out: Any = None
) -> tuple[Any, ...]:
    """Parts of a tensor along `dim`, of chunk_sizes or equal ones, on the devices or in the tensors of `out`."""
    if out is not None:
        if devices is not None or chunk_sizes is not None:
            raise RuntimeError("'devices' and 'chunk_sizes' must not be specified when 'out' is")
        parts = tensor.split([t.shape[dim] for t in out], dim)
        return tuple(t.copy_(p, non_blocking=True) for t, p in zip(out, parts, strict=True))
    parts = tensor.chunk(len(devices), dim) if chunk_sizes is None else tensor.split(list(chunk_sizes), dim)
    return tuple(p.to(as_device(d), non_blocking=True) for p, d in zip(parts, devices, strict=False))


def gather(tensors: Sequence[Any], dim: int = 0, destination: Any = None, *, out: Any = None) -> Any:
    """Tensors of several devices joined along `dim` on one (the current one), or in `out`."""
    if out is not None:
        if destination is not None:
            raise RuntimeError("'destination' must not be specified when 'out' is specified")
        return out.copy_(cat([t.to(out.device) for t in tensors], dim))
    place = _target(destination, tensors)
    return cat([t.to(place) for t in tensors], dim)
