"""nn.utils and functional_call: one text on PolyTensor and on PyTorch, step by step."""

import copy
import importlib
import pickle
import warnings

import pytest
from same import same
from test_module import fixed, names, tried


def sub(t, name):
    return importlib.import_module(f"{t.__name__}.{name}")


def leaves(t, n=3):
    ps = [t.nn.Parameter(t.arange(k + 1, dtype=t.float64) - 0.7) for k in range(n)]
    for i, p in enumerate(ps):
        p.grad = (t.arange(i + 1, dtype=t.float64) + 1) * (-1) ** i
    return ps


def clipping(t):
    u, out = t.nn.utils, []
    for norm in (2.0, 1, float("inf"), 0.5):
        for limit in (1.0, 100.0):
            ps = leaves(t)
            out += [u.clip_grad_norm_(ps, limit, norm), [p.grad for p in ps]]
    one = leaves(t)[1]
    out += [
        u.clip_grad_norm_(one, 0.1),
        one.grad,
        u.clip_grad_norm_([t.ones(1)], 1.0),
        u.get_total_norm([t.ones(2), t.ones(3)]),
    ]
    ps = leaves(t)
    u.clip_grad_value_(ps, 1.5)
    out.append([p.grad.clone() for p in ps])
    u.clip_grads_with_norm_(ps, 1.0, t.tensor(5.0))
    out.append([p.grad.clone() for p in ps])
    ps[0].grad = t.full((1,), float("nan"), dtype=t.float64)
    out.append(tried(lambda: u.clip_grad_norm_(ps, 1.0, error_if_nonfinite=True)))
    out += [u.clip_grad_norm_(ps, 1.0), ps[1].grad]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        out += [u.clip_grad_norm_((p for p in ()), 1.0), u.clip_grad_norm(leaves(t), 1.0)]
    return [*out, [str(w.message) for w in caught]]


def vectors(t):
    u = t.nn.utils
    m = fixed(t, t.nn.Sequential(t.nn.Linear(2, 3), t.nn.Linear(3, 1)))
    v = u.parameters_to_vector(m.parameters())
    u.vector_to_parameters(t.arange(v.numel(), dtype=v.dtype), m.parameters())
    return [v, list(m.parameters()), tried(lambda: u.vector_to_parameters(3, m.parameters()))]


def normed(t, bn, k):
    with t.no_grad():
        bn.running_mean.copy_(t.arange(k) / 10 + 0.3)
        bn.running_var.copy_(t.arange(k) / 5 + 0.9)
    return fixed(t, bn).eval()


def fusing(t):
    u, out = t.nn.utils, []
    x = t.arange(32.0).reshape(1, 2, 4, 4) / 10
    for conv, transpose in ((t.nn.Conv2d(2, 3, 2, bias=False), False), (t.nn.ConvTranspose2d(2, 3, 2), True)):
        conv, bn = fixed(t, conv).eval(), normed(t, t.nn.BatchNorm2d(3), 3)
        fused = u.fuse_conv_bn_eval(conv, bn, transpose)
        out += [fused(x), fused.weight, fused.bias, float((fused(x) - bn(conv(x))).abs().max()) < 1e-4]
        out.append(tried(lambda conv=conv, bn=bn: u.fuse_conv_bn_eval(conv.train(), bn)))
    lin, bn = fixed(t, t.nn.Linear(2, 3)).eval(), normed(t, t.nn.BatchNorm1d(3), 3)
    fused = u.fuse_linear_bn_eval(lin, bn)
    out += [fused(x[0, 0, :, :2]), fused.weight, tried(lambda: u.fuse_linear_bn_eval(lin, t.nn.BatchNorm1d(2).eval()))]
    return [*out, tried(lambda: u.fuse_linear_bn_eval(lin.train(), bn))]


def skipping(t):
    u = t.nn.utils
    m = u.skip_init(t.nn.Linear, 3, 2, bias=False)
    conv = u.convert_conv2d_weight_memory_format(t.nn.Sequential(t.nn.Conv2d(2, 3, 2)), t.channels_last)
    cube = u.convert_conv3d_weight_memory_format(t.nn.Conv3d(2, 3, 2), t.channels_last_3d)
    return [tuple(m.weight.shape), m.weight.requires_grad, tried(lambda: u.skip_init(int)), tried(lambda: u.skip_init(t.nn.ReLU)),
            conv[0].weight.stride(), type(conv[0].weight).__name__, cube.weight.stride()]  # fmt: skip


def symmetric(t):
    class Symmetric(t.nn.Module):
        def forward(self, x):
            return x.triu() + x.triu(1).transpose(-1, -2)

        def right_inverse(self, x):
            return x.triu()

    return Symmetric()


def parametrizing(t):
    P = sub(t, "nn.utils.parametrize")
    m = fixed(t, t.nn.Linear(3, 3).double())
    P.register_parametrization(m, "weight", symmetric(t))
    out = [repr(m), type(m).__name__, P.type_before_parametrizations(m) is t.nn.Linear, isinstance(m, t.nn.Linear)]
    out += [
        m.weight,
        list(m.state_dict()),
        names(m.named_parameters()),
        P.is_parametrized(m),
        P.is_parametrized(m, "bias"),
    ]
    x = t.ones(1, 3, dtype=t.float64)
    m(x).sum().backward()
    out += [m.parametrizations.weight.original.grad, m.parametrizations.weight.original]
    m.weight = t.full((3, 3), 2.0, dtype=t.float64)
    out += [m.weight, m.parametrizations.weight.original]

    class Twice(t.nn.Module):
        def forward(self, x):
            return x * 2

    P.register_parametrization(m, "weight", Twice())
    out += [m.weight, len(m.parametrizations.weight), tried(lambda: setattr(m, "weight", m.weight))]
    with P.cached():
        out += [m.weight is m.weight]
    out += [m.weight is m.weight]
    k = copy.deepcopy(m)
    k.parametrizations.weight.original.data.fill_(1)
    out += [k.weight, m.weight, tried(lambda: pickle.dumps(m))]
    twin = t.nn.Linear(3, 3).double()
    P.transfer_parametrizations_and_params(m, twin)
    out += [repr(twin), twin.weight]
    P.remove_parametrizations(m, "weight")
    out += [
        repr(m),
        m.weight,
        type(m) is t.nn.Linear,
        isinstance(m.weight, t.nn.Parameter),
        names(m.named_parameters()),
    ]
    P.remove_parametrizations(twin, "weight", leave_parametrized=False)
    return [*out, twin.weight, tried(lambda: P.remove_parametrizations(k, "weight", leave_parametrized=False))]


def parametrizing_wrong(t):
    P = sub(t, "nn.utils.parametrize")

    def module(forward, right=None):
        body = {"forward": lambda s, *x: forward(*x)}
        if right:
            body["right_inverse"] = lambda s, x: right(x)
        return type("M", (t.nn.Module,), body)()

    out = []
    for p in (
        module(lambda x: x[:1]), module(lambda x: x.double()), module(lambda x: 3), module(lambda x: x, lambda x: x.double()),
        module(lambda x: x, lambda x: 3), module(lambda x: x, lambda x: [3]), module(lambda x, y: x + y, lambda x: (x, x)),
        module(lambda x: x, lambda x: x[:1]),
    ):  # fmt: skip
        m = fixed(t, t.nn.Linear(2, 2))
        out.append(tried(lambda m=m, p=p: repr(P.register_parametrization(m, "weight", p))))
        out.append([names(m.named_parameters()), tried(lambda m=m: setattr(m, "weight", t.ones(2, 2)))])
        out.append(tried(lambda m=m: repr(P.remove_parametrizations(m, "weight", leave_parametrized=False))))
        out.append(tried(lambda m=m, p=p: repr(P.register_parametrization(m, "bias", p, unsafe=True))))
        if out[-1][0] == "P" and getattr(m.bias, "dtype", None) == t.float32:
            out.append(tried(lambda m=m: repr(P.remove_parametrizations(m, "bias"))))
    m = t.nn.Linear(2, 2)
    out += [
        tried(lambda: P.register_parametrization(m, "nope", t.nn.Identity())).__class__,
        tried(lambda: P.remove_parametrizations(m, "weight")),
    ]
    out.append(tried(lambda: P.ParametrizationList([], m.weight)))
    P.register_parametrization(m, "weight", t.nn.Identity())
    for p in (
        module(lambda x: x[:1]),
        module(lambda x: x.double()),
        module(lambda x: 3),
        module(lambda x: x, lambda x: x[:1]),
        module(lambda x: x, lambda x: 3),
    ):
        out.append(tried(lambda p=p: repr(P.register_parametrization(m, "weight", p))))
    b = t.nn.BatchNorm1d(2)
    P.register_parametrization(b, "running_mean", t.nn.Identity())
    out += [names(b.named_buffers()), b.running_mean]
    P.remove_parametrizations(b, "running_mean")
    return [*out, sorted(names(b.named_buffers()))]


def weight_norms(t):
    out = []
    for dim in (0, 1, -1, None):
        m = fixed(t, t.nn.Linear(3, 2).double())
        sub(t, "nn.utils.parametrizations").weight_norm(m, "weight", dim)
        x = t.ones(1, 3, dtype=t.float64)
        (m(x) ** 2).sum().backward()
        p = m.parametrizations.weight
        out += [repr(m), m.weight, p.original0, p.original1, p.original0.grad, p.original1.grad, list(m.state_dict())]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            old = t.nn.utils.weight_norm(fixed(t, t.nn.Linear(3, 2).double()), dim=dim)
        (old(x) ** 2).sum().backward()
        out += [
            repr(old),
            old.weight,
            old.weight_g.grad,
            old.weight_v.grad,
            list(old.state_dict()),
            names(old.named_parameters()),
        ]
        out.append(str(m.load_state_dict(old.state_dict())))
        if dim == 0:
            out.append(tried(lambda old=old: t.nn.utils.weight_norm(old)))
            m.weight = t.ones(2, 3, dtype=t.float64)
            out.append(list(m.parameters()))
        t.nn.utils.remove_weight_norm(old)
        out += [names(old.named_parameters()), old(x), tried(lambda old=old: t.nn.utils.remove_weight_norm(old))]
    return out


def spectral_norms(t):
    out = []
    for make, dim in (
        (lambda: t.nn.Linear(3, 2), None),
        (lambda: t.nn.ConvTranspose1d(2, 3, 2), None),
        (lambda: t.nn.Linear(3, 2), 1),
    ):
        m = sub(t, "nn.utils.parametrizations").spectral_norm(fixed(t, make().double()), dim=dim)
        old = t.nn.utils.spectral_norm(fixed(t, make().double()), dim=dim)
        out += [repr(m), repr(old), list(m.state_dict()), list(old.state_dict()), old.state_dict()._metadata]
        s = m.parametrizations.weight[0]
        with t.no_grad():  # the start is random
            for u in (s._u, s._v, old.weight_u, old.weight_v):
                u.copy_((t.arange(u.numel(), dtype=u.dtype) + 1) / 10)
        x = t.ones(1, *((3,) if make().weight.dim() == 2 else (2, 4)), dtype=t.float64)
        for k in (m, old):
            (k(x) ** 2).sum().backward()
            (k(x).sum() - k(x).sum() * 2).backward()
        out += [s._u, s._v, old.weight_u, old.weight_v, m.parametrizations.weight.original.grad, old.weight_orig.grad]
        out += [m.eval()(x), old.eval()(x), m.weight]
        out.append(tried(lambda old=old: t.nn.utils.spectral_norm(old))[0])
        out.append(str(old.load_state_dict(old.state_dict())))
        t.nn.utils.remove_spectral_norm(old)
        out += [
            names(old.named_parameters()),
            names(old.named_buffers()),
            tried(lambda old=old: t.nn.utils.remove_spectral_norm(old)),
        ]
        out.append(len(old._state_dict_hooks))
    b = t.nn.Linear(2, 3).double()
    n = sub(t, "nn.utils.parametrizations").spectral_norm(fixed(t, b), "bias")
    return [*out, n.bias, tried(lambda: sub(t, "nn.utils.parametrizations").spectral_norm(t.nn.Linear(1, 1), dim=5))]


def orthogonals(t):
    Z, out = sub(t, "nn.utils.parametrizations"), []
    for shape in ((3, 3), (3, 2), (2, 3)):
        for kind in ("matrix_exp", "cayley", "householder"):
            m = fixed(t, t.nn.Linear(shape[1], shape[0], bias=False).double())
            Z.orthogonal(m, orthogonal_map=kind, use_trivialization=False) if kind == "householder" else Z.orthogonal(
                m, orthogonal_map=kind
            )
            n = min(shape)
            w = m.weight
            gram = w @ w.T if shape[0] == n else w.T @ w
            out.append(float((gram - t.eye(n, dtype=t.float64)).abs().max()) < 1e-9)
            out += [repr(m), list(m.state_dict())]
            if shape == (3, 3) or kind == "householder":
                (m(t.arange(shape[1], dtype=t.float64)) ** 3).sum().backward()
                out += [m.weight, m.parametrizations.weight.original.grad]
    m = Z.orthogonal(fixed(t, t.nn.Linear(3, 3).double()))
    q = t.tensor([[0.0, 1, 0], [1, 0, 0], [0, 0, -1]], dtype=t.float64)
    m.weight = q
    out += [
        m.weight,
        tried(lambda: setattr(m, "weight", q[:2])),
        tried(lambda: Z.orthogonal(t.nn.Linear(1, 1), "bias")),
    ]
    out += [
        tried(lambda: Z.orthogonal(t.nn.Linear(1, 1), "nope"))[0],
        tried(lambda: Z.orthogonal(t.nn.Linear(1, 1), orthogonal_map="x")),
    ]
    return out


def functional(t):
    m = fixed(t, t.nn.Sequential(t.nn.Linear(2, 2), t.nn.BatchNorm1d(2)).double())
    x = t.arange(6, dtype=t.float64).reshape(3, 2)
    state = {"0.weight": t.ones(2, 2, dtype=t.float64), "1.running_mean": t.zeros(2, dtype=t.float64)}
    call, out = t.func.functional_call, []
    out += [call(m, state, x), state["1.running_mean"], m[1].running_mean, m[0].weight, call(m, (state,), (x,))]
    for f in (
        lambda: call(m, {"nope": x}, x), lambda: call(m, {"nope": x}, x, strict=True), lambda: call(m, 3, x), lambda: call(m, [3], x),
        lambda: call(m, [state, state], x), lambda: call(m, {}, x), lambda: call(m.eval(), state, kwargs={"input": x}),
    ):  # fmt: skip
        out.append(tried(f))
    tied = t.nn.Linear(2, 2).double()
    tied.other = tied.weight
    a, b = t.ones(2, 2, dtype=t.float64), t.zeros(2, 2, dtype=t.float64)
    out += [call(tied, {"weight": a, "bias": b[0]}, x), tried(lambda: call(tied, {"weight": a, "other": b}, x))]
    out.append(call(tied, {"weight": a, "other": b, "bias": b[0]}, x, tie_weights=False))
    models = [fixed(t, t.nn.Linear(2, 2).double()) for _ in range(3)]
    params, buffers = t.func.stack_module_state(models)
    out += [
        {k: tuple(v.shape) for k, v in params.items()},
        buffers,
        params["weight"].requires_grad,
        params["weight"].is_leaf,
    ]
    out.append(t.vmap(lambda p, x: call(models[0], p, (x,)), in_dims=(0, None))(params, x))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        out.append(sub(t, "nn.utils.stateless").functional_call(tied, {"weight": a, "bias": b[0]}, x))
    return [*out, [str(w.message) for w in caught]]


def gradients_through(t):
    """A functional call is differentiable in its parameters, also through parametrizations."""
    m = fixed(t, t.nn.Linear(2, 1).double())
    w = t.ones(1, 2, dtype=t.float64, requires_grad=True)
    x = t.tensor([[1.0, 2.0]], dtype=t.float64)
    (g,) = t.autograd.grad(t.func.functional_call(m, {"weight": w}, x).pow(2).sum(), w, create_graph=True)
    g.sum().backward()
    grads = t.func.grad(lambda p: t.func.functional_call(m, p, x).sum())(dict(m.named_parameters()))
    return g, w.grad, grads


def pruning(t):
    P, out = sub(t, "nn.utils.prune"), []
    net = lambda: fixed(t, t.nn.Sequential(t.nn.Linear(3, 4), t.nn.Conv1d(2, 3, 2)).double())
    m = net()
    a, b = m
    P.l1_unstructured(a, "weight", 5)
    out += [a.weight, a.weight_mask, names(a.named_parameters()), names(a.named_buffers()), repr(a), P.is_pruned(m)]
    P.ln_structured(a, "weight", 1, n=2, dim=0)
    out += [a.weight, len(next(iter(a._forward_pre_hooks.values()))), list(a.state_dict())]
    P.l1_unstructured(a, "weight", 0.5)
    a(t.ones(1, 3, dtype=t.float64)).sum().backward()
    out += [a.weight, a.weight_orig.grad, list(a._forward_pre_hooks.values())[0].__class__.__name__]
    P.remove(a, "weight")
    out += [a.weight, names(a.named_parameters()), P.is_pruned(m), tried(lambda: P.remove(a, "weight"))]
    P.identity(b, "bias")
    P.custom_from_mask(b, "weight", t.ones(3, 2, 2) * t.tensor([1.0, 0.0]))
    P.ln_structured(b, "weight", 0.5, float("inf"), -1, importance_scores=-b.weight)
    out += [b.weight, b.bias_mask]
    P.random_unstructured(b, "bias", 2)
    P.random_structured(b, "weight", 1, 0)
    out += [b.bias_mask.sum(), tuple(b.weight_mask.shape), int((b.weight_mask.sum((1, 2)) == 0).sum())]
    m = net()
    P.global_unstructured([(m[0], "weight"), (m[1], "weight")], P.L1Unstructured, amount=0.4)
    out += [m[0].weight, m[1].weight]
    P.global_unstructured(
        [(m[0], "weight"), (m[1], "weight")],
        P.L1Unstructured,
        amount=3,
        importance_scores={(m[0], "weight"): -m[0].weight},
    )
    out += [m[0].weight, m[1].weight, P.L1Unstructured(1).prune(t.tensor([3.0, -1.0, 2.0]))]
    for f in (
        lambda: P.l1_unstructured(net()[0], "weight", 2.0), lambda: P.l1_unstructured(net()[0], "weight", -1),
        lambda: P.l1_unstructured(net()[0], "weight", "a"),
        lambda: P.l1_unstructured(net()[0], "weight", 100), lambda: P.ln_structured(net()[0], "bias", 1, 2, 0),
        lambda: P.ln_structured(net()[0], "weight", 1, 2, 5),
        lambda: P.global_unstructured(3, P.Identity), lambda: P.global_unstructured([], P.Identity, 3),
        lambda: P.L1Unstructured(1).prune(t.ones(2), importance_scores=t.ones(3)), lambda: P.PruningContainer(P.Identity()),
    ):  # fmt: skip
        out.append(tried(f))
    return out


def convolution_gradients(t):
    G, out = sub(t, "nn.grad"), []
    for n, conv in ((1, t.nn.functional.conv1d), (2, t.nn.functional.conv2d), (3, t.nn.functional.conv3d)):
        x = t.arange(2.0 * 5**n, dtype=t.float64).reshape(1, 2, *[5] * n) / 9
        w = t.arange(4.0 * 2**n, dtype=t.float64).reshape(2, 2, *[2] * n) / 7
        g = conv(x, w, None, 2, 1).sin()
        out += [
            getattr(G, f"conv{n}d_input")(x.shape, w, g, 2, 1),
            getattr(G, f"conv{n}d_weight")(x, w.shape, g, stride=2, padding=1),
        ]
    K = t.nn.factory_kwargs
    return [
        *out,
        K(None),
        K({"device": "cpu"}),
        K({"factory_kwargs": {"dtype": 3}}),
        tried(lambda: K({"x": 1})),
        tried(lambda: K({"dtype": 1, "factory_kwargs": {"dtype": 3}})),
    ]


CASES = [
    pruning, convolution_gradients,
    clipping, vectors, fusing, skipping, parametrizing, parametrizing_wrong, weight_norms, spectral_norms, orthogonals,
    functional, gradients_through,
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda f: f.__name__)
def test_utils(oracle, case):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        same(case, oracle)
