"""Dual numbers: forward mode, made of two backward passes. Source: torch.autograd.forward_ad.

A dual Tensor records its history, so it says requires_grad=True (PyTorch's does not), recording is on within a
dual_level, and the cost of unpack_dual is that of two backward passes.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from . import grad as _grad
from .modes import enable_grad, mode, pulling
from .node import aliased

__all__ = [
    "UnpackedDualTensor", "dual_level", "enter_dual_level", "exit_dual_level", "make_dual", "unpack_dual",
]  # fmt: skip

_levels: dict[int, list[tuple[Any, Any, Any, int]]] = {}  # level -> (origin, tangent, dual Tensor, its version)
_current = [-1]


class UnpackedDualTensor(NamedTuple):
    """What unpack_dual gives: the value, and the tangent (None if there is none)."""

    primal: Any
    tangent: Any


def enter_dual_level() -> int:
    """Open a level; dual Tensors belong to one. RuntimeError while one is open."""
    if _current[0] >= 0:
        raise RuntimeError("Nested forward mode AD is not supported at the moment")
    _current[0] += 1
    _levels[_current[0]] = []
    return _current[0]


def exit_dual_level(*, level: int | None = None) -> None:
    """Close the level that was opened last; its tangents are forgotten."""
    if level is None:
        level = _current[0]
    if level != _current[0]:
        raise RuntimeError(
            "Trying to exit a forward AD level that was not the last one that was created. This is not supported."
        )
    _levels.pop(level, None)
    _current[0] = level - 1


def make_dual(tensor: Any, tangent: Any, *, level: int | None = None) -> Any:
    """`tensor` with a tangent of the same shape and dtype. RuntimeError outside a level. Source: torch."""
    level = _current[0] if level is None else level
    if level < 0:
        raise RuntimeError(
            "Trying to create a dual Tensor for forward AD but no level exists, make sure to enter_dual_level() first."
        )
    for t, what in ((tensor, "primal"), (tangent, "tangent")):
        if t._a.dtype.kind in "biu":
            raise ValueError(f"Expected {what} to be floating point or complex, but got: {t.dtype}")
    if tensor.shape != tangent.shape:
        raise RuntimeError(
            "Trying to set a forward gradient that has a different size than that of the original Tensor, this is not "
            f"supported. Tensor is of size {list(tensor.shape)} while the given forward gradient is of size "
            f"{list(tangent.shape)}."
        )
    # gradients of the origin make tangents
    origin = writable(tensor) if tensor._fn is not None else tensor.detach().requires_grad_()
    dual = writable(origin)
    _levels[level].append((origin, tangent, dual, dual._version))
    return dual


def writable(origin: Any) -> Any:
    """The same memory and version as no leaf and no view: writes in place give it another history."""
    origin._cell()
    return aliased(origin, origin)


def unpack_dual(tensor: Any, *, level: int | None = None) -> UnpackedDualTensor:
    """(value, tangent) of what was computed from dual Tensors of the level. Source: torch."""
    level = _current[0] if level is None else level
    if level < 0:
        return UnpackedDualTensor(tensor, None)
    duals = _levels[level]
    for _, tangent, dual, version in duals:
        if dual is tensor and dual._version == version:
            return UnpackedDualTensor(tensor.detach(), tangent)
    if tensor._fn is None or not duals:
        return UnpackedDualTensor(tensor, None)
    with enable_grad():
        # the backward pass is linear in this, so its value does not matter
        dummy = tensor.detach().clone().zero_().requires_grad_()
        xs = [origin for origin, *_ in duals]
        with pulling():
            pulled = _grad(tensor, xs, dummy, create_graph=True, allow_unused=True)
        pairs = [(g, t) for g, (_, t, *_) in zip(pulled, duals, strict=True) if g is not None and g._fn is not None]
    if not pairs:
        return UnpackedDualTensor(tensor, None)
    keep = any(t._fn is not None for _, t in pairs)
    (tangent,) = _grad([g for g, _ in pairs], dummy, [t for _, t in pairs], retain_graph=True, create_graph=keep)
    return UnpackedDualTensor(tensor.detach(), tangent)


class dual_level:
    """A level as a context manager; recording is on inside."""

    def __enter__(self) -> int:
        level = enter_dual_level()
        self._before, mode.grad = mode.grad, True
        return level

    def __exit__(self, *exc: object) -> None:
        exit_dual_level()
        mode.grad = self._before
