"""Pointwise kernels that layers use, one launch each: their texts are made from one table of formulas.

Arrays that fill their memory are read in its order, 16 bytes at a time; others are copied first.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from ...layouts import memory_order
from ..activations import ROOT_2_OVER_PI, ROOT_HALF, TANH_GELU
from ..base import UFUNCS
from . import launch
from .rows import CTYPE, FLOATS, HALVES, ROWS, SINGLE

Array = Any


MAP = (
    ROWS
    + rf"""
// f on n elements of N arrays, where `step` is 0 for an array of one element.
template <typename T, int N, typename F>
__device__ __forceinline__ void map(const T* const (&in)[N], T* out, i64 n, F f) {{
    typedef acc_t<T> A;
    const int V = 16 / sizeof(T);
    i64 start = blockIdx.x * (i64)blockDim.x + threadIdx.x, stride = (i64)gridDim.x * blockDim.x;
    bool fits = aligned16(out);
    #pragma unroll
    for (int a = 0; a < N; ++a) fits = fits && aligned16(in[a]);
    i64 packs = fits ? n / V : 0;
    #pragma unroll 1
    for (i64 p = start; p < packs; p += stride) {{
        A v[N][V];
        #pragma unroll
        for (int a = 0; a < N; ++a) get<T, V>(in[a] + p * V, v[a]);
        #pragma unroll
        for (int j = 0; j < V; ++j) {{
            A e[N];
            #pragma unroll
            for (int a = 0; a < N; ++a) e[a] = v[a][j];
            v[0][j] = f(e);
        }}
        put<T, V>(out + p * V, v[0]);
    }}
    #pragma unroll 1
    for (i64 i = packs * V + start; i < n; i += stride) {{
        A e[N];
        #pragma unroll
        for (int a = 0; a < N; ++a) e[a] = load(in[a] + i);
        store(out + i, f(e));
    }}
}}
template <typename A> __device__ __forceinline__ A sigmoid(A x) {{ return 1 / (1 + exp(-x)); }}
template <typename A> __device__ __forceinline__ A normal_cdf(A x) {{ return (A)0.5 * erfc(x * (A){-ROOT_HALF!r}); }}
// For 16 bits erf does, which takes a third of the instructions; it loses digits of what is next to 0.
template <typename T> __device__ __forceinline__ acc_t<T> gelu_cdf(acc_t<T> x) {{
    if constexpr (sizeof(T) == 2) return 0.5f + 0.5f * erff(x * {ROOT_HALF!r}f);
    else return normal_cdf(x);
}}
template <typename A> __device__ __forceinline__ A density(A x) {{ return exp(x * x * (A)-0.5) * (A)0.3989422804014327; }}
// NaN stays.
template <typename A> __device__ __forceinline__ A between(A x, A lo, A hi) {{
    x = x < lo ? lo : x;
    return x > hi ? hi : x;
}}
// Of the divisor's sign. CuPy's own, x - floor(x / y) * y, is not exact, and NaN for an infinite y.
template <typename A> __device__ __forceinline__ A modulo(A x, A y) {{
    A m = fmod(x, y);
    return m != 0 && (m < 0) != (y < 0) ? m + y : m;
}}
template <typename A> __device__ __forceinline__ A quotient_below(A x, A y) {{
    if (y == 0) return x / y;
    A m = fmod(x, y), q = (x - m) / y;
    if (m != 0 && (m < 0) != (y < 0)) q -= 1;
    if (q == 0) return copysign((A)0, x / y);
    A f = floor(q);
    return q - f > (A)0.5 ? f + 1 : f;
}}
template <typename A> __device__ __forceinline__ A soft_plus(A x) {{ return (x > 0 ? x : (A)0) + log1p(exp(-fabs(x))); }}
// (1 + tanh(u)) / 2, the slope of u by its side
template <typename A> __device__ __forceinline__ A tanh_half(A x) {{
    return sigmoid(x * ((A){2 * ROOT_2_OVER_PI!r} + (A){2 * ROOT_2_OVER_PI * TANH_GELU!r} * (x * x)));
}}
"""
)

# name: (arrays, numbers, formula, C types). 16-bit floats where the base backend rounds once, or where the front leaves
# it to the kernel (see takes_half).
TABLE: dict[str, tuple[str, str, str, tuple[str, ...]]] = {
    "relu": ("x", "", "x <= 0 ? (A)0 : x", FLOATS),
    "relu_backward": ("g y", "", "y <= 0 ? (A)0 : g", FLOATS),
    "sigmoid": ("x", "", "sigmoid(x)", FLOATS),
    "sigmoid_backward": ("g y", "", "g * ((1 - y) * y)", FLOATS),
    "tanh_backward": ("g y", "", "g * (1 - y * y)", FLOATS),
    "normal_cdf": ("x", "", "normal_cdf(x)", FLOATS),
    "gelu": ("x", "", "x * gelu_cdf<T>(x)", FLOATS),
    "gelu_backward": ("g x", "", "g * (gelu_cdf<T>(x) + x * density(x))", FLOATS),
    "gelu_tanh": ("x", "", "x * tanh_half(x)", FLOATS),
    "gelu_tanh_backward": (
        "g x", "", f"g * (tanh_half(x) * (1 + x * (1 - tanh_half(x)) * ((A){2 * ROOT_2_OVER_PI!r} + "
        f"(A){6 * ROOT_2_OVER_PI * TANH_GELU!r} * (x * x))))", FLOATS,
    ),
    "silu": ("x", "", "x * sigmoid(x)", FLOATS),
    "silu_backward": ("g x", "", "g * (sigmoid(x) * (1 + x * (1 - sigmoid(x))))", FLOATS),
    "mish": ("x", "", "x * tanh(soft_plus(x))", SINGLE),
    "elu": (
        "x", "alpha scale input_scale", "x <= 0 ? expm1(x * input_scale) * (alpha * scale) : x * scale", SINGLE,
    ),
    "leaky_relu": ("x", "slope", "x > 0 ? x : x * slope", SINGLE),
    "softplus": ("x", "beta threshold", "x * beta > threshold ? x : log1p(exp(x * beta)) / beta", SINGLE),
    "log_sigmoid": ("x", "", "-soft_plus(-x)", SINGLE),
    "hardtanh": ("x", "lo hi", "between(x, lo, hi)", SINGLE),
    "hardsigmoid": ("x", "", "between(x + 3, (A)0, (A)6) / 6", SINGLE),
    "hardswish": ("x", "", "x * between(x + 3, (A)0, (A)6) / 6", SINGLE),
    "hardshrink": ("x", "lambd", "x >= -lambd && x <= lambd ? (A)0 : x", SINGLE),
    "softshrink": ("x", "lambd", "x > lambd ? x - lambd : x < -lambd ? x + lambd : x * 0", SINGLE),
    "threshold_": ("x", "limit value", "x <= limit ? value : x", SINGLE),
    "soft_hinge": ("x", "", "soft_plus(-x)", FLOATS),
    "bce_logits": ("x t", "", "(1 - t) * x + soft_plus(-x)", SINGLE),
    "smooth_l1": ("d", "beta", "fabs(d) < beta ? (A)0.5 * d * d / beta : fabs(d) - (A)0.5 * beta", FLOATS),
    "binary_cross_entropy": (
        "x t", "", "(t - 1) * (log1p(-x) < -100 ? (A)-100 : log1p(-x)) - t * (log(x) < -100 ? (A)-100 : log(x))", FLOATS,
    ),
    "square_error": ("x t", "", "(x - t) * (x - t)", SINGLE),
    "clamp_between": ("x", "lo hi", "between(x, lo, hi)", FLOATS),
    "remainder": ("x y", "", "modulo(x, y)", FLOATS),
    "floor_divide": ("x y", "", "quotient_below(x, y)", FLOATS),
    "mul_number": ("x", "value", "x * value", HALVES), "div_number": ("x", "value", "x / value", HALVES),
    "add_times": ("x y", "alpha", "x + alpha * y", HALVES),
    "lerp_number": (
        "x y", "weight", "fabs(weight) < (A)0.5 ? x + weight * (y - x) : y - (y - x) * (1 - weight)", HALVES,
    ),
    "neg": ("x", "", "-x", FLOATS), "abs": ("x", "", "fabs(x)", FLOATS), "sqrt": ("x", "", "sqrt(x)", FLOATS),
    "exp": ("x", "", "exp(x)", FLOATS), "expm1": ("x", "", "expm1(x)", FLOATS), "log": ("x", "", "log(x)", FLOATS),
    "log1p": ("x", "", "log1p(x)", FLOATS), "tanh": ("x", "", "tanh(x)", FLOATS),
}  # fmt: skip

# name: (parameters beside T, the arrays and the value of each in element j of the pack at i, the value of the result);
# arrays of several dtypes or lengths
APART = {
    "masked_scale": (
        "const T* x, const bool* mask, T* out, i64 n, acc_t<T> scale", {"x": "T", "mask": "bool"},
        "x * (mask ? scale : (A)0)",
    ),
    "mse_loss_backward": (
        "const T* g, const T* x, const T* t, T* out, i64 n, i64 step, acc_t<T> scale", {"x": "T", "t": "T"},
        "(x - t) * (load(g_ + i * step) * scale)",
    ),
    "move_average": (
        "T* out, const T* value, i64 n, acc_t<T> keep, acc_t<T> rate", {"out": "T", "value": "T"},
        "out * keep + value * rate",
    ),
}  # fmt: skip


def _text(name: str, arrays: str, numbers: str, formula: str) -> str:
    """The kernel of a formula."""
    names, values = arrays.split(), numbers.split()
    parameters = [*(f"const T* {a}_" for a in names), "T* out", "i64 n", *(f"acc_t<T> {v}" for v in values)]
    elements = " ".join(f"A {a} = e[{k}];" for k, a in enumerate(names))
    return f"""
template <typename T>
__global__ void {name}({", ".join(parameters)}) {{
    typedef acc_t<T> A;
    const T* in[] = {{{", ".join(a + "_" for a in names)}}};
    map<T, {len(names)}>(in, out, n, [=](const A (&e)[{len(names)}]) -> A {{ {elements} return {formula}; }});
}}
"""


for _name, (_arrays, _numbers, _formula, _types) in TABLE.items():
    launch.register("map_" + _name, MAP + _text("map_" + _name, _arrays, _numbers, _formula), [(c,) for c in _types])


def _text_apart(name: str, parameters: str, arrays: dict[str, str], formula: str) -> str:
    """The kernel of a formula on arrays of several dtypes: 16 bytes of T at a time, then single elements."""
    renamed = re.sub(r"(\* )(\w+)", r"\1\2_", parameters)
    fits = " && ".join(f"(u64){a}_ % (V * sizeof({c})) == 0" for a, c in {**arrays, "out": "T"}.items())
    packs = " ".join(f"{c} {a}s[V]; get_as<{c}, V>({a}_ + p * V, {a}s);" for a, c in arrays.items())
    values = " ".join(f"auto {a} = to_acc({a}s[j]);" for a in arrays)
    single = " ".join(f"auto {a} = to_acc({a}_[i]);" for a in arrays)
    return f"""
template <typename C, int V> __device__ __forceinline__ void get_as(const C* p, C (&v)[V]) {{
    Pack<C, V> pack = fetch<C, V>(p);
    #pragma unroll
    for (int j = 0; j < V; ++j) v[j] = pack.v[j];
}}
template <typename T>
__global__ void {name}({renamed}) {{
    typedef acc_t<T> A;
    const int V = 16 / sizeof(T);
    i64 start = blockIdx.x * (i64)blockDim.x + threadIdx.x, stride = (i64)gridDim.x * blockDim.x;
    i64 packs = {fits} ? n / V : 0;
    #pragma unroll 1
    for (i64 p = start; p < packs; p += stride) {{
        {packs}
        A to[V];
        #pragma unroll
        for (int j = 0; j < V; ++j) {{ i64 i = p * V + j; {values} to[j] = {formula}; }}
        put<T, V>(out_ + p * V, to);
    }}
    #pragma unroll 1
    for (i64 i = packs * V + start; i < n; i += stride) {{ {single} store(out_ + i, {formula}); }}
}}
"""


for _name, (_parameters, _parts, _formula) in APART.items():
    _made = _text_apart("map_" + _name, _parameters, _parts, _formula)
    launch.register("map_" + _name, ROWS + _made, [(c,) for c in (FLOATS if _name == "masked_scale" else SINGLE)])


SQUARES = r"""
// The sum of (x - t)^2 over `count`, by one block; of several blocks each leaves its own in parts.
template <typename T>
__global__ void mse_loss(const T* x, const T* t, T* parts, T* out, i64 n, T count) {
    const int V = 16 / sizeof(T);
    i64 start = blockIdx.x * (i64)blockDim.x + threadIdx.x, stride = (i64)gridDim.x * blockDim.x;
    i64 packs = aligned16(x) && aligned16(t) ? n / V : 0;
    T sum = 0;
    #pragma unroll 1
    for (i64 p = start; p < packs; p += stride) {
        T a[V], b[V];
        get<T, V>(x + p * V, a);
        get<T, V>(t + p * V, b);
        #pragma unroll
        for (int j = 0; j < V; ++j) sum += (a[j] - b[j]) * (a[j] - b[j]);
    }
    #pragma unroll 1
    for (i64 i = packs * V + start; i < n; i += stride) sum += (x[i] - t[i]) * (x[i] - t[i]);
    sum = block_sum(sum);
    if (threadIdx.x == 0) *(gridDim.x == 1 ? out : parts + blockIdx.x) = gridDim.x == 1 ? sum / count : sum;
}
"""
SQUARES_END = r"""
template <typename T> __global__ void mse_loss_end(const T* parts, T* out, i64 n, T count) {
    T sum = 0;
    for (i64 i = threadIdx.x; i < n; i += blockDim.x) sum += parts[i];
    sum = block_sum(sum);
    if (threadIdx.x == 0) *out = sum / count;
}
"""
launch.register("mse_loss", ROWS + SQUARES, [(c,) for c in SINGLE])
launch.register("mse_loss_end", SQUARES_END, [(c,) for c in SINGLE])


def _method(name: str) -> Any:
    """The kernel as the base backend calls it: arrays, then numbers."""
    count, types = len(TABLE[name][0].split()), TABLE[name][3]
    known = {d: ("map_" + name, c) for d, c in CTYPE.items() if c in types}

    def other(self: CudaPointwise, *args: Any) -> Array:
        if name in UFUNCS:
            return getattr(self.xp, UFUNCS[name])(*args)
        return getattr(super(CudaPointwise, self), name)(*args)

    def one(self: CudaPointwise, x: Array, *numbers: Any) -> Array:
        key = known.get(x.dtype)
        if key is None:
            return other(self, x, *numbers)
        if numbers or not x._c_contiguous:
            return self._map(key, [x], numbers)
        out = self.empty(x.shape, x.dtype)
        self._map_one(key, x, out)
        return out

    def more(self: CudaPointwise, *args: Any) -> Array:
        arrays = args[:count]
        key = known.get(arrays[0].dtype)
        if key is None or arrays[0].dtype != arrays[1].dtype or arrays[0].shape != arrays[1].shape:
            return other(self, *args)
        return self._map(key, list(arrays), args[count:])

    method = one if count == 1 else more
    method.__name__ = name
    return method


def _division(name: str) -> Any:
    def method(self: CudaPointwise, x: Array, y: Array) -> Array:
        if CTYPE.get(x.dtype) not in FLOATS or x.dtype != y.dtype:
            return getattr(super(CudaPointwise, self), name)(x, y)
        if x.shape != y.shape:
            x, y = (self.contiguous(a) for a in self.xp.broadcast_arrays(x, y))
        return self._map(("map_" + name, CTYPE[x.dtype]), [x, y], ())

    method.__name__ = name
    return method


class CudaPointwise:
    """Mixed into CupyBackend."""

    xp: Any
    empty: Any
    contiguous: Any

    def _alike(self, arrays: list[Array]) -> tuple[list[Array], tuple[int, ...] | None]:
        """Arrays of one shape that fill their memory, with the axes in the order that the first one has them in; that order."""
        first = arrays[0]
        order = None if first._c_contiguous or not first.size else memory_order(first.shape, first.strides)
        if order is not None:
            arrays = [a.transpose(order) for a in arrays]
        return [self.contiguous(a) for a in arrays], order

    def _map(self, key: tuple[str, str], arrays: list[Array], numbers: tuple[Any, ...]) -> Array:
        order = None
        for a in arrays:
            if not a._c_contiguous:
                arrays, order = self._alike(arrays)
                break
        x = arrays[0]
        out, n = self.empty(x.shape, x.dtype), x.size
        if n:
            kind = launch.floats(x.dtype)
            args = (*arrays, out, launch.I64[n], *[kind[v] for v in numbers])
            launch.ready[key].over(n, args, 16 // x.dtype.itemsize)
        return out if order is None else out.transpose([order.index(i) for i in range(len(order))])

    def _map_one(self, key: tuple[str, str], x: Array, out: Array) -> None:
        if x.size:
            launch.ready[key].over(x.size, (x, out, launch.I64[x.size]), 16 // x.dtype.itemsize)

    def _apart(self, name: str, n: int, args: tuple[Any, ...], dtype: Any) -> None:
        if n:
            launch.kernel("map_" + name, CTYPE[dtype]).over(n, args, 16 // dtype.itemsize)

    relu, relu_backward, sigmoid = _method("relu"), _method("relu_backward"), _method("sigmoid")
    sigmoid_backward, tanh_backward = _method("sigmoid_backward"), _method("tanh_backward")
    normal_cdf, gelu, gelu_backward = _method("normal_cdf"), _method("gelu"), _method("gelu_backward")
    gelu_tanh, gelu_tanh_backward = _method("gelu_tanh"), _method("gelu_tanh_backward")
    silu, silu_backward, mish, elu = _method("silu"), _method("silu_backward"), _method("mish"), _method("elu")
    leaky_relu, softplus, log_sigmoid = _method("leaky_relu"), _method("softplus"), _method("log_sigmoid")
    hardtanh, hardsigmoid, hardswish = _method("hardtanh"), _method("hardsigmoid"), _method("hardswish")
    hardshrink, softshrink, threshold_ = _method("hardshrink"), _method("softshrink"), _method("threshold_")
    soft_hinge, bce_logits, smooth_l1 = _method("soft_hinge"), _method("bce_logits"), _method("smooth_l1")
    binary_cross_entropy = _method("binary_cross_entropy")
    remainder, floor_divide = _division("remainder"), _division("floor_divide")
    div_floor = floor_divide
    neg, abs, sqrt, exp, expm1 = _method("neg"), _method("abs"), _method("sqrt"), _method("exp"), _method("expm1")
    mul_number, div_number = _method("mul_number"), _method("div_number")
    add_times, lerp_number = _method("add_times"), _method("lerp_number")
    log, log1p, tanh = _method("log"), _method("log1p"), _method("tanh")

    def relu_within(self, x: Array) -> None:
        c = CTYPE.get(x.dtype)
        if c not in FLOATS or not x._c_contiguous:
            super().relu_within(x)  # type: ignore[misc]
        else:
            self._map_one(("map_relu", c), x, x)

    def clamp(self, x: Array, lo: Any, hi: Any) -> Array:
        if CTYPE.get(x.dtype) not in FLOATS or lo != lo or hi != hi:
            return super().clamp(x, lo, hi)  # type: ignore[misc]
        bounds = (-np.inf if lo is None else lo, np.inf if hi is None else hi)
        if x.dtype.itemsize == 2:
            bounds = tuple([x.dtype.type(v) for v in bounds])
        return self._map(("map_clamp_between", CTYPE[x.dtype]), [x], bounds)

    def masked_scale(self, x: Array, mask: Array, scale: float) -> Array:
        if CTYPE.get(x.dtype) not in FLOATS or mask.shape != x.shape or mask.dtype != np.bool_:
            return super().masked_scale(x, mask, scale)  # type: ignore[misc]
        x, mask = self.contiguous(x), self.contiguous(mask)
        out = self.xp.empty(x.shape, x.dtype)
        factor = launch.floats(x.dtype)[x.dtype.type(scale)]
        self._apart("masked_scale", x.size, (x, mask, out, *launch.i64(x.size), factor), x.dtype)
        return out

    def mse_loss(self, x: Array, t: Array, reduction: int) -> Array:
        if CTYPE.get(x.dtype) not in SINGLE or x.dtype != t.dtype or x.shape != t.shape or not x.size:
            return super().mse_loss(x, t, reduction)  # type: ignore[misc]
        if reduction == 0:
            return self._map(("map_square_error", CTYPE[x.dtype]), [x, t], ())
        x, t = self.contiguous(x), self.contiguous(t)
        n, ctype, out = x.size, CTYPE[x.dtype], self.xp.empty((), x.dtype)
        blocks, count = min(-(-n // 8192), 1024), launch.floats(x.dtype)[n if reduction == 1 else 1]
        parts = self.xp.empty(blocks, x.dtype)
        launch.kernel("mse_loss", ctype)((blocks,), (256,), (x, t, parts, out, *launch.i64(n), count))
        if blocks > 1:
            launch.kernel("mse_loss_end", ctype)((1,), (256,), (parts, out, *launch.i64(blocks), count))
        return out

    def mse_loss_backward(self, g: Array, x: Array, t: Array, reduction: int) -> Array:
        fits = x.dtype == t.dtype == g.dtype and x.shape == t.shape and (g.size == 1 or g.shape == x.shape)
        if CTYPE.get(x.dtype) not in SINGLE or not fits:
            return super().mse_loss_backward(g, x, t, reduction)  # type: ignore[misc]
        g, x, t = (self.contiguous(a) for a in (g, x, t))
        out, scale = (
            self.xp.empty(x.shape, x.dtype),
            launch.floats(x.dtype)[2 / max(x.size, 1) if reduction == 1 else 2],
        )
        self._apart(
            "mse_loss_backward", x.size, (g, x, t, out, *launch.i64(x.size, 0 if g.size == 1 else 1), scale), x.dtype
        )
        return out

    def move_average(self, running: Array, value: Array, keep: float, rate: float) -> None:
        dtype = running.dtype
        fits = value.dtype == dtype and value.size == running.size and running.flags.c_contiguous
        if CTYPE.get(dtype) not in SINGLE or not fits:
            return super().move_average(running, value, keep, rate)  # type: ignore[misc, no-any-return]
        kind = launch.floats(dtype)
        args = (running, self.contiguous(value), *launch.i64(running.size), kind[keep], kind[rate])
        return self._apart("move_average", running.size, args, dtype)
