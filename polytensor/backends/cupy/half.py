"""Attention of float16 and bfloat16 where no kernel of theirs fits: computed in float32, rounded once."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..base import FLOAT16

Array = Any


def widened(*arrays: Array) -> list[Array]:
    return [a.astype(np.float32) if a.dtype in FLOAT16 else a for a in arrays]


class HalfAttention:
    """Mixed into CupyBackend, after the kernels that take half types."""

    def attend(self, q: Array, k: Array, v: Array, mask: Array, scale: float, causal: bool) -> tuple[Array, Array]:
        out, logs = super().attend(*widened(q, k, v, mask), scale, causal)  # type: ignore[misc]
        return out.astype(q.dtype, copy=False), logs

    def attend_backward(
        self, g: Array, need: Any, q: Array, k: Array, v: Array, mask: Array, out: Array, logs: Array, scale: float,
        causal: bool,
    ) -> list[Array | None]:  # fmt: skip
        (wide, *others), rest = widened(g, q, k, v, mask, out), (logs, scale, causal)
        found = super().attend_backward(wide, need, *others, *rest)  # type: ignore[misc]
        return [x if x is None else x.astype(q.dtype, copy=False) for x in found]
