"""Large attention in float16, bfloat16 and TF32: products on tensor cores, and between them one kernel over a tile of scores.

Scores are of float32, weights and their gradients of the operands' dtype, as a product asks for. Sums over keys and
queries are of float32 and rounded once.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .gemm import MOST_DIMS, coarse, flat, merged, steps
from .launch import CTYPES, F32, I32, I64, NAMES, i64, kernel, register

__all__ = ["LargeAttention"]

Array = Any
Index = tuple[Any, ...]
TYPES = ("float16", "bfloat16", "float32")

MASKED = r"""
// scale * s with the mask added; -inf for keys that are taken out. kind: 0 no mask, 1 of bool, 2 of T.
template <typename T>
__device__ __forceinline__ float seen(float s, float scale, const void* mask, int kind, i64 at, bool late) {
    if (late || (kind == 1 && !static_cast<const bool*>(mask)[at])) return -__int_as_float(0x7f800000);
    return kind == 2 ? s * scale + load(static_cast<const T*>(mask) + at) : s * scale;
}
#define MASK const void* mask, int kind, int causal, i64 start, i64 n1, i64 n2, i64 n3, i64 m0, i64 m1, i64 m2, i64 m3, \
    i64 m_row, i64 m_col
// The row's item and number among the queries, and where its mask begins.
#define ROW(r) i64 item = (r) / height, i = (r) % height; \
    i64 at = item / n3 / n2 / n1 * m0 + item / n3 / n2 % n1 * m1 + item / n3 % n2 * m2 + item % n3 * m3 + i * m_row; \
    i64 last = causal ? start + i : width - 1
"""

register(
    "attend_weigh",
    MASKED
    + r"""
// Softmax of each row of scores; a block to a row. logs: the logarithm of the sum of exponentials; 0 for a row whose mask
// lets nothing through, which gets zeros.
template <typename T>
__global__ void attend_weigh(const float* scores, T* weights, float* logs, i64 rows, i64 height, i64 width, float scale,
                             MASK) {
    const float infinity = __int_as_float(0x7f800000);
    for (i64 r = blockIdx.x; r < rows; r += gridDim.x) {
        ROW(r);
        const float* from = scores + r * width;
        float top = -infinity, alive = 0, sum = 0;
        for (i64 j = threadIdx.x; j < width; j += blockDim.x) {
            top = Max()(top, seen<T>(from[j], scale, mask, kind, at + j * m_col, j > last));
            if (j <= last && seen<T>(0, 0, mask, kind, at + j * m_col, false) != -infinity) alive = 1;
        }
        top = block_max(top);
        alive = block_max(alive);
        float base = top == -infinity && alive == 0 ? 0 : top;
        for (i64 j = threadIdx.x; j < width; j += blockDim.x)
            sum += expf(seen<T>(from[j], scale, mask, kind, at + j * m_col, j > last) - base);
        sum = block_sum(sum);
        for (i64 j = threadIdx.x; j < width; j += blockDim.x) {
            float p = expf(seen<T>(from[j], scale, mask, kind, at + j * m_col, j > last) - base) / sum;
            store(weights + r * width + j, alive == 0 ? 0 : p);
        }
        if (threadIdx.x == 0) logs[r] = alive == 0 ? 0 : base + logf(sum);
    }
}
""",
    [(CTYPES[d],) for d in TYPES],
)

register(
    "attend_unweigh",
    MASKED
    + r"""
// The weights of a tile anew, and the gradients of its scores from those of its weights (in `down`).
template <typename T>
__global__ void attend_unweigh(const float* scores, const float* down, const float* logs, const float* inner, T* weights,
                               T* grads, i64 rows, i64 height, i64 width, float scale, MASK) {
    for (i64 r = blockIdx.x; r < rows; r += gridDim.x) {
        ROW(r);
        float log = logs[r], mean = inner[r];
        for (i64 j = threadIdx.x; j < width; j += blockDim.x) {
            float p = expf(seen<T>(scores[r * width + j], scale, mask, kind, at + j * m_col, j > last) - log);
            store(weights + r * width + j, p);
            store(grads + r * width + j, p * (down[r * width + j] - mean));
        }
    }
}
""",
    [(CTYPES[d],) for d in TYPES],
)


class LargeAttention:
    """Mixed into CupyBackend before the kernels that keep scores in shared memory."""

    xp: Any
    product: Any
    contiguous: Any
    _each_tile: Any
    LARGE_ATTENTION = 1 << 22  # scores from which tensor cores gain more than memory costs

    def _is_large(self, q: Array, k: Array, mask: Array) -> bool:
        name = NAMES[q.dtype]
        if (
            name not in TYPES
            or (name == "float32" and not coarse())
            or q.size // q.shape[-1] * k.shape[-2] < self.LARGE_ATTENTION
        ):
            return False
        return not mask.size or mask.dtype.kind == "b" or bool(mask.dtype == q.dtype)

    def _score_kernel(
        self, name: str, dtype: Any, arrays: tuple[Array, ...], scale: float, mask: Any, causal: bool, start: int
    ) -> None:
        """Run a kernel over a tile of scores, the first of `arrays`."""
        scores = arrays[0]
        lead, (height, width) = scores.shape[:-2], scores.shape[-2:]
        dims: list[Any] = []
        strides: tuple[int, ...] = (0, 0)
        if mask is not None:
            for _ in range(2):
                strides = tuple([s // mask.itemsize for s in mask.strides])
                own = steps(mask.shape, mask.strides, lead)
                dims = merged(
                    [(n, (s // mask.itemsize, i)) for n, s, i in zip(lead, own, _rowmajor(lead), strict=True)]
                )
                if len(dims) <= MOST_DIMS:
                    break
                mask = self.xp.ascontiguousarray(mask)
        sizes, (over, _) = flat(tuple((n, *s) for n, s in dims), 2)
        kind = 0 if mask is None else 1 if mask.dtype.kind == "b" else 2
        rows = scores.size // width
        numbers = (
            *i64(rows, height, width), F32[scale], scores if mask is None else mask, I32[kind],
            I32[causal], *i64(start, *sizes[1:], *over, *strides[-2:]),
        )  # fmt: skip
        threads = 32 * min(8, -(-width // 32))
        kernel(name, CTYPES[str(dtype)])((min(rows, 2**31 - 1),), (threads,), (*arrays, *numbers))

    def attend(self, q: Array, k: Array, v: Array, mask: Array, scale: float, causal: bool) -> tuple[Array, Array]:
        if not self._is_large(q, k, mask):
            return super().attend(q, k, v, mask, scale, causal)  # type: ignore[misc,no-any-return]
        xp = self.xp
        out = xp.empty((*q.shape[:-1], v.shape[-1]), q.dtype)
        logs = xp.empty(q.shape[:-1], np.float32)

        def work(index: Index, rows: slice, width: int, seen: Array | None) -> None:
            queries, keys = q[index][..., rows, :], k[index][..., :width, :]
            scores = xp.empty((*queries.shape[:-1], width), np.float32)
            self.product(queries, keys.swapaxes(-1, -2), scores)
            weights, sums = xp.empty(scores.shape, q.dtype), xp.empty(scores.shape[:-1], np.float32)
            seen = None if seen is None else seen[..., :width]
            self._score_kernel("attend_weigh", q.dtype, (scores, weights, sums), scale, seen, causal, rows.start)
            logs[index][..., rows] = sums
            self.product(weights, v[index][..., :width, :], out[index][..., rows, :])

        self._each_tile(q, k, mask, causal, work)
        return out, logs

    def attend_backward(
        self, g: Array, need: Any, q: Array, k: Array, v: Array, mask: Array, out: Array, logs: Array, scale: float,
        causal: bool,
    ) -> list[Array | None]:  # fmt: skip
        if not self._is_large(q, k, mask):
            return super().attend_backward(g, need, q, k, v, mask, out, logs, scale, causal)  # type: ignore[misc,no-any-return]
        xp = self.xp
        g, out = self.contiguous(g), self.contiguous(out)
        inner = xp.empty(logs.shape, np.float32)
        numbers = I64[inner.size], I32[v.shape[-1]]
        kernel("attend_inner", CTYPES[str(q.dtype)])(
            (min(-(-inner.size // 8), 65535),), (256,), (g, out, inner, *numbers)
        )
        dq = xp.empty(q.shape, np.float32) if need[0] else None
        dk, dv = (xp.zeros(x.shape, np.float32) if need[i] else None for i, x in ((1, k), (2, v)))

        def work(index: Index, rows: slice, width: int, seen: Array | None) -> None:
            queries, keys, above = q[index][..., rows, :], k[index][..., :width, :], g[index][..., rows, :]
            scores, down = (xp.empty((*queries.shape[:-1], width), np.float32) for _ in range(2))
            self.product(queries, keys.swapaxes(-1, -2), scores)
            self.product(above, v[index][..., :width, :].swapaxes(-1, -2), down)
            weights, grads = (xp.empty(scores.shape, q.dtype) for _ in range(2))
            sums = [xp.ascontiguousarray(x[index][..., rows]) for x in (logs, inner)]
            seen = None if seen is None else seen[..., :width]
            self._score_kernel(
                "attend_unweigh", q.dtype, (scores, down, *sums, weights, grads), scale, seen, causal, rows.start
            )
            if dv is not None:
                self.product(weights.swapaxes(-1, -2), above, dv[index][..., :width, :], True)
            if dk is not None:
                self.product(grads.swapaxes(-1, -2), queries, dk[index][..., :width, :], True)
            if dq is not None:
                self.product(grads, keys, dq[index][..., rows, :])

        self._each_tile(q, k, mask, causal, work)
        found = ((dq, scale), (dk, scale), (dv, 1.0))
        return [None if x is None else (x if by == 1 else x * np.float32(by)).astype(q.dtype) for x, by in found] + [
            None
        ]


def _rowmajor(shape: tuple[int, ...]) -> list[int]:
    """Numbers that keep `merged` from joining what is not evenly spaced among the items."""
    out, n = [], 1
    for extent in reversed(shape):
        out.append(n)
        n *= extent
    return out[::-1]
