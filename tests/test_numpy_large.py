"""What the NumPy backend does its own way for large arrays: transposed copies, bounds, sums, the normal distribution."""

import math

import numpy as np
import pytest
from ml_dtypes import bfloat16

from polytensor.backends import conv
from polytensor.backends.base import Backend
from polytensor.backends.numpy import NumpyBackend, accumulated

NUMPY = NumpyBackend()


@pytest.mark.parametrize("kind", ["f4", "f8", "u1", "c8"])
@pytest.mark.parametrize(
    "shape, order",
    [
        ((512, 512), (1, 0)),
        ((1000, 900), (1, 0)),
        ((3, 256, 260), (0, 2, 1)),
        ((40, 33, 128), (1, 2, 0)),
        ((8, 5000), (1, 0)),
    ],
)
def test_transposed_copies(shape, order, kind):
    x = np.arange(math.prod(shape)).reshape(shape).astype(kind).transpose(order)
    for y in (x, x[::-1], x[:, 3:]):
        for found in (NUMPY.copy(y), NUMPY.contiguous(y)):
            assert found.flags.c_contiguous and found.dtype == y.dtype and not np.shares_memory(found, y)
            np.testing.assert_array_equal(found, y)


@pytest.mark.parametrize("kind", ["f4", "f8", "i8"])
@pytest.mark.parametrize("n", [32_767, 32_768, 40_003])
def test_bounds(n, kind):
    x = np.random.default_rng(n).standard_normal(n)
    x[:4] = (np.nan, np.inf, -np.inf, -0.0) if kind != "i8" else 0
    x = x.astype(kind)
    for low, high in ((0, 1), (None, 0), (-1, None), (1, -1)):
        np.testing.assert_array_equal(NUMPY.clamp(x, low, high), np.clip(x, low, high))
    np.testing.assert_array_equal(NUMPY.relu(x), np.maximum(x, 0))


@pytest.mark.parametrize("kind", ["f4", "f8", "i4", "i8"])
@pytest.mark.parametrize("shape", [(40_003,), (1, 66_000), (300, 200), (256, 512), (257, 3, 300), (33_000, 2)])
def test_accumulated(shape, kind):
    """As ufunc.accumulate, to the bit where sums and products are exact."""
    whole = np.random.default_rng(0).integers(-3, 4, shape).astype(kind)
    odd = whole.copy()
    if kind[0] == "f":
        odd.reshape(-1)[99:102] = np.nan, np.inf, -np.inf
    for x in (whole, odd):
        for dim in range(len(shape)):
            for ufunc, y in ((np.maximum, x), (np.minimum, x), (np.add, x), (np.multiply, np.sign(x) + (x == 0))):
                found = accumulated(ufunc, y, dim, y.dtype)
                assert found.dtype == y.dtype
                with np.errstate(invalid="ignore"):
                    np.testing.assert_array_equal(found, ufunc.accumulate(y, dim))


@pytest.mark.parametrize("kind", ["f4", "f8", "i8", "c8"])
@pytest.mark.parametrize(
    "shape, dims", [((33_001,), None), ((330, 101), (1,)), ((40, 64, 33), (0, 2)), ((4, 99, 100), None)]
)
def test_products(shape, dims, kind):
    x = (np.random.default_rng(0).random(shape) / 8 + 0.94).astype(kind) if kind[0] != "i" else np.full(shape, 3)
    for keep in (False, True):
        found, exact = (
            NUMPY.prod(x, dims, keep),
            np.multiply.reduce(x.astype("c16") if kind[0] != "i" else x, dims, keepdims=keep),
        )
        assert np.shape(found) == exact.shape and found.dtype == x.dtype
        np.testing.assert_allclose(found, exact, rtol=1e-4)


@pytest.mark.parametrize("kind", ["f4", "f8"])
@pytest.mark.parametrize(
    "shape", [(10_000,), (70_001,), (16, 1000), (5, 2049), (3, 4096), (1100, 33), (4, 6, 7, 128), (2, 3, 2999)]
)
def test_sums(shape, kind):
    """As exact as pairs, over any axes; outer ones alone are added 512 at a time."""
    x = (np.random.default_rng(0).random(shape) + 0.5).astype(kind)
    every = range(len(shape))
    for dims in {None, *[(d,) for d in every], (0, -1)[: len(shape)], tuple(every)}:
        for keep in (False, True):
            found, exact = NUMPY.sum(x, dims, keep), np.add.reduce(x.astype("f16"), axis=dims, keepdims=keep)
            assert np.shape(found) == exact.shape and found.dtype == x.dtype
            inner = dims is None or (dims[-1] + 1) % len(shape) == 0
            assert abs(found / exact - 1).max() < (4 if inner else 10) * np.finfo(kind).eps
            assert NUMPY.mean(x, dims, keep).shape == exact.shape


def test_sums_keep_what_is_not_finite():
    x = np.zeros((64, 512), "f4")
    x[3, 5], x[4, 6], x[5, 7], x[5, 8] = np.nan, np.inf, np.inf, -np.inf
    found = NUMPY.sum(x, (1,), False)
    assert np.isnan(found[[3, 5]]).all() and found[4] == np.inf and not found[[0, 1, 2, 6]].any()


def test_normal_distribution():
    """gelu and erf in float32 against float64, far out and across spans; relative errors grow as a*a/2 is rounded."""
    special = pytest.importorskip("scipy.special")
    x = np.linspace(-12.5, 6, 100_003).astype("f4")
    wide = x.astype("f8")
    cdf = np.exp(special.log_ndtr(wide))
    assert (abs(NUMPY.normal_cdf(x) / cdf - 1) / (1 + wide * wide / 2)).max() < 4e-7
    assert (abs(NUMPY.gelu(x) / (wide * cdf) - 1) / (1 + wide * wide / 2))[x != 0].max() < 4e-7
    slope = cdf + wide * np.exp(-wide * wide / 2) / np.sqrt(2 * np.pi)
    assert abs(NUMPY.gelu_backward(np.ones_like(x), x) - slope).max() < 3e-7
    exact = special.erf(wide)
    assert (abs(NUMPY.erf(x) - exact) / np.spacing(abs(exact).astype("f4"))).max() < 2
    ends = np.array([np.inf, -np.inf, np.nan, -0.0, 0.0, 3e38, -3e38], "f4")
    np.testing.assert_array_equal(NUMPY.erf(ends), np.array([1, -1, np.nan, -0.0, 0.0, 1, -1], "f4"))
    np.testing.assert_array_equal(np.signbit(NUMPY.erf(ends))[3:5], [True, False])
    np.testing.assert_array_equal(NUMPY.gelu(ends), np.array([np.inf, np.nan, np.nan, -0.0, 0.0, 3e38, 0.0], "f4"))


CONVOLUTIONS = [  # images, inputs, outputs, groups, size, kernel, padding, dilation
    (3, 4, 6, 2, (9, 11), (3, 3), (1, 1), (1, 1)), (2, 4, 4, 4, (8, 12), (5, 3), (2, 0), (1, 2)), (2, 3, 2, 1, (10, 9), (2, 1), (0, 3), (2, 1)),
    (0, 2, 3, 1, (9, 9), (3, 3), (1, 1), (1, 1)), (2, 1, 5, 1, (9, 16), (1, 4), (0, 2), (1, 1)),
]  # fmt: skip


@pytest.mark.parametrize("images, inputs, outputs, groups, size, kernel, padding, dilation", CONVOLUTIONS)
@pytest.mark.parametrize("workspace", [1, 1 << 20])
def test_columns_with_padding(images, inputs, outputs, groups, size, kernel, padding, dilation, workspace, monkeypatch):
    """Convolutions whose columns keep the padding of rows give what exact columns do, also where x is not finite."""
    r = np.random.default_rng(0)
    x, w = r.standard_normal((images, inputs, *size)), r.standard_normal((outputs, inputs // groups, *kernel))
    b, how = r.standard_normal(outputs), ((1, 1), padding, dilation, groups)
    monkeypatch.setattr(NumpyBackend, "workspace", workspace)
    results = []
    for short in (8, 1 << 30):
        monkeypatch.setattr(conv, "SHORT", short)
        y = NUMPY.conv2d(x, w, b, *how)
        g = np.cos(np.arange(y.size)).reshape(y.shape)
        results.append([y, NUMPY.conv2d_grad_input(g, w, x.shape, *how), NUMPY.conv2d_grad_weight(g, x, w.shape, *how)])
        if images:
            wild = x.copy()
            wild[0, 0, 0, -1], wild[-1, -1, -1, 0] = np.inf, np.nan
            results[-1].append(NUMPY.conv2d_grad_weight(g, wild, w.shape, *how))
    for found, expected in zip(*results):
        assert found.flags.c_contiguous and found.dtype == expected.dtype
        np.testing.assert_allclose(found, expected, 1e-12, 1e-12)


def test_whole_quotients():
    """floor_divide of float32 numbers is that of NumPy, also where it is left to it."""
    r = np.random.default_rng(0)
    x, y = (r.standard_normal((20, 50)) * 100).astype("f4"), r.standard_normal((20, 50)).astype("f4")
    many = np.array([0.0, -0.0, 7, -7, 1e30, np.inf, -np.inf, np.nan] * 125, "f4").reshape(20, 50)
    for a, b in (
        (x, y),
        (np.rint(x), np.rint(y * 9) + 0.5),
        (many, y),
        (x, many),
        (x * 1e9, y),
        (x[0], y),
        (x, y[:, :1]),
        (x, np.where(y > 0, np.inf, -np.inf).astype("f4")),
    ):
        with np.errstate(all="ignore"):
            found, expected = NUMPY.floor_divide(a, b), np.floor_divide(a, b)
        np.testing.assert_array_equal(found, expected)
        np.testing.assert_array_equal(np.signbit(found), np.signbit(expected))


@pytest.mark.parametrize("n", [0, 1, 2, 3, 1000])
@pytest.mark.parametrize("alike", [False, True])
def test_permutations_are_the_stable_order_of_words(n, alike, monkeypatch):
    words = np.random.default_rng(n).integers(0, 2**63, 4 * n + 8, np.uint64) >> np.uint64(56 if alike else 0)
    monkeypatch.setattr(NUMPY, "random_words", lambda seed, counter, blocks: words[: 4 * blocks], raising=False)
    found = NUMPY.randperm(1, 0, n)
    assert found.dtype == np.int64
    np.testing.assert_array_equal(found, np.argsort(words[:n], kind="stable"))


def test_logaddexp_and_mish():
    x = np.array([np.inf, -np.inf, np.nan, 0, -0.0, 1e-30, 3, -3, 25, -25, 100, -100, 1e30, -1e30])
    with np.errstate(all="ignore"):
        expected = np.logaddexp(x[:, None], x)
        np.testing.assert_allclose(NUMPY.logaddexp(x[:, None], x), expected, 1e-14)
        np.testing.assert_allclose(NUMPY.mish(x), x * np.tanh(np.logaddexp(x, 0)), 1e-14)


@pytest.mark.parametrize("kind", ["f4", "f2", "i8", "?"])
@pytest.mark.parametrize("dim", [0, 1, 2])
def test_many_places(dim, kind):
    """gather, scatter and index of many elements, where other dimensions of the index are shorter too."""
    r = np.random.default_rng(dim)
    x, src = (r.integers(0, 100, (30, 40, 50)).astype(kind) for _ in range(2))
    index = r.integers(0, x.shape[dim], (29, 38, 47))
    where = tuple(index if k == dim else i for k, i in enumerate(np.ogrid[:29, :38, :47]))
    for y in (x, np.asfortranarray(x)):
        found = NUMPY.gather_(y, dim, index)
        assert found.flags.c_contiguous
        np.testing.assert_array_equal(found, x[where])
        written, expected = y.copy(order="K"), x.copy()
        order = index.argsort(dim).argsort(dim)  # no place twice
        where_once = tuple(order if k == dim else i for k, i in enumerate(np.ogrid[:29, :38, :47]))
        NUMPY.scatter(written, dim, order, src[:29, :38, :47])
        expected[where_once] = src[:29, :38, :47]
        np.testing.assert_array_equal(written, expected)
        places = index[0, :3]
        found = NUMPY.index(y, (*(slice(None),) * dim, places))
        np.testing.assert_array_equal(found, x[(*(slice(None),) * dim, places)])
        assert found.flags.c_contiguous


@pytest.mark.parametrize("kernel", [(2, 3), (11, 12)])
def test_max_pool_takes_the_first_maximum(kernel):
    """Also NaN, and -inf where a window has nothing else; with more taps than a byte counts."""
    x = np.random.default_rng(0).integers(0, 20, (2, 3, 24, 25)).astype("f4")
    x[0, 0, 3, 4] = x[0, 0, 3, 5] = np.nan
    x[1, 2] = -np.inf
    y, places = NUMPY.max_pool2d(x, kernel, (2, 1), (0, 0), (1, 1), False)
    windows = np.lib.stride_tricks.sliding_window_view(x, kernel, (2, 3))[:, :, ::2]
    flat = windows.reshape(*windows.shape[:4], -1)
    best = flat.argmax(-1)
    rows, columns = np.ogrid[: best.shape[2], : best.shape[3]]
    np.testing.assert_array_equal(y, np.take_along_axis(flat, best[..., None], -1)[..., 0])
    np.testing.assert_array_equal(places, (rows * 2 + best // kernel[1]) * 25 + columns + best % kernel[1])


@pytest.mark.parametrize("op", ["floor_divide", "remainder", "fmod"])
def test_quotients_of_nothing_by_many(op):
    fn, none, many = getattr(NUMPY, op), np.ones((0, 1), "f4"), np.ones((1, 5000), "f4")
    assert fn(none, many).shape == fn(many, none).shape == (0, 5000)


@pytest.mark.parametrize("kind", ["f4", "f8", "i8"])
@pytest.mark.parametrize("n, width, most", [(700, 33, 600), (900, 16, 90), (600, 20, 5), (1, 9000, 3)])
def test_rows_added_by_turns(n, width, most, kind):
    """To the bit as one row after the other, or left to be added in runs."""
    rng = np.random.default_rng(n)
    places, rows = rng.integers(0, most, n), (rng.standard_normal((n, width)) * 9).astype(kind)
    out, expected = np.ones((most, width), kind), np.ones((most, width), kind)
    for place, row in zip(places, rows, strict=True):
        expected[place] += row
    if NUMPY._add_by_turns(out, places, rows):
        np.testing.assert_array_equal(out, expected)
    else:
        assert np.bincount(places).max() > 32
        assert (out == 1).all()
    index_put = np.ones((most, width), kind)
    NUMPY.index_put(index_put, (places,), rows, True)
    np.testing.assert_allclose(index_put, expected, rtol=1e-4)
    sums = NUMPY.embedding_sum(rows, most, places, -1, False)
    np.testing.assert_allclose(sums, expected - 1, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("kind", ["?", "u1", "i2", "i4", "u4", "i8", "u8", "f2", "f4", "f8", "wide", "bfloat16"])
@pytest.mark.parametrize("shape, dim", [((3000,), 0), ((40, 50), 1), ((64, 33), 0), ((3, 40, 20), 1)])
def test_stable_orders(shape, dim, kind):
    """As a stable sort gives them, NaN last, both zeros equal."""
    rng = np.random.default_rng(1)
    x = rng.integers(0, 2, shape) if kind == "?" else rng.integers(-30, 30, shape)
    if kind == "bfloat16":
        kind = bfloat16
    x = x * (2**57 + 1) if kind == "wide" else x.astype("i8" if kind == "wide" else kind)
    flat = x.reshape(-1)
    if x.dtype.kind == "f" or kind is bfloat16:
        flat[5:400:40], flat[7:300:30], flat[3:500:50], flat[4::20] = np.nan, -np.inf, np.inf, -0.0
        flat[6:400:40] = -flat[5:400:40]  # NaN of the other sign
    for descending in (False, True):
        found = NUMPY.argsort(x, dim, descending)
        assert found.dtype == np.int64 and found.flags.c_contiguous
        np.testing.assert_array_equal(found, Backend.argsort(NUMPY, x, dim, descending))
    first = NUMPY.argselect(x, 1, dim, True)
    top = np.take_along_axis(x, NUMPY.argsort(x, dim, True), dim).take([0], dim)
    np.testing.assert_array_equal(np.take_along_axis(x, first, dim).astype("f8"), top.astype("f8"))


@pytest.mark.parametrize("end", [2**63 - 1, 2**63 - 2**31, 2**63 - 2**31 - 1, -(2**63) + 9])
def test_orders_at_the_ends_of_int64(end):
    x = end - np.random.default_rng(0).integers(0, 9, 3000)
    np.testing.assert_array_equal(NUMPY.argsort(x, 0, False), np.argsort(x, kind="stable"))


def test_products_of_integers():
    """By BLAS in float64 where that is exact, else as they are."""
    rng = np.random.default_rng(0)
    for top in (10, 2**27, 2**40):
        a, b = rng.integers(-top, top, (3, 20, 30)), rng.integers(-top, top, (30, 40))
        for x in (a, a[0]):
            found = NUMPY.matmul(x, b)
            assert found.dtype == np.int64
            np.testing.assert_array_equal(found, np.matmul(x, b))
    small = rng.integers(0, 255, (64, 64)).astype("u1")
    np.testing.assert_array_equal(NUMPY.matmul(small, small), np.matmul(small, small))


def test_random_words_go_on():
    """A draw that goes on where the last one ended gives the words of one from the start."""
    seed, counter = 5, 2**64 - 3
    for n in (1, 2, 5, 1, 30):
        found = NUMPY.random_words(seed, counter, n)
        np.testing.assert_array_equal(found, NumpyBackend().random_words(seed, counter, n))
        counter += n
    for other in ((6, counter), (5, 0), (5, counter)):
        np.testing.assert_array_equal(NUMPY.random_words(*other, 3), NumpyBackend().random_words(*other, 3))
