"""Our CUDA kernels behind layers, run by the emulator on CupyBackend's own code, against the base kernels over NumPy."""

import zlib

import numpy as np
import pytest

from polytensor import dtypes
from polytensor.backends.base import Backend
from polytensor.backends.numpy import NumpyBackend
from polytensor.backends.resample import pad_plan

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
    return np.asarray(rng.standard_normal(shape) * scale).astype(dtype)


def same(actual, expected, scale=1.0):
    actual, expected = (x if isinstance(x, (tuple, list)) else (x,) for x in (actual, expected))
    assert len(actual) == len(expected)
    for a, e in zip(actual, expected, strict=True):
        e = np.asarray(e)
        assert (a.dtype, a.shape) == (e.dtype, e.shape)
        near = NEAR[str(e.dtype)] * scale
        wide = np.float64 if e.dtype == np.float64 else np.float32
        np.testing.assert_allclose(np.array(a).astype(wide), e.astype(wide), near, near, equal_nan=True)


def refuse(*args):
    raise AssertionError("the base kernel was asked")


def on(twin, name, *args, own=True):
    """Both backends' results of a kernel; arrays go over to the twin, which has to take its `own` kernel for them."""
    there = [twin.from_numpy(a) if isinstance(a, np.ndarray) else a for a in args]
    with pytest.MonkeyPatch.context() as patch:
        if own:
            patch.setattr(Backend, name, refuse)
        found = getattr(twin, name)(*there)
    return found, getattr(BASE, name)(*args)


# rows of a warp (one pack and four), of a block, and longer than registers hold; aligned to packs or not
ROWS = [(3, 1), (5, 7), (150, 10), (9, 64), (2, 300), (3, 1024), (2, 1000), (2, 1001), (2, 8196), (1, 9001), (1, 20004)]


SOME_ROWS = [*[(np.float32, r) for r in ROWS], (np.float64, (9, 64)), (np.float16, (9, 64)), (np.float16, (2, 1000)),
             (BFLOAT16, (5, 7)), (BFLOAT16, (3, 1024)), (BFLOAT16, (1, 20000)), (np.float16, (1, 9001)),
             (np.float64, (1, 9001)), (np.float16, (70, 24))]  # fmt: skip


@pytest.mark.parametrize(("dtype", "shape"), SOME_ROWS, ids=str)
def test_softmax_rows(twin, shape, dtype):
    x, g = draw((shape, 0), shape, dtype), draw((shape, 1), shape, dtype)
    for name in ("softmax", "log_softmax"):
        y, expected = on(twin, name, x, 1)
        same(y, expected)
        same(*on(twin, name + "_backward", g, np.asarray(expected), 1), scale=4)


@pytest.mark.parametrize(
    ("shape", "dim"), [((4, 5, 3), 1), ((300, 2, 33), 0), ((2, 9, 40), -2), ((2, 129, 5), 1)], ids=str
)
@pytest.mark.parametrize("dtype", [np.float32, np.float16], ids=str)
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
@pytest.mark.parametrize(("rows", "classes"), [(1, 4), (70, 10), (9000, 3), (1100, 7)], ids=str)
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


NORMS = [
    ((3, 1), 1),
    ((5, 7), 1),
    ((40, 64), 1),
    ((150, 12), 1),
    ((2, 3, 300), 2),
    ((3, 4, 256), 1),
    ((2, 4100), 1),
    ((2, 8196), 1),
    ((1, 9001), 1),
]


@pytest.mark.parametrize(("shape", "kept"), NORMS, ids=str)
def test_layer_and_rms_norm(twin, shape, kept, dtype=np.float32):
    dims = tuple(range(kept, len(shape)))
    x, g = draw((shape, 0), shape, dtype) + dtype(3), draw((shape, 1), shape, dtype)
    w, b = draw((shape, 2), shape[kept:], dtype), draw((shape, 3), shape[kept:], dtype)
    plain, expected = on(twin, "normalize", x, dims, 1e-5)
    same(plain, expected)
    y, var = (np.asarray(a) for a in (expected[0], expected[2]))
    same(*on(twin, "normalize_backward", g, y, var, dims, 1e-5), scale=4)
    same(*on(twin, "normalize_affine", x, w, b, dims, 1e-5))
    same(*on(twin, "layer_normalize", x, w, b, dims, 1e-5))
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
    own = w_shape not in ((3, 1, 5), (2, 1, 1, 5))
    got, expected = on(twin, "normalize_affine", x, w, b, (2, 3), 1e-5, own=own)
    same(got, expected)
    y, var = (np.asarray(a) for a in (expected[1], expected[3]))
    same(*on(twin, "normalize_affine_backward", g, w, y, var, (2, 3), 1e-5, own=own), scale=4)


@pytest.mark.parametrize(
    "shape",
    [(4, 3), (70, 40), (600, 33), (2, 3, 5, 7), (3, 2, 64, 64), (2, 5, 1, 8), (40, 3, 31, 33), (3, 1, 2, 3)],
    ids=str,
)
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
    flat = [np.abs(a.reshape(-1)) for a in (mean, var, w, b)]
    same(*on(twin, "normalize_by", x, *flat, 1e-5))
    same(*on(twin, "normalize_by", x, *flat[:2], None, flat[3], 1e-5, own=False))
    got, expected = on(twin, "batch_normalize_relu", x, w, b, dims, 1e-5)
    same(got, expected)
    made = np.asarray(expected[0])
    same(*on(twin, "batch_normalize_relu_backward", g, x, w, made, mean, var, dims, 1e-5), scale=8)


@pytest.mark.parametrize("dtype", [np.float16, BFLOAT16], ids=str)
@pytest.mark.parametrize("shape", [(6, 5, 16), (40, 33), (3, 2, 5, 7), (9000, 3), (2, 8), (20, 2, 31, 17), (1, 1, 9)])
def test_batch_norm_of_16_bits(twin, dtype, shape):
    """With float32 weights and statistics; the sums are of float32."""
    x, g = (draw((shape, k), shape).astype(dtype) for k in "xg")
    w, b = draw("w", shape[1]), draw("b", shape[1])
    dims = (0, *range(2, len(shape)))
    there = [twin.from_numpy(a) for a in (x, w, b)]
    for name in ("batch_normalize", "batch_normalize_relu"):
        y, mean, var = getattr(twin, name)(*there, dims, 1e-5)
        expected = getattr(BASE, name)(x.astype(np.float32), w, b, dims, 1e-5)
        same((y, mean, var), (expected[0].astype(dtype), *expected[1:]), 4)
        made = [y] if name.endswith("relu") else []
        grads = getattr(twin, name + "_backward")(twin.from_numpy(g), *there[:2], *made, mean, var, dims, 1e-5)
        host = [np.array(made[0]).astype(np.float32)] if made else []
        wide = (g.astype(np.float32), x.astype(np.float32), w, *host, *expected[1:], dims, 1e-5)
        dx, *small = getattr(BASE, name + "_backward")(*wide)
        same(grads, (dx.astype(dtype), *small), 10)


def test_a_batch_norm_of_16_bits_is_not_widened(twin, launches):
    import polytensor as torch
    from polytensor import devices

    devices.register_backend("twin", type(twin))
    try:
        there = devices.backend_device("twin")
        found = []
        for device in (there, "cpu"):
            torch.manual_seed(0)
            for act in (torch.nn.ReLU(), torch.nn.Identity()):
                model = torch.nn.Sequential(torch.nn.BatchNorm2d(6), act).to(device)
                x = torch.arange(192.0).sin().reshape(4, 6, 2, 4).to(device, torch.bfloat16).requires_grad_()
                launches.clear()
                y = model(x)
                (dx,) = torch.autograd.grad(y.float().cos().sum(), x, create_graph=True)
                if device is there:
                    assert [n for n in launches if n.startswith("channel")][:2] == ["channel_stats", "channel_apply"]
                    assert y.dtype is dx.dtype is torch.bfloat16
                dx.float().square().sum().backward()
                norm = model[0]
                launches.clear()
                with torch.no_grad():
                    told = model.eval()(x)
                if device is there:
                    clip = [] if isinstance(act, torch.nn.Identity) else ["map_relu", "move"]
                    assert launches == ["channel_apply", *clip]
                found.append(
                    [y, told, dx, x.grad, norm.weight.grad, norm.bias.grad, norm.running_mean, norm.running_var]
                )
        for one, other in zip(found[:2], found[2:], strict=True):
            for a, b in zip(one, other, strict=True):
                assert a.dtype is b.dtype
                torch.testing.assert_close(a.detach().cpu().float(), b.detach().float(), rtol=3e-2, atol=1e-2)
    finally:
        devices._factories.pop("twin")


# ---- optimizers ---------------------------------------------------------------------------------------------------------
SIZES = [(3,), (5000,), (), (0,), (64, 70), (1,)]


def states(case, dtype, count):
    """Lists of arrays: parameters, gradients, and what optimizers keep, which is not negative."""
    lists = [[draw((case, k, i), s, dtype) for i, s in enumerate(SIZES)] for k in range(count)]
    lists[0][0] = draw("odd", 4, dtype)[1:]  # not aligned to 16 bytes
    lists[0][4], lists[1][4] = draw("order", (70, 64), dtype).T, draw("gradients", (70, 64), dtype)[:, ::-1].T
    return [part if k < 2 else [np.asarray(np.abs(a)) for a in part] for k, part in enumerate(lists)]


def step(twin, name, lists, *args):
    """An optimizer's kernel on both backends, in place."""
    there = [None if part is None else [copied(twin, a) for a in part] for part in lists]
    here = [None if part is None else [np.array(a, order="K") for a in part] for part in lists]
    getattr(twin, name)(*there, *args)
    getattr(BASE, name)(*here, *args)
    for a, b in zip(there, here, strict=True):
        for x, y in zip(a or [], b or [], strict=True):
            same(x, y, 4)
            if y.dtype.itemsize == 2 and y.size > 100:  # rounded once at the end here and there
                assert (np.array(x) != y).mean() < 0.02


def copied(twin, a):
    """On the twin, as far from the alignment of 16 bytes as `a`."""
    if a.size != 3:
        return twin.from_numpy(a)
    room = twin.from_numpy(np.zeros(4, a.dtype))
    room[1:] = twin.from_numpy(a)
    return room[1:]


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16], ids=str)
@pytest.mark.parametrize("nesterov", [False, True])
def test_sgd(twin, dtype, nesterov):
    lists = states("sgd", dtype, 3)
    for decay, maximize in ((0.0, False), (0.1, True)):
        step(twin, "sgd_step", [*lists[:2], None], 0.1, 0.0, 0.0, decay, False, maximize, False)
        for first in (False, True):
            step(twin, "sgd_step", lists, 0.1, 0.9, 0.0 if nesterov else 0.2, decay, nesterov, maximize, first)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16], ids=str)
@pytest.mark.parametrize("decoupled", [False, True])
def test_adam(twin, dtype, decoupled):
    lists = states("adam", dtype, 5)
    for decay, maximize, tops in ((0.0, False, None), (0.1, True, lists[4])):
        step(twin, "adam_step", [*lists[:4], tops], 3, 0.1, 0.9, 0.99, 1e-8, decay, decoupled, maximize)


@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=str)
@pytest.mark.parametrize("decoupled", [False, True])
@pytest.mark.parametrize("rate", [0.1, np.array(0.1, np.float32)], ids=["number", "array"])
def test_adam_with_counters_on_the_device(twin, dtype, decoupled, rate):
    lists = states("adam", dtype, 5)
    steps = [np.array(2.0 + k, np.float32) for k in range(len(SIZES))]
    for decay, maximize, tops, beta in ((0.0, False, None, 0.9), (0.1, True, lists[4], 0.0)):
        rest = (beta, 0.99, 1e-8, decay, decoupled, maximize)
        there = [[copied(twin, a) for a in part] for part in (*lists[:4], steps)]
        here = [[np.array(a, order="K") for a in part] for part in (*lists[:4], steps)]
        for backend, (*arrays, counts) in ((twin, there), (BASE, here)):
            top = None if tops is None else [copied(twin, a) if backend is twin else a.copy() for a in tops]
            by = twin.from_numpy(rate) if backend is twin and hasattr(rate, "dtype") else rate
            backend.adam_step_on_device(*arrays, top, counts, by, *rest)
        for a, b in zip(there, here, strict=True):
            for x, y in zip(a, b, strict=True):
                same(x, y, 4)


def test_parameters_of_several_dtypes_and_of_one_memory(twin):
    shared = twin.from_numpy(np.arange(12, dtype=np.float32))
    params = [shared[:8], shared[4:], twin.from_numpy(np.ones(5)), twin.from_numpy(np.ones(3, np.float32)[::-1])]
    grads = [twin.xp.ones_like(p) for p in params]
    twin.sgd_step(params, grads, None, 1.0, 0, 0, 0, False, False, False)
    np.testing.assert_array_equal(np.array(shared), [-1, 0, 1, 2, 2, 3, 4, 5, 7, 8, 9, 10])
    assert [float(p[0]) for p in params[2:]] == [0, 0]


# ---- random draws -------------------------------------------------------------------------------------------------------
DRAWS = [("uniform", ()), ("uniform", (-2.0, 5.0)), ("normal", ()), ("normal", (3.0, 0.5))]


@pytest.mark.parametrize("n", [0, 1, 7, 8, 5003])
def test_draws(twin, n):
    for seed, counter in ((1, 0), (2**70 + 5, 2**64 - 3), (7, 2**130 - 2)):
        for dtype in (np.float32, np.float64, np.float16, BFLOAT16):
            for name, args in DRAWS:
                actual, expected = on(twin, name, seed, counter, (n,), np.dtype(dtype), *args)
                if name == "uniform":
                    np.testing.assert_array_equal(np.array(actual), expected)
                same(actual, expected)
            if dtype is BFLOAT16:
                continue
            for p in (0.3, 0.999):
                x = draw("x", (n,), dtype)
                (y, mask), expected = on(twin, "dropout", x, seed, counter, p)
                np.testing.assert_array_equal(np.array(mask), expected[1])
                np.testing.assert_array_equal(np.array(y), expected[0])
        for p in (0.0, 0.3, 1.0):
            np.testing.assert_array_equal(*map(np.array, on(twin, "bernoulli", seed, counter, (n,), p)))
        for low, high in ((0, 10), (-(2**40), 2**40), (-(2**63), 2**63 - 1)):
            for dtype in (np.int64, np.int32, np.float32):
                args = (seed, counter, (n,), np.dtype(dtype), low, high)
                np.testing.assert_array_equal(*map(np.array, on(twin, "randint", *args)))
        np.testing.assert_array_equal(*map(np.array, on(twin, "random_words", seed, counter, n)))


# ---- recurrent layers ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("sizes", [(3, 3, 3), (4, 2, 1), (1,)], ids=str)
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("kind", ["lstm", "gru", "tanh", "relu"])
@pytest.mark.parametrize("biased", [False, True])
def test_recurrent_layers(twin, kind, sizes, reverse, biased):
    gates, n, width = {"lstm": 4, "gru": 3}.get(kind, 1), 5, 6
    name, more = (kind, ()) if gates > 1 else ("rnn", (kind == "relu",))
    x = draw("x", (sum(sizes), width))
    h0 = [draw(k, (sizes[0], n)) for k in range(2 if kind == "lstm" else 1)]
    weights = [draw("ih", (gates * n, width)), draw("hh", (gates * n, n))]
    biases = [draw(k, (gates * n if biased else 0,)) for k in ("b", "c")]
    last = [np.zeros((0, 0), np.float32)] if kind == "lstm" else []
    inputs = [x, *h0, *weights, *biases, *last]
    got, expected = on(twin, name + "_scan", *inputs, *more, sizes, reverse, own=False)
    same(got, expected, 4)
    kept = [np.array(a) for a in expected[1 + len(h0) :]]
    g = [draw("g", expected[0].shape), *[draw(k, h.shape) for k, h in enumerate(h0)]]
    for grads in (g, [None, *g[1:]], [g[0], *[None] * len(h0)]):
        there = [None if a is None else twin.from_numpy(a) for a in grads]
        need = [True] * len(inputs)
        actual = getattr(twin, name + "_scan_backward")(
            there, need, *[twin.from_numpy(a) for a in (*inputs, *kept)], *more, sizes, reverse
        )
        wanted = getattr(BASE, name + "_scan_backward")(grads, need, *inputs, *kept, *more, sizes, reverse)
        for a, e in zip(actual, wanted, strict=True):
            assert (a is None) == (e is None)
            if e is not None:
                same(a, e, 8)


# ---- pointwise ----------------------------------------------------------------------------------------------------------
NUMBERS = {
    "elu": (1.5, 1.1, 0.9), "leaky_relu": (0.1,), "softplus": (2.0, 3.0), "hardtanh": (-0.5, 0.7), "hardshrink": (0.5,),
    "softshrink": (0.5,), "threshold_": (0.2, 9.0), "smooth_l1": (0.7,), "clamp": (-0.5, 0.7),
}  # fmt: skip
UNARY = (
    "relu sigmoid normal_cdf gelu gelu_tanh silu mish elu leaky_relu softplus log_sigmoid hardtanh hardsigmoid hardswish "
    "hardshrink softshrink threshold_ soft_hinge smooth_l1 clamp"
).split()
BINARY = (
    "relu_backward sigmoid_backward tanh_backward gelu_backward gelu_tanh_backward silu_backward bce_logits".split()
)


@pytest.mark.parametrize("name", [*UNARY, *BINARY])
def test_pointwise(twin, name):
    more = {
        "gelu": [np.float64, np.float16],
        "relu": [BFLOAT16],
        "silu_backward": [BFLOAT16],
        "bce_logits": [np.float16, BFLOAT16],
        "clamp": [np.float16],
    }
    for dtype in (np.float32, *more.get(name, [])):
        edges = [0.0, -0.0, np.nan, np.inf, -np.inf, 30.0, -30.0, 90.0, -90.0, 0.5, -0.5]
        if name in BINARY or name == "mish":  # where inf meets 0 formulas differ
            edges = edges[:3]
        for x in (
            np.array(edges, dtype),
            draw(name, (3, 700), dtype),
            draw(name, (40, 30), dtype).T,
            draw(name, (), dtype),
        ):
            arrays = (x,) if name in UNARY else (draw("g", x.shape, dtype), x)
            own = name != "bce_logits" or dtype is np.float32
            actual, expected = on(twin, name, *arrays, *NUMBERS.get(name, ()), own=own)
            same(actual, expected, 2)
        assert (
            getattr(twin, name)(*[twin.from_numpy(np.zeros((0, 3), dtype))] * len(arrays), *NUMBERS.get(name, ())).size
            == 0
        )


def test_pointwise_keeps_the_layout(twin):
    x = twin.from_numpy(draw("x", (2, 5, 3, 4))).transpose(0, 3, 1, 2)
    assert twin.silu(x).strides == x.strides
    part = twin.silu(x[:, ::2])
    assert part.transpose(0, 2, 3, 1).flags.c_contiguous
    same(part, BASE.silu(np.array(x[:, ::2])))
    wide = twin.xp.broadcast_to(x[:1], (3, *x.shape[1:]))
    same(twin.silu(wide), BASE.silu(np.array(wide)))
    g = twin.xp.ascontiguousarray(x)
    same(twin.tanh_backward(g, x), BASE.tanh_backward(np.array(g), np.array(x)))


def test_clamp_with_one_bound(twin):
    x = draw("x", (5, 9))
    for lo, hi in ((None, 0.5), (-0.5, None), (None, None), (0.7, -0.7), (float("nan"), 1.0)):
        same(*on(twin, "clamp", x, lo, hi, own=None not in (lo, hi) and lo <= hi))


def test_losses_and_averages(twin):
    x, t, p = draw("x", (7, 9)), draw("t", (7, 9)), np.abs(np.tanh(draw("p", (7, 9))))
    same(*on(twin, "binary_cross_entropy", p, t))
    same(*on(twin, "binary_cross_entropy", np.array([0, 1, 1, np.nan], np.float32), np.array([1, 0, 1, 1], np.float32)))
    for g, reduction in ((draw("g", ()), 1), (draw("g", ()), 2), (draw("g", (7, 9)), 0)):
        same(*on(twin, "mse_loss_backward", g, x, t, reduction))
    for a, b in (
        (x, t),
        (draw("x", 20001), draw("t", 20001)),
        (x.astype(np.float64), t.astype(np.float64)),
        (x.T, t.T),
    ):
        for reduction in (0, 1, 2):
            same(*on(twin, "mse_loss", a, b, reduction))
    for a, b in ((x[1:], t[0]), (x[:0], t[:0]), (x.astype(np.float16), t.astype(np.float16))):  # left to the base
        same(*on(twin, "mse_loss", a, b, 2, own=False))
    same(*on(twin, "mse_loss", np.array([1, np.nan], np.float32), np.ones(2, np.float32), 1))
    same(*on(twin, "masked_scale", np.where(x > 1, np.nan, x).astype(np.float32), t > 0, 1.25))
    for dtype in (np.float16, BFLOAT16):
        same(*on(twin, "masked_scale", x.astype(dtype), t > 0, 1.3))
    running, value = draw("r", (9,)), draw("v", (9,))
    there = twin.from_numpy(running)
    twin.move_average(there, twin.from_numpy(value), 0.9, 0.11)
    BASE.move_average(running, value, 0.9, 0.11)
    same(there, running)


# ---- layer norm without the plain result ----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("dtype", "shape", "kept"),
    [*[(np.float32, *n) for n in NORMS], (np.float64, *NORMS[2]), (np.float16, *NORMS[1]), (np.float16, *NORMS[4]), (BFLOAT16, *NORMS[2]),
     (np.float16, (3, 4104), 1)],
    ids=str,
)  # fmt: skip
def test_layer_norm_from_its_input(twin, shape, kept, dtype):
    dims = tuple(range(kept, len(shape)))
    x, g = draw((shape, 0), shape) + 3, draw((shape, 1), shape)
    w, b = draw((shape, 2), shape[kept:]), draw((shape, 3), shape[kept:])
    x, g, w, b = (a.astype(dtype) for a in (x, g, w, b))
    got, expected = on(twin, "rows_normalize", x, w, b, dims, 1e-5)
    same(got, expected)
    mean, var = (np.asarray(a) for a in expected[1:])
    held = w.size <= 8192  # in registers
    same(*on(twin, "rows_normalize_backward", g, x, w, mean, var, dims, 1e-5, own=held), scale=8)
    got, expected = on(twin, "rows_rms", x, w, dims, 1e-5)
    same(got, expected)
    same(*on(twin, "rows_rms_backward", g, x, w, np.asarray(expected[1]), dims, 1e-5, own=held), scale=8)


def test_layer_norm_on_tensors(twin):
    """The derivatives of layer norm where its input alone is kept."""
    import polytensor as torch
    from polytensor import devices
    from polytensor.testing import gradcheck, gradgradcheck

    devices.register_backend("twin", type(twin))
    try:
        with devices.use_backend("twin"):
            inputs = [
                torch.tensor(draw(k, s, np.float64), device=devices.backend_device("twin"), requires_grad=True)
                for k, s in enumerate([(3, 2, 4), (2, 4), (2, 4)])
            ]
            assert inputs[0].is_cuda
            norm = lambda x, w, b: torch.nn.functional.layer_norm(x, (2, 4), w, b)  # noqa: E731
            assert gradcheck(norm, inputs)
            assert gradgradcheck(norm, inputs)
            rms = lambda x, w: torch.nn.functional.rms_norm(x, (2, 4), w, 0.1)  # noqa: E731
            assert gradcheck(rms, inputs[:2])
            assert gradgradcheck(rms, inputs[:2])
            for act in (torch.nn.functional.silu, torch.nn.functional.gelu, torch.nn.GELU("tanh")):
                x = torch.tensor(draw("act", (3, 50)), device=inputs[0].device).bfloat16().requires_grad_()
                wide = x.detach().float().requires_grad_()
                y = act(x)
                y.sum().backward()
                act(wide).sum().backward()
                assert y.dtype is x.grad.dtype is torch.bfloat16
                same(x.grad.float()._a, wide.grad.bfloat16().float()._a, 400)
            half = [x.detach().half().requires_grad_() for x in inputs]
            norm(*half).sum().backward()
            assert [x.grad.dtype for x in half] == [torch.float16] * 3
    finally:
        devices._factories.pop("twin")


# ---- launches -------------------------------------------------------------------------------------------------------------
def test_an_optimizer_steps_all_arrays_at_once(twin, launches):
    lists = [[twin.from_numpy(draw((k, i), (3, i + 1))) for i in range(40)] for k in range(4)]
    lists[3] = [abs(a) for a in lists[3]]
    before = twin._small_tables().kept.copy()
    for _ in range(2):
        twin.adam_step(*lists, None, 1, 0.1, 0.9, 0.99, 1e-8, 0.0, False, False)
    assert launches == ["adam_many"] * 2
    assert len(twin._small_tables().kept) <= len(before) + 3  # the second step finds what the first one made


def test_tables_belong_to_a_stream(twin, launches, monkeypatch):
    """Nothing orders the copy to the device of one stream before the reads of another, nor those before memory is used again."""
    step = [twin.from_numpy(draw(k, (5,))) for k in range(2)]
    x, plan = twin.from_numpy(draw("x", (2, 4))), pad_plan(4, 1, 2, "reflect")
    find = lambda: [id(a) for a in (twin._addresses((step[0].data.ptr,)), *twin._table(plan, np.dtype(np.float32)))]  # noqa: E731
    twin.resample(x, 1, plan), twin.sgd_step(step[:1], step[1:], None, 0.1, 0.0, 0.0, 0.0, False, False, False)
    first = find()
    assert find() == first
    monkeypatch.setattr(twin, "stream", 1, raising=False)
    assert not set(find()) & set(first)


def test_a_step_of_a_recurrent_layer_is_one_product_and_one_kernel(twin, launches):
    arrays = [draw(k, s) for k, s in enumerate([(12, 6), (3, 5), (3, 5), (20, 6), (20, 5), (20,), (20,), (0, 0)])]
    twin.lstm_scan(*[twin.from_numpy(a) for a in arrays], (3,) * 4, False)
    assert [name for name in launches if name.startswith("lstm")] == ["lstm_cell"] * 4


@pytest.mark.parametrize("dtype", NEAR)
def test_softmax_norms_and_losses_launch_little(twin, launches, dtype):
    kind = getattr(dtypes, dtype).array
    for n in (4096, 64):
        x, w = twin.from_numpy(draw("x", (8, n), kind)), twin.from_numpy(draw("w", (n,), kind))
        for dim, kernel in enumerate(("softmax_columns", "softmax_rows")):
            for name in ("softmax", "log_softmax"):
                getattr(twin, name + "_backward")(x, getattr(twin, name)(x, dim), dim)
                assert launches == [kernel, kernel + "_backward"]
                launches.clear()
        out, mean, var = twin.rows_normalize(x, w, w, (1,), 1e-5)
        twin.rows_normalize_backward(out, x, w, mean, var, (1,), 1e-5)
        assert launches == ["norm_rows", "norm_rows_backward", "add_parts"]
        launches.clear()
    t = twin.from_numpy(np.arange(8))
    loss, logp = twin.cross_entropy(x, t, -100, 1)
    twin.cross_entropy_backward(loss, logp, t, -100, 1)
    assert launches == ["softmax_rows", "nll", "nll_backward"]
    launches.clear()
    if kind.itemsize == 2:
        return  # the base kernel: mse_loss takes no 16 bits
    loss = twin.mse_loss(x, x, 1)
    twin.mse_loss_backward(loss, x, x, 1)
    assert launches == ["mse_loss", "map_mse_loss_backward"]


# ---- choices --------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.int64, np.bool_], ids=str)
def test_where_by_packs_and_alone(twin, launches, dtype):
    x, y, c = draw("x", (6, 48)), draw("y", (6, 48)), draw("c", (6, 48)) > 0
    x, y = (np.asarray(a > 0 if dtype == np.bool_ else a * 9).astype(dtype) for a in (x, y))
    for a, b, which in ((x, y, c), (x[:, :47].copy(), y[0, :47].copy(), c[:, :47].copy()), (x, y[1], c[0]), (x[2, 3], y, c),
                        (x, y[:1, :1], c[:1, :1]), (x[0], y[1], c)):  # fmt: skip
        there = [twin.from_numpy(np.array(v)) for v in (which, a, b)]
        np.testing.assert_array_equal(np.array(twin.where(*there)), np.where(which, a, b))
        at = [twin.from_numpy(np.append(v.ravel()[:1], v)) for v in (which, a, b)]
        shifted = [v[1:] for v in at]  # begin where no pack does
        if a.shape == b.shape == which.shape:
            np.testing.assert_array_equal(np.array(twin.where(*shifted)).reshape(a.shape), np.where(which, a, b))
    assert "choose" in launches
