"""Arithmetic, comparisons and functions of one argument as kernels of our own, for arrays that fill their memory in C order.

CuPy's ufuncs take 4 us of the host's time a call, most of it to find out what fits together; these take half of that. An
operand may be a number, or rows that are repeated (a bias). Everything else goes to CuPy.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...layouts import dense_order
from ..base import UFUNCS
from . import launch
from .launch import I32, I64, register
from .rows import CTYPE, FLOATS, ROWS
from .strided import ARITHMETIC, COMPARISONS, STEPS, pairing, stance

Array = Any

TYPES = (*FLOATS, "long long")

PLACE = r"""
// Where element i of n lies in an array that begins anew after k elements.
__device__ __forceinline__ i64 place(i64 i, i64 k, i64 n) {
    if (k == n) return i;
    return k == 1 ? 0 : split(i, k).rest;
}
"""
TWO = (
    ROWS
    + PLACE
    + r"""
// f on elements of x and y, which begin anew after kx and ky elements.
template <typename T, int V>
__device__ __forceinline__ void operand(const T* x, i64 k, i64 n, i64 i, acc_t<T> first, acc_t<T>* v) {
    if (k == 1) {
        #pragma unroll
        for (int j = 0; j < V; ++j) v[j] = first;
    } else {
        get<T, V>(x + place(i, k, n), v);
    }
}
template <typename U, typename A> struct Result {
    static __device__ __forceinline__ U of(A v) { return from_acc<U>(v); }
};
template <> struct Result<bool, bool> {
    static __device__ __forceinline__ bool of(bool v) { return v; }
};
template <typename T, typename U, typename F>
__device__ __forceinline__ void two(const T* x, const T* y, U* out, i64 n, i64 kx, i64 ky, F f) {
    typedef acc_t<T> A;
    typedef decltype(f(A(), A())) B;
    const int V = 16 / sizeof(T);
    i64 start = blockIdx.x * (i64)blockDim.x + threadIdx.x, stride = (i64)gridDim.x * blockDim.x;
    bool fits = ((u64)out & (V * sizeof(U) - 1)) == 0 && (kx == 1 || (aligned16(x) && (kx == n || kx % V == 0))) &&
                (ky == 1 || (aligned16(y) && (ky == n || ky % V == 0)));
    i64 packs = fits ? n / V : 0;
    A x0 = kx == 1 ? load(x) : A(), y0 = ky == 1 ? load(y) : A();
    #pragma unroll 1
    for (i64 p = start; p < packs; p += stride) {
        A a[V], b[V];
        operand<T, V>(x, kx, n, p * V, x0, a);
        operand<T, V>(y, ky, n, p * V, y0, b);
        Pack<U, V> made;
        #pragma unroll
        for (int j = 0; j < V; ++j) made.v[j] = Result<U, B>::of(f(a[j], b[j]));
        deposit<U, V>(out + p * V, made);
    }
    #pragma unroll 1
    for (i64 i = packs * V + start; i < n; i += stride) {
        out[i] = Result<U, B>::of(f(load(x + place(i, kx, n)), load(y + place(i, ky, n))));
    }
}
"""
)

BINARY = {name: FLOATS if name == "div" else TYPES for name in ARITHMETIC}  # the C types that they take
CHOOSE = r"""
// The pack at i of n elements that begin anew after k; `first` where there is one alone.
template <typename T, int V> __device__ __forceinline__ Pack<T, V> again(const T* x, i64 i, i64 k, i64 n, T first) {
    if (k != 1) return fetch<T, V>(x + place(i, k, n));
    Pack<T, V> pack;
    #pragma unroll
    for (int j = 0; j < V; ++j) pack.v[j] = first;
    return pack;
}
template <typename T>
__global__ void choose(const bool* c, const T* x, const T* y, T* out, i64 n, i64 kc, i64 kx, i64 ky) {
    const int V = 16 / sizeof(T);
    i64 start = blockIdx.x * (i64)blockDim.x + threadIdx.x, stride = (i64)gridDim.x * blockDim.x;
    auto whole = [&](const void* p, i64 k, int bytes) { return k == 1 || ((u64)p % bytes == 0 && (k == n || k % V == 0)); };
    i64 packs = aligned16(out) && whole(c, kc, V) && whole(x, kx, 16) && whole(y, ky, 16) ? n / V : 0;
    bool c0 = *c;
    T x0 = *x, y0 = *y;
    #pragma unroll 1
    for (i64 p = start; p < packs; p += stride) {
        Pack<bool, V> which = again<bool, V>(c, p * V, kc, n, c0);
        Pack<T, V> a = again<T, V>(x, p * V, kx, n, x0), b = again<T, V>(y, p * V, ky, n, y0);
        #pragma unroll
        for (int j = 0; j < V; ++j) if (!which.v[j]) a.v[j] = b.v[j];
        deposit<T, V>(out + p * V, a);
    }
    #pragma unroll 1
    for (i64 i = packs * V + start; i < n; i += stride) {
        out[i] = c[place(i, kc, n)] ? x[place(i, kx, n)] : y[place(i, ky, n)];
    }
}
"""
CONVERT = r"""
template <typename T, typename U> __global__ void convert(const T* x, U* out, i64 n) {
    const int V = 16 / (sizeof(T) > sizeof(U) ? sizeof(T) : sizeof(U));
    i64 start = blockIdx.x * (i64)blockDim.x + threadIdx.x, stride = (i64)gridDim.x * blockDim.x;
    i64 packs = (u64)x % (V * sizeof(T)) == 0 && (u64)out % (V * sizeof(U)) == 0 ? n / V : 0;
    #pragma unroll 1
    for (i64 p = start; p < packs; p += stride) {
        Pack<T, V> from = fetch<T, V>(x + p * V);
        Pack<U, V> to;
        #pragma unroll
        for (int j = 0; j < V; ++j) to.v[j] = from_acc<U>((acc_t<U>)to_acc(from.v[j]));
        deposit<U, V>(out + p * V, to);
    }
    #pragma unroll 1
    for (i64 i = packs * V + start; i < n; i += stride) store(out + i, (acc_t<U>)load(x + i));
}
"""


def _text(name: str, result: str, formula: str) -> str:
    made = "A" if result == "T" else result
    return f"""
template <typename T>
__global__ void two_{name}(const T* x, const T* y, {result}* out, i64 n, i64 kx, i64 ky) {{
    typedef acc_t<T> A;
    two<T, {result}>(x, y, out, n, kx, ky, [](A a, A b) -> {made} {{ return {formula}; }});
}}
"""


for _name, _types in BINARY.items():
    register("two_" + _name, TWO + _text(_name, "T", ARITHMETIC[_name]), [(c,) for c in _types])
for _name, _formula in COMPARISONS.items():
    register("two_" + _name, TWO + _text(_name, "bool", _formula), [(c,) for c in TYPES])
CASTS = [(a, b) for a in FLOATS for b in FLOATS if a != b] + [("bool", "float"), ("long long", "float")]
register("convert", CONVERT, CASTS)
DTYPES = {c: d for d, c in CTYPE.items()}
CONVERSIONS = {(DTYPES[a], DTYPES[b]): ("convert", a, b) for a, b in CASTS if a in DTYPES and b in DTYPES}
register("choose", PLACE + CHOOSE, [(c,) for c in (*TYPES, "bool")])


BOOLS = np.dtype(np.bool_)


def binary(name: str, types: Any, plain: Callable[..., Array], empty: Any, scalar: Any, result: Any = None) -> Any:
    """The kernel for two arrays of one dtype, or an array and a number; `plain` takes what it does not."""
    known = {d: (("two_" + name, c), 16 // d.itemsize, result or d) for d, c in CTYPE.items() if c in types}
    steps, op = STEPS[name]

    def call(x: Array, y: Array) -> Array:
        try:
            dtype, other = x.dtype, y.dtype
        except AttributeError:  # a number in a derivative's rule
            if not hasattr(x, "dtype") or type(y) not in (int, float) or x.dtype.kind != "f":
                return plain(x, y)
            y, dtype = scalar(y, x.dtype), x.dtype
            other = dtype
        found = known.get(dtype)
        if found is None or other is not dtype:
            return plain(x, y)
        key, each, made = found
        shape, n = x.shape, x.size
        if x._c_contiguous and y._c_contiguous and (y.shape == shape or not y.ndim):
            out, count = empty(shape, made), I64[n]
            if n:
                launch.ready[key].over(n, (x, y, out, count, count, count if y.ndim else I64[1]), each)
            return out
        way = pairing(stance(x), stance(y))
        if way is None:
            return plain(x, y)
        shape, back, n, periodic, numbers = way
        out = empty(shape, made)
        if n and periodic:
            launch.ready[key].over(n, (x, y, out, *numbers), each)
        elif n:
            launch.ready[steps, key[1]].over(n, (x, y, out, I32[op], *numbers))
        return out if back is None else out.transpose(back)

    def into(x: Array, y: Array, out: Array) -> Array | None:
        """The result in `out`, which is x; None if it takes another way. y has the shape of x, or no dimensions."""
        found, apart = known.get(x.dtype), y.data.ptr - x.data.ptr
        late = -y.nbytes < apart < x.nbytes and (apart or y.size != x.size)  # what is written might be read afterwards
        if found is None or late or not (x._c_contiguous and y._c_contiguous):
            return None
        n = x.size
        if n:
            launch.ready[found[0]].over(n, (x, y, x, I64[n], I64[n], I64[y.size]), found[1])
        return x

    if result is None:
        call.into = into  # type: ignore[attr-defined]
    return call


def ordered(plain: Callable[..., Array]) -> Callable[..., Array]:
    """A ufunc whose result lies in memory as its first whole operand does; CuPy's own lies in C order."""

    def call(*args: Array, **options: Any) -> Array:
        arrays = [a for a in args if hasattr(a, "_c_contiguous")]
        ndim = max([a.ndim for a in arrays], default=0)
        if ndim < 2 or options:
            return plain(*args, **options)
        size = max([a.size for a in arrays])
        first = next((a for a in arrays if a.ndim == ndim and a.size == size), None)
        order = None if first is None or first._c_contiguous else dense_order(first)
        if order is None:
            return plain(*args)
        moved = [
            a.reshape((1,) * (ndim - a.ndim) + a.shape).transpose(order) if getattr(a, "ndim", 0) else a for a in args
        ]
        return plain(*moved).transpose([order.index(i) for i in range(ndim)])

    return call


def chooser(plain: Callable[..., Array], empty: Any) -> Any:
    """where() for a condition and two arrays of one dtype, any of which may be a number or rows."""
    known = {d: ("choose", c) for d, c in CTYPE.items() if c in (*TYPES, "bool")}

    def call(condition: Array, x: Array, y: Array) -> Array:
        try:
            key = known.get(x.dtype)
            fits = key is not None and y.dtype is x.dtype and condition.dtype is BOOLS
        except AttributeError:
            return plain(condition, x, y)
        if key is None or not fits:
            return plain(condition, x, y)
        shape, n = x.shape, x.size
        if condition.shape == shape == y.shape and condition._c_contiguous and x._c_contiguous and y._c_contiguous:
            back, periodic, numbers = None, True, (I64[n],) * 4
        else:
            found = pairing(stance(condition), stance(x), stance(y))
            if found is None:
                return plain(condition, x, y)
            shape, back, n, periodic, numbers = found
        out = empty(shape, x.dtype)
        if n and periodic:
            launch.ready[key].over(n, (condition, x, y, out, *numbers), 16 // x.dtype.itemsize)
        elif n:
            launch.ready["choose_steps", key[1]].over(n, (condition, x, y, out, *numbers))
        return out if back is None else out.transpose(back)

    return call


class ElementwiseKernels:
    """Mixed into CupyBackend; `_bind_elementwise` puts them in place of CuPy's ufuncs."""

    xp: Any
    empty: Any
    scalar: Any

    def cast(self, x: Array, dtype: Any) -> Array:
        key = CONVERSIONS.get((x.dtype, dtype))
        if key is None or not x._c_contiguous:
            return super().cast(x, dtype)  # type: ignore[misc]
        out, n = self.empty(x.shape, dtype), x.size
        if n:
            launch.ready[key].over(n, (x, out, I64[n]), 16 // max(x.dtype.itemsize, dtype.itemsize))
        return out

    def _bind_elementwise(self) -> None:
        xp, empty, scalar = self.xp, self.empty, self.scalar
        for name, types in BINARY.items():
            setattr(self, name, binary(name, types, ordered(getattr(xp, UFUNCS[name])), empty, scalar))
        for name in COMPARISONS:
            plain = ordered(getattr(xp, UFUNCS[name]))
            setattr(self, name, binary(name, TYPES, plain, empty, scalar, BOOLS))
        self.where = chooser(ordered(xp.where), empty)
        for name, ufunc in UFUNCS.items():
            if vars(self).get(name) is getattr(xp, ufunc) and name not in ("asarray", "empty", "zeros"):
                setattr(self, name, ordered(getattr(xp, ufunc)))
