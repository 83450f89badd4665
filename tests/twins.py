"""One model in both libraries: the same state, repr, outputs and gradients."""

import warnings

import numpy as np
from older_torch import print_alike

import polytensor as pt

TOLERANCE = {"float64": 1e-9, "float32": 2e-5}


def twins(oracle, make, dtype="float64"):
    """One model in both libraries, with PyTorch's initial state loaded strictly; names and repr must agree."""
    theirs = make(oracle).to(getattr(oracle, dtype))
    ours = make(pt).to(getattr(pt, dtype))
    state = {k: pt.from_numpy(v.numpy().copy()) for k, v in theirs.state_dict().items()}
    assert list(ours.state_dict()) == list(state)
    ours.load_state_dict(state)
    assert print_alike(ours, theirs)
    assert [n for n, _ in ours.named_parameters()] == [n for n, _ in theirs.named_parameters()]
    return ours, theirs


def flat(out):
    if isinstance(out, (tuple, list)):
        return [z for y in out for z in flat(y)]
    return [] if out is None else [out]


def run(t, model, call, arrays, dtype):
    """(outputs, gradients of inputs and parameters) of call(t, model, *tensors)."""
    tensors = []
    for a in arrays:
        x = t.from_numpy(a.copy())
        if x.is_floating_point():
            x = x.to(getattr(t, dtype)).requires_grad_()
        tensors.append(x)
    outs = flat(call(t, model, *tensors))
    loss = 0
    for k, y in enumerate(outs):
        if y.is_floating_point() and y.requires_grad:
            loss = loss + (y * (t.arange(y.numel(), dtype=y.dtype).reshape(y.shape) + k).cos()).sum()
    loss.backward()
    grads = [x.grad for x in tensors if x.is_floating_point()] + [p.grad for p in model.parameters()]
    return outs, grads


def agree(oracle, make, call, arrays, dtype="float64", train=True):
    ours, theirs = twins(oracle, make, dtype)
    ours.train(train), theirs.train(train)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        a, b = run(pt, ours, call, arrays, dtype), run(oracle, theirs, call, arrays, dtype)
    tol = TOLERANCE[dtype]
    for mine, other in zip(a, b, strict=True):
        assert len(mine) == len(other)
        for x, y in zip(mine, other, strict=True):
            assert (x is None) == (y is None)
            if x is not None:
                assert tuple(x.shape) == tuple(y.shape) and str(x.dtype) == str(y.dtype)
                scale = max(1.0, float(y.abs().max())) if y.numel() and y.is_floating_point() else 1.0
                np.testing.assert_allclose(x.detach().numpy(), y.detach().numpy(), rtol=tol, atol=tol * scale)


def normal(*shape):
    return np.random.default_rng(sum(shape)).standard_normal(shape)
