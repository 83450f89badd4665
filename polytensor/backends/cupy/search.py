"""Places in sorted arrays, by bisection: one thread a value."""

from __future__ import annotations

from typing import Any

import numpy as np

from .launch import BOOL, CTYPES, I64, NAMES, kernel, register

SEARCH = r"""
// out[i]: where values[i] goes into its row of edges. A NaN among the edges lets the search go on to its right.
template <typename T>
__global__ void search_sorted(const T* edges, const T* values, i64* out, i64 count, i64 n, i64 per_row, bool right) {
    #pragma unroll 1
    for (i64 i = blockIdx.x * (i64)blockDim.x + threadIdx.x; i < count; i += (i64)gridDim.x * blockDim.x) {
        const T* row = edges + i / per_row * n;
        acc_t<T> wanted = load(values + i);
        i64 low = 0, high = n;
        while (low < high) {
            i64 middle = (low + high) / 2;
            acc_t<T> found = load(row + middle);
            if (right ? !(found > wanted) : !(found >= wanted)) low = middle + 1;
            else high = middle;
        }
        out[i] = low;
    }
}
"""
TYPES = ("float32", "float64", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8")
register("search_sorted", SEARCH, [(CTYPES[d],) for d in TYPES])


class SearchKernels:
    """Mixed into CupyBackend, before Backend."""

    xp: Any

    def searchsorted(self, boundaries: Any, values: Any, right: bool) -> Any:
        n = boundaries.shape[-1]
        name = NAMES[boundaries.dtype]
        if values.size == 0 or n == 0 or name not in TYPES or values.dtype != boundaries.dtype:
            return super().searchsorted(boundaries, values, right)  # type: ignore[misc]
        edges, wanted = (self.xp.ascontiguousarray(x) for x in (boundaries, values))
        out = self.xp.empty(values.shape, np.int64)
        per_row = values.size if boundaries.ndim == 1 else values.shape[-1]
        args = (edges, wanted, out, I64[values.size], I64[n], I64[per_row], BOOL[right])
        kernel("search_sorted", CTYPES[name]).over(values.size, args)
        return out
