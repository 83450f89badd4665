"""Copies and arithmetic of arrays that lie in memory with steps: transposed, cut out, or broadcast. Up to four dimensions,
once neighbours are joined; CuPy takes the rest.
"""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import Any

import numpy as np

from ...layouts import memory_order
from .gemm import MOST_DIMS, flat, merged
from .launch import CTYPES, i64, register
from .rows import FLOATS

Array = Any
Ints = tuple[int, ...]

# by their alignment
WORDS = {1: "unsigned char", 2: "unsigned short", 4: "unsigned int", 8: "uint2", 16: "uint4"}
ARITHMETIC = {"add": "a + b", "sub": "a - b", "mul": "a * b", "div": "a / b",
              "maximum": "a > b || a != a ? a : b", "minimum": "a < b || a != a ? a : b"}  # fmt: skip
COMPARISONS = {"eq": "a == b", "ne": "a != b", "lt": "a < b", "le": "a <= b", "gt": "a > b", "ge": "a >= b"}

AT = r"""
struct Steps { i64 s0, s1, s2, s3; };
// The coordinates of element i of (.., n1, n2, n3), and where an array has it.
struct Place {
    i64 c0, c1, c2, c3;
    __device__ __forceinline__ Place(i64 i, i64 n1, i64 n2, i64 n3) {
        Split c = split(i, n3), b = split(c.quotient, n2), a = split(b.quotient, n1);
        c0 = a.quotient; c1 = a.rest; c2 = b.rest; c3 = c.rest;
    }
    __device__ __forceinline__ i64 in(Steps s) const { return c0 * s.s0 + c1 * s.s1 + c2 * s.s2 + c3 * s.s3; }
};
"""
MOVE = r"""
template <typename W>
__global__ void move_steps(const void* from, void* to, i64 n, i64 n1, i64 n2, i64 n3, i64 f0, i64 f1, i64 f2, i64 f3,
                           i64 t0, i64 t1, i64 t2, i64 t3) {
    #pragma unroll 1
    for (i64 i = blockIdx.x * (i64)blockDim.x + threadIdx.x; i < n; i += (i64)gridDim.x * blockDim.x) {
        Place at(i, n1, n2, n3);
        reinterpret_cast<W*>(to)[at.in({t0, t1, t2, t3})] = reinterpret_cast<const W*>(from)[at.in({f0, f1, f2, f3})];
    }
}
"""
CHOOSE = r"""
template <typename T>
__global__ void choose_steps(const bool* c, const T* x, const T* y, T* out, i64 n, i64 n1, i64 n2, i64 n3,
                             i64 c0, i64 c1, i64 c2, i64 c3, i64 x0, i64 x1, i64 x2, i64 x3, i64 y0, i64 y1, i64 y2, i64 y3) {
    #pragma unroll 1
    for (i64 i = blockIdx.x * (i64)blockDim.x + threadIdx.x; i < n; i += (i64)gridDim.x * blockDim.x) {
        Place at(i, n1, n2, n3);
        out[i] = c[at.in({c0, c1, c2, c3})] ? x[at.in({x0, x1, x2, x3})] : y[at.in({y0, y1, y2, y3})];
    }
}
"""


def _two(name: str, result: str, formulas: Any, make: str) -> str:
    """The kernel of a few formulas: one of them for all elements of a launch."""
    cases = " ".join(f"case {k}: v = {f}; break;" for k, f in enumerate(formulas))
    return f"""
template <typename T>
__global__ void {name}(const T* x, const T* y, {result}* out, int op, i64 n, i64 n1, i64 n2, i64 n3,
                       i64 x0, i64 x1, i64 x2, i64 x3, i64 y0, i64 y1, i64 y2, i64 y3) {{
    typedef acc_t<T> A;
    #pragma unroll 1
    for (i64 i = blockIdx.x * (i64)blockDim.x + threadIdx.x; i < n; i += (i64)gridDim.x * blockDim.x) {{
        Place at(i, n1, n2, n3);
        A a = load(x + at.in({{x0, x1, x2, x3}})), b = load(y + at.in({{y0, y1, y2, y3}}));
        {"A" if result == "T" else result} v = 0;
        switch (op) {{ {cases} }}
        {make};
    }}
}}
"""


register("move_steps", AT + MOVE, [(w,) for w in WORDS.values()])
_TYPES = [(c,) for c in (*FLOATS, CTYPES["int64"])]
register("steps_two", AT + _two("steps_two", "T", ARITHMETIC.values(), "store(out + i, v)"), _TYPES)
register("steps_compare", AT + _two("steps_compare", "bool", COMPARISONS.values(), "out[i] = v"), _TYPES)
register("choose_steps", AT + CHOOSE, [*_TYPES, ("bool",)])
STEPS = {name: ("steps_two", k) for k, name in enumerate(ARITHMETIC)}
STEPS |= {name: ("steps_compare", k) for k, name in enumerate(COMPARISONS)}


def word(*places: int) -> int:
    """The most bytes, up to 16, by which addresses and lengths can be counted."""
    bits = 16
    for place in places:
        bits |= place
    return bits & -bits


def _numbers(dims: list[tuple[int, Ints]], sizes: Ints) -> tuple[Any, ...] | None:
    """The arguments n, n1, n2, n3 and each array's strides, counted in the bytes that `sizes` gives for it."""
    if len(dims) > MOST_DIMS or any(s % size for _, steps in dims for s, size in zip(steps, sizes, strict=True)):
        return None
    counts, strides = flat(tuple([(n, *s) for n, s in dims]), len(sizes))
    return i64(prod(counts), *counts[1:], *[s // size for own, size in zip(strides, sizes, strict=True) for s in own])


@lru_cache(4096)
def route(shape: Ints, come: Ints, go: Ints, itemsize: int, places: int) -> Any:
    """How to copy from strides (in bytes) to strides, at addresses that are multiples of `places`: (kernel, words, arguments,
    and the bytes over which each array extends). None for what is left to CuPy."""
    dims: list[tuple[int, Ints]] = sorted(
        ((n, (f, t)) for n, f, t in zip(shape, come, go, strict=True) if n > 1), key=lambda d: -d[1][1]
    )
    if any(f < 0 or t <= 0 for _, (f, t) in dims):
        return None
    reach = tuple(sum((n - 1) * s[k] for n, s in dims) + itemsize for k in (0, 1))
    dims, size = merged(dims), itemsize
    if dims and dims[-1][1] == (itemsize, itemsize):  # whole pieces
        n = dims.pop()[0] * itemsize
        size = word(places, n, *[s for _, steps in dims for s in steps])
        dims.append((n // size, (size, size)))
    numbers = _numbers(dims, (size, size))
    if numbers is None or word(places, size) != size:
        return None
    return ("move_steps", WORDS[size]), prod([n for n, _ in dims]), numbers, reach


def period(dims: list[tuple[int, Ints]], k: int, size: int) -> int:
    """The elements (of `size` bytes) after which array k begins anew, gone over in the order of dims; 0 for other layouts."""
    n, inner = 1, True
    for count, steps in reversed(dims):
        if inner and steps[k] == n * size:
            n *= count
        elif steps[k] == 0:
            inner = False
        else:
            return 0
    return n


@lru_cache(4096)
def pairing(*arrays: tuple[Ints, Ints, int]) -> Any:
    """How to go over arrays of (shape, strides, bytes of an element) that are broadcast: (the shape in memory of a result that
    lies there as the first whole operand does, its axes or None, elements, whether each array begins anew after some elements,
    the arguments: n and these numbers, or n, sizes and strides). None for what is left to CuPy."""
    shape = np.broadcast_shapes(*[a[0] for a in arrays])
    ndim, size = len(shape), prod(shape)
    steps = []
    for own, strides, _ in arrays:
        found = [0 if n == 1 else s for n, s in zip(own, strides, strict=True)]
        steps.append([0] * (ndim - len(own)) + found)
    whole = next((a for a in arrays if len(a[0]) == ndim and prod(a[0]) == size), None)
    order = memory_order(whole[0], whole[1]) if whole and size else None
    axes = order or tuple(range(ndim))
    dims = merged([(shape[i], tuple([s[i] for s in steps])) for i in axes])
    periods = [period(dims, k, a[2]) for k, a in enumerate(arrays)]
    numbers = i64(size, *periods) if all(periods) else _numbers(dims, tuple([a[2] for a in arrays]))
    back = None if order is None else tuple([order.index(i) for i in range(ndim)])
    return None if numbers is None else (tuple([shape[i] for i in axes]), back, size, all(periods), numbers)


def stance(x: Array) -> tuple[Ints, Ints, int]:
    """(shape, strides, bytes of an element), as `pairing` and attention's `reading` take arrays."""
    return x.shape, x.strides, x.dtype.itemsize
