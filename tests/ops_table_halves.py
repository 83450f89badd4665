"""float16 and bfloat16 beside numbers that they do not hold: each bit as on PyTorch's CPU, in results and gradients.

The sizes are whole vectors of PyTorch's loops: past them its sums round the product too.
"""

from ops_table import add, arr

NUMBERS = (0.1, 2.3, -1 / 3, 257)


def _div(mode):
    return lambda t, x, y, n: t.div(x * 8, n, rounding_mode=mode)


OPS = {
    "mul": lambda t, x, y, n: x * n, "rmul": lambda t, x, y, n: n * x, "div": lambda t, x, y, n: x / n,
    "rdiv": lambda t, x, y, n: n / (x.abs() + 1), "add": lambda t, x, y, n: x + n, "sub": lambda t, x, y, n: x - n,
    "rsub": lambda t, x, y, n: n - x, "mul_": lambda t, x, y, n: (x * 1).mul_(n), "div_": lambda t, x, y, n: (x * 1).div_(n),
    "add_": lambda t, x, y, n: (x * 1).add_(n), "add_alpha": lambda t, x, y, n: t.add(x, y, alpha=n),
    "add_alpha_": lambda t, x, y, n: (x * 1).add_(y, alpha=n), "sub_alpha": lambda t, x, y, n: t.sub(x, y, alpha=n),
    "sub_alpha_": lambda t, x, y, n: (x * 1).sub_(y, alpha=n), "rsub_alpha": lambda t, x, y, n: t.rsub(x, y, alpha=n),
    "add_number_alpha": lambda t, x, y, n: t.add(x, n, alpha=n), "rsub_number_alpha": lambda t, x, y, n: t.rsub(x, n, alpha=n),
    "mul_0d": lambda t, x, y, n: x * t.tensor(n), "pow": lambda t, x, y, n: x.detach().abs() ** n,
    "mul_0d64": lambda t, x, y, n: x * t.tensor(n, dtype=t.float64), "div_0d": lambda t, x, y, n: x / t.tensor(n),
    "mul_0d_first": lambda t, x, y, n: t.tensor(n) * x.detach(), "mul_0d_": lambda t, x, y, n: (x * 1).mul_(t.tensor(n)),
    "element": lambda t, x, y, n: x[0] * n, "transposed": lambda t, x, y, n: x.reshape(16, 12).t()[:, ::2] * n,
    "empty": lambda t, x, y, n: x[:0] * n, "out": lambda t, x, y, n: t.mul(x.detach(), n, out=t.empty_like(x.detach())),
    "floor": _div("floor"), "trunc": _div("trunc"), "floor_divide": lambda t, x, y, n: (x.detach() * 8) // n,
    "lt": lambda t, x, y, n: x < n, "eq": lambda t, x, y, n: x.new_tensor([n]) == n, "clamp": lambda t, x, y, n: x.clamp(-1, n),
    "foreach": lambda t, x, y, n: t._foreach_mul([x], n)[0],
}  # fmt: skip

# functions whose kernels, or whose derivatives, have numbers in them
FUNCTIONS = {
    "pow": lambda t, x, y, n: (x.abs() + 0.1) ** n, "root": lambda t, x, y, n: (x.abs() + 0.1) ** 0.5,
    "log2": lambda t, x, y, n: (x.abs() + 0.1).log2(), "log10": lambda t, x, y, n: (x.abs() + 0.1).log10(), "erf": lambda t, x, y, n: x.erf(),
    "tanh": lambda t, x, y, n: x.tanh(), "mean": lambda t, x, y, n: x.mean(), "mean_dim": lambda t, x, y, n: x.reshape(3, 64)[:, :50].mean(1),
    "deg2rad": lambda t, x, y, n: x.deg2rad(), "rad2deg": lambda t, x, y, n: x.detach().rad2deg(),
    "div_of_two": lambda t, x, y, n: x / (y.abs() + 0.1), "atan2": lambda t, x, y, n: t.atan2(x, y), "hypot": lambda t, x, y, n: t.hypot(x, y),
    "exp2": lambda t, x, y, n: x.exp2(), "erfinv": lambda t, x, y, n: (x * 0.25).erfinv(), "cube": lambda t, x, y, n: x**3,
    "rsqrt": lambda t, x, y, n: (x.abs() + 0.1).rsqrt(), "sinc": lambda t, x, y, n: x.sinc(), "logit": lambda t, x, y, n: (x / 8 + 0.5).logit(),
    "norm": lambda t, x, y, n: x.reshape(12, 16).norm(dim=1), "dist": lambda t, x, y, n: t.dist(x, y),
    "cosine": lambda t, x, y, n: t.cosine_similarity(x.reshape(12, 16), y.reshape(12, 16)),
    "normalize": lambda t, x, y, n: t.nn.functional.normalize(x.reshape(12, 16)),
    "pairwise": lambda t, x, y, n: t.pairwise_distance(x.reshape(12, 16), y.reshape(12, 16)),
    "renorm_of": lambda t, x, y, n: x.detach().reshape(12, 16).renorm(2, 0, 1.3), "glu_of": lambda t, x, y, n: t.nn.functional.glu(x.detach()),
    "lerp_by": lambda t, x, y, n: t.lerp(x, y, x.detach().abs() / 4),
    "addmm": lambda t, x, y, n: t.addmm(x[:4], x.reshape(12, 16), y[:64].reshape(16, 4), beta=n),
    "linear": lambda t, x, y, n: t.nn.functional.linear(x.reshape(2, 6, 16), y[:64].reshape(4, 16), x[:4]),
    "index_add": lambda t, x, y, n: x.reshape(12, 16).index_add(0, t.arange(24) % 5, t.cat([y, x]).reshape(24, 16)),
    "bce_logits": lambda t, x, y, n: t.nn.functional.binary_cross_entropy_with_logits(x, y.sigmoid().detach(), reduction="none"),
    "matmul_right": lambda t, x, y, n: x.reshape(3, 8, 8) @ y[:64].reshape(8, 8),
    "matmul_left": lambda t, x, y, n: y[:64].reshape(8, 8) @ x.reshape(3, 8, 8),
    "round_of": lambda t, x, y, n: x.detach().round(decimals=1),
    "sigmoid_of": lambda t, x, y, n: x.detach().sigmoid(), "rsqrt_of": lambda t, x, y, n: x.detach().abs().rsqrt(),
}  # fmt: skip
# whose derivative's steps in float16 PyTorch rounds in another place
BFLOAT16_ONLY = {
    "sigmoid": lambda t, x, y, n: x.sigmoid(),
    "smooth_l1": lambda t, x, y, n: t.nn.functional.smooth_l1_loss(x, y, reduction="none", beta=abs(n)),
}
FLOAT16_ONLY = {
    "huber_of": lambda t, x, y, n: t.nn.functional.huber_loss(x.detach(), y.detach(), reduction="none", delta=abs(n))
}


def _bits(t, fn, x, y, dtype):
    """Results and gradients in float32, in which numbers a step of a 16-bit dtype apart differ."""
    found = []
    for n in NUMBERS:
        a, b = (z.to(dtype).detach().requires_grad_() for z in (x, y))
        r = fn(t, a, b, n)
        found.append(r.float().detach())
        if r.requires_grad:
            g = t.linspace(-1, 1, max(r.numel(), 1), device=r.device)[: r.numel()].reshape(r.shape).to(dtype)
            found += [z.float() for z in t.autograd.grad(r, [a, b], g, allow_unused=True) if z is not None]
    return found


for _name, _fn in {**OPS, **FUNCTIONS, **BFLOAT16_ONLY, **FLOAT16_ONLY}.items():
    for _dtype in ("bfloat16",) * (_name not in FLOAT16_ONLY) + ("float16",) * (_name not in BFLOAT16_ONLY):
        add(
            f"halves.{_name}.{_dtype}",
            lambda t, x, y, fn=_fn, dtype=_dtype: _bits(t, fn, x, y, getattr(t, dtype)),
            arr(192), arr(192), grad=False, layout=False, host=True,
        )  # fmt: skip
for _dtype in ("float16", "bfloat16"):
    add(  # PyTorch's compiled loop fuses a product and a sum here and there: a step, in one of 500
        f"halves.lerp.{_dtype}",
        lambda t, x, y, dtype=_dtype: [t.lerp(x.to(getattr(t, dtype)), y.to(getattr(t, dtype)), n) for n in NUMBERS],
        arr(192), arr(192), grad=False, layout=False,
    )  # fmt: skip
    add(
        f"halves.errors.{_dtype}",
        lambda t, x, y, dtype=_dtype: t.add(x.to(getattr(t, dtype)), y.to(getattr(t, dtype)), alpha=0.1),
        arr(3), arr(4), grad=False,
    )  # fmt: skip
    for _alpha, _other in ((True, None), (1j, None), (2, "bool")):
        add(
            f"halves.refused.{_alpha}.{_dtype}",
            lambda t, x, dtype=_dtype, n=_alpha, d=_other: t.sub(x.to(getattr(t, dtype)), x.to(getattr(t, d or dtype)), alpha=n),
            arr(3), grad=False,
        )  # fmt: skip
    add(
        f"halves.overflow.{_dtype}",
        lambda t, x, dtype=_dtype: [(x * 1e-4).to(getattr(t, dtype)) * n for n in (1e6, 65600, float("inf"), float("nan"), 1e39)],
        arr(5), grad=False,
    )  # fmt: skip
    add(
        f"halves.arithmetic.{_dtype}",
        lambda t, x, y, dtype=_dtype: [
            r
            for n in NUMBERS[:2]
            for a, b in ((x.to(getattr(t, dtype)), y.to(getattr(t, dtype))),)
            for r in (a * n, a / n, n / a, t.add(a, b, alpha=n), t.lerp(a, b, n), (a * 1).mul_(n), a.t() * n, t.add(a, b[0], alpha=n))
        ],
        arr(8, 32, lo=1, hi=2), arr(8, 32, lo=1, hi=2), grad=False,
    )  # fmt: skip

CREATED = {  # the derivatives that PyTorch has a kernel for round once, recorded or not
    "tanh": lambda t, x: x.tanh(), "sigmoid": lambda t, x: x.sigmoid(), "softmax": lambda t, x: x.reshape(12, 16).softmax(1),
    "log_softmax": lambda t, x: x.reshape(12, 16).log_softmax(0), "gelu": lambda t, x: t.nn.functional.gelu(x),
    "huber": lambda t, x: t.nn.functional.huber_loss(x, x.detach() + 0.7, reduction="none", delta=0.8),
}  # fmt: skip


def _apart(t, fn, x):
    """The gradient beside that recorded for derivatives of it."""
    g = t.linspace(-1, 1, x.numel()).to(x.dtype)
    plain, recorded = (
        t.autograd.grad(r, x, g.reshape(r.shape), create_graph=created)[0]
        for created in (False, True)
        for r in (fn(t, x),)
    )
    return (plain - recorded).float().detach()


for _name, _fn in CREATED.items():
    for _dtype in ("float16", "bfloat16"):
        add(
            f"halves.created.{_name}.{_dtype}",
            lambda t, x, fn=_fn, dtype=_dtype: _apart(t, fn, x.to(getattr(t, dtype)).detach().requires_grad_()),
            arr(192), grad=False, layout=False, host=True,
        )  # fmt: skip


def _averages(t, x):
    """The running mean and variance of a BatchNorm in float16 after two batches; in bfloat16 PyTorch rounds each step."""
    m = t.nn.BatchNorm1d(192).half()
    for k in (1, 3):
        m(x.half() * k)
    return [m.running_mean.float(), m.running_var.float()]


add("halves.averages", _averages, arr(5, 192), grad=False, host=True)
for _dtype in ("float16", "bfloat16"):  # a product of matrices in float32, where PyTorch's steps are of the dtype
    add(
        f"halves.cdist.{_dtype}",
        lambda t, x, y, d=_dtype: t.cdist(x.to(getattr(t, d)), y.to(getattr(t, d))).sub(t.cdist(x, y)).abs().max() < 0.05,
        arr(40, 4), arr(3, 4), grad=False,
    )  # fmt: skip
    add(
        f"halves.cdist.few.{_dtype}",
        lambda t, x, d=_dtype: t.cdist(x.to(getattr(t, d)), x.to(getattr(t, d))),
        arr(3, 4),
        grad=False,
    )
