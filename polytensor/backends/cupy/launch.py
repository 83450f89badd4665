"""CUDA kernels of our own: a register of sources, compiled when a kernel is first called.

A family registers its `__global__` functions at import. `kernel(name, *types)` hands out a callable for one tuple of C
types: (grid, block, args, shared_mem=0), where args are cupy arrays, or numbers of exactly the C parameter's type: I64[n],
F32[x], ..., or, for what seldom comes again, Python's int for 64 bits, or NumPy's scalars, which cost more.
`over(n, args, each=1)` is the short way for loops over elements.
CuPy checks none of it: a wrong type reads garbage (tests/cuda_emulator.py does check). The driver refuses a grid of 0
blocks, so leave out the launch for empty arrays. Tables of addresses are declared T* const*.
A thread may take 255 registers: kernels for blocks of more than 256 threads say so by __launch_bounds__.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np

__all__ = [
    "BOOL", "CTYPES", "F32", "F64", "I32", "I64", "KERNELS", "NAMES", "PRELUDE", "STATIC_SHARED", "U32", "U64", "Ready", "code",
    "expression", "floats", "i64", "kernel", "ready", "register",
]  # fmt: skip

CTYPES = {
    "float32": "float", "float64": "double", "float16": "__half", "bfloat16": "__nv_bfloat16", "bool": "bool",
    "int8": "signed char", "int16": "short", "int32": "int", "int64": "long long", "uint8": "unsigned char",
    "uint16": "unsigned short", "uint32": "unsigned int", "uint64": "unsigned long long",
    "complex64": "Complex<float>", "complex128": "Complex<double>",
}  # fmt: skip


class _Names(dict[Any, str]):
    def __missing__(self, dtype: Any) -> str:
        self[dtype] = name = str(np.dtype(dtype))
        return name


NAMES = _Names()  # of dtypes, for str(dtype) takes 2 us
MOST_THREADS = 1 << 24  # in a launch of `over`
STATIC_SHARED = 48 << 10  # bytes of shared memory that a launch may ask for without leave
OPTIONS = ("-std=c++17",)

PRELUDE = r"""
#include <cuda_fp16.h>
#include <cuda_bf16.h>
typedef long long i64;
typedef unsigned long long u64;

// NVRTC has no math.h
#ifndef INFINITY
#define INFINITY __int_as_float(0x7f800000)
#endif
#ifndef NAN
#define NAN __int_as_float(0x7fffffff)
#endif

// Dynamic shared memory, as T* name.
#ifndef SHARED
#define SHARED(T, name) \
    extern __shared__ __align__(16) unsigned char dynamic_shared[]; \
    T* name = reinterpret_cast<T*>(dynamic_shared)
#endif

template <typename T> struct Complex {
    T re, im;
    __device__ Complex operator+(Complex b) const { return {re + b.re, im + b.im}; }
    __device__ Complex operator-(Complex b) const { return {re - b.re, im - b.im}; }
    __device__ Complex operator*(Complex b) const { return {re * b.re - im * b.im, re * b.im + im * b.re}; }
    __device__ bool operator==(Complex b) const { return re == b.re && im == b.im; }
    __device__ bool operator!=(Complex b) const { return !(*this == b); }
};

// What a value of T is computed in, and the way from and to memory.
template <typename T> struct Acc { typedef T type; };
template <> struct Acc<__half> { typedef float type; };
template <> struct Acc<__nv_bfloat16> { typedef float type; };
template <typename T> using acc_t = typename Acc<T>::type;
template <typename T> __device__ __forceinline__ T to_acc(T v) { return v; }
__device__ __forceinline__ float to_acc(__half v) { return __half2float(v); }
__device__ __forceinline__ float to_acc(__nv_bfloat16 v) { return __bfloat162float(v); }
template <typename T> struct Rounded {
    static __device__ __forceinline__ T of(T v) { return v; }
};
template <> struct Rounded<__half> {
    static __device__ __forceinline__ __half of(float v) { return __float2half_rn(v); }
};
template <> struct Rounded<__nv_bfloat16> {
    static __device__ __forceinline__ __nv_bfloat16 of(float v) { return __float2bfloat16_rn(v); }
};
template <typename T> __device__ __forceinline__ T from_acc(acc_t<T> v) { return Rounded<T>::of(v); }
template <typename T> __device__ __forceinline__ acc_t<T> load(const T* p) { return to_acc(*p); }
template <typename T> __device__ __forceinline__ void store(T* p, acc_t<T> v) { *p = Rounded<T>::of(v); }

// N elements in one access; the address must be aligned to their size (at most 16 bytes).
template <typename T, int N> struct alignas(sizeof(T) * N) Pack { T v[N]; };
template <int BYTES> struct Word;
template <> struct Word<1> { typedef unsigned char type; };
template <> struct Word<2> { typedef unsigned short type; };
template <> struct Word<4> { typedef unsigned int type; };
template <> struct Word<8> { typedef uint2 type; };
template <> struct Word<16> { typedef uint4 type; };
// A Pack that is copied by its elements may be compiled to a store for each of them, so this says what is wanted.
#ifndef STORE_WORD
__device__ __forceinline__ void store_word(uint4* p, uint4 w) {
    asm volatile("st.global.v4.b32 [%0], {%1, %2, %3, %4};" ::"l"(p), "r"(w.x), "r"(w.y), "r"(w.z), "r"(w.w) : "memory");
}
__device__ __forceinline__ void store_word(uint2* p, uint2 w) {
    asm volatile("st.global.v2.b32 [%0], {%1, %2};" ::"l"(p), "r"(w.x), "r"(w.y) : "memory");
}
template <typename W> __device__ __forceinline__ void store_word(W* p, W w) { *p = w; }
#define STORE_WORD store_word
#endif
template <typename T, int N> __device__ __forceinline__ Pack<T, N> fetch(const T* p) {
    typedef typename Word<sizeof(T) * N>::type W;
    W word = *reinterpret_cast<const W*>(p);
    Pack<T, N> pack;
    memcpy(&pack, &word, sizeof(W));
    return pack;
}
template <typename T, int N> __device__ __forceinline__ void deposit(T* p, const Pack<T, N>& pack) {
    typedef typename Word<sizeof(T) * N>::type W;
    W word;
    memcpy(&word, &pack, sizeof(W));
    STORE_WORD(reinterpret_cast<W*>(p), word);
}
// The pack in a word. The compiler takes it for another one at each call, and so makes float32 of 16-bit elements where they
// are used, instead of keeping both.
#ifndef UNSEEN
#define UNSEEN(v) asm volatile("" : "+r"(v.x), "+r"(v.y), "+r"(v.z), "+r"(v.w))
#endif
template <typename T, int N> __device__ __forceinline__ Pack<T, N> unpacked(typename Word<sizeof(T) * N>::type word) {
    if constexpr (sizeof(T) == 2 && N == 8) UNSEEN(word);
    Pack<T, N> pack;
    memcpy(&pack, &word, sizeof(word));
    return pack;
}
// Addresses from a table are of global memory: the compiler cannot know, and would look at each access.
#ifndef IN_GLOBAL
#define IN_GLOBAL(p) __builtin_assume(__isGlobal(p))
#endif
__device__ __forceinline__ bool aligned16(const void* p) { return ((u64)p & 15) == 0; }

// i = quotient * n + rest for i >= 0 and n > 0; a division of 64 bits takes several times as long as one of 32.
struct Split { i64 quotient, rest; };
__device__ __forceinline__ Split split(i64 i, i64 n) {
    if (((u64)i | (u64)n) >> 32) return {i / n, i % n};
    unsigned q = (unsigned)i / (unsigned)n;
    return {q, (unsigned)i - q * (unsigned)n};
}

// Reductions in a fixed order. NaN wins in max and min. All threads of the warp, or of the block, must call them; every
// thread has the result. A block has one dimension, of a multiple of 32 threads.
template <typename A> __device__ __forceinline__ A shuffle_xor(A v, int lane) {
    return __shfl_xor_sync(0xffffffffu, v, lane);
}
template <typename T> __device__ __forceinline__ Complex<T> shuffle_xor(Complex<T> v, int lane) {
    return {shuffle_xor(v.re, lane), shuffle_xor(v.im, lane)};
}
struct Sum {
    template <typename A> __device__ A operator()(A a, A b) const { return a + b; }
};
struct Max {
    template <typename A> __device__ A operator()(A a, A b) const { return a > b || a != a ? a : b; }
};
struct Min {
    template <typename A> __device__ A operator()(A a, A b) const { return a < b || a != a ? a : b; }
};
template <typename A, typename Op> __device__ __forceinline__ A warp_reduce(A v, Op op) {
    for (int lane = 16; lane > 0; lane >>= 1) v = op(v, shuffle_xor(v, lane));
    return v;
}
template <typename A, typename Op> __device__ A block_reduce(A v, Op op) {
    __shared__ A parts[32];
    int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, warps = blockDim.x >> 5;
    v = warp_reduce(v, op);
    if (warps == 1) return v;
    __syncthreads();  // parts may still be read by an earlier call
    if (lane == 0) parts[warp] = v;
    __syncthreads();
    v = parts[0];
    for (int w = 1; w < warps; ++w) v = op(v, parts[w]);
    return v;
}
template <typename A> __device__ __forceinline__ A warp_sum(A v) { return warp_reduce(v, Sum()); }
template <typename A> __device__ __forceinline__ A block_sum(A v) { return block_reduce(v, Sum()); }
template <typename A> __device__ __forceinline__ A block_max(A v) { return block_reduce(v, Max()); }
template <typename A> __device__ __forceinline__ A block_min(A v) { return block_reduce(v, Min()); }
"""


class Source(NamedTuple):
    """The text of a `__global__` function, and the C types that it is made for."""

    text: str
    types: tuple[tuple[str, ...], ...]


class Ready(dict[tuple[str, ...], Any]):
    """Kernels by (name, *types), loaded when they are first asked for."""

    def __missing__(self, key: tuple[str, ...]) -> Any:
        self[key] = made = load(key[0], key[1:], 0)
        return made


KERNELS: dict[str, Source] = {}
ready = Ready()


def register(name: str, source: str, types: Sequence[tuple[str, ...]] = ((),)) -> None:
    """Make a `__global__` function of `source` known. types: its template arguments, [()] for one that is no template."""
    if KERNELS.get(name, Source(source, tuple(types))) != (source, tuple(types)):
        raise ValueError(f"a CUDA kernel named {name!r} is registered already")
    KERNELS[name] = Source(source, tuple(types))


def code(name: str) -> str:
    """The whole text that is compiled for a kernel."""
    return PRELUDE + KERNELS[name].text


def expression(name: str, types: tuple[str, ...]) -> str:
    """A kernel as C++ names it: name<float, int>. KeyError for types that are not registered."""
    if types not in KERNELS[name].types:
        raise KeyError(f"the CUDA kernel {name!r} is not made for {types}")
    return f"{name}<{', '.join(types)}>" if types else name


class Launch(dict[int, Any]):
    """A kernel, compiled once for each device and kept on disk by CuPy; by device: CuPy's two ways to launch it. RawKernel
    asks for the device's function, and fills up grids and blocks, at each call: that takes as long as the launch.
    `most`: bytes of shared memory that it may ask for, which every device must be told."""

    def __init__(self, made: Any, most: int) -> None:
        from cupy.cuda.runtime import getDevice

        self.made, self.most, self.device = made, most, getDevice

    def __missing__(self, device: int) -> tuple[Any, Any]:
        if self.most > STATIC_SHARED:
            self.made.max_dynamic_shared_size_bytes = self.most
        made = self.made.kernel
        self[device] = found = made, made.linear_launch
        return found

    def __call__(self, grid: Any, block: Any, args: Any, shared_mem: int = 0) -> None:
        function, linear = self[self.device()]
        if len(grid) == len(block) == 1:  # as many threads in all, and in a block
            linear(grid[0] * block[0], args, shared_mem, block[0])
        else:
            function(grid, block, args, shared_mem)

    def over(self, n: int, args: Any, each: int = 1) -> None:
        """A launch for a loop with a stride of the whole grid over n elements, `each` of them to a thread; blocks have 256."""
        n = -(-n // each) + 255 & -256
        self[self.device()][1](n if n < MOST_THREADS else MOST_THREADS, args, 0, 256)


def load(name: str, types: tuple[str, ...], shared_mem: int) -> Any:
    import cupy

    full = expression(name, types)
    made = cupy.RawModule(code=code(name), options=OPTIONS, name_expressions=(full,)).get_function(full)
    return Launch(made, shared_mem)


@cache
def _parameter() -> Any:
    from cupy.cuda.function import CNumpyArray

    class Parameter(CNumpyArray):  # type: ignore[misc]
        """A number as CuPy hands it to the driver."""

        def __init__(self, value: Any) -> None:
            super().__init__(np.array(value))
            self.value = value

    return Parameter


class Numbers(dict[Any, Any]):
    """Parameters of one C type, by value: NumPy's scalars take 0.2 us to make, and CuPy as much to take them."""

    def __init__(self, kind: Any) -> None:
        self.kind = kind

    def __missing__(self, value: Any) -> Any:
        key = value
        if value == 0 and self.kind in (np.float32, np.float64):  # 0.0 and -0.0 would be one key
            key = str(float(value))
            if key in self:
                return self[key]
        made = _parameter()(self.kind(value))
        if value == value and len(self) < 4096:  # unlike NaN
            self[key] = made
        return made


I64, U64, I32, U32, F32, F64, BOOL = map(
    Numbers, (np.int64, np.uint64, np.int32, np.uint32, np.float32, np.float64, np.bool_)
)
DOUBLES = {np.float64: F64, np.dtype(np.float64): F64}


def floats(dtype: Any) -> Numbers:
    """Parameters of what arrays of a dtype are computed in."""
    return DOUBLES.get(dtype, F32)  # a dtype and a type take long to compare


def i64(*values: int) -> tuple[Any, ...]:
    """Parameters of type i64."""
    return tuple(map(I64.__getitem__, values))


def kernel(name: str, *types: str, shared_mem: int = 0) -> Any:
    """callable(grid, block, args, shared_mem=0) for a registered function. shared_mem: the most that a launch may ask for,
    if that is above 48 KiB."""
    key = (name, *types)
    if shared_mem > STATIC_SHARED and key not in ready:
        ready[key] = load(name, types, shared_mem)
    return ready[key]
