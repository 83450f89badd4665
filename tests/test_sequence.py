"""Recurrent layers, attention and transformers against PyTorch, on every backend."""

import copy
import itertools
import pickle
import warnings

import numpy as np
import pytest
from same import same

import polytensor as pt
from polytensor.testing import gradcheck, gradgradcheck

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")
TOLERANCE = {"float64": 1e-9, "float32": 2e-5}


def twins(oracle, make, dtype="float64"):
    """One model in both libraries, with PyTorch's initial state loaded strictly; names and repr must agree."""
    theirs = make(oracle).to(getattr(oracle, dtype))
    ours = make(pt).to(getattr(pt, dtype))
    state = {k: pt.from_numpy(v.numpy().copy()) for k, v in theirs.state_dict().items()}
    assert list(ours.state_dict()) == list(state)
    ours.load_state_dict(state)
    assert repr(ours) == repr(theirs)
    assert [n for n, _ in ours.named_parameters()] == [n for n, _ in theirs.named_parameters()]
    return ours, theirs


def flat(out):
    if isinstance(out, (tuple, list)):
        return [z for y in out for z in flat(y)]
    return [] if out is None else [out]


def run(t, model, call, arrays, dtype):
    """(outputs, gradients of inputs and parameters) of call(t, model, *tensors)."""
    tensors = []
    for a in arrays:
        x = t.from_numpy(a.copy())
        if x.is_floating_point():
            x = x.to(getattr(t, dtype)).requires_grad_()
        tensors.append(x)
    outs = flat(call(t, model, *tensors))
    loss = 0
    for k, y in enumerate(outs):
        if y.is_floating_point() and y.requires_grad:
            loss = loss + (y * (t.arange(y.numel(), dtype=y.dtype).reshape(y.shape) + k).cos()).sum()
    loss.backward()
    grads = [x.grad for x in tensors if x.is_floating_point()] + [p.grad for p in model.parameters()]
    return outs, grads


def agree(oracle, make, call, arrays, dtype="float64", train=True):
    ours, theirs = twins(oracle, make, dtype)
    ours.train(train), theirs.train(train)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        a, b = run(pt, ours, call, arrays, dtype), run(oracle, theirs, call, arrays, dtype)
    tol = TOLERANCE[dtype]
    for mine, other in zip(a, b, strict=True):
        assert len(mine) == len(other)
        for x, y in zip(mine, other, strict=True):
            assert (x is None) == (y is None)
            if x is not None:
                assert tuple(x.shape) == tuple(y.shape) and str(x.dtype) == str(y.dtype)
                scale = max(1.0, float(y.abs().max())) if y.numel() and y.is_floating_point() else 1.0
                np.testing.assert_allclose(x.detach().numpy(), y.detach().numpy(), rtol=tol, atol=tol * scale)


def normal(*shape):
    return np.random.default_rng(sum(shape)).standard_normal(shape)


# ---- recurrent layers ---------------------------------------------------------------------------------------------------
def recurrent(kind, **kw):
    if kind == "RELU":
        return lambda t: t.nn.RNN(3, 4, nonlinearity="relu", **kw)
    return lambda t: getattr(t.nn, kind)(3, 4, **kw)


FORMS = {
    "plain": {},
    "deep": {"num_layers": 2, "bidirectional": True},
    "batch_first": {"batch_first": True, "bias": False},
    "back": {"bidirectional": True, "batch_first": True},
}
KINDS = ["RNN", "RELU", "GRU", "LSTM"]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", [*KINDS, "projected"])
def test_layer(kind, form, dtype, device, oracle):
    kw = dict(FORMS[form])
    if kind == "projected":
        kind, kw["proj_size"] = "LSTM", 2
    make = recurrent(kind, **kw)
    agree(oracle, make, lambda t, m, x: m(x), [normal(5, 2, 3)], dtype)
    agree(oracle, make, lambda t, m, x: m(x), [normal(5, 3)], dtype, train=False)
    count = kw.get("num_layers", 1) * (1 + kw.get("bidirectional", False))
    batch = 5 if kw.get("batch_first") else 2
    states = [normal(count, batch, kw.get("proj_size", 4))] + [normal(count, batch, 4)] * (kind == "LSTM")
    agree(oracle, make, lambda t, m, x, *h: m(x, h if len(h) == 2 else h[0]), [normal(5, 2, 3), *states], dtype)
    agree(
        oracle, make, lambda t, m, x, *h: m(x, h if len(h) == 2 else h[0]), [normal(6, 3), *(s[:, 0] for s in states)], dtype
    )  # fmt: skip


@pytest.mark.parametrize("lengths", [[5, 3, 3, 1], [2, 5, 1, 4], [4, 4, 4, 4]])
@pytest.mark.parametrize("kind", [*KINDS, "projected"])
def test_packed(kind, lengths, device, oracle):
    kw = {"num_layers": 2, "bidirectional": True}
    if kind == "projected":
        kind, kw["proj_size"] = "LSTM", 2
    ordered = lengths == sorted(lengths, reverse=True)

    def call(t, m, x, *h):
        r = t.nn.utils.rnn
        packed = r.pack_padded_sequence(x, lengths, enforce_sorted=ordered)
        out, state = m(packed, None if not h else h if len(h) == 2 else h[0])
        return (*r.pad_packed_sequence(out, padding_value=-1.0, total_length=6), *flat(state), out.data)

    agree(oracle, recurrent(kind, **kw), call, [normal(5, 4, 3)])
    states = [normal(4, 4, kw.get("proj_size", 4))] + [normal(4, 4, 4)] * (kind == "LSTM")
    agree(oracle, recurrent(kind, **kw), call, [normal(5, 4, 3), *states])


@pytest.mark.parametrize("kind", ["RNNCell", "LSTMCell", "GRUCell"])
def test_cell(kind, device, oracle):
    two = kind == "LSTMCell"
    for bias, dtype in ((True, "float64"), (False, "float32")):
        make = lambda t, bias=bias: getattr(t.nn, kind)(3, 4, bias)  # noqa: E731
        agree(oracle, make, lambda t, m, x: m(x), [normal(2, 3)], dtype)
        agree(oracle, make, lambda t, m, x: m(x), [normal(3)], dtype)
        states = [normal(2, 4)] * (1 + two)
        agree(oracle, make, lambda t, m, x, *h: m(x, h if two else h[0]), [normal(2, 3), *states], dtype)
    if kind == "RNNCell":
        agree(oracle, lambda t: t.nn.RNNCell(3, 4, nonlinearity="relu"), lambda t, m, x: m(m(x)[:, :3]), [normal(2, 3)])


def weights(t, gates, size, width=3, seed=0):
    rng = np.random.default_rng(seed)
    shapes = [(gates * size, width), (gates * size, size), (gates * size,), (gates * size,)]
    return [t.from_numpy(rng.standard_normal(s)) for s in shapes]


FUNCTIONS = {
    "lstm": lambda t, x, h: t.lstm(x, (h, h), weights(t, 4, 4), True, 1, 0.0, False, False, False),
    "gru": lambda t, x, h: t.gru(x, h, weights(t, 3, 4)[:2], False, 1, 0.0, True, False, True),
    "rnn_tanh": lambda t, x, h: t.rnn_tanh(x, h, weights(t, 1, 4), True, 1, 0.0, False, False, False),
    "rnn_relu": lambda t, x, h: t.rnn_relu(x, h, weights(t, 1, 4) * 2, True, 2, 0.0, False, False, False),
    "gru_packed": lambda t, x, h: t.gru(x[0], t.tensor([2]), h, weights(t, 3, 4), True, 1, 0.0, False, False),
    "lstm_packed": lambda t, x, h: t.lstm(x[0], t.tensor([2]), (h, h), weights(t, 4, 4), True, 1, 0.0, False, False),
    "lstm_cell": lambda t, x, h: t.lstm_cell(x[0], (h[0], h[0]), *weights(t, 4, 4)),
    "gru_cell": lambda t, x, h: t.gru_cell(x[0], h[0], *weights(t, 3, 4)),
    "gru_cell_one_bias": lambda t, x, h: t.gru_cell(x[0], h[0], *weights(t, 3, 4)[:3]),
    "rnn_tanh_cell": lambda t, x, h: t.rnn_tanh_cell(x[0], h[0], *weights(t, 1, 4)),
    "rnn_relu_cell": lambda t, x, h: t.rnn_relu_cell(x[0], h[0], *weights(t, 1, 4)[:2]),
    "wrong_rows": lambda t, x, h: t.gru_cell(x[0], h[0], *weights(t, 4, 4)),
    "wrong_width": lambda t, x, h: t.gru_cell(x[0], h[0], *weights(t, 3, 4, 5)),
    "wrong_batch": lambda t, x, h: t.gru_cell(x[0][:1], h[0], *weights(t, 3, 4)),
    "one_state": lambda t, x, h: t.lstm_cell(x[0], (h[0],), *weights(t, 4, 4)),
    "no_steps": lambda t, x, h: t.rnn_tanh(x[:0], h, weights(t, 1, 4), True, 1, 0.0, False, False, False),
    "few_states": lambda t, x, h: t.gru(x, h[:0], weights(t, 3, 4), True, 1, 0.0, False, False, False),
    "no_batch": lambda t, x, h: t.gru(x[:, :0], h[:, :0], weights(t, 3, 4), True, 1, 0.0, False, False, False),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name, device, oracle):
    def call(t):
        x = t.from_numpy(normal(2, 2, 3))
        h = t.from_numpy(normal(2, 2, 4))
        return FUNCTIONS[name](t, x, h if name == "rnn_relu" or name == "few_states" else h[:1])

    same(call, oracle, message=name.startswith(("wrong", "one", "few", "no_s")))


WRONG = {
    "dims": lambda t, m, x, h: m(x(2, 3, 4, 3)),
    "flat": lambda t, m, x, h: m(x(3)),
    "width": lambda t, m, x, h: m(x(2, 5, 4)),
    "batch": lambda t, m, x, h: m(x(2, 5, 3), h(1, 4, 4)),
    "unbatched_state": lambda t, m, x, h: m(x(2, 5, 3), h(1, 4)),
    "batched_state": lambda t, m, x, h: m(x(2, 3), h(1, 5, 4)),
    "rows": lambda t, m, x, h: m(x(2, 3), h(2, 4)),
    "empty": lambda t, m, x, h: m(x(0, 5, 3)),
    "dtype": lambda t, m, x, h: m(x(2, 5, 3).double()),
    "ints": lambda t, m, x, h: m(x(2, 5, 3).long()),
    "no batch": lambda t, m, x, h: [y.shape for y in flat(m(x(2, 0, 3)))],
}


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_wrong_input(kind, name, oracle):
    def call(t):
        state = (lambda *s: (t.ones(*s), t.ones(*s))) if kind == "LSTM" else t.ones
        return WRONG[name](t, getattr(t.nn, kind)(3, 4), t.ones, state)

    same(call, oracle)


@pytest.mark.parametrize(
    "kw",
    [
        {"dropout": 2.0}, {"dropout": "a"}, {"dropout": True}, {"num_layers": 0}, {"hidden_size": 0}, {"hidden_size": 2.0},
        {"proj_size": 2}, {"proj_size": -1}, {"proj_size": 9}, {"nonlinearity": "x"}, {"bias": False, "dropout": 0.5},
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_constructor(kind, kw, oracle):
    same(lambda t: repr(getattr(t.nn, kind)(**{"input_size": 3, "hidden_size": 4, **kw})), oracle)


def test_cells_refuse(oracle):
    for kind in ("RNNCell", "LSTMCell", "GRUCell"):
        for shape, state in (((2, 5, 3), None), ((4,), None), ((2, 4), None), ((2, 3), (3, 4)), ((2, 3), (2, 5)),
                             ((3,), (2, 4)), ((2, 3), (2, 1, 4)), ((2, 3), (4,))):  # fmt: skip

            def call(t, kind=kind, shape=shape, state=state):
                h = None if state is None else t.ones(*state)
                return getattr(t.nn, kind)(3, 4)(t.ones(*shape), (h, h) if kind == "LSTMCell" and state else h)

            same(call, oracle)
    same(lambda t: t.nn.RNNCell(3, 4, nonlinearity="foo")(t.ones(2, 3)), oracle)
    same(lambda t: t.nn.RNNBase("FOO", 3, 4), oracle)


def test_layout_and_half(device, oracle):
    def shapes(t):
        o, h = t.nn.GRU(3, 4, bidirectional=True, batch_first=True)(t.ones(5, 2, 3))
        half = [t.nn.LSTM(3, 4).to(d)(t.ones(5, 2, 3, dtype=d))[0].dtype for d in (t.float16, t.bfloat16)]
        return o.stride(), h.stride(), str(half), t.nn.GRU(3, 4).flatten_parameters()

    same(shapes, oracle)


def test_initial_distribution_and_dropout():
    pt.manual_seed(0)
    m = pt.nn.LSTM(10, 100, 2, dropout=0.5)
    assert [[p.shape for p in ps] for ps in m.all_weights][1][0] == (400, 100)
    for p in m.parameters():
        assert p.abs().max() <= 0.1 and abs(p.std().item() - 0.1 / 3**0.5) < 3e-3
    x = pt.ones(3, 2, 10)
    assert not m(x)[0].equal(m(x)[0]) and m.eval()(x)[0].equal(m(x)[0])
    y, _ = m(x)
    y.relu_()  # results may be written to, as in PyTorch
    y.sum().backward()


STEPS = {
    "rnn": ("rnn_tanh", 1, 4),
    "gru": ("gru", 3, 4),
    "lstm": ("lstm", 4, 4),
    "projected": ("lstm", 4, 2),
}


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("name", STEPS)
def test_derivatives(name, bias, device):
    """Derivatives of the whole packed recurrence in every input, and derivatives of these."""
    op, gates, size = STEPS[name]
    hidden = 2
    size = 1 if name == "projected" else hidden
    shapes = [(3, 2), (1, 2, size), *([(1, 2, hidden)] if op == "lstm" else [])]
    shapes += [(gates * hidden, 2), (gates * hidden, size), *([(gates * hidden,)] * 2 if bias else [])]
    shapes += [(1, hidden)] if name == "projected" else []
    rng = np.random.default_rng(0)
    inputs = [pt.from_numpy(rng.standard_normal(s) * 0.7).to(device).requires_grad_() for s in shapes]
    states = 2 if op == "lstm" else 1

    def fn(x, *rest):
        h = rest[0] if states == 1 else rest[:2]
        return getattr(pt, op)(x, pt.tensor([2, 1]), h, rest[states:], bias, 1, 0.0, False, False)

    assert gradcheck(fn, inputs)
    assert gradgradcheck(fn, inputs)


def test_second_derivatives_do_not_count_twice(device):
    """h0 that depends on the input: the rule gives partial derivatives."""
    cell = pt.nn.GRUCell(2, 2).double()
    x = pt.tensor([[0.3, -0.4]], dtype=pt.float64, requires_grad=True)
    assert gradgradcheck(lambda x: cell(x, x * 2 + cell(x)), (x,))


# ---- packing ------------------------------------------------------------------------------------------------------------
PACKING = {
    "sorted": lambda t, r, x: r.pack_padded_sequence(x, [4, 2, 1]),
    "unsorted": lambda t, r, x: r.pack_padded_sequence(x, [1, 4, 2], enforce_sorted=False),
    "batch_first": lambda t, r, x: r.pack_padded_sequence(x, t.tensor([3, 3, 2, 1]), True),
    "full": lambda t, r, x: r.pack_padded_sequence(x, [4, 4, 4]),
    "short": lambda t, r, x: r.pack_padded_sequence(x, [2, 2, 2]),
    "shorter": lambda t, r, x: r.pack_padded_sequence(x, [3, 2, 2]),
    "wrong order": lambda t, r, x: r.pack_padded_sequence(x, [1, 4, 2]),
    "zero": lambda t, r, x: r.pack_padded_sequence(x, [4, 2, 0]),
    "count": lambda t, r, x: r.pack_padded_sequence(x, [4, 2]),
    "2d lengths": lambda t, r, x: r.pack_padded_sequence(x, t.tensor([[3, 2, 2]])),
    "floats": lambda t, r, x: r.pack_padded_sequence(x, t.tensor([3.0, 2.0, 2.0])),
    "numbers": lambda t, r, x: r.pack_padded_sequence(x[:, :, 0], [3, 2, 1]),
    "vector": lambda t, r, x: r.pack_padded_sequence(x[0, 0], [3, 2, 1]),
    "pad": lambda t, r, x: r.pad_packed_sequence(r.pack_padded_sequence(x, [1, 4, 2], enforce_sorted=False), True, -1, 5),
    "too short": lambda t, r, x: r.pad_packed_sequence(r.pack_padded_sequence(x, [4, 2, 1]), total_length=3),
    "pad_sequence": lambda t, r, x: r.pad_sequence([x[:2, 0], x[:, 1]], padding_value=7.0),
    "left": lambda t, r, x: r.pad_sequence([x[:2, 0], x[:, 1]], True, 7.0, "left"),
    "nothing": lambda t, r, x: r.pad_sequence([]),
    "number": lambda t, r, x: r.pad_sequence(3),
    "widths": lambda t, r, x: r.pad_sequence([t.ones(2, 3), t.ones(4, 2)]),
    "side": lambda t, r, x: r.pad_sequence([x[0], x[1]], padding_side="x"),
    "tensor": lambda t, r, x: r.pad_sequence(x),
    "unpad": lambda t, r, x: r.unpad_sequence(x, t.tensor([4, 2, 1])),
    "pack_sequence": lambda t, r, x: r.pack_sequence([x[:2, 0], x[:, 1]], enforce_sorted=False),
    "pack wrong": lambda t, r, x: r.pack_sequence([x[:2, 0], x[:, 1]]),
    "unpack": lambda t, r, x: r.unpack_sequence(r.pack_sequence([x[:2, 0], x[:, 1]], enforce_sorted=False)),
    "invert": lambda t, r, x: (r.invert_permutation(t.tensor([2, 0, 1])), r.invert_permutation(None)),
    "make": lambda t, r, x: r.PackedSequence(x, t.tensor([3, 1]), t.tensor([2, 0, 1])),
    "pair": lambda t, r, x: r.PackedSequence((x, t.tensor([3, 1]))),
    "no sizes": lambda t, r, x: r.PackedSequence(x),
    "convert": lambda t, r, x: [f(r.PackedSequence(x, t.tensor([4]))) for f in (
        lambda p: p.double(), lambda p: p.to(t.float16), lambda p: p.long(), lambda p: p.cpu() is p, lambda p: p.is_cuda,
        lambda p: p.is_pinned(), lambda p: repr(p.int()), lambda p: type(p).__name__)],
}  # fmt: skip


@pytest.mark.parametrize("name", PACKING)
def test_packing(name, device, oracle):
    same(lambda t: PACKING[name](t, t.nn.utils.rnn, t.arange(24.0).reshape(4, 3, 2)), oracle, name != "widths")


# ---- attention ----------------------------------------------------------------------------------------------------------
def holes(*shape):
    """A bool mask with some True, never a whole row."""
    mask = np.random.default_rng(3).random(shape) < 0.4
    mask[..., 0] = False
    return mask


Q, K, V = normal(2, 3, 4), normal(2, 5, 4), normal(2, 5, 6)[..., :6]
ATTENTION = {
    "plain": ([Q, K, V], {}),
    "bool": ([Q, K, V, ~holes(3, 5)], {}),
    "wide bool": ([Q, K, V, ~holes(2, 1, 5)], {}),
    "column": ([Q, K, V, ~holes(3, 1)], {}),
    "float": ([Q, K, V, normal(3, 5)], {}),
    "batched float": ([Q, K, V, normal(2, 1, 5)], {}),
    "dead rows": ([Q, K, V, np.arange(15).reshape(3, 5) > 6], {}),
    "all dead": ([Q, K, V, np.zeros((3, 5), bool)], {}),
    "causal": ([Q, K, V], {"is_causal": True}),
    "long causal": ([normal(2, 6, 4), K, V], {"is_causal": True}),
    "scale": ([Q, K, V], {"scale": 0.3}),
    "negative scale": ([Q, K, V], {"scale": -0.3}),
    "no scale": ([Q, K, V], {"scale": 0.0}),
    "heads": ([normal(2, 4, 3, 4), normal(2, 4, 5, 4), normal(2, 4, 5, 3)], {}),
    "grouped": ([normal(2, 4, 3, 4), normal(2, 2, 5, 4), normal(2, 2, 5, 3)], {"enable_gqa": True}),
    "broadcast": ([Q, K[:1], V[0]], {}),
    "flat": ([Q[0], K[0], V[0]], {}),
    "no keys": ([Q, K[:, :0], V[:, :0]], {}),
    "no queries": ([Q[:, :0], K, V], {}),
    "no width": ([Q[..., :0], K[..., :0], V], {}),
}
SDPA_WRONG = {
    "both": ([Q, K, V, ~holes(3, 5)], {"is_causal": True}),
    "ints": ([Q, K, V, np.ones((3, 5), np.int32)], {}),
    "mask shape": ([Q, K, V, normal(3, 4)], {}),
    "vector": ([Q[0, 0], K, V], {}),
    "dtypes": ([Q, K.astype("f4"), V], {}),
    "longs": ([Q.astype("i8"), K.astype("i8"), V.astype("i8")], {}),
    "widths": ([Q, normal(2, 5, 3), V], {}),
    "keys": ([Q, K, normal(2, 6, 4)], {}),
    "batches": ([Q, normal(3, 5, 4), V], {}),
    "groups": ([normal(2, 4, 3, 4), normal(2, 3, 5, 4), normal(2, 3, 5, 3)], {"enable_gqa": True}),
    "dropout": ([Q, K, V], {"dropout_p": 1.5}),
}


@pytest.mark.parametrize("name", ATTENTION)
def test_scaled_dot_product_attention(name, device, oracle):
    arrays, kw = ATTENTION[name]
    call = lambda t, m, *xs: t.nn.functional.scaled_dot_product_attention(*xs, **kw)  # noqa: E731
    agree(oracle, lambda t: t.nn.Identity(), call, arrays)
    agree(oracle, lambda t: t.nn.Identity(), call, arrays, "float32")


@pytest.mark.parametrize("name", SDPA_WRONG)
def test_scaled_dot_product_attention_refuses(name, device, oracle):
    arrays, kw = SDPA_WRONG[name]
    call = lambda t: t.nn.functional.scaled_dot_product_attention(*map(t.from_numpy, arrays), **kw)  # noqa: E731
    same(call, oracle, message=name in ("both", "ints", "vector", "dtypes", "longs", "dropout"))


def test_attention_derivatives(device):
    xs = [pt.from_numpy(a).to(device).requires_grad_() for a in (Q[:1], K[:1], V[:1], normal(3, 5))]
    f = pt.nn.functional.scaled_dot_product_attention
    assert gradcheck(f, xs) and gradgradcheck(f, xs)
    assert gradgradcheck(lambda q, k, v: f(q, k, v, is_causal=True), xs[:3])


def test_attention_in_half_and_dropout(device):
    f = pt.nn.functional.scaled_dot_product_attention
    q, k, v = (pt.from_numpy(a).to(device) for a in (Q, K, V))
    y = f(q.half(), k.half(), v.half(), pt.zeros(3, 5))
    assert y.dtype is pt.float16 and (y - f(q, k, v)).abs().max() < 5e-3
    pt.manual_seed(0)
    many = f(q.expand(4000, 2, 3, 4), k.expand(4000, 2, 5, 4), v.expand(4000, 2, 5, 6), dropout_p=0.3)
    assert (many.mean(0) - f(q, k, v)).abs().max() < 0.1 and not many[0].equal(many[1])


q, k, v = normal(3, 2, 4), normal(5, 2, 4), normal(5, 2, 4) + 1
MHA = {
    "plain": ({}, [q, k, v], {}),
    "same": ({}, [q], {}),
    "memory": ({}, [q, k], {}),
    "unbatched": ({}, [q[:, 0], k[:, 0], v[:, 0]], {}),
    "batch first": ({"batch_first": True}, [normal(2, 3, 4), normal(2, 5, 4)], {}),
    "no bias": ({"bias": False}, [q, k, v], {}),
    "dims": ({"kdim": 3, "vdim": 6}, [q, normal(5, 2, 3), normal(5, 2, 6)], {}),
    "extras": ({"add_bias_kv": True, "add_zero_attn": True}, [q, k, v], {"attn_mask": holes(3, 5)}),
    "extras padded": ({"add_bias_kv": True}, [q, k, v], {"key_padding_mask": holes(2, 5)}),
    "bool": ({}, [q, k, v], {"attn_mask": holes(3, 5)}),
    "float": ({}, [q, k, v], {"attn_mask": normal(3, 5)}),
    "heads": ({}, [q, k, v], {"attn_mask": holes(4, 3, 5)}),
    "unbatched heads": ({}, [q[:, 0], k[:, 0], v[:, 0]], {"attn_mask": holes(2, 3, 5), "key_padding_mask": holes(5)}),
    "padding": ({}, [q, k, v], {"key_padding_mask": holes(2, 5)}),
    "both": ({}, [q, k, v], {"key_padding_mask": holes(2, 5), "attn_mask": normal(3, 5)}),
    "no weights": ({}, [q, k, v], {"need_weights": False, "attn_mask": normal(3, 5), "key_padding_mask": holes(2, 5)}),
    "per head": ({}, [q, k, v], {"average_attn_weights": False}),
    "hint": ({}, [q], {"attn_mask": holes(3, 3), "is_causal": True, "need_weights": False}),
    "hint with weights": ({}, [q], {"attn_mask": holes(3, 3), "is_causal": True}),
}  # fmt: skip
MHA_WRONG = {
    "ranks": ([q, k[:, 0], v[:, 0]], {}),
    "unbatched ranks": ([q[:, 0], k, v], {}),
    "four": ([q[None], k, v], {}),
    "width": ([normal(3, 2, 5), k, v], {}),
    "batch": ([q, normal(5, 3, 4), normal(5, 3, 4)], {}),
    "lengths": ([q, k, normal(6, 2, 4)], {}),
    "mask 2d": ([q, k, v], {"attn_mask": holes(3, 4)}),
    "mask 3d": ([q, k, v], {"attn_mask": holes(2, 3, 5)}),
    "mask 4d": ([q, k, v], {"attn_mask": holes(2, 2, 3, 5)}),
    "mask ints": ([q, k, v], {"attn_mask": np.ones((3, 5), "i4")}),
    "mask single": ([q, k, v], {"attn_mask": normal(3, 5).astype("f4")}),
    "padding": ([q, k, v], {"key_padding_mask": holes(2, 4)}),
    "padding batch": ([q, k, v], {"key_padding_mask": holes(3, 5)}),
    "padding 1d": ([q, k, v], {"key_padding_mask": holes(5)}),
    "padding ints": ([q, k, v], {"key_padding_mask": np.ones((2, 5), "i4")}),
    "unbatched padding": ([q[:, 0], k[:, 0], v[:, 0]], {"key_padding_mask": holes(1, 5)}),
    "unbatched heads": ([q[:, 0], k[:, 0], v[:, 0]], {"attn_mask": holes(1, 3, 5)}),
    "hint alone": ([q, k, v], {"is_causal": True}),
}


def tensors(t, kw):
    return {n: t.from_numpy(x) if isinstance(x, np.ndarray) else x for n, x in kw.items()}


@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize("name", MHA)
def test_multihead_attention(name, train, device, oracle):
    options, arrays, kw = MHA[name]

    def call(t, m, *xs):
        xs = (*xs, *[xs[-1]] * (3 - len(xs)))
        return m(*xs, **tensors(t, kw))

    agree(oracle, lambda t: t.nn.MultiheadAttention(4, 2, **options), call, arrays, train=train)


def test_multihead_attention_float32(device, oracle):
    agree(oracle, lambda t: t.nn.MultiheadAttention(4, 2), lambda t, m, *xs: m(*xs), [q, k, v], "float32")


@pytest.mark.parametrize("name", MHA_WRONG)
def test_multihead_attention_refuses(name, oracle):
    arrays, kw = MHA_WRONG[name]
    same(lambda t: t.nn.MultiheadAttention(4, 2).double()(*map(t.from_numpy, arrays), **tensors(t, kw)), oracle)


def test_multihead_attention_arguments(oracle):
    for args in ((4, 3), (0, 2), (4, 0), (-4, 2)):
        same(lambda t, args=args: t.nn.MultiheadAttention(*args), oracle)
    pt.manual_seed(0)
    m = pt.nn.MultiheadAttention(64, 4, add_bias_kv=True)
    bound = (6 / (4 * 64)) ** 0.5
    assert (
        0.95 * bound < m.in_proj_weight.abs().max() <= bound and not m.in_proj_bias.any() and not m.out_proj.bias.any()
    )
    assert abs(m.bias_k.std().item() - 0.125) < 0.03 and m.out_proj.weight.abs().max() <= 1 / 8


def test_merge_masks(oracle):
    for masks in ((None, None), (None, (2, 3)), ((3, 3), None), ((3, 3), (2, 3)), ((4, 3, 3), (2, 3))):

        def call(t, masks=masks):
            both = [None if m is None else t.arange(float(np.prod(m))).reshape(m) for m in masks]
            return t.nn.MultiheadAttention(4, 2).merge_masks(*both, t.ones(2, 3, 4))

        same(call, oracle)


# ---- transformers -------------------------------------------------------------------------------------------------------
def causal(t, n, dtype=None):
    return t.nn.Transformer.generate_square_subsequent_mask(n, dtype=dtype or t.float64)


LAYERS = {
    "relu": {},
    "gelu": {"activation": "gelu", "norm_first": True},
    "batch first": {"batch_first": True, "layer_norm_eps": 1e-3},
    "silu": {"bias": False, "activation": "silu"},
    "module": {"activation": "module"},
}


def options(t, name):
    kw = {"dim_feedforward": 8, "dropout": 0.0, **LAYERS[name]}
    special = {"silu": t.nn.functional.silu, "module": t.nn.ELU()}
    if kw.get("activation") in special:
        kw["activation"] = special[kw["activation"]]
    return kw


@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize("name", LAYERS)
def test_transformer_layers(name, train, device, oracle):
    first = name == "batch first"
    x, m = (normal(2, 3, 4), normal(2, 5, 4)) if first else (normal(3, 2, 4), normal(5, 2, 4))
    encoder = lambda t: t.nn.TransformerEncoderLayer(4, 2, **options(t, name))  # noqa: E731
    decoder = lambda t: t.nn.TransformerDecoderLayer(4, 2, **options(t, name))  # noqa: E731
    agree(oracle, encoder, lambda t, net, x: net(x), [x], train=train)
    agree(oracle, encoder, lambda t, net, x: net(x), [x[0]], "float32", train=train)
    agree(oracle, encoder, lambda t, net, x: net(x, causal(t, 3), t.from_numpy(holes(2, 3))), [x], train=train)
    agree(oracle, encoder, lambda t, net, x: net(x, causal(t, 3), is_causal=True), [x], train=train)
    agree(oracle, decoder, lambda t, net, x, m: net(x, m), [x, m], train=train)

    def masked(t, net, x, m):
        return net(
            x, m, causal(t, 3), t.from_numpy(normal(3, 5)), t.from_numpy(holes(2, 3)), t.from_numpy(holes(2, 5))
        )  # fmt: skip

    agree(oracle, decoder, masked, [x, m], train=train)
    agree(oracle, decoder, lambda t, net, x, m: net(x, m, causal(t, 3), tgt_is_causal=True), [x, m], train=train)


@pytest.mark.parametrize("name", LAYERS)
def test_transformer(name, device, oracle):
    first = name == "batch first"
    src, tgt = (normal(2, 5, 4), normal(2, 3, 4)) if first else (normal(5, 2, 4), normal(3, 2, 4))

    def make(t):
        return t.nn.Transformer(4, 2, 2, 1, **options(t, name))

    def masked(t, net, src, tgt):
        pad = t.from_numpy(holes(2, 5))
        return net(
            src, tgt, tgt_mask=causal(t, 3), src_mask=t.from_numpy(normal(5, 5)), src_key_padding_mask=pad,
            memory_key_padding_mask=pad, tgt_key_padding_mask=t.from_numpy(holes(2, 3)),
        )  # fmt: skip

    agree(oracle, make, masked, [src, tgt])
    agree(
        oracle, make, lambda t, net, src, tgt: net(src, tgt, causal(t, 5), causal(t, 3)), [src, tgt], "float64", False
    )
    agree(oracle, make, lambda t, net, src, tgt: net(src, tgt), [src[0], tgt[0]], "float32")


def test_encoder_without_gradients(device, oracle):
    """Where PyTorch takes nested tensors, padded places give 0."""
    for nested, mask_check, pad in itertools.product((True, False), (True, False), ([0, 0, 1], [0, 1, 0], [0, 0, 0])):

        def call(t, net, x, nested=nested, mask_check=mask_check, pad=pad):
            with t.no_grad():
                hidden = t.tensor([pad, [0, 0, 1]]).bool()
                full = net(x, src_key_padding_mask=hidden)
                return [x.sum(), (full if nested else full.masked_fill(hidden.unsqueeze(-1), 7.0))]

        if not mask_check and pad == [0, 1, 0]:
            continue  # PyTorch's results are then of sequences moved together

        def make(t, nested=nested, mask_check=mask_check):
            layer = t.nn.TransformerEncoderLayer(4, 2, 8, batch_first=True)
            return t.nn.TransformerEncoder(layer, 2, t.nn.LayerNorm(4), nested, mask_check)

        ours, theirs = twins(oracle, make)
        ours.eval(), theirs.eval()
        a = call(pt, ours, pt.from_numpy(normal(2, 3, 4)))
        b = call(oracle, theirs, oracle.from_numpy(normal(2, 3, 4)))
        np.testing.assert_allclose(a[1].numpy(), b[1].numpy(), rtol=1e-9, atol=1e-9)


TRANSFORMER_WRONG = {
    "activation": lambda t: t.nn.TransformerEncoderLayer(4, 2, activation="x"),
    "width": lambda t: t.nn.TransformerEncoderLayer(4, 2)(t.ones(3, 2, 5)),
    "mask ints": lambda t: t.nn.TransformerEncoderLayer(4, 2)(t.ones(3, 2, 4), t.ones(3, 3).int()),
    "mask shape": lambda t: t.nn.TransformerEncoderLayer(4, 2)(t.ones(3, 2, 4), t.ones(3, 2)),
    "hint alone": lambda t: t.nn.TransformerEncoderLayer(4, 2)(t.ones(3, 2, 4), is_causal=True),
    "padding": lambda t: t.nn.TransformerEncoderLayer(4, 2)(t.ones(3, 2, 4), src_key_padding_mask=t.ones(3, 2)),
    "batches": lambda t: t.nn.Transformer(4, 2, 1, 1, 8)(t.ones(3, 2, 4), t.ones(5, 3, 4)),
    "features": lambda t: t.nn.Transformer(4, 2, 1, 1, 8)(t.ones(3, 2, 4), t.ones(5, 2, 5)),
    "ranks": lambda t: t.nn.Transformer(4, 2, 1, 1, 8)(t.ones(3, 2, 4), t.ones(5, 4)),
    "batch first": lambda t: t.nn.Transformer(4, 2, 1, 1, 8, batch_first=True)(t.ones(3, 2, 4), t.ones(2, 2, 4)),
    "no copies": lambda t: repr(t.nn.TransformerEncoder(t.nn.Identity(), 0, enable_nested_tensor=False)),
    "mask": lambda t: t.nn.Transformer.generate_square_subsequent_mask(3),
}


@pytest.mark.parametrize("name", TRANSFORMER_WRONG)
def test_transformer_refuses(name, oracle):
    same(TRANSFORMER_WRONG[name], oracle)


def test_encoder_warns_as_pytorch(oracle):
    for kw in ({}, {"norm_first": True}, {"batch_first": True, "nhead": 1}, {"batch_first": True, "bias": False},
               {"batch_first": True, "activation": "silu"}, {"batch_first": True}):  # fmt: skip

        def call(t, kw=kw):
            kw = {"nhead": 2, **kw}
            if kw.get("activation") == "silu":
                kw["activation"] = t.nn.functional.silu
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                t.nn.TransformerEncoder(t.nn.TransformerEncoderLayer(4, **kw), 1)
            return [str(w.message) for w in caught]

        same(call, oracle)


# ---- with the rest of the library ---------------------------------------------------------------------------------------
def test_autocast_dtypes(oracle):
    def call(t):
        found = []
        with t.autocast("cpu", dtype=t.bfloat16):
            for d in (t.float32, t.bfloat16):
                x = t.ones(3, 2, 4, dtype=d)
                for name in ("LSTM", "GRU", "RNN", "LSTMCell", "GRUCell", "RNNCell"):
                    m = getattr(t.nn, name)(4, 4)
                    out = flat(m(x[0] if "Cell" in name else x))
                    out[0].float().sum().backward()
                    found.append(
                        [name, *[str(y.dtype) for y in out], str(m.weight_ih.grad.dtype) if "Cell" in name else ""]
                    )
                m = t.nn.MultiheadAttention(4, 2)
                for kw in ({}, {"need_weights": False}, {"attn_mask": t.zeros(3, 3)}):
                    found.append([str(y.dtype) for y in flat(m(x, x, x, **kw))])
                found.append(str(t.nn.TransformerEncoderLayer(4, 2)(x).dtype))
        return found

    same(call, oracle)


def test_copies_and_transforms():
    x = pt.from_numpy(normal(5, 2, 3))
    for make in (lambda: pt.nn.LSTM(3, 4, 2), lambda: pt.nn.TransformerEncoderLayer(3, 1, dropout=0.0)):
        m = make().double()
        for other in (copy.deepcopy(m), pickle.loads(pickle.dumps(m))):
            assert flat(other(x))[0].equal(flat(m(x))[0])
    m = pt.nn.GRU(3, 4).double()
    weights = dict(m.named_parameters())

    def loss(x):
        return pt.func.functional_call(m, weights, (x,))[0].sin().sum()

    plain = pt.func.grad(loss)(x)
    assert pt.func.vmap(pt.func.grad(loss), 1, 1)(x).allclose(plain, rtol=1e-9)
    _, along = pt.func.jvp(loss, (x,), (x,))
    assert along.allclose((plain * x).sum(), rtol=1e-9)
