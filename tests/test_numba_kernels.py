"""The Numba kernels against NumPy's, serial and parallel: special values, layouts, ties, threads, forks."""

import math
import os
import re
import subprocess
import sys

import numpy as np
import pytest

from polytensor.backends.numpy import NumpyBackend

pytest.importorskip("numba")
from polytensor.backends.numba import NumbaBackend

NUMPY = NumpyBackend()
NUMBA = NumbaBackend()
THREADS = NUMBA._threads
SHAPES = [(), (0,), (3, 0), (1,), (7,), (64, 10), (5, 33, 17), (40, 3, 1000), (300, 300), (3, 70000)]
RTOL = {"float32": 2e-6, "float64": 1e-14}


@pytest.fixture(params=["serial", "parallel"])
def mode(request, monkeypatch):
    """Every kernel in its serial, then in its parallel form."""
    monkeypatch.setattr(THREADS, "PARALLEL_NS", np.inf if request.param == "serial" else 0)
    if request.param == "parallel":
        monkeypatch.setattr(THREADS, "_budget", min(2, THREADS.numba.config.NUMBA_NUM_THREADS))
    return request.param


@pytest.fixture(params=["float32", "float64"])
def dtype(request):
    return request.param


def values(shape, dtype, seed=0, special=False):
    x = np.asarray(np.random.default_rng(seed).standard_normal(shape)).astype(dtype)
    if special and x.size > 5:
        flat = x.reshape(-1)
        flat[[1, 3, 4]] = np.nan, np.inf, -np.inf
        flat[-1] = -np.nan  # the sign bit of 0 / 0 on x86
    return x


def layouts(x):
    """x as it is, as a non-contiguous view, and read-only."""
    yield x
    if x.ndim:
        wide = np.repeat(x, 2, axis=-1)
        yield wide[..., ::2]
        yield np.asfortranarray(x)
    locked = x.copy()
    locked.flags.writeable = False
    yield locked


def same(actual, expected, scale=1.0):
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.dtype == expected.dtype
    assert actual.shape == expected.shape
    if actual.dtype.kind != "f":
        np.testing.assert_array_equal(actual, expected)
        return
    rtol = RTOL[str(actual.dtype)] * scale
    np.testing.assert_allclose(actual, expected, rtol=rtol, atol=rtol)


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


@pytest.mark.parametrize("momentum, nesterov, dampening", [(0, False, 0), (0.9, False, 0.1), (0.9, True, 0)])
@pytest.mark.parametrize("decay, maximize", [(0, False), (0.01, True)])
def test_sgd(mode, dtype, momentum, nesterov, dampening, decay, maximize):
    def run(backend):
        ps = [
            values((50, 40), dtype),
            values((7,), dtype, 1),
            values((6, 8), dtype, 2)[:, ::2],
            values((300, 300), dtype),
        ]
        bufs = [np.empty_like(p) for p in ps] if momentum else None
        for step in range(3):
            gs = [values(p.shape, dtype, 10 + step) for p in ps]
            backend.sgd_step(ps, gs, bufs, 0.1, momentum, dampening, decay, nesterov, maximize, step == 0)
        return ps + (bufs or [])

    for a, e in zip(run(NUMBA), run(NUMPY), strict=True):
        same(a, e, 5)


@pytest.mark.parametrize("amsgrad", [False, True])
@pytest.mark.parametrize("decay, decoupled, maximize", [(0, False, False), (0.01, False, True), (0.01, True, False)])
def test_adam(mode, dtype, amsgrad, decay, decoupled, maximize):
    def run(backend):
        ps = [values((50, 40), dtype), values((7,), dtype, 1), values((6, 8), dtype, 2)[:, ::2]]
        ms, vs, tops = ([np.zeros(p.shape, dtype) for p in ps] for _ in range(3))
        for step in range(1, 4):
            gs = [values(p.shape, dtype, 10 + step) for p in ps]
            top = tops if amsgrad else None
            backend.adam_step(ps, gs, ms, vs, top, step, 1e-2, 0.9, 0.999, 1e-8, decay, decoupled, maximize)
        return ps + ms + vs + tops

    for a, e in zip(run(NUMBA), run(NUMPY), strict=True):
        same(a, e, 20)


def test_optimizers_keep_an_infinite_parameter(dtype):
    p, g = np.array([np.inf, 1.0], dtype), np.ones(2, dtype)
    NUMBA.sgd_step([p], [g], None, 0.1, 0, 0, 0, False, False, False)
    assert p[0] == np.inf


def test_bits_do_not_depend_on_threads(dtype, monkeypatch):
    x = values((1000, 999), dtype)

    def run():
        y = (
            NUMBA.sum(x, (0,), False),
            NUMBA.sum(x, (1,), False),
            NUMBA.var(x, None, 1, False),
            NUMBA.softmax(x, 1),
        )
        return [np.asarray(a).tobytes() for a in (*y, NUMBA.sum(x, None, False), NUMBA.mse_loss(x, x * x, 1))]

    monkeypatch.setattr(THREADS, "PARALLEL_NS", np.inf)
    serial = run()
    monkeypatch.setattr(THREADS, "PARALLEL_NS", 0)
    before = THREADS.get_num_threads()
    try:
        for n in (1, 2, 4):
            THREADS.set_num_threads(n)
            assert run() == serial
    finally:
        THREADS.set_num_threads(before)


def test_a_busy_budget_means_serial(monkeypatch):
    """Two threads never run parallel kernels at once, and neither waits."""
    monkeypatch.setattr(THREADS, "PARALLEL_NS", 0)
    x = values((300, 300), "float32")
    with THREADS._lock:
        same(NUMBA.sigmoid(x), NUMPY.sigmoid(x))


FORK = """
import os, numpy as np
from polytensor.backends.numba import NumbaBackend
b = NumbaBackend()
b._threads.PARALLEL_NS = 0
x = np.ones((300, 300), "f")
b.sigmoid(x)
pid = os.fork()
if pid == 0:
    b.sigmoid(x)
    os._exit(b._threads.get_num_threads() - 1)
raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_runs_serial():
    subprocess.run([sys.executable, "-W", "ignore", "-c", FORK], check=True, timeout=120)


def test_importing_the_package_leaves_numba_alone():
    code = "import sys, polytensor.backends.numba; raise SystemExit('numba' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_warmup_counts_compile_seconds():
    NUMBA.warmup(np.float32)
    assert NUMBA.warmup(np.float32) == 0
    assert NUMBA.compile_seconds >= 0


def test_warmup_command(capsys):
    from polytensor.__main__ import warmup

    warmup(["float32"])
    lines = capsys.readouterr().out.splitlines()
    assert "numpy: nothing to compile ahead" in lines
    assert any(re.fullmatch(r"numba: float32 ready in [\d.]+ s, [\d.]+ s of it compiling", line) for line in lines)


def test_gelu(mode, dtype):
    """Also in the tails, across blocks, at NaN and infinities."""
    x = np.concatenate([np.linspace(-14, 14, 5001), [np.nan, np.inf, -np.inf, 0.0, -0.0]]).astype(dtype)
    g = np.cos(np.arange(x.size)).astype(dtype)
    rtol = 2e-5 if dtype == "float32" else 1e-12
    with np.errstate(all="ignore"):
        for name, args in (("normal_cdf", (x,)), ("gelu", (x,)), ("gelu_backward", (g, x))):
            a, b = getattr(NUMBA, name)(*args), getattr(NUMPY, name)(*args)
            np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol if name == "gelu_backward" else np.finfo(dtype).tiny)


@pytest.mark.parametrize("m, k, n", [(4, 32, 32), (21, 33, 47), (64, 300, 96), (300, 47, 97), (9, 700, 170)])
def test_products(mode, dtype, m, k, n, monkeypatch):
    """Either factor turned over, edges of tiles, panels, chunks and depths; a linear layer's bias; NaN stays in its row."""
    own = NUMBA._products
    monkeypatch.setattr(own, "WIDE", True)
    x, w, b = values((m, k), dtype), values((k, n), dtype, 1), values((n,), dtype, 2)
    x[3, 1] = np.nan
    rtol = 1e-5 if dtype == "float32" else 1e-13
    whole = x.astype("f8") @ w.astype("f8")
    none = np.empty(0, dtype)
    for a in (x, np.asfortranarray(x)):
        for c in (w, np.asfortranarray(w)):
            np.testing.assert_allclose(own.gemm(a, c, none), whole, rtol, rtol * np.sqrt(k) * 8)
            np.testing.assert_allclose(NUMBA.matmul(a, c), whole, rtol, rtol * np.sqrt(k) * 8)
    weight = np.ascontiguousarray(w.T)
    y = own.gemm(x, weight.T, b)
    np.testing.assert_allclose(y, whole + b, rtol, rtol * np.sqrt(k) * 8)
    np.testing.assert_allclose(NUMBA.linear(x[None], weight, b), y[None], rtol, rtol * np.sqrt(k) * 8)
    np.testing.assert_array_equal(own.gemm(x[:-1], weight.T, b), y[:-1])  # a row's bits do not depend on the others
    monkeypatch.setattr(THREADS, "PARALLEL_NS", np.inf)
    np.testing.assert_array_equal(own.gemm(x, weight.T, b), y)


@pytest.mark.parametrize("m, k, n", [(16, 16, 32), (19, 33, 47), (64, 32, 64)])
def test_products_of_many(mode, dtype, m, k, n, monkeypatch):
    """Every order of the axes of either factor, as attention makes them."""
    own = NUMBA._products
    monkeypatch.setattr(own, "WIDE", True)
    x, w = values((5, m, k), dtype), values((5, k, n), dtype, 1)
    rtol = 1e-5 if dtype == "float32" else 1e-13
    whole = np.matmul(x.astype("f8"), w.astype("f8"))
    orders = [(0, 1, 2), (0, 2, 1), (1, 0, 2), (2, 0, 1)]
    for a in orders:
        for c in orders:
            left, right = (np.ascontiguousarray(t.transpose(o)).transpose(np.argsort(o)) for t, o in ((x, a), (w, c)))
            np.testing.assert_allclose(own.gemm_each(left, right), whole, rtol, rtol * np.sqrt(k) * 8)
            np.testing.assert_allclose(NUMBA.bmm(left, right), whole, rtol, rtol * np.sqrt(k) * 8)
    assert own.gemm_each(x[:, ::2], w) is None and own.gemm_each(x[:4], w) is None


@pytest.mark.skipif(THREADS.thread_setter() is None, reason="NumPy has another BLAS")
def test_small_products_of_blas(monkeypatch):
    """They run on one thread, and the number is put back."""
    monkeypatch.setattr(THREADS, "_budget", 2)
    x, seen, own = values((64, 700), "float32"), [], NUMBA._products
    set_threads = THREADS.thread_setter()
    monkeypatch.setattr(own, "thread_setter", lambda: lambda n: (seen.append(n), set_threads(n)))
    w = values((700, 10), "float32", 1)
    np.testing.assert_allclose(NUMBA.matmul(x, w), x.astype("f8") @ w, 1e-4, 1e-3)
    assert seen == [1, 2]


@pytest.mark.parametrize("shape", [(1, 1), (3, 40, 7), (700, 30), (33, 5000)])
def test_layer_norm_gradients(mode, dtype, shape):
    """Of the input, the weight and the bias at once, over blocks of rows."""
    g, x, w = values(shape, dtype), values(shape, dtype, 1), values(shape[1:], dtype, 2)
    dims = tuple(range(1, len(shape)))
    _, y, _, var = NUMPY.normalize_affine(x, w, w, dims, 1e-5)
    for ours, theirs in zip(
        *(b.normalize_affine_backward(g, w, y, var, dims, 1e-5) for b in (NUMBA, NUMPY)), strict=True
    ):
        tolerance = 1e-5 if dtype == "float32" else 1e-12
        np.testing.assert_allclose(ours, theirs, tolerance, tolerance * max(1, np.abs(theirs).max()))


def test_products_leave_the_rest():
    """Other dtypes, layouts, ranks and sizes go to BLAS; shapes that do not fit get NumPy's error."""
    own, x = NUMBA._products, values((64, 64), "float32")
    wide, few = values((700, 170), "float32"), values((9, 700), "float32")
    if own.WIDE:
        assert own.takes(x, x.T) and own.takes(wide[:9], wide.T) and own.takes(wide.T, wide)
    assert not own.takes(x, x) and not own.takes(x[:8], x.T) and not own.takes(few, wide)
    assert not own.takes(x.astype("c8"), x.astype("c8"))
    assert not own.takes(x, x.astype("f8")) and not own.takes(x[:, ::2], x[:32]) and not own.takes(x[0], x)
    assert not own.takes(np.empty((512, 512), "f4"), np.empty((512, 512), "f4")) and not own.takes(x[:8], x)
    with pytest.raises(ValueError):
        NUMBA.matmul(x, x[:32])


@pytest.mark.parametrize("n", [1, 7, 300])
@pytest.mark.parametrize("sizes", [(20, 20), (20, 3, 1)])
def test_recurrent(mode, dtype, n, sizes):
    """Layers of LSTM and GRU over packed rows, forward and backward; gates in saturation too."""
    rows, batch = sum(sizes), sizes[0]
    x, h, c, b = (values(s, dtype, k) for k, s in enumerate([(rows, 5), (batch, n), (batch, n), (4 * n,)]))
    x[0] *= 1000
    wi, wh, none = values((4 * n, 5), dtype, 4), values((4 * n, n), dtype, 5) / n, np.empty(0, dtype)
    rtol = 1e-4 if dtype == "float32" else 1e-11

    def run(backend):
        out = backend.lstm_scan(x, h, c, wi, wh, b, b, none, sizes, False)
        grads = backend.lstm_scan_backward(out[:3], (True,) * 8, x, h, c, wi, wh, b, b, none, *out[3:], sizes, False)
        ws = wi[: 3 * n], wh[: 3 * n], b[: 3 * n], b[: 3 * n]
        gru = backend.gru_scan(x, h, *ws, sizes, True)
        more = backend.gru_scan_backward(gru[:2], (True,) * 6, x, h, *ws, *gru[2:], sizes, True)
        return [a for a in (*out, *grads, *gru, *more) if a is not None and a.size]

    with np.errstate(all="ignore"):
        for ours, theirs in zip(run(NUMBA), run(NUMPY), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=rtol * max(1, np.abs(theirs).max()))


@pytest.mark.parametrize("special", [False, True])
@pytest.mark.parametrize("shape", [(), (1,), (7,), (64, 10), (5, 33, 17), (300, 300)])
@pytest.mark.parametrize("name", ["silu", "gelu", "gelu_tanh", "normal_cdf"])
def test_activations(mode, dtype, name, shape, special):
    for x in layouts(np.asarray(values(shape, dtype, special=special) * 4)):
        actual, expected = getattr(NUMBA, name)(x), getattr(NUMPY, name)(x)
        # gelu_tanh is another form of the same: NumPy's 1 + tanh loses digits where it is near 0
        rtol, atol = (2e-5, 2e-6) if dtype == "float32" else (1e-12, 1e-14)
        np.testing.assert_allclose(actual, expected, rtol, atol)


@pytest.mark.parametrize("name", ["silu", "gelu", "gelu_tanh", "normal_cdf"])
def test_activations_at_the_ends(mode, dtype, name):
    x = np.array([1e30, -1e30, 30, -30, 0.0, -0.0, 1e-30, 5, -5], dtype)
    actual, expected = getattr(NUMBA, name)(x), getattr(NUMPY, name)(x)
    np.testing.assert_allclose(actual, expected, 1e-5, 1e-6)
    np.testing.assert_array_equal(np.signbit(actual[4:6]), np.signbit(expected[4:6]))


NORMS = [((6, 40), (1,)), ((2, 3, 5000), (2,)), ((4, 3, 9), (1, 2)), ((700, 30), (1,)), ((4, 3, 10, 8), (0, 2, 3)),
         ((4, 3, 5), (0, 2)), ((8, 5), (0,)), ((3, 4), ()), ((0, 4), (1,)), ((5,), (0,)), ((2, 70000), (1,))]  # fmt: skip


@pytest.mark.parametrize("special", [False, True])
@pytest.mark.parametrize(("shape", "dims"), NORMS)
def test_norms(mode, dtype, shape, dims, special):
    """Forward and backward of layer, group, batch and RMS norm, for all layouts and with NaN and infinity."""
    rtol, atol = (2e-5, 2e-5) if dtype == "float32" else (1e-11, 1e-12)
    g = values(shape, dtype, seed=1)
    tail = tuple(shape[d] for d in dims)
    w, b = values(tail, dtype, seed=2), values(tail, dtype, seed=3)
    if dims != tuple(range(len(shape) - len(dims), len(shape))):
        w = b = values([1 if i in dims else n for i, n in enumerate(shape)], dtype, seed=2)
    for x in layouts(values(shape, dtype, special=special) * 2 + 3):
        for kernel, attrs in (("normalize", (x,)), ("normalize_affine", (x, w, b)), ("rms_normalize", (x,))):
            actual, expected = (getattr(B, kernel)(*attrs, dims, 1e-5) for B in (NUMBA, NUMPY))
            for a, e in zip(actual, expected, strict=True):
                assert a.shape == e.shape and a.dtype == e.dtype
                np.testing.assert_allclose(a, e, rtol, atol)
        y, _, var = NUMPY.normalize(x, dims, 1e-5)
        for kernel in ("normalize_backward", "rms_backward"):
            actual, expected = (getattr(B, kernel)(g, y, var, dims, 1e-5) for B in (NUMBA, NUMPY))
            np.testing.assert_allclose(actual, expected, rtol, atol)


@pytest.mark.parametrize("special", [False, True])
@pytest.mark.parametrize(
    "shape", [(4, 3, 10, 8), (2, 5, 4), (3, 2, 70, 70), (2, 3, 1, 17), (20, 40, 4, 4), (1, 1, 9000)]
)
def test_batch_norm(mode, dtype, shape, special):
    rtol, atol = (2e-5, 2e-5) if dtype == "float32" else (1e-11, 1e-12)
    dims, channels = (0, *range(2, len(shape))), (1, shape[1], *[1] * (len(shape) - 2))
    w, b, g = values(channels, dtype, seed=1), values(channels, dtype, seed=2), values(shape, dtype, seed=3)
    for x in layouts(values(shape, dtype, special=special) * 2 + 30):
        with np.errstate(all="ignore"):
            for a, e in zip(*(B.batch_normalize(x, w, b, dims, 1e-5) for B in (NUMBA, NUMPY)), strict=True):
                np.testing.assert_allclose(a, e, rtol, atol)
            mean, var = NUMPY.batch_normalize(x, w, b, dims, 1e-5)[1:]
            args = (g, x, w, mean, var, dims, 1e-5)
            flat = [B.batch_normalize(x, w.reshape(-1), b.reshape(-1), dims, 1e-5)[0] for B in (NUMBA, NUMPY)]
            np.testing.assert_allclose(*flat, rtol, atol)
            back = NUMBA.batch_normalize_backward(g, x, w.reshape(-1), mean, var, dims, 1e-5)
            assert back[1].shape == back[2].shape == (shape[1],)
            for a, e in zip(*(B.batch_normalize_backward(*args) for B in (NUMBA, NUMPY)), strict=True):
                assert a.shape == e.shape and a.dtype == e.dtype
                np.testing.assert_allclose(a, e, rtol, atol * max(1, g.size / shape[1] / 100))


def test_norm_with_a_weight_per_channel_as_long_as_a_row(mode, dtype):
    x, w = values((4, 3, 3), dtype), values((1, 3, 1), dtype, seed=1)
    for a, e in zip(*(B.normalize_affine(x, w, w, (2,), 1e-5) for B in (NUMBA, NUMPY)), strict=True):
        np.testing.assert_allclose(a, e, 2e-5, 2e-5)


@pytest.mark.parametrize("by_frequency", [False, True])
@pytest.mark.parametrize("skip", [-1, 2])
@pytest.mark.parametrize(
    ("shape", "tail"), [((6,), (4,)), ((3, 50), (130,)), ((0,), (4,)), ((), (3,)), ((700,), ()), ((5,), (2, 3))]
)
def test_embedding_sum(mode, dtype, shape, tail, skip, by_frequency):
    index = np.random.default_rng(0).integers(0, 5, shape)
    for x in layouts(values((*shape, *tail), dtype)):
        actual, expected = (B.embedding_sum(x, 7, index, skip, by_frequency) for B in (NUMBA, NUMPY))
        assert actual.shape == expected.shape and actual.dtype == expected.dtype
        np.testing.assert_allclose(actual, expected, 2e-5, 1e-5)


SCRIPT = """
import sys, time
import numpy as np
from numba import prange
from numba.core.caching import IndexDataCacheFile as File
from polytensor.backends.numba.threads import Kernel


def body(x, out):
    for i in prange(x.size):
        out[i] = x[i] + x.dtype.type(x.itemsize)


read = File._load_index
File._load_index = lambda self: (read(self), time.sleep(0.4))[0]  # so that all have read before any writes
kernel = Kernel(body)
for name in sys.argv[1:]:
    x = np.arange(5, dtype=name)
    out = np.empty_like(x)
    kernel(0.0, x, out)
    assert out.tolist() == [v + x.itemsize for v in range(5)], (name, out)
print(sum(kernel.serial.stats.cache_hits.values()))
"""


def test_processes_may_compile_at_the_same_time(tmp_path):
    """Each compiles the kernel for a dtype of its own into one new cache; another process then loads all of them."""
    import os
    import subprocess
    import sys

    script = tmp_path / "kernels.py"
    script.write_text(SCRIPT)
    names = ["float32", "float64", "int32", "int64"]
    env = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    runs = [
        subprocess.Popen([sys.executable, str(script), n], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for n in names
    ]
    for run in runs:
        _, error = run.communicate(timeout=300)
        assert run.returncode == 0, error.decode()
    last = subprocess.run([sys.executable, str(script), *names], env=env, capture_output=True, text=True, timeout=300)
    assert last.returncode == 0, last.stderr
    assert last.stdout.strip() == "4", "all four were in the cache"


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
        assert units(NUMPY.erf(x[tiny]), wide[tiny] * 1.1283791670955126) <= 2
        assert units(NUMPY.erf(x[~tiny]), np.array([math.erf(v) for v in wide[~tiny]])) <= 2
        for name in ("exp", "erf", "sigmoid"):
            special = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0], np.float32)
            want = {
                "exp": [np.nan, np.inf, 0, 1, 1],
                "erf": [np.nan, 1, -1, 0.0, -0.0],
                "sigmoid": [np.nan, 1, 0, 0.5, 0.5],
            }
            np.testing.assert_array_equal(getattr(NUMBA, name)(special), np.array(want[name], np.float32))
