"""Winograd's convolutions of the Numba backend: against float64, on any shape, with values that are not finite."""

import numba_checks
import numpy as np
import pytest
from numba_checks import NUMBA, NUMPY, THREADS, same, values

from polytensor.backends.numba import winograd

pytestmark = pytest.mark.skipif(not winograd.WIDE, reason="needs AVX-512")
mode = numba_checks.mode
ONE = (1, 1)
ERROR = 1.5e-6  # of the largest result; a sum in order has 1e-6
SHAPES = [  # images, channels, outputs, height, width, padding, side of the kernel
    (3, 16, 32, 8, 8, (1, 1), 3), (1, 1, 1, 1, 1, (1, 1), 3), (2, 33, 17, 5, 19, (0, 2), 3), (17, 5, 40, 6, 7, (2, 1), 3),
    (1, 32, 64, 40, 21, (1, 1), 3), (9, 64, 48, 4, 4, (0, 0), 3), (2, 20, 3, 9, 33, (2, 2), 3), (1, 3, 3, 3, 70, (0, 0), 3),
    (2, 16, 32, 9, 20, (2, 2), 5), (1, 32, 16, 6, 5, (0, 1), 5), (9, 48, 16, 7, 12, (4, 3), 5),
]  # fmt: skip


def results(x, w, b, g, padding):
    attrs = (ONE, padding, ONE, 1)
    yield lambda backend, kind: backend.conv2d(*(v.astype(kind) for v in (x, w, b)), *attrs)
    yield lambda backend, kind: backend.conv2d_grad_input(g.astype(kind), w.astype(kind), x.shape, *attrs)
    yield lambda backend, kind: backend.conv2d_grad_weight(g.astype(kind), x.astype(kind), w.shape, *attrs)


@pytest.fixture
def always(monkeypatch):
    """Taken for every shape."""
    monkeypatch.setattr(winograd, "WINS", np.inf)
    monkeypatch.setattr(winograd, "FEW", 0)
    winograd.cut_of.cache_clear()
    yield
    winograd.cut_of.cache_clear()


def case(shape):
    n, c, o, h, w, padding, k = shape
    g = values((n, o, h + 2 * padding[0] - k + 1, w + 2 * padding[1] - k + 1), "float32", 3)
    made = values((n, c, h, w), "float32"), values((o, c, k, k), "float32", 1), values((o,), "float32", 2), g
    return (*made, padding)


@pytest.mark.parametrize("shape", SHAPES)
def test_any_shape(always, mode, shape):
    x, w, b, g, padding = case(shape)
    direct = winograd.correlate(x, w, b, padding, False)
    assert direct is not None and winograd.weight_gradient(g, x, padding, shape[-1]) is not None
    for run in results(x, w, b, g, padding):
        found, exact = run(NUMBA, "float32"), run(NUMPY, "float64")
        assert found.shape == exact.shape and found.dtype == np.float32
        assert abs(found - exact).max() <= ERROR * abs(exact).max()


@pytest.mark.parametrize("shape", SHAPES)
def test_the_same_bits_on_threads(always, monkeypatch, shape):
    found = []
    for serial, threads in ((np.inf, 1), (0, 1), (0, 2), (0, 3)):
        monkeypatch.setattr(THREADS, "PARALLEL_NS", serial)
        monkeypatch.setattr(THREADS, "_budget", min(threads, THREADS.numba.config.NUMBA_NUM_THREADS))
        found.append([run(NUMBA, "float32") for run in results(*case(shape))])
    for other in found[1:]:
        for a, e in zip(other, found[0], strict=True):
            assert np.array_equal(a, e)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("which", range(4))
def test_what_is_not_finite_is_left_to_the_direct_convolution(always, monkeypatch, mode, which, value):
    """In a tile an infinity would reach pixels that do not read it."""
    made = case(SHAPES[0])
    made[which].reshape(-1)[[0, 7, -1]] = value
    with np.errstate(all="ignore"):
        found = [run(NUMBA, "float32") for run in results(*made)]
        monkeypatch.setattr(winograd, "FEW", np.inf)
        winograd.cut_of.cache_clear()
        direct = [run(NUMBA, "float32") for run in results(*made)]
    assert sum(not np.isfinite(d).all() for d in direct) == (2, 2, 1, 2)[which]
    for a, d in zip(found, direct, strict=True):
        if np.isfinite(d).all():
            assert abs(a - d).max() <= 2 * ERROR * abs(d).max()
        else:
            np.testing.assert_array_equal(a, d)


def test_sums_that_overflow_only_in_between(always, mode):
    """Two of x are more than float32 holds."""
    x, w = np.full((2, 16, 8, 8), 2e38, np.float32), np.full((16, 16, 3, 3), 1e-3, np.float32)
    assert winograd.correlate(x, w, None, ONE, False) is None
    y = NUMBA.conv2d(x, w, None, ONE, ONE, ONE, 1)
    assert np.isfinite(y).all()
    np.testing.assert_allclose(y, NUMPY.conv2d(x, w, None, ONE, ONE, ONE, 1), 1e-5)


def test_taken_where_it_was_faster():
    for shape, taken in {(32, 16, 32, 32, 16): (0, 1), (32, 32, 16, 16, 32): (1, 1), (32, 64, 8, 8, 64): (1, 1),
                         (16, 64, 28, 28, 64): (1, 1), (4, 8, 16, 16, 8): (0, 0), (64, 3, 32, 32, 64): (0, 0)}.items():  # fmt: skip
        assert tuple(winograd.cut_of(weight, *shape, ONE) is not None for weight in (False, True)) == taken, shape
    assert winograd.cut_of(False, 16, 64, 28, 28, 64, (2, 2), 5) and not winograd.cut_of(
        True, 4, 16, 16, 16, 16, (2, 2), 5
    )
    assert winograd.cut_of(False, 1, 64, 9, 2000, 64, ONE) and not winograd.cut_of(False, 1, 64, 9, 9000, 64, ONE)
    x, w = values((8, 32, 12, 12), "float64"), values((32, 32, 3, 3), "float64", 1)
    same(NUMBA.conv2d(x, w, None, ONE, ONE, ONE, 1), NUMPY.conv2d(x, w, None, ONE, ONE, ONE, 1), 50)
