"""Copies of a module on devices. Source: torch.nn.parallel.replicate."""

from __future__ import annotations

from typing import Any

from .scatter_gather import as_device

__all__ = ["replicate"]


def replicate(network: Any, devices: Any, detach: bool = False) -> list[Any]:
    """For each device a copy of the module whose parameters are differentiable copies of the module's own.

    On the module's own device buffers are shared, so what is written to them stays.
    """
    targets = [as_device(d) for d in devices]
    result = []
    for device in targets:
        copies: dict[int, Any] = {}

        def copy(t: Any, keep: bool, device: Any = device, copies: dict[int, Any] = copies) -> Any:
            if t is None:
                return None
            if id(t) not in copies:
                copies[id(t)] = (t if keep else t.detach()).to(device)
                if copies[id(t)] is t:
                    copies[id(t)] = t.view_as(t) if keep else t
            return copies[id(t)]

        twins = {id(m): m._replicate_for_data_parallel() for m in network.modules()}
        for m in network.modules():
            d = twins[id(m)].__dict__
            d["_parameters"] = {k: copy(p, not detach) for k, p in m._parameters.items()}
            d["_buffers"] = {k: copy(b, False) for k, b in m._buffers.items()}
            d["_modules"] = {k: None if c is None else twins[id(c)] for k, c in m._modules.items()}
        result.append(twins[id(network)])
    return result
