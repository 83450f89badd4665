"""Norms, condition and rank, distances, and other small functions of linear algebra."""

from __future__ import annotations

from math import inf
from typing import Any

from .. import dtypes
from ..tensor import Tensor, check_dim, wrap
from . import linalg as la
from . import pointwise as pw
from . import reduce as red
from . import shape as sh
from .factors import as_scalars
from .halves import is_half, rounded_once, widened
from .joining import stack
from .operands import numpy_names, several
from .rows import placed, primitive, raw_dtype
from .table import F, attach, check_tensor, named, no_kernel, shape_error, type_name, write_out

__all__ = ["cdist", "cross", "dist", "norm", "renorm"]


# ---- vector norms -----------------------------------------------------------------------------------------------------
def _is_zero(F: Any, x: Any) -> Any:
    """1 where x is 0, else 0, in its dtype."""
    return F.cast(F.eq(x, 0), raw_dtype(x))


def _safe(F: Any, x: Any) -> Any:
    """x with 1 for every 0, to divide by."""
    return F.add(x, _is_zero(F, x))


def _direction(F: Any, x: Any, size: Any) -> Any:
    """sign(x), or x / |x| if complex."""
    dtype = raw_dtype(x)
    return F.div(x, F.cast(_safe(F, size), dtype)) if dtype.kind == "c" else F.sign(x)


def _norm_rule(F: Any, g: Any, x: Any, out: Any, x_shape: Any, ord: float, dim: Any) -> Any:
    """PyTorch's choices at 0: a subgradient, never NaN."""
    dtype = raw_dtype(x)
    real = raw_dtype(g)
    shape = red.keep_shape(x_shape, dim)
    g, size = F.reshape(g, shape), F.reshape(out, shape)
    if ord == 0:
        return None
    if ord == 2:
        if is_half(dtype):  # as PyTorch's steps round
            return F.mul(g, F.div(x, _safe(F, size)))
        return F.mul(x, F.cast(F.div(g, _safe(F, size)), dtype))
    length = F.abs(x)
    if ord == 1:
        return F.mul(_direction(F, x, length), F.cast(g, dtype))
    if ord in (inf, -inf):
        hit = F.cast(F.where(F.isnan(size), F.isnan(length), F.eq(length, size)), real)
        scale = F.div(F.mul(hit, g), F.sum(hit, dim, True))
        return F.mul(_direction(F, x, length), F.cast(scale, dtype))
    scale = F.mul(g, F.pow_scalar(_safe(F, size), 1 - ord))
    scale = F.where(F.eq(size, 0), F.zeros_of(g), scale)
    if ord < 2:
        p = F.pow_scalar(_safe(F, length), ord - 1)
        p = F.where(F.eq(length, 0), F.mul(length, 0), p)
        return F.mul(_direction(F, x, length), F.cast(F.mul(p, scale), dtype))
    return F.mul(x, F.cast(F.mul(F.pow_scalar(length, ord - 2), scale), dtype))


_vector_norm = primitive("linalg_vector_norm", "x", (_norm_rule,), "ord dim keepdim")


def _floating(x: Any, op: str) -> Tensor:
    if check_tensor(x, op.replace(".", "_"))._a.dtype.kind in "biu":
        raise RuntimeError(f"{op}: Expected a floating point or complex tensor as input. Got {type_name(x)}")
    return x  # type: ignore[no-any-return]


def _to(x: Tensor, dtype: Any, op: str) -> Tensor:
    if dtype is None or x.dtype is dtype:
        return x
    if dtype.category < dtypes.FLOAT:
        raise RuntimeError(f"{op}: dtype should be floating point or complex, but got {dtype}")
    if x.dtype.is_complex != dtype.is_complex:
        raise RuntimeError(
            f"{op}: dtype should be {'complex' if x.dtype.is_complex else 'real'} for {x.dtype} inputs, but got {dtype}"
        )
    if dtypes.promote_types(x.dtype, dtype) is not dtype:
        raise RuntimeError(
            f"{op}: the dtype of the input ({x.dtype}) should be convertible without narrowing to the specified dtype ({dtype})"
        )
    return F.cast(x, dtype.array)  # type: ignore[no-any-return]


def vector_norm(
    input: Tensor, ord: Any = 2, dim: Any = None, keepdim: bool = False, *, dtype: Any = None, out: Tensor | None = None
) -> Tensor:
    """(sum |x|^ord)^(1/ord) over `dim` (None: all); inf, -inf and 0 as limits. Source: torch.linalg.vector_norm."""
    op = "linalg.vector_norm"
    x = _to(_floating(input, op), dtype, op)
    if isinstance(ord, Tensor):
        ord = ord.item()
    if isinstance(ord, str):
        raise TypeError("linalg_vector_norm(): argument 'ord' must be Number, not str")
    if isinstance(ord, complex):
        raise RuntimeError(f"{op}: Expected a non-complex scalar as the order of norm.")
    dims = red._dims(x, dim)
    if dims is None and dim is not None and x._a.ndim == 0:
        dims = None
    shape = x._a.shape
    if x._a.size == 0 and (ord < 0 or ord == inf):
        if dims is None or any(shape[d] == 0 for d in dims):
            raise RuntimeError(
                f"{op} cannot compute the {float(ord)} norm on an empty tensor because the operation does not have an identity"
                if dims is None
                else f"{op} cannot compute the {float(ord)} norm on the dimension {next(d for d in dims if shape[d] == 0)} because "
                "this dimension is empty and the operation does not have an identity"
            )
    r = _vector_norm(x, float(ord), dims, keepdim)
    return red.packed(r) if out is None else write_out(out, r, True)


def _pair_of_dims(x: Tensor, dim: Any, op: str) -> tuple[int, int]:
    if isinstance(dim, int) or len(dim) != 2:
        raise RuntimeError(f"{op}: dim must be a 2-tuple. Got {dim}")
    d0, d1 = (check_dim(d, x._a.ndim) for d in dim)
    if d0 == d1:
        raise RuntimeError(f"{op}: dims must be different. Got ({dim[0]}, {dim[1]})")
    return d0, d1


def matrix_norm(
    input: Tensor,
    ord: Any = "fro",
    dim: Any = (-2, -1),
    keepdim: bool = False,
    *,
    dtype: Any = None,
    out: Tensor | None = None,
) -> Tensor:
    """'fro', 'nuc', 1, -1, inf, -inf (sums of rows or columns), 2, -2 (singular values). Source: torch.linalg.matrix_norm."""
    op = "linalg.matrix_norm"
    _floating(input, op)
    if input._a.ndim < 2:
        raise RuntimeError(f"{op}: The input tensor A must have at least 2 dimensions.")
    x = _to(input, dtype, op)
    d0, d1 = _pair_of_dims(x, dim, op)
    if isinstance(ord, str):
        if ord not in ("fro", "nuc"):
            raise RuntimeError(f"{op}: Order {ord} not supported.")
        if ord == "fro":
            return vector_norm(x, 2, (d0, d1), keepdim, out=out)
    elif abs_(ord) not in (1, 2, inf):
        raise RuntimeError(f"{op}: Order {ord} not supported.")
    if ord == "nuc" or abs_(ord) == 2:
        if x._a.dtype.itemsize == 2:
            raise RuntimeError(f"{op}: Low precision dtypes not supported. Got {type_name(x)}")
        r = la.svdvals(sh.movedim(x, (d0, d1), (-2, -1)))
        if ord == "nuc":
            r = red.sum(r, -1)
        else:
            r = (red.amax if ord > 0 else red.amin)(r, -1)
    else:
        if abs_(ord) == inf:
            d0, d1 = d1, d0
        r = vector_norm(x, 1, d0)
        r = (red.amax if ord > 0 else red.amin)(r, d1 - (d1 > d0))
    if keepdim:
        r = sh.reshape(r, [1 if i in (d0, d1) else n for i, n in enumerate(x._a.shape)])
    return r if out is None else write_out(out, r)


def abs_(ord: Any) -> Any:
    return ord if isinstance(ord, str) else abs(ord)


def linalg_norm(
    input: Tensor,
    ord: Any = None,
    dim: Any = None,
    keepdim: bool = False,
    *,
    dtype: Any = None,
    out: Tensor | None = None,
) -> Tensor:
    """A vector norm, or for two dims and an order, a matrix norm. Source: torch.linalg.norm."""
    check_tensor(input, "linalg_norm")
    dims = None if dim is None else several(dim)
    if isinstance(ord, Tensor):
        ord = ord.item()
    if dims is not None and len(dims) not in (1, 2):
        raise RuntimeError(f"linalg.norm: If dim is specified, it must be of length 1 or 2. Got {list(dims)}")
    if ord is not None:
        if dims is None and input._a.ndim not in (1, 2):
            raise RuntimeError(
                f"linalg.norm: If dim is not specified but ord is, the input must be 1D or 2D. Got {input._a.ndim}D."
            )
        if isinstance(ord, str) and (input._a.ndim if dims is None else len(dims)) == 1:
            return matrix_norm(input, ord, (0,) if dims is None else dims, keepdim, dtype=dtype, out=out)
        if (input._a.ndim if dims is None else len(dims)) == 2:
            return matrix_norm(input, ord, (0, 1) if dims is None else dims, keepdim, dtype=dtype, out=out)
    return vector_norm(input, 2 if ord is None else ord, dims, keepdim, dtype=dtype, out=out)


def norm(
    input: Tensor, p: Any = "fro", dim: Any = None, keepdim: bool = False, out: Tensor | None = None, dtype: Any = None
) -> Tensor:
    """Vector p-norm over `dim` (None: all), or the nuclear norm of matrices. Source: torch.norm."""
    check_tensor(input, "norm")
    if p == "nuc":
        if dim is None:
            if input._a.ndim != 2:
                raise RuntimeError(f"linalg.matrix_norm: nuc needs a matrix, got {input._a.ndim} dimensions")
            dim = (0, 1)
        return matrix_norm(input, "nuc", dim, keepdim, dtype=dtype, out=out)
    if isinstance(p, str) and p != "fro":
        raise RuntimeError(f"Unknown norm: {p}")
    if isinstance(dim, (tuple, list)) and p == "fro" and len(dim) > 2:
        dim = tuple(dim)
    return vector_norm(input, 2 if p in ("fro", None) else p, dim, keepdim, dtype=dtype, out=out)


@named("DistBackward0")
def dist(input: Tensor, other: Tensor, p: float = 2) -> Tensor:
    """The p-norm of input - other, broadcast. Source: torch.dist."""
    d = pw.sub(check_tensor(input, "dist"), check_tensor(other, "dist", "other"))
    if d._a.dtype.kind in "biu":
        raise RuntimeError(
            f"norm(): input dtype should be either floating point or complex. Got {type_name(d)} instead."
        )
    return vector_norm(d, p)


@named("RenormBackward0")
@numpy_names
def renorm(input: Tensor, p: float, dim: int, maxnorm: float, *, out: Tensor | None = None) -> Tensor:
    """Scale each slice along `dim` whose p-norm is above `maxnorm` down to it. Source: torch.renorm."""
    x = check_tensor(input, "renorm")
    if not p > 0:
        raise RuntimeError("renorm: non-positive-norm not supported")
    if maxnorm < 0:
        raise RuntimeError(f"renorm: expected maxnorm to be >= 0 but got {maxnorm}")
    ndim = x._a.ndim
    if ndim < 2:
        raise RuntimeError(f"renorm: input needs at least 2 dimensions, got {ndim} dimensions")
    d = check_dim(dim, ndim)
    size = vector_norm(widened(x), p, tuple(i for i in range(ndim) if i != d), True)
    factor = pw.where(pw.gt(size, maxnorm), pw.div(maxnorm, pw.add(size, 1e-7)), 1.0)
    factor = F.cast(factor, x._a.dtype) if is_half(x._a.dtype) else factor
    return red.give_packed(pw.mul(x, factor).contiguous(), out)  # type: ignore[attr-defined]


# ---- condition, rank --------------------------------------------------------------------------------------------------
@placed
def cond(input: Tensor, p: Any = None, *, out: Tensor | None = None) -> Tensor:
    """norm(A) * norm(inv(A)), by singular values for p None, 2, -2; inf if singular. Source: torch.linalg.cond."""
    if check_tensor(input, "linalg_cond")._a.ndim < 2:
        raise RuntimeError("linalg.cond: The input tensor must have at least 2 dimensions.")
    if p is None or p in (2, -2):
        s = la.svdvals(input)
        if s._a.shape[-1] == 0:
            r = wrap(input._dev.backend.zeros(s._a.shape[:-1], s._a.dtype), input._dev)
        else:
            first, last = sh.select(s, -1, 0), sh.select(s, -1, -1)
            r = pw.div(last, first) if p == -2 else pw.div(first, last)
        return r if out is None else write_out(out, r)
    if isinstance(p, str):
        if p not in ("fro", "nuc"):
            raise RuntimeError(f"linalg.cond: got an invalid norm type {p}")
    elif abs(p) not in (1, inf):
        raise RuntimeError(f"linalg.cond got an invalid norm type: {float(p)}")
    la.check_matrix(input, "linalg.cond", True)
    if input._a.size == 0:
        r = wrap(input._dev.backend.zeros(input._a.shape[:-2], input._a.dtype), input._dev)
        return r if out is None else write_out(out, r)
    inverse, info = F.linalg_inv_ex(input)
    bad = pw.ne(info, 0) if input._dev.backend.may_hold(info._a != 0) else None
    if bad is not None:
        inverse = pw.where(as_scalars(F, bad), 0.0, inverse)
    r = pw.mul(matrix_norm(input, p), matrix_norm(inverse, p))
    r = r if bad is None else pw.where(bad, inf, r)
    return r if out is None else write_out(out, r)


def matrix_rank(
    input: Tensor,
    tol: Any = None,
    hermitian: bool = False,
    *,
    atol: Any = None,
    rtol: Any = None,
    out: Tensor | None = None,
) -> Tensor:
    """How many singular values exceed max(atol, rtol * largest), int64. Source: torch.linalg.matrix_rank."""
    a = check_tensor(input, "linalg_matrix_rank")._a
    if a.ndim < 2:
        raise RuntimeError("torch.linalg.matrix_rank: The input tensor input must have at least 2 dimensions.")
    if a.dtype.kind in "biu" or a.dtype.itemsize == 2:
        raise RuntimeError("This function doesn't handle types other than float and double")
    if isinstance(tol, bool):
        tol, hermitian = None, tol
    if tol is not None:
        atol, rtol = tol, 0.0
    if a.size == 0:
        r = wrap(input._dev.backend.zeros(a.shape[:-2], dtypes.int64.array), input._dev)
    else:
        x = input.detach()
        size = pw.abs(la.eigvalsh(x)) if hermitian else la.svdvals(x)
        absolute, relative = la.tolerances(x, atol, rtol)
        top = red.amax(size, -1, True)
        cutoff = pw.maximum(_tensor(top, relative) * top, _tensor(top, absolute))  # type: ignore[operator]
        r = red.sum(pw.gt(size, cutoff), -1)
    return r if out is None else write_out(out, r)


def _tensor(like: Tensor, value: Any) -> Tensor:
    return (
        wrap(value, like._dev)
        if hasattr(value, "dtype")
        else wrap(like._dev.backend.full((), value, like._a.dtype), like._dev)
    )


# ---- cross products, distances ----------------------------------------------------------------------------------------
_cross = primitive(
    "linalg_cross",
    "x y",
    (
        lambda F, g, y, dim: F.linalg_cross(F.conj(y), g, dim),
        lambda F, g, x, dim: F.linalg_cross(g, F.conj(x), dim),
    ),
    "dim",
    node="LinalgCrossBackward0",
)


def linalg_cross(input: Tensor, other: Tensor, *, dim: int = -1, out: Tensor | None = None) -> Tensor:
    """The cross product of vectors of length 3 along `dim`, broadcast. Source: torch.linalg.cross."""
    x, y = check_tensor(input, "linalg_cross"), check_tensor(other, "linalg_cross", "other")
    if not x._a.ndim:
        raise IndexError(f"Dimension specified as {dim} but tensor has no dimensions")
    if x._a.ndim != y._a.ndim:
        raise RuntimeError(
            f"linalg.cross: inputs must have the same number of dimensions ({list(x._a.shape)} and {list(y._a.shape)})."
        )
    d = check_dim(dim, x._a.ndim)
    m, n = x._a.shape[d], y._a.shape[d]
    if m != 3 or n != 3:
        raise RuntimeError(f"linalg.cross: inputs dimension {dim} must have length 3. Got {m} and {n}")
    if x._a.dtype != y._a.dtype:
        raise RuntimeError(f"expected scalar type {type_name(x)} but found {type_name(y)}")
    if x._a.dtype.kind == "b":
        raise NotImplementedError("\"cross\" not implemented for 'Bool'")
    if x._a.shape != y._a.shape:
        try:
            x, y = sh.broadcast_tensors(x, y)
        except RuntimeError:
            raise shape_error(input._a, other._a) from None
    r = _cross(x, y, d)
    return r if out is None else write_out(out, r, True)


def cross(input: Tensor, other: Tensor, dim: int | None = None, *, out: Tensor | None = None) -> Tensor:
    """The cross product along `dim`, or along the first dimension of size 3. Source: torch.cross."""
    if dim is None:
        shape = check_tensor(input, "cross")._a.shape
        if 3 not in shape:
            raise RuntimeError(f"no dimension of size 3 in input (shape {list(shape)})")
        dim = shape.index(3)
    return linalg_cross(input, other, dim=dim, out=out)


def _cdist_rule_x(F: Any, g: Any, x: Any, y: Any, out: Any, p: float) -> Any:
    return F.cdist_backward(g, x, y, p, out)


def _cdist_rule_y(F: Any, g: Any, x: Any, y: Any, out: Any, p: float) -> Any:
    n = len(g.shape)
    return F.cdist_backward(F.transpose(g, n - 2, n - 1), y, x, p, F.transpose(out, n - 2, n - 1))


_cdist = primitive("cdist", "x y", (_cdist_rule_x, _cdist_rule_y), "p by_product")


def _cdist_backward(g: Tensor, x: Tensor, y: Tensor, p: float, dist: Tensor) -> Tensor:
    """The gradient in x, in Tensor ops for derivatives of it."""
    d = pw.sub(sh.unsqueeze(x, -2), sh.unsqueeze(y, -3))
    dim = d._a.ndim - 1
    weights = _norm_rule(F, g, d, dist, d._a.shape, p, (dim,))
    return red.sum(weights, dim - 1)


F.cdist_backward = _cdist_backward
MODES = ("use_mm_for_euclid_dist_if_necessary", "use_mm_for_euclid_dist", "donot_use_mm_for_euclid_dist")


def cdist(x1: Tensor, x2: Tensor, p: float = 2.0, compute_mode: str = MODES[0]) -> Tensor:
    """p-norm distances between the rows of (*, P, M) and (*, R, M): (*, P, R).

    p = 2 with more than 25 rows is one product of matrices; else blocks of rows keep the memory small. Derivatives of
    higher order, which PyTorch lacks, need (*, P, R, M) elements. Source: torch.cdist."""
    check_tensor(x1, "cdist", "x1")
    check_tensor(x2, "cdist", "x2")
    for t, name in ((x1, "X1"), (x2, "X2")):
        if t._a.ndim < 2:
            raise RuntimeError(f"cdist only supports at least 2D tensors, {name} got: {t._a.ndim}D")
    a, b = x1._a.shape, x2._a.shape
    if a[-1] != b[-1]:
        raise RuntimeError(f"X1 and X2 must have the same number of columns. X1: {a[-1]} X2: {b[-1]}")
    for t, name in ((x1, "X1"), (x2, "X2")):
        if t._a.dtype.kind in "biu":
            raise RuntimeError(f"cdist only supports floating-point dtypes, {name} got: {type_name(t)}")
    if compute_mode not in MODES:
        raise ValueError(f"{compute_mode} is not a valid value for compute_mode")
    if p < 0:
        raise RuntimeError("cdist only supports non-negative p values")
    if x1._a.dtype != x2._a.dtype:
        raise RuntimeError(f"expected scalar type {type_name(x1)} but found {type_name(x2)}")
    try:
        batch = tuple(sh.broadcast_shapes(a[:-2], b[:-2]))
    except RuntimeError:
        raise shape_error(x1._a[..., 0, 0], x2._a[..., 0, 0]) from None
    many = compute_mode == MODES[0] and (a[-2] > 25 or b[-2] > 25)
    by_product = p == 2 and (many or compute_mode == MODES[1])
    if is_half(x1._a.dtype) and not by_product:
        raise no_kernel("cdist", x1)
    return rounded_once(_cdist)(la.spread(x1, batch), la.spread(x2, batch), float(p), by_product)  # type: ignore[no-any-return]


def vander(x: Tensor, *, N: int | None = None) -> Tensor:
    """Powers 0 to N-1 (default: as many as elements) of the last dimension. Source: torch.linalg.vander."""
    kind = check_tensor(x, "linalg_vander")._a.dtype.kind
    if kind == "b":
        raise RuntimeError("linalg.vander supports floating point, complex, and integer tensors, but got Bool")
    if kind in "iu":
        x = F.cast(x, dtypes.int64.array)
    if x._a.ndim == 0:
        x = sh.reshape(x, (1,))
    shape = x._a.shape
    n = shape[-1] if N is None else N
    if n <= 1:
        raise RuntimeError("N must be greater than 1.")
    one = wrap(x._dev.backend.full(shape, 1, x._a.dtype), x._dev)
    powers = [one, x]
    while len(powers) < n:
        powers.append(pw.mul(powers[-1], x))
    return stack(powers, -1)


def vecdot(x: Tensor, y: Tensor, *, dim: int = -1, out: Tensor | None = None) -> Tensor:
    """Sums of conj(x) * y along `dim`, broadcast. Source: torch.linalg.vecdot."""
    _floating(x, "linalg.vecdot")
    _floating(y, "linalg.vecdot")
    if x._a.dtype != y._a.dtype:
        raise RuntimeError(
            f"linalg.vecdot: Expected x and y to have the same dtype, but found {type_name(x)} and {type_name(y)} instead"
        )
    r = red.sum(pw.mul(F.conj(x), y), dim)
    return r if out is None else write_out(out, r)


def _norm(self: Tensor, p: Any = "fro", dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Tensor:
    """torch.norm of self. Source: torch.Tensor.norm."""
    return norm(self, p, dim, keepdim, None, dtype)  # type: ignore[no-any-return]


attach("cross", cross)
attach("dist", dist)
attach("norm", _norm)
attach("renorm", renorm, in_place=True)
