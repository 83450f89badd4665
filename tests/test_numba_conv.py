"""Convolutions and pools of the Numba backend against NumPy's: geometries, special values, threads."""

import numba_checks
import numpy as np
import pytest
from numba_checks import NUMBA, NUMPY, THREADS, layouts, same, values

mode, dtype = numba_checks.mode, numba_checks.dtype


@pytest.fixture(autouse=True)
def _no_few(monkeypatch):
    """Small 1 x 1 convolutions are done by the kernels, too."""
    monkeypatch.setattr("polytensor.backends.numba.backend.PLAIN", 0)


POOLS = [
    ((2, 2), (2, 2), (0, 0), (1, 1), False), ((2, 2), (2, 2), (0, 0), (1, 1), True),
    ((3, 2), (1, 2), (1, 1), (1, 1), False), ((3, 3), (2, 2), (1, 1), (1, 2), True), ((1, 1), (3, 1), (0, 0), (1, 1), False),
]  # fmt: skip


@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.parametrize("kind", ["plain", "ties", "special", "-inf"])
def test_max_pool(mode, dtype, pool, kind):
    x = values((3, 4, 9, 12), dtype)
    if kind == "ties":
        x = np.round(x)
    elif kind == "special":
        x[np.random.default_rng(0).random(x.shape) < 0.2] = np.nan
        x[np.random.default_rng(1).random(x.shape) < 0.2] = np.inf
    elif kind == "-inf":
        x[:] = -np.inf
    for a in layouts(x):
        y, index = NUMPY.max_pool2d(a, *pool)
        ours, at = NUMBA.max_pool2d(a, *pool)
        same(ours, y)
        same(at, index)
        g = values(y.shape, dtype, 1)
        same(NUMBA.max_pool2d_grad(g, index, x.shape), NUMPY.max_pool2d_grad(g, index, x.shape))
        same(NUMBA.max_pool2d_gather(x, index), NUMPY.max_pool2d_gather(x, index))


CONVS = [  # x, w, stride, padding, dilation, groups
    ((2, 1, 12, 12), (6, 1, 5, 5), (1, 1), (0, 0), (1, 1), 1), ((3, 4, 9, 8), (6, 2, 3, 2), (2, 1), (1, 2), (1, 2), 2),
    ((2, 4, 7, 7), (4, 1, 3, 3), (2, 3), (2, 1), (2, 1), 4), ((2, 8, 6, 5), (3, 8, 1, 1), (1, 1), (0, 0), (1, 1), 1),
    ((2, 3, 6, 6), (2, 3, 1, 1), (2, 2), (1, 0), (1, 1), 1), ((1, 1, 2, 2), (1, 1, 3, 3), (1, 1), (3, 3), (1, 1), 1),
    ((70, 3, 40, 40), (4, 3, 3, 3), (1, 1), (1, 1), (1, 1), 1), ((3, 5, 8, 8), (9, 5, 3, 3), (1, 1), (1, 1), (1, 1), 1),
    ((1, 3, 37, 19), (10, 3, 3, 3), (1, 1), (2, 1), (1, 1), 1), ((2, 6, 17, 20), (12, 3, 3, 3), (2, 2), (1, 1), (1, 1), 2),
    ((2, 20, 9, 14), (20, 1, 3, 3), (2, 2), (1, 1), (1, 1), 20), ((2, 5, 12, 18), (6, 5, 3, 3), (1, 1), (4, 3), (2, 1), 1),
    ((9, 8, 14, 14), (16, 8, 1, 1), (2, 2), (0, 0), (1, 1), 1), ((10, 6, 7, 7), (18, 6, 1, 1), (1, 1), (0, 0), (1, 1), 1),
]  # fmt: skip


@pytest.mark.parametrize("case", CONVS)
def test_conv(mode, dtype, case):
    shape, kernel, *attrs = case
    w, b = values(kernel, dtype, 1), values(kernel[:1], dtype, 2)
    for x in list(layouts(values(shape, dtype)))[: 2 if len(shape) and shape[0] > 9 else 4]:
        for bias in (None, b, np.repeat(b, 2)[::2]):
            y = NUMPY.conv2d(x, w, bias, *attrs)
            same(NUMBA.conv2d(x, w, bias, *attrs), y, 20)
        g = values(y.shape, dtype, 3)
        same(NUMBA.conv2d_grad_input(g, w, shape, *attrs), NUMPY.conv2d_grad_input(g, w, shape, *attrs), 50)
        got = NUMBA.conv2d_grad_weight(g, x, kernel, *attrs)
        expected = NUMPY.conv2d_grad_weight(g, x, kernel, *attrs)
        same(got, expected, 50 * max(1.0, np.abs(expected).max(initial=0)))
        assert got.flags.owndata  # a leaf's .grad takes it without a copy


def geometry(seed):
    """A random convolution: (x's shape, the kernel's, stride, padding, dilation, groups)."""
    r = np.random.default_rng(seed)
    groups = int(r.choice([1, 1, 2, 5]))
    ins, outs = (int(r.choice([1, 3, 8])) for _ in range(2))
    kernel, stride, dilation = (tuple(int(i) for i in r.integers(1, high, 2)) for high in (5, 4, 3))
    padding = tuple(int(i) for i in r.integers(0, 5, 2))
    size = [int(r.integers(d * (k - 1) + 1, 50)) for k, d in zip(kernel, dilation, strict=True)]
    return (
        (int(r.integers(1, 12)), groups * ins, *size),
        (groups * outs, ins, *kernel),
        stride,
        padding,
        dilation,
        groups,
    )


@pytest.mark.parametrize("seed", range(12))
def test_conv_of_any_geometry(mode, dtype, seed):
    shape, kernel, *attrs = geometry(seed)
    x, w = values(shape, dtype), values(kernel, dtype, 1)
    y = NUMPY.conv2d(x, w, None, *attrs)
    same(NUMBA.conv2d(x, w, None, *attrs), y, 20)
    g = values(y.shape, dtype, 2)
    same(NUMBA.conv2d_grad_input(g, w, shape, *attrs), NUMPY.conv2d_grad_input(g, w, shape, *attrs), 50)
    expected = NUMPY.conv2d_grad_weight(g, x, kernel, *attrs)
    same(NUMBA.conv2d_grad_weight(g, x, kernel, *attrs), expected, 50 * max(1.0, np.abs(expected).max(initial=0)))


@pytest.mark.parametrize("case", CONVS)
def test_conv_gives_the_same_bits_on_threads(monkeypatch, dtype, case):
    shape, kernel, *attrs = case
    x, w, b = values(shape, dtype), values(kernel, dtype, 1), values(kernel[:1], dtype, 2)

    def run():
        y = NUMBA.conv2d(x, w, b, *attrs)
        return y, NUMBA.conv2d_grad_input(y, w, shape, *attrs), NUMBA.conv2d_grad_weight(y, x, kernel, *attrs)

    monkeypatch.setattr(THREADS, "PARALLEL_NS", np.inf)
    alone = run()
    monkeypatch.setattr(THREADS, "PARALLEL_NS", 0)
    monkeypatch.setattr(THREADS, "_budget", min(3, THREADS.numba.config.NUMBA_NUM_THREADS))
    for a, e in zip(run(), alone, strict=True):
        assert np.array_equal(a, e)


@pytest.mark.parametrize("case", CONVS[7:])
def test_conv_with_nan_and_infinity(mode, dtype, case):
    """They reach what they should and nothing else: lanes that are left over read them too."""
    shape, kernel, *attrs = case
    w, x = values(kernel, dtype, 1), values(shape, dtype)
    x.reshape(-1)[[3, -1]] = np.nan, np.inf
    with np.errstate(all="ignore"):
        y = NUMPY.conv2d(x, w, None, *attrs)
        same(NUMBA.conv2d(x, w, None, *attrs), y, 20)
        g = values(y.shape, dtype, 3)
        got, expected = (B.conv2d_grad_weight(g, x, kernel, *attrs) for B in (NUMBA, NUMPY))
        same(got, expected, 500)
        g.reshape(-1)[[2, -1]] = np.inf, np.nan
        same(*(B.conv2d_grad_input(g, w, shape, *attrs) for B in (NUMBA, NUMPY)), 50)


@pytest.mark.parametrize(
    "shape, kernel", [((9, 4, 20, 20), (8, 2, 3, 3)), ((3, 8, 9, 9), (4, 8, 1, 1)), ((9, 4, 3, 3), (8, 4, 3, 3))]
)
def test_convolution_on_a_team_of_threads(monkeypatch, dtype, shape, kernel):
    """The same bits as on one thread, also from two threads at once, which share no buffer."""
    from concurrent.futures import ThreadPoolExecutor

    from polytensor.backends.numba import threads

    attrs = ((1, 1), (1, 1) if kernel[2] > 1 else (0, 0), (1, 1), shape[1] // kernel[1])
    x, w = values(shape, dtype), values(kernel, dtype, 1)

    def run(_=None):
        y = NUMBA.conv2d(x, w, None, *attrs)
        return y, NUMBA.conv2d_grad_input(y, w, shape, *attrs), NUMBA.conv2d_grad_weight(y, x, kernel, *attrs)

    before = threads._budget
    monkeypatch.setattr(threads, "_budget", 1)
    alone = run()
    monkeypatch.setattr(threads, "_budget", 3)
    monkeypatch.setattr(threads, "TEAM_NS", 0)
    try:
        with ThreadPoolExecutor(2) as pool:
            results = [run(), *pool.map(run, range(4))]
    finally:
        threads.thread_setter()(before)
    for result in results:
        for a, e in zip(result, alone, strict=True):
            assert np.array_equal(a, e)
