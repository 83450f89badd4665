"""CUDA's own arithmetic and copies against NumPy's backend: operands that repeat, memory that overlaps."""

import numpy as np
import pytest

import polytensor
from polytensor import devices

pytest.importorskip("cupy")
cuda_emulator = pytest.importorskip("cuda_emulator")
pytestmark = pytest.mark.skipif(cuda_emulator.COMPILER is None, reason="there is no g++ to run CUDA kernels on the CPU")
HOST = devices.get_backend("numpy")


@pytest.fixture(scope="module")
def gpu():
    from cupy_twin import TwinBackend

    return TwinBackend()


@pytest.fixture
def card():
    """The device of the stand-in."""
    from cupy_twin import TwinBackend

    devices.register_backend("twin", TwinBackend)
    yield devices.backend_device("twin")
    devices._factories.pop("twin")


@pytest.mark.parametrize("shift", [0, 1, 3])
def test_writes_into_memory_that_is_read(gpu, launches, shift):
    x = gpu.from_numpy(np.arange(40.0))
    expected = np.arange(40.0)
    gpu.write(x[shift:], x[: 40 - shift])
    expected[shift:] = expected[: 40 - shift].copy()
    np.testing.assert_array_equal(np.asarray(x), expected)
    assert "move" not in launches  # which reads and writes in any order
    gpu.write(x[20:], x[:20])
    np.testing.assert_array_equal(np.asarray(x)[20:], expected[:20])
    assert launches == ["move"]


SHAPES = [((4, 8), (4, 8)), ((5, 7), (7,)), ((5, 8), (1, 8)), ((5, 7), ()), ((), (3, 5)), ((1, 1), (3,)), ((3, 1), (1, 4)),
          ((0, 3), (3,)), ((1001,), (1001,)), ((2, 3, 4), (3, 4)), ((2, 3, 4), (3, 1)), ((1,), ())]  # fmt: skip


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int64"])
@pytest.mark.parametrize("shapes", SHAPES)
def test_operands_of_several_shapes(gpu, shapes, dtype):
    rng = np.random.default_rng(0)
    a, b = (np.asarray(rng.integers(1, 9, s)).astype(dtype) for s in shapes)
    for name in ("add", "sub", "mul", "div", "maximum", "eq", "lt", "ge"):
        if name == "div" and dtype == "int64":
            continue
        found = np.asarray(getattr(gpu, name)(gpu.from_numpy(a), gpu.from_numpy(b)))
        expected = getattr(HOST, name)(a, b)
        assert found.dtype == expected.dtype and found.shape == np.broadcast_shapes(*shapes)
        np.testing.assert_array_equal(found, expected)
    c = np.asarray(rng.integers(0, 2, shapes[0]) > 0)
    found = gpu.where(gpu.from_numpy(c), gpu.from_numpy(a), gpu.from_numpy(b))
    np.testing.assert_array_equal(np.asarray(found), np.where(c, a, b))


def test_results_lie_in_memory_as_the_first_whole_operand(gpu):
    a = gpu.from_numpy(np.zeros((3, 4), np.float32))
    t = gpu.from_numpy(np.zeros((4, 3), np.float32)).T
    assert gpu.add(t, a).strides == gpu.add(a[:1], t).strides == gpu.add(t, t).strides == t.strides
    assert gpu.add(a, t).strides == a.strides
    assert gpu.where(a == a, a, t).strides == a.strides


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
def test_the_first_nan_of_strided_lines(gpu, launches, dtype):
    x = np.zeros((33, 6), dtype)
    x[[3, 7, 30]] = np.nan
    for there in (gpu.from_numpy(x)[:, ::2], gpu.from_numpy(np.ascontiguousarray(x.T)).T):
        for found, expected in (
            (gpu.argmax(there, 0, False), [3] * there.shape[1]),
            (gpu.argmin(there, None, False), 3 * there.shape[1]),
        ):
            assert np.asarray(found).tolist() == expected
    assert launches == ["arg_lines"] * 4  # CuPy's own takes any of them


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])
def test_negative_zeros_that_are_made(gpu, dtype):
    d = getattr(polytensor, dtype).array
    for zero in (-0.0, 0.0):
        made = [gpu.full((3,), zero, d), gpu.full((), zero, d), gpu.fill(gpu.full((2, 2), 1, d), zero),
                gpu.from_numpy(np.array(zero, d)), gpu.scalar(zero, d)]  # fmt: skip
        for x in made:
            assert x.dtype == d and (np.signbit(np.asarray(x)) == np.signbit(zero)).all()
    assert not np.asarray(gpu.full((2,), -0.0, np.dtype(np.int64))).any()


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int64"])
def test_arithmetic_in_place_is_one_launch(card, launches, dtype):
    x, y = (polytensor.arange(start, start + 12).to(getattr(polytensor, dtype)).to(card) for start in (1, 5))
    expected, other = np.arange(1, 13), np.arange(5, 17)
    launches.clear()
    for name in ("add", "sub", "mul"):
        getattr(x.view(3, 4), name + "_")(y.view(3, 4))
        getattr(x[2:9], name + "_")(2)
        expected = getattr(HOST, name)(expected, other)
        expected[2:9] = getattr(HOST, name)(expected[2:9], 2)
    assert launches == ["two_add", "two_add", "two_sub", "two_sub", "two_mul", "two_mul"]
    np.testing.assert_array_equal(x.cpu().numpy(), expected)
    assert x._version == 6
    x.copy_(y)
    assert launches[6:] == ["move"] and x._version == 7
    np.testing.assert_array_equal(x.cpu().numpy(), other)


def test_in_place_with_operands_that_overlap(gpu, launches):
    """Blocks run in any order: what one of them writes another may read."""
    x = gpu.from_numpy(np.arange(10.0))
    assert (
        gpu.add.into(x[1:], x[:9], x[1:])
        is gpu.mul.into(x, x[3:4].reshape(()), x)
        is gpu.mul.into(x, x.reshape(2, 5).T, x)
        is None
    )
    assert launches == [] and gpu.add.into(x, x, x) is x and gpu.add.into(x[:5], x[5:], x[:5]) is not None
    np.testing.assert_array_equal(np.asarray(x), [10, 14, 18, 22, 26, *range(10, 20, 2)])
    assert launches == ["two_add"] * 2


@pytest.mark.parametrize(("shapes", "dim", "count"), [
    ([(2, 3), (2, 5)], 1, 1), ([(4,), (0,), (7,)], 0, 1), ([(3, 4)] * 5, 0, 2), ([(2, 3, 4), (2, 1, 4), (2, 2, 4)], -2, 1),
    ([(2, 0)] * 2, 1, 0), ([(1, 4)] * 8, 0, 2),
], ids=str)  # fmt: skip
def test_cat_takes_four_arrays_to_a_launch(gpu, launches, shapes, dim, count):
    for dtype in ("float32", "float16", "bool", "float64"):
        host = [np.arange(np.prod(s)).reshape(s).astype(dtype) for s in shapes]
        launches.clear()
        np.testing.assert_array_equal(
            np.asarray(gpu.cat([gpu.from_numpy(a) for a in host], dim)), np.concatenate(host, dim)
        )
        assert launches == ["cat_rows"] * count
    odd = gpu.from_numpy(np.arange(9.0))[1:]  # not aligned to 16 bytes
    np.testing.assert_array_equal(np.asarray(gpu.cat([odd, odd], 0)), [*range(1, 9)] * 2)


def test_large_arrays_are_joined_in_their_own_words(gpu, launches):
    host = [np.arange(300000, dtype=np.float32), np.ones(1, np.float32)]
    np.testing.assert_array_equal(np.asarray(gpu.cat([gpu.from_numpy(a) for a in host], 0)), np.concatenate(host))
    assert launches == ["cat_rows"] * 2


@pytest.mark.parametrize("n", [0, 1, 7, 64])
def test_conversions(gpu, launches, n):
    values = np.resize([0.0, -0.0, 1.5, -2.25, 1e-3, 70000.0, np.inf, -np.inf, np.nan, 3.14159265358979], n + 1)
    kinds = [polytensor.float32, polytensor.float64, polytensor.float16, polytensor.bfloat16]
    with np.errstate(over="ignore", invalid="ignore"):
        for start in (0, 1):
            for source, to in [(a, b) for a in kinds for b in kinds if a is not b]:
                host = values.astype(source.array)[start : start + n]
                found = gpu.cast(gpu.from_numpy(values.astype(source.array))[start : start + n], to.array)
                expected = HOST.cast(host, to.array)
                assert found.dtype == expected.dtype
                found = np.asarray(found)
                np.testing.assert_array_equal(found.astype(float), expected.astype(float))
                np.testing.assert_array_equal(np.signbit(found)[found == 0], np.signbit(expected)[found == 0])
    for source in (np.bool_, np.int64):
        host = np.arange(n).astype(source)
        np.testing.assert_array_equal(np.asarray(gpu.cast(gpu.from_numpy(host), np.dtype("f"))), host.astype("f"))
    assert launches == ["convert"] * (26 if n else 0)


def layouts(whole, shape):
    """Views of one shape of an array that is twice as long in each dimension: dense, cut out, transposed, and repeated rows."""
    n = len(shape)
    yield whole.reshape(-1)[: np.prod(shape, dtype=int)].reshape(shape)
    yield whole[tuple(slice(0, 2 * k, 2) for k in shape)]
    yield whole.reshape(tuple(2 * k for k in reversed(shape)))[tuple(slice(1, k + 1) for k in reversed(shape))].T
    yield whole[tuple(slice(k) if i else slice(1) for i, k in enumerate(shape))]
    yield whole[(slice(shape[0]), *[slice(1)] * (n - 1))]


SEVERAL = [(5,), (3, 4), (2, 3, 4), (2, 3, 1, 4), (2, 0, 3), (2, 2, 2, 2, 3)]


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int64"])
@pytest.mark.parametrize("shape", SEVERAL, ids=str)
def test_arithmetic_with_steps(gpu, launches, shape, dtype):
    whole = np.random.default_rng(1).integers(-9, 9, tuple(2 * n for n in shape)).astype(dtype)
    both = list(zip(layouts(gpu.from_numpy(whole), shape), layouts(whole, shape), strict=True))
    for x, a in both:
        for y, b in both:
            for name in ("add", "maximum", "le"):
                found, expected = np.asarray(getattr(gpu, name)(x, y)), getattr(HOST, name)(a, b)
                assert found.dtype == expected.dtype
                np.testing.assert_array_equal(found, expected)
            c, d = (gpu.lt(x, y), np.less(a, b))
            for u, v in ((c, d), (c[:1], d[:1])):
                np.testing.assert_array_equal(np.asarray(gpu.where(u, x, y)), np.where(v, a, b))
    if 0 not in shape and 1 < len(shape) < 5:
        assert {"steps_two", "steps_compare", "choose_steps"} <= {*launches}


@pytest.mark.parametrize("dtype", ["float32", "bool", "float16", "complex128"])
@pytest.mark.parametrize("shape", SEVERAL, ids=str)
def test_copies_with_steps(gpu, launches, shape, dtype):
    rng = np.random.default_rng(2)
    whole = (rng.integers(0, 9, tuple(2 * n for n in shape)) - 4).astype(dtype)
    for k, (x, a) in enumerate(zip(layouts(gpu.from_numpy(whole), shape), layouts(whole, shape), strict=True)):
        np.testing.assert_array_equal(np.asarray(gpu.contiguous(x)), a)
        assert gpu.copy(x).flags.c_contiguous
        alike = gpu.copy_like(x)
        assert alike.strides == a.copy(order="K").strides
        np.testing.assert_array_equal(np.asarray(alike), a)
        for j in range(3):
            fresh, host = gpu.from_numpy(np.zeros_like(whole)), np.zeros_like(whole)
            to, there = [*layouts(fresh, shape)][j], [*layouts(host, shape)][j]
            gpu.write(to, x)
            there[...] = a
            np.testing.assert_array_equal(np.asarray(fresh), host)
            if k and len(shape) > 1:  # within one array, which NumPy gets wrong for one dimension
                fresh, host = gpu.from_numpy(whole), whole.copy()
                gpu.write([*layouts(fresh, shape)][j], [*layouts(fresh, shape)][k])
                [*layouts(host, shape)][j][...] = [*layouts(host, shape)][k].copy()
                np.testing.assert_array_equal(np.asarray(fresh), host)
    assert 0 in shape or "move_steps" in launches


def test_arrays_in_one_order_are_gone_over_in_packs(gpu, launches):
    """As two in channels-last, and one with a number or a row for its channels."""
    x = gpu.from_numpy(np.arange(120.0).reshape(2, 3, 5, 4)).transpose(0, 3, 1, 2)
    channels = gpu.from_numpy(np.arange(4.0)).reshape(1, 4, 1, 1)
    for y in (x[::-1][::-1], channels, gpu.from_numpy(np.array(3.0))):
        found = gpu.mul(x, y)
        np.testing.assert_array_equal(np.asarray(found), np.asarray(x) * np.asarray(y))
        assert found.strides == x.strides
    found = gpu.where(gpu.lt(x, channels), x, channels)
    np.testing.assert_array_equal(np.asarray(found), np.minimum(np.asarray(x), np.asarray(channels)))
    assert launches == ["two_mul"] * 3 + ["two_lt", "choose"]
