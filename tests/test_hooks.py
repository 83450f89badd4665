"""Hooks, saved tensors, anomaly mode, checkpoints and autograd.Function, against PyTorch."""

import contextlib
import functools
import gc
import importlib
import warnings
import weakref

import pytest
from same import same

import polytensor


def leaf(T, values=(1.0, 2.0)):
    return T.tensor(values, dtype=T.float64, requires_grad=True)


def after(T, x, y):
    y.sum().backward()
    return x.grad


def node_hooks(T, x):
    seen = []
    node = (x * 2).grad_fn.next_functions[0][0]
    node.register_hook(lambda *a: seen.append(a))
    node.register_prehook(lambda *a: seen.append(a))
    (x * 2).sum().backward()
    return seen


def accumulation(T, x):
    """The node's hooks come after the leaf's, whichever was registered first; grad() runs the leaf's alone."""
    seen = []
    y = x * 2
    node = y.grad_fn.next_functions[0][0]
    node.register_prehook(lambda gs: [seen.append("pre"), (gs[0] * 5,)][1])
    node.register_hook(lambda gi, go: seen.append(("post", gi, go[0].tolist())))
    x.register_hook(lambda g: [seen.append("leaf"), g * 3][1])
    grads = T.autograd.grad(y.sum(), x, retain_graph=True)
    y.sum().backward()
    return seen, grads, x.grad


def order(T, x):
    seen = []
    y = x * 2
    y.retain_grad()
    y.register_hook(lambda g: seen.append("first"))
    h = y.register_hook(lambda g: seen.append("removed"))
    y.register_hook(lambda g: [seen.append("second"), g * 10][1])
    y.grad_fn.register_prehook(lambda gs: seen.append(("pre", gs[0].tolist())))
    y.grad_fn.register_hook(lambda gi, go: seen.append(("post", gi[0].tolist())))
    x.register_hook(lambda g: seen.append(("leaf", g.tolist())))
    x.register_post_accumulate_grad_hook(lambda p: seen.append(("acc", p.grad.tolist())))
    h.remove()
    y.sum().backward()
    return seen, y.grad, x.grad


HOOKS = {
    "order": order,
    "number": lambda T, x: (x.register_hook(lambda g: 3) and None, after(T, x, x * 2)),
    "size": lambda T, x: (x.register_hook(lambda g: g[:1]) and None, after(T, x, x * 2)),
    "dtype": lambda T, x: (x.register_hook(lambda g: g.float()) and None, after(T, x, x * 2)),
    "replace on leaf": lambda T, x: (x.register_hook(lambda g: g * 3) and None, after(T, x, x * 2)),
    "prehook and capture": lambda T, x: (
        lambda y: (y.grad_fn.register_prehook(lambda gs: (gs[0] * 5,)) and None, T.autograd.grad(y.sum(), [y, x]))
    )(x * 2),
    "prehook and capture alone": lambda T, x: (
        lambda y, seen: (y.grad_fn.register_prehook(seen.append) and None, T.autograd.grad(y.sum(), [y]), seen)
    )(x * 2, []),
    "prehook and backward to it alone": lambda T, x: (
        lambda y, seen: (y.grad_fn.register_prehook(seen.append) and None, y.sum().backward(inputs=[y]), seen, y.grad)
    )(x * 2, []),
    "backward to it and further": lambda T, x: (
        lambda y: (y.register_hook(lambda g: g * 5) and None, y.sum().backward(inputs=[x, y]), y.grad, x.grad)
    )(x * 2),
    "hook and capture": lambda T, x: (
        lambda y: (y.register_hook(lambda g: g * 5) and None, T.autograd.grad(y.sum(), [y, x]))
    )(x * 2),
    "hook and capture alone": lambda T, x: (
        lambda y: (y.register_hook(lambda g: g * 5) and None, T.autograd.grad(y.sum(), [y]))
    )(x * 2),
    "post": lambda T, x: (
        lambda y: (y.grad_fn.register_hook(lambda i, o: (i[0] * 7, *i[1:])) and None, after(T, x, y))
    )(x * 2),
    "post of wrong length": lambda T, x: (
        lambda y: (y.grad_fn.register_hook(lambda i, o: (i[0],) * 5) and None, after(T, x, y))
    )(x * 2),
    "of accumulation": node_hooks,
    "of accumulation, beside the leaf's": accumulation,
    "accumulate and return": lambda T, x: (
        x.register_post_accumulate_grad_hook(lambda p: p * 2) and None,
        after(T, x, x * 2),
    ),
    "accumulate on non-leaf": lambda T, x: (x * 2).register_post_accumulate_grad_hook(print),
    "saved": lambda T, x: (lambda n: (n._saved_self, n._saved_other, n.metadata, n.name()))((x * x).grad_fn),
    "saved itself": lambda T, x: (
        lambda y, c: (lambda n: (n._saved_self is x, n._saved_other is y, (y * c).grad_fn._saved_other is c))(
            (x * y).grad_fn
        )
    )(x * 2, T.ones(2, dtype=T.float64)),
    "saved result": lambda T, x: (lambda y: y.grad_fn._saved_result.grad_fn is y.grad_fn)(x.exp()),
    "saved and freed": lambda T, x: (lambda y: (y.sum().backward(), y.grad_fn._saved_self))(x * x),
    "raw saved": lambda T, x: (
        lambda y: (y.grad_fn._raw_saved_result.register_hooks(lambda t: t + 1, lambda t: t - 1), after(T, x, y))
    )(x.exp()),
    "create_graph and hook": lambda T, x: (
        x.register_hook(lambda g: g * g) and None,
        T.autograd.grad(T.autograd.grad((x**3).sum(), x, create_graph=True)[0].sum(), x),
    ),
    "increment_version": lambda T, x: (
        lambda y: (x.data, T.autograd.graph.increment_version(x), x._version, after(T, x, y))
    )(x * 2),
}


@pytest.mark.parametrize("name", list(HOOKS))
def test_hooks(oracle, name):
    same(lambda T: HOOKS[name](T, leaf(T)), oracle)


def test_saved_tensors_hooks(both):
    T, log = both, []
    hooks = T.autograd.graph.saved_tensors_hooks

    def pack(t):
        log.append(("pack", tuple(t.shape)))
        return t * 2

    def unpack(t):
        log.append("unpack")
        return t

    a, b = leaf(T), leaf(T, (3.0, 4.0))
    with hooks(pack, unpack):
        y = a * b
        z = (y + 1).sum() + (a * 2).sum()
    assert log == [("pack", (2,)), ("pack", (2,))]
    z.backward()
    assert log[2:] == ["unpack", "unpack"]
    assert a.grad.tolist() == [8, 10]
    with hooks(lambda t: t, lambda t: "no"):
        y = a.sin()
    with pytest.raises(TypeError, match="Output of saved tensor unpack_hook expected to be a Tensor"):
        y.sum().backward()
    with hooks(lambda t: t.detach().add_(1), lambda t: t), pytest.raises(RuntimeError, match="modifying its input"):
        a.detach().clone().requires_grad_().mul(a)
    with T.autograd.graph.disable_saved_tensors_hooks("not here"):
        with pytest.raises(RuntimeError, match="not here"), hooks(pack, unpack):
            pass
    with hooks(lambda t: t.tolist(), lambda v: T.tensor(v, dtype=T.float64)):
        y = a.sin().exp()
    (g,) = T.autograd.grad(y.sum(), a, create_graph=True)
    (h,) = T.autograd.grad(g.sum(), a)
    (g2,) = T.autograd.grad(a.sin().exp().sum(), a, create_graph=True)
    assert T.allclose(g, g2)
    assert T.allclose(h, T.autograd.grad(g2.sum(), a)[0])


def test_saved_elsewhere(both):
    T = both
    a, b = leaf(T), leaf(T, (3.0, 4.0))
    with T.autograd.graph.save_on_cpu():
        y = (a * b).sum()
    y.backward()
    assert a.grad.tolist() == [3, 4]
    with T.autograd.graph.allow_mutation_on_saved_tensors():
        c = a * 1
        y = (c * c).sum()
        c.zero_()
        a.grad = None
        y.backward()
    assert a.grad.tolist() == [2, 4]


def test_multi_grad_hooks(both):
    T, seen = both, []
    a, b = leaf(T), leaf(T, (3.0, 4.0))
    c = a * 2
    hook = T.autograd.graph.register_multi_grad_hook(
        (a, b, c), lambda gs: seen.append([None if g is None else g.tolist() for g in gs])
    )
    (c * b).sum().backward()
    (a * 2).sum().backward()
    hook.remove()
    (a * 2).sum().backward()
    assert seen == [[[6, 8], [2, 4], [3, 4]], [[2, 2], None, None]]
    hook = T.autograd.graph.register_multi_grad_hook((a, b), lambda g: seen.append(0), mode="any")
    (a * b).sum().backward()
    (a * b).sum().backward()
    assert seen[2:] == [0, 0]
    hook.remove()
    with pytest.raises(ValueError, match="Expects mode to be one of"):
        T.autograd.graph.register_multi_grad_hook((a,), print, mode="some")


# ---- anomaly mode ---------------------------------------------------------------------------------------------------
def bad_line(T, x):
    return x.sqrt()


def fails(fn, error, match):
    """The text of the anomaly warning that comes before the error."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with pytest.raises(error, match=match):
            fn()
    (text,) = [str(w.message) for w in caught if w.category is UserWarning]
    return text


NAN = "Function 'SqrtBackward0' returned nan values in its 0th output."


def test_anomaly_names_the_forward_line(both):
    T = both
    with pytest.warns(UserWarning, match="Anomaly Detection has been enabled"):
        mode = T.autograd.detect_anomaly()
    with mode:
        assert T.is_anomaly_enabled()
        y = bad_line(T, leaf(T, (0.0, 1.0))) * 0
        text = fails(y.sum().backward, RuntimeError, NAN)
    assert text.startswith("Error detected in SqrtBackward0. Traceback of forward call that caused the error:\n")
    assert "in bad_line\n    return x.sqrt()" in text
    assert not T.is_anomaly_enabled()


def test_anomaly_in_double_backward(both):
    T = both
    with T.autograd.set_detect_anomaly(True):
        x = leaf(T, (0.0, 1.0))
        (g,) = T.autograd.grad((x**1.5).sum(), x, create_graph=True)
        text = fails((g.sqrt() * 0).sum().backward, RuntimeError, NAN)
        assert "in test_anomaly_in_double_backward" in text


def test_anomaly_tells_of_each_backward_that_led_here(both):
    T = both
    function = T.autograd.Function
    bad = type("Bad", (function,), {
        "forward": staticmethod(lambda ctx, x: x * 2), "backward": staticmethod(lambda ctx, g: g * float("nan")),
    })  # fmt: skip
    outer = type("Outer", (function,), {
        "forward": staticmethod(lambda ctx, x: x * 2), "backward": staticmethod(lambda ctx, g: bad.apply(g)),
    })  # fmt: skip

    def told(anomaly):
        with T.autograd.set_detect_anomaly(anomaly):
            y = outer.apply(leaf(T))
        with T.autograd.set_detect_anomaly(True), pytest.warns(UserWarning) as said:
            g = T.ones(2, dtype=T.float64, requires_grad=True)
            (x,) = T.autograd.grad(y, y.grad_fn.next_functions[0][0].variable, g, create_graph=True)
            with pytest.raises(RuntimeError, match="BadBackward. returned nan"):
                x.sum().backward()
        return [next(line for line in str(w.message).splitlines() if line).partition(" (Trig")[0] for w in said]

    for anomaly in (True, False):
        first, second = told(anomaly)
        assert first == "Error detected in BadBackward. Traceback of forward call that caused the error:"
        assert second.startswith(
            "Previous calculation was induced by OuterBackward. Traceback" if anomaly
            else "Error detected in OuterBackward. No forward pass information available."
        )  # fmt: skip


def test_anomaly_without_forward_or_nan_check(both):
    T = both
    y = (bad_line(T, leaf(T, (0.0, 1.0))) * 0).sum()
    with T.autograd.set_detect_anomaly(True):
        text = fails(lambda: y.backward(retain_graph=True), RuntimeError, NAN)
    assert "No forward pass information available" in text
    with T.autograd.set_detect_anomaly(True, check_nan=False):
        y.backward()


def test_anomaly_reports_errors_of_functions(both):
    T = both

    class Fails(T.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            raise KeyError("mine")

    with T.autograd.set_detect_anomaly(True):
        y = Fails.apply(leaf(T))
        assert "Error detected in FailsBackward" in fails(y.sum().backward, KeyError, "mine")


# ---- checkpoints ----------------------------------------------------------------------------------------------------
def checkpoint_of(both):
    return importlib.import_module(both.module.__name__ + ".utils.checkpoint")


@pytest.mark.parametrize("reentrant", [True, False])
def test_checkpoint(both, reentrant):
    T, ck, calls = both, checkpoint_of(both), []
    x, w = leaf(T), leaf(T, (3.0, 4.0))

    def f(x, k):
        calls.append(T.is_grad_enabled())
        return (x * w).sin() * T.nn.functional.dropout(x, 0.5) * k

    T.manual_seed(0)
    y = ck.checkpoint(f, x, 2, use_reentrant=reentrant)
    drawn = T.rand(3).tolist()
    y.sum().backward()
    assert calls == [not reentrant, True]
    got = x.grad.tolist(), w.grad.tolist()
    x.grad = w.grad = None
    T.manual_seed(0)
    f(x, 2).sum().backward()
    assert T.rand(3).tolist() == drawn
    assert got == (x.grad.tolist(), w.grad.tolist())


@pytest.mark.parametrize("reentrant", [True, False])
def test_checkpoint_sequential(both, reentrant):
    T, ck = both, checkpoint_of(both)
    net = T.nn.Sequential(T.nn.Linear(2, 3), T.nn.Tanh(), T.nn.Linear(3, 2), T.nn.Tanh(), T.nn.Linear(2, 1))
    x = T.ones(4, 2).requires_grad_()
    ck.checkpoint_sequential(net, 2, x, use_reentrant=reentrant).sum().backward()
    g = x.grad.clone()
    x.grad = None
    net(x).sum().backward()
    assert T.allclose(g, x.grad)


def test_checkpoint_double_backward_and_nesting(both):
    T, ck = both, checkpoint_of(both)
    x = leaf(T)

    def f(x):
        return ck.checkpoint(lambda y: y.sin() * y, x, use_reentrant=False).exp()

    y = ck.checkpoint(f, x, use_reentrant=False).sum()
    (g,) = T.autograd.grad(y, x, create_graph=True)
    (h,) = T.autograd.grad(g.sum(), x)
    (g2,) = T.autograd.grad((x.sin() * x).exp().sum(), x, create_graph=True)
    assert T.allclose(g, g2)
    assert T.allclose(h, T.autograd.grad(g2.sum(), x)[0])


@pytest.mark.parametrize("reentrant", [True, False])
def test_checkpoint_under_autocast(both, reentrant):
    """The second run sees autocast as the first did, also where backward runs outside of it."""
    t, checkpoint = both, checkpoint_of(both).checkpoint
    model, x = t.nn.Linear(3, 2), t.linspace(-1, 1, 6).reshape(2, 3).requires_grad_()
    seen, grads = [], []

    def run(x):
        y = model(x)
        seen.append((str(y.dtype), t.is_autocast_enabled("cpu"), str(t.get_autocast_dtype("cpu"))))
        return y.tanh()

    for dtype in (t.bfloat16, t.float16):
        for call in (run, lambda x: checkpoint(run, x, use_reentrant=reentrant)):
            with t.autocast("cpu", dtype=dtype):
                y = call(x)
            y.float().sum().backward()
            grads.append([p.grad.clone() for p in (x, model.weight, model.bias)])
            model.zero_grad()
            x.grad = None
            assert not t.is_autocast_enabled("cpu")
    assert [s[0] for s in seen] == [s[2] for s in seen] == ["torch.bfloat16"] * 3 + ["torch.float16"] * 3
    for a, b in (grads[:2], grads[2:]):
        assert all(t.equal(g, h) for g, h in zip(a, b, strict=True))


def test_checkpoint_early_stop_is_asked_for_in_forward(both):
    ck, calls = checkpoint_of(both), []

    def f(x):
        x = x.sin().cos()
        calls.append(1)  # after all that is saved
        return x + 1

    for stop, given, count in ((None, True, 1), (False, True, 2), (True, False, 1), (None, False, 2)):
        calls.clear()
        with contextlib.nullcontext() if stop is None else ck.set_checkpoint_early_stop(stop):
            y = ck.checkpoint(f, leaf(both), use_reentrant=False, early_stop=given)
        y.sum().backward()
        assert len(calls) == count


def test_checkpoint_helpers(both):
    ck, x = checkpoint_of(both), leaf(both)
    a, b, c = ck.detach_variable((x * 2, both.ones(1), 3))
    assert a.is_leaf and a.requires_grad and not b.requires_grad and c == 3
    with pytest.raises(RuntimeError, match="Only tuple of tensors is supported. Got Unsupported input type: list"):
        ck.detach_variable([x])
    with pytest.warns(UserWarning, match="None of the inputs have requires_grad=True"):
        ck.check_backward_validity([both.ones(1)])

    (expected,) = both.autograd.grad(x.sin().cos().sum(), x)
    for policy in (lambda ctx, op, *args, **kwargs: ck.CheckpointPolicy.MUST_SAVE, [both.ops.aten.sin.default]):
        contexts = functools.partial(ck.create_selective_checkpoint_contexts, policy)
        y = ck.checkpoint(lambda x: x.sin().cos(), x, use_reentrant=False, context_fn=contexts)
        x.grad = None
        y.sum().backward()
        assert x.grad.tolist() == expected.tolist()
    with pytest.raises(TypeError, match="must be either a function or a list of ops"):
        ck.create_selective_checkpoint_contexts(1)


def test_checkpoint_errors(both):
    T, ck, calls = both, checkpoint_of(both), []
    x = leaf(T)
    with pytest.raises(RuntimeError, match="incompatible with .grad()"):
        T.autograd.grad(ck.checkpoint(lambda x: x * 2, x, use_reentrant=True).sum(), x)
    with pytest.warns(UserWarning, match="None of the inputs have requires_grad=True"):
        ck.checkpoint(lambda x: x * 2, x.detach(), use_reentrant=True)
    with pytest.warns(UserWarning, match="use_reentrant parameter should be passed explicitly"):
        ck.checkpoint(lambda x: x * 2, x)

    def fewer(x):
        calls.append(1)
        return x.sin().exp() if len(calls) == 1 else x.sin()

    def other(x):
        calls.append(1)
        return x.sin() if len(calls) == 1 else x.float().sin()

    y = ck.checkpoint(fewer, x, use_reentrant=False)
    with pytest.raises(ck.CheckpointError, match="A different number of tensors was saved"):
        y.sum().backward()
    calls.clear()
    y = ck.checkpoint(other, x, use_reentrant=False)
    with pytest.raises(ck.CheckpointError, match="have different metadata"):
        y.sum().backward()


def test_checkpoint_keeps_nothing():
    T = polytensor
    from polytensor.utils.checkpoint import checkpoint

    made = []

    def f(x):
        h = x.exp()
        made.append(weakref.ref(h))
        return h.sin()

    y = checkpoint(f, leaf(T), use_reentrant=False)
    gc.collect()
    assert made[0]() is None
    y.sum().backward()


# ---- autograd.Function ----------------------------------------------------------------------------------------------
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


def test_hooks_of_a_leaf_used_twice_run_once(both):
    x, seen = both.leaf([1.0, 2.0]), []
    x.register_hook(lambda g: seen.append(g.tolist()))
    x.register_post_accumulate_grad_hook(lambda p: seen.append(p.grad.tolist()))
    y = x * x
    (y * x).sum().backward()
    assert seen == [[3, 12], [3, 12]]
    both.autograd.grad((x * x).sum(), x)
    assert seen[2:] == [[2, 4]]
