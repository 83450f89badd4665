"""CupyBackend's reductions, their kernels run on the CPU, against NumPy's backend."""

import numpy as np
import pytest

import polytensor as pt
from polytensor import devices
from polytensor.backends.cupy.reduce import stages

pytest.importorskip("cupy")
cuda_emulator = pytest.importorskip("cuda_emulator")
pytestmark = pytest.mark.skipif(cuda_emulator.COMPILER is None, reason="there is no g++ to run CUDA kernels on the CPU")
HOST = devices.get_backend("numpy")
FLOATS = ("float32", "float64", "float16", "bfloat16")
TOLERANCE = {"float32": 1e-5, "float64": 1e-13, "float16": 2e-3, "bfloat16": 1e-2}
NAMES = ("sum", "mean", "amax", "amin", "argmax", "argmin")


@pytest.fixture(scope="module")
def gpu():
    from cupy_twin import TwinBackend

    class Counting(TwinBackend):
        """It counts what is left to CuPy."""

        left = 0

        def _reduced(self, *args):
            y = super()._reduced(*args)
            Counting.left += y is None
            return y

        def _found(self, *args):
            y = super()._found(*args)
            Counting.left += y is None
            return y

    return Counting()


def numbers(shape, dtype, seed=0):
    return (np.random.default_rng(seed).standard_normal(shape) + 0.5).astype(getattr(pt, dtype).array)


def check(gpu, name, x, dim, keepdim, taken=True, there=None):
    before = type(gpu).left
    single = name.startswith("arg") and isinstance(dim, tuple)
    if single:
        dim = dim[0]
    actual = getattr(gpu, name)(gpu.from_numpy(x) if there is None else there, dim, keepdim)
    expected = np.asarray(getattr(HOST, name)(x, dim, keepdim))
    assert (type(gpu).left == before) == taken
    assert actual.shape == expected.shape
    assert actual.dtype == expected.dtype
    wide = np.int64 if name.startswith("arg") else np.float64
    tolerance = 0 if name.startswith(("arg", "am")) else TOLERANCE[str(x.dtype)]
    np.testing.assert_allclose(np.asarray(actual).astype(wide), expected.astype(wide), tolerance, tolerance)


CASES = [
    ((7,), (0,)), ((3, 5), (1,)), ((3, 5), (0,)), ((300, 3), (0,)), ((2, 40, 33), (1,)), ((40, 1, 6), (2,)),
    ((3, 1500), (1,)), ((1, 20000), (1,)), ((20000, 2), (0,)), ((5, 9000), (1,)), ((2, 5000, 2), (1,)), ((4000, 7), (1,)),
]  # fmt: skip
SEVERAL = [((3, 4, 5, 6), (0, 2, 3)), ((3, 4, 5, 6), (1, 3)), ((2, 3, 40, 30), (0, 2)), ((3, 4, 5), (0, 1, 2)),
           ((2, 1, 3000), (0, 2))]  # fmt: skip


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", NAMES)
def test_one_dimension(gpu, name, dtype):
    for shape, dims in CASES:
        x = numbers(shape, dtype)
        for keepdim in (False, True):
            check(gpu, name, x, dims, keepdim)
        check(gpu, name, x, None, False)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", NAMES[:4])
def test_several_dimensions(gpu, name, dtype):
    for shape, dims in SEVERAL:
        x = numbers(shape, dtype)
        for keepdim in (False, True):
            check(gpu, name, x, dims, keepdim)
            check(gpu, name, x, tuple(d - x.ndim for d in dims), keepdim)


@pytest.mark.parametrize("name", NAMES)
def test_other_layouts(gpu, name):
    x = numbers((4, 5, 6), "float32")
    for order in ((2, 1, 0), (0, 2, 1), (1, 0, 2)):
        t, there = x.transpose(order), gpu.from_numpy(x).transpose(order)
        for dims in ((0,), (1,), (2,)) + (() if name.startswith("arg") else ((0, 2), (1, 2))):
            check(gpu, name, t, dims, False, there=there)
            check(gpu, name, t, dims, True, there=there)
    # CuPy follows strides, but takes any NaN of several
    check(gpu, name, x[:, ::2], (2,), False, taken=name.startswith("arg"), there=gpu.from_numpy(x)[:, ::2])
    flat = numbers(6001, "float32")
    for start in (1, 2, 3):  # not aligned for 16 bytes
        check(gpu, name, flat[start:], (0,), False, there=gpu.from_numpy(flat)[start:])
    rows = numbers((3, 1501), "float32")
    check(gpu, name, rows, (1,), False)


@pytest.mark.parametrize("name", NAMES[2:])
@pytest.mark.parametrize("dtype", FLOATS)
def test_nan_infinities_and_ties(gpu, name, dtype):
    rng = np.random.default_rng(0)
    for shape, dims in (((6, 50), (1,)), ((50, 6), (0,)), ((6, 3000), (1,)), ((3000, 6), (0,))):
        x = rng.integers(-2, 3, shape).astype(getattr(pt, dtype).array)
        lines = x if dims == (1,) else x.T
        lines[0, [7, 30]] = np.nan
        lines[1, 9], lines[2] = np.inf, -np.inf
        lines[3], lines[4, 0] = np.nan, -np.inf
        check(gpu, name, x, dims, False)


@pytest.mark.parametrize("name", ["max_dim", "min_dim"])
@pytest.mark.parametrize("dtype", FLOATS)
def test_values_and_places_at_once(gpu, name, dtype):
    for shape, dim in (((5, 6, 7), 1), ((3, 5000), -1), ((5000, 3), 0)):
        x = np.round(numbers(shape, dtype).astype(np.float64)).astype(getattr(pt, dtype).array)
        x[0, 1] = np.nan
        for keepdim in (False, True):
            before = type(gpu).left
            actual = getattr(gpu, name)(gpu.from_numpy(x), dim, keepdim)
            assert type(gpu).left == before
            for a, e in zip(actual, getattr(HOST, name)(x, dim, keepdim), strict=True):
                assert (a.dtype, a.shape) == (e.dtype, e.shape)
                np.testing.assert_array_equal(np.asarray(a).astype(np.float64), e.astype(np.float64))
        there, here = gpu.from_numpy(x).T, x.T
        for a, e in zip(getattr(gpu, name)(there, dim, False), getattr(HOST, name)(here, dim, False), strict=True):
            np.testing.assert_array_equal(np.asarray(a).astype(np.float64), e.astype(np.float64))


def test_sums_of_half_types_are_rounded_once(gpu):
    for dtype in ("float16", "bfloat16"):
        x = np.ones((3, 5000), getattr(pt, dtype).array)
        assert set(gpu.sum(gpu.from_numpy(x), (1,), False).astype(np.float32).tolist()) == {
            np.float32(x.dtype.type(5000))
        }
        assert set(gpu.mean(gpu.from_numpy(x), (0, 1), True).astype(np.float32).ravel().tolist()) == {1.0}


def test_a_long_sum_is_as_good_as_numpys(gpu):
    x = np.full(300001, np.float32(0.1))
    assert abs(float(gpu.sum(gpu.from_numpy(x), None, False)) - 300001 * float(np.float32(0.1))) < 1e-2


def test_what_is_left_to_cupy(gpu):
    for x in (
        np.ones((3, 4), np.int64),
        np.ones((3, 4), np.complex64),
        np.ones((3, 0), np.float32),
        np.float32(2) * np.ones(()),
    ):
        before = type(gpu).left
        assert gpu.to_numpy(gpu.sum(gpu.from_numpy(x), None, False)) == x.sum()
        assert type(gpu).left > before


@pytest.mark.parametrize("rows", [False, True])
def test_stages(rows):
    """Each reaches every element once, has few pieces and no long way for a thread; the last leaves one piece."""
    for outer in (1, 2, 65, 5000):
        for n in (2, 3, 31, 1024, 5000, 10**6, 10**9):
            for inner in (1, 2, 5, 64, 3000):
                made = stages((outer, n, inner), (1,), rows)
                for s in made:
                    assert s.pieces * s.step >= s.n > (s.pieces - 1) * s.step
                    assert s.across in (0, 1, 2, 4, 8, 16, 32, 64, 128, 256)
                    assert s.step <= max(2048 * 256 // max(s.across, 1), 1 << 20) + 16
                    assert 1 <= s.grid[0] <= 1 << 20
                assert made[-1].pieces == 1
                assert len(made) <= 4
                assert all(b.n == a.pieces for a, b in zip(made, made[1:], strict=False))
