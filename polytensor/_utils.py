"""Lists of tensors as one flat tensor and back, as programs that add up gradients by hand do it. Source: torch._utils."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .ops import cat
from .tensor import Tensor


def _flatten_dense_tensors(tensors: Sequence[Tensor]) -> Tensor:
    """The elements of all tensors, one after the other, in one dimension."""
    return cat([t.reshape(-1) for t in tensors])


def _unflatten_dense_tensors(flat: Tensor, tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Views of `flat` in the shapes of `tensors`."""
    parts = flat.split([t.numel() for t in tensors])
    return tuple(p.view(t.shape) for p, t in zip(parts, tensors, strict=True))


def _take_tensors(tensors: Sequence[Tensor], size_limit: int) -> Iterator[list[Tensor]]:
    """Groups of tensors of one type, each with at most size_limit bytes or of one tensor; the unfinished ones come last."""
    groups: dict[str, tuple[list[Tensor], int]] = {}
    for t in tensors:
        size = t.numel() * t.element_size()
        group, taken = groups.get(t.type(), ([], 0))
        if group and taken + size > size_limit:
            yield group
            group, taken = [], 0
        groups[t.type()] = [*group, t], taken + size
    for group, _ in groups.values():
        yield group
