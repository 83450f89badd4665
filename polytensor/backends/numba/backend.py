"""The Numba backend: NumPy, with the kernels of this package where they win.

A kernel takes contiguous, aligned, writeable float32 and float64 arrays with elements; all else goes to NumPy. Numba
and the kernels are imported when the backend is made.
"""

from __future__ import annotations

from importlib import import_module
from math import prod
from typing import Any

import numpy as np

from ... import dtypes
from .. import NATIVE, VIA_NUMPY
from ..numpy import NumpyBackend
from .activations import POINTWISE, PointwiseKernels
from .large import F4, F8, TINY, fits

# The fallbacks name NumpyBackend: super() costs a tenth of a small op.
Array = Any
Pair = tuple[int, ...]  # of two
MODULES = "threads pointwise reduce softmax attention pool conv optim many norms batchnorm tables recurrent products gelu fused".split()
# the elements from which our kernels beat NumPy
FEW = 4  # parameters
REDUCE = 32768
PRODUCT = 512
PLAIN = 1 << 14  # and those of an image up to which a 1 x 1 convolution is left to BLAS
PLANE = 16  # and those of a plane that are worth a loop of their own
TAPS = 16  # of a window up to which NumPy's passes over whole arrays are faster
BLAS_ALONE = 1 << 18  # products of two elements up to which BLAS wakes no threads
ONE, NONE_AROUND = (1, 1), (0, 0)
_empty = np.empty


class NumbaBackend(PointwiseKernels):
    """See the module's text."""

    name = "numba"

    @classmethod
    def availability(cls) -> tuple[bool, str, str]:
        try:
            import_module("numba")
        except Exception as error:  # Numba raises ImportError and others where NumPy is too new
            return False, f"Numba cannot be imported ({error})", "pip install 'polytensor[numba]'"
        return True, "", ""

    @classmethod
    def capability(cls, d: dtypes.dtype) -> str:
        found = super().capability(d)
        return VIA_NUMPY if found is NATIVE and d.category != dtypes.FLOAT else found

    def __init__(self) -> None:
        super().__init__()
        for module in MODULES:
            setattr(self, "_" + module, import_module("." + module, __package__))
        from ...threads import get_num_threads

        self._threads.set_num_threads(get_num_threads())
        self._nobody = np.empty(0, bool)
        self._no_bias = {np.dtype(kind): np.empty(0, kind) for kind in "fd"}

    _threads: Any
    _reduce: Any
    _softmax: Any
    _pool: Any
    _conv: Any
    _optim: Any
    _many: Any
    _batchnorm: Any
    _recurrent: Any
    _products: Any
    _attention: Any
    _fused: Any

    # ---- threads and compilation ------------------------------------------------------------------------------
    def set_num_threads(self, n: int) -> None:
        """One budget for kernels and BLAS."""
        self._threads.blas_alone.change(n, super().set_num_threads)

    @property
    def compile_seconds(self) -> float:
        """Seconds spent compiling kernels so far; loading them from the cache is not compiling."""
        return float(self._threads.clock.seconds)

    def warmup(self, dtype: Any = np.float32) -> float:
        """Compile or load every kernel for a dtype, serial and parallel; the seconds that compiling took."""
        from .warm import warm

        before = self.compile_seconds
        warm(self, np.dtype(dtype))
        return self.compile_seconds - before

    # ---- products ---------------------------------------------------------------------------------------------
    def matmul(self, a: Array, b: Array) -> Array:
        if a.size < PRODUCT:
            if a.dtype is F4 and a.ndim < 3 and b.ndim < 3:
                return a.dot(b)
        elif a.ndim == 2 and b.ndim == 2 and a.dtype.char in "fd":
            if self._products.takes(a, b):
                return self._products.gemm(a, b, self._no_bias[a.dtype])
            if a.size * b.shape[1] > BLAS_ALONE and self._threads.get_num_threads() > 1:
                return self._products.by_blas(a, b)
        return NumpyBackend.matmul(self, a, b)

    def bmm(self, a: Array, b: Array) -> Array:
        y = self._products.gemm_each(a, b) if a.size >= PRODUCT and a.ndim == 3 and b.ndim == 3 else None
        return NumpyBackend.bmm(self, a, b) if y is None else y

    def linear(self, x: Array, w: Array, b: Array | None) -> Array:
        if x.size >= PRODUCT and b is not None and b.shape == w.shape[:1] and b.dtype is x.dtype and b.flags.carray:
            rows = x if x.ndim == 2 else x.reshape(-1, x.shape[-1])
            if self._products.takes(rows, w.T):
                return self._products.gemm(rows, w.T, b).reshape(*x.shape[:-1], len(w))
        return NumpyBackend.linear(self, x, w, b)

    # ---- fused chains -----------------------------------------------------------------------------------------
    def dropout(self, x: Array, seed: int, counter: int, p: float) -> tuple[Array, Array]:
        if x.size < self._fused.SMALLEST or not fits(x):
            return super().dropout(x, seed, counter, p)
        return self._fused.dropout(x, seed, counter, p)  # type: ignore[no-any-return]

    def masked_scale(self, x: Array, mask: Array, scale: float) -> Array:
        if x.size < self._fused.SMALLEST or not fits(x) or not mask.flags.carray or mask.shape != x.shape:
            return super().masked_scale(x, mask, scale)
        return self._fused.masked_scale(x, mask, scale)

    def scale_channels(self, x: Array, scale: Array, shift: Array) -> Array:
        planes = x.shape[0] * x.shape[1]
        if x.size < max(POINTWISE, PLANE * planes) or not (fits(x) and fits(scale) and fits(shift)):
            return super().scale_channels(x, scale, shift)
        return self._pointwise.scale_planes(x, scale, shift)

    def batch_normalize_relu(self, x: Array, w: Array, b: Array, dims: Pair, eps: float) -> tuple[Array, Array, Array]:
        if not (fits(x) and fits(w) and fits(b) and self._batchnorm.takes(x.shape, dims, w)):
            return super().batch_normalize_relu(x, w, b, dims, eps)
        return self._batchnorm.batch_norm(x, w, b, eps, True)  # type: ignore[no-any-return]

    def batch_normalize_relu_backward(
        self, g: Array, x: Array, w: Array, y: Array, mean: Array, var: Array, dims: Pair, eps: float
    ) -> tuple[Array, Array, Array]:
        known = fits(g) and fits(x) and fits(w) and fits(y) and g.shape == x.shape
        if not (known and self._batchnorm.takes(x.shape, dims, w)):
            return super().batch_normalize_relu_backward(g, x, w, y, mean, var, dims, eps)
        return self._batchnorm.batch_norm_backward(g, x, w, mean, var, eps, y)  # type: ignore[no-any-return]

    # ---- normalisation ----------------------------------------------------------------------------------------
    def normalize(self, x: Array, dims: Pair, eps: float) -> tuple[Array, Array, Array]:
        form = self._norms.blocks(x.shape, dims) if fits(x) else None
        if form is None:
            return super().normalize(x, dims, eps)
        return self._norms.normalize(x, dims, form, eps)[1:]  # type: ignore[no-any-return]

    def normalize_affine(
        self, x: Array, w: Array, b: Array, dims: Pair, eps: float
    ) -> tuple[Array, Array, Array, Array]:
        tail = x.shape[x.ndim - len(dims) :]
        form = self._norms.blocks(x.shape, dims) if fits(x) and fits(w) and fits(b) else None
        if form is None or form[0] != 1 or not w.shape == b.shape == tail:
            if dims != (2, 3) or x.ndim != 4 or not w.shape == b.shape == (1, *x.shape[1:3], 1):
                return super().normalize_affine(x, w, b, dims, eps)
            y, mean, var = self.normalize(x, dims, eps)  # groups of channels
            planes = y.reshape(x.shape[0], w.size, x.shape[3])
            return self.scale_channels(planes, w.reshape(-1), b.reshape(-1)).reshape(x.shape), y, mean, var
        return self._norms.normalize(x, dims, form, eps, w, b)  # type: ignore[no-any-return]

    def layer_normalize(self, x: Array, w: Array, b: Array, dims: Pair, eps: float) -> Array:
        form = self._norms.blocks(x.shape, dims) if fits(x) and fits(w) and fits(b) else None
        if form is None or form[0] != 1 or not w.shape == b.shape == x.shape[x.ndim - len(dims) :]:
            return super().layer_normalize(x, w, b, dims, eps)
        return self._norms.normalize(x, dims, form, eps, w, b, False)[0]

    def batch_normalize(self, x: Array, w: Array, b: Array, dims: Pair, eps: float) -> tuple[Array, Array, Array]:
        if not (fits(x) and fits(w) and fits(b) and self._batchnorm.takes(x.shape, dims, w)):
            return super().batch_normalize(x, w, b, dims, eps)
        return self._batchnorm.batch_norm(x, w, b, eps)  # type: ignore[no-any-return]

    def batch_normalize_backward(
        self, g: Array, x: Array, w: Array, mean: Array, var: Array, dims: Pair, eps: float
    ) -> tuple[Array, Array, Array]:
        if not (fits(g) and fits(x) and fits(w) and g.shape == x.shape and self._batchnorm.takes(x.shape, dims, w)):
            return super().batch_normalize_backward(g, x, w, mean, var, dims, eps)
        return self._batchnorm.batch_norm_backward(g, x, w, mean, var, eps)  # type: ignore[no-any-return]

    def move_average(self, running: Array, value: Array, keep: float, rate: float) -> None:
        d = running.dtype
        if (d is F4 or d is F8) and value.shape == running.shape and running.size <= TINY:
            self._ufuncs.move(running, value, self.scalar(keep, d), self.scalar(rate, d), running)
        else:
            super().move_average(running, value, keep, rate)

    def normalize_backward(self, g: Array, y: Array, var: Array, dims: Pair, eps: float) -> Array:
        form = self._norms.blocks(y.shape, dims) if fits(y) and fits(g) and fits(var) else None
        if form is None or g.shape != y.shape:
            return super().normalize_backward(g, y, var, dims, eps)
        return self._norms.backward(g, y, var, form, eps, True)

    def normalize_affine_backward(
        self, g: Array, w: Array, y: Array, var: Array, dims: Pair, eps: float
    ) -> tuple[Array, Array, Array]:
        plain = w.shape == y.shape[y.ndim - w.ndim :] and dims == tuple(range(y.ndim - w.ndim, y.ndim))
        if not plain or g.shape != y.shape or g.dtype != y.dtype or not (fits(w) and fits(y) and fits(var)):
            return super().normalize_affine_backward(g, w, y, var, dims, eps)
        return self._norms.affine_backward(_own(g), w, y, var, eps)  # type: ignore[no-any-return]

    def rms_normalize(self, x: Array, dims: Pair, eps: float) -> tuple[Array, Array]:
        form = self._norms.blocks(x.shape, dims) if fits(x) else None
        if form is None or form[0] != 1:
            return super().rms_normalize(x, dims, eps)
        return self._norms.rms(x, dims, form[1], eps)  # type: ignore[no-any-return]

    def rms_backward(self, g: Array, y: Array, square: Array, dims: Pair, eps: float) -> Array:
        form = self._norms.blocks(y.shape, dims) if fits(y) and fits(g) and fits(square) else None
        if form is None or form[0] != 1 or g.shape != y.shape:
            return super().rms_backward(g, y, square, dims, eps)
        return self._norms.backward(g, y, square, form, eps, False)

    # ---- reductions -------------------------------------------------------------------------------------------
    def _reduce_add(self, x: Array, dim: Any, keepdim: bool) -> Array:
        if x.size <= TINY:
            return np.add.reduce(x, axis=dim, keepdims=keepdim)
        if x.size < REDUCE or not fits(x) or dim == ():
            return NumpyBackend._reduce_add(self, x, dim, keepdim)
        if dim is None and not keepdim:
            return self._reduce.sum_all(x)
        dims, k = self._trailing(x, dim)
        shape = self._shape(x, dims, keepdim)
        if k == x.ndim:
            total = self._reduce.sum_all(x)
            return np.full(shape, total, x.dtype) if keepdim else total
        if k:
            rows = self._reduce.sum_rows(x, prod(x.shape[x.ndim - k :]), x.shape[: x.ndim - k])
            rest = dims[: len(dims) - k]
            return (self._reduce_add(rows, rest, False) if rest else rows).reshape(shape)
        if dims == tuple(range(len(dims))):
            return self._reduce.sum_columns(x, prod(x.shape[: len(dims)]), shape)
        return NumpyBackend._reduce_add(self, x, dim, keepdim)

    def _extreme(self, x: Array, dim: Any, keepdim: bool, minimum: bool) -> Array:
        """Over the last axes alone; NumPy is as fast elsewhere."""
        if dim is not None and fits(x):
            dims, k = self._trailing(x, dim)
            n = prod(x.shape[x.ndim - k :])
            if k == len(dims) and n < REDUCE:
                return self._reduce.extreme(x, n, minimum, self._shape(x, dims, keepdim))
        return (np.minimum if minimum else np.maximum).reduce(x, axis=dim, keepdims=keepdim)

    def amax(self, x: Array, dim: Any, keepdim: bool) -> Array:
        if x.size < REDUCE or dim == ():
            return np.maximum.reduce(x, axis=dim, keepdims=keepdim)
        return self._extreme(x, dim, keepdim, False)

    def amin(self, x: Array, dim: Any, keepdim: bool) -> Array:
        if x.size < REDUCE or dim == ():
            return np.minimum.reduce(x, axis=dim, keepdims=keepdim)
        return self._extreme(x, dim, keepdim, True)

    def var(self, x: Array, dim: Any, correction: float, keepdim: bool) -> Array:
        if x.size < POINTWISE or not fits(x) or dim == ():
            return super().var(x, dim, correction, keepdim)
        dims, k = self._trailing(x, dim)
        if k != len(dims):
            return super().var(x, dim, correction, keepdim)
        shape = self._shape(x, dims, keepdim)
        n = prod(x.shape[x.ndim - k :])
        mean = self.mean(x, dims, True)
        if k == x.ndim:
            squares = np.full(shape, self._reduce.squares_all(x, mean.item()), x.dtype)
        else:
            squares = self._reduce.squares_rows(x, n, mean, shape)
        return squares / self.scalar(max(n - correction, 0), x.dtype)

    # ---- softmax and losses -----------------------------------------------------------------------------------
    def _last(self, x: Array, dim: int) -> bool:
        return fits(x) and (dim == -1 or dim == x.ndim - 1)

    def softmax(self, x: Array, dim: int) -> Array:
        d = x.dtype
        if (d is F4 or d is F8) and 0 < x.size <= TINY and dim == x.ndim - 1:
            if dim == 1:
                out = _empty(x.shape, d)
                try:
                    self._ufuncs.softmax_rows(x, out)
                    return out
                except TypeError:  # not in C order, or read-only
                    pass
            return self._ufuncs.softmax(x, order="C")
        return self._softmax.softmax(x, False) if self._last(x, dim) else NumpyBackend.softmax(self, x, dim)

    def log_softmax(self, x: Array, dim: int) -> Array:
        if (x.dtype is F4 or x.dtype is F8) and 0 < x.size <= TINY and dim == x.ndim - 1:
            return self._ufuncs.log_softmax(x, order="C")
        return self._softmax.softmax(x, True) if self._last(x, dim) else NumpyBackend.log_softmax(self, x, dim)

    def softmax_backward(self, g: Array, y: Array, dim: int) -> Array:
        if 0 < y.size <= TINY and dim == y.ndim - 1 and y.dtype.char in "fd":
            return self._ufuncs.softmax_backward(g, y)
        if self._last(y, dim) and fits(g):
            return self._softmax.softmax_backward(g, y, False)
        return NumpyBackend.softmax_backward(self, g, y, dim)

    def log_softmax_backward(self, g: Array, y: Array, dim: int) -> Array:
        if 0 < y.size <= TINY and dim == y.ndim - 1 and y.dtype.char in "fd":
            return self._ufuncs.log_softmax_backward(g, y)
        if self._last(y, dim) and fits(g):
            return self._softmax.softmax_backward(g, y, True)
        return NumpyBackend.log_softmax_backward(self, g, y, dim)

    def cross_entropy(self, x: Array, t: Array, ignore_index: int, reduction: int) -> tuple[Array, Array]:
        if fits(x) and t.dtype == np.int64 and t.flags.carray:
            return self._softmax.cross_entropy(x, t, ignore_index, reduction)  # type: ignore[no-any-return]
        return super().cross_entropy(x, t, ignore_index, reduction)

    def cross_entropy_backward(self, g: Array, logp: Array, t: Array, ignore_index: int, reduction: int) -> Array:
        if fits(logp) and fits(g) and t.dtype == np.int64 and t.flags.carray:
            return self._softmax.cross_entropy_backward(g, logp, t, ignore_index, reduction)
        return super().cross_entropy_backward(g, logp, t, ignore_index, reduction)

    def mse_loss(self, x: Array, t: Array, reduction: int) -> Array:
        if reduction and x.size >= TINY and fits(x) and fits(t) and x.shape == t.shape:
            total = self._reduce.mse_sum(x, t)
            return total / x.dtype.type(x.size) if reduction == 1 else total
        return NumpyBackend.mse_loss(self, x, t, reduction)

    def mse_loss_backward(self, g: Array, x: Array, t: Array, reduction: int) -> Array:
        if x.size >= POINTWISE and fits(x) and fits(t) and fits(g) and x.shape == t.shape:
            return self._pointwise.mse_backward(g, x, t, 2 / x.size if reduction == 1 else 2)
        return NumpyBackend.mse_loss_backward(self, g, x, t, reduction)

    # ---- convolution and pooling ------------------------------------------------------------------------------
    def conv2d(
        self, x: Array, w: Array, b: Array | None, stride: Pair, padding: Pair, dilation: Pair, groups: int
    ) -> Array:
        few = x.size <= PLAIN and w.shape[2:] == stride == ONE and padding == NONE_AROUND and groups == 1
        if few or x.dtype.char not in "fd" or not x.size or not w.size:
            return super().conv2d(x, w, b, stride, padding, dilation, groups)
        b = None if b is None else _own(b)
        return self._conv.conv2d(_own(x), _own(w), b, stride, padding, dilation, groups)

    def conv2d_grad_input(
        self, g: Array, w: Array, shape: tuple[int, ...], stride: Pair, padding: Pair, dilation: Pair, groups: int
    ) -> Array:
        if g.dtype.char not in "fd" or not g.size or not w.size:
            return super().conv2d_grad_input(g, w, shape, stride, padding, dilation, groups)
        return self._conv.conv2d_grad_input(_own(g), _own(w), shape, stride, padding, dilation, groups)

    def conv2d_grad_weight(
        self, g: Array, x: Array, shape: tuple[int, ...], stride: Pair, padding: Pair, dilation: Pair, groups: int
    ) -> Array:
        few = x.size <= PLAIN and shape[2:] == stride == ONE and padding == NONE_AROUND and groups == 1
        if few or g.dtype.char not in "fd" or not g.size or not x.size:
            return super().conv2d_grad_weight(g, x, shape, stride, padding, dilation, groups)
        return self._conv.conv2d_grad_weight(_own(g), _own(x), shape, stride, padding, dilation, groups)

    def max_pool2d(
        self, x: Array, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair, ceil_mode: bool
    ) -> tuple[Array, Array]:
        few = kernel != (2, 2) and prod(kernel) <= TAPS and x.size >= REDUCE and self._threads.get_num_threads() == 1
        if few or not fits(x):  # the kernel guesses a branch at each tap
            return super().max_pool2d(x, kernel, stride, padding, dilation, ceil_mode)
        return self._pool.max_pool2d(x, kernel, stride, padding, dilation, ceil_mode)  # type: ignore[no-any-return]

    def max_pool2d_grad(self, g: Array, index: Array, shape: tuple[int, ...], window: Any = None) -> Array:
        if not fits(g) or not index.flags.carray:
            return super().max_pool2d_grad(g, index, shape)
        return self._pool.max_pool2d_grad(g, index, shape)

    def max_pool2d_gather(self, u: Array, index: Array) -> Array:
        if not fits(u) or not index.flags.carray or not index.size:
            return super().max_pool2d_gather(u, index)
        return self._pool.max_pool2d_gather(u, index)

    # ---- attention ----------------------------------------------------------------------------------------------
    def _weigh(self, scores: Array, start: int, mask: Array | None, causal: bool) -> Array:
        if not fits(scores):
            return super()._weigh(scores, start, mask, causal)
        dead = self._mask_scores(scores, start, mask, False)
        return self._attention.weigh(scores, start, causal, self._nobody if dead is None else dead.reshape(-1))  # type: ignore[no-any-return]

    def _weigh_back(
        self, weights: Array, start: int, mask: Array | None, causal: bool, logs: Array, scores: Array | None, inner: Array
    ) -> None:  # fmt: skip
        logs, inner, gradients = _own(logs), _own(inner), weights[..., :0] if scores is None else scores
        if not fits(weights) or (scores is not None and not fits(scores)):
            return super()._weigh_back(weights, start, mask, causal, logs, scores, inner)
        dead = self._mask_scores(weights, start, mask, False)
        dead = self._nobody if dead is None else dead.reshape(-1)
        self._attention.weigh_back(weights, start, causal, dead, logs, gradients, inner)

    def _run_tiles(self, parts: list[Any], run: Any, products: int, scores: int) -> None:
        self._attention.run(parts, run, products, scores)

    # ---- recurrent layers: the arrays are the base backend's own, contiguous --------------------------------------
    def _lstm_step(self, gates: Array, c: Array, tc: Array, y: Array) -> None:
        if not fits(gates):
            return super()._lstm_step(gates, c, tc, y)
        self._recurrent.run(self._recurrent.lstm_kernel, (gates, c), c.shape[1], (tc, y))

    def _lstm_step_backward(self, dy: Array, dc: Array, gates: Array, tc: Array, before: Array, d: Array) -> None:
        if not fits(gates):
            return super()._lstm_step_backward(dy, dc, gates, tc, before, d)
        self._recurrent.run(self._recurrent.lstm_backward_kernel, (dy, dc, gates, tc, before), dc.shape[1], (d,))

    def _gru_step(self, gates: Array, hidden: Array, h: Array, inner: Array, y: Array) -> None:
        if not fits(gates):
            return super()._gru_step(gates, hidden, h, inner, y)
        self._recurrent.run(self._recurrent.gru_kernel, (gates, hidden, h), h.shape[1], (inner, y))

    def _gru_step_backward(self, dh: Array, gates: Array, inner: Array, past: Array, dx: Array, d: Array) -> None:
        if not fits(gates):
            return super()._gru_step_backward(dh, gates, inner, past, dx, d)
        self._recurrent.run(self._recurrent.gru_backward_kernel, (dh, gates, inner, past), dh.shape[1], (dx, d))

    def _lstm_walk(
        self, w_hh: Array, bias: Array, w_hr: Array, steps: Any, h: Array, c: Array, gates: Array, tc: Array, before: Array,
        past: Array, ys: Array,
    ) -> None:  # fmt: skip
        own = self._recurrent
        if w_hr.size or not fits(gates) or not own.takes(w_hh):
            return super()._lstm_walk(w_hh, bias, w_hr, steps, h, c, gates, tc, before, past, ys)
        w = _own(w_hh)
        own.walk(own.lstm_walk_kernel, [], w, [_bits(w), bias], steps, [h, c, gates, tc, before, past, ys])

    def _lstm_walk_back(
        self, g: Array | None, w_hh: Array, w_hr: Array, steps: Any, dh: Array, dc: Array, gates: Array, tc: Array,
        before: Array, d: Array, dys: Array | None,
    ) -> None:  # fmt: skip
        own = self._recurrent
        if dys is not None or not fits(gates) or not own.takes(w_hh):
            return super()._lstm_walk_back(g, w_hh, w_hr, steps, dh, dc, gates, tc, before, d, dys)
        g = gates[:0] if g is None else _own(g)
        w = _own(w_hh)
        own.walk(own.lstm_walk_back_kernel, [g], w, [_bits(w[:0])], steps, [dh, dc, gates, tc, before, d])

    def _gru_walk(
        self, w_hh: Array, b_hh: Array, steps: Any, h: Array, gates: Array, inner: Array, past: Array, ys: Array
    ) -> None:
        own = self._recurrent
        if not fits(gates) or not own.takes(w_hh):
            return super()._gru_walk(w_hh, b_hh, steps, h, gates, inner, past, ys)
        w = _own(w_hh)
        own.walk(own.gru_walk_kernel, [], w, [_bits(w), _own(b_hh)], steps, [h, gates, inner, past, ys])

    def _gru_walk_back(
        self, g: Array | None, w_hh: Array, steps: Any, dh: Array, gates: Array, inner: Array, past: Array, dx: Array,
        d: Array,
    ) -> None:  # fmt: skip
        own = self._recurrent
        if not fits(gates) or not own.takes(w_hh):
            return super()._gru_walk_back(g, w_hh, steps, dh, gates, inner, past, dx, d)
        g = gates[:0] if g is None else _own(g)
        w = _own(w_hh)
        own.walk(own.gru_walk_back_kernel, [g], w, [_bits(w[:0])], steps, [dh, gates, inner, past, dx, d])

    def embedding_sum(self, x: Array, count: int, index: Array, skip: int, by_frequency: bool) -> Array:
        tail = x.shape[index.ndim :]
        if by_frequency or x.dtype.char not in "fd" or not x.size or index.dtype != np.int64 or not index.flags.carray:
            return super().embedding_sum(x, count, index, skip, by_frequency)
        out = np.zeros((count, *tail), x.dtype)
        self._tables.add_rows(out, _own(x), index, skip, prod(tail))
        return out

    def _add_at_rows(self, target: Array, n: int, flat: Array, value: Array) -> None:
        if not fits(target) or value.dtype != target.dtype or flat.dtype != np.int64 or not flat.flags.carray:
            return super()._add_at_rows(target, n, flat, value)
        self._tables.add_rows(target, _own(value), flat, -1, prod(target.shape[n:]))

    # ---- optimizers -------------------------------------------------------------------------------------------
    def sgd_step(
        self, params: list[Array], grads: list[Array], bufs: list[Array] | None, lr: float, momentum: float,
        dampening: float, weight_decay: float, nesterov: bool, maximize: bool, first: bool,
    ) -> None:  # fmt: skip
        attrs = (lr, momentum, dampening, weight_decay, nesterov, maximize, first)
        if len(params) <= FEW and all([p.size < TINY for p in params]):
            d = params[0].dtype if params else None
            if not (bufs is None and (d is F4 or d is F8)) or weight_decay or maximize:
                return super().sgd_step(params, grads, bufs, *attrs)
            if all([p.dtype is d for p in params]):
                rate, descend = self.scalar(lr, d), self._ufuncs.descend
                for p, g in zip(params, grads, strict=True):
                    descend(p, g, rate, p)
                return None
        rest: Any = range(len(params))
        if len(params) > 1:
            large: list[int] = []  # for BLAS, whose threads the products have left awake
            if bufs is None and weight_decay == 0 and self._threads.get_num_threads() > 1:
                large = [i for i, p in enumerate(params) if p.size >= self._optim.LARGE]
            if large:
                small = [i for i, p in enumerate(params) if p.size < self._optim.LARGE]
                ps, gs = [params[i] for i in small], [grads[i] for i in small]
                rest = large + [small[i] for i in self._many.sgd(ps, gs, None, *attrs)]
            else:
                rest = self._many.sgd(params, grads, bufs, *attrs)
        for i in rest:
            p, g, buf = params[i], grads[i], None if bufs is None else bufs[i]
            if p.size >= TINY and fits(p) and fits(g) and (buf is None or fits(buf)):
                self._optim.sgd(p, g, buf, *attrs)
            else:
                super().sgd_step([p], [g], None if buf is None else [buf], *attrs)

    def adam_step(
        self, params: list[Array], grads: list[Array], ms: list[Array], vs: list[Array], vmaxs: list[Array] | None,
        step: int, lr: float, beta1: float, beta2: float, eps: float, weight_decay: float, decoupled: bool,
        maximize: bool,
    ) -> None:  # fmt: skip
        attrs = (step, lr, beta1, beta2, eps, weight_decay, decoupled, maximize)
        rest: Any = range(len(params))
        if len(params) > 1:
            rest = self._many.adam(params, grads, ms, vs, vmaxs, *attrs)
        for i in rest:
            p, g, m, v, top = params[i], grads[i], ms[i], vs[i], None if vmaxs is None else vmaxs[i]
            if fits(p) and fits(g) and fits(m) and fits(v) and (top is None or fits(top)):
                self._optim.adam(p, g, m, v, top, *attrs)
            else:
                super().adam_step([p], [g], [m], [v], None if top is None else [top], *attrs)


def _own(x: Array) -> Array:
    """x itself where kernels take its layout, else a copy that they take."""
    return x if x.flags.carray else np.array(x, order="C")


def _bits(x: Array) -> Array:
    """The memory of floats as unsigned integers."""
    return x.view(np.uint32 if x.itemsize == 4 else np.uint64)
