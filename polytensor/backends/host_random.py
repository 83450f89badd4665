"""The random states of this process beside our own: NumPy's global one and Python's."""

from __future__ import annotations

import ctypes
import random
import sys
from typing import Any

import numpy as np

__all__ = ["get_state", "restore", "save", "seed", "set_state"]
RAW = 625 * 4  # bytes of the state of NumPy's MT19937
_known: bool | None = None


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
    if type(np.random.get_bit_generator()) is not np.random.MT19937:  # its newer ones keep a normal number in store
        np.random.set_state({**np.random.get_state(legacy=False), "has_gauss": 0, "gauss": 0.0})  # type: ignore[dict-item]


def _layout_known(bits: Any) -> bool:
    """Whether the generator's memory is as in today's NumPy: 624 words of 32 bits, then the position."""
    state = bits.state["state"]
    want = state["key"].astype(np.uint32).tobytes() + int(state["pos"]).to_bytes(4, sys.byteorder)
    return bool(ctypes.string_at(bits.ctypes.state_address, RAW) == want)


def _take_stored(at: int, now: bytes) -> float | None:
    """The normal number in store, for NumPy makes them in pairs; it is no longer there. None if there was none."""
    first = float(np.random.standard_normal())
    if ctypes.string_at(at, RAW) == now:
        return first
    np.random.standard_normal()  # the other one of the new pair
    return None


def save() -> Any:
    """Both states as they are, for restore() in the same process. NumPy's own get_state and set_state take 50 us."""
    global _known
    bits: Any = np.random.get_bit_generator()
    if _known is None and type(bits) is np.random.MT19937:
        _known = _layout_known(bits)
    if not _known or type(bits) is not np.random.MT19937:
        return random.getstate(), np.random.get_state(legacy=False)
    at = bits.ctypes.state_address
    raw = ctypes.string_at(at, RAW)
    stored = _take_stored(at, raw)
    if stored is None:
        ctypes.memmove(at, raw, RAW)
    return random.getstate(), raw, stored, bits


def restore(state: Any) -> None:
    """Go back to what save() gave."""
    random.setstate(state[0])
    if len(state) == 2:
        np.random.set_state(state[1])
        return
    _, raw, stored, bits = state
    if np.random.get_bit_generator() is not bits:
        np.random.set_bit_generator(bits)
    at = bits.ctypes.state_address
    _take_stored(at, ctypes.string_at(at, RAW))
    with bits.lock:
        ctypes.memmove(at, raw, RAW)
    if stored is not None:
        now: Any = np.random.get_state(legacy=False)
        np.random.set_state({**now, "has_gauss": 1, "gauss": stored})
