"""Chains of pointwise kernels that layers use, as one kernel each. A backend overrides them where one pass wins."""

from __future__ import annotations

from typing import Any

Array = Any
Ints = tuple[int, ...]


class FusedKernels:
    """Mixed into Backend."""

    def dropout(self, x: Array, seed: int, counter: int, p: float) -> tuple[Array, Array]:
        """x with each element 0 with probability p, else times 1 / (1 - p); and the mask (bool) of those that stay."""
        mask = self.bernoulli(seed, counter, x.shape, 1.0 - p)  # type: ignore[attr-defined]
        return self.masked_scale(x, mask, 1.0 / (1.0 - p)), mask

    def masked_scale(self, x: Array, mask: Array, scale: float) -> Array:
        """x * scale where the mask holds, elsewhere x * 0 (which keeps NaN)."""
        factor = mask.astype(x.dtype)
        factor *= self.scalar(scale, factor.dtype)  # type: ignore[attr-defined]
        return self.mul(x, factor)  # type: ignore[attr-defined, no-any-return]

    def batch_normalize_relu(self, x: Array, w: Array, b: Array, dims: Ints, eps: float) -> tuple[Array, Array, Array]:
        """relu of batch_normalize's first result, and its mean and variance."""
        y, mean, var = self.batch_normalize(x, w, b, dims, eps)  # type: ignore[attr-defined]
        self.relu_within(y)  # type: ignore[attr-defined]
        return y, mean, var

    def batch_normalize_relu_backward(
        self, g: Array, x: Array, w: Array, y: Array, mean: Array, var: Array, dims: Ints, eps: float
    ) -> tuple[Array, Array, Array]:
        """The gradients of x, w and b given that of the result y."""
        g = self.relu_backward(g, y)  # type: ignore[attr-defined]
        return self.batch_normalize_backward(g, x, w, mean, var, dims, eps)  # type: ignore[attr-defined, no-any-return]
