"""Recurrent layers, cells and packed sequences against PyTorch, on every backend."""

import copy
import pickle

import numpy as np
import pytest
from same import same
from twins import agree, flat, normal

import polytensor as pt
from polytensor.testing import gradcheck, gradgradcheck

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


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
    "make": lambda t, r, x: r.PackedSequence(x, t.tensor([3, 1], device="cpu"), t.tensor([2, 0, 1])),
    "pair": lambda t, r, x: r.PackedSequence((x, t.tensor([3, 1], device="cpu"))),
    "no sizes": lambda t, r, x: r.PackedSequence(x),
    "convert": lambda t, r, x: [f(r.PackedSequence(x, t.tensor([4], device="cpu"))) for f in (
        lambda p: p.double(), lambda p: p.to(t.float16), lambda p: p.long(), lambda p: p.cpu() is p, lambda p: p.is_cuda,
        lambda p: p.is_pinned(), lambda p: repr(p.int()), lambda p: type(p).__name__)],
}  # fmt: skip


@pytest.mark.parametrize("name", PACKING)
def test_packing(name, device, oracle):
    if name == "convert" and device.type == "cuda":
        pytest.skip("it tells where it is")
    same(lambda t: PACKING[name](t, t.nn.utils.rnn, t.arange(24.0).reshape(4, 3, 2)), oracle, name != "widths")


# ---- with the rest of the library ---------------------------------------------------------------------------------------
def test_autocast_dtypes(oracle):
    without = not oracle.ops.mkldnn._is_mkldnn_bf16_supported()  # PyTorch's LSTM in bfloat16 wants more than AVX2

    def call(t):
        found = []
        with t.autocast("cpu", dtype=t.bfloat16):
            for d in (t.float32, t.bfloat16):
                x = t.ones(3, 2, 4, dtype=d)
                for name in ("LSTM", "GRU", "RNN", "LSTMCell", "GRUCell", "RNNCell")[without:]:
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
