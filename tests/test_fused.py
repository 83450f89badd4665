"""Fused chains: the kernels against the operations one by one, and the layers that use them against their plain form."""

from itertools import product

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


@pytest.mark.parametrize("size", [1, 7, 600, 5000])
def test_moving_averages_and_small_sgd_steps_have_the_bits_of_numpy(dtype, size):  # noqa: F811
    x, y = values((size,), dtype), values((size,), dtype, seed=1)
    mine, theirs = x.copy(), x.copy()
    for backend, a in ((NUMBA, mine), (NUMPY, theirs)):
        backend.move_average(a, y, 0.9, 0.1 * 8 / 7)
        backend.sgd_step([a, a[:1]], [y, y[:1]], None, 0.3, 0, 0, 0, False, False, False)
    if size < 600:  # kernels for many elements may fuse the product and the difference
        assert mine.tobytes() == theirs.tobytes()
    np.testing.assert_allclose(mine, theirs, 1e-5)


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


@pytest.mark.parametrize("special", [False, True])
@pytest.mark.parametrize("shape", [(4, 3, 10, 8), (2, 5, 4), (3, 2, 70, 70), (20, 40, 4, 4)])
def test_batch_norm_and_relu_as_one_kernel(mode, dtype, shape, special):  # noqa: F811
    """The bits of both one after the other."""
    dims, g = (0, *range(2, len(shape))), values(shape, dtype, seed=3)
    w, b = values((shape[1],), dtype, seed=1), values((shape[1],), dtype, seed=2)
    for x in layouts(values(shape, dtype, special=special) * 2 + 30):
        for backend in (NUMBA, NUMPY):
            with np.errstate(all="ignore"):
                y, mean, var = backend.batch_normalize(x, w, b, dims, 1e-5)
                y = backend.relu(y)
                fused = backend.batch_normalize_relu(x, w, b, dims, 1e-5)
                assert np.array_equal(fused[0], y, equal_nan=True)
                back = backend.batch_normalize_backward(backend.relu_backward(g, y), x, w, mean, var, dims, 1e-5)
                found = backend.batch_normalize_relu_backward(g, x, w, y, mean, var, dims, 1e-5)
            for a, e in zip(found, back, strict=True):
                assert np.array_equal(a, e, equal_nan=True)


class OwnNorm(pt.nn.BatchNorm2d):
    def forward(self, input):
        return super().forward(input) + 1


class OwnRelu(pt.nn.ReLU):
    def forward(self, input):
        return super().forward(input) * 2


def _trained(net, x):
    net.zero_grad()
    x = x.clone().requires_grad_()
    y = net(x)
    (y * y).sum().backward()
    grads = [p.grad for p in net.parameters()]
    return [y.detach(), x.grad, *grads, *[b.clone() for b in net.buffers()], net.eval()(x).detach()]


@pytest.mark.parametrize("affine", [False, True])
@pytest.mark.parametrize("inplace", [False, True])
def test_norm_and_relu_in_a_sequential(device, affine, inplace):
    """One Node, and the bits of two; two wherever somebody could tell."""
    nn = pt.nn
    x = pt.randn(3, 4, 9, 9, device=device)

    def net():
        pt.manual_seed(1)
        conv = nn.Conv2d(4, 5, 3)
        return nn.Sequential(conv, nn.BatchNorm2d(5, affine=affine), nn.ReLU(inplace)).to(device)

    def steps(net, **kw):
        return net(x.clone().requires_grad_()).grad_fn.next_functions[0][0].name()

    plain = net()
    one = "ConvolutionBackward0" if affine else "NativeBatchNormBackward0"
    assert steps(plain) == one
    seen = []
    for where in (1, 2):
        hooked = net()
        hooked[where].register_forward_hook(lambda m, args, out: seen.append(type(m).__name__))
        assert steps(hooked) == "NativeBatchNormBackward0"
        alone = net()
        assert steps(alone) == one  # which moves the averages too
        for a, e in zip(_trained(alone, x), _trained(hooked, x), strict=True):
            assert pt.equal(a, e)
    assert set(seen) == {"BatchNorm2d", "ReLU"}
    own = net()
    own[1].forward = lambda input: input
    assert steps(own) == "ConvolutionBackward0"
    assert pt.equal(own(x), own[0](x).relu())
    for place, layer in ((1, OwnNorm(5, affine=affine)), (2, OwnRelu())):
        own = net()
        own[place] = layer.to(device)
        other = nn.Sequential(own[0], own[1])
        assert pt.equal(own(x), own[2](other(x)))
    packed = []
    with pt.autograd.graph.saved_tensors_hooks(lambda t: packed.append(t) or t, lambda t: t):
        assert steps(net()) == "NativeBatchNormBackward0"
    assert packed


@pytest.mark.parametrize("name", ["relu", "batch_norm"])
def test_functions_that_a_program_sets_are_called(both, monkeypatch, name):
    seen, usual = [], getattr(both.nn.functional, name)
    monkeypatch.setattr(both.nn.functional, name, lambda *args, **kw: seen.append(name) or usual(*args, **kw))
    both.nn.Sequential(both.nn.BatchNorm1d(2), both.nn.ReLU())(both.ones(3, 2))
    assert seen == [name]


def test_nothing_after_a_norm(both):
    net = both.nn.Sequential(both.nn.BatchNorm1d(2), None)
    for layers in (net, both.nn.Sequential(None)):
        with pytest.raises(TypeError, match="'NoneType' object is not callable"):
            layers(both.ones(3, 2))
    with pytest.raises(NotImplementedError, match="\"batch_norm\" not implemented for 'Long'"):
        net[0](both.ones(3, 2, dtype=both.int64))


@pytest.mark.parametrize(
    "layer",
    [
        lambda n: n.InstanceNorm2d(3), lambda n: n.BatchNorm2d(3, affine=False), lambda n: n.GroupNorm(1, 3, affine=False),
        lambda n: n.LayerNorm(5, elementwise_affine=False), lambda n: n.RMSNorm(5, elementwise_affine=False),
    ],
)  # fmt: skip
def test_relu_may_overwrite_the_result_of_a_norm(both, layer):
    x = both.leaf(np.linspace(-1, 2, 150).reshape(2, 3, 5, 5).tolist())
    norm = layer(both.nn).double()
    norm(x).relu_().sum().backward()
    grad = x.grad.clone()
    x.grad = None
    norm(x).relu().sum().backward()
    assert both.allclose(x.grad, grad)


@pytest.mark.parametrize("inplace", [False, True])
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("grad", [False, True])
def test_writes_of_layers_that_are_one_op_are_counted(both, inplace, training, grad):
    """As by the layers one by one; the backward pass still sees later ones."""
    t = both
    net = t.nn.Sequential(t.nn.BatchNorm2d(3), t.nn.ReLU(inplace=inplace)).train(training)
    x = t.linspace(-2, 3, 24).reshape(2, 3, 2, 2).requires_grad_(grad)
    with t.set_grad_enabled(grad):
        y = net(x)
        assert y._version == inplace
        if grad:
            (y * y).sum().backward()
            y = net(x)
            y.add_(1)
            with pytest.raises(
                RuntimeError, match=f"is at version {inplace + 1}; expected version {int(inplace)} instead"
            ):
                y.sum().backward()
    with t.inference_mode():
        assert net(x).is_inference()


def test_batch_norm_of_mixed_dtypes(oracle):
    """16 bits with parameters of float32, or all of one dtype; else PyTorch's error."""
    kinds = ["float32", "float64", "float16", "bfloat16"]

    def told(t, x, w, b, m, v, training):
        made = [None if k is None else t.ones(3, dtype=getattr(t, k)) for k in (m, v, w, b)]
        try:
            return str(t.nn.functional.batch_norm(t.ones(4, 3, dtype=getattr(t, x)), *made, training=training).dtype)
        except RuntimeError as error:
            return str(error).partition(" but found ")[0]  # of several wrong ones either is named

    for x, w, b, m, v in product(kinds[:3], [None, *kinds], [None, "float32", "float64"], kinds[:3], kinds[:2]):
        for training in (False, True):
            case = (x, w, b, m, v, training)
            assert told(pt, *case) == told(oracle, *case), case
