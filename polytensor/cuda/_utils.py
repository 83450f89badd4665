"""Source: torch.cuda._utils."""

from __future__ import annotations

from typing import Any

from ..devices import resolve


def _get_device_index(device: Any, optional: bool = False, allow_cpu: bool = False) -> Any:
    """The index of a CUDA device given as an int, a string or a device; -1 for the CPU, where that is allowed.

    Without one: None if that is optional. ValueError otherwise.
    """
    if isinstance(device, int):
        return device
    place = None if device is None else resolve(device)
    if place is not None and place.type == "cpu" and allow_cpu:
        return -1
    if place is not None and place.type != "cuda":
        raise ValueError(f"Expected a cuda device, but got: {place}")
    index = None if place is None else place.index
    if index is None and not optional:
        raise ValueError(f"Expected a torch.device with a specified index or an integer, but got:{device}")
    return index
