"""gradcheck and gradgradcheck of the differentiable pointwise and special primitives on every backend."""

import zlib

import numpy as np
import pytest

import polytensor as torch
from polytensor.testing import gradcheck, gradgradcheck

special = torch.special


# name: (function, number of inputs, interval)
PRIMITIVES = {
    **{
        op: (lambda x, op=op: getattr(torch, op)(x), 1, (-1.5, 1.5))
        for op in ("atan", "asinh", "sinh", "cosh", "exp2", "erf", "erfc", "sinc", "i0", "frac", "deg2rad", "rad2deg", "sgn")
    },
    **{
        f"special.{op}": (lambda x, op=op: getattr(special, op)(x), 1, (-1.5, 1.5))
        for op in ("i0e", "i1", "i1e", "erfcx", "log_ndtr", "ndtr")
    },
    **{op: (lambda x, op=op: getattr(torch, op)(x), 1, (-0.8, 0.8)) for op in ("acos", "asin", "atanh", "erfinv")},
    **{
        op: (lambda x, op=op: getattr(torch, op)(x), 1, (0.3, 3.0))
        for op in ("lgamma", "digamma")
    },
    "lgamma.negative": (torch.lgamma, 1, (-2.8, -2.2)),
    "acosh": (torch.acosh, 1, (1.3, 3.0)),
    "entr": (special.entr, 1, (0.3, 2.0)),
    "ndtri": (special.ndtri, 1, (0.1, 0.9)),
    "logit": (torch.logit, 1, (0.1, 0.9)),
    "logit.eps": (lambda x: torch.logit(x, 0.3), 1, (0.05, 0.95)),
    "polygamma": (lambda x: torch.polygamma(2, x), 1, (0.5, 3.0)),
    "mvlgamma": (lambda x: torch.mvlgamma(x, 3), 1, (1.5, 4.0)),
    "nan_to_num": (torch.nan_to_num, 1, (-1, 1)),
    "frexp": (lambda x: torch.frexp(x).mantissa, 1, (0.3, 3.0)),
    "threshold": (lambda x: torch.threshold(x, 0.1, 7.0), 1, (-1, 1)),
    "round.decimals": (lambda x: torch.round(x, decimals=2) + x, 1, (0.101, 0.109)),
    "igamma": (lambda x: torch.igamma(torch.full_like(x, 2.5).detach(), x), 1, (0.5, 4)),
    "igammac": (lambda x: torch.igammac(torch.full_like(x, 1.5).detach(), x), 1, (0.5, 4)),
    "zeta": (lambda q: special.zeta(3.0, q), 1, (0.5, 4)),
    "clamp_min": (lambda x: torch.clamp_min(x, 0.1), 1, (-1, 1)),
    **{
        op: (lambda x, y, op=op: getattr(torch, op)(x, y), 2, (0.4, 2.0))
        for op in ("atan2", "hypot", "fmax", "fmin", "copysign", "xlogy", "logaddexp", "logaddexp2", "float_power",
                   "ldexp", "rsub")
    },
    "xlog1py": (special.xlog1py, 2, (0.4, 2.0)),
    "fmod": (lambda x, y: torch.fmod(x + 3, y), 2, (0.41, 0.99)),
    "remainder": (lambda x, y: torch.remainder(x - 3, y), 2, (0.41, 0.99)),
    "div.floor": (lambda x, y: torch.div(x, y, rounding_mode="floor") * x, 2, (0.41, 0.99)),
    "div.trunc": (lambda x, y: torch.div(x, y, rounding_mode="trunc") * y, 2, (0.41, 0.99)),
    "lerp": (torch.lerp, 3, (-1, 1)),
    "lerp.number": (lambda x, y: torch.lerp(x, y, 0.3), 2, (-1, 1)),
    "addcmul": (lambda x, y, z: torch.addcmul(x, y, z, value=0.5), 3, (-1, 1)),
    "addcdiv": (lambda x, y, z: torch.addcdiv(x, y, z, value=0.5), 3, (0.5, 2)),
    "clamp.tensors": (torch.clamp, 3, (-1, 1)),
    "clamp.min": (lambda x, y: torch.clamp(x, y), 2, (-1, 1)),
    "clamp.max": (lambda x, y: torch.clamp(x, max=y), 2, (-1, 1)),
    "nextafter": (torch.nextafter, 2, (0.5, 2)),
    "inplace": (lambda x, y: (x * 1).atan2_(y).erf_().lerp_(y, 0.3), 2, (0.5, 2)),
}  # fmt: skip


def samples(name, count, interval, device):
    """Inputs whose elements are all different, so that no two of them meet at a kink."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    n = 6 * count
    values = interval[0] + (rng.permutation(n) + rng.uniform(0.3, 0.7, n)) / n * (interval[1] - interval[0])
    values[np.abs(values) < 0.03] = 0.07
    parts = values.reshape(count, 2, 3)
    shapes = ((2, 3), (3,), (2, 1))
    parts = [p[:1, :].reshape(3) if s == (3,) else p[:, : s[1]] for p, s in zip(parts, shapes, strict=False)]
    return tuple(torch.from_numpy(p.copy()).to(device).requires_grad_() for p in parts)


@pytest.mark.parametrize("name", PRIMITIVES)
def test_gradcheck(name, device):
    fn, count, interval = PRIMITIVES[name]
    assert gradcheck(fn, samples(name, count, interval, device), check_grad_dtypes=True)


@pytest.mark.parametrize("name", PRIMITIVES)
def test_gradgradcheck(name, device):
    fn, count, interval = PRIMITIVES[name]
    assert gradgradcheck(fn, samples(name, count, interval, device))


def test_third_derivative(device):
    x = torch.tensor([0.7], dtype=torch.float64, device=device, requires_grad=True)
    for fn, third in ((torch.lgamma, lambda: torch.polygamma(2, x)), (torch.sinh, lambda: torch.cosh(x))):
        g = fn(x)
        for _ in range(3):
            (g,) = torch.autograd.grad(g.sum(), x, create_graph=True)
        assert torch.allclose(g, third(), rtol=1e-12)


def test_what_has_no_derivative_says_so(device):
    x = torch.tensor([2.0], dtype=torch.float64, device=device, requires_grad=True)
    for fn in (torch.igamma, torch.igammac, special.zeta):
        with pytest.raises(NotImplementedError, match="is not implemented"):
            fn(x, x).backward()
    for fn in (torch.heaviside, torch.floor_divide):
        with pytest.raises(RuntimeError, match="is not implemented"):
            fn(x, x).backward()
    assert not special.bessel_j0(x).requires_grad and not special.legendre_polynomial_p(x, 2).requires_grad
