"""The Numba kernels for large arrays against NumPy's, serial and parallel; their bits do not depend on threads."""

import numpy as np
import pytest

from polytensor.backends.numpy import NumpyBackend

pytest.importorskip("numba")
from polytensor.backends.numba import NumbaBackend, large

NUMPY = NumpyBackend()
NUMBA = NumbaBackend()
THREADS = NUMBA._threads


@pytest.fixture(params=["serial", "parallel"], autouse=True)
def mode(request, monkeypatch):
    """Every kernel in its serial, then in its parallel form, also for small arrays."""
    monkeypatch.setattr(THREADS, "PARALLEL_NS", np.inf if request.param == "serial" else 0)
    if request.param == "parallel":
        monkeypatch.setattr(THREADS, "_budget", min(2, THREADS.numba.config.NUMBA_NUM_THREADS))
    monkeypatch.setattr(large, "LEAST", 1)
    monkeypatch.setattr(large, "MANY", 1)
    monkeypatch.setattr(large, "FEWEST", 1)
    return request.param


def forms(x):
    """x contiguous, with steps, transposed in memory, and read-only."""
    locked = x.copy()
    locked.flags.writeable = False
    return [x, np.repeat(x, 2, -1)[..., ::2], np.asfortranarray(x), locked]


def draw(shape, dtype, seed=0):
    x = np.random.default_rng(seed).standard_normal(shape) * 3
    return x.astype(dtype) if np.dtype(dtype).kind == "f" else (x * 1000).astype(dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int64"])
@pytest.mark.parametrize("shape", [(300,), (3, 5001), (40, 7, 257), (70000,)])
def test_order_is_stable(dtype, shape):
    x = draw(shape, dtype)
    ties = np.round(x)
    if x.dtype.kind == "f":
        ties[..., [1, 5, 9, 11, 20]] = [np.nan, -np.nan, np.inf, -np.inf, np.nan]
        ties[..., [2, 7, 30]] = [-0.0, 0.0, -0.0]
    for y in (x, ties, np.zeros_like(x), np.sort(x)[..., ::-1]):
        for form in forms(y):
            for descending in (False, True):
                found = NUMBA.argsort(form, form.ndim - 1, descending)
                np.testing.assert_array_equal(found, NUMPY.argsort(form, form.ndim - 1, descending))
                assert found.dtype == np.int64
                assert found.flags.c_contiguous
    if x.ndim == 2:
        np.testing.assert_array_equal(NUMBA.argsort(x.T, 0, True), NUMPY.argsort(x.T, 0, True))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(2049,), (131, 33), (9, 1024), (3, 40001), (200000,)])
def test_running_sums(dtype, shape):
    x = draw(shape, dtype)
    exact = np.cumsum(x, -1, dtype=np.longdouble)
    for form in forms(x):
        found = NUMBA.cumsum(form, form.ndim - 1)
        assert found.dtype == x.dtype
        np.testing.assert_allclose(found, exact.astype(dtype), rtol=2**-23 if dtype == "float32" else 1e-12, atol=1e-10)
    rising = NUMBA.cumsum(abs(x), x.ndim - 1)
    assert (np.diff(rising) >= 0).all()
    x[..., 1000 % shape[-1]] = np.inf
    x[..., -9] = -np.inf
    with np.errstate(all="ignore"):
        found, expected = NUMBA.cumsum(x, x.ndim - 1), np.cumsum(x, -1, dtype="f8").astype(dtype)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))
    np.testing.assert_array_equal(np.isinf(found), np.isinf(expected))


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
def test_running_extremes(dtype):
    """Values, and of equal ones the last place; NaN stays once it came."""
    for shape in ((5000,), (60, 90), (7, 30, 40)):
        x = (4 * draw(shape, "float64")).round().astype(dtype)
        if dtype != "int64":
            x.reshape(-1)[[40, 777, 801]] = np.nan, -np.inf, np.nan
        for form in forms(x):
            for dim in range(x.ndim):
                for name in ("cummax", "cummin"):
                    found, expected = getattr(NUMBA, name)(form, dim), getattr(NUMPY, name)(form, dim)
                    for a, b in zip(found, expected, strict=True):
                        assert a.dtype == b.dtype and a.flags.c_contiguous
                        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int64", "complex64"])
def test_transposed_copies(dtype):
    x = draw((24, 30, 70), "float64").astype(dtype)
    views = [
        x[0].T,
        x.swapaxes(1, 2),
        x.transpose(2, 0, 1),
        x.transpose(1, 2, 0),
        x.transpose(2, 1, 0),
        x[:, ::2].swapaxes(1, 2),
    ]
    views += [
        x[:, :16, :32].swapaxes(1, 2),
        x[::-1].swapaxes(1, 2),
        x[3, :, 5:60].T,
        x.reshape(24, 30, 7, 10).transpose(0, 2, 3, 1),
    ]
    for view in views:
        for found in (NUMBA.contiguous(view), NUMBA.copy(view), NUMBA.clone(view, None)):
            np.testing.assert_array_equal(found, view)
            assert found.flags.c_contiguous
            assert not np.shares_memory(found, x)
    assert NUMBA._copies.turned(x.swapaxes(1, 2)) is not None
    assert NUMBA._copies.turned(x.reshape(24, 30, 7, 10).transpose(0, 2, 3, 1)) is not None


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
def test_choices(dtype):
    a, b = draw((37, 1001), dtype), draw((37, 1001), dtype, 1)
    mask = a > 1
    one = a[:1, :1].copy()
    cases = [
        (mask, a, b),
        (mask, one, b),
        (mask, a, one),
        (mask, one[0, 0][...], b),
        (mask.T, a.T, b.T),
        (mask[:, :1], a, b),
    ]
    cases += [(mask, a[:1], b), (mask[0], a, b), (mask, one, one), (mask[None], a, b), (mask, a[None], b[:, :1])]
    cases += [
        (np.broadcast_to(mask, (3, *mask.shape)), a, one),
        (mask[:, ::2], a[:, ::2], b[:, 500:]),
        (mask, a, one[None, None]),
    ]
    cases += [
        (mask[:0], a[:0], b[:0]),
        (mask[:1, :1], a[:0], b[:1]),
        (mask[:, :, None], a[0, 0][...], b[0, 0].reshape(1, 1, 1)),
    ]
    for m, x, y in cases:
        found = NUMBA.where(m, x, y)
        np.testing.assert_array_equal(found, np.where(m, x, y))
        assert found.dtype == a.dtype
    assert NUMBA.where(mask, a, 0.5).tobytes() == np.where(mask, a, 0.5).tobytes()
    assert NUMBA.where(mask, 1, b[0, 0]).tobytes() == np.where(mask, 1, b[0, 0]).tobytes()
    a[0, 0], mask[0, 0] = (-0.0 if a.dtype.kind == "f" else 0), True
    assert NUMBA.where(mask, a, b).tobytes() == np.where(mask, a, b).tobytes()


def test_choices_between_an_array_and_a_number():
    x = draw((300,), "float32")
    for a, b in ((x, 2.0), (2.0, x), (1.0, 2.0)):
        np.testing.assert_array_equal(NUMBA.where(x > 0, a, b), np.where(x > 0, a, b))


def test_rows_of_a_table(monkeypatch):
    x = draw((50, 4, 16), "float32")
    for index in (np.arange(50)[::-1].copy(), np.array([[0, -1], [-50, 49]]), np.array([], np.int64)):
        np.testing.assert_array_equal(NUMBA.index(x, (index,)), x[index])
    for bad in (50, -51):
        with pytest.raises(IndexError):
            NUMBA.index(x, (np.array([0, bad]),))


@pytest.mark.parametrize("seed", [0, 5, 2**64 - 1, 2**100 + 7])
@pytest.mark.parametrize("counter", [0, 1, 2**64 - 3, 2**128 - 5, 2**192 - 2])
def test_random_words_are_philox(seed, counter):
    np.testing.assert_array_equal(NUMBA.random_words(seed, counter, 2500), NUMPY.random_words(seed, counter, 2500))


@pytest.mark.parametrize("n", [4096, 8191, 100003])
def test_normal_numbers(n):
    words = NUMPY.random_words(3, 11, (n + 8) // 8).view(np.uint32)[: n + n % 2].reshape(-1, 2) >> 8
    u = words * 2.0**-24
    radius = np.sqrt(-2 * np.log(u[:, 0] + 2.0**-24))
    angle = (u[:, 1].astype(np.float32) * np.float32(6.283185307179586)).astype(float)
    exact = np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1).reshape(-1)[:n]
    single = np.dtype("float32")
    found = NUMBA.normal(3, 11, (n,), single)
    np.testing.assert_allclose(found, exact, rtol=3e-7, atol=5e-7)
    np.testing.assert_allclose(NUMPY.normal(3, 11, (n,), single), exact, rtol=3e-7, atol=5e-7)
    np.testing.assert_allclose(NUMBA.normal(3, 11, (n,), single, 2.0, 0.5), exact / 2 + 2, rtol=3e-7, atol=5e-7)
    np.testing.assert_array_equal(found, NUMBA.normal(3, 11, (1, n), single)[0])


def test_logarithm_and_angles_over_their_range():
    from polytensor.backends.numba.random import log_unit, sine_cosine

    u = (np.arange(1, 2**24 + 1, 37) * 2.0**-24).astype(np.float32)
    logs = np.array([log_unit(x) for x in u[:: len(u) // 3000]])
    exact = np.log(u[:: len(u) // 3000].astype(float))
    assert (abs(logs - exact) <= np.spacing(abs(exact).astype(np.float32))).all()
    angles = np.linspace(0, 2 * np.pi, 5001).astype(np.float32)
    found = np.array([sine_cosine(x) for x in angles])
    wide = angles.astype(float)
    np.testing.assert_allclose(found, np.stack([np.sin(wide), np.cos(wide)], 1), rtol=0, atol=1.2e-7)


def test_threads_do_not_change_bits(monkeypatch, mode):
    if mode == "serial":
        pytest.skip("compares the two forms")
    x = draw((300, 777), "float32")
    runs = []
    for limit in (0, np.inf):
        monkeypatch.setattr(THREADS, "PARALLEL_NS", limit)
        flat = x.reshape(-1)
        runs.append(
            [NUMBA.cumsum(x, 1), NUMBA.cumsum(flat, 0), NUMBA.argsort(flat, 0, False), NUMBA.contiguous(x.T)]
            + [
                NUMBA.normal(1, 0, (70000,), np.dtype("float32")),
                NUMBA.random_words(1, 0, 9000),
                NUMBA.where(x > 0, x, -x),
            ]
        )
    for a, b in zip(*runs):
        assert a.tobytes() == b.tobytes()


def test_kernels_without_a_module_may_compile():
    """Numba tells of every compilation in the process, also of functions made by exec(), which have no module."""
    import numba

    names = {}
    exec("def f(x):\n    return x + 1", names)
    names["f"].__module__ = None
    before = NUMBA.compile_seconds
    assert numba.njit(names["f"])(1) == 2
    assert NUMBA.compile_seconds == before


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_sigmoid_of_few_elements_over_its_whole_range(dtype):
    top = 120 if dtype == "float32" else 800
    x = np.concatenate([np.linspace(-top, top, 30000), [np.inf, -np.inf, np.nan, 0.0, -0.0]]).astype(dtype)
    with np.errstate(all="ignore"):
        found = np.concatenate([NUMBA.sigmoid(part) for part in np.array_split(x, 600)])
        exact = (1 / (1 + np.exp(-x.astype(np.longdouble)))).astype(dtype)
    info = np.finfo(dtype)
    np.testing.assert_allclose(found, exact, rtol=4 * info.eps, atol=info.tiny)
