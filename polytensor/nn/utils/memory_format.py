"""Weights of convolutions in another memory format. Source: torch.nn.utils.memory_format."""

from __future__ import annotations

from typing import Any

__all__ = ["convert_conv2d_weight_memory_format", "convert_conv3d_weight_memory_format"]


def _convert(module: Any, memory_format: Any, kinds: tuple[Any, ...]) -> Any:
    if isinstance(module, kinds):
        weight: Any = module.weight.detach().clone(memory_format=memory_format)
        module.weight.data = weight
    for child in module.children():
        _convert(child, memory_format, kinds)
    return module


def convert_conv2d_weight_memory_format(module: Any, memory_format: Any) -> Any:
    """Lay out the weights of all 2-d convolutions of a module in `memory_format`."""
    from ... import nn

    return _convert(module, memory_format, (nn.Conv2d, nn.ConvTranspose2d))


def convert_conv3d_weight_memory_format(module: Any, memory_format: Any) -> Any:
    """Lay out the weights of all 3-d convolutions of a module in `memory_format`."""
    from ... import nn

    return _convert(module, memory_format, (nn.Conv3d, nn.ConvTranspose3d))
