"""torch.utils.checkpoint, against PyTorch."""

import contextlib
import functools
import gc
import importlib
import weakref

import pytest
from test_hooks import leaf

import polytensor


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
