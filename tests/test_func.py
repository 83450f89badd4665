"""torch.func: transforms and vmap against PyTorch, values, structures, requires_grad and messages of errors."""

import pytest
from same import same

import polytensor


def X(T, grad=False):
    x = T.arange(6.0, dtype=T.float64).reshape(2, 3)
    return x.requires_grad_() if grad else x


def Y(T, grad=False):
    y = T.arange(3.0, dtype=T.float64)
    return y.requires_grad_() if grad else y


def cube(x):
    return (x**3).sum()


def rows_of_a_jacobian(T, nested=False):
    """Each example runs backward through one graph that was recorded before."""
    x = X(T, True)
    y = x**3
    basis = T.eye(6, dtype=T.float64).reshape(6, 2, 3)
    if nested:
        rows = T.vmap(lambda k: T.vmap(lambda v: T.autograd.grad(y, x, k * v)[0])(basis))(Y(T))
    else:
        rows = T.vmap(lambda v: T.autograd.grad(y, x, v)[0])(basis)
    try:
        T.autograd.grad(y, x, X(T))
    except RuntimeError as error:
        return rows, "second time" in str(error)


def quiet(T):
    def f(x):
        with T.no_grad():
            c = x**2
        return (x - c).sum()

    return f


VMAP = {
    "sum": lambda T: T.vmap(lambda x: x.sum())(X(T)),
    "in_dims": lambda T: T.vmap(lambda x: x * 2, in_dims=1)(X(T)),
    "out_dims": lambda T: T.vmap(lambda x: x * 2, in_dims=-1, out_dims=1)(X(T)),
    "negative out_dims": lambda T: T.vmap(lambda x: x * 2, out_dims=-1)(X(T)),
    "None in_dim": lambda T: T.vmap(lambda a, b: a * b, in_dims=(0, None))(X(T), Y(T)),
    "grad of what was recorded": rows_of_a_jacobian,
    "grad of what was recorded, nested": lambda T: rows_of_a_jacobian(T, True),
    "several": lambda T: T.vmap(lambda a, b: (a @ b, a + b), in_dims=(0, None), out_dims=(0, 1))(X(T), Y(T)),
    "matrix": lambda T: T.vmap(lambda a, b: a @ b)(X(T).reshape(2, 1, 3), X(T).reshape(2, 3, 1)),
    "captured matrix": lambda T: T.vmap(lambda a: X(T) @ a)(X(T)),
    "captured first": lambda T: T.vmap(lambda a: Y(T) - a)(X(T)),
    "linear": lambda T: T.vmap(lambda a: T.nn.functional.linear(a, X(T), T.ones(2, dtype=T.float64)))(X(T)),
    "dict": lambda T: T.vmap(lambda d: {"r": d["a"] * d["b"]}, in_dims=({"a": 0, "b": None},))({"a": X(T), "b": Y(T)}),
    "nested": lambda T: T.vmap(T.vmap(lambda a, b: a * b, in_dims=(None, 0)), in_dims=(0, None))(Y(T), Y(T)),
    "empty": lambda T: T.vmap(lambda a: a * 2)(X(T)[:0]),
    "unbatched out": lambda T: T.vmap(lambda a: T.ones(2))(X(T)),
    "chunks": lambda T: T.vmap(lambda a: a * 2, chunk_size=1)(X(T)),
    "named result": lambda T: tuple(T.vmap(lambda a: a.max(0))(X(T))),
    "reductions": lambda T: T.vmap(lambda a: (a.sum(0), a.mean(), a.amax(-1), a.var(0), a.argmax()))(
        X(T).reshape(2, 3, 1)
    ),
    "views": lambda T: T.vmap(
        lambda a: (a.reshape(3, 2), a.t(), a[0], a[:, 1:], a.unsqueeze(0), a.flatten(), a.permute(1, 0))
    )(T.arange(12.0).reshape(2, 2, 3)),
    "broadcast": lambda T: T.vmap(lambda a, b: a + b)(X(T), X(T).reshape(2, 3)[:, :, None].expand(2, 3, 3)),
    "where": lambda T: T.vmap(lambda a: T.where(a > 2, a, -a))(X(T)),
    "cat": lambda T: T.vmap(lambda a: T.cat([a, a * 2]))(X(T)),
    "stack": lambda T: T.vmap(lambda a: T.stack([a, Y(T)]))(X(T)),
    "softmax": lambda T: T.vmap(lambda a: a.softmax(0))(X(T)),
    "cumsum": lambda T: T.vmap(lambda a: a.cumsum(0))(X(T)),
    "index": lambda T: T.vmap(lambda a, i: a[i], in_dims=(0, None))(X(T), T.tensor([0, 2])),
    "gather": lambda T: T.vmap(lambda a, i: a.gather(0, i))(X(T), T.tensor([[0, 1], [2, 2]])),
    "scalars": lambda T: T.vmap(lambda a: (a + 1, 2 * a, a**2, 1 / (a + 1), -a, a > 1))(X(T)),
    "promotion": lambda T: T.vmap(lambda a: a + T.ones(3, dtype=T.float32))(X(T)),
    "in place": lambda T: T.vmap(lambda a: a.clone().mul_(2).add_(a))(X(T)),
    "conv": lambda T: T.vmap(lambda x, w: T.nn.functional.conv2d(x, w), in_dims=(0, None))(
        T.arange(64.0).reshape(2, 2, 1, 4, 4), T.ones(1, 1, 2, 2)
    ),
    "cross_entropy": lambda T: T.vmap(lambda x, t: T.nn.functional.cross_entropy(x, t))(
        X(T).reshape(2, 1, 3), T.tensor([[0], [2]])
    ),
    "of grad": lambda T: T.vmap(T.func.grad(lambda a: (a * a).sum()))(X(T)),
    "of grad, captured": lambda T: T.vmap(T.func.grad(lambda a: (a * Y(T)).sin().sum()))(X(T)),
    "of jacrev": lambda T: T.vmap(T.func.jacrev(lambda a: a.sin()))(X(T)),
    "of jacfwd": lambda T: T.vmap(T.func.jacfwd(lambda a: a.sin()))(X(T)),
    "of hessian": lambda T: T.vmap(T.func.hessian(cube))(X(T)),
    "of vjp": lambda T: T.vmap(lambda a, g: T.func.vjp(lambda b: b.sin() * b, a)[1](g)[0])(X(T), X(T)),
    "of jvp": lambda T: T.vmap(lambda a: T.func.jvp(lambda b: b.sin() * b, (a,), (a,)))(X(T)),
    "jacrev of": lambda T: T.func.jacrev(T.vmap(lambda a: a.sum()))(X(T)),
    "grad of": lambda T: T.func.grad(lambda x: T.vmap(lambda a: a.sin() @ a)(x).sum())(X(T)),
    "hessian of": lambda T: T.func.hessian(lambda x: T.vmap(lambda a: a**3)(x).sum())(X(T)),
    "backward through": lambda T: T.autograd.grad(T.vmap(lambda a: a.sin() * Y(T))(x := X(T, True)).sum(), x),
    "no tensor": lambda T: T.vmap(lambda x: x)(3),
    "no input": lambda T: T.vmap(lambda x: x)(),
    "in_dim out of range": lambda T: T.vmap(lambda x: x, in_dims=5)(X(T)),
    "in_dims None": lambda T: T.vmap(lambda x: x, in_dims=None)(X(T)),
    "sizes": lambda T: T.vmap(lambda a, b: a, in_dims=(0, 1))(X(T), X(T)),
    "not a tensor out": lambda T: T.vmap(lambda a: 3)(X(T)),
    "bad out_dims": lambda T: T.vmap(lambda a: a, out_dims="x")(X(T)),
    "None out_dim": lambda T: T.vmap(lambda a: a, out_dims=None)(X(T)),
    "bad in_dims": lambda T: T.vmap(lambda a: a, in_dims="x")(X(T)),
    "random": lambda T: T.vmap(lambda a: a + T.randn(3))(X(T)),
    "dropout": lambda T: T.vmap(lambda a: T.nn.functional.dropout(a))(X(T)),
    "bad randomness": lambda T: T.vmap(lambda a: a, randomness="q")(X(T)),
    "bad chunk": lambda T: T.vmap(lambda a: a, chunk_size=0)(X(T)),
}


@pytest.mark.parametrize("name", list(VMAP))
def test_vmap(oracle, name):
    same(VMAP[name], oracle)


def test_vmap_gradient_of_a_captured_leaf(oracle):
    def run(T):
        y = Y(T, True)
        out = T.vmap(lambda a: (a * y).tanh() @ y)(X(T))
        (g,) = T.autograd.grad(out.sum(), y, create_graph=True)
        (h,) = T.autograd.grad((g * g).sum(), y)
        return out, g, h

    same(run, oracle)


def test_vmap_errors_of_structure(both):
    T = both
    with pytest.raises(ValueError, match="in_dims is not compatible with the structure of `inputs`"):
        T.vmap(lambda a, b: a, in_dims=(0, 0, 0))(X(T), X(T))
    with pytest.raises(ValueError, match="out_dims is not compatible with the structure of `outputs`"):
        T.vmap(lambda a: (a, a.sum()), out_dims=(0,))(X(T))


def test_vmap_randomness(both):
    T = both
    r = T.vmap(lambda a: T.rand(3), randomness="same")(X(T))
    assert bool((r[0] == r[1]).all())
    r = T.vmap(lambda a: T.rand(3), randomness="different")(X(T))
    assert not bool((r[0] == r[1]).all())
    a = T.rand(3)
    assert not bool((a == r[1]).all())


def test_vmap_writes_through_its_input(both):
    T = both
    x = X(T)
    T.vmap(lambda a: a.add_(1))(x)
    assert x.tolist() == [[1, 2, 3], [4, 5, 6]]


def stacked_models(T):
    models = [T.nn.Sequential(T.nn.Linear(3, 2), T.nn.Tanh()).double() for _ in range(2)]
    for k, m in enumerate(models):
        for p in m.parameters():
            p.data.fill_(0.1 * (k + 1))
    params, buffers = T.func.stack_module_state(models)
    return T.vmap(lambda p, b, x: T.func.functional_call(models[0], (p, b), (x,)), in_dims=(0, 0, None))(
        params, buffers, X(T)
    )


def model(T):
    m = T.nn.Linear(3, 1).double()
    for p in m.parameters():
        p.data.fill_(0.5)
    return m, {k: T.ones_like(p) for k, p in m.named_parameters()}


def per_sample(T):
    m, p = model(T)
    f = T.func.grad(lambda p, x: T.func.functional_call(m, p, (x,)).sin().sum())
    return T.vmap(f, in_dims=(None, 0))(p, X(T))


def tied(T):
    m = T.nn.Sequential(T.nn.Linear(3, 3), T.nn.Linear(3, 3))
    m[1].weight = m[0].weight
    for p in m.parameters():
        p.data.fill_(0.5)
    return T.func.functional_call(m, {"0.weight": T.zeros(3, 3)}, (T.ones(1, 3),))


def attribute(T, name, value, inverse=True):
    """The result with a tensor in the place of an attribute that is no parameter, and the one after it."""

    class Double(T.nn.Module):
        def forward(self, x):
            return 2 * x

    if inverse:
        Double.right_inverse = lambda self, x: x / 2
    m, _ = model(T)
    m.plain, m.number = T.ones(3), 3
    T.nn.utils.parametrize.register_parametrization(m, "weight", Double())
    net = T.nn.Sequential(m)
    return T.func.functional_call(net, {name: value(T)}, X(T)), net(X(T)), m.plain, hasattr(m, "new")


FUNC = {
    "grad": lambda T: T.func.grad(cube)(Y(T)),
    "grad of grad": lambda T: T.func.grad(T.func.grad(lambda x: x**3))(T.tensor(2.0)),
    "confusion": lambda T: T.func.grad(lambda a: T.func.grad(lambda b: (a * b * b).sum())(a * 2).sum())(Y(T)),
    "confusion 2": lambda T: T.func.grad(lambda x: x * T.func.grad(lambda y: x + y)(T.tensor(1.0)))(T.tensor(2.0)),
    "not a scalar": lambda T: T.func.grad(lambda x: x)(Y(T)),
    "not a tensor": lambda T: T.func.grad(lambda x: 3)(Y(T)),
    "argnum 1 of 1": lambda T: T.func.grad(cube, argnums=1)(Y(T)),
    "argnums": lambda T: T.func.grad(lambda a, b: (a * b).sum(), argnums=(0, 1))(Y(T), Y(T) + 1),
    "argnums twice": lambda T: T.func.grad(lambda a, b: (a * b).sum(), argnums=(0, 0))(Y(T), Y(T)),
    "argnums negative": lambda T: T.func.grad(lambda a, b: (a * b).sum(), argnums=-1)(Y(T), Y(T) + 1),
    "tree": lambda T: T.func.grad(lambda d: (d["a"] * d["b"][0]).sum())({"a": Y(T), "b": [Y(T) + 2]}),
    "aux": lambda T: T.func.grad(lambda x: (x.sum(), x * 2), has_aux=True)(Y(T)),
    "value and aux": lambda T: T.func.grad_and_value(lambda x: (x.sum(), {"q": x * 2}), has_aux=True)(Y(T)),
    "no aux": lambda T: T.func.grad(lambda x: x.sum(), has_aux=True)(Y(T)),
    "number": lambda T: T.func.grad(lambda x: x.sum())(3),
    "integers": lambda T: T.func.grad(lambda x: x.sum())(T.arange(3)),
    "constant": lambda T: T.func.grad(lambda x: T.ones(()))(Y(T)),
    "linear of tracked": lambda T: T.func.grad(lambda x: x.sum())(Y(T, True)),
    "of tracked": lambda T: T.func.grad_and_value(cube)(Y(T, True)),
    "through": lambda T: T.autograd.grad(T.func.grad(cube)(y := Y(T, True)).sum(), y),
    "no_grad inside": lambda T: T.func.grad(quiet(T))(Y(T)),
    "no_grad outside": lambda T: T.no_grad()(T.func.grad(cube))(Y(T, True)),
    "backward inside": lambda T: T.func.grad(lambda x: (x.sum().backward(), x.sum())[1])(Y(T)),
    "vjp": lambda T: T.func.vjp(lambda x: x.sin(), Y(T))[1](Y(T)),
    "vjp tuple": lambda T: T.func.vjp(lambda x: (x.sin(), x.sum()), Y(T))[1]((Y(T), T.ones((), dtype=T.float64))),
    "vjp integer": lambda T: T.func.vjp(lambda x: x.long(), Y(T)),
    "vjp aux": lambda T: (lambda o, f, aux: (o, f(o), aux))(
        *T.func.vjp(lambda x: (x.sin(), x * 2), Y(T), has_aux=True)
    ),
    "vjp number": lambda T: T.func.vjp(lambda x: 3, Y(T)),
    "vjp None": lambda T: T.func.vjp(lambda x: None, Y(T)),
    "vjp twice": lambda T: (lambda o, f: (o, f(o), f(o)))(*T.func.vjp(lambda a, b: a * b, Y(T), Y(T) + 1)),
    "jvp": lambda T: T.func.jvp(lambda x: x.sin(), (Y(T),), (Y(T),)),
    "jvp no tuple": lambda T: T.func.jvp(lambda x: x.sin(), Y(T), Y(T)),
    "jvp constant": lambda T: T.func.jvp(lambda x: T.ones(2), (Y(T),), (Y(T),)),
    "jvp strict": lambda T: T.func.jvp(lambda x: T.ones(2), (Y(T),), (Y(T),), strict=True),
    "jvp shape": lambda T: T.func.jvp(lambda x: x, (Y(T),), (Y(T)[:1],)),
    "jvp aux": lambda T: T.func.jvp(lambda x: (x.sin(), x), (Y(T),), (Y(T),), has_aux=True),
    "jvp tuple": lambda T: T.func.jvp(lambda a, b: (a * b, a.sum()), (Y(T), Y(T)), (Y(T), Y(T) + 1)),
    "grad of jvp": lambda T: T.func.grad(lambda x: T.func.jvp(lambda q: q.sin(), (x,), (x,))[1].sum())(Y(T)),
    "jvp of grad": lambda T: T.func.jvp(T.func.grad(cube), (Y(T),), (Y(T),)),
    "jvp of jvp": lambda T: T.func.jvp(
        lambda x: T.func.jvp(lambda q: q**3, (x,), (T.ones_like(x),))[1], (Y(T),), (Y(T),)
    ),
    "jvp in place": lambda T: (
        x := Y(T),
        T.func.jvp(lambda a, b: (a.mul_(b), a.sin(), b), (x, Y(T) + 1), (Y(T), T.ones_like(x))),
    ),
    "jvp in place of a view": lambda T: T.func.jvp(lambda a: (a[1:].mul_(3.0), a * a)[1], (Y(T),), (Y(T),)),
    "vmap of jvp in place": lambda T: T.vmap(lambda a: T.func.jvp(lambda b: b.add_(1).sin(), (a.clone(),), (a,)))(X(T)),
    "jacfwd in place": lambda T: T.func.jacfwd(lambda a: T.relu_(a) * a)(Y(T)),
    "jacrev": lambda T: T.func.jacrev(lambda x: x.sin(), chunk_size=2)(Y(T)),
    "jacrev chunk 0": lambda T: T.func.jacrev(lambda x: x, chunk_size=0),
    "jacrev argnums": lambda T: T.func.jacrev(lambda a, b: (a * b).sum(), argnums=(0, 1))(Y(T), Y(T)),
    "jacrev aux": lambda T: T.func.jacrev(lambda a: (a, a.sum()), has_aux=True)(Y(T)),
    "jacrev constant": lambda T: T.func.jacrev(lambda a: T.ones(2))(Y(T)),
    "jacrev of tracked": lambda T: T.func.jacrev(lambda a: a * a)(Y(T, True)),
    "jacfwd": lambda T: T.func.jacfwd(lambda a, b: {"o": a * b}, argnums=(0, 1))(Y(T), Y(T)),
    "jacfwd aux": lambda T: T.func.jacfwd(lambda a: (a, a.sum()), has_aux=True)(Y(T)),
    "jacfwd constant": lambda T: T.func.jacfwd(lambda a: T.ones(2))(Y(T)),
    "jacfwd random": lambda T: T.func.jacfwd(lambda a: a + T.rand(3))(Y(T)),
    "jacrev jacrev": lambda T: T.func.jacrev(T.func.jacrev(cube))(Y(T)),
    "jacrev jacfwd": lambda T: T.func.jacrev(T.func.jacfwd(cube))(Y(T)),
    "jacfwd jacfwd": lambda T: T.func.jacfwd(T.func.jacfwd(cube))(Y(T)),
    "hessian": lambda T: T.func.hessian(lambda a, b: (a * a * b).sum(), argnums=(0, 1))(Y(T), Y(T)),
    "linearize": lambda T: (lambda o, f: (o, f(Y(T)), f(Y(T) + 1)))(*T.func.linearize(lambda x: x.sin() * x, Y(T))),
    "functional_call": lambda T: (lambda m, p: T.func.functional_call(m, p, (X(T),)))(*model(T)),
    "functional_call dicts": lambda T: (lambda m, p: T.func.functional_call(m, (p, {}), X(T)))(*model(T)),
    "functional_call strict": lambda T: (
        lambda m, p: T.func.functional_call(m, {"weight": p["weight"], "q": p["bias"]}, X(T), strict=True)
    )(*model(T)),
    "functional_call unknown": lambda T: (lambda m, p: T.func.functional_call(m, {"q": p["bias"]}, X(T)))(*model(T)),
    "functional_call twice": lambda T: (lambda m, p: T.func.functional_call(m, [p, p], X(T)))(*model(T)),
    "functional_call number": lambda T: (lambda m, p: T.func.functional_call(m, 3, X(T)))(*model(T)),
    "functional_call numbers": lambda T: (lambda m, p: T.func.functional_call(m, [3], X(T)))(*model(T)),
    "functional_call tied": tied,
    "functional_call parametrized": lambda T: attribute(T, "0.weight", lambda T: T.ones(1, 3).double()),
    "functional_call no right_inverse": lambda T: attribute(T, "0.weight", lambda T: T.ones(1, 3).double(), False),
    "functional_call attribute": lambda T: attribute(T, "0.plain", lambda T: T.zeros(3)),
    "functional_call new attribute": lambda T: attribute(T, "0.new", lambda T: T.zeros(3)),
    "functional_call of a number": lambda T: attribute(T, "0.number", lambda T: T.zeros(3)),
    "functional_call to a number": lambda T: attribute(T, "0.bias", lambda T: 3),
    "functional_call no module": lambda T: attribute(T, "1.bias", lambda T: T.zeros(1)),
    "functional_call no name": lambda T: attribute(T, "", lambda T: T.zeros(1)),
    "functional_call grad": lambda T: (
        lambda m, p: T.func.grad(lambda p: T.func.functional_call(m, p, (X(T),)).sum())(p)
    )(*model(T)),
    "per sample": per_sample,
    "ensemble": stacked_models,
    "no model": lambda T: T.func.stack_module_state([]),
}


@pytest.mark.parametrize("name", list(FUNC))
def test_func(oracle, name):
    same(FUNC[name], oracle)


@pytest.mark.parametrize(
    "fn",
    [
        lambda T: T.func.jvp(lambda x: x.sin(), (Y(T),), (Y(T), Y(T))),
        lambda T: T.func.vjp(lambda x: x.sin(), Y(T))[1]((Y(T),)),
        lambda T: T.func.grad(cube, argnums="a")(Y(T)),
        lambda T: T.func.grad(cube, argnums=())(Y(T)),
    ],
)
def test_structure_errors(oracle, fn):
    same(fn, oracle, message=False)


def test_functional_call_leaves_the_module_alone():
    T = polytensor
    m = T.nn.Linear(2, 2)
    before = m.weight
    with pytest.raises(RuntimeError):
        T.func.functional_call(m, {"weight": T.ones(2, 5)}, (T.ones(1, 2),))
    assert m.weight is before


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")  # by the first jvp of PyTorch
def test_batch_norm_of_a_captured_module(both):
    """In training it would write to running statistics that a transform may not write to."""
    t = both
    x, many = t.linspace(-1, 2, 12).reshape(4, 3), t.linspace(-1, 2, 24).reshape(2, 4, 3)
    norm = t.nn.BatchNorm1d(3)
    captured, unbatched = (
        "attempted to call in-place operation .* mutate a captured Tensor",
        "which will be updated in place, were",
    )
    for fn, said in (
        (lambda: t.func.grad(lambda x: norm(x).sum())(x), captured), (lambda: t.func.vmap(norm)(many), unbatched),
        (lambda: t.func.jvp(norm, (x,), (x,)), captured), (lambda: t.func.vjp(norm, x), captured),
        (lambda: t.func.vmap(t.func.grad(lambda x: norm(x).sum()))(many), captured),
        (lambda: t.func.grad(lambda p: t.func.functional_call(norm, p, (x,)).sum())(dict(norm.named_parameters())), captured),
    ):  # fmt: skip
        with pytest.raises(RuntimeError, match=said):
            fn()
    mean, var = t.zeros(3), t.ones(3)
    with pytest.raises(RuntimeError, match=unbatched):
        t.func.vmap(lambda x: t.nn.functional.batch_norm(x, mean, var, training=True))(many)
    t.func.grad(lambda x: t.nn.functional.batch_norm(x, mean, var, training=True).sum())(x)  # alone it may
    assert t.allclose(mean, x.mean(0) * 0.1) and var[0] != 1
    state = {k: v.detach() for k, v in norm.state_dict().items()}
    stacked = {k: t.stack([v, v]) for k, v in state.items()}
    y = t.func.vmap(lambda s, x: t.func.functional_call(norm, s, (x,)))(stacked, many)
    assert t.equal(y, t.stack([t.nn.BatchNorm1d(3)(x) for x in many]))
    assert t.func.vmap(norm.eval())(many).shape == many.shape
    model = t.func.replace_all_batch_norm_modules_(t.nn.Sequential(t.nn.BatchNorm1d(3)))
    assert model[0].running_mean is None and t.allclose(t.func.vmap(model)(many), t.stack([model(x) for x in many]))
