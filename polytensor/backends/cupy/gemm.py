"""Matrix products of all ranks on cuBLAS, without copies of operands that it can read as they lie."""

from __future__ import annotations

import os
from functools import lru_cache
from math import prod
from typing import Any, NamedTuple

import numpy as np

from ... import dtypes
from ...settings import get_float32_matmul_precision
from .cublas import KINDS, Blas, Kind, N, T, library, workspace_size

__all__ = ["GemmKernels"]

Array = Any
Ints = tuple[int, ...]
KIND_OF = {d.array: KINDS[d.name] for d in dtypes.ALL if d.array is not None and d.name in KINDS}


class Plan(NamedTuple):
    """How a product is computed; cuBLAS knows matrices by columns, so it is asked for the transposes, op(b) op(a)."""

    copy_a: bool  # neither order of cuBLAS fits the operand
    copy_b: bool
    copy_c: bool
    shape: Ints  # of the result
    rows: bool  # whether the operands come as (b, a)
    ops: tuple[int, int]
    sizes: tuple[int, int, int]
    leads: tuple[int, int, int]  # leading dimensions of the operands and of the result
    batch: tuple[Ints, ...]  # (count, strides of the three in elements), outermost first


def order(shape: Ints, strides: Ints, size: int) -> tuple[int, int] | None:
    """(operation, leading dimension) that make a matrix with those strides in bytes its transpose; None: none do."""
    (rows, cols), (down, across) = shape, strides
    if across == size or cols == 1:
        if rows == 1:
            return N, cols
        if down >= cols * size and down % size == 0:
            return N, down // size
    if down == size or rows == 1:
        if cols == 1:
            return T, rows
        if across >= rows * size and across % size == 0:
            return T, across // size
    return None


def steps(shape: Ints, strides: Ints, lead: Ints) -> Ints:
    """Strides in bytes of the leading dimensions, broadcast to `lead`."""
    own = shape[:-2]
    found = tuple(0 if n == 1 else s for n, s in zip(own, strides, strict=False))
    return (0,) * (len(lead) - len(own)) + found


def rowmajor(shape: Ints, size: int) -> Ints:
    strides, n = [], size
    for extent in reversed(shape):
        strides.append(n)
        n *= max(1, extent)
    return tuple(reversed(strides))


def merged(dims: list[tuple[int, Ints]]) -> list[tuple[int, Ints]]:
    """Batch dimensions (count, strides) with neighbours joined where all operands step through them evenly."""
    out: list[tuple[int, Ints]] = []
    for n, s in dims:
        if n == 1:
            continue
        if out and all(before == n * now for before, now in zip(out[-1][1], s, strict=True)):
            out[-1] = out[-1][0] * n, s
        else:
            out.append((n, s))
    return out


def repacked(shape: Ints, old: Ints, lead: Ints, size: int) -> Ints:
    """The steps of the copy that `packed` makes."""
    own = old[len(lead) - len(shape) + 2 :]
    shape = (*(n if s else min(n, 1) for n, s in zip(shape, own, strict=False)), *shape[-2:])
    return steps(shape, rowmajor(shape, size), lead)


@lru_cache(maxsize=4096)
def plan(a: tuple[Ints, Ints], b: tuple[Ints, Ints], c: tuple[Ints, Ints] | None, size: int) -> Plan:
    """The plan for operands and, if given, a result of (shape, strides); `size` is an element's in bytes."""
    (ashape, astrides), (bshape, bstrides) = a, b
    row, column = len(ashape) == 1, len(bshape) == 1
    if row:
        ashape, astrides = (1, *ashape), (0, *astrides)
    if column:
        bshape, bstrides = (*bshape, 1), (*bstrides, 0)
    (m, k), n = ashape[-2:], bshape[-1]
    if bshape[-2] != k:
        raise ValueError(f"matmul: inner dimensions differ, {a[0]} and {b[0]}")
    lead = np.broadcast_shapes(ashape[:-2], bshape[:-2])
    full = (*lead, m, n)
    shape = (*lead, *(() if row else (m,)), *(() if column else (n,)))
    if c is None:
        cstrides = rowmajor(full, size)
    else:
        if c[0] != shape:
            raise ValueError(f"matmul: out has the shape {c[0]}, the result {shape}")
        cstrides = (*c[1][: len(lead)], *((0,) if row else ()), *c[1][len(lead) :], *((0,) if column else ()))
    csteps = cstrides[: len(lead)]
    into = order((m, n), cstrides[-2:], size)
    copy_c = into is None or any(s % size or (s == 0 and e > 1) for s, e in zip(csteps, lead, strict=True))
    if copy_c:
        cstrides, into = rowmajor(full, size), (N, n)
        csteps = cstrides[: len(lead)]
    asteps, bsteps = steps(ashape, astrides, lead), steps(bshape, bstrides, lead)
    how_a, how_b = order((m, k), astrides[-2:], size), order((k, n), bstrides[-2:], size)
    copy_a = how_a is None or any(s % size for s in asteps)
    copy_b = how_b is None or any(s % size for s in bsteps)
    if copy_a:
        asteps, how_a = repacked(ashape, asteps, lead, size), (N, k)
    if copy_b:
        bsteps, how_b = repacked(bshape, bsteps, lead, size), (N, n)
    assert how_a and how_b and into
    dims = merged(
        [(e, (y // size, x // size, z // size)) for e, y, x, z in zip(lead, bsteps, asteps, csteps, strict=True)]
    )
    (op_a, lda), (op_b, ldb), (op_c, ldc) = how_a, how_b, into
    if dims and op_c == N and op_a == N and dims[-1][1][0] == 0:  # one b for many a: their rows follow each other
        count, (_, sa, sc) = dims[-1]
        ld_a, ld_c = (sa, sc) if m == 1 else (lda, ldc)
        if sa == m * ld_a and sc == m * ld_c and ld_a >= k and ld_c >= n:
            dims.pop()
            m, lda, ldc = m * count, ld_a, ld_c
    if op_c == N:
        ops, sizes, leads = (op_b, op_a), (n, m, k), (ldb, lda, ldc)
    else:  # the result lies by columns: it is asked for as it is
        ops, sizes, leads = (1 - op_a, 1 - op_b), (m, n, k), (lda, ldb, ldc)
        dims = [(e, (x, y, z)) for e, (y, x, z) in dims]
    return Plan(copy_a, copy_b, copy_c, shape, op_c == N, ops, sizes, leads, tuple((e, *s) for e, s in dims))


def packed(xp: Any, x: Array) -> Array:
    """A C-contiguous copy without repetitions of leading dimensions."""
    if x.ndim > 2:
        x = x[tuple(slice(1) if s == 0 else slice(None) for s in x.strides[:-2])]
    return xp.ascontiguousarray(x)


class GemmKernels:
    """Mixed into CupyBackend: the kernels of products, and `xp.matmul` for all other kernels."""

    xp: Any
    _blas: Blas | None = None
    _own_matmul: Any  # CuPy's

    def _bind_products(self) -> None:
        """Let `xp.matmul`, which many kernels of `base` call, be ours."""
        self._own_matmul = self.xp.matmul
        self.xp.matmul = self.product

    def _place(self) -> tuple[int, int]:
        """(device, address of the stream) that work goes to."""
        cuda = self.xp.cuda
        return cuda.runtime.getDevice(), cuda.get_current_stream().ptr

    def _load_blas(self) -> Blas:
        cuda = self.xp.cuda
        size = workspace_size(os.environ.get("CUBLAS_WORKSPACE_CONFIG"), int(cuda.Device().compute_capability))
        self._blas = Blas(library(), self._place, cuda.alloc, lambda: get_float32_matmul_precision() != "highest", size)
        return self._blas

    def forget_workspaces(self) -> list[Any]:
        """See Blas: for captures, and to give memory back."""
        return self._blas.forget_workspaces() if self._blas is not None else []

    def product(self, a: Array, b: Array, out: Array | None = None, add: bool = False) -> Array:
        """a @ b as NumPy's matmul, into `out` if given, or added to it."""
        dtype = a.dtype
        kind = KIND_OF.get(dtype)
        if kind is None or b.dtype != dtype or (out is not None and out.dtype != dtype):
            return self._unusual(a, b, out, add)
        way = plan(
            (a.shape, a.strides), (b.shape, b.strides), None if out is None else (out.shape, out.strides), kind.width
        )
        xp = self.xp
        c = xp.empty(way.shape, dtype) if out is None or way.copy_c else out
        if c.size == 0:
            return c if out is None else out
        if way.sizes[2] == 0:
            if not add:
                (c if out is None else out).fill(0)
            return c if out is None else out
        if way.copy_a:
            a = packed(xp, a)
        if way.copy_b:
            b = packed(xp, b)
        if way.copy_c and add:
            c[...] = out
        pa, pb, pc = a.data.ptr, b.data.ptr, c.data.ptr
        first, second = (pb, pa) if way.rows else (pa, pb)
        blas = self._blas or self._load_blas()
        if not way.batch:
            blas.gemm(kind, way.ops, way.sizes, first, way.leads[0], second, way.leads[1], add, pc, way.leads[2])
        else:
            self._batched(blas, kind, way, first, second, pc, add)
        if out is None or c is out:
            return c
        out[...] = c
        return out

    def _batched(self, blas: Blas, kind: Kind, way: Plan, a: int, b: int, c: int, add: bool) -> None:
        largest = max(way.batch)
        rest = [d for d in way.batch if d is not largest]
        lda, ldb, ldc = way.leads
        for i in range(prod(d[0] for d in rest)):
            at = [a, b, c]
            for n, *strides in rest:
                i, j = divmod(i, n)
                at = [p + j * s * kind.width for p, s in zip(at, strides, strict=True)]
            blas.gemm(kind, way.ops, way.sizes, at[0], lda, at[1], ldb, add, at[2], ldc, largest)

    def _unusual(self, a: Array, b: Array, out: Array | None, add: bool) -> Array:
        """Integers, and operands of several dtypes."""
        dtype = a.dtype if a.dtype == b.dtype else np.result_type(a.dtype, b.dtype)
        if dtype not in KIND_OF:
            y = self._own_matmul(a, b)
        elif out is not None and out.dtype == dtype:
            return self.product(a.astype(dtype, copy=False), b.astype(dtype, copy=False), out, add)
        else:
            y = self.product(a.astype(dtype, copy=False), b.astype(dtype, copy=False))
        if out is None:
            return y
        out[...] = out + y if add else y
        return out

    def matmul(self, a: Array, b: Array) -> Array:
        return self.product(a, b)

    bmm = mv = dot = matmul

    def addmm(self, b: Array, x: Array, y: Array) -> Array:
        if b.shape == (len(x), y.shape[1]) and b.dtype == x.dtype:
            return self.product(x, y, self.xp.array(b, order="C", copy=True), True)
        out = self.product(x, y)
        out += b
        return out

    def linear(self, x: Array, w: Array, b: Array | None) -> Array:
        y = self.product(x, w.T)
        if b is not None:
            y += b
        return y
