"""Bounds: clamp, clamp_min, clamp_max."""

from __future__ import annotations

from typing import Any

from ..tensor import Tensor
from . import pointwise as pw
from .elementwise import broadcasting, masked
from .table import (
    PROMOTE,
    attach,
    check_tensor,
    give,
    no_kernel,
    prepare,
    primitive,
    renamed,
    write_out,
)  # fmt: skip

__all__ = ["clamp", "clamp_max", "clamp_min", "clip"]


_PLAIN = frozenset((int, float, type(None)))
_clamp_tensor = primitive(
    "clamp_tensor",
    "x lo hi",
    (
        lambda F, g, x, lo, hi: masked(F, g, F.logical_and(F.ge(x, lo), F.le(x, hi))),
        lambda F, g, x, lo, hi: masked(F, g, F.logical_and(F.lt(lo, hi), F.lt(x, lo))),
        lambda F, g, x, lo, hi: masked(F, g, F.logical_or(F.gt(x, hi), F.lt(hi, lo))),
    ),
    node="ClampBackward0",
    broadcast=True,
)
_clamp_min = primitive(
    "clamp_min_tensor",
    "x lo",
    (lambda F, g, x, lo: masked(F, g, F.ge(x, lo)), lambda F, g, x, lo: masked(F, g, F.lt(x, lo))),
    node="ClampMinBackward1",
    broadcast=True,
)
_clamp_max = primitive(
    "clamp_max_tensor",
    "x hi",
    (lambda F, g, x, hi: masked(F, g, F.le(x, hi)), lambda F, g, x, hi: masked(F, g, F.gt(x, hi))),
    node="ClampMaxBackward1",
    broadcast=True,
)


def _refuse_complex(*xs: Any) -> None:
    if any(isinstance(x, complex) or (isinstance(x, Tensor) and x._a.dtype.kind == "c") for x in xs):
        raise NotImplementedError("clamp is not supported for complex types")


def clamp(input: Tensor, min: Any = None, max: Any = None, *, out: Tensor | None = None) -> Tensor:
    """Limit the values to [min, max]: two numbers or two tensors, either of which may be None. Source: torch.clamp."""
    if input.__class__ is not Tensor:
        check_tensor(input, "clamp")
    low, high = min.__class__, max.__class__
    if input._a.dtype.kind == "f" and (low in _PLAIN) and (high in _PLAIN) and not (min is None and max is None):
        r = pw._clamp(input, min, max)
        return r if out is None else write_out(out, r)
    if min is None and max is None:
        raise RuntimeError("torch.clamp: At least one of 'min' or 'max' must not be None")
    _refuse_complex(input, min, max)
    bounds = [b for b in (min, max) if b is not None]
    tensors = [b for b in bounds if isinstance(b, Tensor)]
    if len(tensors) != len(bounds):
        if any(t._a.ndim for t in tensors):
            raise TypeError("clamp(): arguments 'min' and 'max' must both be Tensors or both be Numbers")
        min, max = (b.item() if isinstance(b, Tensor) else b for b in (min, max))
        bounds, tensors = [b for b in (min, max) if b is not None], []
    x, *rest = prepare("clamp", PROMOTE, input, *bounds)
    if not tensors:
        if x._a.dtype.kind == "b":
            raise NotImplementedError("\"clamp_scalar_cpu\" not implemented for 'Bool'")
        numbers = bounds if x._dev.backend.asynchronous else [b.item() for b in rest]
        return give(
            pw._clamp(x, numbers[0] if min is not None else None, numbers[-1] if max is not None else None), out
        )
    if len(rest) == 2:
        if x._a.dtype.kind == "b":
            raise no_kernel("clamp_cpu", x)
        return give(broadcasting(_clamp_tensor, x, *rest), out)
    r = broadcasting(_clamp_min if max is None else _clamp_max, x, rest[0])
    return give(renamed(r, "ClampBackward0"), out)


def clamp_min(input: Tensor, min: Any, *, out: Tensor | None = None) -> Tensor:
    """The values, at least `min` (a number or a tensor). Source: torch.clamp_min."""
    x = check_tensor(input, "clamp_min")
    _refuse_complex(x, min)
    if not isinstance(min, Tensor):
        return renamed(clamp(x, min=min, out=out), "ClampMinBackward0")
    return give(broadcasting(_clamp_min, *prepare("clamp_min", PROMOTE, x, min)), out)


def clamp_max(input: Tensor, max: Any, *, out: Tensor | None = None) -> Tensor:
    """The values, at most `max` (a number or a tensor). Source: torch.clamp_max."""
    x = check_tensor(input, "clamp_max")
    _refuse_complex(x, max)
    if not isinstance(max, Tensor):
        return renamed(clamp(x, max=max, out=out), "ClampMaxBackward0")
    return give(broadcasting(_clamp_max, *prepare("clamp_max", PROMOTE, x, max)), out)


# ---- methods ----------------------------------------------------------------------------------------------------------
clip = clamp


for _name in ("clamp", "clip", "clamp_min", "clamp_max"):
    attach(_name, globals()[_name], True, True)
