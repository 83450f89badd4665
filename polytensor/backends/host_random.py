"""NumPy's global random stream, which datasets draw from: the data loader seeds it per batch and puts it back."""

from __future__ import annotations

from typing import Any

import numpy as np


def seed(value: int) -> None:
    """Start it from 64 bits; salted, so that it differs from Python's random, which is the same generator."""
    np.random.seed([value & 0xFFFFFFFF, value >> 32, 0x4E50])


def get_state() -> Any:
    return np.random.get_state(legacy=False)


def set_state(state: Any) -> None:
    np.random.set_state(state)
