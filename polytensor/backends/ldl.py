"""Factors of symmetric matrices that need not be positive, with Bunch and Kaufman's pivots."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

Array = Any
ALPHA = (1 + math.sqrt(17)) / 8  # bounds the growth of the elements


class LdlKernels:
    """Kernels of torch.linalg.ldl_factor and ldl_solve."""

    xp: Any

    def linalg_ldl_factor_ex(self, x: Array, hermitian: bool) -> tuple[Array, Array, Array]:
        """(LD packed below the diagonal, pivots as LAPACK counts them (int32), info) of (..., n, n)."""
        n = x.shape[-1]
        a = self.xp.tril(x).reshape(math.prod(x.shape[:-2]), n, n)
        pivots = np.zeros((a.shape[0], n), np.int32)
        info = np.zeros(a.shape[0], np.int32)
        for i in range(a.shape[0]):
            info[i] = self._ldl(a[i], pivots[i], hermitian and x.dtype.kind == "c")
        pivots, info = self.xp.asarray(pivots), self.xp.asarray(info)
        return a.reshape(x.shape), pivots.reshape(x.shape[:-1]), info.reshape(x.shape[:-2])

    def _ldl(self, a: Array, pivots: Any, conjugate: bool) -> int:
        """Factor one matrix in place, column by column; blocks of 2 x 2 where one pivot would be too small."""
        xp, n = self.xp, a.shape[0]
        real, j, info = a.dtype.kind != "c", 0, 0

        def size(v: Array) -> Array:
            return xp.abs(v) if real else xp.abs(v.real) + xp.abs(v.imag)

        def twin(v: Array) -> Array:
            return xp.conj(v) if conjugate else v

        while j < n:
            width, p = 1, j
            here = float(xp.abs(a[j, j].real)) if conjugate else float(size(a[j, j]))
            largest, row = 0.0, j
            if j + 1 < n:
                column = size(a[j + 1 :, j])
                row = j + 1 + int(column.argmax())
                largest = float(column.max())
            if max(here, largest) == 0 or math.isnan(here):
                info = info or j + 1
                if conjugate:
                    a[j, j] = a[j, j].real
            else:
                if here < ALPHA * largest:
                    across = float(size(a[row, j:row]).max())
                    if row + 1 < n:
                        across = max(across, float(size(a[row + 1 :, row]).max()))
                    corner = float(xp.abs(a[row, row].real)) if conjugate else float(size(a[row, row]))
                    if here < ALPHA * largest * (largest / across):
                        p = row
                        width = 1 if corner >= ALPHA * across else 2
                k = j + width - 1
                if p != k:
                    self._swap(a, j, k, p, width, twin)
                    if conjugate:
                        for d in (j, k, p):
                            a[d, d] = a[d, d].real
                elif conjugate:
                    for d in range(j, k + 1):
                        a[d, d] = a[d, d].real
                if width == 1 and j + 1 < n:
                    v = a[j + 1 :, j] / (a[j, j].real if conjugate else a[j, j])
                    a[j + 1 :, j + 1 :] -= xp.tril(v[:, None] * twin(a[j + 1 :, j])[None, :])
                    a[j + 1 :, j] = v
                elif width == 2 and j + 2 < n:
                    d, e, f = a[j, j].copy(), a[j + 1, j].copy(), a[j + 1, j + 1].copy()
                    u, v = a[j + 2 :, j].copy(), a[j + 2 :, j + 1].copy()
                    det = d * f - e * twin(e)
                    s, t = (u * f - v * e) / det, (v * d - u * twin(e)) / det
                    a[j + 2 :, j + 2 :] -= xp.tril(s[:, None] * twin(u)[None, :] + t[:, None] * twin(v)[None, :])
                    a[j + 2 :, j], a[j + 2 :, j + 1] = s, t
            pivots[j : j + width] = p + 1 if width == 1 else -(p + 1)
            j += width
        return info

    def _swap(self, a: Array, j: int, k: int, p: int, width: int, twin: Any) -> None:
        """Exchange rows and columns k and p of the lower triangle that is still to be factored."""

        def exchange(x: Array, y: Array, turn: Any = None) -> None:
            old = x.copy()
            x[...] = y if turn is None else turn(y)
            y[...] = old if turn is None else turn(old)

        exchange(a[p + 1 :, k], a[p + 1 :, p])
        exchange(a[k + 1 : p, k], a[p, k + 1 : p], twin)
        a[p, k] = twin(a[p, k])
        exchange(a[k : k + 1, k], a[p : p + 1, p])
        if width == 2:
            exchange(a[k : k + 1, j], a[p : p + 1, j])

    def linalg_ldl_solve(self, ld: Array, b: Array, pivots: Array, hermitian: bool) -> Array:
        """X with A @ X = B, A of (..., n, n) given by its factors, B (..., n, m) of the same batch."""
        xp, n = self.xp, ld.shape[-1]
        count = math.prod(ld.shape[:-2])
        factors, x = ld.reshape(count, n, n), xp.array(b, order="C", copy=True).reshape(count, n, b.shape[-1])
        hosted = pivots.reshape(count, n).tolist()
        conjugate = hermitian and ld.dtype.kind == "c"
        for i in range(factors.shape[0]):
            self._ldl_solve(factors[i], hosted[i], x[i], conjugate)
        return x.reshape(b.shape)

    def _ldl_solve(self, a: Array, pivots: list[int], x: Array, conjugate: bool) -> None:
        xp, n, j = self.xp, a.shape[0], 0

        def twin(v: Array) -> Array:
            return xp.conj(v) if conjugate else v

        def swap(k: int, p: int) -> None:
            if k != p:
                old = x[k].copy()
                x[k] = x[p]
                x[p] = old

        blocks = []
        while j < n:
            width = 1 if pivots[j] > 0 else 2
            k, p = j + width - 1, abs(pivots[j]) - 1
            blocks.append((j, k, p))
            swap(k, p)
            for c in range(j, k + 1):
                x[k + 1 :] -= a[k + 1 :, c, None] * x[None, c]
            if width == 1:
                x[j] /= a[j, j]
            else:
                d, e, f = a[j, j], a[k, j], a[k, k]
                top, low = x[j].copy(), x[k].copy()
                det = d * f - e * twin(e)
                x[j], x[k] = (f * top - twin(e) * low) / det, (d * low - e * top) / det
            j += width
        for j, k, p in reversed(blocks):
            for c in range(j, k + 1):
                x[c] -= (twin(a[k + 1 :, c])[:, None] * x[k + 1 :]).sum(0)
            swap(k, p)
