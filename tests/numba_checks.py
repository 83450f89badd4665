"""What the tests of the Numba backend's kernels share: the two backends, both forms of each kernel, arrays and comparison."""

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
