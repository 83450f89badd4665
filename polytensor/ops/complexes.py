"""Complex tensors: parts, views as pairs of reals, conjugates."""

from __future__ import annotations

from typing import Any

from ..tensor import Tensor
from . import pointwise as pw
from .table import (
    FLOAT,
    F,
    attach,
    check_tensor,
    is_complex,
    named,
    primitive,
    same_device,
    shape_error,
    type_name,
    unary,
    write_out,
)  # fmt: skip

__all__ = [
    "angle", "complex", "conj", "conj_physical", "imag", "polar", "real", "resolve_conj",
    "resolve_neg", "view_as_complex", "view_as_real",
]  # fmt: skip

_real = primitive("real", "x", (lambda F, g, x_dtype: F.cast(g, x_dtype),), view=True, node="SelectBackward0")
_imag = primitive(
    "imag", "x", (lambda F, g, x_dtype: F.mul(F.cast(g, x_dtype), 1j),), view=True, node="SelectBackward0"
)
_as_real = primitive("view_as_real", "x", (lambda F, g: F.view_as_complex(F.copy(g)),), view=True)
_as_complex = primitive("view_as_complex", "x", (lambda F, g: F.view_as_real(g),), view=True)
_pair = primitive(
    "complex", "x y", (lambda F, g: F.real(g), lambda F, g: F.imag(g)), node="ComplexBackward0", broadcast=True
)


def _angle_rule(F: Any, g: Any, x: Any) -> Any:
    if not is_complex(x):
        return F.zeros_of(g)
    size = F.mul(x, F.conj(x))
    return F.where(F.eq(size, 0), F.mul(x, 0), F.mul(pw.like(F, g, x), F.mul(F.div(x, size), 1j)))


angle = unary("angle", _angle_rule, FLOAT)
del Tensor.angle_  # type: ignore[attr-defined]  # PyTorch has none
angle.__doc__ = "The angle with the positive real axis, in radians; for real numbers 0 or pi. Source: torch.angle."


def real(input: Tensor) -> Tensor:
    """The real part, as a view; a real tensor itself. Source: torch.real."""
    return _real(input) if check_tensor(input, "real")._a.dtype.kind == "c" else input


def imag(input: Tensor) -> Tensor:
    """The imaginary part, as a view. RuntimeError for real tensors. Source: torch.imag."""
    if check_tensor(input, "imag")._a.dtype.kind != "c":
        raise RuntimeError("imag is not implemented for tensors with non-complex dtypes.")
    return _imag(input)  # type: ignore[no-any-return]


def view_as_real(input: Tensor) -> Tensor:
    """A complex tensor (*) as a real one (*, 2) in the same memory. Source: torch.view_as_real."""
    if check_tensor(input, "view_as_real")._a.dtype.kind != "c":
        raise RuntimeError("view_as_real is only supported for complex tensors")
    return _as_real(input)  # type: ignore[no-any-return]


def view_as_complex(input: Tensor) -> Tensor:
    """A real tensor (*, 2) as a complex one (*) in the same memory. Source: torch.view_as_complex."""
    a = check_tensor(input, "view_as_complex")._a
    if a.dtype.char not in "fd":
        raise RuntimeError(
            f"view_as_complex is only supported for half, float and double tensors, but got {type_name(input)}"
        )
    if not a.ndim:
        raise RuntimeError("Input tensor must have one or more dimensions")
    if a.shape[-1] != 2:
        raise RuntimeError("Tensor must have a last dimension of size 2")
    stride = input.stride()
    if stride[-1] != 1:
        raise RuntimeError("Tensor must have a last dimension with stride 1")
    if any(s % 2 for s, n in zip(stride[:-1], a.shape, strict=False) if n != 1):
        raise RuntimeError("Tensor must have a stride divisible by 2 for all but last dimension")
    return _as_complex(input)  # type: ignore[no-any-return]


def complex(real: Tensor, imag: Tensor, *, out: Tensor | None = None) -> Tensor:
    """real + 1j * imag from two float tensors of one dtype. Source: torch.complex."""
    a, b = _parts("complex", real=real, imag=imag)
    try:
        r = _pair(real, imag)
    except ValueError:
        raise shape_error(a, b) from None
    return r if out is None else write_out(out, r)  # type: ignore[no-any-return]


def _parts(op: str, **parts: Tensor) -> tuple[Any, Any]:
    """The arrays of two float tensors of one dtype and device."""
    real, imag = parts.values()
    a, b = (check_tensor(x, op, name)._a for name, x in parts.items())
    if a.dtype.char not in "fd" or b.dtype.char not in "fd":
        raise RuntimeError(
            f"Expected both inputs to be Half, Float or Double tensors but got {type_name(real)} and {type_name(imag)}"
        )
    if a.dtype != b.dtype:
        raise RuntimeError(
            f"Expected object of scalar type {type_name(real)} but got scalar type {type_name(imag)} for second argument"
        )
    same_device(op, real, imag)
    return a, b


@named("PolarBackward0")
def polar(abs: Tensor, angle: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Complex numbers of given absolute value and angle (radians). Source: torch.polar."""
    _parts("polar", abs=abs, angle=angle)
    return complex(pw.mul(abs, pw.cos(angle)), pw.mul(abs, pw.sin(angle)), out=out)


def conj(input: Tensor) -> Tensor:
    """The complex conjugate; a real tensor itself. (PyTorch marks it lazily; here it is computed.) Source: torch.conj."""
    return F.conj(check_tensor(input, "conj"))  # type: ignore[no-any-return]


def conj_physical(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The complex conjugate, computed. Source: torch.conj_physical."""
    r = conj(input)
    return r if out is None else write_out(out, r)


def resolve_conj(input: Tensor) -> Tensor:
    """The tensor itself: conjugates are never lazy here."""
    return check_tensor(input, "resolve_conj")


def resolve_neg(input: Tensor) -> Tensor:
    """The tensor itself: negated ones are never lazy here."""
    return check_tensor(input, "resolve_neg")


def _set_part(part: Any) -> Any:
    def setter(self: Tensor, value: Any) -> None:
        part(self).copy_(value)

    return setter


for _fn in (angle, conj, conj_physical, resolve_conj):
    attach(_fn.__name__, _fn, in_place=_fn is conj_physical)
Tensor.resolve_neg = resolve_neg
Tensor.real = property(real, _set_part(real))
Tensor.imag = property(imag, _set_part(imag))
