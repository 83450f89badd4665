"""Hooks, saved tensors and anomaly mode, against PyTorch."""

import warnings

import pytest
from same import same


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


def test_hooks_of_a_leaf_used_twice_run_once(both):
    x, seen = both.leaf([1.0, 2.0]), []
    x.register_hook(lambda g: seen.append(g.tolist()))
    x.register_post_accumulate_grad_hook(lambda p: seen.append(p.grad.tolist()))
    y = x * x
    (y * x).sum().backward()
    assert seen == [[3, 12], [3, 12]]
    both.autograd.grad((x * x).sum(), x)
    assert seen[2:] == [[2, 4]]
