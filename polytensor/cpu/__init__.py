"""torch.cpu: one device, with nothing to wait for."""

from __future__ import annotations

from typing import Any

from . import amp as amp


def is_available() -> bool:
    return True


def is_initialized() -> bool:
    return True


def device_count() -> int:
    return 1


def current_device() -> str:
    return "cpu"


def synchronize(device: Any = None) -> None:
    """Nothing: CPU work is done when an op returns."""
