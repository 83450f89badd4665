"""The backend contract: every kernel once, over an array namespace `xp`.

A new backend is a subclass that names its `xp` and about ten functions; it is then complete, if slow. Kernels take
strided arrays first and attributes after, and return arrays. Dtypes and shapes arrive resolved: nothing here promotes.
float16 and bfloat16 are storage types: reductions and products compute in float32 and round once.
"""

from __future__ import annotations

import os
import warnings
from contextlib import AbstractContextManager, nullcontext
from math import copysign, prod
from typing import Any

import numpy as np

from .. import dtypes
from . import CONVERTS, MISSING, NATIVE, STORAGE, streams
from .activations import ActivationKernels
from .attention import AttentionKernels
from .checks import CheckKernels
from .conv import ConvKernels
from .fft import FftKernels
from .fused import FusedKernels
from .halves import HalfKernels
from .indexing import IndexKernels
from .ldl import LdlKernels
from .linalg import LinalgKernels
from .losses import LossKernels
from .norms import NormKernels
from .optim import OptimKernels
from .polynomials import PolynomialKernels
from .recurrent import RecurrentKernels
from .resample import ResampleKernels
from .special import SPECIAL_UFUNCS, SpecialKernels
from .statistics import StatisticsKernels
from .storage import StorageKernels
from .tables import TableKernels

# NumPy warns on log(0) and 0/0 where PyTorch is silent; a filter on our own modules leaves the user's NumPy alone.
warnings.filterwarnings("ignore", category=RuntimeWarning, module=r"polytensor\.")

Array = Any
IMPORTED_BY = os.getpid()  # another process number: a forked child

for _d in dtypes.ALL:
    if _d is not dtypes.bfloat16:
        _d.array = np.dtype(_d.name)
try:
    import ml_dtypes
except ImportError:  # the extra bf16
    pass
else:
    dtypes.bfloat16.array = np.dtype(ml_dtypes.bfloat16)
DTYPE_OF: dict[Any, dtypes.dtype] = {d.array: d for d in dtypes.ALL if d.array is not None}
HOST_ARRAY = np.ndarray  # what a dataset hands out beside tensors: arrays and numbers
HOST_NUMBERS = (np.bool_, np.number, np.object_)
SCALARS = frozenset(np.sctypeDict.values())  # what NumPy returns for 0-d work; the front wraps it back to an array
UFUNC = np.ufunc
BITS = {1: "int8", 2: "int16", 4: "int32", 8: "int64"}  # by item size
SINGLE = np.dtype(np.float32)
FLOAT16 = frozenset(d.array for d in (dtypes.float16, dtypes.bfloat16) if d.array is not None)
REST = (Ellipsis,)
NOWHERE = nullcontext()
BLOCK = 512  # longest run that a float sum over an outer axis adds up without a block


def channels_last(x: Array) -> bool:
    """Whether (N, C, ...) is dense with its channels innermost."""
    return bool(x.transpose(0, *range(2, x.ndim), 1).flags.c_contiguous)


UFUNCS = dict(
    add="add", sub="subtract", mul="multiply", div="true_divide", neg="negative", abs="absolute",
    exp="exp", log="log", log2="log2", log10="log10", log1p="log1p", expm1="expm1", sqrt="sqrt", pow="power",
    maximum="maximum", minimum="minimum", tanh="tanh", sin="sin", cos="cos", tan="tan", floor="floor", ceil="ceil",
    trunc="trunc", eq="equal", ne="not_equal", lt="less", le="less_equal", gt="greater",
    ge="greater_equal", where="where", logical_and="logical_and", logical_or="logical_or", logical_xor="logical_xor",
    logical_not="logical_not", bitwise_and="bitwise_and", bitwise_or="bitwise_or", bitwise_xor="bitwise_xor",
    bitwise_not="invert", isnan="isnan", isinf="isinf", isfinite="isfinite", asarray="asarray", empty="empty", zeros="zeros",
    **SPECIAL_UFUNCS,
)  # fmt: skip

# Kernels that most backends have as functions of the array library itself, in attributes of the object: Python is slow to
# find them where the class has a method of that name.
DIRECT = frozenset((*UFUNCS, "view"))


class Backend(
    ActivationKernels, AttentionKernels, CheckKernels, ConvKernels, FftKernels, FusedKernels, HalfKernels, IndexKernels, LdlKernels,
    LinalgKernels, LossKernels, OptimKernels,
    PolynomialKernels, RecurrentKernels, ResampleKernels, SpecialKernels, StatisticsKernels, StorageKernels, NormKernels,
    TableKernels,
):  # fmt: skip
    """Base of all backends; see the module's text for the contract."""

    name = "base"
    device_type = "cpu"
    xp: Any = None
    scalar_types = SCALARS
    takes_half = False  # whether convolution, attention, GELU and SiLU take 16-bit floats: the front widens them if not
    batches_half = False  # whether the norm of a batch takes float16 and bfloat16, with float32 weights
    remakes_norms = False  # whether layer norm keeps its input alone, not the plain result too: less memory to write
    attends_small = False  # whether `attend` is the faster way for few scores too
    asarray: Any  # (obj, dtype=None)
    empty: Any  # (shape, dtype)
    zeros: Any  # (shape, dtype)
    view: Any  # (x, shape): reshape, of an array

    # ---- what a new backend must give -------------------------------------------------------------------------
    @classmethod
    def availability(cls) -> tuple[bool, str, str]:
        """(usable here, the reason if not, what to install)."""
        return True, "", ""

    @classmethod
    def capability(cls, d: dtypes.dtype) -> str:
        """What this backend does with a dtype, in words; MISSING and what to install where it cannot take it."""
        if d.array is None:
            return f"{MISSING}the package ml_dtypes: pip install 'polytensor[bf16]'"
        if d in dtypes.WIDE_UNSIGNED:
            return CONVERTS
        return STORAGE if d in (dtypes.float16, dtypes.bfloat16) else NATIVE

    def __init__(self) -> None:
        for name, ufunc in UFUNCS.items():
            if not hasattr(type(self), name):
                setattr(self, name, getattr(self.xp, ufunc))
        if not hasattr(type(self), "view"):
            self.view = self.xp.ndarray.reshape
        self._scalars: dict[Any, dict[Any, Array]] = {}
        self.constants: dict[Any, dict[Any, Any]] = {}  # the front's cache of Python numbers as 0-d tensors

    def to_numpy(self, a: Array) -> Any:
        raise NotImplementedError

    def from_numpy(self, a: Any) -> Array:
        raise NotImplementedError

    def at(self, index: int) -> Backend:
        """The backend of one of several devices."""
        return self

    def here(self) -> AbstractContextManager[Any]:
        """A context in which arrays of this backend may be computed with as they are, without its kernels."""
        return NOWHERE

    def to_host(self, a: Array, non_blocking: bool = False) -> Any:
        """A NumPy array; with non_blocking it may come later, when the device has been waited for."""
        return self.to_numpy(a)

    def take(self, a: Array, source: Backend, non_blocking: bool = False) -> Array:
        """An array of another backend here: its memory where that may be shared, else a copy."""
        return self.from_numpy(source.to_host(a, non_blocking))

    def copy(self, a: Array) -> Array:
        """A C-contiguous copy."""
        return self.xp.array(a, order="C", copy=True)

    def copy_like(self, a: Array) -> Array:
        """A copy whose axes lie in memory in the order of a's."""
        return a.copy(order="K")

    def synchronize(self) -> None:
        """Wait for all queued work."""

    def set_num_threads(self, n: int) -> None:
        """Limit the threads of this backend's kernels and of BLAS."""

    def find_blas(self) -> None:
        """Look for the BLAS libraries of this process now, so that one forked from it can limit them at once."""

    def memory_info(self) -> dict[str, int]:
        """Bytes: free, total."""
        return {}

    def random_words(self, seed: int, counter: int, nblocks: int) -> Array:
        """4 * nblocks uint64 words of Philox4x64-10 with key `seed`, from block `counter` on."""
        raise NotImplementedError

    # ---- creation, copies, layout -----------------------------------------------------------------------------
    def full(self, shape: tuple[int, ...], value: Any, dtype: Any) -> Array:
        out = self.empty(shape, dtype)
        out.fill(value)
        return out

    def arange(self, n: int, start: Any, step: Any, dtype: Any) -> Array:
        """n values; integers in int64, floats in float64, then cast."""
        integral = np.dtype(dtype).kind in "iu" and isinstance(start, int) and isinstance(step, int)
        kind = np.int64 if integral else np.float64
        values = self.xp.arange(max(n, 0), dtype=kind)
        if step != 1:
            values *= step
        if start:
            values += start
        return values.astype(dtype, copy=False)

    def eye(self, n: int, m: int, dtype: Any) -> Array:
        return self.xp.eye(n, m, dtype=dtype)

    def host(self, data: Any) -> Any:
        """Numbers, nested sequences or arrays as a NumPy array."""
        try:
            return np.asarray(data)
        except ValueError:
            return np.empty((), object)  # ragged; the front says so

    def to_dlpack(self, x: Array, stream: int | None, max_version: Any, dl_device: Any, copy: bool | None) -> Any:
        """A DLPack capsule of x's memory."""
        if stream not in (None, -1):
            raise AssertionError("stream should be None on cpu.")
        return x.__dlpack__(max_version=max_version, dl_device=dl_device, copy=copy)

    def dlpack_device(self, x: Array) -> tuple[int, int]:
        """Type and number of x's device, as DLPack counts them."""
        return 1, 0

    def from_dlpack(self, x: Any) -> Array:
        return self.xp.from_dlpack(x)

    def scalar(self, value: Any, dtype: Any) -> Array:
        """A cached 0-d array: a ufunc takes it in half the time of a Python number. Integers wrap as in PyTorch."""
        table = self._scalars.get(dtype)
        if table is None:
            table = self._scalars[dtype] = {}
        found = table.get(value)
        if found is not None and (value or value.__class__ is int):
            return found
        signed = value == 0 and not isinstance(value, complex) and copysign(1, value) < 0
        if found is None or signed:  # 0.0 and -0.0 are one key
            if dtype.kind in "iu" and not isinstance(value, (float, complex)):
                found = self.asarray(np.asarray(int(value) & (2**64 - 1), np.uint64).astype(dtype))
            else:
                found = self.from_numpy(np.asarray(value).astype(dtype))
            if len(table) < 256 and not signed and value.__class__ is not complex:
                table[value] = found
        return found

    def cast(self, x: Array, dtype: Any) -> Array:
        x = x if x.dtype.kind != "c" or dtype.kind in "cb" else x.real
        if x.dtype.char == "d" and getattr(dtype, "char", "") == "e":  # PyTorch rounds twice
            x = x.astype("float32")
        return x.astype(dtype)

    def contiguous(self, x: Array) -> Array:
        return x if x.flags.c_contiguous else self.xp.ascontiguousarray(x)  # which makes 0-d arrays 1-d

    def reshape(self, x: Array, shape: tuple[int, ...]) -> Array:
        return x.reshape(shape)

    squeeze = unsqueeze = reshape

    def reshape_copy(self, x: Array, shape: tuple[int, ...]) -> Array:
        return self.contiguous(x).reshape(shape)

    def transpose(self, x: Array, d0: int, d1: int) -> Array:
        return x.swapaxes(d0, d1)

    def t(self, x: Array) -> Array:
        return x.T

    def flip(self, x: Array, dims: tuple[int, ...]) -> Array:
        return self.xp.array(self.xp.flip(x, dims), order="K", copy=True)

    def permute(self, x: Array, dims: tuple[int, ...]) -> Array:
        return x.transpose(dims)

    def expand(self, x: Array, shape: tuple[int, ...]) -> Array:
        out = self.xp.broadcast_to(x, shape)
        if hasattr(out.flags, "writeable") and x.flags.writeable:
            out.flags.writeable = True  # the front refuses writes where elements share memory
        return out

    def slice(self, x: Array, index: tuple[Any, ...]) -> Array:
        return x[index + REST]  # with an Ellipsis an element is a 0-d view, not a scalar

    select = slice

    def slice_backward(self, g: Array, shape: tuple[int, ...], index: tuple[Any, ...]) -> Array:
        out = self.xp.zeros(shape, g.dtype)
        out[index] = g
        return out

    def view_replay(self, x: Array, chain: tuple[Any, ...]) -> Array:
        """Apply a chain of view kernels, as (name, attributes) pairs."""
        for name, attrs in chain:
            x = getattr(self, name)(x, *attrs)
        return x

    def cat(self, xs: list[Array], dim: int) -> Array:
        ndim = xs[0].ndim
        if ndim in (4, 5) and not xs[0].flags.c_contiguous and all(x.ndim == ndim and channels_last(x) for x in xs):
            order = (0, *range(2, ndim), 1)
            out = self.xp.concatenate([x.transpose(order) for x in xs], order.index(dim))
            return out.transpose(0, ndim - 1, *range(1, ndim - 1))
        out = self.xp.concatenate(xs, dim)
        return out if out.flags.c_contiguous else self.xp.ascontiguousarray(out)

    def sum_to(self, g: Array, shape: tuple[int, ...]) -> Array:
        """Sum a gradient over the dimensions in which an input of `shape` was broadcast."""
        extra = g.ndim - len(shape)
        dims = tuple(i for i in range(g.ndim) if i < extra or (shape[i - extra] == 1 and g.shape[i] != 1))
        return self.sum(g, dims, False).reshape(shape)

    def write(self, x: Array, value: Array) -> None:
        x[...] = value

    def iadd(self, x: Array, value: Array) -> None:
        x += value

    def data_ptr(self, x: Array) -> int:
        return int(x.__array_interface__["data"][0])

    def shares_part(self, x: Array, y: Array) -> bool:
        """Whether arrays of one owner, both without gaps, have elements in common and are not the same ones."""
        if not self.xp.may_share_memory(x, y):
            return False
        layouts = []
        for a in (x, y):
            layout = [(s, n) for s, n in zip(a.strides, a.shape, strict=True) if n != 1]
            if sum((n - 1) * s for s, n in layout) + a.dtype.itemsize != a.nbytes:
                return False
            layouts.append(layout)
        return layouts[0] != layouts[1] or self.data_ptr(x) != self.data_ptr(y)

    # ---- pointwise beyond the array library's own -------------------------------------------------------------
    def conj(self, x: Array) -> Array:
        return self.xp.conjugate(x) if x.dtype.kind == "c" else x

    def real(self, x: Array) -> Array:
        return x.real

    def imag(self, x: Array) -> Array:
        return x.imag

    def complex(self, x: Array, y: Array) -> Array:
        kind = np.complex64 if x.dtype == np.float32 else np.complex128
        out = self.empty(self.xp.broadcast(x, y).shape, kind)
        out.real[...] = x
        out.imag[...] = y
        return out

    def view_as_real(self, x: Array) -> Array:
        x = self.asarray(x)  # a sum of two 0-d gradients is a scalar, which has no memory to view
        half = x.real
        return self.xp.lib.stride_tricks.as_strided(half, (*x.shape, 2), (*x.strides, half.itemsize))

    def view_as_complex(self, x: Array) -> Array:
        kind = np.complex64 if x.dtype == np.float32 else np.complex128
        return x.view(kind)[..., 0]

    def angle(self, x: Array) -> Array:
        if x.dtype.kind == "c":
            return self.xp.arctan2(x.imag, x.real)
        y = self.xp.where(x < 0, self.scalar(np.pi, x.dtype), self.scalar(0, x.dtype))
        return self.xp.where(x != x, x, y)

    def rsqrt(self, x: Array) -> Array:
        if x.dtype in FLOAT16:
            return self.cast(self.rsqrt(x.astype(np.float32)), x.dtype)
        return 1 / self.xp.sqrt(x)

    def reciprocal(self, x: Array) -> Array:
        return 1 / x

    def pow_scalar(self, x: Array, p: float) -> Array:
        if abs(p) == 0.5 and x.dtype.kind in "fV":  # roots as PyTorch takes them: of -inf it is NaN, of -0 it is -0
            root = self.xp.sqrt(x)
            return root if p > 0 else self.rsqrt(x)
        if p == 3 and x.dtype.kind == "V":
            return x * x * x  # of bfloat16 PyTorch rounds both products
        return self.xp.power(x, self.scalar(p, x.dtype))

    def fill(self, x: Array, value: Any) -> Array:
        out = self.xp.empty_like(x)
        out.fill(value)
        return out

    def overwrite(self, x: Array, y: Array) -> Array:
        return self.xp.broadcast_to(y, x.shape)

    def alias(self, x: Array) -> Array:
        return x

    def square(self, x: Array) -> Array:
        return x * x

    def sigmoid(self, x: Array) -> Array:
        if x.dtype in FLOAT16:
            return self.cast(self.sigmoid(x.astype(np.float32)), x.dtype)
        return 1 / (1 + self.xp.exp(-x))

    def relu(self, x: Array) -> Array:
        return self.xp.maximum(x, self.scalar(0, x.dtype))

    def relu_within(self, x: Array) -> None:
        """relu written over x."""
        self.xp.maximum(x, self.scalar(0, x.dtype), out=x)

    def relu_backward(self, g: Array, y: Array) -> Array:
        return self.keep(g, self.xp.logical_not(y <= 0))  # NaN passes the gradient, as in PyTorch

    def keep(self, x: Array, mask: Array) -> Array:
        """x where the mask holds, else 0, whatever x is there; by bits, which is many times faster than `where`."""
        if mask.dtype.kind != "b":
            mask = mask != 0
        bits = BITS.get(x.dtype.itemsize)
        if bits is None or x.size <= 1024:
            return self.xp.where(mask, x, self.scalar(0, x.dtype))
        return (x.view(bits) & -mask.astype(bits)).view(x.dtype)

    def zeros_of(self, x: Array) -> Array:
        """Zeros of x's shape and dtype: a gradient that is 0 even where x is inf or NaN."""
        return self.zeros(x.shape, x.dtype)

    def sign(self, x: Array) -> Array:
        """0 at NaN, as in PyTorch."""
        if x.dtype.kind == "b":
            return x.copy()
        if x.dtype.kind not in "fV":
            return self.xp.sign(x)
        return ((x > 0).view("int8") - (x < 0).view("int8")).astype(x.dtype)

    def sgn(self, x: Array) -> Array:
        """x / |x|; 0 at 0."""
        if x.dtype.kind != "c":
            return self.sign(x)
        size = self.xp.abs(x)
        return self.xp.where(
            size == 0, self.scalar(0, x.dtype), x / self.xp.where(size == 0, self.scalar(1, size.dtype), size)
        )

    def round(self, x: Array) -> Array:
        return self.xp.rint(x) if x.dtype.kind not in "iu" else x.copy()

    def tanh_backward(self, g: Array, y: Array) -> Array:
        if y.dtype in FLOAT16:
            return self.cast(self.tanh_backward(g.astype(np.float32), y.astype(np.float32)), y.dtype)
        return g * (1 - y * y)

    def sigmoid_backward(self, g: Array, y: Array) -> Array:
        if y.dtype in FLOAT16:
            return self.cast(self.sigmoid_backward(g.astype(np.float32), y.astype(np.float32)), y.dtype)
        return g * ((1 - y) * y)

    def clamp(self, x: Array, lo: Any, hi: Any) -> Array:
        if lo is not None:
            x = self.xp.maximum(x, self.scalar(lo, x.dtype))
        return x if hi is None else self.xp.minimum(x, self.scalar(hi, x.dtype))

    # ---- reductions: dim is a tuple or None -------------------------------------------------------------------
    def _reduce_add(self, x: Array, dim: Any, keepdim: bool) -> Array:
        """NumPy adds pairwise along the contiguous axis only; outer axes are added in blocks."""
        if dim is not None and x.size > BLOCK and x.ndim > 1 and x.dtype.kind == "f":
            for axis in dim:
                n = x.shape[axis]
                axis %= x.ndim
                if n > BLOCK and axis != x.ndim - 1:
                    before, whole = x.shape[:axis], n // BLOCK * BLOCK
                    blocks = x[(slice(None),) * axis + (slice(whole),)].reshape(
                        *before, -1, BLOCK, *x.shape[axis + 1 :]
                    )
                    rest = self.xp.add.reduce(x[(slice(None),) * axis + (slice(whole, n),)], axis=axis, keepdims=True)
                    x = self.xp.concatenate((self.xp.add.reduce(blocks, axis=axis + 1), rest), axis)
        return self.xp.add.reduce(x, axis=dim, keepdims=keepdim)

    def sum(self, x: Array, dim: Any, keepdim: bool) -> Array:
        if x.dtype.char in "fd":
            return self._reduce_add(x, dim, keepdim)
        if x.dtype in FLOAT16:
            return self.cast(self._reduce_add(x.astype(np.float32), dim, keepdim), x.dtype)
        if x.dtype.kind in "biu":
            return self.xp.add.reduce(x, axis=dim, keepdims=keepdim, dtype=np.int64)
        return self._reduce_add(x, dim, keepdim)

    def _count(self, x: Array, dim: Any) -> int:
        return int(x.size) if dim is None else prod(x.shape[d] for d in dim)

    def mean(self, x: Array, dim: Any, keepdim: bool) -> Array:
        if x.dtype.itemsize == 2:
            return self.cast(self.mean(x.astype(np.float32), dim, keepdim), x.dtype)
        n = self._count(x, dim)
        total: Any = self._reduce_add(x, dim, keepdim)
        return total / n if total.__class__ in SCALARS else total / self.scalar(n, x.dtype)  # type: ignore[operator]

    def max_all(self, x: Array, dim: Any, keepdim: bool) -> Array:
        return self.amax(x, dim, keepdim)

    def min_all(self, x: Array, dim: Any, keepdim: bool) -> Array:
        return self.amin(x, dim, keepdim)

    def prod(self, x: Array, dim: Any, keepdim: bool) -> Array:
        if x.dtype in FLOAT16:
            return self.cast(self.prod(x.astype(np.float32), dim, keepdim), x.dtype)
        return self.xp.multiply.reduce(x, axis=dim, keepdims=keepdim)

    def amax(self, x: Array, dim: Any, keepdim: bool) -> Array:
        return self.xp.maximum.reduce(x, axis=dim, keepdims=keepdim)

    def amin(self, x: Array, dim: Any, keepdim: bool) -> Array:
        return self.xp.minimum.reduce(x, axis=dim, keepdims=keepdim)

    def argmax(self, x: Array, dim: Any, keepdim: bool) -> Array:
        return x.argmax(axis=dim, keepdims=keepdim)

    def argmin(self, x: Array, dim: Any, keepdim: bool) -> Array:
        return x.argmin(axis=dim, keepdims=keepdim)

    def max_dim(self, x: Array, dim: int, keepdim: bool) -> tuple[Array, Array]:
        return self.amax(x, dim, keepdim), self.argmax(x, dim, keepdim)

    def min_dim(self, x: Array, dim: int, keepdim: bool) -> tuple[Array, Array]:
        return self.amin(x, dim, keepdim), self.argmin(x, dim, keepdim)

    def var(self, x: Array, dim: Any, correction: float, keepdim: bool) -> Array:
        if x.dtype in FLOAT16:
            return self.cast(self.var(x.astype(np.float32), dim, correction, keepdim), x.dtype)
        d = x - self.mean(x, dim, True)
        n = self._count(x, dim) - correction
        squares = d * d if x.dtype.kind != "c" else d.real * d.real + d.imag * d.imag
        return self.sum(squares, dim, keepdim) / self.scalar(max(n, 0), squares.dtype)

    def all(self, x: Array, dim: Any, keepdim: bool) -> Array:
        return self.xp.all(x, axis=dim, keepdims=keepdim)

    def any(self, x: Array, dim: Any, keepdim: bool) -> Array:
        return self.xp.any(x, axis=dim, keepdims=keepdim)

    # ---- products ---------------------------------------------------------------------------------------------
    def matmul(self, a: Array, b: Array) -> Array:
        if a.dtype in FLOAT16:
            return self.cast(self.matmul(self.cast(a, SINGLE), self.cast(b, SINGLE)), a.dtype)
        return self.xp.matmul(a, b)

    bmm = mv = dot = matmul

    def addmm(self, b: Array, x: Array, y: Array, beta: Any = 1, alpha: Any = 1) -> Array:
        """beta * b + alpha * (x @ y); with beta 0 the values of b do not count."""
        dtype = x.dtype
        if dtype in FLOAT16:  # rounded once
            b, x, y = (self.cast(a, SINGLE) for a in (b, x, y))
            return self.cast(self.addmm(b, x, y, beta, alpha), dtype)
        r = self.bmm(x, y) if x.ndim == 3 else self.matmul(x, y)
        if alpha != 1:
            r = r * self.scalar(alpha, dtype)
        if beta != 0:
            r = self.xp.add(r, b if beta == 1 else b * self.scalar(beta, dtype))
        return r

    def addmv(self, b: Array, x: Array, y: Array, beta: Any, alpha: Any) -> Array:
        return self.addmm(b, x, y, beta, alpha)

    baddbmm = addmv

    def add_product(self, c: Array, x: Array, y: Array, beta: Any, alpha: Any) -> bool:
        """c = beta * c + alpha * (x @ y) without another array of that size; False where that is not done."""
        return False

    def outer(self, x: Array, y: Array) -> Array:
        return x[:, None] * y

    def linear_bias(self, b: Array, x: Array, w: Array) -> Array:
        return self.linear(x, w, b)

    def linear_plain(self, x: Array, w: Array) -> Array:
        return self.linear(x, w, None)

    def linear(self, x: Array, w: Array, b: Array | None) -> Array:
        if x.dtype in FLOAT16 and b is not None:  # rounded once
            return self.cast(self.linear(*(self.cast(a, SINGLE) for a in (x, w, b))), x.dtype)
        if x.ndim > 2 and w.ndim == 2 and x.size:  # one product instead of one for each of the leading dimensions
            y = self.matmul(x.reshape(-1, x.shape[-1]), w.T).reshape(*x.shape[:-1], w.shape[0])
        else:
            y = self.matmul(x, w.T)
        if b is not None:
            y += b
        return y

    # ---- random draws -----------------------------------------------------------------------------------------
    uniform = streams.uniform
    normal = streams.normal
    randint = streams.randint
    randperm = streams.randperm
    bernoulli = streams.bernoulli
    exponential = streams.exponential
    cauchy = streams.cauchy
    log_normal = streams.log_normal
    geometric = streams.geometric
    choose = streams.choose
    poisson_small, poisson_large = streams.poisson_small, streams.poisson_large
    binomial_small, binomial_large = streams.binomial_small, streams.binomial_large
