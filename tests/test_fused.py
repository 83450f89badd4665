"""Fused chains: the kernels against the operations one by one, and the layers that use them against their plain form."""

import numpy as np
import pytest
from test_numba_kernels import NUMBA, NUMPY, dtype, layouts, mode, values  # noqa: F401

import polytensor as pt
from polytensor.nn import functional as F

SIZES = [(0,), (1,), (7, 9), (2048,), (300, 70), (3, 16390)]


@pytest.mark.parametrize("shape", SIZES)
@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_dropout_has_the_bits_of_a_product_with_the_mask(mode, dtype, shape, p):  # noqa: F811
    counter = 2**64 - 3  # carries into the second word
    for x in layouts(values(shape, dtype, special=True)):
        mask = NUMPY.bernoulli(5, counter, shape, 1.0 - p)
        for backend in (NUMBA, NUMPY):
            with np.errstate(invalid="ignore"):
                y, kept = backend.dropout(x, 5, counter, p)
                expected = x * (mask * x.dtype.type(1 / (1 - p)))
                back = backend.masked_scale(x, mask, 1 / (1 - p))
            assert kept.dtype == bool and np.array_equal(kept, mask)
            assert y.tobytes() == expected.astype(dtype).tobytes() == back.tobytes()


def test_dropout_keeps_a_mask_of_bytes(device):
    pt.manual_seed(3)
    x = pt.ones(70, 60, device=device).requires_grad_()
    y = F.dropout(x, 0.25)
    assert y.grad_fn.name() == "MulBackward0"
    y.backward(pt.full((70, 60), 3.0, device=device))
    assert set(y.unique().tolist()) == {0.0, float(np.float32(1 / 0.75))}
    assert x.grad.tolist() == (y.detach() * 3).tolist()
    with pt.no_grad():
        assert F.dropout(x, 0.25).grad_fn is None
    seen = []
    with pt.autograd.graph.saved_tensors_hooks(lambda t: seen.append(t.dtype) or t, lambda t: t):
        F.dropout(x, 0.25)
    assert seen == [pt.float32]  # the noise, as in PyTorch
    z = x * 1
    assert F.dropout(z, 0.25, inplace=True) is z


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
def test_layer_norm_without_gradients_has_the_same_bits(device, dtype):  # noqa: F811
    kind = getattr(pt, dtype)
    x, w, b = (pt.randn(*shape, dtype=kind, device=device) for shape in ((3, 40, 70), (70,), (70,)))
    plain = F.layer_norm(x, (70,), w, b)
    assert plain.grad_fn is None and plain.dtype is kind
    y = F.layer_norm(x.clone().requires_grad_(), (70,), w, b)
    assert y.grad_fn is not None and pt.equal(y.detach(), plain)
    with pt.no_grad():
        assert pt.equal(F.layer_norm(x, (70,), w.clone().requires_grad_(), b), plain)
