"""Special functions against SciPy on wide ranges, and what the table of samples cannot say."""

import math
import sys

import numpy as np
import pytest

import polytensor as torch

scipy_special = pytest.importorskip("scipy.special")

# name, SciPy's name or a function of Python's math, interval, largest error in units of the last place
ACCURACY = [
    ("erf", "erf", (-6, 6), 8),
    ("erfc", math.erfc, (-6, 26), 16),  # SciPy's own error grows in the tail
    ("erfinv", "erfinv", (-0.999, 0.999), 16),
    ("lgamma", "gammaln", (2.5, 200), 16),
    ("lgamma", "gammaln", (1e-3, 0.9), 32),  # by arbitrary precision 1.5 ours, 22 SciPy's
    ("digamma", "digamma", (2, 200), 16),
    ("i0", "i0", (-60, 60), 32),
    ("special.i0e", "i0e", (-500, 500), 32),
    ("special.i1", "i1", (0.1, 60), 32),
    ("special.i1e", "i1e", (0.1, 500), 32),
    ("special.erfcx", "erfcx", (-4, 100), 100),
    ("special.ndtri", "ndtri", (1e-12, 0.4), 32),
    ("special.log_ndtr", "log_ndtr", (-50, 5), 200),
    ("special.ndtr", "ndtr", (-5, 5), 100),
]


def get(name):
    result = torch
    for part in name.split("."):
        result = getattr(result, part)
    return result


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", ACCURACY, ids=lambda c: f"{c[0]}{c[2]}")
def test_accuracy(case, dtype, device):
    name, reference, interval, ulps = case
    x = np.linspace(*interval, 40_000, dtype=dtype)
    actual = get(name)(torch.from_numpy(x).to(device)).cpu().numpy().astype(np.float64)
    reference = np.vectorize(reference) if callable(reference) else getattr(scipy_special, reference)
    expected = reference(x.astype(np.float64))
    limit = {"float64": ulps * np.finfo(np.float64).eps, "float32": 5 * np.finfo(np.float32).eps}[dtype]
    error = np.abs(actual - expected) / np.maximum(np.abs(expected), np.finfo(dtype).tiny)
    normal = np.abs(expected) < np.finfo(dtype).max
    assert error[normal].max() < limit


def test_large_arrays_need_little_memory():
    import tracemalloc

    x = torch.linspace(-4, 4, 1 << 20, dtype=torch.float64)
    tracemalloc.start()
    for fn in (torch.erf, torch.lgamma, torch.digamma, torch.i0, torch.special.log_ndtr):
        tracemalloc.reset_peak()
        fn(x)
        assert tracemalloc.get_traced_memory()[1] < 1.6 * x.nbytes
    tracemalloc.stop()


def test_memory_order_is_kept():
    x = torch.rand(3, 4).t()
    assert torch.erfc(x).stride() == x.stride() and torch.erfc(x[:, ::2]).is_contiguous()


def test_without_scipy(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.special", None)
    monkeypatch.setitem(sys.modules, "scipy", None)
    x = torch.tensor([0.5])
    for fn in (torch.special.bessel_j0, torch.special.airy_ai, lambda x: torch.igamma(x, x)):
        with pytest.raises(RuntimeError, match=r"needs SciPy.*polytensor\[scipy\]"):
            fn(x)
    assert torch.erf(x).item() == pytest.approx(0.5204999)


def test_integers_are_not_divided_by_zero():
    x = torch.arange(3)
    for fn in (torch.fmod, torch.remainder, torch.floor_divide):
        with pytest.raises(RuntimeError, match="ZeroDivisionError"):
            fn(x, 0)
    for mode in ("floor", "trunc"):
        with pytest.raises(RuntimeError, match="ZeroDivisionError"):
            torch.div(x, torch.tensor([1, 0, 2]), rounding_mode=mode)


def test_frexp_repr(oracle):
    assert repr(torch.frexp(torch.tensor([1.0, -3.0]))) == repr(oracle.frexp(oracle.tensor([1.0, -3.0])))


def test_names_are_pytorchs(oracle):
    public = {n for n in dir(oracle.special) if not n.startswith("_")} - {
        "Tensor",
        "torch",
        "common_args",
        "multi_dim_common",
    }
    assert public == set(torch.special.__all__)


NODES = """acos AcosBackward0, atan2 Atan2Backward0, erf ErfBackward0, fmod FmodBackward1, lerp LerpBackward1,
addcmul AddcmulBackward0, clamp ClampBackward0, clamp_min ClampMinBackward1, logaddexp2 Logaddexp2Backward0,
lgamma LgammaBackward0, deg2rad Deg2RadBackward0, sinc SincBackward0, nan_to_num NanToNumBackward0, exp2 Exp2Backward0,
logit LogitBackward0, i0 I0Backward0, frac FracBackward0, xlogy XlogyBackward0, rsub RsubBackward0""".replace(
    ",", ""
).split()


TWO = {"atan2", "fmod", "clamp_min", "logaddexp2", "xlogy", "rsub"}


@pytest.mark.parametrize("name, node", list(zip(NODES[::2], NODES[1::2], strict=True)))
def test_node_names(both, name, node):
    x = both.leaf([0.25, 0.5])
    arguments = {"addcmul": 3, "lerp": 3, "clamp": 3}.get(name, 2 if name in TWO else 1)
    y = getattr(both, name)(*[x] * arguments)
    assert type(y.grad_fn).__name__ == node
