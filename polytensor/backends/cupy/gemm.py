"""Matrix products of all ranks on cuBLAS, without copies of operands that it can read as they lie."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import lru_cache
from math import prod
from typing import Any, NamedTuple

import numpy as np

from ... import dtypes
from ...settings import get_float32_matmul_precision
from . import cublaslt
from .cublas import KINDS, MOST_BATCHES, Blas, Call, Handle, Kind, N, T, library, workspace_size
from .cublaslt import ALIGNED, BiasedCall
from .launch import CTYPES, I64, i64, kernel, register

__all__ = ["GemmKernels"]

Array = Any
Ints = tuple[int, ...]
Sizes = tuple[int, int, int]
KIND_OF = {d.array: KINDS[d.name] for d in dtypes.ALL if d.array is not None and d.name in KINDS}


HALVES = tuple(d for d in KIND_OF if d.itemsize == 2)
MOST_LOOPS = 4  # products that are worth a call each rather than a table of addresses
MOST_DIMS = 4  # dimensions of a batch that our kernels take

register(
    "product_addresses",
    r"""
// The addresses of the operands and of the result of each product: out[0][i], out[1][i], out[2][i]; strides in bytes.
__global__ void product_addresses(u64* out, i64 count, u64 a, u64 b, u64 c, i64 n1, i64 n2, i64 n3,
                                  i64 a0, i64 a1, i64 a2, i64 a3, i64 b0, i64 b1, i64 b2, i64 b3,
                                  i64 c0, i64 c1, i64 c2, i64 c3) {
    #pragma unroll 1
    for (i64 i = blockIdx.x * (i64)blockDim.x + threadIdx.x; i < count; i += (i64)gridDim.x * blockDim.x) {
        i64 i3 = i % n3, i2 = i / n3 % n2, i1 = i / n3 / n2 % n1, i0 = i / n3 / n2 / n1;
        out[i] = a + (u64)(i0 * a0 + i1 * a1 + i2 * a2 + i3 * a3);
        out[count + i] = b + (u64)(i0 * b0 + i1 * b1 + i2 * b2 + i3 * b3);
        out[2 * count + i] = c + (u64)(i0 * c0 + i1 * c1 + i2 * c2 + i3 * c3);
    }
}
""",
)
INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
register(
    "integer_product",
    r"""
// c[i] = a[i] @ b[i] for C-contiguous c, in tiles of 16 x 16; sums wrap around. Strides count elements.
template <int BYTES> struct Wrapping { typedef unsigned type; };
template <> struct Wrapping<8> { typedef u64 type; };
template <typename T>
__global__ void integer_product(const T* a, const T* b, T* c, i64 count, i64 m, i64 n, i64 k,
                                i64 a_row, i64 a_col, i64 b_row, i64 b_col, i64 n1, i64 n2, i64 n3,
                                i64 a0, i64 a1, i64 a2, i64 a3, i64 b0, i64 b1, i64 b2, i64 b3) {
    typedef typename Wrapping<sizeof(T)>::type U;
    __shared__ U left[16][17], right[16][17];
    int x = threadIdx.x % 16, y = threadIdx.x / 16;
    i64 across = (n + 15) / 16, down = (m + 15) / 16;
    for (i64 tile = blockIdx.x; tile < count * across * down; tile += gridDim.x) {
        i64 i = tile / across / down, row = tile / across % down * 16 + y, col = tile % across * 16 + x;
        i64 i3 = i % n3, i2 = i / n3 % n2, i1 = i / n3 / n2 % n1, i0 = i / n3 / n2 / n1;
        const T* p = a + i0 * a0 + i1 * a1 + i2 * a2 + i3 * a3;
        const T* q = b + i0 * b0 + i1 * b1 + i2 * b2 + i3 * b3;
        U sum = 0;
        for (i64 at = 0; at < k; at += 16) {
            left[y][x] = row < m && at + x < k ? (U)p[row * a_row + (at + x) * a_col] : (U)0;
            right[y][x] = col < n && at + y < k ? (U)q[(at + y) * b_row + col * b_col] : (U)0;
            __syncthreads();
            for (int j = 0; j < 16; ++j) sum += left[y][j] * right[j][x];
            __syncthreads();
        }
        if (row < m && col < n) c[(i * m + row) * n + col] = (T)sum;
    }
}
""",
    [(CTYPES[d],) for d in INTEGERS],
)


@dataclass(slots=True, eq=False)
class Plan:
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
    calls: dict[tuple[int, bool, bool, bool], Call] = field(
        default_factory=dict
    )  # by handle, add, TF32, scaled: ready ones
    biased: dict[tuple[int, bool], BiasedCall | None] = field(default_factory=dict)  # None: there is none


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


class Outline(NamedTuple):
    """A product of all ranks as one of stacks of matrices (m, k) and (k, n)."""

    a: tuple[Ints, Ints]  # shape and strides with a row in front of a vector
    b: tuple[Ints, Ints]  # and with a column behind it
    lead: Ints
    sizes: tuple[int, int, int]
    shape: Ints  # of the result, without what was added


def outline(a: tuple[Ints, Ints], b: tuple[Ints, Ints]) -> Outline:
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
    shape = (*lead, *(() if row else (m,)), *(() if column else (n,)))
    return Outline((ashape, astrides), (bshape, bstrides), lead, (m, n, k), shape)


@lru_cache(maxsize=4096)
def plan(
    a: tuple[Ints, Ints], b: tuple[Ints, Ints], c: tuple[Ints, Ints] | None, kind: Kind, wide: bool = False
) -> Plan:
    """The plan for operands and, if given, a result of (shape, strides), `wide` for one of float32."""
    size, csize = kind.width, 4 if wide else kind.width
    (ashape, astrides), (bshape, bstrides), lead, (m, n, k), shape = outline(a, b)
    full = (*lead, m, n)
    if c is None:
        cstrides = rowmajor(full, csize)
    else:
        if c[0] != shape:
            raise ValueError(f"matmul: out has the shape {c[0]}, the result {shape}")
        row, column = (((0,) if len(v[0]) == 1 else ()) for v in (a, b))
        cstrides = (*c[1][: len(lead)], *row, *c[1][len(lead) :], *column)
    csteps = cstrides[: len(lead)]
    into = order((m, n), cstrides[-2:], csize)
    copy_c = into is None or any(s % csize or (s == 0 and e > 1) for s, e in zip(csteps, lead, strict=True))
    if copy_c:
        cstrides, into = rowmajor(full, csize), (N, n)
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
        [(e, (y // size, x // size, z // csize)) for e, y, x, z in zip(lead, bsteps, asteps, csteps, strict=True)]
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


def flat(dims: tuple[Ints, ...], operands: int = 3) -> tuple[Ints, list[Ints]]:
    """Sizes of MOST_DIMS dimensions, and strides for each operand, with 1 and 0 for those that are not there."""
    missing = MOST_DIMS - len(dims)
    sizes = (*(1,) * missing, *(d[0] for d in dims))
    return sizes, [(*(0,) * missing, *(d[1 + i] for d in dims)) for i in range(operands)]


def coarse() -> bool:
    return get_float32_matmul_precision() != "highest"


def packed(xp: Any, x: Array) -> Array:
    """A C-contiguous copy without repetitions of leading dimensions."""
    if x.ndim > 2:
        x = x[tuple(slice(1) if s == 0 else slice(None) for s in x.strides[:-2])]
    return xp.ascontiguousarray(x)


def overlaps(a: Array, b: Array) -> bool:
    """Whether the addresses of two arrays have a range in common."""
    (start, end), (low, high) = (
        (x.data.ptr + sum(min(0, s) for s in reach), x.data.ptr + sum(max(0, s) for s in reach) + x.itemsize)
        for x, reach in ((x, [(n - 1) * s for n, s in zip(x.shape, x.strides, strict=True)]) for x in (a, b))
    )
    return bool(a.size and b.size and start < high and low < end)


class GemmKernels:
    """Mixed into CupyBackend: the kernels of products, and `xp.matmul` for all other kernels."""

    xp: Any
    _blas: Blas | None = None

    def _bind_products(self) -> None:
        """Let `xp.matmul`, which many kernels of `base` call, be ours."""
        self.xp.matmul = self.product

    def _place(self) -> tuple[int, int]:
        """(device, address of the stream) that work goes to."""
        cuda = self.xp.cuda
        return cuda.runtime.getDevice(), cuda.get_current_stream().ptr

    def _load_blas(self) -> Blas:
        cuda = self.xp.cuda
        size = workspace_size(os.environ.get("CUBLAS_WORKSPACE_CONFIG"), int(cuda.Device().compute_capability))
        entries, light = library()
        self._blas = Blas(entries, self._place, cuda.alloc, coarse, size, cublaslt.library(light))
        return self._blas

    def blas_handle(self) -> int:
        """The address of this thread's handle, set to the current stream."""
        return (self._blas or self._load_blas()).handle().address

    def forget_workspaces(self) -> list[Any]:
        """See Blas: for captures, and to give memory back."""
        return self._blas.forget_workspaces() if self._blas is not None else []

    def product(
        self, a: Array, b: Array, out: Array | None = None, add: Any = False, tf32: bool | None = None, alpha: Any = 1
    ) -> Array:
        """a @ b as NumPy's matmul, into `out` if given, or added to it. For 16 bits `out` may be of float32.

        add: also a number, which `out` is multiplied by; it is read unless that is 0. alpha: what the product is multiplied by.
        tf32: whether float32 may be rounded to TF32; None: as the precision of matmul says.
        """
        dtype = a.dtype
        kind = KIND_OF.get(dtype)
        wide = out is not None and out.dtype != dtype
        if kind is None or b.dtype != dtype or (wide and (dtype not in HALVES or out.dtype.char != "f")):  # type: ignore[union-attr]
            return self._unusual(a, b, out, bool(add))  # these are not scaled
        into = None if out is None else (out.shape, out.strides)
        way = plan((a.shape, a.strides), (b.shape, b.strides), into, kind, wide)
        xp = self.xp
        c = out if out is not None and not way.copy_c else xp.empty(way.shape, dtype if out is None else out.dtype)
        if c.size and way.sizes[2]:
            if way.copy_c and add:
                c[...] = out
            a, b = packed(xp, a) if way.copy_a else a, packed(xp, b) if way.copy_b else b
            pa, pb, pc = a.data.ptr, b.data.ptr, c.data.ptr
            first, second = (pb, pa) if way.rows else (pa, pb)
            blas = self._blas or self._load_blas()
            handle = blas.handle()
            coarse = kind.coarse != kind.compute and (blas.coarse() if tf32 is None else tf32)
            scaled = alpha != 1 or (add != 0 and add != 1)
            if scaled:
                handle.scale(kind, alpha, add)
            add = bool(add)
            call = way.calls.get((handle.address, add, coarse, scaled))
            if call is not None:
                call(first, second, pc)
            elif len(way.batch) < 2 and sum(d[0] for d in way.batch) <= MOST_BATCHES:
                batch = way.batch[0] if way.batch else None
                call = blas.ready(handle, kind, way.ops, way.sizes, way.leads, add, coarse, wide, batch, scaled=scaled)
                way.calls[handle.address, add, coarse, scaled] = call
                call(first, second, pc)
            else:
                self._batched(blas, handle, kind, way, (first, second, pc), add, coarse, wide, scaled)
        elif not add:
            c.fill(0)
        else:
            if add != 1:
                out *= out.dtype.type(add)  # type: ignore[union-attr]
            return out
        if out is None or c is out:
            return c
        out[...] = c
        return out

    def _batched(
        self, blas: Blas, handle: Handle, kind: Kind, way: Plan, at: Sizes, add: bool, coarse: bool, wide: bool,
        scaled: bool,
    ) -> None:  # fmt: skip
        """One call for each step of all dimensions of the batch but the largest, or one for a table of addresses."""
        largest = max(way.batch)
        rest = [d for d in way.batch if d is not largest]
        widths = (kind.width, kind.width, 4 if wide else kind.width)
        known = (handle, kind, way.ops, way.sizes, way.leads, add, coarse, wide)
        if prod(d[0] for d in rest) > MOST_LOOPS and len(way.batch) <= MOST_DIMS:
            count = prod(d[0] for d in way.batch)
            sizes, strides = flat(way.batch)
            numbers = [
                I64[n] for n in (*sizes[1:], *(s * w for of, w in zip(strides, widths, strict=True) for s in of))
            ]
            table = self.xp.empty(3 * count, np.uint64)
            kernel("product_addresses").over(count, (table, I64[count], *map(np.uint64, at), *numbers))
            for start in range(0, count, MOST_BATCHES):
                call = blas.ready(*known, table=min(MOST_BATCHES, count - start), scaled=scaled)
                call(*(table.data.ptr + 8 * (count * i + start) for i in range(3)))
            return
        (n, *along), place = largest, list(at)
        for start in range(0, n, MOST_BATCHES):
            call = blas.ready(*known, (min(MOST_BATCHES, n - start), *along), scaled=scaled)
            for i in range(prod(d[0] for d in rest)):
                place = [p + start * s * w for p, s, w in zip(at, along, widths, strict=True)]
                for extent, *over in rest:
                    i, j = divmod(i, extent)
                    place = [p + j * s * w for p, s, w in zip(place, over, widths, strict=True)]
                call(*place)

    def _unusual(self, a: Array, b: Array, out: Array | None, add: bool) -> Array:
        """Integers, and operands of several dtypes."""
        dtype = a.dtype if a.dtype == b.dtype else np.result_type(a.dtype, b.dtype)
        a, b = a.astype(dtype, copy=False), b.astype(dtype, copy=False)
        if dtype in KIND_OF:
            if out is not None and out.dtype == dtype:
                return self.product(a, b, out, add)
            y = self.product(a, b)
        else:
            y = self._integers(a, b)
        if out is None:
            return y
        out[...] = out + y if add else y
        return out

    def _integers(self, a: Array, b: Array) -> Array:
        xp, size = self.xp, a.dtype.itemsize
        if a.dtype.kind == "b":
            return self._integers(a.astype(np.uint8), b.astype(np.uint8)) != 0
        (ashape, astrides), (bshape, bstrides), lead, (m, n, k), shape = outline(
            (a.shape, a.strides), (b.shape, b.strides)
        )
        c = xp.empty(shape, a.dtype)
        if c.size == 0:
            return c
        ways = zip(lead, steps(ashape, astrides, lead), steps(bshape, bstrides, lead), strict=True)
        dims = merged([(e, (x // size, y // size)) for e, x, y in ways])
        if len(dims) > MOST_DIMS:
            whole = [xp.ascontiguousarray(xp.broadcast_to(x, (*lead, *x.shape[-2:]))) for x in (a, b)]
            return self._integers(*whole)
        sizes, strides = flat(tuple((e, *s) for e, s in dims), 2)
        inner = [s // size for s in (*astrides[-2:], *bstrides[-2:])]
        numbers = (prod(lead), m, n, k, *inner, *sizes[1:], *strides[0], *strides[1])
        tiles = prod(lead) * -(-m // 16) * -(-n // 16)
        kernel("integer_product", CTYPES[str(a.dtype)]).over(256 * tiles, (a, b, c, *i64(*numbers)))
        return c

    def matmul(self, a: Array, b: Array) -> Array:
        return self.product(a, b)

    bmm = mv = dot = matmul

    def addmm(self, b: Array, x: Array, y: Array, beta: Any = 1, alpha: Any = 1) -> Array:
        if KIND_OF.get(x.dtype) is None:
            return super().addmm(b, x, y, beta, alpha)  # type: ignore[misc,no-any-return]
        if beta == 0:
            return self.product(x, y, alpha=alpha)
        out = self._biased(x, y, b) if alpha == beta == 1 and y.ndim == 2 else None
        if out is not None:
            return out
        out = self.xp.empty((*x.shape[:-1], *y.shape[x.ndim - 1 :]), x.dtype)  # where cuBLAS adds to
        out[...] = b
        return self.product(x, y, out, beta, alpha=alpha)

    def add_product(self, c: Array, x: Array, y: Array, beta: Any, alpha: Any) -> bool:
        if KIND_OF.get(c.dtype) is None or any(overlaps(c, a) for a in (x, y)):
            return False
        self.product(x, y, c, beta, alpha=alpha)
        return True

    def linear(self, x: Array, w: Array, b: Array | None) -> Array:
        y = None if b is None else self._biased(x, w.T, b)
        if y is not None:
            return y
        if b is not None and x.dtype.itemsize == 2 and x.ndim > 1 == b.ndim:  # rounded once
            return self.addmm(b, x.reshape(-1, x.shape[-1]), w.T).reshape(*x.shape[:-1], len(w))
        y = self.product(x, w.T)
        if b is not None:
            y += b
        return y

    def _biased(self, x: Array, w: Array, b: Array) -> Array | None:
        """x @ w + b by one kernel, b of one dimension; None where cublasLt is missing or has none for it."""
        dtype, blas = x.dtype, self._blas or self._load_blas()
        kind = KIND_OF.get(dtype)
        if blas.light is None or kind is None or dtype.kind == "c" or not w.dtype == b.dtype == dtype or w.ndim != 2:
            return None
        way = plan((x.shape, x.strides), (w.shape, w.strides), None, kind)
        if way.batch or way.copy_a or way.copy_b or not all(way.sizes) or b.shape != (way.sizes[0],) or x.ndim < 2:
            return None
        if b.strides[0] != kind.width:
            return None
        handle = blas.handle()
        key = (handle.address, kind.coarse != kind.compute and blas.coarse())
        if key not in way.biased:
            try:
                call = BiasedCall(blas.light, handle, kind, way.ops, way.sizes, way.leads, key[1], blas.size)
            except LookupError:
                call = None
            way.biased[key] = call
        call = way.biased[key]
        if call is None:
            return None
        y = self.xp.empty(way.shape, dtype)
        px, pw, py, pb = x.data.ptr, w.data.ptr, y.data.ptr, b.data.ptr
        if (px | pw | py | pb) % ALIGNED:
            return None
        if not call(pw, px, py, pb, handle.space, handle.stream):
            way.biased[key] = None
            return None
        return y
