"""cuBLAS and cuBLASLt without a GPU: the entry points that PolyTensor calls, computed by NumPy from the raw addresses.

Matrices lie by columns, as cuBLAS defines it: element (i, j) of a matrix is at address + (i + j * ld) * size. Arguments are
converted through the declared C types and checked as cuBLAS checks them; anything wrong gives CUBLAS_STATUS_INVALID_VALUE.
"""

import ctypes
from functools import partial
from itertools import count

import numpy as np

from polytensor import dtypes
from polytensor.backends.cupy.cublas import PRODUCTS, Blas
from polytensor.backends.cupy.cublaslt import SIGNATURES, declared
from polytensor.backends.cupy.gemm import coarse

DATA = {0: np.float32, 1: np.float64, 2: np.float16, 4: np.complex64, 5: np.complex128}
if dtypes.bfloat16.array is not None:
    DATA[14] = dtypes.bfloat16.array
COMPUTE = {0: (68, 77), 1: (70,), 2: (68,), 4: (68, 77), 5: (70,), 14: (68,)}
SCALE = {0: np.float32, 1: np.float64, 2: np.float32, 4: np.complex64, 5: np.complex128, 14: np.float32}
OK, INVALID = 0, 7
ADDRESSES = count(0x1000)


def at(address, dtype, shape, strides):
    """An array over memory at an address; strides count elements."""
    dtype = np.dtype(dtype)
    steps = [s * dtype.itemsize for s in strides]
    low = sum(min(0, (n - 1) * s) for n, s in zip(shape, steps, strict=True))
    high = sum(max(0, (n - 1) * s) for n, s in zip(shape, steps, strict=True)) + dtype.itemsize
    block = (ctypes.c_uint8 * (high - low)).from_address(address + low)
    return np.ndarray(shape, dtype, block, -low, steps)


def rounded(x):
    """float32 rounded to the 10 bits of TF32's mantissa."""
    bits = x.view(np.uint32) if x.dtype == np.float32 else x.view(np.float32).view(np.uint32)
    return ((bits + 0x1000) & 0xFFFFE000).view(x.dtype).reshape(x.shape)


class Entry:
    """A C function. Without argtypes an argument must be of its C type already, or a number where that is an int."""

    def __init__(self, name, run, argtypes=None):
        self.name, self.run, self.argtypes = name, run, argtypes

    def __call__(self, *args):
        types = self.argtypes or PRODUCTS[self.name]
        assert len(args) == len(types), f"{self.name} takes {len(types)} arguments, got {len(args)}"
        values = []
        for kind, value in zip(types, args, strict=True):
            if self.argtypes is None and kind is not ctypes.c_int:
                assert isinstance(value, kind), f"{self.name}: {value!r} is no {kind.__name__}"
            if isinstance(value, ctypes._SimpleCData):
                value = value.value
            elif kind in (ctypes.c_int, ctypes.c_size_t):
                assert type(value) is int, f"{self.name}: {value!r}"
                assert kind(value).value == value, f"{self.name}: {value} does not fit {kind.__name__}"
            values.append(value)
        return self.run(*values)


class FakeCublas:
    """Stands for the loaded library. `calls` lists (name, arguments); `fail` gives the status that an entry returns."""

    def __init__(self, large=True, fail=None):
        self.calls, self.handles, self.fail = [], {}, fail or {}
        entries = {
            "cublasCreate_v2": self.create, "cublasSetStream_v2": self.set_stream,
            "cublasSetWorkspace_v2": self.set_workspace, "cublasSetMathMode": self.set_math,
        }  # fmt: skip
        for suffix in ("", "_64") if large else ("",):
            entries["cublasGemmEx" + suffix] = self.gemm
            entries["cublasGemmStridedBatchedEx" + suffix] = self.gemm_strided
            entries["cublasGemmBatchedEx" + suffix] = self.gemm_table
        for name, run in entries.items():
            setattr(self, name, Entry(name, partial(self.called, name, run)))

    def called(self, name, run, *args):
        self.calls.append((name, args))
        return self.fail.get(name, OK) or run(*args)

    def create(self, out):
        address = next(ADDRESSES)  # of a handle that lives on in calls that are ready
        out._obj.value = address
        self.handles[address] = {"stream": 0, "space": None, "math": 0}
        return OK

    def set_stream(self, handle, stream):
        self.handles[handle].update(stream=stream, space=None)
        return OK

    def set_workspace(self, handle, address, size):
        if size and (not address or address % 256):
            return INVALID
        self.handles[handle]["space"] = (address, size)
        return OK

    def set_math(self, handle, mode):
        self.handles[handle]["math"] = mode
        return OK

    def gemm(self, handle, ta, tb, m, n, k, one, a, at_, lda, b, bt, ldb, beta, c, ct, ldc, compute, algo):
        args = (a, at_, lda, 0), (b, bt, ldb, 0), (c, ct, ldc, 0)
        return self.strided(handle, ta, tb, m, n, k, one, beta, args, 1, compute, algo)

    def gemm_strided(
        self, handle, ta, tb, m, n, k, one, a, at_, lda, sa, b, bt, ldb, sb, beta, c, ct, ldc, sc, count, compute, algo
    ):
        args = (a, at_, lda, sa), (b, bt, ldb, sb), (c, ct, ldc, sc)
        return self.strided(handle, ta, tb, m, n, k, one, beta, args, count, compute, algo)

    def gemm_table(
        self, handle, ta, tb, m, n, k, one, a, at_, lda, b, bt, ldb, beta, c, ct, ldc, count, compute, algo
    ):  # fmt: skip
        tables = [at(x, np.uint64, (count,), (1,)).tolist() for x in (a, b, c)]
        for pa, pb, pc in zip(*tables, strict=True):
            args = (pa, at_, lda, 0), (pb, bt, ldb, 0), (pc, ct, ldc, 0)
            if status := self.strided(handle, ta, tb, m, n, k, one, beta, args, 1, compute, algo):
                return status
        return OK

    def strided(self, handle, ta, tb, m, n, k, one, beta, args, count, compute, algo):
        """op(a) op(b) + beta * c for `count` matrices; args: (address, cudaDataType, leading dimension, stride)."""
        kind, other, to = (kind for _, kind, _, _ in args)
        state = self.handles[handle]
        stored = [(k, m) if ta else (m, k), (n, k) if tb else (k, n), (m, n)]
        if (
kind != other or (to != kind and (kind, to) not in ((2, 0), (14, 0))) or not {ta, tb} <= {0, 1}
            or algo != -1 or min(m, n, k, count) < 1
            or compute not in COMPUTE[kind] or state["space"] is None or count > 65535
            or any(ld < rows for (_, _, ld, _), (rows, _) in zip(args, stored, strict=True))
            or (count > 1 and args[2][3] == 0) or any(not x or x % np.dtype(DATA[d]).itemsize for x, d, *_ in args)
        ):  # fmt: skip
            return INVALID
        a, b, c = (
            at(x, DATA[d], (count, *size), (step, 1, ld)) for (x, d, ld, step), size in zip(args, stored, strict=True)
        )
        scale, keep = (at(x, SCALE[kind], (1,), (1,))[0] for x in (one, beta))
        wide = np.float32 if np.dtype(DATA[kind]).itemsize == 2 else DATA[kind]
        a, b = a.astype(wide), b.astype(wide)
        if compute == 77:
            a, b = rounded(a), rounded(b)
        y = scale * np.matmul(a.swapaxes(1, 2) if ta else a, b.swapaxes(1, 2) if tb else b)
        c[...] = (y + keep * c.astype(wide) if keep else y).astype(c.dtype)
        return OK


class FakeLight:
    """Stands for libcublasLt: descriptors are numbers, algorithms do nothing. `status` is what a product returns."""

    def __init__(self, blas, algorithms=1, status=OK):
        self.blas, self.algorithms, self.status, self.made, self.calls = blas, algorithms, status, {}, []
        for name in SIGNATURES:
            what = name.removeprefix("cublasLt").removesuffix("Create").removesuffix("SetAttribute")
            run = (
                partial(self.create, what) if name.endswith("Create") else self.set if name.endswith("SetAttribute")
                else self.destroy if name.endswith("Destroy") else getattr(self, name)
            )  # fmt: skip
            setattr(self, name, Entry(name, run))

    def create(self, what, out, *args):
        out._obj.value = next(ADDRESSES)
        self.made[out._obj.value] = {"what": what, "args": args}
        return OK

    def set(self, of, attribute, value, size):
        sizes = {"MatmulDesc": {3: 4, 4: 4, 7: 4, 8: 8}, "MatmulPreference": {1: 8, 3: 4, 5: 4, 6: 4, 7: 4, 8: 4}}
        if sizes[self.made[of]["what"]].get(attribute) != size:
            return INVALID
        self.made[of][attribute] = int.from_bytes(ctypes.string_at(value, size), "little")
        return OK

    def destroy(self, of):
        del self.made[of]
        return OK

    def cublasLtMatmulAlgoGetHeuristic(self, handle, problem, a, b, c, d, wish, n, found, count):
        assert n == 1
        assert self.made[wish][1] == self.blas.handles[handle]["space"][1]
        assert {self.made[wish][k] for k in (5, 6, 7, 8)} == {16}
        assert self.made[problem][8] % 16 == 0
        if (self.made[a]["args"][0] in (2, 14)) != (self.made[wish].get(3) == 2):
            return INVALID
        count._obj.value, found._obj.state, found._obj.algo[0] = self.algorithms, OK, 77
        return OK

    def cublasLtMatmul(self, handle, problem, one, a, ad, b, bd, zero, c, cd, d, dd, algo, space, size, stream):
        self.calls.append((handle, problem))
        state, desc = self.blas.handles[handle], self.made[problem]
        assert ctypes.c_uint64.from_address(algo).value == 77
        assert (space, size) == state["space"]
        assert (stream or 0) == state["stream"]
        assert (c, cd) == (d, dd)
        assert all(x and x % 16 == 0 for x in (a, b, d, desc[8]))
        assert desc[7] == 4
        compute, scale = desc["args"]
        (kind, m, n, ldd), ta, tb = self.made[dd]["args"], desc[3], desc[4]
        assert np.dtype(SCALE[kind]) == (np.float64 if scale == 1 else np.float32)
        if self.status:
            return self.status
        k = self.made[ad]["args"][1 if ta else 2]
        assert self.made[ad]["args"][1:3] == ((k, m) if ta else (m, k))
        assert self.made[bd]["args"][1:3] == ((n, k) if tb else (k, n))
        wide = np.float32 if np.dtype(DATA[kind]).itemsize == 2 else DATA[kind]
        exact = np.empty((n, m), wide)
        args = (
            (a, kind, self.made[ad]["args"][3], 0),
            (b, kind, self.made[bd]["args"][3], 0),
            (exact.ctypes.data, 0 if wide is np.float32 else kind, m, 0),
        )
        status = self.blas.strided(handle, ta, tb, m, n, k, one, zero, args, 1, compute, -1)
        at(d, DATA[kind], (n, m), (ldd, 1))[...] = exact + at(desc[8], DATA[kind], (m,), (1,)).astype(wide)
        return status


class Space:
    """Stands for cupy.cuda.MemoryPointer; CuPy's pools align to 512 bytes."""

    def __init__(self, size):
        self.block = np.empty(size + 512, np.uint8)
        self.ptr = -(-self.block.ctypes.data // 512) * 512


def fake_blas(entries=None, place=lambda: (0, 0), size=4096, light=None):
    """A Blas over the stand-in, with a stream and a device that `place` tells."""
    entries = entries or FakeCublas()
    light = declared(FakeLight(entries)) if light is None else light
    return Blas(entries, place, Space, coarse, size, light)
