"""Loss kernels over an array namespace: pointwise losses in a stable form, softmax and cross-entropy, CTC."""

from __future__ import annotations

from typing import Any

import numpy as np

from .statistics import is_half

Array = Any


class LossKernels:
    """Mixed into Backend."""

    amax: Any
    asynchronous: bool
    contiguous: Any
    mean: Any
    require: Any
    scalar: Any
    sum: Any
    where: Any
    xp: Any

    def _single(self, x: Array) -> Array:
        """float16 and bfloat16 are storage types: compute in float32."""
        return x.astype(np.float32) if x.dtype.itemsize == 2 else x

    def soft_hinge(self, x: Array) -> Array:
        """log(1 + exp(-x)), without overflow."""
        xp, y = self.xp, self._single(x)
        return (xp.log1p(xp.exp(-xp.abs(y))) + xp.maximum(-y, 0)).astype(x.dtype)

    def bce_logits(self, x: Array, t: Array) -> Array:
        """Binary cross-entropy of sigmoid(x), without overflow."""
        return (1 - t) * x + self.soft_hinge(x)

    def smooth_l1(self, d: Array, beta: float) -> Array:
        """d ** 2 / (2 beta) where |d| < beta, else |d| - beta / 2."""
        a = self.xp.abs(self._single(d))
        low = self.clamp(a, None, beta)
        a -= 0.5 * low
        a *= low
        if beta != 1:
            a /= beta
        return a.astype(d.dtype, copy=False)

    def binary_cross_entropy(self, x: Array, t: Array) -> Array:
        """-(t log x + (1 - t) log(1 - x)), logarithms cut at -100."""
        xp, p, y = self.xp, self._single(x), self._single(t)
        r = (y - 1) * xp.maximum(xp.log1p(-p), -100) - y * xp.maximum(xp.log(p), -100)
        return r.astype(x.dtype)

    # ---- softmax, and losses over it --------------------------------------------------------------------------
    def softmax(self, x: Array, dim: int) -> Array:
        if is_half(x):
            return self.softmax(x.astype(np.float32), dim).astype(x.dtype)
        if x.size == 0:
            return x.copy()
        y = self.contiguous(x - self.amax(x, dim, True))
        self.xp.exp(y, out=y)
        y /= self.sum(y, (dim,), True)
        return y

    def softmax_backward(self, g: Array, y: Array, dim: int) -> Array:
        if is_half(y):
            return self.softmax_backward(g.astype(np.float32), y.astype(np.float32), dim).astype(y.dtype)
        gy = g * y
        return gy - y * self.sum(gy, (dim,), True)

    def log_softmax(self, x: Array, dim: int) -> Array:
        if is_half(x):
            return self.log_softmax(x.astype(np.float32), dim).astype(x.dtype)
        if x.size == 0:
            return x.copy()
        y = self.contiguous(x - self.amax(x, dim, True))
        y -= self.xp.log(self.sum(self.xp.exp(y), (dim,), True))
        return y

    def log_softmax_backward(self, g: Array, y: Array, dim: int) -> Array:
        if is_half(y):
            return self.log_softmax_backward(g.astype(np.float32), y.astype(np.float32), dim).astype(y.dtype)
        return g - self.xp.exp(y) * self.sum(g, (dim,), True)

    def _targets(self, t: Array, classes: int, ignore_index: int) -> tuple[Array, Array | None]:
        """Class indices made safe to gather with, and the mask of kept rows (None: all)."""
        bad = t.view("uint64") >= classes  # or negative
        if self.asynchronous:
            keep = t != ignore_index
            self.require(self.xp.logical_not(bad & keep), IndexError, "Target is out of bounds.")
            return self.xp.where(keep & ~bad, t, 0), keep
        if not bad.any():
            return t, (None if ignore_index < 0 or ignore_index >= classes else t != ignore_index)
        keep = t != ignore_index
        if (bad & keep).any():
            raise IndexError(f"Target {int(t[bad & keep][0])} is out of bounds.")
        return self.xp.where(keep, t, 0), keep

    def _kept(self, keep: Array, dtype: Any, least: int) -> Array:
        """How many hold, or `least`: 0-d."""
        return self.xp.maximum(keep.sum(), least).astype(dtype)

    def cross_entropy(self, x: Array, t: Array, ignore_index: int, reduction: int) -> tuple[Array, Array]:
        """x: (N, C), t: (N,) int64; reduction 0 none, 1 mean, 2 sum. Returns (loss, log-probabilities)."""
        logp = self.log_softmax(x, 1)
        t, keep = self._targets(t, x.shape[1], ignore_index)
        loss = -logp[self.xp.arange(len(t)), t]
        if keep is not None:
            loss = self.xp.where(keep, loss, self.scalar(0, x.dtype))
        if reduction:
            total = self.sum(loss, None, False)
            n = len(t) if keep is None else self._kept(keep, x.dtype, 0)
            loss = self.xp.true_divide(total, n, dtype=x.dtype) if reduction == 1 else total
        return loss, logp

    def cross_entropy_backward(self, g: Array, logp: Array, t: Array, ignore_index: int, reduction: int) -> Array:
        if is_half(logp):
            wide = g.astype(np.float32), logp.astype(np.float32)
            return self.cross_entropy_backward(*wide, t, ignore_index, reduction).astype(logp.dtype)
        t, keep = self._targets(t, logp.shape[1], ignore_index)
        dx = self.xp.exp(logp)
        dx[self.xp.arange(len(t)), t] -= 1
        if reduction == 1:  # with nothing kept the gradient is 0, not NaN
            g = g / (self.scalar(len(t), dx.dtype) if keep is None else self._kept(keep, dx.dtype, 1))
        if reduction == 0:
            g = g[:, None]
        dx *= g
        if keep is not None:
            dx *= keep[:, None]
        return dx

    def _named_classes(self, t: Array) -> tuple[Array, ...]:
        """An index of x (N, C, *rest): at each place the class that t (N, *rest) names."""
        first, *rest = (self.xp.arange(n).reshape((-1,) + (1,) * (t.ndim - 1 - i)) for i, n in enumerate(t.shape))
        return (first, t, *rest)

    def _class_weights(
        self, t: Array, w: Array | None, classes: int, ignore_index: int, dtype: Any
    ) -> tuple[Array, Array | None, Array | None, Any]:
        """Safe targets, the mask of those that count (None: all), their weights (None: 1) and the sum of these."""
        t, keep = self._targets(t, classes, ignore_index)
        if w is None:
            return t, keep, None, self.scalar(t.size, dtype) if keep is None else self._kept(keep, dtype, 0)
        scale = w[t]
        if keep is not None:
            scale = self.xp.where(keep, scale, self.scalar(0, dtype))
        return t, keep, scale, self.sum(scale, None, False)

    def nll(self, x: Array, t: Array, w: Array | None, ignore_index: int, reduction: int) -> Array:
        """-w[t] x[t] of x (N, C, *rest) and t (N, *rest) int64; reduction 0 none, 1 mean by weight, 2 sum."""
        t, keep, scale, total = self._class_weights(t, w, x.shape[1], ignore_index, x.dtype)
        loss = -x[self._named_classes(t)]
        if scale is not None:
            loss = loss * scale
        if keep is not None:
            loss = self.xp.where(keep, loss, self.scalar(0, x.dtype))
        if reduction:
            loss = self.sum(loss, None, False)
        return self.xp.true_divide(loss, total, dtype=x.dtype) if reduction == 1 else loss

    def nll_backward(
        self, g: Array, shape: tuple[int, ...], t: Array, w: Array | None, ignore_index: int, reduction: int
    ) -> Array:
        """The gradient of x, of `shape`."""
        t, keep, scale, total = self._class_weights(t, w, shape[1], ignore_index, g.dtype)
        if reduction == 1:
            g = self.xp.true_divide(g, total, dtype=g.dtype)
        g = -g if scale is None else -g * scale
        dx = self.xp.zeros(shape, g.dtype)
        dx[self._named_classes(t)] = g if keep is None else self.xp.where(keep, g, self.scalar(0, dx.dtype))
        return dx

    def one_hot(self, t: Array, classes: int, dtype: Any) -> Array:
        """(N,) int64 to (N, classes); a target out of range gives a row of zeros."""
        return (t[:, None] == self.xp.arange(classes)).astype(dtype)

    def mse_loss(self, x: Array, t: Array, reduction: int) -> Array:
        d = x - t
        d *= d
        return d if reduction == 0 else (self.mean if reduction == 1 else self.sum)(d, None, False)

    def mse_loss_backward(self, g: Array, x: Array, t: Array, reduction: int) -> Array:
        d = x - t
        d *= g * self.scalar(2 / max(d.size, 1) if reduction == 1 else 2, d.dtype)
        return d

    # ---- CTC (Graves et al., 2006): one step of time at once for the whole batch --------------------------------
    def _ctc_labels(self, targets: Array, target_lengths: Array, blank: int) -> tuple[Array, Array]:
        """(N, 2 S + 1) labels with blanks between, and where a path may leave out the blank before a label."""
        n, s = targets.shape
        labels = self.xp.full((n, 2 * s + 1), blank, targets.dtype)
        labels[:, 1::2] = self.xp.where(self.xp.arange(s)[None] < target_lengths[:, None], targets, blank)
        skip = self.xp.zeros(labels.shape, bool)
        skip[:, 2:] = labels[:, 2:] != labels[:, :-2]
        return labels, skip

    def _log_sum(self, a: Array, b: Array, c: Array) -> Array:
        xp = self.xp
        top = xp.maximum(xp.maximum(a, b), c)
        top = xp.where(top == -np.inf, 0, top)
        return xp.log(xp.exp(a - top) + xp.exp(b - top) + xp.exp(c - top)) + top

    def ctc_loss(
        self, x: Array, targets: Array, input_lengths: Array, target_lengths: Array, blank: int
    ) -> tuple[Array, Array]:
        """x (T, N, C) log-probabilities, targets (N, S). Returns the loss of each sample and log alpha (T, N, 2 S + 1)."""
        xp = self.xp
        steps, n, _ = x.shape
        labels, skip = self._ctc_labels(targets, target_lengths, blank)
        alpha = xp.full((steps, *labels.shape), -np.inf, x.dtype)
        rows = xp.arange(n)
        if steps:
            alpha[0, :, :2] = xp.take_along_axis(x[0], labels[:, :2], 1)
            if labels.shape[1] > 1:
                alpha[0, :, 1] = xp.where(target_lengths > 0, alpha[0, :, 1], -np.inf)
        one, two = (xp.full(labels.shape, -np.inf, x.dtype) for _ in range(2))
        for t in range(1, steps):
            old = alpha[t - 1]
            one[:, 1:] = old[:, :-1]
            two[:, 2:] = xp.where(skip[:, 2:], old[:, :-2], -np.inf)
            alpha[t] = self._log_sum(old, one, two) + xp.take_along_axis(x[t], labels, 1)
        if not steps:
            return xp.where(target_lengths == 0, 0.0, np.inf).astype(x.dtype), alpha
        last = alpha[xp.maximum(input_lengths, 1) - 1, rows]
        end = last[rows, 2 * target_lengths]
        before = xp.where(target_lengths > 0, last[rows, xp.maximum(2 * target_lengths - 1, 0)], -np.inf)
        loss = -self._log_sum(end, before, xp.full(n, -np.inf, x.dtype))
        loss = xp.where(input_lengths == 0, xp.where(target_lengths == 0, 0.0, np.inf), loss)
        return loss.astype(x.dtype), alpha

    def ctc_loss_backward(
        self, g: Array, x: Array, loss: Array, alpha: Array, targets: Array, input_lengths: Array, target_lengths: Array,
        blank: int,
    ) -> Array:  # fmt: skip
        """exp(x) less the label's posterior, times g: PyTorch's gradient, which takes x to be a log_softmax.

        Where g is 0 the result is 0, also for a loss of inf.
        """
        xp = self.xp
        steps, n, _ = x.shape
        labels, skip = self._ctc_labels(targets, target_lengths, blank)
        places, rows = xp.arange(labels.shape[1])[None], xp.arange(n)[:, None]
        ends = (places == 2 * target_lengths[:, None]) | (places == 2 * target_lengths[:, None] - 1)
        beta, one, two = (xp.full(labels.shape, -np.inf, x.dtype) for _ in range(3))
        dx = xp.zeros(x.shape, x.dtype)
        for t in range(steps - 1, -1, -1):
            here = xp.take_along_axis(x[t], labels, 1)
            one[:, :-1] = beta[:, 1:]
            two[:, :-2] = xp.where(skip[:, 2:], beta[:, 2:], -np.inf)
            beta = self._log_sum(beta, one, two) + here
            beta = xp.where((input_lengths == t + 1)[:, None], xp.where(ends, here, -np.inf), beta)
            posterior = xp.zeros(x.shape[1:], x.dtype)
            paths = xp.exp(alpha[t] + beta + loss[:, None] - here)
            self.index_put(posterior, (xp.broadcast_to(rows, labels.shape), labels), paths, True)  # type: ignore[attr-defined]
            dx[t] = xp.where((t < input_lengths)[:, None], xp.exp(x[t]) - posterior, 0)
        dx = xp.where(xp.isinf(loss)[:, None] & (xp.arange(steps)[:, None] < input_lengths)[..., None], np.nan, dx)
        return xp.where(g[:, None] == 0, 0, dx * g[:, None]).astype(x.dtype)
