"""Norms and sums of embeddings of the Numba backend against NumPy's."""

import numba_checks
import numpy as np
import pytest
from numba_checks import NUMBA, NUMPY, layouts, values

mode, dtype = numba_checks.mode, numba_checks.dtype


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
        for B in (NUMBA, NUMPY):
            whole = B.normalize_affine(x, w, b, dims, 1e-5)[0]
            assert B.layer_normalize(x, w, b, dims, 1e-5).tobytes() == whole.tobytes()
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
