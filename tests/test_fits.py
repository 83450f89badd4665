"""The rational and polynomial fits of backends/special.py and the Numba backend: where their numbers come from."""

import numpy as np
import pytest

from polytensor.backends.special import FARTHEST, MILLS_D, MILLS_N


def minimax(f, x, p, q, allowed, rounds):
    """Coefficients, the constant first, of N (degree p) and D (degree q, its constant 1) with |N / (D f) - 1| <= e allowed(x),
    e as small as can be: Lawson's weights, grown where the error is large, around least squares that are linear in N and D."""
    scale = abs(x).max() / 4
    powers = (x / scale)[:, None] ** np.arange(max(p, q) + 1)
    columns = np.concatenate([powers[:, : p + 1] / f[:, None], -powers[:, 1 : q + 1]], 1)
    weight, bottom, least = np.ones_like(x), np.ones_like(x), (np.inf,)
    for _ in range(rounds):
        w = np.sqrt(weight) / bottom / allowed
        c = np.linalg.lstsq(columns * w[:, None], w, rcond=None)[0]
        bottom = 1 + powers[:, 1 : q + 1] @ c[p + 1 :]
        error = abs(powers[:, : p + 1] @ c[: p + 1] / bottom / f - 1) / allowed
        if error.max() < least[0]:
            least = (
                error.max(),
                c[: p + 1] / scale ** np.arange(p + 1),
                np.append(1, c[p + 1 :] / scale ** np.arange(1, q + 1)),
            )
        weight *= (error / error.max() + 1e-3) ** 0.5
        weight /= weight.mean()
    return least


def nodes(low, high, n):
    return low + (high - low) * (np.cos(np.linspace(np.pi, 0, n)) + 1) / 2


def test_mills():
    special = pytest.importorskip("scipy.special")
    x = nodes(0, 14.5, 500)
    error, top, bottom = minimax(special.erfcx(x / np.sqrt(2)) / 2, x, 3, 4, 1 + x * x / 2, 300)
    assert error < 6e-8
    np.testing.assert_allclose(MILLS_N, (top / bottom[-1])[::-1], rtol=2e-5)
    np.testing.assert_allclose(MILLS_D, (bottom / bottom[-1])[::-1], rtol=2e-5)
    x = np.linspace(0, FARTHEST, 100_001)
    exact = special.erfcx(x / np.sqrt(2)) / 2
    assert (abs(np.polyval(MILLS_N, x) / np.polyval(MILLS_D, x) / exact - 1) / (1 + x * x / 2)).max() < 7.5e-8


def test_power_of_two():
    pointwise = pytest.importorskip("polytensor.backends.numba.pointwise")
    x = nodes(-0.5, 0.5, 200)
    error, c, _ = minimax(2**x, x, 6, 0, np.ones_like(x), 300)
    assert error < 2e-9
    np.testing.assert_allclose(np.array(pointwise.POWER, float), c[::-1], rtol=1e-5)
