"""gradcheck and gradgradcheck of every differentiable primitive on every backend."""

import zlib

import numpy as np
import pytest

import polytensor as torch
from polytensor.autograd.gradcheck import GradcheckError
from polytensor.nn import functional as F
from polytensor.ops.normalization import batch_norm_relu
from polytensor.testing import gradcheck, gradgradcheck

POSITIVE = {"log", "sqrt", "rsqrt", "log1p", "log2", "log10", "pow"}


def row(x):
    return torch.tensor([0, 2, 1, 2], device=x.device)


def mask(x):
    return torch.tensor([[True, False, True], [False, True, True]], device=x.device)


def put(x, v):
    y = x.clone()
    y[row(x)[:3], 1:] = v
    return y


def inplace_view(x, y):
    z = x * 1
    z[:, 1:].mul_(y[:, 1:])
    z.t()[0].add_(y[:, 0])
    return z * z


def dropped(x):
    torch.manual_seed(1)
    return F.dropout(x, 0.4) * x


def normalized_relu(x, w, b):
    return batch_norm_relu(x, None, None, w, b, True, 0.1, 1e-3) * x


def self_attention(x, w, b, v):
    return F.multi_head_attention_forward(x, x, x, 4, 2, w, b, None, None, False, 0.0, v, None, need_weights=False)[0]


# name: (function, shapes of its inputs)
PRIMITIVES = {
    "batch_norm_relu": (normalized_relu, [(4, 2, 3), (2,), (2,)]),
    **{
        op: (lambda x, op=op: getattr(torch, op)(x), [(2, 3)])
        for op in (
            "exp",
            "log",
            "sqrt",
            "rsqrt",
            "reciprocal",
            "square",
            "log1p",
            "expm1",
            "log2",
            "log10",
            "tanh",
            "sigmoid",
            "relu",
            "abs",
            "neg",
            "sin",
            "cos",
        )
    },
    **{
        op: (lambda x, y, op=op: getattr(torch, op)(x, y), [(2, 3), (3,)])
        for op in ("add", "sub", "mul", "div", "maximum", "minimum", "pow")
    },
    "broadcast": (lambda x, y: x * y / (y * y + 1), [(2, 1), (3,)]),
    "pow3": (lambda x: x**3, [(2, 3)]),
    "pow2": (lambda x: x**2, [(4,)]),
    "rpow": (lambda x: 2.5**x, [(4,)]),
    "rdiv": (lambda x: 2 / x, [(4,)]),
    "rsub": (lambda x: 1 - x, [(4,)]),
    "alpha": (lambda x, y: torch.sub(x, y, alpha=3), [(4,), (4,)]),
    "clamp": (lambda x: x.clamp(-0.7, 0.9), [(2, 5)]),
    "where": (lambda x, y: torch.where(x > 0, x, y), [(2, 3), (3,)]),
    "masked_fill": (lambda x: x.masked_fill(mask(x), 2.0), [(2, 3)]),
    "cast": (lambda x: x.to(torch.float64) * 2, [(3,)]),
    "sum": (lambda x: x.sum(), [(2, 3)]),
    "sum1": (lambda x: x.sum(1, keepdim=True), [(2, 3)]),
    "mean": (lambda x: x.mean(), [(2, 3)]),
    "mean0": (lambda x: x.mean(0), [(2, 3)]),
    "max": (lambda x: x.max(), [(2, 3)]),
    "min": (lambda x: x.min(), [(2, 3)]),
    "max1": (lambda x: x.max(1).values, [(2, 3)]),
    "min0": (lambda x: x.min(0, keepdim=True)[0], [(2, 3)]),
    "amax": (lambda x: x.amax(1), [(2, 3)]),
    "amin": (lambda x: x.amin((0, 1)), [(2, 3)]),
    "var": (lambda x: x.var(), [(2, 3)]),
    "var1": (lambda x: x.var(1, correction=0, keepdim=True), [(2, 3)]),
    "view": (lambda x: x.contiguous().view(3, 2) ** 2, [(2, 3)]),
    "reshape": (lambda x: x.t().reshape(2, 3) ** 2, [(2, 3)]),
    "permute": (lambda x: x.permute(2, 0, 1) ** 2, [(2, 3, 2)]),
    "transpose": (lambda x: x.transpose(0, 1).exp(), [(2, 3)]),
    "squeeze": (lambda x: x.squeeze(1).exp(), [(2, 1, 3)]),
    "unsqueeze": (lambda x: x.unsqueeze(1).exp(), [(2, 3)]),
    "flatten": (lambda x: x.flatten().exp(), [(2, 3)]),
    "expand": (lambda x: x.expand(4, 2, 3).exp(), [(1, 3)]),
    "cat": (lambda x, y: torch.cat((x, y, x), 1).exp(), [(2, 3), (2, 1)]),
    "stack": (lambda x, y: torch.stack((x, y), 1).exp(), [(2, 3), (2, 3)]),
    "clone": (lambda x: x.clone() * x, [(3,)]),
    "contiguous": (lambda x: x.t().contiguous().exp(), [(2, 3)]),
    "slice": (lambda x: x[1:, ::2].exp(), [(3, 4)]),
    "int": (lambda x: x[1].exp(), [(3, 4)]),
    "none": (lambda x: x[None, ..., 1].exp(), [(3, 4)]),
    "unbind": (lambda x: tuple(y * y for y in x.unbind(0)), [(2, 3)]),
    "index": (lambda x: x[row(x)].exp(), [(3, 2)]),
    "index2": (lambda x: x[row(x), :, row(x)].exp(), [(3, 2, 3)]),
    "mask": (lambda x: x[mask(x)].exp(), [(2, 3)]),
    "mixed": (lambda x: x[1:, row(x)].exp(), [(2, 3)]),
    "put": (lambda x, v: put(x, v) ** 2, [(3, 3), (3, 2)]),
    "inplace_view": (inplace_view, [(2, 3), (2, 3)]),
    "gather": (lambda x: x.gather(1, row(x)[None]).exp(), [(1, 3)]),
    "index_select": (lambda x: x.index_select(1, row(x)).exp(), [(2, 3)]),
    "cumsum": (lambda x: x.cumsum(1).exp(), [(2, 3)]),
    "prod": (lambda x: x.prod(), [(4,)]),
    **{
        f"matmul{a}{b}": (torch.matmul, [a, b])
        for a, b in (
            ((3,), (3,)),
            ((2, 3), (3,)),
            ((3,), (3, 2)),
            ((2, 3), (3, 2)),
            ((2, 2, 3), (3, 2)),
            ((2, 3), (2, 3, 2)),
            ((2, 1, 1, 3), (2, 3, 2)),
        )
    },
    "self_attention": (self_attention, [(2, 2, 4), (12, 4), (12,), (4, 4)]),
    "layer_norm": (lambda x, w, b: F.layer_norm(x, (3,), w, b).exp(), [(2, 3), (3,), (3,)]),
    "linear": (F.linear, [(2, 3), (4, 3), (4,)]),
    "linear3d": (F.linear, [(2, 2, 3), (2, 3)]),
    "addmm": (torch.addmm, [(3,), (2, 2), (2, 3)]),
    "conv2d": (F.conv2d, [(2, 2, 4, 4), (2, 2, 3, 3), (2,)]),
    "conv2d.nobias": (F.conv2d, [(1, 1, 4, 3), (2, 1, 2, 2)]),
    "conv2d.stride": (lambda x, w: F.conv2d(x, w, stride=2, padding=1), [(1, 2, 5, 4), (2, 2, 3, 2)]),
    "conv2d.dilation": (
        lambda x, w: F.conv2d(x, w, padding=(1, 2), dilation=(2, 1)),
        [(1, 1, 5, 4), (2, 1, 2, 3)],
    ),
    "conv2d.groups": (
        lambda x, w, b: F.conv2d(x, w, b, stride=(2, 1), padding=1, dilation=(1, 2), groups=2),
        [(2, 2, 4, 4), (4, 1, 2, 2), (4,)],
    ),
    "conv2d.unbatched": (F.conv2d, [(1, 4, 4), (2, 1, 3, 3)]),
    "max_pool2d": (lambda x: F.max_pool2d(x, 2), [(2, 1, 4, 5)]),
    "max_pool2d.overlap": (lambda x: F.max_pool2d(x, 3, 1, 1), [(1, 2, 4, 4)]),
    "max_pool2d.ceil": (lambda x: F.max_pool2d(x, 2, ceil_mode=True, dilation=1), [(1, 1, 5, 5)]),
    "softmax": (lambda x: torch.softmax(x, 1), [(2, 4)]),
    "softmax0": (lambda x: F.softmax(x, 0), [(3, 2)]),
    "log_softmax": (lambda x: torch.log_softmax(x, -1), [(2, 4)]),
    "dropout": (lambda x: F.dropout(x, 0.5, training=False) * dropped(x), [(2, 3)]),
    **{
        f"cross_entropy.{r}": (
            lambda x, r=r: F.cross_entropy(x, row(x), ignore_index=1, reduction=r),
            [(4, 3)],
        )
        for r in ("mean", "sum", "none")
    },
    **{
        f"mse_loss.{r}": (lambda x, y, r=r: F.mse_loss(x, y, reduction=r), [(2, 3), (2, 3)])
        for r in ("mean", "sum", "none")
    },
}


def samples(name, shapes, device, layout="c"):
    """Inputs whose elements are all different and away from the kinks, so that finite differences hold."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    result = []
    for shape in shapes:
        n = int(np.prod(shape))
        values = (rng.permutation(n) + rng.uniform(0.3, 0.7, n)) / n * 3 - 1.5
        values = np.abs(values) + 0.2 if name in POSITIVE else np.where(np.abs(values) < 0.05, 0.1, values)
        x = values.reshape(shape)
        x = np.ascontiguousarray(x.T).T if layout == "t" else x
        result.append(torch.from_numpy(x).to(device).requires_grad_())
    return tuple(result)


@pytest.mark.parametrize("layout", ["c", "t"])
@pytest.mark.parametrize("name", PRIMITIVES)
def test_gradcheck(name, layout, device):
    fn, shapes = PRIMITIVES[name]
    assert gradcheck(fn, samples(name, shapes, device, layout), check_grad_dtypes=True)


@pytest.mark.parametrize("name", PRIMITIVES)
def test_gradgradcheck(name, device):
    fn, shapes = PRIMITIVES[name]
    assert gradgradcheck(fn, samples(name, shapes, device))


class Wrong(torch.autograd.Function):
    """exp with half of its derivative."""

    @staticmethod
    def forward(ctx, x):
        y = x.exp()
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, g):
        return g * ctx.saved_tensors[0] / 2


def test_finds_a_wrong_derivative():
    x = torch.tensor([0.5, 1.0], dtype=torch.float64, requires_grad=True)
    with pytest.raises(GradcheckError, match="Jacobian mismatch for output 0 with respect to input 0"):
        gradcheck(Wrong.apply, (x,))
    assert not gradcheck(Wrong.apply, (x,), raise_exception=False)
    assert not gradcheck(Wrong.apply, (x,), raise_exception=False, fast_mode=True)
    assert gradcheck(torch.exp, x, fast_mode=True)


class Scaled(torch.autograd.Function):
    """2 x, with a gradient of 2 g or a wrong one."""

    @staticmethod
    def forward(ctx, x, factor):
        ctx.factor = factor
        return x * 2

    @staticmethod
    def backward(ctx, g):
        return g * ctx.factor, None


@pytest.mark.parametrize("fast", [False, True])
def test_complex_numbers(fast):
    x = torch.tensor([0.5 + 1j, -2.0 + 0.3j, 0.1j], dtype=torch.complex128, requires_grad=True)
    real = torch.tensor([0.5, 1.0, -2.0], dtype=torch.float64, requires_grad=True)
    for f in (torch.sin, torch.abs, lambda x: x * x.conj(), lambda x: (x.real, x.imag), lambda x: Scaled.apply(x, 2)):
        assert gradcheck(f, x, fast_mode=fast)
    assert gradcheck(lambda x: torch.complex(x, x * x), real, fast_mode=fast)
    assert gradcheck(lambda x, y: x * y, (x, real), fast_mode=fast, check_forward_ad=True)
    assert gradgradcheck(lambda x, y: (x**3).sum() * y, (x, real), fast_mode=fast)
    for factor in (2j, 2.1, 2 + 0.1j):
        with pytest.raises(GradcheckError, match="Jacobian mismatch"):
            gradcheck(Scaled.apply, (x, factor), fast_mode=fast)


@pytest.mark.parametrize("fast", [False, True])
def test_tolerance_of_each_element(fast):
    """A Jacobian whose elements are each off by less than atol, however many there are."""
    x = torch.rand(100, dtype=torch.float64).requires_grad_()
    assert gradcheck(lambda x: Scaled.apply(x * 2.5e-6, 0), x, fast_mode=fast)


def test_refuses_inputs():
    with pytest.raises(ValueError, match="at least one input tensor to require gradient"):
        gradcheck(torch.exp, torch.ones(2))
    with pytest.raises(RuntimeError, match="dimension with stride 0"):
        gradcheck(torch.exp, torch.ones(1, dtype=torch.float64).expand(3).requires_grad_())
    with pytest.warns(UserWarning, match="not a double precision"):
        gradcheck(torch.neg, torch.ones(2, requires_grad=True), atol=1e-1, eps=1e-2)


def test_detached_output_must_be_flat():
    x = torch.ones(2, dtype=torch.float64, requires_grad=True)
    assert gradcheck(lambda x: torch.ones(2, dtype=torch.float64), x)
    with pytest.raises(GradcheckError, match="expected to be zero"):
        gradcheck(lambda x: x.detach() * 2, x)


class Square(torch.autograd.Function):
    """x * x, right for real x alone; noise in its derivative."""

    noise = 0.0

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, g):
        return g * ctx.saved_tensors[0] * (2 + Square.noise * torch.rand((), dtype=torch.float64))


@pytest.mark.parametrize("fast", [False, True])
def test_complex_inputs_and_outputs(fast):
    def both(z, x):
        return z.abs() * x, torch.complex(x, z.real).exp() * z.conj()

    z = torch.tensor([0.5 + 1j, -1 + 0.25j], dtype=torch.complex128, requires_grad=True)
    x = torch.tensor([0.5, 2.0], dtype=torch.float64, requires_grad=True)
    assert gradcheck(both, (z, x), fast_mode=fast, check_forward_ad=True, check_grad_dtypes=True)
    assert gradgradcheck(both, (z, x), fast_mode=fast)
    assert gradcheck(Square.apply, x, fast_mode=fast)
    with pytest.raises(GradcheckError, match="Jacobian mismatch"):
        gradcheck(Square.apply, z, fast_mode=fast)


@pytest.mark.parametrize("fast", [False, True])
def test_two_backward_passes_must_agree(fast, monkeypatch):
    monkeypatch.setattr(Square, "noise", 1e-7)
    x = torch.tensor([0.5, 2.0], dtype=torch.float64, requires_grad=True)
    with pytest.raises(GradcheckError, match="not reentrant"):
        gradcheck(Square.apply, x, fast_mode=fast)
    assert gradcheck(Square.apply, x, fast_mode=fast, nondet_tol=1e-5)


@pytest.mark.parametrize(
    "kind, fn", {"shape": lambda x: x if x[0] > 1 else x[:1], "dtype": lambda x: x if x[0] > 1 else x.float()}.items()
)
def test_what_an_output_is_must_not_hang_on_values(kind, fn):
    x = torch.ones(2, dtype=torch.float64, requires_grad=True)
    with pytest.raises(AssertionError, match=f"same {kind} when inputs are perturbed"):
        gradcheck(fn, x)
