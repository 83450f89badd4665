"""Stable order of rows, by their digits from the last to the first (radix sort).

Keys are unsigned integers in the order of the elements: a float's bits turned so that they compare as integers, both
zeros one key and every NaN the largest. The order is unique, so neither threads nor how the work is cut can change it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, prange

from . import threads
from .threads import Kernel

SHORTEST = 192  # elements of a row from which this beats NumPy's sort
LONG = 4096  # and from which fewer, longer digits win
COST = 5.0  # nanoseconds an element
BLOCK = 8192
Array = Any


@njit(error_model="numpy", forceinline=True)
def key32(b: Any, floating: bool) -> Any:
    """The key of 32 bits of a float or an integer."""
    sign, every = np.uint32(0x80000000), np.uint32(0xFFFFFFFF)
    if not floating:
        return np.uint32(b ^ sign)
    size = np.uint32(b & ~sign)
    k = np.uint32(b ^ (every if b & sign else sign))
    k = sign if size == np.uint32(0) else k
    return every if size > np.uint32(0x7F800000) else k


@njit(error_model="numpy", forceinline=True)
def key64(b: Any, floating: bool) -> Any:
    sign, every = np.uint64(1 << 63), np.uint64(2**64 - 1)
    if not floating:
        return b ^ sign
    size = b & ~sign
    k = b ^ (every if b & sign else sign)
    k = sign if size == np.uint64(0) else k
    return every if size > np.uint64(0x7FF0000000000000) else k


@njit(error_model="numpy")
def starts(counts: Any) -> None:
    """Turn how often each part has each digit, (parts, digits), into where each part puts its first key of it."""
    total = 0
    for d in range(counts.shape[1]):
        for t in range(counts.shape[0]):
            c = counts[t, d]
            counts[t, d] = total
            total += c


@njit(error_model="numpy")
def count(words: Any, shift: Any, mask: Any, counts: Any) -> None:
    counts[:] = 0
    for i in range(words.size):
        counts[(words[i] >> shift) & mask] += 1


@njit(error_model="numpy")
def spread(words: Any, shift: Any, mask: Any, to: Any, out: Any) -> None:
    for i in range(words.size):
        w = words[i]
        d = (w >> shift) & mask
        at = to[d]
        to[d] = at + 1
        out[at] = w


def _order32(bits: Any, n: int, floating: bool, flip: Any, digits: int, out: Any) -> None:
    """The order of each row of n of 32 bits. Key and place travel in one word."""
    rows = out.size // n
    per = max(1, BLOCK // n)
    mask, low, half = np.uint64((1 << digits) - 1), np.uint64(0xFFFFFFFF), np.uint64(32)
    for task in prange((rows + per - 1) // per):
        a, b, counts = np.empty(n, np.uint64), np.empty(n, np.uint64), np.empty((1, 1 << digits), np.int64)
        for r in range(task * per, min(rows, task * per + per)):
            row, o = bits[r * n : r * n + n], out[r * n : r * n + n]
            for i in range(n):
                a[i] = (np.uint64(np.uint32(key32(row[i], floating) ^ flip)) << half) | np.uint64(i)
            for first in range(0, 32, digits):
                shift = np.uint64(32 + first)
                count(a, shift, mask, counts[0])
                if counts[0, (a[0] >> shift) & mask] != n:
                    starts(counts)
                    spread(a, shift, mask, counts[0], b)
                    a, b = b, a
            for i in range(n):
                o[i] = a[i] & low


def _order64(bits: Any, n: int, floating: bool, flip: Any, digits: int, out: Any) -> None:
    """The order of each row of n of 64 bits."""
    rows = out.size // n
    per = max(1, BLOCK // n)
    mask = np.uint64((1 << digits) - 1)
    for task in prange((rows + per - 1) // per):
        a, b, p, q = np.empty(n, np.uint64), np.empty(n, np.uint64), np.empty(n, np.int64), np.empty(n, np.int64)
        counts = np.empty((1, 1 << digits), np.int64)
        for r in range(task * per, min(rows, task * per + per)):
            row, o = bits[r * n : r * n + n], out[r * n : r * n + n]
            for i in range(n):
                a[i] = key64(row[i], floating) ^ flip
                p[i] = i
            for first in range(0, 64, digits):
                shift = np.uint64(first)
                count(a, shift, mask, counts[0])
                if counts[0, (a[0] >> shift) & mask] == n:
                    continue
                starts(counts)
                to = counts[0]
                for i in range(n):
                    w = a[i]
                    d = (w >> shift) & mask
                    at = to[d]
                    to[d] = at + 1
                    b[at], q[at] = w, p[i]
                a, b, p, q = b, a, q, p
            o[:] = p


def _words(bits: Any, floating: bool, flip: Any, out: Any) -> None:
    """Key and place of each element of one long row."""
    for task in prange((bits.size + BLOCK - 1) // BLOCK):
        for i in range(task * BLOCK, min(bits.size, task * BLOCK + BLOCK)):
            out[i] = (np.uint64(np.uint32(key32(bits[i], floating) ^ flip)) << np.uint64(32)) | np.uint64(i)


def _pass(words: Any, shift: Any, mask: Any, counts: Any, out: Any) -> None:
    """One digit of one long row, in as many parts as counts (parts, digits) has."""
    parts = counts.shape[0]
    per = (words.size + parts - 1) // parts
    for t in prange(parts):
        count(words[min(words.size, t * per) : min(words.size, t * per + per)], shift, mask, counts[t])
    starts(counts)
    for t in prange(parts):
        spread(words[min(words.size, t * per) : min(words.size, t * per + per)], shift, mask, counts[t], out)


def _places(words: Any, out: Any) -> None:
    for task in prange((out.size + BLOCK - 1) // BLOCK):
        for i in range(task * BLOCK, min(out.size, task * BLOCK + BLOCK)):
            out[i] = words[i] & np.uint64(0xFFFFFFFF)


order32_kernel = Kernel(_order32)
order64_kernel = Kernel(_order64)
words_kernel = Kernel(_words)
pass_kernel = Kernel(_pass)
places_kernel = Kernel(_places)


def argsort(x: Array, descending: bool) -> Array:
    """Stable, along the last axis of a contiguous array of 4- or 8-byte floats or signed integers; int64."""
    single = x.itemsize == 4
    kind = np.uint32 if single else np.uint64
    n = x.shape[-1]
    out = np.empty(x.shape, np.int64)
    bits, flat, floating, flip = x.reshape(-1).view(kind), out.reshape(-1), x.dtype.kind == "f", kind(0)
    if descending:
        flip = ~flip
    digits = 11 if n >= LONG else 8
    cost, parts = COST * x.size, threads.get_num_threads()
    if not single or n < x.size or cost < threads.PARALLEL_NS or parts == 1:
        (order32_kernel if single else order64_kernel)(cost, bits, n, floating, flip, digits, flat)
        return out
    a, b = np.empty(n, np.uint64), np.empty(n, np.uint64)
    words_kernel(cost, bits, floating, flip, a)
    counts = np.empty((parts, 1 << digits), np.int64)
    for first in range(0, 32, digits):
        pass_kernel(cost, a, np.uint64(32 + first), np.uint64((1 << digits) - 1), counts, b)
        a, b = b, a
    places_kernel(cost, a, flat)
    return out
