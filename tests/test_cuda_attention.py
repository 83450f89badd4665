"""Our attention kernels for CUDA on the emulator, against NumPy's tiles."""

import numpy as np
import pytest

pytest.importorskip("cupy")
import cuda_emulator
from cupy_twin import Array, TwinBackend, plain

import polytensor
from polytensor.backends.base import Backend
from polytensor.backends.cupy import attention
from polytensor.backends.numpy import NumpyBackend

pytestmark = pytest.mark.skipif(cuda_emulator.COMPILER is None, reason="there is no g++ to run CUDA kernels on the CPU")
RNG = np.random.default_rng(0)
NUMPY = NumpyBackend()
NONE = np.empty(0)


@pytest.fixture
def backend(monkeypatch):
    def refuse(*args):
        raise AssertionError("the base kernel was asked")

    monkeypatch.setattr(Backend, "attend", refuse)
    monkeypatch.setattr(Backend, "attend_backward", refuse)
    return TwinBackend()


@pytest.fixture(scope="module")
def reference():
    return Backend.attend, Backend.attend_backward


def values(shape, dtype="float64"):
    return RNG.standard_normal(shape).astype(getattr(polytensor, dtype).array)


def masks(lead, length, sources, dtype):
    """Kinds of masks: some take all keys from a query."""
    shown = RNG.random((length, sources)) > 0.4
    shown[length // 2] = False
    added = np.where(shown, values((length, sources)), -np.inf).astype(getattr(polytensor, dtype).array)
    yield "none", NONE.astype(added.dtype), False
    yield "causal", NONE.astype(added.dtype), True
    yield "bool", shown, False
    yield "added", added, False
    yield "by column", shown[:1] | (np.arange(sources) == 1), False
    if lead:
        yield "by batch", RNG.random((*lead[:1], *(1,) * len(lead[1:]), 1, sources)) > 0.3, False


def wide(x, kind):
    return x.astype(kind) if isinstance(x, np.ndarray) and x.dtype.kind in "fV" else x


def on_twin(x):
    return x.view(Array) if isinstance(x, np.ndarray) else x


def check(backend, reference, q, k, v, mask, scale, causal, tol):
    """Forward and backward; the reference computes in float64."""
    attend, backward = reference
    args = [wide(x, np.float64) for x in (q, k, v, mask)]
    expected, expected_logs = attend(NUMPY, *args, scale, causal)
    out, logs = backend.attend(*map(on_twin, (q, k, v, mask)), scale, causal)
    assert type(out) is Array
    assert out.dtype == q.dtype
    assert logs.dtype == (np.float64 if q.dtype == np.float64 else np.float32)
    np.testing.assert_allclose(wide(plain(out), np.float64), expected, rtol=tol, atol=tol)
    near = 1e-6 if q.dtype.itemsize == 2 else tol  # those are float32
    np.testing.assert_allclose(wide(plain(logs), np.float64), expected_logs, rtol=near, atol=near)
    g = values(expected.shape).astype(q.dtype)
    got = backend.attend_backward(on_twin(g), (True,) * 4, *map(on_twin, (q, k, v, mask)), out, logs, scale, causal)
    full = (expected, expected_logs) if tol < 1e-4 else (wide(plain(out), np.float64), wide(plain(logs), np.float64))
    wanted = backward(NUMPY, wide(g, np.float64), (True,) * 4, *args, *full, scale, causal)
    assert got[3] is None
    for x, y in zip(got[:3], wanted[:3], strict=True):
        assert x.dtype == q.dtype
        assert x.flags.c_contiguous
        np.testing.assert_allclose(wide(plain(x), np.float64), y, rtol=4 * tol, atol=4 * tol)


# leading dimensions, queries, keys, sizes of heads
SHAPES = {
    "small": ((2, 3), 5, 7, 8, 8),
    "one of each": ((), 1, 1, 1, 1),
    "several tiles": ((2,), 70, 75, 5, 3),
    "few queries": ((1, 2), 2, 67, 16, 17),
    "few keys": ((3,), 66, 3, 33, 64),
    "large heads": ((2,), 20, 37, 72, 100),
    "many dimensions": ((2, 1, 2, 1, 3), 3, 4, 4, 6),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_against_numpy(backend, reference, shape, dtype):
    lead, length, sources, width, depth = SHAPES[shape]
    q, k, v = (values((*lead, n, e), dtype) for n, e in ((length, width), (sources, width), (sources, depth)))
    for name, mask, causal in masks(lead, length, sources, dtype):
        try:
            check(backend, reference, q, k, v, mask, 0.3, causal, 1e-12 if dtype == "float64" else 2e-5)
        except AssertionError as error:
            raise AssertionError(f"{name}: {error}") from None


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("shape", ["small", "large heads"])
def test_sixteen_bits(backend, reference, dtype, shape):
    if getattr(polytensor, dtype).array is None:
        pytest.skip("ml_dtypes is not installed")
    lead, length, sources, width, depth = SHAPES[shape]
    q, k, v = (values((*lead, n, e), dtype) for n, e in ((length, width), (sources, width), (sources, depth)))
    for _, mask, causal in masks(lead, length, sources, dtype):
        check(backend, reference, q, k, v, mask, 0.1, causal, 1e-3 if dtype == "float16" else 8e-3)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("shape", ["small", "few queries", "large heads", "several tiles", "many dimensions"])
@pytest.mark.parametrize("room", [1 << 24, 100])
def test_large_ones_in_sixteen_bits(backend, reference, dtype, shape, room):
    """By products and kernels over tiles of scores."""
    if getattr(polytensor, dtype).array is None:
        pytest.skip("ml_dtypes is not installed")
    backend.LARGE_ATTENTION, backend.attention_room = 0, room
    lead, length, sources, width, depth = SHAPES[shape]
    q, k, v = (values((*lead, n, e), dtype) for n, e in ((length, width), (sources, width), (sources, depth)))
    for name, mask, causal in masks(lead, length, sources, dtype):
        try:
            check(backend, reference, q, k, v, mask, 0.1, causal, 2e-3 if dtype == "float16" else 1.6e-2)
        except AssertionError as error:
            raise AssertionError(f"{name}: {error}") from None
    assert len([1 for name, _ in backend._blas.entries.calls if "Gemm" in name]) >= 14
    swapped = [np.ascontiguousarray(x.swapaxes(0, -2)).swapaxes(0, -2) for x in (q, k, v)] if lead else [q, k, v]
    check(backend, reference, *swapped, NONE.astype(q.dtype), 0.1, True, 2e-3 if dtype == "float16" else 1.6e-2)


def test_tf32_takes_tensor_cores_too(backend, reference):
    backend.LARGE_ATTENTION = 0
    q, k, v = (values((2, n, 8), "float32") for n in (5, 7, 7))
    for precision, asked in (("highest", 0), ("high", 7)):
        backend._blas.entries.calls.clear()
        polytensor.set_float32_matmul_precision(precision)
        try:
            check(backend, reference, q, k, v, NONE.astype("float32"), 0.3, True, 5e-3)
        finally:
            polytensor.set_float32_matmul_precision("highest")
        assert len([1 for name, _ in backend._blas.entries.calls if "Gemm" in name]) == asked


def test_operands_that_are_not_contiguous(backend, reference):
    """Heads beside each other, heads that serve several, and dimensions that repeat."""
    x = values((2, 6, 3, 3, 5))
    q, k, v = (x[:, :, i].swapaxes(1, 2) for i in range(3))
    check(backend, reference, q, k, v, NONE, 0.5, True, 1e-12)
    shared = np.broadcast_to(k[:, :1], k.shape), np.broadcast_to(v[:, :1], v.shape)
    check(backend, reference, q, *shared, RNG.random((3, 6, 6)) > 0.2, 0.5, False, 1e-12)
    many = values((2, 3, 2, 3, 2, 4, 5))
    odd = np.broadcast_to(many[:, :1, :, :1, :1], many.shape)
    other = np.broadcast_to(many[:1, :, :1, :, :], many.shape)
    check(backend, reference, many, odd, other, NONE, 0.5, False, 1e-12)
    flipped = values((2, 4, 5))[:, ::-1, ::-1]
    check(backend, reference, flipped, flipped, flipped, NONE, 0.5, False, 1e-12)


def test_only_what_is_needed(backend):
    q, k, v = (values((2, 4, 3)).view(Array) for _ in range(3))
    out, logs = backend.attend(q, k, v, NONE.view(Array), 1.0, False)
    for need in ((True, False, False, False), (False, True, False, False), (False, False, True, False)):
        got = backend.attend_backward(out, need, q, k, v, NONE.view(Array), out, logs, 1.0, False)
        assert [x is not None for x in got] == list(need)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_nan_and_inf(backend, reference):
    q, k, v = (values((70, 3)) for _ in range(3))
    q[3, 1], q[5, 0], k[68, 2] = np.nan, np.inf, -np.inf
    k[:6, 0] = -1  # with `causal` row 5 has no score but -inf
    for mask, causal in ((NONE, False), (NONE, True), (RNG.random((70, 70)) > 0.3, False)):
        expected, logs = reference[0](NUMPY, q, k, v, mask, 1.0, causal)
        got, got_logs = backend.attend(*map(on_twin, (q, k, v, mask)), 1.0, causal)
        np.testing.assert_allclose(plain(got), expected, rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(plain(got_logs), logs, rtol=1e-12, atol=1e-15)


def test_shared_memory_fits_every_card():
    for kernel, tile in (("attend", attention.forward_tile), ("attend_grad_keys", attention.backward_tile)):
        for dtype in attention.TYPES:
            for size in (64, 128):
                assert attention.shared_size(kernel, dtype, tile(dtype, size)[0], (size, size)) <= attention.MOST_SHARED


def test_large_heads_take_the_base_kernel():
    q = values((2, 4, 129))
    out, _ = TwinBackend().attend(*[q.view(Array)] * 3, NONE.view(Array), 0.1, False)
    np.testing.assert_allclose(plain(out), NUMPY.attend(q, q, q, NONE, 0.1, False)[0], rtol=1e-12)
