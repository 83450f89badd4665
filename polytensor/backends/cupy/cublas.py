"""cuBLAS by ctypes: the library that CuPy loads, with handles and workspaces of our own.

CuPy's handle cannot be used while a stream is captured, and its products copy transposed operands, widen float16 and fail
on bfloat16. Here each thread has one handle for each device, and each handle one workspace for each stream: cuBLAS then
allocates nothing, so that products may be captured and give equal bits in each run.
Source: NVIDIA, cuBLAS library reference (cublas_api.h, library_types.h).
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable
from typing import Any, NamedTuple

__all__ = [
    "KINDS", "MOST_BATCHES", "N", "PRODUCTS", "SIGNATURES", "T", "Blas", "Call", "CublasError", "Handle", "Kind", "library",
    "workspace_size",
]  # fmt: skip

N, T = 0, 1  # cublasOperation_t
DEFAULT = -1  # cublasGemmAlgo_t
KEEP_FLOAT32 = 16  # cublasMath_t: no partial sums in 16 bits
INT_MAX = 2**31 - 1
MOST_STREAMS = 8  # that a handle keeps a workspace for
MOST_BATCHES = 65535  # a grid's third dimension

STATUS = {
    1: "CUBLAS_STATUS_NOT_INITIALIZED", 3: "CUBLAS_STATUS_ALLOC_FAILED", 7: "CUBLAS_STATUS_INVALID_VALUE",
    8: "CUBLAS_STATUS_ARCH_MISMATCH", 11: "CUBLAS_STATUS_MAPPING_ERROR", 13: "CUBLAS_STATUS_EXECUTION_FAILED",
    14: "CUBLAS_STATUS_INTERNAL_ERROR", 15: "CUBLAS_STATUS_NOT_SUPPORTED", 16: "CUBLAS_STATUS_LICENSE_ERROR",
}  # fmt: skip

_int, _long, _pointer = ctypes.c_int, ctypes.c_int64, ctypes.c_void_p


def _gemm(size: Any, batched: bool, table: bool) -> tuple[Any, ...]:
    """The parameters of a product; `size` is the C type of its sizes."""
    strides = (ctypes.c_longlong,) if batched and not table else ()
    matrix = (_pointer, _int, size, *strides)  # address, cudaDataType, leading dimension
    return (
        _pointer, _int, _int, size, size, size, _pointer, *matrix, *matrix, _pointer, *matrix,
        *((size,) if batched else ()), _int, _int,
    )  # fmt: skip


SIGNATURES: dict[str, tuple[Any, ...]] = {  # of the functions that set a handle up
    "cublasCreate_v2": (ctypes.POINTER(_pointer),),
    "cublasSetStream_v2": (_pointer, _pointer),
    "cublasSetWorkspace_v2": (_pointer, _pointer, ctypes.c_size_t),
    "cublasSetMathMode": (_pointer, _int),
}
PRODUCTS: dict[str, tuple[Any, ...]] = {
    "cublasGemmEx": _gemm(_int, False, False),
    "cublasGemmStridedBatchedEx": _gemm(_int, True, False),
    "cublasGemmBatchedEx": _gemm(_int, True, True),
}
PRODUCTS |= {name + "_64": _gemm(_long, "Batched" in name, name == "cublasGemmBatchedEx") for name in PRODUCTS}


Sizes = tuple[int, int, int]


class Kind(NamedTuple):
    """How products of a dtype are asked for: cudaDataType, and cublasComputeType_t in full and with TF32 allowed."""

    data: int
    width: int  # bytes of an element
    compute: int
    coarse: int
    one: int  # addresses of alpha and beta, in the type that the sum is scaled in
    zero: int
    scale: Any  # the C type of their parts


_scales = {c: (c * 4)(1, 0, 0, 0) for c in (ctypes.c_float, ctypes.c_double)}  # 1 + 0i and 0 + 0i


def _kind(data: int, width: int, compute: int, coarse: int, scale: Any) -> Kind:
    start = ctypes.addressof(_scales[scale])
    return Kind(data, width, compute, coarse, start, start + 2 * ctypes.sizeof(scale), scale)


KINDS = {
    "float16": _kind(2, 2, 68, 68, ctypes.c_float),
    "bfloat16": _kind(14, 2, 68, 68, ctypes.c_float),
    "float32": _kind(0, 4, 68, 77, ctypes.c_float),
    "float64": _kind(1, 8, 70, 70, ctypes.c_double),
    "complex64": _kind(4, 8, 68, 77, ctypes.c_float),
    "complex128": _kind(5, 16, 70, 70, ctypes.c_double),
}


class CublasError(RuntimeError):
    """A call of cuBLAS that failed."""


def library() -> tuple[Any, str]:
    """The libcublas of this process, loaded as CuPy would load it: by pathfinder, or what its own module is linked to.

    And the name of the libcublasLt that it comes with.
    """
    import cupy

    try:
        from cupy.cuda import cublas  # noqa: F401 loads it
    except ImportError as error:
        raise RuntimeError(f"matrix products on CUDA need cuBLAS, which CuPy cannot load: {error}") from error
    built = cupy.cuda.runtime.runtimeGetVersion() // 1000
    versions = [built, *(v for v in (13, 12, 11) if v != built)]
    names = [f"cublas64_{v}.dll" if os.name == "nt" else f"libcublas.so.{v}" for v in versions]
    for mode in (getattr(os, "RTLD_NOLOAD", 0), 0):  # first the one that is there
        for name in names:
            try:
                found = ctypes.CDLL(name, mode=mode)
            except OSError:
                continue
            return found, name.replace("cublas", "cublasLt")
    raise RuntimeError(f"matrix products on CUDA need cuBLAS; none of {', '.join(names)} could be loaded")


def workspace_size(config: str | None, capability: int) -> int:
    """Bytes of workspace: CUBLAS_WORKSPACE_CONFIG, as ':KiB:count' pairs, or what NVIDIA advises for a card."""
    if config is None:
        return (32 << 20) if capability >= 90 else (8 << 20) + (128 << 10)
    parts = config.split(":")[1:]
    if not config.startswith(":") or not parts or len(parts) % 2 or not all(p.isdigit() for p in parts):
        raise ValueError(f"CUBLAS_WORKSPACE_CONFIG should read :SIZE:COUNT (SIZE in KiB), got {config!r}")
    numbers = list(map(int, parts))
    return sum(size * count << 10 for size, count in zip(numbers[::2], numbers[1::2], strict=True))


class Handle:
    """A cublasHandle_t: the stream that it works on, and its workspace for each stream that it has seen."""

    def __init__(self, address: int) -> None:
        self.address, self.stream = address, -1
        self.spaces: dict[int, Any] = {}
        self.space = 0  # the one of its stream
        self.pointers = _pointer(), _pointer(), _pointer()  # what calls that are ready read a, b and c from
        self.factors = {
            c: (c * 4)() for c in (ctypes.c_float, ctypes.c_double)
        }  # and alpha and beta, if they are scaled

    def scale(self, kind: Kind, alpha: Any, beta: Any) -> None:
        """Set the factors of the next scaled call, which reads them before it returns."""
        self.factors[kind.scale][:] = (alpha.real, alpha.imag, beta.real, beta.imag)


class Call:
    """A call that is ready but for the addresses of the operands and of the result.

    Its arguments are objects of ctypes, or numbers where C has an int: three times as fast as declared argument types.
    """

    __slots__ = ("args", "entry", "name", "pointers")

    def __init__(self, entry: Any, name: str, handle: Handle, args: tuple[Any, ...]) -> None:
        self.entry, self.name, self.pointers = entry, name, handle.pointers
        self.args = tuple(
            [v if t is _int or isinstance(v, t) else t(v) for t, v in zip(PRODUCTS[name], args, strict=True)]
        )

    def __call__(self, a: int, b: int, c: int) -> None:
        p, q, r = self.pointers
        p.value, q.value, r.value = a, b, c
        status = self.entry(*self.args)
        if status:
            (ta, tb), sizes = self.args[1:3], [getattr(v, "value", v) for v in self.args[3:6]]
            check(status, f"{self.name}(handle, {'nt'[ta]}, {'nt'[tb]}, {', '.join(map(str, sizes))}, ...)")


def check(status: int, call: str) -> None:
    if status:
        raise CublasError(f"CUDA error: {STATUS.get(status, f'cuBLAS status {status}')} when calling `{call}`")


class _Held(dict[int, Handle]):
    """A thread's handles by device. They outlive the thread, for the next one: destroying a handle waits for the device."""

    def __init__(self, idle: dict[int, list[Handle]]) -> None:
        super().__init__()
        self.idle = idle

    def __del__(self) -> None:
        for device, handle in self.items():
            self.idle.setdefault(device, []).append(handle)


class _Mine(threading.local):
    def __init__(self, idle: dict[int, list[Handle]]) -> None:
        self.handles = _Held(idle)


class Blas:
    """cuBLAS on the current device and stream of the calling thread.

    place: a function that gives (device, stream's address); allocate: one that gives an object whose `ptr` is the address
    of so many bytes; coarse: one that tells whether float32 may be rounded to TF32; light: libcublasLt, or None.
    """

    def __init__(
        self, entries: Any, place: Callable[[], tuple[int, int]], allocate: Callable[[int], Any],
        coarse: Callable[[], bool], size: int, light: Any = None,
    ) -> None:  # fmt: skip
        for name, types in SIGNATURES.items():
            getattr(entries, name).argtypes = types
        self.entries, self.place, self.allocate, self.coarse, self.size = entries, place, allocate, coarse, size
        self.light = light
        self._idle: dict[int, list[Handle]] = {}
        self._mine = _Mine(self._idle)

    def handle(self) -> Handle:
        """This thread's handle for the current device, set to the current stream."""
        device, stream = self.place()
        handle = self._mine.handles.get(device)
        if handle is None:
            try:
                handle = self._idle.get(device, []).pop()
            except IndexError:
                address = _pointer()
                check(self.entries.cublasCreate_v2(ctypes.byref(address)), "cublasCreate(handle)")
                handle = Handle(address.value or 0)
                check(self.entries.cublasSetMathMode(handle.address, KEEP_FLOAT32), "cublasSetMathMode(handle, mode)")
            self._mine.handles[device] = handle
        if handle.stream != stream:
            handle.stream = -1  # of none, if there is no memory for the workspace
            check(self.entries.cublasSetStream_v2(handle.address, stream), "cublasSetStream(handle, stream)")
            space = handle.spaces.get(stream)
            if space is None and self.size:
                if len(handle.spaces) == MOST_STREAMS:  # the pool keeps it for the work of that stream
                    del handle.spaces[next(iter(handle.spaces))]
                space = handle.spaces[stream] = self.allocate(self.size)
            # setting the stream has given the handle cuBLAS's own workspace back
            handle.space = 0 if space is None else space.ptr
            status = self.entries.cublasSetWorkspace_v2(handle.address, handle.space or None, self.size)
            check(status, "cublasSetWorkspace(handle, workspace, size)")
            handle.stream = stream
        return handle

    def forget_workspaces(self) -> list[Any]:
        """Let this thread's next products allocate their workspaces anew; returns those in use until now.

        A graph needs workspaces of its own memory pool, which live as long as it does: call this before and after a capture.
        """
        found: list[Any] = []
        for handle in self._mine.handles.values():
            handle.stream = -1
            found += handle.spaces.values()
            handle.spaces = {}
        return found

    def ready(
        self, handle: Handle, kind: Kind, ops: tuple[int, int], sizes: Sizes, leads: Sizes, add: bool, coarse: bool,
        wide: bool = False, batch: tuple[int, ...] | None = None, table: int = 0, scaled: bool = False,
    ) -> Call:  # fmt: skip
        """c = op(a) op(b), or c += with `add`, as cuBLAS has it: by columns; sizes m, n, k and leading dimensions.

        scaled: c = alpha * op(a) op(b) + beta * c with the handle's factors, which are set before each call.

        coarse: with TF32. wide: c is of float32, a and b of 16 bits. batch: (count, strides of a, b and c). table: the
        length of the tables of addresses that a, b and c then are.
        """
        (a, b, c), (lda, ldb, ldc) = handle.pointers, leads
        data, to, alpha, beta = kind.data, 0 if wide else kind.data, kind.one, kind.one if add else kind.zero
        if scaled:
            alpha = ctypes.addressof(handle.factors[kind.scale])
            beta = alpha + 2 * ctypes.sizeof(kind.scale)
        head, tail = (handle.address, *ops, *sizes, alpha), (kind.coarse if coarse else kind.compute, DEFAULT)
        args: tuple[Any, ...]
        if table:
            name = "cublasGemmBatchedEx"
            args = (*head, a, data, lda, b, data, ldb, beta, c, to, ldc, table, *tail)
        elif batch is None:
            name = "cublasGemmEx"
            args = (*head, a, data, lda, b, data, ldb, beta, c, to, ldc, *tail)
        else:
            name = "cublasGemmStridedBatchedEx"
            count, sa, sb, sc = batch
            args = (*head, a, data, lda, sa, b, data, ldb, sb, beta, c, to, ldc, sc, count, *tail)
        if max(*sizes, *leads, table) > INT_MAX:
            name += "_64"
            if not hasattr(self.entries, name):
                raise CublasError(f"a product with a dimension or stride above {INT_MAX} needs cuBLAS 12 or newer")
        return Call(getattr(self.entries, name), name, handle, args)
