"""Transfers between devices that gradients go back through; `apply` as of an autograd.Function.

Source: torch.nn.parallel._functions.
"""

from __future__ import annotations

from typing import Any

from . import comm

_streams: dict[int, Any] = {}


def _get_stream(device: Any) -> Any:
    """The stream of a CUDA device on which what goes there is copied in the background; None for the CPU."""
    if device.type != "cuda":
        return None
    from ...cuda import Stream

    index = device.index or 0
    if index not in _streams:
        _streams[index] = Stream(index)
    return _streams[index]


class Broadcast:
    """The inputs on each device, one device after the other."""

    @staticmethod
    def apply(target_gpus: Any, *inputs: Any) -> tuple[Any, ...]:
        return tuple(t for copies in comm.broadcast_coalesced(inputs, target_gpus) for t in copies)


class ReduceAddCoalesced:
    """The sums over devices of num_inputs tensors each, given one device after the other."""

    @staticmethod
    def apply(destination: Any, num_inputs: int, *grads: Any) -> tuple[Any, ...]:
        groups = [grads[i : i + num_inputs] for i in range(0, len(grads), num_inputs)]
        return comm.reduce_add_coalesced(groups, destination)


class Scatter:
    """The parts of a tensor, each on its device."""

    @staticmethod
    def apply(target_gpus: Any, chunk_sizes: Any, dim: int, input: Any) -> tuple[Any, ...]:
        return comm.scatter(input, target_gpus, chunk_sizes, dim)


class Gather:
    """Tensors of several devices joined on one."""

    @staticmethod
    def apply(target_device: Any, dim: int, *inputs: Any) -> Any:
        return comm.gather(inputs, dim, target_device)
