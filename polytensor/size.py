"""torch.Size: a tuple of ints with numel()."""

from __future__ import annotations

from math import prod
from typing import Any

_INT = frozenset((int,))


class Size(tuple[int, ...]):
    """The shape of a tensor. Slices and sums are Sizes too. Source: torch.Size."""

    __slots__ = ()

    def __new__(cls, values: Any = ()) -> Size:
        if values.__class__ is not tuple or not set(map(type, values)) <= _INT:
            values = tuple(values)
            for i, v in enumerate(values):
                if not hasattr(v, "__index__") or isinstance(v, float):
                    raise TypeError(f"torch.Size() takes an iterable of 'int' (item {i} is '{type(v).__name__}')")
            values = tuple(v.__index__() for v in values)
        return tuple.__new__(cls, values)

    def numel(self) -> int:
        """How many elements a tensor of this shape has."""
        return prod(self)

    def __repr__(self) -> str:
        return f"torch.Size([{', '.join(map(str, self))}])"

    __str__ = __repr__

    def __getitem__(self, index: Any) -> Any:
        r = tuple.__getitem__(self, index)
        return Size(r) if isinstance(index, slice) else r

    def __add__(self, other: Any) -> Any:
        if not isinstance(other, tuple):
            raise TypeError(f"can only concatenate tuple (not {type(other).__name__}) to torch.Size")
        r = tuple.__add__(self, other)
        return Size(r) if all(hasattr(v, "__index__") for v in other) else r

    def __radd__(self, other: Any) -> Any:
        return Size(other) + self if isinstance(other, tuple) else NotImplemented

    def __mul__(self, n: Any) -> Size:
        return Size(tuple.__mul__(self, n))

    __rmul__ = __mul__

    def __reduce__(self) -> Any:
        return _size, (tuple(self),)


def _size(values: Any) -> Size:
    return Size(values)


Size.__module__ = "torch"  # repr(type(s)) as in PyTorch
