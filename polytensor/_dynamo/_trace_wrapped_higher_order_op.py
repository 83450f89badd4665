"""TransformGetItemToIndex, which vmap does not need here: x[i] takes a batched i as it is."""

from __future__ import annotations

__all__ = ["TransformGetItemToIndex"]


class TransformGetItemToIndex:
    """Nothing, for the length of a block."""

    def __enter__(self) -> None: ...

    def __exit__(self, *error: object) -> None: ...
