"""torch.autograd.Function, against PyTorch."""

import warnings

import pytest
from same import same
from test_hooks import after, leaf


def identity(T, back=lambda g: g, forward=lambda ctx, x: x):
    class Id(T.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return forward(ctx, x)

        @staticmethod
        def backward(ctx, g):
            return back(g)

    return Id


def scaled(T, back):
    class Scale(T.autograd.Function):
        @staticmethod
        def forward(ctx, x, k):
            return x * k

        @staticmethod
        def backward(ctx, g):
            return back(g)

    x = leaf(T)
    Scale.apply(x, 2).sum().backward()
    return x.grad


def dirty(T, make, back=True):
    def forward(ctx, x):
        x.mul_(3)
        ctx.mark_dirty(x)
        return x

    a = leaf(T)
    x = make(a)
    y = identity(T, lambda g: g * 3, forward).apply(x)
    version = x._version
    y.sum().backward()
    return y is x, version, y, a.grad


def dirty_base(T):
    def forward(ctx, x):
        x.mul_(3)
        ctx.mark_dirty(x)
        return x

    a = leaf(T)
    c = a * 1
    identity(T, lambda g: g * 3, forward).apply(c[:1])
    c.sum().backward()
    return c, a.grad


def dirty_parts(T):
    def forward(ctx, x):
        ctx.mark_dirty(x.mul_(3))
        return x

    a = leaf(T)
    c = a * 1
    for i in range(2):
        identity(T, lambda g: g * 3, forward).apply(c[i:][:1])
    c.sum().backward()
    return c, a.grad


def not_returned(T):
    def forward(ctx, x):
        ctx.mark_dirty(x.mul_(3))
        return x * 1

    return identity(T, forward=forward).apply(leaf(T) * 1)


def setup(T):
    seen = []

    class S(T.autograd.Function):
        @staticmethod
        def forward(x, k=2):
            return x * k, "text", None

        @staticmethod
        def setup_context(ctx, inputs, output):
            seen.append((len(inputs), len(output)))
            ctx.k = inputs[1]
            ctx.save_for_backward(inputs[0], None)

        @staticmethod
        def backward(ctx, *gs):
            seen.append((gs, ctx.saved_tensors))
            return gs[0] * ctx.k, None

    x = leaf(T)
    y = S.apply(x)
    y[0].sum().backward()
    return y[1:], x.grad, seen, y[0].grad_fn.k, y[0].grad_fn.needs_input_grad


def marks(T):
    seen = []

    class M(T.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            w = x * 3
            ctx.mark_non_differentiable(w)
            return x * 2, x.long(), w

        @staticmethod
        def backward(ctx, *gs):
            seen.append(gs)
            return gs[0] * 2

    x = leaf(T)
    out = M.apply(x)
    out[0].sum().backward()
    return out, x.grad, seen


def vjp_name(T):
    class V(T.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def vjp(ctx, g):
            return g * 2

    x = leaf(T)
    return after(T, x, V.apply(x))


def no_backward(T):
    class N(T.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

    return after(T, x := leaf(T), N.apply(x))


def saved_written(T):
    class W(T.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            y = x.exp()
            ctx.save_for_backward(x, y)
            return y

        @staticmethod
        def backward(ctx, g):
            return g * ctx.saved_tensors[1]

    x = leaf(T)
    y = W.apply(x)
    fine = after(T, x, y)
    y = W.apply(x)
    y.mul_(2)
    try:
        y.sum().backward()
    except RuntimeError as error:
        return fine, "is at version 1; expected version 0" in str(error)


def saved_twice(T, retain):
    class W(T.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return g * ctx.saved_tensors[0]

    x = leaf(T)
    y = W.apply(x).sum()
    y.backward(retain_graph=retain)
    y.backward()
    return x.grad


def kept_context(T):
    kept = []

    def forward(ctx, x):
        ctx.save_for_backward(x)
        kept.append(ctx)
        return x * 2

    identity(T, forward=forward).apply(leaf(T)).sum().backward()
    return kept[0].saved_tensors


def transformed(T):
    class Cube(T.autograd.Function):
        generate_vmap_rule = True

        @staticmethod
        def forward(x):
            return x**3

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.save_for_backward(inputs[0])

        @staticmethod
        def backward(ctx, g):
            return 3 * g * ctx.saved_tensors[0] ** 2

    x = T.arange(3.0, dtype=T.float64)
    f = T.func
    return f.grad(lambda x: Cube.apply(x).sum())(x), f.vmap(Cube.apply)(x), f.vmap(f.grad(f.grad(Cube.apply)))(x)


FUNCTIONS = {
    "input as output": lambda T: (
        (lambda q: identity(T).apply(q) is q)(T.ones(2)),
        (lambda q: identity(T).apply(q) is q)(leaf(T)),
        identity(T).apply(leaf(T)),
    ),
    "one gradient of two": lambda T: scaled(T, lambda g: g),
    "trailing None": lambda T: scaled(T, lambda g: (g, None, None)),
    "trailing gradient": lambda T: scaled(T, lambda g: (g, None, g)),
    "gradient for a number": lambda T: scaled(T, lambda g: (g, g)),
    "number as gradient": lambda T: scaled(T, lambda g: (1.0, None)),
    "smaller gradient": lambda T: scaled(T, lambda g: (g[:1], None)),
    "another shape": lambda T: scaled(T, lambda g: (T.ones(3), None)),
    "another dtype": lambda T: scaled(T, lambda g: (g.float(), None)),
    "to be summed": lambda T: scaled(T, lambda g: (T.ones(4, 2, dtype=T.float64), None)),
    "0-dim gradient": lambda T: scaled(T, lambda g: (T.ones(()), None)),
    "None": lambda T: scaled(T, lambda g: (None, None)),
    "dirty": lambda T: dirty(T, lambda a: a * 1),
    "dirty leaf": lambda T: dirty(T, lambda a: a),
    "dirty view": dirty_base,
    "dirty parts of one base": dirty_parts,
    "dirty not returned": not_returned,
    "setup_context": setup,
    "marks": marks,
    "vjp": vjp_name,
    "no backward": no_backward,
    "no forward": lambda T: T.autograd.Function.apply(leaf(T)),
    "save a number": lambda T: identity(T, forward=lambda ctx, x: [ctx.save_for_backward(3), x * 2][1]).apply(leaf(T)),
    "saved and written": saved_written,
    "twice": lambda T: saved_twice(T, False),
    "twice, retained": lambda T: saved_twice(T, True),
    "nothing saved, twice": lambda T: (lambda x, y: (y.backward(), y.backward(), x.grad))(
        *(lambda x: (x, identity(T).apply(x).sum()))(leaf(T))
    ),
    "called": lambda T: T.autograd.Function()(),
    "a context that outlives its graph": kept_context,
    "transformed": transformed,
}


@pytest.mark.parametrize("name", list(FUNCTIONS))
def test_function(oracle, name):
    same(FUNCTIONS[name], oracle)


def test_function_under_hooks(both):
    T, log = both, []

    class Square(T.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx, g):
            return 2 * g * ctx.saved_tensors[0]

    x = leaf(T)
    with T.autograd.graph.saved_tensors_hooks(lambda t: [log.append("pack"), t][1], lambda t: [log.append("un"), t][1]):
        y = Square.apply(x)
    (g,) = T.autograd.grad(y.sum(), x, create_graph=True)
    (h,) = T.autograd.grad(g.sum(), x)
    assert log == ["pack", "un"]
    assert h.tolist() == [2, 2]


def test_instances_warn(both):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        both.autograd.Function()
    assert caught[0].category is DeprecationWarning
