"""Random draws from one counter-based stream (Philox4x64-10), the same bits on every backend.

Each draw takes whole blocks of four 64-bit words; element i of the result reads a fixed word (or half word), whatever
the number of threads. float32 uses 24 bits of half word i, float64 53 bits of word i; masks use 24 bits of half word i
for every dtype; integers are the high word of word i times the range; a permutation is the stable order of n words.
Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC 2011).
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

Array = Any
ITEMS_PER_BLOCK = {"half": 8, "word": 4}


def blocks_needed(n: int, unit: str) -> int:
    """Blocks for n elements that read a 'half' (32 bits) or a 'word' (64 bits) each."""
    per = ITEMS_PER_BLOCK[unit]
    return -(-n // per)


def _words(backend: Any, seed: int, counter: int, n: int) -> Array:
    return backend.random_words(seed, counter, blocks_needed(n, "word"))[:n]


def _halves(backend: Any, seed: int, counter: int, n: int) -> Array:
    """The n first 32-bit halves, low half of each word first."""
    return backend.random_words(seed, counter, blocks_needed(n, "half")).view(np.uint32)[:n]


def unit_of(dtype: Any) -> str:
    """Which unit a uniform or normal draw of this dtype reads per element."""
    return "word" if np.dtype(dtype) == np.float64 else "half"


def _unit(backend: Any, seed: int, counter: int, n: int, dtype: Any) -> Array:
    """n uniforms in [0, 1)."""
    if unit_of(dtype) == "word":
        return (_words(backend, seed, counter, n) >> np.uint64(11)).astype(np.float64) * 2.0**-53
    u = (_halves(backend, seed, counter, n) >> np.uint32(8)).astype(np.float32)
    u *= np.float32(2.0**-24)
    return u


def uniform(
    backend: Any, seed: int, counter: int, shape: tuple[int, ...], dtype: Any, lo: float = 0.0, hi: float = 1.0
) -> Array:
    """Uniform in [lo, hi)."""
    u = _unit(backend, seed, counter, prod(shape), dtype)
    if lo != 0.0 or hi != 1.0:
        u *= u.dtype.type(hi - lo)
        u += u.dtype.type(lo)
    return u.reshape(shape) if u.dtype == dtype else u.astype(dtype).reshape(shape)


def normal(
    backend: Any, seed: int, counter: int, shape: tuple[int, ...], dtype: Any, mean: float = 0.0, std: float = 1.0
) -> Array:
    """Normal by Box and Muller's transform: elements 2k and 2k+1 come from units 2k and 2k+1."""
    n = prod(shape)
    even = n + n % 2
    u = _unit(backend, seed, counter, even, dtype).reshape(-1, 2)
    xp = backend.xp
    tiny = u.dtype.type(2.0**-24 if u.dtype == np.float32 else 2.0**-53)
    radius = xp.sqrt(u.dtype.type(-2) * xp.log(u[:, 0] + tiny))
    angle = u[:, 1] * u.dtype.type(6.283185307179586)
    out = xp.empty((even // 2, 2), u.dtype)
    out[:, 0] = radius * xp.cos(angle)
    out[:, 1] = radius * xp.sin(angle)
    out = out.reshape(-1)[:n].reshape(shape)
    if mean != 0.0 or std != 1.0:
        out = out * u.dtype.type(std) + u.dtype.type(mean)
    return out if out.dtype == dtype else out.astype(dtype)


def randint(backend: Any, seed: int, counter: int, shape: tuple[int, ...], dtype: Any, low: int, high: int) -> Array:
    """Integers in [low, high): the high 64 bits of word times range, in 32-bit halves."""
    w = _words(backend, seed, counter, prod(shape))
    span = high - low
    mask, shift = np.uint64(0xFFFFFFFF), np.uint64(32)
    w0, w1 = w & mask, w >> shift
    r0, r1 = np.uint64(span & 0xFFFFFFFF), np.uint64(span >> 32)
    middle = w1 * r0 + ((w0 * r0) >> shift)
    top = w1 * r1 + (middle >> shift)
    top += ((middle & mask) + w0 * r1) >> shift
    return (top.astype(np.int64) + low).astype(dtype).reshape(shape)


def randperm(backend: Any, seed: int, counter: int, n: int) -> Array:
    """A permutation of 0 .. n-1 (int64)."""
    return backend.xp.argsort(_words(backend, seed, counter, n), kind="stable").astype(np.int64, copy=False)


def bernoulli(backend: Any, seed: int, counter: int, shape: tuple[int, ...], p: Any) -> Array:
    """True with probability p (a number, or an array of `shape`)."""
    bits = (_halves(backend, seed, counter, prod(shape)) >> np.uint32(8)).reshape(shape)
    if hasattr(p, "dtype"):
        return bits < p.astype(np.float64) * 2.0**24
    return bits < np.uint32(-(-(p * 2.0**24) // 1))
