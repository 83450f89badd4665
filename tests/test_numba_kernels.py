"""The Numba kernels against NumPy's, serial and parallel: pointwise functions, reductions, softmax and losses."""

import math

import numba_checks
import numpy as np
import pytest
from ml_dtypes import bfloat16
from numba_checks import NUMBA, NUMPY, SHAPES, layouts, same, values

mode, dtype = numba_checks.mode, numba_checks.dtype


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("special", [False, True])
def test_pointwise(mode, dtype, shape, special):
    for x in layouts(values(shape, dtype, special=special)):
        g = values(shape, dtype, 1)
        with np.errstate(all="ignore"):
            same(NUMBA.relu(x), NUMPY.relu(x))
            same(NUMBA.sigmoid(x), NUMPY.sigmoid(x))
            finite = np.where(np.isfinite(x), x, np.asarray(0, x.dtype))
            for name in ("relu_backward", "tanh_backward", "sigmoid_backward"):
                same(getattr(NUMBA, name)(g, finite), getattr(NUMPY, name)(g, finite))
            same(NUMBA.silu_backward(g, x), NUMPY.silu_backward(g, x))
            same(NUMBA.leaky_relu_backward(g, x, 0.3), NUMPY.leaky_relu_backward(g, x, 0.3), 0)
            same(NUMBA.between(g, x, -0.5, 0.5), NUMPY.between(g, x, -0.5, 0.5), 0)
            same(NUMBA.hardswish(x), NUMPY.hardswish(x))
            same(NUMBA.hardswish_backward(g, x), NUMPY.hardswish_backward(g, x))
            same(NUMBA.smooth_l1(x, 0.3), NUMPY.smooth_l1(x, 0.3))


@pytest.mark.parametrize("shape", [(2, 3, 40, 41), (64, 8, 17), (300, 40), (3, 500, 2, 3)])
def test_scaled_channels(mode, dtype, shape):
    x, scale, shift = values(shape, dtype), values(shape[1], dtype, 1), values(shape[1], dtype, 2)
    same(NUMBA.scale_channels(x, scale, shift), NUMPY.scale_channels(x, scale, shift))


@pytest.mark.parametrize("half", [np.float16, bfloat16])
def test_casts_of_halves(mode, half):
    """To the bit: every 16-bit number, its neighbours, the middles between two and random bits; NaN stays NaN."""
    half = np.dtype(half)
    every = np.arange(2**16, dtype=np.uint16).view(half)
    wide = every.astype("f4")
    found = NUMBA.cast(every, np.dtype("f4"))
    np.testing.assert_array_equal(found.view("u4"), wide.view("u4"))
    with np.errstate(all="ignore"):
        middles = ((wide[1:].astype("f8") + wide[:-1]) / 2).astype("f4")
        random = np.random.default_rng(0).integers(0, 2**32, 100_000, np.uint64).astype("u4").view("f4")
        near = [np.nextafter(x, np.float32(side)) for x in (wide, middles) for side in (-np.inf, np.inf)]
        x = np.concatenate([wide, middles, random, *near])
        expected, found = x.astype(half), NUMBA.cast(x, half)
    nan = np.isnan(x)
    np.testing.assert_array_equal(found.view("u2")[~nan], expected.view("u2")[~nan])
    assert np.isnan(found[nan].astype("f4")).all()


def test_exp_over_its_whole_range(dtype):
    """sigmoid(x) = 1 / (1 + exp(-x)) through overflow, underflow, denormals and NaN."""
    top = 120 if dtype == "float32" else 800
    x = np.concatenate([np.linspace(-top, top, 100001), [np.inf, -np.inf, np.nan]]).astype(dtype)
    with np.errstate(all="ignore"):
        wide = x.astype(np.longdouble)
        expected = 1 / (1 + np.exp(-wide))
        softmax = np.stack([x[:-3], np.full(len(x) - 3, x[:-3].max(), dtype)], 1)
        exact = np.exp((softmax[:, 0] - softmax[0, 1]).astype(np.longdouble))
    actual = NUMBA.sigmoid(x)
    tiny = np.finfo(dtype).tiny  # numbers below it are held with fewer bits
    np.testing.assert_allclose(actual, expected.astype(dtype), rtol=4 * np.finfo(dtype).eps, atol=tiny)
    ours = NUMBA.softmax(softmax, 1)[:, 0]
    np.testing.assert_allclose(ours, (exact / (1 + exact)).astype(dtype), rtol=8 * np.finfo(dtype).eps, atol=tiny)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("special", [False, True])
def test_reductions(mode, dtype, shape, special):
    x = np.asarray(values(shape, dtype, special=special) + np.asarray(0.5, dtype))
    dims = [
        None,
        *((i,) for i in range(x.ndim)),
        tuple(range(x.ndim)),
        tuple(range(x.ndim))[::2],
        (-1,) if x.ndim else (),
    ]
    with np.errstate(all="ignore"):
        for a in layouts(x):
            for dim in dims:
                for keepdim in (False, True):
                    same(
                        NUMBA.sum(a, dim, keepdim),
                        a.sum(axis=dim, keepdims=keepdim, dtype="f8").astype(dtype),
                        300,
                    )
                    same(NUMBA.mean(a, dim, keepdim), NUMPY.mean(a, dim, keepdim), 300)
                    same(NUMBA.var(a, dim, 1, keepdim), NUMPY.var(a, dim, 1, keepdim), 300)
                    if x.size:
                        same(NUMBA.amax(a, dim, keepdim), NUMPY.amax(a, dim, keepdim))
                        same(NUMBA.amin(a, dim, keepdim), NUMPY.amin(a, dim, keepdim))


def test_sums_keep_their_digits(dtype):
    x = np.full((1 << 22,), 0.1, dtype)
    for got in (
        NUMBA.sum(x, None, False),
        NUMBA.sum(x.reshape(-1, 2), (0,), False) * 2,
        NUMBA.sum(x[None], (1,), False),
    ):
        np.testing.assert_allclose(got, float(x[0]) * x.size, rtol=2e-6 if dtype == "float32" else 1e-12)
    assert NUMBA.var(x + np.asarray(1e3, dtype), None, 0, False) <= 1e-7


@pytest.mark.parametrize("shape", [(0, 3), (1, 1), (7,), (64, 10), (5, 33, 17), (3, 70000), (4096, 30)])
@pytest.mark.parametrize("special", [False, True])
def test_softmax(mode, dtype, shape, special):
    for x in layouts(values(shape, dtype, special=special) * 5):
        g = values(shape, dtype, 1)
        with np.errstate(all="ignore"):
            for dim in (-1, x.ndim - 1, 0):
                for name in ("softmax", "log_softmax"):
                    y = getattr(NUMPY, name)(x, dim)
                    same(getattr(NUMBA, name)(x, dim), y, 20)
                    back = name + "_backward"
                    same(getattr(NUMBA, back)(g, y, dim), getattr(NUMPY, back)(g, y, dim), 300)


@pytest.mark.parametrize("shape", [(1, 1), (64, 10), (5, 3000), (4096, 30)])
@pytest.mark.parametrize("reduction", [0, 1, 2])
def test_cross_entropy(mode, dtype, shape, reduction):
    rng = np.random.default_rng(3)
    t = rng.integers(0, shape[1], shape[0])
    for ignore in (-100, 0):
        for x in layouts(values(shape, dtype) * 3):
            for target in (t, np.repeat(t, 2)[::2], np.where(t == 0, ignore, t)):
                with np.errstate(all="ignore"):
                    loss, logp = NUMPY.cross_entropy(x, target, ignore, reduction)
                    ours = NUMBA.cross_entropy(x, target, ignore, reduction)
                    same(ours[0], loss, 50)
                    same(ours[1], logp, 20)
                    g = np.asarray(values(np.shape(loss), dtype, 1))
                    got = NUMBA.cross_entropy_backward(g, logp, target, ignore, reduction)
                    if (target == ignore).all():  # as in PyTorch, though the mean over nothing is NaN
                        same(got, np.zeros(shape, dtype))
                    else:
                        same(got, NUMPY.cross_entropy_backward(g, logp, target, ignore, reduction), 50)


def test_cross_entropy_refuses_bad_targets(dtype):
    x = values((4, 3), dtype)
    for bad in (3, -1, -100):
        with pytest.raises(IndexError, match=f"Target {bad} is out of bounds"):
            NUMBA.cross_entropy(x, np.array([0, 1, bad, 2]), -5, 1)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("reduction", [0, 1, 2])
def test_mse(mode, dtype, shape, reduction):
    t = values(shape, dtype, 1)
    for x in layouts(values(shape, dtype)):
        with np.errstate(all="ignore"):
            loss = NUMPY.mse_loss(x, t, reduction)
            same(NUMBA.mse_loss(x, t, reduction), loss, 20)
            g = np.asarray(values(np.shape(loss), dtype, 2))
            same(NUMBA.mse_loss_backward(g, x, t, reduction), NUMPY.mse_loss_backward(g, x, t, reduction), 20)


def test_gelu(mode, dtype):
    """Also in the tails, across blocks, at NaN and infinities."""
    x = np.concatenate([np.linspace(-14, 14, 5001), [np.nan, np.inf, -np.inf, 0.0, -0.0]]).astype(dtype)
    g = np.cos(np.arange(x.size)).astype(dtype)
    rtol = 2e-5 if dtype == "float32" else 1e-12
    with np.errstate(all="ignore"):
        for name, args in (("normal_cdf", (x,)), ("gelu", (x,)), ("gelu_backward", (g, x))):
            a, b = getattr(NUMBA, name)(*args), getattr(NUMPY, name)(*args)
            np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol if name == "gelu_backward" else np.finfo(dtype).tiny)


@pytest.mark.parametrize("bounds", [(0, 1), (None, 0.5), (-1.5, None), (1, -1), (float("nan"), 1), (0, float("nan"))])
def test_clamp_and_leaky_relu(mode, dtype, bounds):
    for x in layouts(values((40, 300), dtype, special=True) * 4):
        np.testing.assert_array_equal(NUMBA.clamp(x, *bounds), NUMPY.clamp(x, *bounds))
        for slope in (0.1, -0.5, 3):
            np.testing.assert_array_equal(NUMBA.leaky_relu(x, slope), NUMPY.leaky_relu(x, slope))


@pytest.mark.parametrize("n", [1, 3, 8, 200])
def test_added_rows(mode, dtype, n):
    """Equal places add up, in order: the same bits."""
    rows, places = values((500, n), dtype), np.random.default_rng(1).integers(0, 40, 500)
    for x in layouts(rows):
        results = []
        for backend in (NUMPY, NUMBA):
            out = values((40, n), dtype, 2)
            backend._add_at_rows(out, 1, places, x)
            results.append(out)
        np.testing.assert_array_equal(*results)


@pytest.mark.parametrize("special", [False, True])
@pytest.mark.parametrize("shape", [(), (1,), (7,), (64, 10), (5, 33, 17), (300, 300)])
@pytest.mark.parametrize("name", ["silu", "gelu", "gelu_tanh", "normal_cdf", "erf"])
def test_activations(mode, dtype, name, shape, special):
    for x in layouts(np.asarray(values(shape, dtype, special=special) * 4)):
        actual, expected = getattr(NUMBA, name)(x), getattr(NUMPY, name)(x)
        # gelu_tanh is another form of the same: NumPy's 1 + tanh loses digits where it is near 0
        rtol, atol = (2e-5, 2e-6) if dtype == "float32" else (1e-12, 1e-14)
        np.testing.assert_allclose(actual, expected, rtol, atol)


@pytest.mark.parametrize("name", ["silu", "gelu", "gelu_tanh", "normal_cdf", "erf"])
def test_activations_at_the_ends(mode, dtype, name):
    x = np.array([1e30, -1e30, 30, -30, 0.0, -0.0, 1e-30, 5, -5], dtype)
    actual, expected = getattr(NUMBA, name)(x), getattr(NUMPY, name)(x)
    np.testing.assert_allclose(actual, expected, 1e-5, 1e-6)
    np.testing.assert_array_equal(np.signbit(actual[4:6]), np.signbit(expected[4:6]))


def float32_range(step):
    """Every `step`-th finite float32, of both signs, denormal numbers too."""
    x = np.arange(0, 2**32, step, dtype=np.uint64).astype(np.uint32).view(np.float32)
    return np.ascontiguousarray(x[np.isfinite(x)])


def units(found, exact):
    """The largest error in units of the last place, where the exact value is a normal number."""
    rounded = exact.astype(np.float32)
    assert np.array_equal(np.isinf(found), np.isinf(rounded)) and np.array_equal(np.isnan(found), np.isnan(rounded))
    normal = np.isfinite(rounded) & (abs(rounded) >= np.finfo(np.float32).tiny)
    return (abs(found[normal].astype(np.float64) - exact[normal]) / np.spacing(abs(rounded[normal]))).max()


def test_erf_and_sigmoid_over_the_whole_range():
    """Within 2 units of the last place, and PyTorch's 2.2; of denormal results PyTorch's sigmoid loses digits too."""
    x = float32_range(1021)
    wide = x.astype(np.float64)
    with np.errstate(all="ignore"):
        assert units(NUMBA.sigmoid(x), 1 / (1 + np.exp(-wide))) <= 2.5
        tiny = abs(x) < 1e-4  # erf(x) = 2 x / sqrt(pi) there
        for backend in (NUMPY, NUMBA):
            assert units(backend.erf(x[tiny]), wide[tiny] * 1.1283791670955126) <= 2
        exact = np.array([math.erf(v) for v in wide[~tiny]])
        assert units(NUMPY.erf(x[~tiny]), exact) <= 2 and units(NUMBA.erf(x[~tiny]), exact) <= 2
        for name in ("exp", "erf", "sigmoid"):
            special = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0], np.float32)
            want = {
                "exp": [np.nan, np.inf, 0, 1, 1],
                "erf": [np.nan, 1, -1, 0.0, -0.0],
                "sigmoid": [np.nan, 1, 0, 0.5, 0.5],
            }
            np.testing.assert_array_equal(getattr(NUMBA, name)(special), np.array(want[name], np.float32))
