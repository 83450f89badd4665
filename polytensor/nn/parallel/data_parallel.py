"""DataParallel: a batch split over the devices of one machine. Source: torch.nn.parallel.data_parallel."""

from __future__ import annotations

from itertools import chain
from typing import Any

from ...cuda import device_count
from ...devices import Device
from ..module import Module
from .parallel_apply import parallel_apply
from .replicate import replicate
from .scatter_gather import as_device, gather, scatter_kwargs

__all__ = ["DataParallel", "data_parallel"]


def _checked(module: Any, device: Any) -> None:
    for t in chain(module.parameters(), module.buffers()):
        if t.device != device:
            raise RuntimeError(
                f"module must have its parameters and buffers on device {device} (device_ids[0]) but found one of them on "
                f"device: {t.device}"
            )


def _places(device_ids: Any) -> list[Device]:
    """The devices that are named, or all CUDA devices."""
    return [as_device(d) for d in (range(device_count()) if device_ids is None else device_ids)]


def _number(device: Device) -> Any:
    """A CUDA device by its index, as PyTorch keeps it; another one by itself."""
    return device.index if device.type == "cuda" else device


class DataParallel(Module):
    """Runs `module` on all devices at once, each with its part of the batch along `dim`.

    Without CUDA devices (or with an empty device_ids) it runs the module as it is.
    """

    def __init__(self, module: Module, device_ids: Any = None, output_device: Any = None, dim: int = 0) -> None:
        super().__init__()
        places = _places(device_ids)
        self.module = module
        self.dim = dim
        self.device_ids = [_number(d) for d in places]
        if not places:
            return
        self.src_device_obj = places[0]
        self.output_device = _number(places[0] if output_device is None else as_device(output_device))
        if len(places) == 1:
            module.to(self.src_device_obj)

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        if not self.device_ids:
            return self.module(*inputs, **kwargs)
        _checked(self.module, self.src_device_obj)
        parts, named = self.scatter(inputs, kwargs, self.device_ids)
        if not parts and not named:  # no arguments at all
            parts, named = ((),), ({},)
        if len(self.device_ids) == 1:
            return self.module(*parts[0], **named[0])
        replicas = self.replicate(self.module, self.device_ids[: len(parts)])
        return self.gather(self.parallel_apply(replicas, parts, named), self.output_device)

    def replicate(self, module: Any, device_ids: Any) -> list[Any]:
        return replicate(module, device_ids)

    def scatter(self, inputs: Any, kwargs: Any, device_ids: Any) -> Any:
        return scatter_kwargs(inputs, kwargs, device_ids, self.dim)

    def parallel_apply(self, replicas: Any, inputs: Any, kwargs: Any) -> list[Any]:
        return parallel_apply(replicas, inputs, kwargs, self.device_ids[: len(replicas)])

    def gather(self, outputs: Any, output_device: Any) -> Any:
        return gather(outputs, output_device, self.dim)


def data_parallel(
    module: Any, inputs: Any, device_ids: Any = None, output_device: Any = None, dim: int = 0, module_kwargs: Any = None
) -> Any:
    """module(*inputs, **module_kwargs) over several devices; without CUDA devices, as it is."""
    inputs = inputs if isinstance(inputs, tuple) else () if inputs is None else (inputs,)
    places = _places(device_ids)
    if places:  # which the class would move the module to, where it is the only one
        _checked(module, places[0])
    return DataParallel(module, places, output_device, dim)(*inputs, **(module_kwargs or {}))
