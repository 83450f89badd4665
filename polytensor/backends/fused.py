"""Chains of pointwise kernels that layers use, as one kernel each. A backend overrides them where one pass wins."""

from __future__ import annotations

from typing import Any

Array = Any


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
