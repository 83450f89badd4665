"""Products on cuBLAS without a GPU: what is asked of the library gives NumPy's values, for every layout of the operands."""

import ctypes
import re
import threading
from itertools import product

import numpy as np
import pytest

pytest.importorskip("cupy")
from cupy_twin import Array, TwinBackend, plain
from fake_cublas import FakeCublas, FakeLight, fake_blas

import polytensor
from polytensor.backends.cupy import cublas, cublaslt, gemm
from polytensor.backends.cupy.cublas import CublasError
from polytensor.backends.cupy.cublaslt import declared

RNG = np.random.default_rng(0)
DTYPES = ["float16", "float32", "float64", "complex64", "complex128"]
if polytensor.bfloat16.array is not None:
    DTYPES.append("bfloat16")


@pytest.fixture
def backend():
    twin = TwinBackend()
    twin._blas = fake_blas()
    return twin


def calls(backend):
    """The products that were asked for, without the calls that set the handle up."""
    return [(name, args) for name, args in backend._blas.entries.calls if "Gemm" in name]


def same(x, y):
    return np.array_equal(plain(x), plain(y))


def values(shape, dtype="float32"):
    x = RNG.integers(-4, 5, shape)
    if dtype.startswith("complex"):
        x = x + 1j * RNG.integers(-4, 5, shape)
    return np.asarray(x).astype(getattr(polytensor, dtype).array)


def laid(x, layout):
    """The array with its last two dimensions in a given layout."""
    if x.ndim == 1:
        out = (
            np.repeat(x, 3)[::3] if layout in ("wide", "steps") else x[::-1].copy()[::-1] if layout == "reversed" else x
        )
    elif layout == "rows":
        out = np.ascontiguousarray(x)
    elif layout == "columns":
        out = np.ascontiguousarray(x.swapaxes(-1, -2)).swapaxes(-1, -2)
    elif layout == "wide":  # rows of a larger matrix
        out = np.concatenate([x, x[..., :3]], -1)[..., : x.shape[-1]]
    elif layout == "tall":  # columns of a larger matrix
        out = laid(np.concatenate([x, x[..., :3, :]], -2), "columns")[..., : x.shape[-2], :]
    elif layout == "steps":  # every second column: neither order of cuBLAS
        out = np.repeat(x, 2, -1)[..., ::2]
    elif layout == "reversed":
        out = x[..., ::-1, :].copy()[..., ::-1, :]
    elif layout == "inner":  # (..., rows, batch, columns) in memory, as heads of attention lie
        out = np.ascontiguousarray(x.swapaxes(-2, -3)).swapaxes(-2, -3) if x.ndim > 2 else x
    assert same(out, x)
    return out.view(Array)


LAYOUTS = ["rows", "columns", "wide", "tall", "steps", "reversed", "inner"]
COPIED = {"steps", "reversed"}
SHAPES = [
    ((4, 3), (3, 5)), ((2, 4, 3), (3, 5)), ((4, 3), (2, 3, 5)), ((2, 4, 3), (2, 3, 5)), ((2, 3, 4, 3), (2, 3, 3, 5)),
    ((2, 1, 4, 3), (3, 3, 5)), ((2, 3, 1, 3), (1, 3, 3, 5)), ((1, 3), (3, 1)), ((4, 1), (1, 5)), ((4, 3), (3, 1)),
    ((1, 3), (3, 5)), ((2, 1, 3), (3, 5)), ((2, 4, 3), (2, 3, 1)), ((1, 1), (1, 1)), ((2, 1, 2, 4, 3), (3, 1, 3, 5)),
]  # fmt: skip


@pytest.mark.parametrize(("ashape", "bshape"), SHAPES)
def test_every_layout(backend, ashape, bshape):
    a, b = values(ashape), values(bshape)
    expected = a @ b
    for la, lb in product(LAYOUTS, LAYOUTS):
        x, y = laid(a, la), laid(b, lb)
        got = backend.matmul(x, y)
        assert same(got, expected), (la, lb)
        assert got.shape == expected.shape
        assert got.flags.c_contiguous
        given = {p for _, args in calls(backend) for p in args[7:] if isinstance(p, int)}
        backend._blas.entries.calls.clear()
        if la not in COPIED and lb not in COPIED:
            assert {x.data.ptr, y.data.ptr} <= given, (la, lb)  # read where they are


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("ashape", "bshape"), [((3,), (3,)), ((4, 3), (3,)), ((3,), (3, 5)), ((2, 4, 3), (3,)),
                                                ((3,), (2, 3, 5)), ((4, 3), (3, 5)), ((2, 4, 3), (2, 3, 5))])  # fmt: skip
def test_ranks_and_dtypes(backend, dtype, ashape, bshape):
    a, b = values(ashape, dtype), values(bshape, dtype)
    wide = dtype if a.dtype.itemsize > 2 else "float32"
    expected = np.asarray(a.astype(wide) @ b.astype(wide)).astype(a.dtype)
    for la, lb in product(("rows", "columns", "steps"), repeat=2):
        got = backend.matmul(laid(a, la), laid(b, lb))
        assert type(got) is Array
        assert got.dtype == a.dtype
        assert got.shape == expected.shape
        assert same(got, expected)
    assert len(calls(backend)) == 9
    assert {args[-2] for _, args in calls(backend)} == {70 if dtype in ("float64", "complex128") else 68}


@pytest.mark.parametrize(("ashape", "bshape"), [((0, 3), (3, 2)), ((2, 0), (0, 3)), ((0,), (0,)), ((2, 3), (3, 0)),
                                                ((0, 2, 3), (3, 4)), ((2, 2, 0), (2, 0, 3))])  # fmt: skip
def test_empty_products_ask_for_nothing(backend, ashape, bshape):
    got = backend.matmul(values(ashape).view(Array), values(bshape).view(Array))
    assert same(got, np.zeros(ashape) @ np.zeros(bshape))
    assert not calls(backend)


@pytest.mark.parametrize(("ashape", "bshape"), [((4, 3), (3, 5)), ((3, 4, 3), (3, 3, 5)), ((2, 3, 4, 3), (3, 5))])
@pytest.mark.parametrize("add", [False, True])
def test_into_an_array(backend, ashape, bshape, add):
    a, b = values(ashape), values(bshape)
    before = values((a @ b).shape)
    for la, lb, lc in product(("rows", "columns", "wide"), ("rows", "columns"), LAYOUTS):
        out = laid(before.copy(), lc)
        assert backend.product(laid(a, la), laid(b, lb), out, add) is out
        assert same(out, a @ b + before * add), (la, lb, lc)
    assert same(backend.xp.matmul(a.view(Array), b.view(Array), out=out), a @ b)


def test_expanded_operands_are_not_written_out(backend, monkeypatch):
    a, b = values((4, 3)), values((3, 5))
    wide = np.broadcast_to(a[:, ::-1], (7, 4, 3)).view(Array)
    seen = []
    whole = np.ascontiguousarray
    monkeypatch.setattr(np, "ascontiguousarray", lambda x: (seen.append(x.shape), whole(x))[1])
    got = backend.matmul(wide, np.broadcast_to(b, (7, 3, 5)).view(Array))
    assert same(got, np.broadcast_to(a[:, ::-1] @ b, (7, 4, 5)))
    assert all(s in ((4, 3), (1, 4, 3)) for s in seen)


def test_the_fewest_calls(backend):
    """Rows of many matrices with one on the right are one product; a batch is one call, whatever its dimensions."""

    def asked(a, b):
        backend._blas.entries.calls.clear()
        assert same(backend.matmul(a.view(Array), b.view(Array)), a @ b)
        return [(name, args[3:6]) for name, args in calls(backend)]

    a = values((6, 5, 4, 3))
    assert asked(a, values((3, 2))) == [("cublasGemmEx", (2, 120, 3))]
    assert asked(a[:, :1, :1], values((3, 2))) == [("cublasGemmEx", (2, 6, 3))]
    assert asked(a, values((6, 5, 3, 2))) == [("cublasGemmStridedBatchedEx", (2, 4, 3))]
    assert asked(a, values((6, 1, 3, 2))) == [("cublasGemmStridedBatchedEx", (2, 20, 3))]
    assert asked(a[0], values((2, 3)).T) == [("cublasGemmEx", (2, 20, 3))]


def test_large_batches_are_split(backend):
    a, b = values((70000, 1, 1)), values((70000, 1, 2))
    assert same(backend.matmul(a.view(Array), b.view(Array)), a @ b)
    assert [args[-3] for _, args in calls(backend)] == [65535, 4465]


@pytest.mark.parametrize("light", [None, False])
def test_addmm_and_linear(backend, light):
    """With a bias of one dimension in one call, where cublasLt is there."""
    backend._blas = fake_blas()
    if light is False:
        backend._blas.light = None
    x, w, b, m = values((4, 3)), values((5, 3)), values((5,)), values((4, 5))
    x, w, b, m = (v.view(Array) for v in (x, w, b, m))
    kept = m.copy()
    assert same(backend.addmm(m, x, w.T), m + x @ w.T)
    assert same(m, kept)
    assert len(calls(backend)) == 1
    for y in (backend.addmm(b, x, w.T), backend.linear(x, w, b), backend.linear(x, w, b)):
        assert same(y, plain(x) @ plain(w).T + plain(b))
    assert len(calls(backend)) == (1 if light is None else 4)
    assert light is False or len(set(backend._blas.light.calls)) == 1  # made ready once
    assert same(backend.addmm(b[:1], x, w.T), plain(x) @ plain(w).T + plain(b)[:1])
    assert backend.linear(values((2, 3, 3)).view(Array), w, None).shape == (2, 3, 5)


@pytest.mark.parametrize("dtype", [*DTYPES, "int64"])
def test_linear_with_a_bias_in_every_layout(backend, dtype):
    x, w, b = values((2, 8, 12), dtype), values((4, 12), dtype), values((4,), dtype)
    wide = dtype if x.dtype.itemsize > 2 else "float32"
    expected = np.asarray(x.astype(wide) @ w.astype(wide).T + b.astype(wide)).astype(x.dtype)
    for la, lb, lc in product(LAYOUTS, ("rows", "columns", "steps"), ("rows", "steps")):
        assert same(backend.linear(laid(x, la), laid(w, lb), laid(b, lc)), expected), (la, lb, lc)
    taken = len(backend._blas.light.calls)
    assert taken == 0 if dtype.startswith(("complex", "int")) else taken >= 2


def test_a_bias_rounds_once(backend):
    x, w, b = (np.full(s, v, "float16") for s, v in (((8, 8), 1), ((8, 8), 0), ((8,), -0.75)))
    w[:, 0], w[:, 1] = 2048, 3
    assert (plain(backend.linear(*(v.view(Array) for v in (x, w, b)))) == 2050).all()  # 2051 alone would become 2052
    assert len(backend._blas.light.calls) == 1


def test_what_cublaslt_refuses_is_done_in_two_steps(backend):
    x, w, b = (values(s).view(Array) for s in ((8, 8), (8, 8), (9,)))
    expected = plain(x) @ plain(w).T + plain(b)[1:]
    assert same(backend.linear(x, w, b[1:]), expected)  # a bias that is not aligned
    assert not backend._blas.light.calls
    b = b[1:].copy()
    for light in ({"algorithms": 0}, {"status": 15}):
        entries = FakeCublas()
        backend._blas = fake_blas(entries, light=declared(FakeLight(entries, **light)))
        gemm.plan.cache_clear()
        for _ in range(3):
            assert same(backend.linear(x, w, b), expected)
        assert len(calls(backend)) == 3
        assert len(backend._blas.light.calls) == ("status" in light)
    backend._blas = fake_blas(entries, light=declared(FakeLight(entries, status=13)))
    with pytest.raises(CublasError, match=r"CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasLtMatmul\("):
        backend.linear(x, w, b)
    gemm.plan.cache_clear()
    assert not backend._blas.light.made  # all descriptors are gone


def test_a_table_of_addresses(backend):
    """Batches that no one stride steps through: heads of attention, and operands that repeat in turn."""
    for shape, other in (
        ((6, 5, 4, 3), (6, 5, 3, 2)),
        ((6, 1, 5, 1, 4, 3), (5, 1, 5, 3, 2)),
        ((5, 6, 1, 3), (6, 3, 4)),
    ):
        a, b = values(shape), values(other)
        for la, lb in (("inner", "inner"), ("inner", "rows"), ("rows", "columns")):
            backend._blas.entries.calls.clear()
            assert same(backend.matmul(laid(a, la), laid(b, lb)), a @ b)
            assert len(calls(backend)) <= 5
            if la == lb == "inner" and len(shape) == 4:
                assert [name for name, _ in calls(backend)] == ["cublasGemmBatchedEx"]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("op", "bshape", "xshape", "yshape"), [
    ("addmm", (4, 5), (4, 3), (3, 5)), ("addmm", (5,), (4, 3), (3, 5)), ("addmm", (4, 1), (4, 3), (3, 5)),
    ("addmv", (4,), (4, 3), (3,)), ("addmv", (), (4, 3), (3,)), ("baddbmm", (2, 4, 5), (2, 4, 3), (2, 3, 5)),
    ("baddbmm", (5,), (2, 4, 3), (2, 3, 5)), ("addmm", (4, 5), (4, 0), (0, 5)),
])  # fmt: skip
def test_factors_go_into_the_product(backend, dtype, op, bshape, xshape, yshape):
    """One call without a pass before or after it, on operands as they lie; what is multiplied by 0 is not read."""
    b, x, y = values(bshape, dtype), values(xshape, dtype), values(yshape, dtype)
    wide = dtype if x.dtype.itemsize > 2 else "float32"
    whole = np.asarray(x.astype(wide) @ y.astype(wide))
    for name in ("mul", "add", "multiply"):
        backend.__dict__[name] = backend.xp.__dict__[name] = None
    for layout, (beta, alpha) in product(("rows", "columns"), ((1, 1), (0.5, -1.5), (1, 2), (2, 1), (0, 1), (0, 0.5))):
        backend._blas.entries.calls.clear()
        left, right = laid(x, layout), laid(y, layout)
        given = b if beta else np.full_like(b, np.nan)
        got = getattr(backend, op)(given.view(Array), left, right, beta, alpha)
        expected = (alpha * whole + (beta * b.astype(wide) if beta else 0)).astype(x.dtype)
        assert same(got, expected) and got.dtype == x.dtype and got.flags.c_contiguous
        if whole.size and x.size and not backend._blas.light.calls:
            ((name, args),) = calls(backend)
            assert {left.data.ptr, right.data.ptr} <= {p for p in args[7:] if isinstance(p, int)}
        backend._blas.light.calls.clear()
    if x.dtype.kind == "c":
        got = getattr(backend, op)(b.view(Array), x.view(Array), y.view(Array), 1j, 2 - 1j)
        assert same(got, (2 - 1j) * whole + 1j * b)


@pytest.mark.parametrize("op", ["addmm", "addmv", "baddbmm"])
@pytest.mark.parametrize("layout", ["rows", "columns", "steps"])
def test_products_are_added_in_place(op, layout, monkeypatch):
    """Into the tensor's own memory, unless it is an operand too or somebody wants gradients; out=input is the same."""
    t = polytensor
    polytensor.devices.register_backend("twin", TwinBackend)
    try:
        dev = polytensor.devices.backend_device("twin")
        shapes = {"addmm": ((4, 4), (4, 4), (4, 4)), "addmv": ((4,), (4, 4), (4,)), "baddbmm": ((2, 4, 4),) * 3}[op]
        hosts = [values(s) for s in shapes]
        b, x, y = (t.from_numpy(h).to(dev) for h in hosts)
        b._a = laid(np.array(b._a), layout)
        expected = 0.5 * hosts[0] - 2 * (hosts[1] @ hosts[2])
        copies = []
        monkeypatch.setattr(
            dev.backend, "addmm", lambda *args: copies.append(1) or TwinBackend.addmm(dev.backend, *args)
        )
        monkeypatch.setattr(dev.backend, op, dev.backend.addmm)
        place, version = b._a.data.ptr, b._version
        assert getattr(b, op + "_")(x, y, beta=0.5, alpha=-2) is b and same(b._a, expected) and not copies
        assert b._a.data.ptr == place and b._version == version + 1
        assert getattr(t, op)(b, x, y, beta=0, out=b) is b and same(b._a, hosts[1] @ hosts[2]) and not copies
        before = np.array(y._a)
        getattr(y, op + "_")(x, y) if op != "addmv" else y.addmv_(x, y)
        assert same(y._a, before + hosts[1] @ before) and copies
        w = b.clone().requires_grad_()
        out = getattr(w * 1, op + "_")(x, y, alpha=3)
        assert out.grad_fn is not None and t.autograd.grad(out.sum(), w)[0].eq(1).all()
        with pytest.raises(RuntimeError):
            getattr(b[..., :1], op + "_")(x, y)
        with pytest.raises(RuntimeError):
            getattr(w, op + "_")(x, y)
    finally:
        polytensor.devices._factories.pop("twin")


def test_factors_of_many_products(backend):
    """Tables of addresses and calls in turn take them too; a call that is ready takes each time what it is given."""
    gemm.plan.cache_clear()
    for shape in ((2, 3, 4, 3), (6, 5, 4, 3)):
        x, y = values(shape), values((*shape[:-2], 3, 5))
        b = values((*shape[:-1], 5))
        for alpha, beta in ((2, 0.5), (-1, 3), (0.25, 1)):
            for layout in ("rows", "inner"):
                out = laid(b.copy(), "inner")
                backend.product(laid(x, layout), laid(y, "inner"), out, beta, alpha=alpha)
                assert same(out, alpha * (x @ y) + beta * b)


def test_more_dimensions_than_a_table_takes(backend):
    shape = (2, 1, 3, 1, 2, 1, 3, 1, 2, 2)
    other = (3, 1, 2, 1, 2, 1, 2, 1, 3, 2, 2)
    for dtype in ("float32", "int32"):
        a, b = values(shape, dtype), values(other, dtype)
        assert same(backend.matmul(a.view(Array), b.view(Array)), a @ b)


@pytest.mark.parametrize("dtype", [d for d in DTYPES if "float16" in d])
def test_sixteen_bits_into_float32(backend, dtype):
    a, b = values((6, 5, 4, 3), dtype) / 3, values((6, 5, 3, 2), dtype) / 3
    a, b = a.astype(values(1, dtype).dtype), b.astype(values(1, dtype).dtype)
    expected = a.astype("float32") @ b.astype("float32")
    for layout, lc in product(("rows", "inner"), ("rows", "columns", "steps")):
        out = laid(np.ones_like(expected), lc)
        backend.product(laid(a, layout), laid(b, layout), out, True)
        np.testing.assert_allclose(plain(out), expected + 1, rtol=1e-6)


@pytest.mark.parametrize("dtype", gemm.INTEGERS)
def test_integers(backend, dtype):
    big = np.iinfo(dtype).max
    for ashape, bshape in (
        *SHAPES,
        ((3,), (3,)),
        ((4, 3), (3,)),
        ((3,), (2, 3, 5)),
        ((20, 33), (33, 18)),
        ((2, 0), (0, 3)),
    ):
        a, b = (RNG.integers(0, big, s, dtype, endpoint=True) for s in (ashape, bshape))
        for la, lb in (("rows", "columns"), ("steps", "rows"), ("inner", "reversed")):
            got = backend.matmul(laid(a, la), laid(b, lb))
            assert got.dtype == dtype
            assert same(got, a @ b)
    assert not calls(backend)


def test_mixed_dtypes(backend):
    a, b = values((4, 3), "int64"), values((3, 5), "int64")
    got = backend.matmul(a.astype("float32").view(Array), b.astype("float64").view(Array))
    assert got.dtype == np.float64
    assert same(got, a @ b)
    assert same(backend.matmul((a > 0).view(Array), (b > 0).view(Array)), (a > 0) @ (b > 0))


def test_tf32_only_when_asked_for(backend):
    a, b = values((4, 3)).view(Array), values((3, 5)).view(Array)
    for set_, reset in (
        (lambda: setattr(polytensor.backends.cuda.matmul, "allow_tf32", True),
         lambda: setattr(polytensor.backends.cuda.matmul, "allow_tf32", False)),
        (lambda: polytensor.set_float32_matmul_precision("high"),
         lambda: polytensor.set_float32_matmul_precision("highest")),
    ):  # fmt: skip
        backend.matmul(a, b)
        try:
            set_()
            third = np.float32(1) / 3
            y = backend.matmul((a * 0 + third).view(Array), (b * 0 + 1).view(Array))
            backend.matmul(a.astype(np.float64).view(Array), b.astype(np.float64).view(Array))
        finally:
            reset()
        assert [args[-2] for _, args in calls(backend)] == [68, 77, 70]
        assert y[0, 0] != third * 3
        backend._blas.entries.calls.clear()


def test_streams_and_workspaces():
    where = [(0, 0)]
    blas = fake_blas(place=lambda: where[0])
    entries = blas.entries
    handle = blas.handle().address
    assert blas.handle().address == handle
    assert [name for name, _ in entries.calls] == [
        "cublasCreate_v2", "cublasSetMathMode", "cublasSetStream_v2", "cublasSetWorkspace_v2",
    ]  # fmt: skip
    assert entries.handles[handle]["math"] == 16
    first = entries.handles[handle]["space"]
    where[0] = (0, 0x500)
    assert blas.handle().address == handle
    other = entries.handles[handle]
    assert other["stream"] == 0x500
    assert other["space"] not in (None, first)  # two streams at once may not share one
    where[0] = (0, 0)
    assert entries.handles[blas.handle().address]["space"] == first
    where[0] = (1, 0)
    assert blas.handle().address != handle  # a handle belongs to its device

    where[0] = (0, 0)
    old = blas.forget_workspaces()
    assert {p.ptr for p in old} >= {first[0], other["space"][0]}
    assert entries.handles[blas.handle().address]["space"][0] not in {p.ptr for p in old}


def test_a_stream_without_a_workspace_is_not_taken_for_the_last_one():
    where = [(0, 0)]
    blas = fake_blas(place=lambda: where[0])
    handle, allocate = blas.handle(), blas.allocate
    where[0], blas.allocate = (0, 0x500), lambda size: 1 / 0
    with pytest.raises(ZeroDivisionError):
        blas.handle()
    where[0], blas.allocate = (0, 0), allocate
    assert blas.handle() is handle and blas.entries.handles[handle.address]["stream"] == 0


def test_few_workspaces_are_kept():
    where = [(0, 0)]
    blas = fake_blas(place=lambda: where[0])
    for stream in range(20):
        where[0] = (0, stream)
        handle = blas.handle()
        assert blas.entries.handles[handle.address]["space"] == (handle.space, blas.size)
    assert len(handle.spaces) == cublas.MOST_STREAMS


def test_threads_have_their_own_handles_and_leave_them_behind():
    blas = fake_blas()
    mine, found = blas.handle().address, []
    for _ in range(2):
        thread = threading.Thread(target=lambda: found.append(blas.handle().address))
        thread.start()
        thread.join()
    assert found[0] == found[1] != mine


def test_no_workspace_where_none_is_wanted():
    blas = fake_blas(size=0)
    assert blas.entries.handles[blas.handle().address]["space"] == (None, 0)
    assert cublas.workspace_size(":0:0", 90) == 0
    assert cublas.workspace_size(":4096:2:16:8", 90) == (8192 + 128) << 10
    assert cublas.workspace_size(None, 90) == 32 << 20
    for bad in ("", "4096:2", ":4096", ":a:b"):
        with pytest.raises(ValueError, match="CUBLAS_WORKSPACE_CONFIG"):
            cublas.workspace_size(bad, 90)


def test_errors_have_names(backend):
    a, b = values((4, 3)).view(Array), values((3, 5)).view(Array)
    backend._blas = fake_blas(FakeCublas(fail={"cublasGemmEx": 13}))
    with pytest.raises(
        CublasError, match=r"CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasGemmEx\(handle, n, n, 5, 4, 3"
    ):
        backend.matmul(a, b)
    backend._blas = fake_blas(FakeCublas(fail={"cublasCreate_v2": 1}))
    with pytest.raises(RuntimeError, match="CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate"):
        backend.matmul(a, b)
    with pytest.raises(ValueError, match=r"\(4, 3\) and \(4, 3\)"):
        backend.matmul(a, a)


def test_large_dimensions_take_the_64_bit_entries():
    kind, wide = cublas.KINDS["float32"], 2**31
    for large in (True, False):
        entries = FakeCublas(large, fail={"cublasGemmEx_64": 15, "cublasGemmStridedBatchedEx_64": 15})
        blas = fake_blas(entries)
        for batch in (None, (2, wide, 3, wide)):
            match = f"NOT_SUPPORTED when calling .*_64.*{wide}" if large else "needs cuBLAS 12"
            with pytest.raises(CublasError, match=match):
                ready = blas.ready(
                    blas.handle(), kind, (0, 0), (wide, 1, 3), (wide, 3, wide), False, False, batch=batch
                )
                ready(512, 512, 512)
    way = gemm.plan(((3, 2**31), (2**33, 4)), ((2**31, 2), (8, 4)), None, kind)
    assert way.sizes == (2, 3, 2**31)
    assert way.leads == (2, 2**31, 2)


PROTOTYPES = """
cublasCreate_v2(handle_t* handle)
cublasSetStream_v2(handle_t handle, stream_t stream)
cublasSetWorkspace_v2(handle_t handle, void* workspace, size_t bytes)
cublasSetMathMode(handle_t handle, enum mode)
cublasGemmEx(handle_t handle, enum transa, enum transb, int m, int n, int k, void* alpha, void* A, enum Atype, int lda,
    void* B, enum Btype, int ldb, void* beta, void* C, enum Ctype, int ldc, enum compute, enum algo)
cublasGemmStridedBatchedEx(handle_t handle, enum transa, enum transb, int m, int n, int k, void* alpha, void* A,
    enum Atype, int lda, longlong strideA, void* B, enum Btype, int ldb, longlong strideB, void* beta, void* C,
    enum Ctype, int ldc, longlong strideC, int count, enum compute, enum algo)
cublasGemmBatchedEx(handle_t handle, enum transa, enum transb, int m, int n, int k, void* alpha, void** A, enum Atype,
    int lda, void** B, enum Btype, int ldb, void* beta, void** C, enum Ctype, int ldc, int count, enum compute, enum algo)
"""


def test_c_types():
    plain = {"handle_t": ctypes.c_void_p, "stream_t": ctypes.c_void_p, "size_t": ctypes.c_size_t, "enum": ctypes.c_int,
             "int": ctypes.c_int, "longlong": ctypes.c_longlong}  # fmt: skip
    found = {}
    for name, params in re.findall(r"(\w+)\(([^)]*)\)", PROTOTYPES):
        types = [p.split()[0] for p in params.split(",")]
        found[name] = [ctypes.c_void_p if "*" in t else plain[t] for t in types]
        if "Gemm" in name:
            found[name + "_64"] = [ctypes.c_int64 if t == "int" else c for t, c in zip(types, found[name], strict=True)]
    found["cublasCreate_v2"] = [ctypes.POINTER(ctypes.c_void_p)]
    assert {k: list(v) for k, v in {**cublas.SIGNATURES, **cublas.PRODUCTS}.items()} == found


def test_the_library():
    """Where it is installed it has all entries; where not, the error says what is missing."""
    try:
        entries, light = cublas.library()
    except RuntimeError as error:
        assert "need cuBLAS" in str(error)
        return
    assert [name for name in {**cublas.SIGNATURES, **cublas.PRODUCTS} if not hasattr(entries, name)] == []
    assert cublaslt.library(light) is not None


def test_calls_are_made_ready_once(backend):
    a, b = values((4, 3)).view(Array), values((3, 5)).view(Array)
    ready = backend._blas.ready
    made = []
    backend._blas.ready = lambda *args, **kwargs: (made.append(args), ready(*args, **kwargs))[1]
    gemm.plan.cache_clear()
    for _ in range(3):
        assert same(backend.matmul(a, b), plain(a) @ plain(b))
        assert same(backend.matmul(a.astype("float64"), b.astype("float64")), plain(a) @ plain(b))
    assert len(made) == 2
