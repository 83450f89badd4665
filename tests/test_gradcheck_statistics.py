"""gradcheck and gradgradcheck of the primitives of statistics, also where elements are zero."""

import numpy as np
import pytest
from test_gradcheck import samples

import polytensor as torch
from polytensor.testing import gradcheck, gradgradcheck

inf = float("inf")
# name: (function, shape)
PRIMITIVES = {
    "std": (lambda x: x.std(), (2, 3)),
    "std1": (lambda x: x.std(1, correction=0, keepdim=True), (2, 3)),
    "std_mean": (lambda x: torch.std_mean(x, 0), (3, 2)),
    "var_mean": (lambda x: torch.var_mean(x, 1), (2, 3)),
    "prod": (lambda x: x.prod(), (2, 3)),
    "prod0": (lambda x: x.prod(0), (3, 2)),
    "prod1": (lambda x: x.prod(1, keepdim=True), (2, 4)),
    "logsumexp": (lambda x: x.logsumexp((0, 1)), (2, 3)),
    "logsumexp1": (lambda x: x.logsumexp(1, keepdim=True), (2, 3)),
    "nansum": (lambda x: x.nansum(0) ** 2, (2, 3)),
    "nanmean": (lambda x: x.nanmean(0) ** 2, (2, 3)),
    "aminmax": (lambda x: tuple(torch.aminmax(x, dim=0)), (2, 3)),
    **{f"norm{p}": (lambda x, p=p: x.norm(p, 1), (2, 3)) for p in (0.5, 1, 1.5, 2, 3, inf, -inf, -1)},
    "norm": (lambda x: x.norm(), (2, 3)),
    "dist": (lambda x: torch.dist(x, x.flip(0) ** 2, 3), (3, 2)),
    "renorm": (lambda x: torch.renorm(x, 2, 0, 0.5), (2, 3)),
    "cumsum": (lambda x: x.cumsum(0).exp(), (3, 2)),
    "cumprod": (lambda x: x.cumprod(1), (2, 5)),
    "cumprod0": (lambda x: x.cumprod(0), (3, 2)),
    "cummax": (lambda x: x.cummax(1)[0].exp(), (2, 4)),
    "cummin": (lambda x: x.cummin(0)[0].exp(), (3, 2)),
    "logcumsumexp": (lambda x: x.logcumsumexp(1), (2, 4)),
    "logcumsumexp0": (lambda x: x.logcumsumexp(0), (5, 2)),
    "diff": (lambda x: torch.diff(x, 2, 0) ** 2, (4, 2)),
    "trapezoid": (lambda x: torch.trapezoid(x, x**2, dim=0), (3, 2)),
    "cumulative_trapezoid": (lambda x: torch.cumulative_trapezoid(x, x**2), (2, 3)),
    "median": (lambda x: x.median().exp(), (2, 3)),
    "median1": (lambda x: x.median(1)[0].exp(), (2, 3)),
    "nanmedian": (lambda x: x.nanmedian(0, keepdim=True)[0].exp(), (3, 2)),
    "mode": (lambda x: x.mode(1)[0].exp(), (2, 3)),
    "quantile": (lambda x: torch.quantile(x, 0.3, 1).exp(), (2, 4)),
    "nanquantile": (lambda x: torch.nanquantile(x, 0.7).exp(), (2, 3)),
    "cov": (lambda x: x.cov(), (2, 4)),
    "corrcoef": (lambda x: x.corrcoef()[0], (2, 4)),
}
# primitives of which derivatives are made
INNER = {
    "shift": (lambda x, y: torch.ops.table.F.shift(x, 1, 1, 0.0) * y, (2, 3)),
    "recurrence": (lambda x, y: torch.ops.table.F.recurrence(x, y, 1, False), (2, 5)),
    "recurrence.reverse": (lambda x, y: torch.ops.table.F.recurrence(x, y, 0, True), (4, 2)),
}


@pytest.mark.parametrize("layout", ["c", "t"])
@pytest.mark.parametrize("name", PRIMITIVES)
def test_gradcheck(name, layout, device):
    fn, shape = PRIMITIVES[name]
    assert gradcheck(fn, samples(name, [shape], device, layout), check_grad_dtypes=True)


@pytest.mark.parametrize("name", PRIMITIVES)
def test_gradgradcheck(name, device):
    fn, shape = PRIMITIVES[name]
    assert gradgradcheck(fn, samples(name, [shape], device))


@pytest.mark.parametrize("name", INNER)
def test_inner(name, device):
    fn, shape = INNER[name]
    inputs = samples(name, [shape, shape], device)
    assert gradcheck(fn, inputs)
    assert gradgradcheck(fn, inputs)


ZEROS = {
    "none": [2.0, -1, 3, 0.5],
    "one": [2.0, 0, 3, 0.5],
    "two": [0.0, 2, 0, 3],
    "all": [0.0] * 4,
    "first": [0.0, 1, 2, 3],
}


@pytest.mark.parametrize("zeros", ZEROS)
@pytest.mark.parametrize("name", ["prod", "cumprod"])
def test_products_at_zeros(name, zeros, device):
    """Derivatives of the first and second order are right where factors are 0, and so is the third."""
    x = torch.tensor(ZEROS[zeros], dtype=torch.float64, device=device, requires_grad=True)
    fn = (lambda x: x.prod()) if name == "prod" else (lambda x: x.cumprod(0))
    assert gradcheck(fn, x)
    assert gradgradcheck(fn, x)

    direction = torch.arange(4.0, dtype=torch.float64, device=device) + 1

    def second(x):
        (g,) = torch.autograd.grad(fn(x).sum(), x, create_graph=True)
        return torch.autograd.grad((g * direction).sum(), x, create_graph=True)[0]

    assert gradcheck(second, x)


def test_doubling_agrees_with_accumulate():
    """The running ops of the base backend, which has no ufunc.accumulate."""
    from polytensor.backends.base import Backend
    from polytensor.backends.numpy import NumpyBackend

    backend = NumpyBackend()
    x = np.random.default_rng(0).integers(-9, 9, (3, 37, 2)).astype(np.float64)
    for op in (np.maximum, np.minimum, np.logaddexp):
        for dim in range(3):
            assert np.allclose(Backend._running(backend, op, x, dim), op.accumulate(x, dim))
