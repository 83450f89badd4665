"""Parameters as one vector and back. Source: torch.nn.utils.convert_parameters."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ...ops import cat
from ...settings import typename
from ...tensor import Tensor

__all__ = ["parameters_to_vector", "vector_to_parameters"]


def _on_one_device(parameters: Iterable[Any]) -> list[Any]:
    result = list(parameters)
    if len({p.device for p in result}) > 1:
        raise TypeError("Found two parameters on different devices, this is currently not supported.")
    return result


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """All parameters behind each other, as one vector."""
    return cat([p.view(-1) for p in _on_one_device(parameters)])


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Make the parts of a vector the data of the parameters."""
    if not isinstance(vec, Tensor):
        raise TypeError(f"expected torch.Tensor, but got: {typename(vec)}")
    start = 0
    for p in _on_one_device(parameters):
        n = p.numel()
        p.data = vec[start : start + n].view_as(p).data  # type: ignore[index]
        start += n
