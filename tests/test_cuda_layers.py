"""Our CUDA kernels behind layers, run by the emulator on CupyBackend's own code, against the base kernels over NumPy."""

import zlib

import numpy as np
import pytest

from polytensor import dtypes
from polytensor.backends.base import Backend
from polytensor.backends.numpy import NumpyBackend

pytest.importorskip("cupy")
cuda_emulator = pytest.importorskip("cuda_emulator")
if not cuda_emulator.COMPILER:
    pytest.skip("g++ is not installed", allow_module_level=True)

BFLOAT16 = dtypes.bfloat16.array
NEAR = {"float16": 2e-3, "bfloat16": 2e-2, "float32": 2e-5, "float64": 1e-11}


@pytest.fixture(scope="module")
def twin():
    from cupy_twin import TwinBackend

    cuda_emulator.install()
    return TwinBackend()


class Plain(NumpyBackend):
    """The base kernels."""

    softmax, sigmoid, relu = Backend.softmax, Backend.sigmoid, Backend.relu


BASE = Plain()


def draw(case, shape, dtype=np.float32, scale=2.0):
    rng = np.random.default_rng(zlib.crc32(repr(case).encode()))
    return (rng.standard_normal(shape) * scale).astype(dtype)


def same(actual, expected, scale=1.0):
    actual, expected = (x if isinstance(x, (tuple, list)) else (x,) for x in (actual, expected))
    assert len(actual) == len(expected)
    for a, e in zip(actual, expected, strict=True):
        e = np.asarray(e)
        assert (a.dtype, a.shape) == (e.dtype, e.shape)
        near = NEAR[str(e.dtype)] * scale
        wide = np.float64 if e.dtype == np.float64 else np.float32
        np.testing.assert_allclose(np.array(a).astype(wide), e.astype(wide), near, near, equal_nan=True)


def on(twin, name, *args):
    """Both backends' results of a kernel; arrays go over to the twin."""
    there = [twin.from_numpy(a) if isinstance(a, np.ndarray) else a for a in args]
    return getattr(twin, name)(*there), getattr(BASE, name)(*args)


# rows of a warp (one pack and four), of a block, and longer than registers hold; aligned to packs or not
ROWS = [(3, 1), (5, 7), (9, 64), (2, 300), (3, 1024), (2, 1000), (2, 8196), (1, 9001)]


@pytest.mark.parametrize("shape", ROWS, ids=str)
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16, BFLOAT16], ids=str)
def test_softmax_rows(twin, shape, dtype):
    x, g = draw((shape, 0), shape, dtype), draw((shape, 1), shape, dtype)
    for name in ("softmax", "log_softmax"):
        y, expected = on(twin, name, x, 1)
        same(y, expected)
        same(*on(twin, name + "_backward", g, np.asarray(expected), 1), scale=4)


@pytest.mark.parametrize(("shape", "dim"), [((4, 5, 3), 1), ((300, 2, 33), 0), ((2, 9, 40), -2)], ids=str)
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16], ids=str)
def test_softmax_columns(twin, shape, dim, dtype):
    x, g = draw((shape, 0), shape, dtype), draw((shape, 1), shape, dtype)
    dim %= 3
    for name in ("softmax", "log_softmax"):
        y, expected = on(twin, name, x, dim)
        same(y, expected)
        same(*on(twin, name + "_backward", g, np.asarray(expected), dim), scale=4)


def test_softmax_of_what_is_not_finite(twin):
    x = np.zeros((6, 70), np.float32)
    x[0] = -np.inf
    x[1, 3], x[2, 68], x[3, :60], x[4] = np.nan, np.inf, -np.inf, -np.finfo(np.float32).max
    for name in ("softmax", "log_softmax"):
        same(*on(twin, name, x, 1))
        same(*on(twin, name, x.T.copy(), 0))


@pytest.mark.parametrize("reduction", [0, 1, 2])
@pytest.mark.parametrize(("rows", "classes"), [(1, 4), (70, 10), (9000, 3)], ids=str)
@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=str)
def test_cross_entropy(twin, rows, classes, reduction, dtype):
    x = draw((rows, classes), (rows, classes), dtype)
    t = np.random.default_rng(rows).integers(0, classes, rows)
    t[rows // 2 :: 7] = -100
    loss, expected = on(twin, "cross_entropy", x, t, -100, reduction)
    same(loss, expected)
    g = draw((rows, 1), (rows,) if reduction == 0 else (), dtype)
    same(*on(twin, "cross_entropy_backward", np.asarray(g, dtype), expected[1], t, -100, reduction))


def test_a_target_out_of_range_is_told_when_waited_for(twin):
    x, t = (twin.from_numpy(a) for a in (draw("x", (3, 4)), np.array([0, 4, 1])))
    twin.cross_entropy(x, t, -100, 1)
    with pytest.raises(IndexError, match="Target is out of bounds"):
        twin.synchronize()
    twin.synchronize()


NORMS = [((3, 1), 1), ((5, 7), 1), ((40, 64), 1), ((2, 3, 300), 2), ((3, 4, 256), 1), ((2, 8196), 1), ((1, 9001), 1)]


@pytest.mark.parametrize(("shape", "kept"), NORMS, ids=str)
@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=str)
def test_layer_and_rms_norm(twin, shape, kept, dtype):
    dims = tuple(range(kept, len(shape)))
    x, g = draw((shape, 0), shape, dtype) + dtype(3), draw((shape, 1), shape, dtype)
    w, b = draw((shape, 2), shape[kept:], dtype), draw((shape, 3), shape[kept:], dtype)
    plain, expected = on(twin, "normalize", x, dims, 1e-5)
    same(plain, expected)
    y, var = (np.asarray(a) for a in (expected[0], expected[2]))
    same(*on(twin, "normalize_backward", g, y, var, dims, 1e-5), scale=4)
    same(*on(twin, "normalize_affine", x, w, b, dims, 1e-5))
    same(*on(twin, "normalize_affine_backward", g, w, y, var, dims, 1e-5), scale=8)
    same(*on(twin, "rms_normalize", x, dims, 1e-5))
    same(*on(twin, "rms_backward", g, y, var, dims, 1e-5), scale=4)


@pytest.mark.parametrize(
    ("shape", "w_shape"),
    [((2, 3, 4, 5), (1, 3, 4, 1)), ((3, 2, 8, 40), (1, 2, 8, 1)), ((2, 6, 1, 9), (1, 6, 1, 1)), ((2, 3, 4, 5), (1, 1, 1, 1)),
     ((2, 3, 4, 5), (4, 5)), ((2, 3, 4, 5), (3, 1, 5)), ((2, 3, 4, 5), (2, 1, 1, 5)), ((2, 3, 4, 5), (2, 3, 1, 1))],
    ids=str,
)  # fmt: skip
def test_group_norm(twin, shape, w_shape):
    x, g = draw((shape, 0), shape), draw((shape, 1), shape)
    w, b = draw((w_shape, 2), w_shape), draw((w_shape, 3), w_shape)
    got, expected = on(twin, "normalize_affine", x, w, b, (2, 3), 1e-5)
    same(got, expected)
    y, var = (np.asarray(a) for a in (expected[1], expected[3]))
    same(*on(twin, "normalize_affine_backward", g, w, y, var, (2, 3), 1e-5), scale=4)


@pytest.mark.parametrize("shape", [(4, 3), (70, 40), (600, 33), (2, 3, 5, 7), (3, 2, 64, 64), (2, 5, 1, 8)], ids=str)
@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=str)
def test_batch_norm(twin, shape, dtype):
    dims = (0, *range(2, len(shape)))
    x, g = draw((shape, 0), shape, dtype) + dtype(3), draw((shape, 1), shape, dtype)
    w_shape = (1, shape[1], *[1] * (len(shape) - 2))
    w, b = draw((shape, 2), w_shape, dtype), draw((shape, 3), w_shape, dtype)
    got, expected = on(twin, "batch_normalize", x, w, b, dims, 1e-5)
    same(got, expected)
    mean, var = (np.asarray(a) for a in expected[1:])
    same(*on(twin, "batch_normalize_backward", g, x, w, mean, var, dims, 1e-5), scale=8)
