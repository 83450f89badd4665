"""TransformGetItemToIndex, which vmap does not need here: x[i] takes a batched i as it is."""

from __future__ import annotations

from contextlib import nullcontext

__all__ = ["TransformGetItemToIndex"]


class TransformGetItemToIndex(nullcontext[None]):
    """Nothing, for the length of a block."""
