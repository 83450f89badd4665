"""Kernels of the Numba backend beside pages that cannot be read or written: no vector may reach past an array's end or before it.

Whole vectors are loaded and stored by hand in places, with masks for what is left over. Each array here ends where a page
begins, or begins where one ends, whose access kills the process; so the cases run in a process of its own, in a fixed order.
"""

import ctypes
import mmap
import os
import subprocess
import sys
import types
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

CASES, SEED = 100, 1
MODULES = (
    "attention batchnorm conv copies directly gelu large norms pointwise pool products random recurrent reduce scan softmax sort "
    "tables winograd"
).split()
CHANNELS = [(1, 1), (2, 3), (3, 8), (5, 17), (16, 16), (16, 1), (33, 20)]  # of a group, and its outputs
EDGES = [4, 5, 16, 17, 31, 32, 33, 63, 64, 65, 100, 127, 129, 255, 257, 300]  # of matrices


class Guard:
    """Arrays in memory of their own, between two pages without access."""

    def __init__(self):
        self.at_end = True
        self.held = []
        self.protect = ctypes.CDLL(None, use_errno=True).mprotect
        self.protect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)

    def empty(self, shape, dtype=np.float64):
        shape = (shape,) if isinstance(shape, int | np.integer) else tuple(shape)
        dtype, page = np.dtype(dtype), mmap.PAGESIZE
        size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        room = max(1, -(-size // page)) * page
        memory = mmap.mmap(-1, room + 2 * page)
        start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
        for border in (start, start + page + room):
            assert self.protect(border, page, 0) == 0
        self.held.append(memory)
        at = page + (room - size if self.at_end else 0)
        return np.frombuffer(memory, dtype, size // dtype.itemsize, at).reshape(shape)

    def zeros(self, shape, dtype=np.float64):
        return self.copy(np.zeros(shape, dtype))

    def empty_like(self, x):
        return self.empty(x.shape, x.dtype)

    def copy(self, x):
        y = self.empty(x.shape, x.dtype)
        y[...] = x
        return y


class Checks:
    """Random cases; the Numba backend's results against NumPy's."""

    def __init__(self, guard, seed):
        from polytensor.backends.numba import NumbaBackend
        from polytensor.backends.numpy import NumpyBackend

        self.guard, self.random = guard, np.random.default_rng(seed)
        self.numba, self.numpy = NumbaBackend(), NumpyBackend()
        self.dtype = np.float32

    def pick(self, values, count=None):
        found = self.random.choice(values, count)
        return int(found) if count is None else tuple(int(v) for v in found)

    def values(self, *shape):
        return self.guard.copy(self.random.standard_normal(shape).astype(self.dtype))

    def same(self, found, expected, scale=1.0):
        rtol = 2e-3 if self.dtype is np.float32 else 1e-9
        np.testing.assert_allclose(found, expected, rtol, rtol * scale)

    def convolution(self):
        if self.random.random() < 0.4:  # what Winograd's takes
            groups, ins, outs = 1, self.pick([16, 32, 33]), self.pick([16, 32, 47])
            kernel, stride, dilation, padding = (self.pick([3, 5]),) * 2, (1, 1), (1, 1), self.pick([0, 1, 2], 2)
        else:
            groups = self.pick([1, 1, 2, 4])
            ins, outs = CHANNELS[self.pick(len(CHANNELS))]
            kernel, stride, dilation = self.pick([1, 2, 3, 5], 2), self.pick([1, 1, 2, 3], 2), self.pick([1, 1, 2], 2)
            padding = self.pick([0, 1, 2], 2)
        size = [
            d * (k - 1) + int(self.random.integers(1, n)) for k, d, n in zip(kernel, dilation, (9, 40), strict=True)
        ]
        x, w = self.values(self.pick([1, 2, 3]), groups * ins, *size), self.values(groups * outs, ins, *kernel)
        b, attrs = self.values(groups * outs), (stride, padding, dilation, groups)
        y = self.numpy.conv2d(x, w, b, *attrs)
        self.same(self.numba.conv2d(x, w, b, *attrs), y, 10)
        g = self.values(*y.shape)
        self.same(*(B.conv2d_grad_input(g, w, x.shape, *attrs) for B in (self.numba, self.numpy)), 10)
        self.same(*(B.conv2d_grad_weight(g, x, w.shape, *attrs) for B in (self.numba, self.numpy)), 60)

    def product(self):
        from polytensor.backends.numba.products import gemm

        m, k, n = self.pick(EDGES, 3)
        x, w, b = self.values(m, k), self.values(n, k), self.values(n)
        expected = x @ w.T
        turned = [self.guard.copy(np.ascontiguousarray(v.T)) for v in (x, w)]
        self.same(self.numba.linear(x, w, b), expected + b, 30)
        self.same(gemm(x, w.T, b), expected + b, 30)
        self.same(gemm(x, turned[1], b[:0]), expected, 30)
        self.same(gemm(turned[0].T, turned[1], b), expected + b, 30)

    def pool(self):
        x = self.values(*self.pick(range(1, 9), 2), *self.pick([2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33], 2))
        attrs = ((2, 2), (2, 2), (0, 0), (1, 1), self.random.random() < 0.5)
        (y, index), (expected, at) = (B.max_pool2d(x, *attrs) for B in (self.numba, self.numpy))
        self.same(y, expected)
        np.testing.assert_array_equal(index, at)
        index = self.guard.copy(at)
        self.same(*(B.max_pool2d_grad(self.guard.copy(expected), index, x.shape) for B in (self.numba, self.numpy)))

    def elements(self):
        x = self.values(*self.pick(range(1, 9), 2), *self.pick([1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33], 2))
        for run in (
            lambda B: B.sum(x, (3,), False), lambda B: B.sum(x, (0, 2), False), lambda B: B.amax(x, (1,), False),
            lambda B: B.softmax(x, 3), lambda B: B.cumsum(x, 3), lambda B: B.argsort(x, 3, False), lambda B: B.gelu(x),
            lambda B: B.sigmoid(x), lambda B: B.where(x > 0, x, x * 2), lambda B: B.normalize(x, (3,), 1e-5)[0],
            lambda B: B.contiguous(x.transpose(0, 2, 3, 1)), lambda B: B.contiguous(x.reshape(-1, x.shape[3]).T),
        ):  # fmt: skip
            self.same(run(self.numba), run(self.numpy), 10)

    def run(self, count):
        kinds = (self.convolution, self.product, self.convolution, self.pool, self.elements)
        for i in range(count):
            self.dtype = (np.float32, np.float32, np.float64)[self.pick(3)]
            self.guard.at_end = self.random.random() < 0.7
            kind = kinds[i % len(kinds)]
            print(
                i, kind.__name__, self.dtype.__name__, file=sys.stderr, flush=True
            )  # the last is what a crash stopped
            kind()
            self.guard.held.clear()


def main():
    """All kernels take all sizes. First the inputs lie between the pages, then what the backend makes for itself, too."""
    sys.path.insert(0, str(Path(__file__).parent))
    from conftest import THRESHOLDS

    modules = {name: import_module(f"polytensor.backends.numba.{name}") for name in {*MODULES, *THRESHOLDS}}
    for name, values in THRESHOLDS.items():
        for threshold, value in values.items():
            setattr(modules[name], threshold, value)
    modules["winograd"].WINS = np.inf
    guard = Guard()
    Checks(guard, SEED).run(CASES)
    here = types.ModuleType("numpy")
    here.__dict__.update({k: getattr(np, k) for k in dir(np)})
    here.empty, here.zeros, here.empty_like = guard.empty, guard.zeros, guard.empty_like
    for module in modules.values():
        if hasattr(module, "np"):
            module.np = here
    Checks(guard, SEED).run(CASES)  # the same: all kernels are compiled by now, and with NumPy's own functions


@pytest.mark.skipif(sys.platform != "linux", reason="needs mprotect")
def test_no_kernel_leaves_its_arrays():
    pytest.importorskip("numba")
    env = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}  # small products: more threads only wait
    done = subprocess.run([sys.executable, __file__], env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stderr.count("\n") >= 2 * CASES


@pytest.mark.skipif(sys.platform != "linux", reason="needs mprotect")
@pytest.mark.parametrize("at_end", [True, False])
def test_the_pages_are_there(at_end):
    code = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\nfrom test_numba_guard_pages import Guard\n"
    code += f"g = Guard(); g.at_end = {at_end}; x = g.empty(4096 if {at_end} else 1)\n"
    code += "import ctypes; at = x.ctypes.data + (x.nbytes if g.at_end else -8); print('alive', flush=True)\n"
    code += "ctypes.c_double.from_address(at).value"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout == "alive\n" and done.returncode < 0


if __name__ == "__main__":
    main()
