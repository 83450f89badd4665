"""CupyBackend's pools, maps along an axis and sums of rows, its kernels run on the CPU, against NumPy's backend."""

import numpy as np
import pytest

import polytensor as pt
from polytensor import devices
from polytensor.backends.cupy import launch
from polytensor.backends.resample import adaptive_plan, average_plan, cubic_plan, dilated_plan

pytest.importorskip("cupy")
cuda_emulator = pytest.importorskip("cuda_emulator")
pytestmark = pytest.mark.skipif(cuda_emulator.COMPILER is None, reason="there is no g++ to run CUDA kernels on the CPU")
HOST = devices.get_backend("numpy")
FLOATS = ("float32", "float64", "float16", "bfloat16")


@pytest.fixture(scope="module")
def gpu():
    from cupy_twin import TwinBackend

    return TwinBackend()


@pytest.fixture
def deterministic():
    pt.use_deterministic_algorithms(True)
    yield
    pt.use_deterministic_algorithms(False)


def dtype_of(name):
    return getattr(pt, name).array


def numbers(shape, dtype, seed=0):
    x = np.random.default_rng(seed).standard_normal(shape) * 8
    return x.astype(dtype_of(dtype))


def same(actual, expected, tolerance=None):
    actual = np.asarray(actual)
    assert actual.dtype == expected.dtype
    assert actual.shape == expected.shape
    if tolerance is None:
        tolerance = {"float32": 2e-6, "float64": 1e-14, "float16": 1e-3, "bfloat16": 8e-3}.get(str(expected.dtype), 0)
    wide = expected.dtype if expected.dtype.kind in "ciub" else np.float64
    np.testing.assert_allclose(actual.astype(wide), expected.astype(wide), rtol=tolerance, atol=8 * tolerance)


def both(gpu, name, *args):
    """A kernel of the backend on both sides."""
    there = [gpu.from_numpy(a) if isinstance(a, np.ndarray) else a for a in args]
    return getattr(gpu, name)(*there), getattr(HOST, name)(*args)


# ---- pools -------------------------------------------------------------------------------------------------------------
WINDOWS = [
    ((2, 2), (2, 2), (0, 0), (1, 1), False), ((3, 3), (2, 2), (1, 1), (1, 1), False), ((3, 2), (1, 3), (1, 1), (2, 1), True),
    ((4, 5), (2, 2), (2, 2), (1, 1), True), ((1, 1), (3, 3), (0, 0), (1, 1), False), ((2, 2), (3, 3), (0, 0), (3, 3), True),
]  # fmt: skip


@pytest.mark.parametrize("dtype", [*FLOATS, "int32", "int64"])
@pytest.mark.parametrize("window", WINDOWS)
def test_max_pool2d(gpu, dtype, window):
    x = np.round(numbers((2, 3, 9, 11), dtype).astype(np.float64) / 4).astype(dtype_of(dtype))  # with ties
    if dtype in FLOATS:
        x[0, 0, 2:5, 3:6], x[1, 2, 4, 4], x[1, 1] = np.nan, np.inf, -np.inf
    (y, index), (y_, index_) = both(gpu, "max_pool2d", x, *window)
    same(y, y_, 0)
    same(index, index_)
    g = numbers(y_.shape, dtype, 1)
    same(gpu.max_pool2d_grad(gpu.from_numpy(g), index, x.shape, window[:4]),
         HOST.max_pool2d_grad(g, index_, x.shape, window[:4]))  # fmt: skip
    same(*both(gpu, "max_pool2d_grad", g, index_, x.shape))
    same(*both(gpu, "max_pool2d_gather", x, index_), 0)


def test_max_pool2d_of_arrays_that_are_not_contiguous(gpu):
    x = numbers((4, 9, 3, 10), "float32")
    window = WINDOWS[1]
    t = gpu.from_numpy(x)[::2].transpose(0, 2, 1, 3)
    (y, index), (y_, index_) = gpu.max_pool2d(t, *window), HOST.max_pool2d(x[::2].transpose(0, 2, 1, 3), *window)
    same(y, y_)
    same(index, index_)
    g = np.broadcast_to(np.float32(1), y_.shape)
    shape = (2, 3, 9, 10)
    there = gpu.xp.broadcast_to(gpu.from_numpy(np.ones((), np.float32)), y_.shape)
    same(gpu.max_pool2d_grad(there, index, shape, window[:4]), HOST.max_pool2d_grad(g, index_, shape, window[:4]))


@pytest.mark.parametrize("dtype", [*FLOATS, "int64"])
@pytest.mark.parametrize("n", [1, 2, 3])
def test_largest_of_windows(gpu, dtype, n):
    x = np.round(numbers((2, 2, 7, 6, 5)[: 2 + n], dtype).astype(np.float64) / 4).astype(dtype_of(dtype))
    if dtype in FLOATS:
        x[0, 0, 1], x[1, 1] = np.nan, -np.inf
    dims = tuple(range(2, 2 + n))
    for plans in (
        [adaptive_plan(m, s, False) for m, s in zip(x.shape[2:], (3, 4, 2), strict=False)],
        [dilated_plan(m, m - 2, 2, 1, 0, 2) for m in x.shape[2:]],
    ):
        same(*both(gpu, "window_argmax", x, dims, tuple(plans)))


@pytest.mark.parametrize("dtype", [*FLOATS, "int64", "uint8", "complex64"])
@pytest.mark.parametrize("dim", [0, 1, 2])
def test_maps_along_an_axis(gpu, dtype, dim):
    kind = dtype_of(dtype)
    x = (np.random.default_rng(0).standard_normal((5, 6, 7)) * 8 + 20).astype(kind)
    n = x.shape[dim]
    plans = [dilated_plan(n, n - 2, 3, 1, 0, 1), adaptive_plan(n, 4, False)]
    if dtype in ("float32", "float64"):
        plans += [average_plan(n, 4, 2, 2, 1, False, True), average_plan(n, n - 1, 2, 1, 0, True, True),
                  cubic_plan(n, 11, None, False, True)]  # fmt: skip
    for plan in plans:
        same(*both(gpu, "resample", x, dim, plan))
        y = np.moveaxis(np.ones((*np.delete(x.shape, dim), plan.size)), -1, dim).astype(kind)
        same(*both(gpu, "resample", y, dim, plan.adjoint))


# ---- rows --------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("dtype", [*FLOATS, "int32", "int64", "uint8", "complex64", "bool"])
@pytest.mark.parametrize("width", [1, 3])
@pytest.mark.parametrize("sorted_", [False, True])
def test_rows_add_up(gpu, dtype, width, sorted_):
    """Runs of all lengths, among them some that go over several of the kernels' chunks."""
    rng = np.random.default_rng(0)
    index = np.concatenate([np.full(700, 3), np.full(128, 0), rng.integers(0, 8, 100), [9]])
    rng.shuffle(index)
    value = (rng.standard_normal((len(index), width)) * 4).astype(dtype_of(dtype))
    x = np.ones((10, width), dtype_of(dtype))
    there = gpu.from_numpy(x)
    pt.use_deterministic_algorithms(sorted_)
    try:
        gpu.index_put(there, (gpu.from_numpy(index),), gpu.from_numpy(value), True)
    finally:
        pt.use_deterministic_algorithms(False)
    HOST.index_put(x, (index,), value, True)
    same(there, x, {"float32": 1e-4, "complex64": 1e-4, "float64": 1e-12}.get(dtype))


def test_sorted_sums_have_one_order(gpu, deterministic):
    """The emulator runs a kernel twice, in two orders of its threads, and compares bits unless it adds atomically."""
    rng = np.random.default_rng(0)
    index, value = rng.integers(0, 5, 1000), rng.standard_normal(1000).astype(np.float32) * 1e4
    sums = []
    for order in (slice(None), slice(None)):
        x = gpu.zeros((5,), np.float32)
        gpu._at("add", x, gpu.from_numpy(index[order]), gpu.from_numpy(value[order]))
        sums.append(gpu.to_numpy(x).tobytes())
    assert sums[0] == sums[1]


@pytest.mark.parametrize("op", ["multiply", "maximum", "minimum"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int32", "int64", "int8"])
def test_other_combinations(gpu, op, dtype):
    rng = np.random.default_rng(0)
    index = rng.integers(0, 6, 40)
    value = rng.integers(1, 3, 40).astype(dtype_of(dtype))
    x = np.full(7, 2, dtype_of(dtype))
    if dtype.startswith("float"):
        value[3] = np.nan
    there = gpu.from_numpy(x)
    gpu._at(op, there, gpu.from_numpy(index), gpu.from_numpy(value))
    HOST._at(op, x, index, value)
    same(there, x)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("skip", [-1, 3])
@pytest.mark.parametrize("by_frequency", [False, True])
def test_gradients_of_a_table(gpu, dtype, skip, by_frequency):
    rng = np.random.default_rng(0)
    index = np.where(rng.random((60, 7)) < 0.5, 3, rng.integers(0, 20, (60, 7)))
    g = rng.standard_normal((60, 7, 5)).astype(dtype_of(dtype))
    tolerance = {"float32": 1e-5, "float64": 1e-13, "float16": 2e-3, "bfloat16": 1e-2}[dtype]
    same(*both(gpu, "embedding_sum", g, 21, index, skip, by_frequency), tolerance)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_gradients_of_a_table_of_16_bits_are_read_as_they_are(gpu, dtype, monkeypatch):
    from polytensor.backends.cupy import scatter

    names, find = [], scatter.kernel
    monkeypatch.setattr(scatter, "kernel", lambda *name: (names.append(name), find(*name))[1])
    gpu.embedding_sum(gpu.from_numpy(numbers((6, 5), dtype)), 3, gpu.from_numpy(np.arange(6) % 3), -1, False)
    assert names == [("add_rows", "float", launch.CTYPES[dtype])]


def test_an_index_out_of_range_writes_nowhere(gpu, deterministic):
    index = gpu.from_numpy(np.array([0, 5, -1, 1 << 40, 2, 2]))
    for ufunc, asked, expected in (
        ("add", True, [1, 0, 2, 0, 0]), ("add", False, [1, 0, 2, 0, 0]), ("maximum", False, [1, 0, 1, 0, 0]),
    ):  # fmt: skip
        pt.use_deterministic_algorithms(asked)
        x = gpu.zeros((5,), np.float32)
        gpu._at(ufunc, x, index, gpu.from_numpy(np.ones(6, np.float32)))
        assert x.tolist() == expected
    x = gpu.zeros((5,), np.float32)
    gpu._write_to_rows(x, index, gpu.from_numpy(np.arange(1, 7, dtype=np.float32)), 1)
    assert x.tolist() == [1, 0, 6, 0, 0]


@pytest.mark.parametrize("dtype", [*FLOATS, "bool", "int8", "int64", "complex64", "complex128"])
def test_the_last_write_stays(gpu, deterministic, dtype):
    rng = np.random.default_rng(0)
    x = numbers((6, 5, 4), "float32").astype(dtype_of(dtype))
    value = numbers((30, 4), "float32", 1).astype(dtype_of(dtype))
    one, two = rng.integers(-6, 6, 30), rng.integers(0, 5, 30)
    for index, v in (
        ((one, two), value),
        ((one,), value[:, None]),
        ((slice(None), two), value),
        ((one,), value[:1, :1, None]),
    ):
        here, there = x.copy(), gpu.from_numpy(x)
        HOST.index_put(here, index, v, False)
        gpu.index_put(
            there, tuple(gpu.from_numpy(i) if isinstance(i, np.ndarray) else i for i in index), gpu.from_numpy(v), False
        )
        same(there, here, 0)
    index, src = rng.integers(0, 5, (6, 9, 3)), numbers((6, 9, 3), "float32", 2).astype(dtype_of(dtype))
    for s in (src, src[0, 0, 0]):
        here, there = x.copy(), gpu.from_numpy(x)
        HOST.scatter(here, 1, index, s)
        gpu.scatter(there, 1, gpu.from_numpy(index), gpu.from_numpy(np.asarray(s)))
        same(there, here, 0)
    here, there = x.copy().T, gpu.from_numpy(x).T
    HOST.scatter(here, 1, index.T % 5, src.T)
    gpu.scatter(there, 1, gpu.from_numpy(index).T % 5, gpu.from_numpy(src).T)
    same(there, here, 0)


def test_rows_of_a_middle_dimension(gpu, deterministic):
    x = numbers((3, 5, 4), "float32")
    index, value = np.array([4, 0, 4, 4]), numbers((3, 4, 4), "float32", 1)
    there = gpu.from_numpy(x)
    gpu.index_put(there, (slice(None), gpu.from_numpy(index)), gpu.from_numpy(value), True)
    HOST.index_put(x, (slice(None), index), value, True)
    same(there, x)


def test_division_of_wide_indices(gpu):
    source = launch.PRELUDE + """
        __global__ void divide(const i64* a, const i64* b, i64* q, i64* r) {
            Split s = split(a[threadIdx.x], b[threadIdx.x]);
            q[threadIdx.x] = s.quotient; r[threadIdx.x] = s.rest;
        }"""  # fmt: skip
    a = np.array([0, 7, 2**31, 2**32 - 1, 2**32, 2**40 + 5, 2**62, 2**32 + 3, 5])
    b = np.array([3, 2, 7, 2**31, 3, 1000, 2**40 + 1, 1, 2**33])
    q, r = gpu.zeros(a.shape, np.int64), gpu.zeros(a.shape, np.int64)
    cuda_emulator.Kernel("divide", source, "divide")((1,), (9,), (gpu.from_numpy(a), gpu.from_numpy(b), q, r))
    same(q, a // b)
    same(r, a % b)


@pytest.mark.parametrize("dtype", [*FLOATS, "int64"])
def test_which_kernels_are_launched(gpu, launches, deterministic, dtype):
    """Ours, for all these dtypes: the others compute the same."""
    x, at, word = gpu.from_numpy(numbers((2, 3, 8, 8), dtype)), gpu.from_numpy(np.array([1, 0, 1])), dtype_of(dtype)
    y, index = gpu.max_pool2d(x, *WINDOWS[0])
    gpu.max_pool2d_grad(y, index, x.shape, WINDOWS[0][:4])
    gpu.max_pool2d_gather(x, index)
    plan = dilated_plan(8, 6, 2, 1, 0, 2)
    gpu.window_argmax(x, (2, 3), (plan, plan))
    gpu.resample(x, 2, plan)
    assert launches == ["max_pool2d", "max_pool2d_grad", "plane_gather", "window_argmax", "resample"]
    for asked in (False, True):
        pt.use_deterministic_algorithms(asked)
        launches.clear()
        gpu.index_put(gpu.zeros((5, 2), word), (at,), gpu.zeros((3, 2), word), True)
        gpu.index_put(gpu.zeros((5, 2), word), (at,), gpu.zeros((3, 2), word), False)
        gpu._at("maximum", gpu.zeros((5,), word), at, gpu.zeros((3,), word))
        gpu.scatter(gpu.zeros((5,), word), 0, at, gpu.zeros((3,), word))
        added, written = "add_runs" if asked and dtype in FLOATS else "add_rows", ["write_rows"] if asked else []
        assert [n for n in launches if n != "check_range"] == [added, *written, "combine_runs", *written]


@pytest.mark.parametrize("weights", [None, "float32"])
def test_counts(gpu, weights):
    x = np.array([1, 5, 1, 0])
    same(*both(gpu, "counts", x, weights and numbers(4, weights), 7))
