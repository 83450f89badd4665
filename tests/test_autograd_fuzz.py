"""Random graphs of ops in both libraries: values, names of nodes, gradients and second gradients must agree."""

import random
import warnings

import numpy as np
import pytest

import polytensor

# each takes (module m, x, y) of one shape, and gives that shape again; `cplx` ops take complex numbers too
REAL = {
    "erf": lambda m, x, y: x.erf(),
    "gelu": lambda m, x, y: m.nn.functional.gelu(x),
    "softplus": lambda m, x, y: m.nn.functional.softplus(x),
    "elu": lambda m, x, y: m.nn.functional.elu(x),
    "relu": lambda m, x, y: x.relu(),
    "sinc": lambda m, x, y: x.sinc(),
    "lgamma": lambda m, x, y: (x.sigmoid() + 0.5).lgamma(),
    "logit": lambda m, x, y: (x.sigmoid() * 0.8 + 0.1).logit(),
    "xlogy": lambda m, x, y: m.xlogy(x, y.sigmoid() + 0.5),
    "maximum": lambda m, x, y: m.maximum(x, y),
    "atan2": lambda m, x, y: m.atan2(x, y.sigmoid() + 0.5),
    "hypot": lambda m, x, y: m.hypot(x, y + 3),
    "pow": lambda m, x, y: (x.sigmoid() + 0.5) ** y,
    "lerp": lambda m, x, y: m.lerp(x, y, 0.3),
    "addcdiv": lambda m, x, y: m.addcdiv(x, y, x.sigmoid() + 0.5, value=0.5),
    "copysign": lambda m, x, y: m.copysign(x, y),
    "remainder": lambda m, x, y: m.remainder(x, y.sigmoid() + 0.5),
    "logaddexp": lambda m, x, y: m.logaddexp(x, y),
    "softmax": lambda m, x, y: x.softmax(1),
    "log_softmax": lambda m, x, y: x.log_softmax(0),
    "logsumexp": lambda m, x, y: x - x.logsumexp(1, keepdim=True),
    "max": lambda m, x, y: x + x.max(0)[0],
    "median": lambda m, x, y: x + x.median(1, keepdim=True)[0],
    "amax": lambda m, x, y: x + x.amax((0, 1)),
    "std": lambda m, x, y: x * x.std(0),
    "sort": lambda m, x, y: x.sort(0)[0] * x,
    "topk": lambda m, x, y: x + x.topk(2, 1)[0].sum(1, keepdim=True),
    "quantile": lambda m, x, y: x + x.quantile(0.3),
    "cummax": lambda m, x, y: x.cummax(0)[0],
    "logcumsumexp": lambda m, x, y: x.logcumsumexp(1),
    "norm 3": lambda m, x, y: x / (m.linalg.vector_norm(x, 3, dim=1, keepdim=True) + 1),
    "layer_norm": lambda m, x, y: m.nn.functional.layer_norm(x, x.shape[1:], y[0], x[0]),
    "batch_norm": lambda m, x, y: m.nn.functional.batch_norm(x, None, None, y[0], None, True),
    "cross_entropy": lambda m, x, y: x * m.nn.functional.cross_entropy(x, m.zeros(len(x), dtype=m.int64)),
    "huber": lambda m, x, y: x * m.nn.functional.huber_loss(x, y),
    "conv": lambda m, x, y: m.nn.functional.conv2d(x[None, None], y[None, None, :3, :3] * 0.3, padding=1)[0, 0],
    "pool": lambda m, x, y: x + m.nn.functional.max_pool2d(x[None], 2)[0].sum(),
    "eigvalsh": lambda m, x, y: (
        x * m.linalg.eigvalsh(x @ x.mT * 0.2 + 3 * m.eye(len(x), dtype=x.dtype)).pow(2).sum() * 0.02
    ),
    "svdvals": lambda m, x, y: x * m.linalg.svdvals(x).sum() * 0.2,
}
BOTH = {
    "add": lambda m, x, y: x + y,
    "sub": lambda m, x, y: x - 2 * y,
    "mul": lambda m, x, y: x * y,
    "div": lambda m, x, y: x / (y * y.conj() + 1),
    "exp": lambda m, x, y: (x * 0.3).exp(),
    "sin": lambda m, x, y: x.sin(),
    "tanh": lambda m, x, y: (x * 0.5).tanh(),
    "sigmoid": lambda m, x, y: (x * 0.5).sigmoid(),
    "square": lambda m, x, y: x.square(),
    "pow 3": lambda m, x, y: (x * 0.5) ** 3,
    "conj": lambda m, x, y: x.conj() * y,
    "abs": lambda m, x, y: x * x.abs(),
    "log": lambda m, x, y: (x * x.conj() + 2).log(),
    "where": lambda m, x, y: m.where(x.detach().abs() > 1, x, y * 2),
    "sum": lambda m, x, y: x * x.sum(-1, keepdim=True) * 0.3,
    "mean": lambda m, x, y: x - x.mean(),
    "var": lambda m, x, y: x * x.var(),
    "prod": lambda m, x, y: x * (x * 0.5).prod(0),
    "cumsum": lambda m, x, y: x.cumsum(1),
    "cumprod": lambda m, x, y: (x * 0.3 + 1).cumprod(0),
    "norm": lambda m, x, y: x / (x.norm() + 1),
    "transposed": lambda m, x, y: x.t().contiguous().view(x.shape),
    "reshaped": lambda m, x, y: x.reshape(-1).view(x.shape[::-1]).t(),
    "expanded": lambda m, x, y: x[0].expand(x.shape) * y,
    "select": lambda m, x, y: x * x[:, 1].unsqueeze(1),
    "slices": lambda m, x, y: m.cat([x[1:], x[:1]]),
    "index": lambda m, x, y: x[m.tensor([1] * len(x))] + y,
    "gather": lambda m, x, y: x.gather(1, m.ones(x.shape, dtype=m.int64)),
    "stack": lambda m, x, y: m.stack([x, y]).sum(0),
    "roll": lambda m, x, y: x.roll(1, 0),
    "flip": lambda m, x, y: x.flip(1),
    "triangles": lambda m, x, y: x.tril() + x.triu(1) * 2,
    "masked": lambda m, x, y: x + x[x.detach().abs() > 0.5].sum(),
    "repeat": lambda m, x, y: x.repeat(2, 1)[: len(x)],
    "pad": lambda m, x, y: m.nn.functional.pad(x, (1, 1))[:, 1:-1],
    "unfold": lambda m, x, y: x + x.unfold(1, 2, 1).sum((1, 2))[:, None],
    "scatter": lambda m, x, y: x.scatter(1, m.zeros(len(x), 1, dtype=m.int64), y[:, 1:2]),
    "index_add": lambda m, x, y: x.index_add(0, m.tensor([0, 0]), y[:2]),
    "as_strided": lambda m, x, y: x.contiguous().as_strided(x.shape, (x.shape[1], 1)),
    "written": lambda m, x, y: written(x, y),
    "matmul": lambda m, x, y: x @ (y.t() @ x) * 0.1,
    "bmm": lambda m, x, y: (m.bmm(x[None], y.t()[None]) @ x)[0] * 0.1,
    "einsum": lambda m, x, y: m.einsum("ij,kj,kl->il", x, y, x) * 0.1,
    "solve": lambda m, x, y: m.linalg.solve(x @ x.mH * 0.2 + 3 * m.eye(len(x), dtype=x.dtype), y),
    "det": lambda m, x, y: x * m.linalg.det(x @ x.mH * 0.2 + 3 * m.eye(len(x), dtype=x.dtype)) * 0.01,
    "fft": lambda m, x, y: x * m.fft.fft(y).abs() * 0.3,
}


def written(x, y):
    """In-place writes through views."""
    z = x * 1
    z.mul_(y)
    z[:, 0].add_(1)
    z[0] = y[1] * 2
    return z


def graph(module, names, picks, a, b):
    values = [module.from_numpy(v.copy()).requires_grad_() for v in (a, b)]
    for name, (i, j) in zip(names, picks, strict=True):
        x, y = values[i % len(values)], values[j % len(values)]
        v = {**REAL, **BOTH}[name](module, x, y)
        size = v.detach().abs().max().item()
        values.append(v if size < 1e3 else v * (1e2 / size))
    out = sum(v.sum() for v in values[-3:])
    out = out.real + out.imag if out.is_complex() else out
    made = [v.grad_fn.name().split("::")[-1] for v in values[2:]]
    grads = module.autograd.grad(out, values[:2], create_graph=True, materialize_grads=True)
    size = sum((g * g.conj()).real.sum() for g in grads)
    second = module.autograd.grad(size, values[:2], materialize_grads=True) if size.requires_grad else ()
    return made, [t.detach().numpy(force=True) for t in (*values, *grads, *second)]


@pytest.mark.parametrize("seed", range(60))
def test_same_graph(oracle, seed):
    pick, draw = random.Random(seed), np.random.default_rng(seed)
    cplx = seed % 4 == 3
    shape = pick.choice([(3, 4), (4, 4), (3, 3), (4, 6)])
    a, b = (draw.standard_normal(shape) + (1j * draw.standard_normal(shape) if cplx else 0) for _ in range(2))
    names = [pick.choice(list(BOTH) if cplx or pick.random() < 0.5 else list(REAL)) for _ in range(pick.randint(1, 5))]
    picks = [(pick.choice([-1, -2, -3]), pick.randrange(6)) for _ in names]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        (their_names, theirs), (our_names, ours) = (graph(m, names, picks, a, b) for m in (oracle, polytensor))
    assert our_names == their_names, names
    for x, y in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-6, atol=1e-8 * (1 + np.abs(y).max()), err_msg=str(names))
