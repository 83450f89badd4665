"""torch.accelerator: CUDA, where it is usable."""

from __future__ import annotations

from typing import Any

from . import cuda, devices


def is_available() -> bool:
    return cuda.is_available()


def device_count() -> int:
    return cuda.device_count()


def current_accelerator(check_available: bool = False) -> Any:
    """device('cuda') or None."""
    return devices.resolve("cuda") if cuda.is_available() else None


def current_device_index() -> int:
    return cuda.current_device()


def set_device_index(device: Any) -> None:
    cuda.set_device(device)


def synchronize(device: Any = None) -> None:
    cuda.synchronize(device)


def empty_cache() -> None:
    cuda.empty_cache()
