"""Philox4x64-10 and normal numbers made of it, in one pass."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from numba import njit, prange

from .intrinsics import fma, wide_product
from .threads import Kernel

BLOCKS = 1024  # of four words, to a task
SMALLEST = 4096  # words from which this beats NumPy's
MASK = 2**64 - 1
Array = Any


@njit(error_model="numpy", forceinline=True)
def philox(c0: Any, c1: Any, c2: Any, c3: Any, k0: Any, k1: Any) -> Any:
    """Ten rounds over one block."""
    m0, m1 = np.uint64(0xD2E7470EE14C6C93), np.uint64(0xCA5A826395121157)
    w0, w1 = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBB67AE8584CAA73B)
    for _ in range(10):
        (high0, low0), (high1, low1) = wide_product(m0, c0), wide_product(m1, c2)
        c0, c1, c2, c3 = high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0
        k0 += w0
        k1 += w1
    return c0, c1, c2, c3


@njit(error_model="numpy", forceinline=True)
def fill(counter: Any, start: Any, count: int, k0: Any, k1: Any, out: Any) -> None:
    """Blocks start, start + 1, ... after `counter` (four words), into out."""
    for i in range(count):
        c0 = counter[0] + start + np.uint64(i)
        c1 = counter[1]
        c2, c3 = counter[2], counter[3]
        if c0 < counter[0]:
            c1 += np.uint64(1)
            if c1 == np.uint64(0):
                c2 += np.uint64(1)
                if c2 == np.uint64(0):
                    c3 += np.uint64(1)
        a, b, c, d = philox(c0, c1, c2, c3, k0, k1)
        out[4 * i], out[4 * i + 1], out[4 * i + 2], out[4 * i + 3] = a, b, c, d


def _words(counter: Any, k0: Any, k1: Any, out: Any) -> None:
    blocks = out.size // 4
    for task in prange((blocks + BLOCKS - 1) // BLOCKS):
        first = task * BLOCKS
        count = min(BLOCKS, blocks - first)
        fill(counter, np.uint64(first), count, k0, k1, out[4 * first : 4 * (first + count)])


@njit(error_model="numpy", forceinline=True)
def log_unit(x: Any) -> Any:
    """log of a float32 in (0, 1], not a denormal; below 1 unit in the last place."""
    f = np.float32
    b = np.float32(x).view(np.int32)
    # x = 2^e m with m in [sqrt(1/2), sqrt(2))
    e = np.int32(np.int32(b - np.int32(0x3F3504F3)) >> np.int32(23))
    m = np.int32(b - np.int32(e << np.int32(23))).view(np.float32) - f(1)
    z = m * m
    p = f(7.0376836292e-2)
    p = fma(p, m, f(-1.1514610310e-1))
    p = fma(p, m, f(1.1676998740e-1))
    p = fma(p, m, f(-1.2420140846e-1))
    p = fma(p, m, f(1.4249322787e-1))
    p = fma(p, m, f(-1.6668057665e-1))
    p = fma(p, m, f(2.0000714765e-1))
    p = fma(p, m, f(-2.4999993993e-1))
    p = fma(p, m, f(3.3333331174e-1))
    k = f(e)
    y = fma(k, f(-2.12194440e-4), p * m * z)
    y = fma(f(-0.5), z, y)
    return fma(k, f(0.693359375), m + y)


@njit(error_model="numpy", forceinline=True)
def sine_cosine(x: Any) -> Any:
    """Of a float32 in [0, 2 pi]; absolute error below 1e-7."""
    f = np.float32
    magic = f(12582912.0)  # 1.5 * 2**23: what is added to it is rounded to an integer
    t = fma(x, f(0.636619772), magic)
    n = t - magic
    q = np.float32(t).view(np.int32)
    r = fma(n, f(-1.57079625), x)
    r = fma(n, f(-7.54978942e-8), r)
    z = r * r
    s = fma(fma(f(-1.9515295891e-4), z, f(8.3321608736e-3)), z, f(-1.6666654611e-1))
    s = fma(s * z, r, r)
    c = fma(fma(f(2.443315711809948e-5), z, f(-1.388731625493765e-3)), z, f(4.166664568298827e-2))
    c = fma(c * z, z, fma(f(-0.5), z, f(1)))
    swap = (q & np.int32(1)) != 0
    a, b = (c if swap else s), (s if swap else c)
    a = -a if q & np.int32(2) else a
    b = -b if np.int32(q + np.int32(1)) & np.int32(2) else b
    return a, b


def _normal(counter: Any, k0: Any, k1: Any, mean: Any, std: Any, out: Any) -> None:
    """Box and Muller's transform of pairs of half words: element 2k from radius * cos, 2k + 1 from radius * sin."""
    f = np.float32
    unit = f(2.0**-24)
    size = BLOCKS * 8
    for task in prange((out.size + size - 1) // size):
        words, u, v = (
            np.empty(BLOCKS * 4, np.uint64),
            np.empty(BLOCKS * 4, np.float32),
            np.empty(BLOCKS * 4, np.float32),
        )
        last = min(out.size, task * size + size)
        count = (last - task * size + 7) // 8
        fill(counter, np.uint64(task * BLOCKS), count, k0, k1, words)
        halves = words.view(np.uint32)
        for i in range(u.size):
            u[i] = f(np.int32(halves[2 * i] >> np.uint32(8))) * unit + unit
            v[i] = f(np.int32(halves[2 * i + 1] >> np.uint32(8))) * unit
        for i in range(u.size):
            u[i] = np.sqrt(f(-2) * log_unit(u[i]))
        for i in range(u.size):
            s, c = sine_cosine(v[i] * f(6.283185307179586))
            v[i], u[i] = fma(u[i] * s, std, mean), fma(u[i] * c, std, mean)
        o = out[task * size : last]
        for i in range(o.size // 2):
            o[2 * i], o[2 * i + 1] = u[i], v[i]
        if o.size % 2:
            o[o.size - 1] = u[o.size // 2]


words_kernel = Kernel(_words)
normal_kernel = Kernel(_normal)


def _start(seed: int, counter: int) -> tuple[Any, Any, Any]:
    words = np.array([(counter >> s) & MASK for s in (0, 64, 128, 192)], np.uint64)
    return words, np.uint64(seed & MASK), np.uint64((seed >> 64) & MASK)


def random_words(seed: int, counter: int, nblocks: int) -> Array:
    out = np.empty(4 * nblocks, np.uint64)
    words_kernel(1.5 * out.size, *_start(seed, counter), out)
    return out


def normal(seed: int, counter: int, shape: tuple[int, ...], mean: float, std: float) -> Array:
    """float32, from the stream that the base backend reads."""
    out = np.empty(prod(shape), np.float32)
    normal_kernel(1.2 * out.size, *_start(seed, counter), np.float32(mean), np.float32(std), out)
    return out.reshape(shape)
