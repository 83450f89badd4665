"""A product with a row added to each of its rows in one kernel: cublasLtMatmul with the bias as its epilogue.

Source: NVIDIA, cuBLASLt library reference (cublasLt.h).
"""

from __future__ import annotations

import ctypes
import os
from typing import Any

from .cublas import Handle, Kind, Sizes, check

__all__ = ["ALIGNED", "SIGNATURES", "BiasedCall", "Heuristic", "library"]

TRANSA, TRANSB, EPILOGUE, BIAS_POINTER = 3, 4, 7, 8  # cublasLtMatmulDescAttributes_t
BIAS = 4  # cublasLtEpilogue_t
MOST_WORKSPACE, REDUCTIONS = 1, 3  # cublasLtMatmulPreferenceAttributes_t
ALIGNMENTS = (5, 6, 7, 8)  # of a, b, c and d
ALIGNED = 16  # bytes that all addresses must be multiples of
IN_FLOAT32 = 2  # cublasLtReductionScheme_t: partial sums in the type that is computed in
UNSUPPORTED = (7, 8, 15)  # statuses by which the library refuses a problem

_int, _pointer, _size = ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t


class Heuristic(ctypes.Structure):
    """cublasLtMatmulHeuristicResult_t"""

    _fields_ = [
        ("algo", ctypes.c_uint64 * 8), ("workspace", _size), ("state", _int), ("waves", ctypes.c_float),
        ("reserved", _int * 4),
    ]  # fmt: skip


SIGNATURES: dict[str, tuple[Any, ...]] = {
    "cublasLtMatmulDescCreate": (ctypes.POINTER(_pointer), _int, _int),
    "cublasLtMatmulDescSetAttribute": (_pointer, _int, _pointer, _size),
    "cublasLtMatmulDescDestroy": (_pointer,),
    "cublasLtMatrixLayoutCreate": (ctypes.POINTER(_pointer), _int, ctypes.c_uint64, ctypes.c_uint64, ctypes.c_int64),
    "cublasLtMatrixLayoutDestroy": (_pointer,),
    "cublasLtMatmulPreferenceCreate": (ctypes.POINTER(_pointer),),
    "cublasLtMatmulPreferenceSetAttribute": (_pointer, _int, _pointer, _size),
    "cublasLtMatmulPreferenceDestroy": (_pointer,),
    "cublasLtMatmulAlgoGetHeuristic": (
        *(_pointer,) * 7, _int, ctypes.POINTER(Heuristic), ctypes.POINTER(_int),
    ),
    "cublasLtMatmul": (*(_pointer,) * 14, _size, _pointer),
}  # fmt: skip


def library(name: str) -> Any:
    """The libcublasLt of that name, or None where it is missing or DISABLE_ADDMM_CUDA_LT (PyTorch's name) is 1."""
    if os.environ.get("DISABLE_ADDMM_CUDA_LT") == "1":
        return None
    try:
        return declared(ctypes.CDLL(name))
    except (OSError, AttributeError):
        return None


def declared(entries: Any) -> Any:
    """The library with the C types of what is used of it."""
    for name, types in SIGNATURES.items():
        getattr(entries, name).argtypes = types
    return entries


class BiasedCall:
    """c = op(a) op(b) + bias, where bias has an element for each row of c as cuBLAS sees it, for one thread's handle.

    LookupError where the library has no algorithm. Addresses must be multiples of ALIGNED.
    """

    def __init__(
        self, entries: Any, handle: Handle, kind: Kind, ops: tuple[int, int], sizes: Sizes, leads: Sizes, coarse: bool,
        room: int,
    ) -> None:  # fmt: skip
        self.entries, self.handle = entries, handle
        self.made: list[tuple[Any, Any]] = []  # what is to be destroyed, and by what
        self.bias, self.space, self.stream = _pointer(), _pointer(), _pointer()
        (m, n, k), (lda, ldb, ldc) = sizes, leads
        compute = kind.coarse if coarse else kind.compute
        self.problem = self._create("MatmulDesc", compute, 1 if kind.data == 1 else 0)
        for attribute, value in ((TRANSA, ops[0]), (TRANSB, ops[1]), (EPILOGUE, BIAS)):
            self._set("MatmulDesc", self.problem, attribute, ctypes.c_int32(value))
        self._set("MatmulDesc", self.problem, BIAS_POINTER, _pointer(ALIGNED))  # its alignment counts
        shapes = ((k, m, lda) if ops[0] else (m, k, lda), (n, k, ldb) if ops[1] else (k, n, ldb), (m, n, ldc))
        a, b, c = (self._create("MatrixLayout", kind.data, *shape) for shape in shapes)
        wish = self._create("MatmulPreference")
        self._set("MatmulPreference", wish, MOST_WORKSPACE, ctypes.c_uint64(room))
        for attribute in ALIGNMENTS:
            self._set("MatmulPreference", wish, attribute, ctypes.c_uint32(ALIGNED))
        if kind.width == 2:
            self._set("MatmulPreference", wish, REDUCTIONS, ctypes.c_uint32(IN_FLOAT32))
        found, count = Heuristic(), _int()
        layouts = (a, b, c, c)
        status = entries.cublasLtMatmulAlgoGetHeuristic(
            handle.address, self.problem, *layouts, wish, 1, ctypes.byref(found), ctypes.byref(count)
        )
        if status in UNSUPPORTED or not count.value or found.state:
            raise LookupError("cublasLt has no algorithm for this product")
        check(status, "cublasLtMatmulAlgoGetHeuristic(handle, ...)")
        self.algorithm = found
        p, q, r = handle.pointers
        self.args = (
            _pointer(handle.address), self.problem, _pointer(kind.one), p, a, q, b, _pointer(kind.zero), r, c, r, c,
            _pointer(ctypes.addressof(found)), self.space, _size(room), self.stream,
        )  # fmt: skip

    def _create(self, what: str, *args: Any) -> Any:
        made = _pointer()
        check(getattr(self.entries, f"cublasLt{what}Create")(ctypes.byref(made), *args), f"cublasLt{what}Create(...)")
        self.made.append((getattr(self.entries, f"cublasLt{what}Destroy"), made))
        return made

    def _set(self, what: str, of: Any, attribute: int, value: Any) -> None:
        entry = getattr(self.entries, f"cublasLt{what}SetAttribute")
        status = entry(of, attribute, ctypes.addressof(value), ctypes.sizeof(value))
        check(status, f"cublasLt{what}SetAttribute(..., {attribute}, ...)")

    def __del__(self) -> None:
        for destroy, made in self.made:
            destroy(made)

    def __call__(self, a: int, b: int, c: int, bias: int, space: int, stream: int) -> bool:
        """False if the library refuses."""
        p, q, r = self.handle.pointers
        p.value, q.value, r.value, self.space.value, self.stream.value = a, b, c, space, stream
        if self.bias.value != bias:
            self.bias.value = bias
            self._set("MatmulDesc", self.problem, BIAS_POINTER, self.bias)
        status = self.entries.cublasLtMatmul(*self.args)
        if status in UNSUPPORTED:
            return False
        check(status, "cublasLtMatmul(handle, ...)")
        return True
