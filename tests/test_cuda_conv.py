"""Our convolution kernels for CUDA on the emulator, against NumPy's."""

import numpy as np
import pytest

pytest.importorskip("cupy")
import cuda_emulator
from cupy_twin import Array, TwinBackend, plain

import polytensor
from polytensor.backends.numpy import NumpyBackend

pytestmark = pytest.mark.skipif(cuda_emulator.COMPILER is None, reason="there is no g++ to run CUDA kernels on the CPU")
RNG = np.random.default_rng(0)
NUMPY = NumpyBackend()


@pytest.fixture
def backend():
    return TwinBackend()


def values(shape, dtype="float64"):
    x = RNG.standard_normal(shape)
    if dtype.startswith("complex"):
        x = x + 1j * RNG.standard_normal(shape)
    return x.astype(getattr(polytensor, dtype).array)


# input, weight, stride, padding, dilation, groups
CASES = {
    "1d": ((2, 3, 9), (4, 3, 3), (2,), (1,), (2,), 1),
    "1d depthwise": ((2, 3, 9), (3, 1, 4), (1,), (2,), (1,), 3),
    "plain": ((2, 3, 5, 6), (4, 3, 3, 2), (1, 1), (0, 0), (1, 1), 1),
    "all": ((3, 4, 7, 8), (6, 2, 3, 2), (2, 3), (2, 1), (2, 1), 2),
    "one image": ((1, 3, 6, 6), (4, 3, 3, 3), (1, 1), (1, 1), (1, 1), 1),
    "pointwise": ((3, 4, 3, 5), (6, 4, 1, 1), (1, 1), (0, 0), (1, 1), 1),
    "pointwise in groups": ((3, 4, 3, 5), (6, 2, 1, 1), (1, 1), (0, 0), (1, 1), 2),
    "pointwise of few places": ((3, 8, 1, 1), (6, 8, 1, 1), (1, 1), (0, 0), (1, 1), 1),
    "pointwise with steps": ((2, 4, 5, 5), (3, 4, 1, 1), (2, 2), (0, 0), (1, 1), 1),
    "pointwise with padding": ((2, 4, 3, 3), (3, 4, 1, 1), (1, 1), (1, 0), (1, 1), 1),
    "unread rest": ((2, 2, 8, 8), (3, 2, 3, 3), (3, 3), (0, 0), (1, 1), 1),
    "large": ((2, 2, 18, 17), (3, 2, 3, 3), (1, 1), (1, 1), (1, 1), 1),
    "depthwise": ((2, 3, 6, 5), (3, 1, 3, 3), (2, 1), (1, 2), (1, 2), 3),
    "depthwise times two": ((2, 3, 6, 5), (6, 1, 2, 3), (1, 2), (0, 1), (2, 1), 3),
    "depthwise large": ((3, 2, 70, 60), (2, 1, 1, 2), (1, 1), (0, 0), (1, 1), 2),
    "3d": ((2, 3, 4, 5, 6), (4, 3, 2, 3, 2), (1, 2, 1), (1, 0, 1), (2, 1, 1), 1),
    "3d in groups": ((2, 4, 4, 4, 4), (4, 2, 3, 2, 2), (2, 1, 1), (1, 1, 0), (1, 1, 2), 2),
    "3d depthwise": ((2, 2, 4, 4, 3), (4, 1, 2, 3, 2), (1, 1, 2), (0, 1, 1), (1, 1, 1), 2),
}


def names(x):
    return ("conv2d", "conv2d_grad_input", "conv2d_grad_weight") if x.ndim == 4 else (
        "convnd", "convnd_grad_input", "convnd_grad_weight")  # fmt: skip


def pair(backend, name, *args):
    """What the twin and NumPy give."""
    given = [a.view(Array) if isinstance(a, np.ndarray) else a for a in args]
    got = getattr(backend, name)(*given)
    assert type(got) is Array
    return plain(got), getattr(NUMPY, name)(*args)


def close(backend, name, *args):
    got, expected = pair(backend, name, *args)
    assert got.shape == expected.shape
    assert got.dtype == expected.dtype
    assert got.flags.c_contiguous
    np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("room", [1 << 28, 2000, 300])
def test_against_numpy(backend, case, room):
    backend.conv_room = room
    xs, ws, *attrs = CASES[case]
    x, w, b = values(xs), values(ws), values(ws[:1])
    forward, to_input, to_weight = names(x)
    for bias in (b, None):
        close(backend, forward, x, w, bias, *attrs)
    g = values(getattr(NUMPY, forward)(x, w, None, *attrs).shape)
    close(backend, to_input, g, w, xs, *attrs)
    close(backend, to_weight, g, x, ws, *attrs)


@pytest.mark.parametrize("case", ["all", "3d", "depthwise", "pointwise", "large"])
def test_operands_that_are_not_contiguous(backend, case):
    xs, ws, *attrs = CASES[case]
    x, w = values(xs), values(ws)
    forward, to_input, to_weight = names(x)
    g = values(getattr(NUMPY, forward)(x, w, None, *attrs).shape)

    def last(a):  # channels innermost
        return (
            np.ascontiguousarray(np.moveaxis(a, 1, -1)).swapaxes(1, -1).swapaxes(2, -1) if a.ndim == 4 else a[..., ::-1]
        )

    for lay in (lambda a: np.moveaxis(np.ascontiguousarray(np.moveaxis(a, 1, -1)), -1, 1), lambda a: a[:, :, ::-1],
                lambda a: np.repeat(a, 2, 0)[::2]):  # fmt: skip
        close(backend, forward, lay(x), lay(w), None, *attrs)
        close(backend, to_input, lay(g), lay(w), xs, *attrs)
        close(backend, to_weight, lay(g), lay(x), ws, *attrs)
    g = np.broadcast_to(g[:1, :1, :1], g.shape)
    close(backend, to_input, g, w, xs, *attrs)
    close(backend, to_weight, g, x, ws, *attrs)


def test_more_room_than_windows_read(backend):
    """Transposed convolutions: inputs that are larger or smaller than what the windows of g reach."""
    w, g = values((3, 2, 3, 3)), values((2, 3, 4, 4))
    for size in ((9, 9), (10, 10), (7, 8)):
        close(backend, "conv2d_grad_input", g, w, (2, 2, *size), (2, 2), (1, 1), (1, 1), 1)
    d = values((3, 1, 3, 3))
    close(backend, "conv2d_grad_input", g, d, (2, 3, 10, 9), (2, 2), (1, 1), (1, 1), 3)
    close(backend, "conv2d_grad_input", g, values((3, 2, 1, 1)), (2, 2, 5, 4), (1, 1), (0, 0), (2, 2), 1)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "complex64", "complex128"])
@pytest.mark.parametrize("case", ["all", "depthwise", "pointwise", "plain"])
@pytest.mark.parametrize("room", [1 << 28, 40])
def test_dtypes(backend, dtype, case, room):
    if dtype == "bfloat16" and polytensor.bfloat16.array is None:
        pytest.skip("ml_dtypes is not installed")
    backend.conv_room = room
    xs, ws, *attrs = CASES[case]
    x, w, b = values(xs, dtype), values(ws, dtype), values(ws[:1], dtype)
    forward, to_input, to_weight = names(x)
    wide = "complex128" if dtype.startswith("complex") else "float64"
    y = getattr(NUMPY, forward)(x.astype(wide), w.astype(wide), b.astype(wide), *attrs)
    g = values(y.shape, dtype)
    tol = {"float16": 1e-3, "bfloat16": 8e-3, "complex128": 1e-12}.get(dtype, 3e-6)
    for name, args in (
        (forward, (x, w, b, *attrs)), (to_input, (g, w, xs, *attrs)), (to_weight, (g, x, ws, *attrs)),
    ):  # fmt: skip
        got = getattr(backend, name)(*[a.view(Array) if isinstance(a, np.ndarray) else a for a in args])
        expected = getattr(NUMPY, name)(*[a.astype(wide) if isinstance(a, np.ndarray) else a for a in args])
        assert got.dtype == x.dtype
        # one rounding of the result, and float32's of its terms
        np.testing.assert_allclose(
            plain(got).astype(wide), expected, rtol=tol / 1.9, atol=1e-12 if dtype == "complex128" else 3e-6
        )


def test_integers_take_the_base_kernel(backend):
    x, w = (
        (np.arange(72).reshape(2, 2, 3, 6) % 7).astype("int64"),
        (np.arange(16).reshape(2, 2, 2, 2) % 5).astype("int64"),
    )
    close(backend, "conv2d", x, w, None, (1, 1), (1, 0), (1, 2), 1)


@pytest.mark.parametrize(("xs", "ws"), [((0, 3, 5, 5), (4, 3, 3, 3)), ((2, 0, 5, 5), (4, 0, 3, 3)), ((2, 3, 5, 5), (0, 3, 3, 3)),
                                        ((0, 3, 5, 5), (3, 1, 3, 3))])  # fmt: skip
def test_empty(backend, xs, ws):
    attrs = (1, 1), (1, 1), (1, 1), 3 if ws[1] == 1 else 1
    x, w = values(xs), values(ws)
    got = backend.conv2d(x.view(Array), w.view(Array), None, *attrs)
    assert got.shape == (xs[0], ws[0], 5, 5)
    assert not plain(got).any()
    g = values(got.shape)
    assert same_zeros(backend.conv2d_grad_input(g.view(Array), w.view(Array), xs, *attrs), xs)
    assert same_zeros(backend.conv2d_grad_weight(g.view(Array), x.view(Array), ws, *attrs), ws)


def same_zeros(x, shape):
    return x.shape == shape and not plain(x).any()


def test_nan_stays_where_it_is_read(backend):
    x, w = values((1, 2, 6, 6)), values((2, 2, 3, 3))
    x[0, 1, 2, 3] = np.nan
    got, expected = pair(backend, "conv2d", x, w, None, (1, 1), (1, 1), (1, 1), 1)
    assert np.array_equal(np.isnan(got), np.isnan(expected))


@pytest.mark.parametrize("dtype", ["float64", "float16"])
def test_unfold_and_fold(backend, dtype):
    x = values((2, 3, 6, 7), dtype)
    args = (3, 2), (1, 2), (1, 0), (2, 1)
    cols, expected = pair(backend, "unfold_windows", x, *args)
    assert np.array_equal(cols, expected)
    close_to = pair(backend, "fold_windows", cols, (2, 3, 6, 7), *args)
    np.testing.assert_allclose(*close_to, rtol=2e-3 if dtype == "float16" else 1e-12)


def test_tf32_as_cudnn_says(backend):
    """backends.cudnn.allow_tf32 stands for convolutions with cuDNN or without, the precision of matmul does not."""
    x, w, g = (np.full(s, 1 + 2.0**-12, np.float32) for s in ((2, 2, 3, 3), (3, 2, 2, 2), (2, 3, 2, 2)))
    one = (1, 1), (0, 0), (1, 1), 1

    def found():
        there = [backend.from_numpy(a) for a in (x, w, g)]
        y = backend.conv2d(there[0], there[1], None, *one)
        dx = backend.conv2d_grad_input(there[2], there[1], x.shape, *one)
        dw = backend.conv2d_grad_weight(there[2], there[0], w.shape, *one)
        return [bool((np.array(a) == np.round(np.array(a))).all()) for a in (y, dx, dw)]

    assert found() == [False] * 3
    polytensor.set_float32_matmul_precision("high")
    try:
        assert found() == [False] * 3
    finally:
        polytensor.set_float32_matmul_precision("highest")
    with polytensor.backends.cudnn.flags(allow_tf32=True):
        assert found() == [True] * 3
