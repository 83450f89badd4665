"""Special functions: inverse trigonometric and hyperbolic functions, error, gamma and Bessel functions."""

from __future__ import annotations

from math import log as _log
from math import pi, sqrt
from typing import Any

from .. import dtypes
from ..tensor import Tensor
from . import pointwise as pw
from .elementwise import strict, underived
from .halves import is_half, scaled
from .table import FLOAT, F, attach, binary, check_tensor, give, inplace, primitive, renamed, unary

__all__ = [
    "acos", "acosh", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctan2", "arctanh", "asin", "asinh", "atan",
    "atan2", "atanh", "cosh", "digamma", "erf", "erfc", "erfinv", "exp2", "i0", "igamma", "igammac", "lgamma",
    "logaddexp", "logaddexp2", "logit", "mvlgamma", "polygamma", "sinc", "sinh", "xlogy",
]  # fmt: skip


def _times(fn: Any) -> Any:
    """The rule g * conj(fn(F, x))."""
    return lambda F, g, x: F.mul(g, F.conj(fn(F, x)))


def _one_minus_square(F: Any, x: Any) -> Any:
    return F.add(F.neg(F.mul(x, x)), 1)


# ---- trigonometry and exponentials ------------------------------------------------------------------------------------
acos = unary("acos", _times(lambda F, x: F.neg(F.rsqrt(_one_minus_square(F, x)))), FLOAT)
asin = unary("asin", _times(lambda F, x: F.rsqrt(_one_minus_square(F, x))), FLOAT)
atan = unary("atan", lambda F, g, x: F.div(g, F.conj(F.add(F.mul(x, x), 1))), FLOAT)
acosh = unary("acosh", _times(lambda F, x: F.rsqrt(F.add(F.mul(x, x), -1))), FLOAT)
asinh = unary("asinh", _times(lambda F, x: F.rsqrt(F.add(F.mul(x, x), 1))), FLOAT)
atanh = unary("atanh", lambda F, g, x: F.div(g, F.conj(_one_minus_square(F, x))), FLOAT)
sinh = unary("sinh", _times(lambda F, x: F.cosh(x)), FLOAT)
cosh = unary("cosh", _times(lambda F, x: F.sinh(x)), FLOAT)
exp2 = unary("exp2", lambda F, g, out: scaled(F, F.mul(g, F.conj(out)), _log(2)), FLOAT)


def _sinc_rule(F: Any, g: Any, x: Any) -> Any:
    z = scaled(F, x, pi)
    square = scaled(F, F.mul(x, x), pi)
    slope, top = F.div(F.sub(F.mul(z, F.cos(z)), F.sin(z)), square), F.eq(square, 0)
    return F.where(top, F.zeros_of(g), F.mul(g, F.conj(F.where(top, F.zeros_of(slope), slope))))


sinc = unary("sinc", _sinc_rule, FLOAT)
sinc.__doc__ = "sin(pi x) / (pi x), 1 at 0. Source: torch.sinc."


def _atan2_part(F: Any, g: Any, x: Any, y: Any, top: Any) -> Any:
    size = F.add(F.mul(x, x), F.mul(y, y))
    empty = F.eq(size, 0)
    over = F.where(empty, F.zeros_of(size), F.reciprocal(size))
    return F.where(empty, F.zeros_of(g), F.mul(F.mul(g, top), over))


_atan2 = binary(
    "atan2",
    (
        lambda F, g, x, y: _atan2_part(F, g, x, y, y),
        lambda F, g, x, y: _atan2_part(F, g, x, y, F.neg(x)),
    ),
    FLOAT,
    refuse="c",
)
atan2 = strict(_atan2, "atan2", doc="The angle of the point (other, input), in radians. Source: torch.atan2.")

_logaddexp = binary(
    "logaddexp",
    (
        lambda F, g, x, y: F.div(g, F.conj(F.add(F.exp(F.sub(y, x)), 1))),
        lambda F, g, x, y: F.div(g, F.conj(F.add(F.exp(F.sub(x, y)), 1))),
    ),
    refuse="biu",
)
_logaddexp2 = binary(
    "logaddexp2",
    (
        lambda F, g, x, y: F.div(g, F.add(F.exp2(F.sub(y, x)), 1)),
        lambda F, g, x, y: F.div(g, F.add(F.exp2(F.sub(x, y)), 1)),
    ),
    refuse="biuc",
    node="Logaddexp2Backward0",
)
logaddexp = strict(_logaddexp, "logaddexp", doc="log(exp(input) + exp(other)). Source: torch.logaddexp.")
logaddexp2 = strict(_logaddexp2, "logaddexp2", doc="log2(2**input + 2**other). Source: torch.logaddexp2.")
for _name in ("logaddexp", "logaddexp2"):
    delattr(Tensor, _name + "_")

# ---- products with logarithms -----------------------------------------------------------------------------------------
xlogy = binary(
    "xlogy",
    (
        lambda F, g, x, y: F.where(F.logical_and(F.eq(x, 0), F.le(y, 0)), F.zeros_of(g), F.xlogy(g, y)),
        lambda F, g, x, y: F.div(F.mul(g, x), y),
    ),
    FLOAT,
    refuse="c",
)
xlog1py = binary(
    "special_xlog1py",
    (
        lambda F, g, x, y: F.where(F.logical_and(F.eq(x, 0), F.le(y, -1)), F.zeros_of(g), F.special_xlog1py(g, y)),
        lambda F, g, x, y: F.div(F.mul(g, x), F.add(y, 1)),
    ),
    FLOAT,
    refuse="c",
    method=False,
    node="SpecialXlog1PyBackward0",
)


def _logit_rule(F: Any, g: Any, x: Any, eps: float | None) -> Any:
    slope = F.div(g, F.mul(x, _one_minus(F, x)))
    if eps is None:
        return F.where(F.logical_and(F.ge(x, 0), F.le(x, 1)), slope, F.fill(g, float("nan")))
    return F.where(F.logical_or(F.lt(x, eps), F.gt(x, 1 - eps)), F.zeros_of(g), slope)


def _one_minus(F: Any, x: Any) -> Any:
    return F.add(F.neg(x), 1)


_logit = primitive("logit", "x", (_logit_rule,), "eps")


def _floats(x: Any, name: str) -> Tensor:
    """A real tensor as floats."""
    a = check_tensor(x, name)._a
    if a.dtype.kind == "c":
        raise NotImplementedError(f'"{name}_cpu" not implemented for complex tensors')
    return F.cast(x, dtypes.get_default_dtype().array) if a.dtype.kind in "biu" else x  # type: ignore[no-any-return]


def logit(input: Tensor, eps: float | None = None, *, out: Tensor | None = None) -> Tensor:
    """log(x / (1 - x)), with x first held in [eps, 1 - eps] if eps is given. Source: torch.logit."""
    return give(_logit(_floats(input, "logit"), eps), out)


entr = unary("special_entr", lambda F, g, x: F.mul(g, F.add(F.neg(F.log(x)), -1)), FLOAT, method=False, real=True)

# ---- error functions --------------------------------------------------------------------------------------------------
_SLOPE = 2 / sqrt(pi)


def _bell(F: Any, g: Any, x: Any) -> Any:
    bell = F.exp(F.neg(F.mul(x, x)))
    if is_half(pw.raw_dtype(g)):  # in PyTorch's order, which shows where each step rounds
        return F.mul(scaled(F, bell, _SLOPE), g)
    return F.mul(F.mul(g, _SLOPE), bell)


erf = unary("erf", _bell, FLOAT, real=True)
erfc = unary("erfc", lambda F, g, x: F.neg(_bell(F, g, x)), FLOAT, real=True)
erfinv = unary("erfinv", lambda F, g, out: F.mul(scaled(F, F.exp(F.mul(out, out)), 1 / _SLOPE), g), FLOAT, real=True)
erfcx = unary(
    "special_erfcx",
    lambda F, g, x, out: F.mul(g, F.add(F.mul(F.mul(x, 2), out), -_SLOPE)),
    FLOAT,
    method=False,
    real=True,
)
ndtr = unary(
    "special_ndtr",
    lambda F, g, x: F.mul(F.mul(g, 1 / sqrt(2 * pi)), F.exp(F.mul(F.mul(x, x), -0.5))),
    FLOAT,
    method=False,
    real=True,
)
log_ndtr = unary(
    "special_log_ndtr",
    lambda F, g, x: F.div(F.mul(g, sqrt(2 / pi)), F.special_erfcx(F.mul(x, -sqrt(0.5)))),
    FLOAT,
    method=False,
    real=True,
)
ndtri = unary(
    "special_ndtri",
    lambda F, g, out: F.mul(F.mul(g, sqrt(2 * pi)), F.exp(F.mul(F.mul(out, out), 0.5))),
    FLOAT,
    method=False,
    real=True,
)

# ---- gamma functions --------------------------------------------------------------------------------------------------
lgamma = unary("lgamma", lambda F, g, x: F.mul(g, F.digamma(x)), FLOAT, real=True)
digamma = unary("digamma", lambda F, g, x: F.mul(g, F.polygamma(x, 1)), FLOAT, real=True)
lgamma.__doc__ = "log |Gamma(x)|. Source: torch.lgamma."
digamma.__doc__ = "The derivative of lgamma. Source: torch.digamma."
_polygamma = primitive("polygamma", "x", (lambda F, g, x, n: F.mul(g, F.polygamma(x, n + 1)),), "n")


def polygamma(n: int, input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The n-th derivative of digamma. (At its poles infinite; PyTorch's trigamma is large there.) Source: torch.polygamma."""
    if not hasattr(n, "__index__") or isinstance(n, bool):
        raise TypeError(f"polygamma(): argument 'n' (position 1) must be int, not {type(n).__name__}")
    n, x = n.__index__(), _floats(input, "polygamma")
    if n < 0:
        raise RuntimeError("polygamma(n, x) does not support negative n.")
    return give(renamed(digamma(x), "PolygammaBackward0") if n == 0 else _polygamma(x, n), out)


def mvlgamma(input: Tensor, p: int, *, out: Tensor | None = None) -> Tensor:
    """log of the multivariate gamma function of dimension p. Source: torch.mvlgamma."""
    if check_tensor(input, "mvlgamma")._a.dtype.kind == "b":
        raise RuntimeError("The input tensor may not be a boolean tensor.")
    x = _floats(input, "mvlgamma")
    if p < 1:
        raise RuntimeError("p has to be greater than or equal to 1")
    total = lgamma(x)
    for k in range(1, p):
        total = pw.add(total, lgamma(pw.sub(x, k / 2)))
    return give(pw.add(total, p * (p - 1) / 4 * _log(pi)), out)


def _gamma_density(F: Any, g: Any, a: Any, x: Any) -> Any:
    return F.mul(g, F.exp(F.sub(F.sub(F.mul(F.add(a, -1), F.log(x)), x), F.lgamma(a))))


_gammainc = binary(
    "special_gammainc",
    (
        underived("the derivative for 'igamma: input' is not implemented."),
        lambda F, g, x, y: _gamma_density(F, g, x, y),
    ),
    refuse="biuc",
    method=False,
    node="IgammaBackward0",
)
_gammaincc = binary(
    "special_gammaincc",
    (
        underived("the derivative for 'igammac: input' is not implemented."),
        lambda F, g, x, y: F.neg(_gamma_density(F, g, x, y)),
    ),
    refuse="biuc",
    method=False,
    node="IgammacBackward0",
)
igamma = strict(_gammainc, "igamma", doc="The lower incomplete gamma function over Gamma(input). Source: torch.igamma.")
igammac = strict(
    _gammaincc, "igammac", doc="The upper incomplete gamma function over Gamma(input). Source: torch.igammac."
)

zeta = binary(
    "special_zeta",
    (
        underived("the derivative for 'zeta' is not implemented."),
        lambda F, g, x, y: F.mul(g, F.neg(F.mul(x, F.special_zeta(F.add(x, 1), y)))),
    ),
    FLOAT,
    refuse="c",
    method=False,
)


# ---- Bessel functions -------------------------------------------------------------------------------------------------
def _over_x(F: Any, value: Any, x: Any) -> Any:
    """value / x, and its limit 1/2 at 0, of I1 and its scaled form."""
    away = F.ne(x, 0)
    one = F.add(F.mul(F.sign(x), 0), 1)
    return F.where(away, F.div(value, F.where(away, x, one)), scaled(F, one, 0.5))


i0 = unary("i0", lambda F, g, x: F.mul(g, F.special_i1(x)), FLOAT, real=True)
i1 = unary(
    "special_i1", lambda F, g, x, out: F.mul(g, F.sub(F.i0(x), _over_x(F, out, x))), FLOAT, method=False, real=True
)
i0e = unary(
    "special_i0e",
    lambda F, g, x, out: F.mul(g, F.sub(F.special_i1e(x), F.mul(F.sign(x), out))),
    FLOAT,
    node="SpecialI0EBackward0",
    method=False,
    real=True,
)
i1e = unary(
    "special_i1e",
    lambda F, g, x, out: F.mul(g, F.sub(F.special_i0e(x), F.add(F.mul(F.sign(x), out), _over_x(F, out, x)))),
    FLOAT,
    node="SpecialI1EBackward0",
    method=False,
    real=True,
)

bessel_j0, bessel_j1, bessel_y0, bessel_y1, modified_bessel_i0, modified_bessel_i1, modified_bessel_k0 = (
    unary("special_" + _name, None, FLOAT, method=False, real=True)
    for _name in (
        "bessel_j0", "bessel_j1", "bessel_y0", "bessel_y1", "modified_bessel_i0", "modified_bessel_i1",
        "modified_bessel_k0",
    )
)  # fmt: skip
modified_bessel_k1, scaled_modified_bessel_k0, scaled_modified_bessel_k1, airy_ai, spherical_bessel_j0 = (
    unary("special_" + _name, None, FLOAT, method=False, real=True)
    for _name in (
        "modified_bessel_k1", "scaled_modified_bessel_k0", "scaled_modified_bessel_k1", "airy_ai",
        "spherical_bessel_j0",
    )
)  # fmt: skip

# ---- orthogonal polynomials -------------------------------------------------------------------------------------------
(
    chebyshev_polynomial_t, chebyshev_polynomial_u, chebyshev_polynomial_v, chebyshev_polynomial_w,
    shifted_chebyshev_polynomial_t, shifted_chebyshev_polynomial_u, shifted_chebyshev_polynomial_v,
    shifted_chebyshev_polynomial_w, hermite_polynomial_h, hermite_polynomial_he, laguerre_polynomial_l,
    legendre_polynomial_p,
) = (
    binary(f"special_{_name}", None, FLOAT, refuse="c", method=False)
    for _name in (
        *(f"{_kind}chebyshev_polynomial_{_form}" for _kind in ("", "shifted_") for _form in "tuvw"),
        "hermite_polynomial_h", "hermite_polynomial_he", "laguerre_polynomial_l", "legendre_polynomial_p",
    )
)  # fmt: skip

# ---- methods and other names ------------------------------------------------------------------------------------------
for _name, _fn in (("mvlgamma", mvlgamma), ("logit", logit), ("igamma", igamma), ("igammac", igammac)):
    attach(_name, _fn, True, True)
Tensor.polygamma = lambda self, n: polygamma(n, self)
Tensor.polygamma_ = inplace(lambda x, n: polygamma(n, x), "polygamma_")
Tensor.igamma.__name__, Tensor.igammac.__name__ = "igamma", "igammac"
arccos, arcsin, arctan, arccosh, arcsinh, arctanh, arctan2 = acos, asin, atan, acosh, asinh, atanh, atan2
for _name in ("cos", "sin", "tan", "cosh", "sinh", "tanh", "tan2"):
    for _end in ("", "_"):
        setattr(Tensor, "arc" + _name + _end, getattr(Tensor, "a" + _name + _end))

# the in-place forms that are also functions of the module
IN_PLACE = (
    "acos", "acosh", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctanh", "asin", "asinh", "atan", "atanh",
    "cosh", "deg2rad", "erf", "erfc", "exp2", "frac", "i0", "logit", "nan_to_num",
    "rad2deg", "sinc", "sinh", "square", "xlogy", "ldexp", "fix", "abs", "ceil", "clamp", "clamp_max", "clamp_min",
    "clip", "cos", "exp", "expm1", "floor", "log", "log10", "log1p", "log2", "neg", "negative", "reciprocal", "relu",
    "round", "rsqrt", "sigmoid", "sin", "sqrt", "tan", "tanh", "trunc",
)  # fmt: skip
for _name in IN_PLACE:
    globals()[_name + "_"] = getattr(Tensor, _name + "_")
__all__ += [_name + "_" for _name in IN_PLACE]
