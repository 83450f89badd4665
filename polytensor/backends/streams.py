"""Random draws from one counter-based stream (Philox4x64-10), the same bits on every backend.

Each draw takes whole blocks of four 64-bit words; element i of the result reads a fixed word (or half word), whatever
the number of threads. float32 uses 24 bits of half word i, float64 53 bits of word i, float16 and bfloat16 the 11 and 8
highest bits of half word i (so that no rounding gives 1); masks use 24 bits of half word i for every dtype; integers are
the high word of word i times the range; a permutation is the stable order of n words.
Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC 2011).
"""

from __future__ import annotations

from math import log1p, prod
from typing import Any

import numpy as np

Array = Any
ITEMS_PER_BLOCK = {"half": 8, "word": 4}


def blocks_needed(n: int, unit: str) -> int:
    """Blocks for n elements that read a 'half' (32 bits) or a 'word' (64 bits) each."""
    per = ITEMS_PER_BLOCK[unit]
    return -(-n // per)


def words(backend: Any, seed: int, counter: int, n: int) -> Array:
    return backend.random_words(seed, counter, blocks_needed(n, "word"))[:n]


def _halves(backend: Any, seed: int, counter: int, n: int) -> Array:
    """The n first 32-bit halves, low half of each word first."""
    return backend.random_words(seed, counter, blocks_needed(n, "half")).view(np.uint32)[:n]


def unit_of(dtype: Any) -> str:
    """Which unit a uniform or normal draw of this dtype reads per element."""
    return "word" if np.dtype(dtype) == np.float64 else "half"


def _unit(backend: Any, seed: int, counter: int, n: int, dtype: Any) -> Array:
    """n uniforms in [0, 1), float64 for float64 and float32 for all else."""
    if unit_of(dtype) == "word":
        return (words(backend, seed, counter, n) >> np.uint64(11)).astype(np.float64) * 2.0**-53
    u = (_halves(backend, seed, counter, n) >> np.uint32(8)).astype(np.float32)
    u *= np.float32(2.0**-24)
    return u


def uniform(
    backend: Any, seed: int, counter: int, shape: tuple[int, ...], dtype: Any, lo: float = 0.0, hi: float = 1.0
) -> Array:
    """Uniform in [lo, hi)."""
    if dtype.itemsize == 2:
        bits = 11 if dtype == np.float16 else 8
        u = (_halves(backend, seed, counter, prod(shape)) >> np.uint32(32 - bits)).astype(np.float32)
        u *= np.float32(2.0**-bits)
    else:
        u = _unit(backend, seed, counter, prod(shape), dtype)
    if lo != 0.0 or hi != 1.0:
        u *= u.dtype.type(hi - lo)
        u += u.dtype.type(lo)
    return u.reshape(shape) if u.dtype == dtype else u.astype(dtype).reshape(shape)


def exponential(backend: Any, seed: int, counter: int, shape: tuple[int, ...], dtype: Any, rate: float) -> Array:
    """Exponential by inversion; never 0, whose logarithm programs could not use."""
    u = _unit(backend, seed, counter, prod(shape), dtype)
    e = backend.xp.maximum(-backend.xp.log1p(-u), u.dtype.type(np.finfo(u.dtype).eps / 2))
    return (e / u.dtype.type(rate)).astype(dtype, copy=False).reshape(shape)


def cauchy(
    backend: Any, seed: int, counter: int, shape: tuple[int, ...], dtype: Any, median: float, sigma: float
) -> Array:
    """Cauchy by inversion."""
    u = _unit(backend, seed, counter, prod(shape), dtype)
    one = u.dtype.type
    out = one(sigma) * backend.xp.tan(one(3.141592653589793) * (u - one(0.5))) + one(median)
    return out.astype(dtype, copy=False).reshape(shape)


def log_normal(
    backend: Any, seed: int, counter: int, shape: tuple[int, ...], dtype: Any, mean: float, std: float
) -> Array:
    """exp of a normal."""
    kind = np.dtype(np.float32) if dtype.itemsize == 2 else dtype
    z = backend.xp.exp(normal(backend, seed, counter, shape, kind, mean, std))
    return z.astype(dtype, copy=False)


def geometric(backend: Any, seed: int, counter: int, shape: tuple[int, ...], dtype: Any, p: float) -> Array:
    """Trials until the first success, 1, 2, ..., by inversion in float64."""
    u = _unit(backend, seed, counter, prod(shape), np.float64)
    k = backend.xp.ceil(backend.xp.log1p(-u) / np.float64(log1p(-p)))
    return backend.xp.maximum(k, np.float64(1)).astype(dtype).reshape(shape)


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
    w = words(backend, seed, counter, prod(shape))
    span = high - low
    mask, shift = np.uint64(0xFFFFFFFF), np.uint64(32)
    w0, w1 = w & mask, w >> shift
    r0, r1 = np.uint64(span & 0xFFFFFFFF), np.uint64(span >> 32)
    middle = w0 * r0
    middle >>= shift
    middle += w1 * r0
    top = middle >> shift
    if r1:
        top += w1 * r1
        top += ((middle & mask) + w0 * r1) >> shift
    top = top.view(np.int64)
    top += low
    return top.astype(dtype, copy=False).reshape(shape)


def randperm(backend: Any, seed: int, counter: int, n: int) -> Array:
    """A permutation of 0 .. n-1 (int64)."""
    return backend.xp.argsort(words(backend, seed, counter, n), kind="stable").astype(np.int64, copy=False)


def bernoulli(backend: Any, seed: int, counter: int, shape: tuple[int, ...], p: Any) -> Array:
    """True with probability p (a number, or an array of `shape`)."""
    bits = (_halves(backend, seed, counter, prod(shape)) >> np.uint32(8)).reshape(shape)
    if hasattr(p, "dtype"):
        return bits < p.astype(np.float64) * 2.0**24
    return bits < np.uint32(-(-(p * 2.0**24) // 1))


def _log_factorial(xp: Any, k: Array) -> Array:
    """log(k!) for k >= 0, by Stirling's series at k + 9."""
    x = k + 9.0
    shift = xp.log((k + 1) * (k + 2) * (k + 3) * (k + 4)) + xp.log((k + 5) * (k + 6) * (k + 7) * (k + 8))
    series = (1 / 12 - (1 / 360 - 1 / 1260 / (x * x)) / (x * x)) / x
    return (x - 0.5) * xp.log(x) - x + 0.9189385332046727 + series - shift


def _search(xp: Any, u: Array, p: Array, ratio: Any) -> Array:
    """The smallest k whose cumulative probability exceeds u; p: that of 0, ratio(k): that of k over that of k - 1."""
    k, total = xp.zeros_like(u), p.copy()
    step = 0
    while step < 300:
        more = u >= total
        if not bool(more.any()):
            break
        step += 1
        p = p * ratio(step)
        k += more
        total += p
    return k


def poisson_small(backend: Any, seed: int, counter: int, rate: Array) -> Array:
    """Poisson by search of the distribution, for rates below 10 (larger ones give nothing useful)."""
    u = _unit(backend, seed, counter, rate.size, np.float64).reshape(rate.shape)
    return _search(backend.xp, u, backend.xp.exp(-rate), lambda k: rate / k)


def _proposal(backend: Any, seed: int, counter: int, shape: tuple[int, ...]) -> tuple[Array, Array, Array]:
    uv = _unit(backend, seed, counter, 2 * prod(shape), np.float64).reshape(*shape, 2)
    u = uv[..., 0] - 0.5
    return u, 0.5 - abs(u), uv[..., 1]


def poisson_large(backend: Any, seed: int, counter: int, rate: Array) -> tuple[Array, Array]:
    """One proposal per element, and whether it is taken; rates of 10 and more.

    Source: W. Hoermann, "The transformed rejection method for generating Poisson random variables" (1993), PTRS.
    """
    xp = backend.xp
    u, us, v = _proposal(backend, seed, counter, rate.shape)
    b = 0.931 + 2.53 * xp.sqrt(rate)
    a = -0.059 + 0.02483 * b
    k = xp.floor((2 * a / us + b) * u + rate + 0.43)
    sure = (us >= 0.07) & (v <= 0.9277 - 3.6224 / (b - 2))
    left = xp.log(v * (1.1239 + 1.1328 / (b - 3.4)) / (a / (us * us) + b))
    fits = left <= k * xp.log(rate) - rate - _log_factorial(xp, xp.maximum(k, 0.0))
    return k, sure | (fits & (k >= 0) & ((us >= 0.013) | (v <= us)))


def binomial_small(backend: Any, seed: int, counter: int, n: Array, p: Array) -> Array:
    """Binomial by search of the distribution, for n * p below 10 and p up to 1/2."""
    u = _unit(backend, seed, counter, n.size, np.float64).reshape(n.shape)
    odds = p / (1 - p)
    return _search(backend.xp, u, backend.xp.power(1 - p, n), lambda k: backend.xp.maximum(n - (k - 1), 0.0) / k * odds)


def binomial_large(backend: Any, seed: int, counter: int, n: Array, p: Array) -> tuple[Array, Array]:
    """One proposal per element, and whether it is taken; n * p of 10 and more, p up to 1/2.

    Source: W. Hoermann, "The generation of binomial random variates" (1993), BTRS.
    """
    xp = backend.xp
    u, us, v = _proposal(backend, seed, counter, n.shape)
    spread = xp.sqrt(n * p * (1 - p))
    b = 1.15 + 2.53 * spread
    a = -0.0873 + 0.0248 * b + 0.01 * p
    k = xp.floor((2 * a / us + b) * u + n * p + 0.5)
    sure = (us >= 0.07) & (v <= 0.92 - 4.2 / b)
    m = xp.floor((n + 1) * p)
    inside = (k >= 0) & (k <= n)
    kept = xp.where(inside, k, m)
    left = xp.log(v * (2.83 + 5.1 / b) * spread / (a / (us * us) + b))
    right = (
        _log_factorial(xp, m) + _log_factorial(xp, n - m) - _log_factorial(xp, kept) - _log_factorial(xp, n - kept)
        + (kept - m) * xp.log(p / (1 - p))
    )  # fmt: skip
    return k, sure & inside | ((left <= right) & inside)


def choose(backend: Any, p: Array, u: Array) -> Array:
    """For each uniform the index of the class that it falls into; p: weights (n,) or (m, n), u: (k,) or (m, k)."""
    xp = backend.xp
    total = xp.cumsum(p, axis=p.ndim - 1)
    total = total / total[..., -1:]
    if p.ndim == 1:
        k = xp.searchsorted(total, u, side="right")
    else:  # one sorted array for all rows: row i lies in (i, i + 1]
        rows = xp.arange(p.shape[0])[:, None]
        flat = (total + rows).reshape(-1)
        k = xp.searchsorted(flat, (u + rows).reshape(-1), side="right").reshape(u.shape) - rows * p.shape[1]
    last = p.shape[-1] - 1 - xp.argmax(xp.flip(p, p.ndim - 1) > 0, axis=p.ndim - 1)
    k = xp.minimum(k, last[..., None])  # rounding must not reach a class of weight 0 at the end
    return k.astype(np.int64)
