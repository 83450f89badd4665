"""The random states of this process beside our own: NumPy's global one and Python's."""

from __future__ import annotations

import random
from typing import Any

import numpy as np

__all__ = ["get_state", "restore", "save", "seed", "set_state"]


def get_state() -> dict[str, Any]:
    """Both states in tuples and numbers."""
    state: Any = np.random.get_state(legacy=True)
    kind, keys, position, has_gauss, cached = state
    return {"python": random.getstate(), "numpy": (kind, tuple(keys.tolist()), position, has_gauss, cached)}


def set_state(state: dict[str, Any]) -> None:
    """Go back to what get_state() gave."""
    version, keys, gauss = state["python"]
    random.setstate((version, tuple(keys), gauss))
    kind, keys, position, has_gauss, cached = state["numpy"]
    np.random.set_state((kind, np.array(keys, np.uint32), position, has_gauss, cached))


def seed(value: int) -> None:
    """Start both from 64 bits; NumPy's is salted, for it is the same generator as Python's."""
    random.seed(value)
    np.random.seed([value & 0xFFFFFFFF, value >> 32, 0x4E50])


def save() -> Any:
    """Both states as they are, for restore() in the same process."""
    return random.getstate(), np.random.get_state(legacy=False)


def restore(state: Any) -> None:
    """Go back to what save() gave."""
    random.setstate(state[0])
    np.random.set_state(state[1])
