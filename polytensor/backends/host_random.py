"""The random states of this process beside our own: NumPy's global one and Python's."""

from __future__ import annotations

import random
from typing import Any

import numpy as np

__all__ = ["get_state", "set_state"]


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
