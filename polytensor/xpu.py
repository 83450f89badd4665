"""torch.xpu: there is no backend for Intel GPUs."""

from __future__ import annotations

from .absent import missing


def is_available() -> bool:
    return False


def device_count() -> int:
    return 0


def is_initialized() -> bool:
    return False


__getattr__ = missing("torch.xpu", "is_available() is False")
