"""Lists of gradients in one launch: their norm as one vector, and multiplied by a number, with a look for what is not finite."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import launch
from .optim import FLOATS, MANY, chunks_of
from .rows import CTYPE, ROWS

Array = Any

SCALE_MANY = r"""
// Multiply by *factor, itself rounded to T; with `checked`, *found becomes 1 where an element was not finite before.
template <typename T>
__global__ void scale_many(T* const* places, const i64* chunks, i64 tasks, i64 count, const T* factor, float* found,
                           bool checked) {
    typedef acc_t<T> A;
    A by = load(factor);
    each_chunk<T, 1>(places, chunks, tasks, count, [=](i64) { return [=](A (&e)[1]) {
        if (checked && e[0] - e[0] != 0) *found = 1;
        e[0] *= by;
    }; });
}
"""

NORM = r"""
enum { SUM, SQUARES, LARGEST };
template <typename A> __device__ __forceinline__ A gather(A v, A e, int op) {
    return op == LARGEST ? Max()(v, fabs(e)) : v + (op == SUM ? fabs(e) : e * e);
}
template <typename A> __device__ __forceinline__ A together(A v, int op) { return op == LARGEST ? block_max(v) : block_sum(v); }
"""

NORM_MANY = r"""
// parts[t]: what the norm is made of, of the elements of piece t.
template <typename T>
__global__ void norm_many(T* const* places, const i64* chunks, i64 tasks, acc_t<T>* parts, int op) {
    typedef acc_t<T> A;
    const int V = 16 / sizeof(T);
    for (i64 t = blockIdx.x; t < tasks; t += gridDim.x) {
        const T* p = places[chunks[3 * t]] + chunks[3 * t + 1];
        IN_GLOBAL(p);
        i64 size = chunks[3 * t + 2], whole = aligned16(p) ? size / V * V : 0;
        A v = 0;
        for (i64 i = (i64)threadIdx.x * V; i < whole; i += (i64)blockDim.x * V) {
            A e[V];
            get<T, V>(p + i, e);
            #pragma unroll
            for (int j = 0; j < V; ++j) v = gather(v, e[j], op);
        }
        for (i64 i = whole + threadIdx.x; i < size; i += blockDim.x) v = gather(v, load(p + i), op);
        v = together(v, op);
        if (threadIdx.x == 0) parts[t] = v;
    }
}
"""

NORM_END = r"""
// The norm from its n parts, by one block.
template <typename T> __global__ void norm_end(const acc_t<T>* parts, i64 n, T* out, int op) {
    typedef acc_t<T> A;
    A v = 0;
    for (i64 i = threadIdx.x; i < n; i += blockDim.x) v = op == LARGEST ? Max()(v, parts[i]) : v + parts[i];
    v = together(v, op);
    if (threadIdx.x == 0) store(out, op == SQUARES ? sqrt(v) : v);
}
"""

OPS = {1.0: np.int32(0), 2.0: np.int32(1), float("inf"): np.int32(2)}
launch.register("scale_many", MANY + SCALE_MANY, [(c,) for c in FLOATS])
launch.register("norm_many", ROWS + NORM + NORM_MANY, [(c,) for c in FLOATS])
launch.register("norm_end", NORM + NORM_END, [(c,) for c in FLOATS])


class CudaMany:
    """Mixed into CupyBackend, beside CudaOptim."""

    xp: Any
    empty: Any
    cast: Any
    _sorted_out: Any
    _many: Any
    _addresses: Any
    _place: Any
    _small_tables: Any

    def scale_many(self, arrays: list[Array], factor: Array, found: Array | None) -> list[int]:
        def args(dtype: Any, _: list[int]) -> tuple[Any, ...]:
            flag = self.empty((), np.float32) if found is None else found
            return self.cast(factor, dtype), flag, launch.BOOL[found is not None]

        left: list[int] = self._many("scale_many", (), [arrays], args)
        return left

    def norm_many(self, arrays: list[Array], ord: float) -> Array | None:
        arrays = [a for a in arrays if a.size]
        if ord not in OPS or not arrays:
            return None
        fine, rest = self._sorted_out([arrays])
        if rest or len(fine) != 1:
            return None
        dtype, sizes = arrays[0].dtype, tuple([a.size for a in arrays])
        ctype, op, place = CTYPE[dtype], OPS[ord], self._place()
        places = self._addresses(tuple([a.data.ptr for a in arrays]))
        chunks = self._small_tables().find((place, sizes), lambda: self.xp.asarray(chunks_of(sizes)))
        tasks, out = len(chunks), self.empty((), dtype)
        parts = self.empty(tasks, np.float64 if ctype == "double" else np.float32)
        launch.kernel("norm_many", ctype)((min(tasks, 65535),), (256,), (places, chunks, *launch.i64(tasks), parts, op))
        launch.kernel("norm_end", ctype)((1,), (256,), (parts, *launch.i64(tasks), out, op))
        return out
