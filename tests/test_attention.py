"""Attention and transformers against PyTorch, on every backend."""

import importlib
import itertools
import tracemalloc
import warnings

import numpy as np
import pytest
from same import same
from test_module import tried
from twins import agree, normal, twins

import polytensor
import polytensor as pt
from polytensor.testing import gradcheck, gradgradcheck

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


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
    "fixed float": ([Q, K, V], {"attn_mask": normal(3, 5)}),
    "fixed dead rows": ([Q, K, V], {"attn_mask": np.where(np.arange(15).reshape(3, 5) > 6, 0.3, -np.inf)}),
    "fixed heads": ([Q, K, V], {"attn_mask": np.where(holes(2, 1, 5), -np.inf, 1)}),
    "many causal": ([normal(3, 2, 9, 4), normal(3, 2, 9, 4), normal(3, 2, 9, 4)], {"is_causal": True}),
    "wide causal": ([Q, normal(2, 9, 4), normal(2, 9, 3)], {"is_causal": True}),
    "nan": ([np.where(Q > 1, np.nan, Q), K, V], {}),
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


@pytest.fixture(params=["whole", "tile", "tiles", "rows"])
def way(request, monkeypatch):
    """Attention over all scores at once, in one tile, in tiles of a few rows, and row by row on threads."""
    if request.param != "whole":
        monkeypatch.setattr(polytensor.ops.attention, "LARGE", 0)
        monkeypatch.setattr(polytensor.ops.attention, "LARGE_CAUSAL", 0)
        room = {"tile": 1 << 17, "tiles": 14, "rows": 1}[request.param]
        monkeypatch.setattr(polytensor.backends.attention.AttentionKernels, "attention_room", room)
    if request.param == "rows" and pt.current_backend() == "numba":
        from polytensor.backends.numba import threads

        monkeypatch.setattr(threads, "TEAM_NS", 0)
    return request.param


@pytest.mark.parametrize("name", ATTENTION)
def test_scaled_dot_product_attention(name, device, way, oracle):
    arrays, kw = ATTENTION[name]

    def call(t, m, *xs):
        return t.nn.functional.scaled_dot_product_attention(*xs, **tensors(t, kw))

    agree(oracle, lambda t: t.nn.Identity(), call, arrays)
    if "fixed" not in name:
        agree(oracle, lambda t: t.nn.Identity(), call, arrays, "float32")


@pytest.mark.parametrize("name", SDPA_WRONG)
def test_scaled_dot_product_attention_refuses(name, device, oracle):
    arrays, kw = SDPA_WRONG[name]
    call = lambda t: t.nn.functional.scaled_dot_product_attention(*map(t.from_numpy, arrays), **kw)  # noqa: E731
    same(call, oracle, message=name in ("both", "ints", "vector", "dtypes", "longs", "dropout"))


def test_attention_derivatives(device, way):
    xs = [pt.from_numpy(a).to(device).requires_grad_() for a in (Q[:1], K[:1], V[:1], normal(3, 5))]
    f = pt.nn.functional.scaled_dot_product_attention
    assert gradcheck(f, xs) and gradgradcheck(f, xs)
    mask = xs[3].detach()
    for g in (lambda q, k, v: f(q, k, v, is_causal=True), lambda q, k, v: f(q, k, v, mask, scale=0.7)):
        assert gradcheck(g, xs[:3]) and gradgradcheck(g, xs[:3])
    q, k, v = xs[:3]
    for wanted in ((q,), (k,), (v,), (q, v)):  # alone, not all of the backward runs
        some = pt.autograd.grad(f(q, k, v).sum(), wanted)
        whole = pt.autograd.grad(f(q, k, v).sum(), (q, k, v))
        for x, y in zip(wanted, some, strict=True):
            assert y.equal(whole[[t is x for t in (q, k, v)].index(True)])


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_tiles_keep_nan_and_infinities(device, value, causal, monkeypatch):
    """Where whole rows of scores have them; PyTorch's own two ways do not agree on these."""
    xs = [pt.from_numpy(np.where(x > 1, value, x)).to(device) for x in (K, K[..., ::-1].copy(), V)]
    f = lambda: pt.nn.functional.scaled_dot_product_attention(*xs, is_causal=causal)  # noqa: E731
    whole = f()
    monkeypatch.setattr(polytensor.ops.attention, "LARGE", 0)
    monkeypatch.setattr(polytensor.ops.attention, "LARGE_CAUSAL", 0)
    pt.testing.assert_close(f(), whole, equal_nan=True)
    assert not whole.isfinite().all()


def test_no_array_of_all_scores_is_made(device):
    """2 x 1100 queries and keys of width 8: scores would take 19 MB, and so would the weights that backward needs."""
    q, k, v = (pt.rand(2, 1100, 8, device=device, requires_grad=True) for _ in range(3))
    f = pt.nn.functional.scaled_dot_product_attention
    f(q, k, v).sum().backward()  # what is compiled takes memory too
    tracemalloc.start()
    try:
        out = f(q, k, v)
        assert out.grad_fn.name().startswith("ScaledDotProduct")
        out.sum().backward()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4 << 20


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


def by_corner(t):
    """Causal masks (2, 3) from either corner, and what is wrong with others."""
    b = importlib.import_module(f"{t.__name__}.nn.attention.bias")
    attend = t.nn.functional.scaled_dot_product_attention
    q, k = t.arange(16.0).double().view(2, 2, 4).div(30).requires_grad_(), t.arange(24.0).double().view(2, 3, 4) / 40
    out = [list(b.CausalVariant), tried(lambda: b.CausalBias(1, 2, 3)), tried(lambda: b.causal_upper_left(2))]
    for mask in (b.causal_upper_left(2, 3), b.causal_lower_right(2, 3)):
        out += [repr(mask), mask.variant, mask.seq_len_q, mask.seq_len_kv, isinstance(mask, t.Tensor)]
        y = attend(q, k, k, mask, scale=2.0)
        out += [y, t.autograd.grad(y.sum(), q)[0], attend(query=q, key=k, value=k, attn_mask=mask)]
        out.append(tried(lambda: attend(q, k, k, mask, is_causal=True)))
    return [*out, attend(q, q, q, b.causal_lower_right(2, 2))]


def test_masks_that_say_their_corner(oracle):
    same(by_corner, oracle)
    with pytest.warns(UserWarning, match="Lower right causal bias will produce NaNs"):
        importlib.import_module("polytensor.nn.attention.bias").causal_lower_right(4, 2)


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
        np.testing.assert_allclose(a[1].numpy(), b[1].numpy(), rtol=1e-12, atol=1e-12)


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
