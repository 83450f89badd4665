"""Loss kernels over an array namespace: pointwise losses in a stable form, CTC."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = Any


class LossKernels:
    """Mixed into Backend."""

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
        return self.where(a < beta, 0.5 * a * a / beta, a - 0.5 * beta).astype(d.dtype)

    def binary_cross_entropy(self, x: Array, t: Array) -> Array:
        """-(t log x + (1 - t) log(1 - x)), logarithms cut at -100."""
        xp, p, y = self.xp, self._single(x), self._single(t)
        r = (y - 1) * xp.maximum(xp.log1p(-p), -100) - y * xp.maximum(xp.log(p), -100)
        return r.astype(x.dtype)

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
