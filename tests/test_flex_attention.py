"""nn.attention.flex_attention against PyTorch's, run eagerly."""

import importlib
import math
import warnings

import numpy as np
import pytest

import polytensor as pt

SCORES = {
    "none": None,
    "causal": lambda torch: lambda s, b, h, q, k: torch.where(q >= k, s, -math.inf),
    "alibi": lambda torch: lambda s, b, h, q, k: s + (k - q) * torch.exp2(-(h + 1.0)),
    "cap": lambda torch: lambda s, b, h, q, k: 2.0 * torch.tanh(s / 2.0),
    "table": lambda torch: lambda s, b, h, q, k: s + torch.arange(7.0)[(q - k).abs()] * torch.tensor([0.1, -0.2])[b],
}
MASKS = {
    "none": None,
    "causal": lambda torch: lambda b, h, q, k: q >= k,
    "window": lambda torch: lambda b, h, q, k: (q - k).abs() <= 1,
    "documents": lambda torch: (
        lambda b, h, q, k: torch.tensor([[0, 0, 1, 1, 1, 2, 2], [0] * 7])[b, q] == torch.tensor([0, 0, 1, 1, 1])[k]
    ),
    "nothing": lambda torch: lambda b, h, q, k: q < 0,
}


def flex(torch):
    module = importlib.import_module(f"{torch.__name__}.nn.attention.flex_attention")
    if torch is not pt:
        module._FLEX_ATTENTION_DISABLE_COMPILE_DEBUG = True  # its eager form, which is quicker here
    return module


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("score", SCORES)
def test_as_in_pytorch(oracle, score, mask):
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(s).astype("float32") for s in ((2, 4, 7, 8), (2, 2, 5, 8), (2, 2, 5, 6))]

    def run(torch):
        f = flex(torch)
        q, k, v = [torch.tensor(x) for x in arrays]
        made = MASKS[mask] and f.create_block_mask(MASKS[mask](torch), 2, None, 7, 5, device="cpu")
        out, lse = f.flex_attention(
            q, k, v, SCORES[score] and SCORES[score](torch), made, scale=0.3, enable_gqa=True, return_lse=True
        )
        facts = (
            None
            if made is None
            else (made.shape, made.seq_lengths, made.to_dense().tolist(), made.numel(), made.sparsity())
        )
        return [out.numpy(), lse.numpy()], facts

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs, ours = run(oracle), run(pt)
    assert ours[1] == theirs[1]
    for a, b in zip(ours[0], theirs[0], strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("mask", ["none", "causal", "nothing"])
def test_gradients(mask):  # which PyTorch has on other devices alone
    f, g = flex(pt), pt.Generator().manual_seed(0)
    q, k, v = (pt.randn(1, 2, n, 3, dtype=pt.float64, generator=g, requires_grad=True) for n in (3, 4, 4))
    bias = pt.randn(4, dtype=pt.float64, generator=g, requires_grad=True)
    made = MASKS[mask] and f.create_block_mask(MASKS[mask](pt), None, None, 3, 4)

    def attend(q, k, v, bias):
        return f.flex_attention(q, k, v, lambda s, b, h, i, j: s + bias[j], made)

    assert pt.autograd.gradcheck(attend, (q, k, v, bias))


def test_masks(oracle):
    def run(torch):
        f = flex(torch)
        near, after = MASKS["window"](torch), MASKS["causal"](torch)
        mods = [f.and_masks(near, after), f.or_masks(near, after), f.noop_mask, SCORES["causal"](torch)]
        made = f.create_block_mask(after, 2, 3, 300, 260, device="cpu", BLOCK_SIZE=(64, 128))
        return (
            [f.create_mask(m, 1, 2, 3, 4, device="cpu").tolist() for m in mods],
            made.to_dense().tolist(),
            made[1:, 2].shape,
        )

    assert run(pt) == run(oracle)


def test_errors(oracle):
    def run(torch):
        f, found = flex(torch), []
        q = torch.ones(1, 2, 3, 4)
        for use in (
            lambda: f.flex_attention(q[0], q[0], q[0]), lambda: f.flex_attention(q, q[:, :1], q[:, :1]), lambda: f.and_masks(3),
            lambda: f.flex_attention(q, q[..., :3], q),
            lambda: f.flex_attention(q, q, q, block_mask=f.create_block_mask(MASKS["causal"](torch), 1, 1, 4, 4, device="cpu")),
        ):  # fmt: skip
            with pytest.raises(Exception) as error:  # noqa: PT011 the class is compared
                use()
            found.append((error.type, str(error.value)[:80]))
        return found

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert run(pt) == run(oracle)
