"""NumPy's loops over pieces of large arrays: the bits of NumPy's own ufuncs, whatever the size, layout and threads."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from importlib import import_module

import numpy as np
import pytest

import polytensor as torch

pytest.importorskip("numba")
from polytensor.backends.numba import NumbaBackend

SPREAD = import_module("polytensor.backends.numba.spread")
THREADS = import_module("polytensor.backends.numba.threads")
MADE = SPREAD.spread()
pytestmark = pytest.mark.skipif(not MADE, reason="Numba's threads are not OpenMP's, or NumPy's layout is not known")
CHUNK = SPREAD.CHUNK
ODD = (0.0, -0.0, np.inf, -np.inf, np.nan, 1e-40, -1e-40, 1e-310, 3e38, 88.8, -104.0)


@pytest.fixture(params=["serial", 2, 3, 4])
def cores(request):
    """Loops of every size in one form, on so many threads."""
    before = SPREAD.WORK, THREADS.get_num_threads()
    SPREAD.set_work(np.inf if request.param == "serial" else 0)
    n = 1 if request.param == "serial" else min(request.param, THREADS.numba.config.NUMBA_NUM_THREADS)
    THREADS.set_num_threads(n)
    yield n
    SPREAD.set_work(before[0])
    THREADS.set_num_threads(before[1])


def numbers(n, dtype, seed=0):
    x = np.random.default_rng(seed).standard_normal(n).astype(np.float64) * 3
    x[: min(n, len(ODD))] = ODD[:n]
    with np.errstate(all="ignore"):
        return np.roll(x, 3).astype(dtype)


def bits(x):
    return np.ascontiguousarray(x).view(f"u{min(x.itemsize, 8)}")


def check(name, *args, **kwargs):
    """Ours and NumPy's, bit for bit."""
    with np.errstate(all="ignore"):
        want = getattr(np, SPREAD.UFUNCS[name])(*args, **{k: v.copy() for k, v in kwargs.items()})
        got = MADE[name](*args, **{k: v.copy() for k, v in kwargs.items()})
    assert got.dtype == want.dtype and got.shape == want.shape
    np.testing.assert_array_equal(bits(got), bits(want))


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("name", sorted(SPREAD.COST))
def test_bits_are_numpys(cores, name, dtype):
    for n in (0, 1, 5, CHUNK - 1, CHUNK, 3 * CHUNK + 7):
        args = [numbers(n, dtype, k) for k in range(MADE[name].nin)]
        check(name, *args)


@pytest.mark.parametrize("name", ["add", "div", "exp", "tanh"])
def test_every_layout(cores, name):
    x = numbers(6 * CHUNK, "f4")
    others = [numbers(6 * CHUNK, "f4", 1)] * (MADE[name].nin - 1)
    check(name, x[::2], *[y[1::2] for y in others])
    check(name, x[::-1], *others)
    check(name, x.reshape(6, -1).T, *[y.reshape(6, -1).T for y in others])
    check(name, x.reshape(-1, 6)[:, :4], *[y.reshape(-1, 6)[:, 2:] for y in others])
    if others:
        check(name, x.reshape(4, -1), others[0][: len(x) // 4])  # broadcast
        check(name, x, np.float32(3))
        check(name, np.array(3, "f4"), x)
        check(name, x, 2.5)


def test_in_place_and_overlapping(cores):
    x, y = numbers(4 * CHUNK + 3, "f4"), numbers(4 * CHUNK + 3, "f4", 1)
    for ours, numpys in ((MADE["add"], np.add), (MADE["exp"], np.exp)):
        for to, source in ((slice(None), slice(None)), (slice(1, None), slice(-1)), (slice(-1), slice(1, None))):
            results = []
            for f in (ours, numpys):
                z = x.copy()
                with np.errstate(all="ignore"):
                    f(z[source], *[y[source]] * (f.nin - 1), out=z[to])
                results.append(z)
            np.testing.assert_array_equal(bits(results[0]), bits(results[1]))


def test_other_dtypes(cores):
    for dtype in ("i1", "u2", "i4", "i8", "F", "D", "e"):
        x = np.arange(1, 2 * CHUNK).astype(dtype)
        check("add", x, x)
        check("mul", x, 3)
        check("neg", x)
    check("add", np.ones(5, bool), np.ones(5, bool))
    if torch.bfloat16.array is not None:
        x = np.arange(1, 100).astype(torch.bfloat16.array)
        for name in SPREAD.COST:
            check(name, *[x] * MADE[name].nin)


def test_a_busy_budget_means_serial(cores):
    x = numbers(3 * CHUNK, "f4")
    for word in (THREADS.BUSY, THREADS.KERNEL):
        THREADS.words[word] = 1
        check("exp", x)
        THREADS.words[word] = 0
    check("exp", x)
    assert THREADS.words[THREADS.BUSY] == 0


def test_two_threads_at_a_time(cores):
    x = [numbers(8 * CHUNK, "f4", k) for k in range(3)]
    with np.errstate(all="ignore"):
        want = [np.exp(v) for v in x]
    wrong = []

    def work(k):
        with np.errstate(all="ignore"):
            for _ in range(30):
                if not np.array_equal(bits(MADE["exp"](x[k])), bits(want[k])):
                    wrong.append(k)

    workers = [threading.Thread(target=work, args=(k,)) for k in range(3)]
    for w in workers:
        w.start()
    for w in workers:
        w.join()
    assert not wrong and THREADS.words[THREADS.BUSY] == 0


FORK = """
import os, numpy as np
from polytensor.backends.numba import NumbaBackend
b = NumbaBackend()
b._spread.set_work(0)
x = np.ones(300000, "f")
b.exp(x)
pid = os.fork()
if pid == 0:
    b.exp(x)
    os._exit(b._threads.words[b._threads.THREADS] - 1)
raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_runs_serial():
    subprocess.run([sys.executable, "-W", "ignore", "-c", FORK], check=True, timeout=120)


LATE = """
import os, sys
import numpy as np
from polytensor.backends.numba import NumbaBackend

class Late:
    def __init__(self):
        self.add, self.a, self.b, self.write = NumbaBackend().add, np.ones(4, "f"), np.ones(1 << 20, "f"), os.write
    def __del__(self):
        small, large = self.add(self.a, self.a), self.add(self.b, self.b)
        self.write(1, b"done" if small.tolist() == [2] * 4 and large[-1] == 2 else b"wrong")

sys.late = Late()
"""


def test_called_when_the_modules_are_gone():
    command = [sys.executable, "-W", "ignore", "-c", LATE]
    assert subprocess.run(command, check=True, timeout=120, stdout=subprocess.PIPE).stdout == b"done"


def test_the_backend_has_them():
    backend = NumbaBackend()
    assert all(getattr(backend, {"pow": "power"}.get(name, name)) is ufunc for name, ufunc in MADE.items())


def test_an_unknown_layout_means_numpys(monkeypatch):
    made = dict(MADE)
    monkeypatch.setattr(SPREAD, "_made", {})
    monkeypatch.setattr(SPREAD._UFunc, "ntypes", 0)
    assert SPREAD.spread() == {} and NumbaBackend().add is np.add
    monkeypatch.setattr(SPREAD.numba.config, "THREADING_LAYER", "workqueue")
    assert SPREAD.spread() == {}
    monkeypatch.undo()
    assert SPREAD.spread() == made
