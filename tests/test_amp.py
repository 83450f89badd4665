"""autocast and GradScaler against PyTorch: dtypes of the listed functions and of many others, values, steps, messages."""

import copy
import pickle
import subprocess
import sys
import threading
import warnings

import pytest
from same import same
from test_module import fixed, tried

import polytensor

# x: a tensor of the dtype that is tried, f: float32, b: bfloat16; F: nn.functional, d: the dtype
SAMPLES = """
F.conv1d(x(1, 2, 5), x(3, 2, 2))
F.conv2d(x(1, 2, 5, 5), x(3, 2, 2, 2))
F.conv3d(x(1, 2, 5, 5, 5), x(3, 2, 2, 2, 2))
F.conv_transpose1d(x(1, 2, 5), x(2, 3, 2))
F.conv_transpose2d(x(1, 2, 5, 5), x(2, 3, 2, 2))
F.conv_transpose3d(x(1, 2, 5, 5, 5), x(2, 3, 2, 2, 2))
t.conv_tbc(x(5, 1, 2), x(2, 2, 3), x(3))
t.bmm(x(1, 2, 2), x(1, 2, 2))
t.mm(x(2, 2), x(2, 2))
x(2)@x(2)
x(2, 2)@x(2)
x(2, 2).__rmatmul__(x(2, 2))
t.linalg.vecdot(x(2), x(2))
t.linalg.matmul(x(2, 2), x(2, 2))
t.baddbmm(x(1, 2, 2), x(1, 2, 2), x(1, 2, 2))
t.addmm(x(2, 2), x(2, 2), x(2, 2))
t.addbmm(x(2, 2), x(1, 2, 2), x(1, 2, 2))
F.linear(x(2, 2), x(2, 2))
F.bilinear(x(2, 2), x(2, 2), x(3, 2, 2))
F.prelu(x(2), x(1))
F.scaled_dot_product_attention(x(1, 1, 2, 2), x(1, 1, 2, 2), x(1, 1, 2, 2))
t.mv(x(2, 2), x(2))
t.addmv(x(2), x(2, 2), x(2))
t.dot(x(2), x(2))
t.inner(x(2, 2), x(2))
t.outer(x(2), x(2))
t.ger(x(2), x(2))
t.vdot(x(2), x(2))
t.addr(x(2, 2), x(2), x(2))
t.tensordot(x(2, 2), x(2, 2), 1)
t.linalg.multi_dot([x(2, 2)]*3)
t.linalg.multi_dot([x(2, 2)]*2)
t.chain_matmul(x(2, 2), x(2, 2))
t.chain_matmul(x(2, 2))
t.einsum("ij, jk->ik", x(2, 2), x(2, 2))
t.einsum("i, j->ij", x(2), x(2))
t.einsum("i, i->i", x(2), x(2))
t.einsum("ij->ji", x(2, 2))
t.einsum("ij->i", x(2, 2))
t.einsum("i, i->", x(2), x(2))
t.einsum("bij, bjk->bik", x(1, 2, 2), x(1, 2, 2))
t.einsum("bi, bi->b", x(1, 2), x(1, 2))
t.einsum("ij, j->i", x(2, 2), x(2))
t.einsum("i, ij->ij", x(2), x(2, 2))
t.einsum("ij, kl->", x(2, 2), x(2, 2))
t.kron(x(2, 2), x(2, 2))
t.matrix_power(x(2, 2), 2)
t.matrix_exp(x(2, 2))
t.cov(x(2, 2))
t.corrcoef(x(2, 2))
t.cdist(x(2, 2), x(2, 2))
t.nn.MultiheadAttention(2, 1)(*[f(2, 1, 2)]*3)[0]
t.nn.LSTM(2, 2)(f(2, 1, 2))[0]
t.nn.LSTM(2, 2)(f(2, 1, 2))[1][1]
t.nn.GRU(2, 2)(f(2, 1, 2))[0]
t.nn.RNN(2, 2)(f(2, 1, 2))[0]
t.nn.LSTMCell(2, 2)(f(1, 2))[0]
t.nn.LSTMCell(2, 2)(f(1, 2))[1]
t.nn.GRUCell(2, 2)(f(1, 2))
t.nn.RNNCell(2, 2)(f(1, 2))
t.nn.TransformerEncoderLayer(2, 1, 4)(f(2, 1, 2))
t.nn.TransformerEncoderLayer(2, 1, 4).eval()(f(2, 1, 2))
t.nn.TransformerDecoderLayer(2, 1, 4)(f(2, 1, 2), f(2, 1, 2))
F.avg_pool3d(x(1, 1, 2, 2, 2), 2)
F.avg_pool2d(x(1, 1, 2, 2), 2)
F.binary_cross_entropy(x(2)/2, x(2)/2)
F.grid_sample(x(1, 1, 2, 2), x(1, 1, 1, 2))
t.polar(x(2), x(2))
x(2).prod()
x(2).prod(0)
t.quantile(x(3), 0.5)
t.nanquantile(x(3), 0.5)
t.stft(x(16), 4, return_complex=True)
x(2, 2).trace()
t.view_as_complex(x(2, 2))
t.linalg.cholesky(t.eye(2, dtype=d))
t.cholesky(t.eye(2, dtype=d))
t.cholesky_inverse(t.eye(2, dtype=d))
t.cholesky_solve(x(2, 2), t.eye(2, dtype=d))
t.inverse(t.eye(2, dtype=d))
t.pinverse(t.eye(2, dtype=d))
t.det(t.eye(2, dtype=d))
t.slogdet(t.eye(2, dtype=d))[1]
F.max_pool3d(x(1, 1, 2, 2, 2), 2)
F.max_pool2d(x(1, 1, 2, 2), 2)
F.adaptive_avg_pool3d(x(1, 1, 2, 2, 2), 1)
F.adaptive_avg_pool2d(x(1, 1, 2, 2), 1)
F.adaptive_max_pool3d(x(1, 1, 2, 2, 2), 1)
F.fractional_max_pool2d(x(1, 1, 4, 4), 2, 2)
F.pad(x(1, 1, 3), (1, 1), "reflect")
F.pad(x(1, 1, 3), (1, 1), "replicate")
F.pad(x(1, 1, 3), (1, 1), "circular")
F.pad(x(1, 1, 3, 3, 3), (1, 1)*3, "reflect")
F.pad(x(1, 1, 3), (1, 1))
F.mse_loss(x(2), x(2))
F.cosine_embedding_loss(x(2, 2), x(2, 2), t.ones(2))
F.nll_loss(x(2, 2), t.zeros(2, dtype=t.long))
F.nll_loss(x(2, 2, 1, 1), t.zeros(2, 1, 1, dtype=t.long))
F.hinge_embedding_loss(x(2), t.ones(2))
F.poisson_nll_loss(x(2), x(2))
F.smooth_l1_loss(x(2), x(2))
F.cross_entropy(x(2, 2), t.zeros(2, dtype=t.long))
F.l1_loss(x(2), x(2))
F.huber_loss(x(2), x(2))
F.margin_ranking_loss(x(2), x(2), t.ones(2))
F.soft_margin_loss(x(2), t.ones(2))
F.triplet_margin_loss(x(2, 2), x(2, 2), x(2, 2))
F.triplet_margin_with_distance_loss(x(2, 2), x(2, 2), x(2, 2))
F.multi_margin_loss(x(2, 2), t.zeros(2, dtype=t.long))
F.ctc_loss(x(4, 1, 3).log_softmax(2), t.ones(1, 2, dtype=t.long), (4, ), (2, ))
F.kl_div(x(2), x(2))
F.multilabel_margin_loss(x(2, 2), t.zeros(2, 2, dtype=t.long))
F.multilabel_soft_margin_loss(x(2, 2), x(2, 2))
F.binary_cross_entropy_with_logits(x(2), x(2))
F.gaussian_nll_loss(x(2), x(2), x(2))
t.fft.fft(x(4))
t.fft.rfft(x(4))
t.fft.hfft(x(4))
t.fft.fftshift(x(4))
t.linalg.cond(t.eye(2, dtype=d))
t.linalg.matrix_rank(t.eye(2, dtype=d))
t.linalg.solve(t.eye(2, dtype=d), x(2, 2))
t.linalg.svdvals(x(2, 2))
t.linalg.eigvals(x(2, 2))
t.linalg.eigvalsh(x(2, 2))
t.linalg.inv(t.eye(2, dtype=d))
t.linalg.householder_product(x(2, 2), x(2))
t.linalg.tensorinv(t.eye(4, dtype=d).reshape(2, 2, 2, 2))
t.linalg.tensorsolve(t.eye(2, dtype=d), x(2))
t.geqrf(x(2, 2))[0]
t.linalg.qr(x(2, 2))[0]
t.qr(x(2, 2))[0]
t.linalg.svd(x(2, 2))[1]
t.svd(x(2, 2))[1]
t.triangular_solve(x(2, 2), t.eye(2, dtype=d))[0]
t.linalg.solve_triangular(t.eye(2, dtype=d), x(2, 2), upper=True)
t.lu(x(2, 2))[0]
t.linalg.lu(x(2, 2))[1]
t.linalg.lu_factor(x(2, 2))[0]
t.linalg.eig(x(2, 2))[0]
t.linalg.eigh(x(2, 2))[0]
t.linalg.lstsq(x(2, 2), x(2, 2))[0]
t.linalg.matrix_power(x(2, 2), 2)
t.linalg.inv_ex(t.eye(2, dtype=d))[0]
t.linalg.cholesky_ex(t.eye(2, dtype=d))[0]
t.lu_solve(x(2, 2), *t.linalg.lu_factor(f(2, 2)))
t.linalg.lu_solve(*t.linalg.lu_factor(f(2, 2)), x(2, 2))
t.ormqr(x(2, 2), x(2), x(2, 2))
t.orgqr(x(2, 2), x(2))
x(2).softmax(0)
F.layer_norm(x(2), (2, ))
x(2).exp()
F.gelu(x(2))
x(2).sum()
x(2).norm()
F.batch_norm(x(2, 2), None, None, training=True)
F.group_norm(x(2, 2), 1)
F.cosine_similarity(x(2, 2), x(2, 2))
t.cat([x(2), f(2)])
t.cat([x(2), b(2)])
t.stack([x(2), f(2)])
x(2).index_copy(0, t.tensor([0]), f(1))
x(2).index_copy(0, t.tensor([0]), b(1))
F.interpolate(x(1, 1, 2, 2), 4, mode="bilinear")
t.istft(t.stft(f(16), 4, return_complex=True), 4)
t.addcmul(x(2), x(2), x(2))
F.embedding(t.tensor([0]), x(2, 2))
F.unfold(x(1, 1, 4, 4), 2)
F.max_unpool2d(x(1, 1, 1, 1), t.zeros(1, 1, 1, 1, dtype=t.long), 2)
F.max_unpool1d(x(1, 1, 1), t.zeros(1, 1, 1, dtype=t.long), 2)
F.lp_pool2d(x(1, 1, 4, 4), 2, 2)
t.dist(x(2), x(2))
t.renorm(x(2, 2), 2, 0, 1.0)
F.pad(x(1, 1, 3, 3, 3), (1, 1)*3, "replicate")
F.pad(x(1, 1, 3, 3), (1, 1)*2, "replicate")
F.pad(x(1, 1, 3, 3), (1, 1)*2, "reflect")
"""
LINES = [line for line in SAMPLES.strip().splitlines() if line]


def dtype_of(t, line, d):
    def make(dtype):
        return lambda *shape: (t.arange(float(max(1, t.ones(shape).numel()))).reshape(shape) / 7 % 1 + 0.1).to(dtype)

    scope = {"t": t, "F": t.nn.functional, "x": make(d), "f": make(t.float32), "b": make(t.bfloat16), "d": d}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with t.autocast("cpu", dtype=t.bfloat16):
                return str(eval(line, scope).dtype)
        except Exception as error:
            return type(error)


@pytest.mark.parametrize("line", LINES)
def test_dtypes(oracle, line):
    for d in ("float32", "bfloat16", "float64"):
        ours, theirs = (dtype_of(t, line, getattr(t, d)) for t in (polytensor, oracle))
        if isinstance(theirs, str):  # where PyTorch has no kernel, PolyTensor may have one
            assert ours == theirs, d


def training(t):
    """Steps under autocast: dtypes of outputs and gradients, values to bfloat16's precision."""
    m = fixed(t, t.nn.Sequential(t.nn.Linear(3, 4), t.nn.Tanh(), t.nn.Linear(4, 2)))
    opt = t.optim.SGD(m.parameters(), lr=0.1)
    x, y, out = t.arange(6.0).reshape(2, 3) / 4, t.tensor([0, 1]), []
    for _ in range(3):
        opt.zero_grad()
        with t.autocast("cpu"):
            h = m(x)
            loss = t.nn.functional.cross_entropy(h, y)
        loss.backward()
        opt.step()
        out += [str(h.dtype), str(loss.dtype), str(m[0].weight.grad.dtype), round(loss.item(), 1)]
    return out


def values(t):
    """Products are those of the rounded inputs."""
    a, b = t.arange(12.0).reshape(3, 4) / 7, t.arange(8.0).reshape(4, 2) / 9
    with t.autocast("cpu", dtype=t.float16):
        r = [a @ b, t.mm(a, b), t.nn.functional.linear(a, b.T), t.nn.functional.mse_loss(a.half(), a + 1)]
    return [*r, str((a @ b).dtype)]


def contexts(t):
    a, out = t.ones(2, 2), []
    state = lambda: [
        t.is_autocast_enabled("cpu"),
        str(t.get_autocast_dtype("cpu")),
        t.is_autocast_cache_enabled(),
        str((a @ a).dtype),
    ]
    out.append(state())
    with t.autocast("cpu", t.float16, cache_enabled=False):
        out.append(state())
        with t.amp.autocast("cpu", enabled=False):
            out.append(state())
            with t.autocast("cpu", dtype=t.bfloat16):
                out.append(state())
        out.append(state())
        out += [
            str(t.mm(a, a, out=t.empty(2, 2)).dtype),
            str(a.clone().addmm_(a, a).dtype),
            str((a.double() @ a.double()).dtype),
        ]
        out += [tried(lambda: a.double() @ a)[0], str((a.to(t.int64) @ a.to(t.int64)).dtype)]
    out.append(state())
    tried(lambda: t.autocast("cpu")(lambda: 1 / 0)())
    out += [state(), t.autocast("cpu")(lambda: str((a @ a).dtype))(), tried(lambda: t.autocast("cpu")(3))]
    t.set_autocast_enabled("cpu", True)
    out.append(state())
    t.set_autocast_enabled("cpu", False)
    out += [t.get_autocast_cpu_dtype(), t.is_autocast_cpu_enabled(), t.is_autocast_enabled()]
    return [str(o) if type(o).__name__ == "dtype" else o for o in out]


def refused(t):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        out = [
            tried(lambda: t.autocast(3)),
            tried(lambda: t.autocast("nope"))[0],
            t.amp.is_autocast_available("cpu"),
        ]
        for make in (
            lambda: t.autocast("cpu", dtype=t.float64), lambda: t.autocast("cuda"), lambda: t.cuda.amp.autocast(), lambda: t.cpu.amp.autocast(),
            lambda: t.cpu.amp.GradScaler(init_scale=4.0).get_scale(),
        lambda: t.cuda.amp.GradScaler().is_enabled(), lambda: t.amp.GradScaler().is_enabled(),
            lambda: t.amp.GradScaler("cpu", growth_factor=1.0), lambda: t.amp.GradScaler("cpu", backoff_factor=1.0),
        ):  # fmt: skip
            r = tried(make)
            out.append(
                r
                if isinstance(r, (tuple, float, bool))
                else str((lambda a: enter(r, lambda: (a @ a).dtype))(t.ones(2, 2)))
            )
    return out, [str(w.message) for w in caught]


def enter(context, fn):
    with context:
        return fn()


def custom(t):
    seen = []

    class Half(t.autograd.Function):
        @staticmethod
        @t.amp.custom_fwd(device_type="cpu", cast_inputs=t.float16)
        def forward(ctx, x, n):
            seen.append((str(x.dtype), t.is_autocast_enabled("cpu")))
            return x * n

        @staticmethod
        @t.amp.custom_bwd(device_type="cpu")
        def backward(ctx, g):
            seen.append((str(g.dtype), t.is_autocast_enabled("cpu")))
            return g, None

    class Same(t.autograd.Function):
        @staticmethod
        @t.amp.custom_fwd(device_type="cpu")
        def forward(ctx, x):
            seen.append((str(x.dtype), t.is_autocast_enabled("cpu")))
            return x * 1

        @staticmethod
        @t.amp.custom_bwd(device_type="cpu")
        def backward(ctx, g):
            seen.append((str(g.dtype), t.is_autocast_enabled("cpu"), str((t.ones(1, 1) @ t.ones(1, 1)).dtype)))
            return g

    for on in (True, False):
        x = t.ones(2, requires_grad=True)
        with t.autocast("cpu", enabled=on):
            y = Same.apply(Half.apply(x, 2))
        y.sum().backward()
        seen.append((str(y.dtype), str(x.grad.dtype)))
    return [*seen, tried(lambda: t.amp.custom_fwd(device_type=3)), tried(lambda: t.amp.custom_bwd(device_type=3))]


def scaling(t):
    """Each step of a scaler, with gradients that overflow on the way."""
    p, q = t.nn.Parameter(t.tensor([1.0, 2.0])), t.nn.Parameter(t.tensor([3.0]))
    one, two = t.optim.SGD([p], lr=0.1), t.optim.SGD([q], lr=0.1)
    s, out = t.amp.GradScaler("cpu", init_scale=8.0, growth_interval=2), []
    out += [tried(lambda: s.step(one)), tried(lambda: s.unscale_(one)), tried(s.update), s.get_scale(), s.state_dict()]
    out.append(tried(lambda: s.scale(3)))
    for factor in (1.0, 2.0, float("inf"), 1.0, float("nan"), 1.0, 1.0, 1.0):
        one.zero_grad()
        two.zero_grad()
        losses = s.scale([(p * factor).sum(), (q * 2).sum()])
        (losses[0] + losses[1]).backward()
        s.unscale_(one)
        out += [[g.grad.tolist() for g in (p, q)], tried(lambda: s.unscale_(one)), s.step(one), s.step(two)]
        out += [tried(lambda: s.step(one)), tried(lambda: s.unscale_(one)), tried(lambda: pickle.dumps(s))[0]]
        s.update()
        out += [p, q, s.get_scale(), s.state_dict()]
    s.scale(t.ones(1))
    s.update(2.0)
    out += [s.get_scale(), tried(lambda: s.update(t.ones(2))), tried(lambda: s.update(t.ones(1, requires_grad=True)))]
    s.update(t.tensor(16.0))
    twin = t.amp.GradScaler("cpu")
    twin.load_state_dict(s.state_dict())
    out += [
        twin.state_dict(),
        pickle.loads(pickle.dumps(s)).state_dict(),
        copy.deepcopy(s).get_scale(),
        tried(lambda: twin.load_state_dict({})),
    ]
    off = t.amp.GradScaler("cpu", enabled=False)
    out += [
        off.scale(5),
        off.get_scale(),
        off.state_dict(),
        off.update(),
        off.unscale_(one),
        off.is_enabled(),
        off.load_state_dict({}),
        off._get_growth_tracker(),
    ]
    s.set_growth_factor(3.0), s.set_backoff_factor(0.25), s.set_growth_interval(7)
    out += [
        s.get_growth_factor(),
        s.get_backoff_factor(),
        s.get_growth_interval(),
        tried(lambda: s.step(one, closure=lambda: 0)),
    ]
    empty = t.optim.SGD([t.nn.Parameter(t.ones(1))], lr=0.1)
    out.append(tried(lambda: s.step(empty)))
    half = t.optim.SGD([t.nn.Parameter(t.ones(1, dtype=t.float16))], lr=0.1)
    half.param_groups[0]["params"][0].grad = t.ones(1, dtype=t.float16)
    return [*out, tried(lambda: s.unscale_(half)), tried(lambda: s.scale(x for x in [t.ones(1)]).__next__())]


def by_flags(t):
    """Optimizers that look at found_inf and grad_scale by themselves: fused ones, and a user's."""
    out = []

    class Mine(t.optim.Optimizer):
        _step_supports_amp_scaling = True

        def step(self):
            p = self.param_groups[0]["params"][0]
            out.append(
                (
                    self.grad_scale.item() if self.grad_scale is not None else None,
                    self.found_inf.item(),
                    p.grad.tolist(),
                )
            )

    class Asks(Mine):
        def step(self, grad_scaler=None):
            out.append((grad_scaler.get_scale(), self.param_groups[0]["params"][0].grad.tolist()))

    make = {
        "sgd": lambda p: t.optim.SGD(p, lr=0.1, momentum=0.9, fused=True), "mine": lambda p: Mine(p, {}),
        "adam": lambda p: t.optim.Adam(p, lr=0.1, fused=True), "asks": lambda p: Asks(p, {}),
    }  # fmt: skip
    for name, of in make.items():
        for early in (False, True):
            p = t.nn.Parameter(t.tensor([1.0, 2.0]))
            optimizer, s = of([p]), t.amp.GradScaler("cpu", init_scale=8.0)
            out.append(getattr(optimizer, "_step_supports_amp_scaling", False))
            for factor in (1.0, float("inf"), 2.0):
                optimizer.zero_grad()
                s.scale((p * factor).sum()).backward()
                if early or name == "asks":
                    s.unscale_(optimizer)
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    out.append(tried(lambda: s.step(optimizer)))  # noqa: B023
                s.update()
                out += [
                    p.detach().clone(),
                    s.get_scale(),
                    {k: v for k, v in optimizer.state[p].items() if t.is_tensor(v)},
                ]
                if name in ("sgd", "adam") and factor != float("inf"):
                    out.append(p.grad)
    for name in ("sgd", "adam"):
        p = t.nn.Parameter(t.tensor([1.0, 2.0]))
        optimizer, p.grad = make[name]([p]), t.tensor([4.0, 8.0])
        for found in (0.0, 1.0):
            optimizer.grad_scale, optimizer.found_inf = t.tensor(4.0), t.tensor(found)
            optimizer.step()
            out.append(p.detach().clone())
    half = t.nn.Parameter(t.ones(2, dtype=t.float16))
    optimizer, s = make["sgd"]([half]), t.amp.GradScaler("cpu", init_scale=8.0)
    s.scale(half.float().sum()).backward()
    return [*out, tried(lambda: s.step(optimizer)), half.detach(), half.grad]


def layers(t):
    """Dtypes of layers' outputs: those made before the first use of autocast follow it too."""
    nn, out = t.nn, []
    with t.autocast("cpu"):
        for n in (1, 2, 3):
            for kind in ("Conv", "ConvTranspose", "LazyConv"):
                make = getattr(nn, f"{kind}{n}d")
                layer = make(2, 3) if kind == "LazyConv" else make(2, 2, 3)
                out.append(str(layer(t.ones(1, 2, *[4] * n)).dtype))
        for layer in (nn.Linear(4, 2), nn.LayerNorm(4), nn.Bilinear(4, 4, 2), nn.MultiheadAttention(4, 2)):
            x = t.ones(3, 4)
            y = layer(*[x] * {"Bilinear": 2, "MultiheadAttention": 3}.get(type(layer).__name__, 1))
            out.append(str((y[0] if isinstance(y, tuple) else y).dtype))
    return out


CASES = [training, values, layers, contexts, refused, custom, scaling, by_flags]


@pytest.mark.parametrize("case", CASES, ids=lambda f: f.__name__)
def test_amp(oracle, case):
    same(case, oracle)


def test_parameters_are_cast_once():
    t = polytensor
    m = t.nn.Linear(2, 2)
    with t.autocast("cpu"):
        h = m(t.ones(1, 2))
        first = h.grad_fn.next_functions
        again = m(t.ones(1, 2)).grad_fn.next_functions
        assert {id(n) for n, _ in first} & {id(n) for n, _ in again}
        with t.no_grad():
            m(t.ones(1, 2))
            m.weight.fill_(5)
        assert m(t.ones(1, 2)).requires_grad
        assert m(t.ones(1, 2))[0, 0].item() > 9  # a write is seen
    assert not t.amp.autocast_mode._state.cache


def test_other_threads_are_not_affected():
    a, seen = polytensor.ones(2, 2), []
    with polytensor.autocast("cpu"):
        worker = threading.Thread(target=lambda: seen.append((a @ a).dtype))
        worker.start()
        worker.join()
    assert seen == [polytensor.float32]


def test_functions_are_replaced_only_where_autocast_is_used():
    code = (
        "import polytensor as t\nfrom polytensor import matmul as mine\nfrom polytensor.nn.functional import linear\nbefore = [mine]\n"
        "a = t.ones(2, 2)\nassert not hasattr(t.matmul, '__wrapped__') and not hasattr(t.Tensor.__matmul__, '__wrapped__')\n"
        "with t.autocast('cpu'):\n    assert mine is not before[0] and mine(a, a).dtype is linear(a, a).dtype is t.bfloat16\n"
        "    m = t.nn.LSTM(2, 2)\n    assert m(a)[0].dtype is t.bfloat16\nprint(mine(a, a).dtype, mine.__wrapped__ is before[0])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.split() == ["torch.float32", "True"], done.stderr
