"""float16 and bfloat16 beside Python numbers: computed in float32 with the number as it is, rounded once."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = Any


class HalfKernels:
    """Mixed into Backend; the arrays are of one 16-bit floating dtype."""

    asarray: Any
    cast: Any
    xp: Any

    def _halved(self, wide: Array, dtype: Any) -> Array:
        return self.cast(self.asarray(wide), dtype)

    def mul_number(self, x: Array, value: float) -> Array:
        return self._halved(self.cast(x, np.dtype(np.float32)) * np.float32(value), x.dtype)

    def div_number(self, x: Array, value: float) -> Array:
        return self._halved(self.cast(x, np.dtype(np.float32)) / np.float32(value), x.dtype)

    def add_scaled(self, x: Array, y: Array, alpha: float) -> Array:
        """x + alpha * y, with alpha rounded to the dtype: in sums PyTorch's CPU does not keep it as it is."""
        return self.add_times(x, y, float(np.asarray(np.float32(alpha)).astype(x.dtype)))

    def add_times(self, x: Array, y: Array, alpha: float) -> Array:
        single = np.dtype(np.float32)
        return self._halved(self.cast(x, single) + self.cast(y, single) * np.float32(alpha), x.dtype)

    def lerp_number(self, x: Array, y: Array, weight: float) -> Array:
        start, end, w = *(self.cast(a, np.dtype(np.float32)) for a in (x, y)), np.float32(weight)
        d = end - start
        return self._halved(start + w * d if abs(w) < 0.5 else end - d * (np.float32(1) - w), x.dtype)
