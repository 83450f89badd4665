"""Optimizer steps over many arrays in one call, against the base backend's rules array by array."""

import numpy as np
import pytest

from polytensor.backends.numpy import NumpyBackend

pytest.importorskip("numba")
from polytensor.backends.numba import NumbaBackend

NUMPY = NumpyBackend()
NUMBA = NumbaBackend()
THREADS, MANY = NUMBA._threads, NUMBA._many
SIZES = [(), (1,), (0,), (7, 3), (4096,), (4097,), (100, 201), (3, 0), (5,)]


@pytest.fixture(params=["serial", "parallel"], autouse=True)
def mode(request, monkeypatch):
    monkeypatch.setattr(THREADS, "PARALLEL_NS", np.inf if request.param == "serial" else 0)
    monkeypatch.setattr(THREADS, "_budget", 1 if request.param == "serial" else 2)


def arrays(dtype, seed, positive=False):
    rng = np.random.default_rng(seed)
    made = [np.asarray(rng.standard_normal(s)).astype(dtype) for s in SIZES]
    made += [
        np.asarray(rng.standard_normal((30, 40))).astype(dtype)[:, ::2],
        np.asfortranarray(rng.standard_normal((8, 9)).astype(dtype)),
    ]
    return [np.abs(a, out=a.copy(order="K")) for a in made] if positive else made


def check(step, lists, *attrs):
    """The same step on copies, by NumPy and by Numba; all lists are compared."""
    ours = [[np.array(a, copy=True, order="K") for a in part] for part in lists]
    theirs = [[np.array(a, copy=True, order="K") for a in part] for part in lists]
    getattr(NUMBA, step)(*ours, *attrs)
    getattr(NUMPY, step)(*theirs, *attrs)
    for a, b in zip(sum(ours, []), sum(theirs, []), strict=True):
        rtol = 2e-6 if a.dtype == np.float32 else 1e-14
        np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol)
        assert a.dtype == b.dtype


def test_the_layout_of_lists_and_arrays_is_known():
    assert MANY.known()


@pytest.mark.parametrize("name", ["TYPE", "ITEMS", "DATA", "RANK", "LENGTHS", "KIND", "FLAGS"])
def test_another_layout_is_noticed(monkeypatch, name):
    """Each place but its own: nothing is read through a pointer that is none."""
    places = ("TYPE", "ITEMS", "DATA", "RANK", "LENGTHS", "KIND", "FLAGS")
    for other in places:
        if getattr(MANY, other) != getattr(MANY, name):
            monkeypatch.setattr(MANY, name, getattr(MANY, other))
            assert not MANY.known.__wrapped__()
            monkeypatch.undo()


def test_what_shares_memory_is_updated_in_turn():
    base = np.zeros(10000, np.float32)
    params, grads = [base[:6000], base[4000:], base[:6000]], [np.full(6000, k, np.float32) for k in (1, 2, 4)]
    NUMBA.sgd_step(params, grads, None, 1.0, 0, 0, 0, False, False, False)
    assert base[0] == -5 and base[5000] == -7 and base[9999] == -2
    tuples = tuple(np.zeros(3, np.float32) for _ in range(2))
    NUMBA.sgd_step(tuples, tuple(np.ones(3, np.float32) for _ in range(2)), None, 1.0, 0, 0, 0, False, False, False)
    assert all((x == -1).all() for x in tuples)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("decay", [0, 0.1])
@pytest.mark.parametrize("maximize", [False, True])
def test_sgd(dtype, decay, maximize):
    p, g, buf = (arrays(dtype, seed) for seed in range(3))
    check("sgd_step", [p, g], None, 0.1, 0, 0, decay, False, maximize, False)
    for nesterov, first in ((False, False), (True, False), (False, True)):
        check("sgd_step", [p, g, buf], 0.1, 0.9, 0 if nesterov else 0.3, decay, nesterov, maximize, first)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("decoupled", [False, True])
@pytest.mark.parametrize("decay", [0, 0.1])
def test_adam(dtype, decoupled, decay):
    p, g, m = (arrays(dtype, seed) for seed in range(3))
    v, top = (arrays(dtype, seed, True) for seed in (3, 4))
    attrs = (7, 0.01, 0.9, 0.999, 1e-8, decay, decoupled, decoupled)
    check("adam_step", [p, g, m, v, top], *attrs)
    ours, theirs = ([[a.copy() for a in part] for part in (p, g, m, v)] for _ in range(2))
    NUMBA.adam_step(*ours, None, *attrs)
    NUMPY.adam_step(*theirs, None, *attrs)
    for a, b in zip(sum(ours, []), sum(theirs, []), strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-6, atol=2e-6)


def test_arrays_of_other_kinds_are_left_to_numpy():
    """A dtype of its own, a stride, a size that differs or a lock: none of them reaches a kernel."""
    p = [np.ones(300, "f4"), np.ones(300), np.ones(600, "f4")[::2], np.ones(300, "f4"), np.ones(300, "f2")]
    g = [np.ones(300, "f4"), np.ones(300), np.ones(300, "f4"), np.ones((), "f4"), np.ones(300, "f2")]
    left = MANY.sgd(p, g, None, 0.5, 0, 0, 0, False, False, False)
    assert left == [1, 2, 3, 4]
    assert (p[0] == 0.5).all()
    assert all((x == 1).all() for x in p[1:])
    NUMBA.sgd_step(p, g, None, 0.5, 0, 0, 0, False, False, False)
    assert (p[0] == 0).all()
    assert all((x == 0.5).all() for x in p[1:])
    assert MANY.sgd([np.float32(1), p[0]], [g[0], g[0]], None, 0, 0, 0, 0, False, False, False) == [0]
    p[0].flags.writeable = False
    assert MANY.sgd(p[:1], g[:1], None, 0.5, 0, 0, 0, False, False, False) == [0]


def test_an_unknown_layout_leaves_all(monkeypatch):
    monkeypatch.setattr(MANY, "known", lambda: False)
    p, g = [np.ones(5, "f4"), np.ones(5, "f4")], [np.ones(5, "f4")] * 2
    NUMBA.sgd_step(p, g, None, 0.5, 0, 0, 0, False, False, False)
    assert all((x == 0.5).all() for x in p)


def test_not_a_number_stays_where_it_is():
    p, g = [np.ones(5000, "f4") for _ in range(3)], [np.ones(5000, "f4") for _ in range(3)]
    g[1][7], p[2][9] = np.nan, np.inf
    NUMBA.sgd_step(p, g, None, 0.5, 0, 0, 0, False, False, False)
    assert np.flatnonzero(np.isnan(p[1])).tolist() == [7]
    assert np.flatnonzero(np.isinf(p[2])).tolist() == [9]
    assert (p[0] == 0.5).all()
