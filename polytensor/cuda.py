"""The ``torch.cuda`` namespace over the CuPy backend."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from . import devices


def is_available() -> bool:
    """Whether a CUDA device can be used and POLYTENSOR_BACKEND does not name a CPU backend. Never raises."""
    return devices.cuda_allowed()


def device_count() -> int:
    """How many CUDA devices there are (0 where none is usable)."""
    return devices.get_backend("cupy").device_count() if is_available() else 0


def current_device() -> int:
    return devices.get_backend("cupy").current_index()  # type: ignore[no-any-return]


def synchronize(device: Any = None) -> None:
    """Wait for all work queued on the device."""
    devices.get_backend("cupy").synchronize()


def get_device_name(device: Any = None) -> str:
    return devices.get_backend("cupy").device_name()  # type: ignore[no-any-return]


def manual_seed(seed: int) -> None:
    """The default generator serves every device."""
    from .random import manual_seed as seed_all

    seed_all(seed)


manual_seed_all = manual_seed


def empty_cache() -> None:
    """Give cached blocks back to the driver."""
    if is_available():
        devices.get_backend("cupy").empty_cache()


def device(index: Any) -> AbstractContextManager[Any]:
    """New tensors live on that CUDA device within the block."""
    return devices.resolve("cuda", int(index))  # type: ignore[return-value]
