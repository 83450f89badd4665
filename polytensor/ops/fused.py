"""Optimizer steps over tensors: fused by the backend where it writes in place and records nothing, else a rule.

A rule is the text of one update; it runs on raw arrays (F is the backend) or, for a differentiable step, on Tensors.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..backends.optim import adam_rule as adam_rule
from ..backends.optim import sgd_rule as sgd_rule
from ..tensor import Tensor, wrap
from .joining import stack
from .table import F

F.assign = lambda x, value: value
F.detached = lambda x: x.detach()
F.copy = lambda x: x.clone()


def _arrays(tensors: Any) -> list[Any]:
    return [t._a for t in tensors]


def _bump(tensors: list[Tensor], left: list[int]) -> list[int]:
    """Count the writes to all tensors but those `left`, which are handed on."""
    for i in set(range(len(tensors))) - set(left):
        tensors[i]._bump()
    return left


def _array_on(dev: Any, x: Tensor | None) -> Any:
    """A Tensor, if any, as an array of a device."""
    return None if x is None else x.to(dev)._a


def _by_device(params: list[Tensor]) -> bool:
    dev = params[0]._dev
    return all(p._dev is dev for p in params)


def scale_many(tensors: list[Tensor], factor: Tensor, found: Tensor | None = None) -> None:
    """Multiply tensors of one device by a 0-dim one in place, in few launches where the device has any.

    `found` (float32, 0-dim, 0) becomes 1 where an element was not finite before.
    """
    if not tensors:
        return
    backend = tensors[0]._dev.backend
    with backend.here():
        left = backend.scale_many(_arrays(tensors), factor._a, None if found is None else found._a)
    rest: list[Any] = [tensors[i] for i in _bump(tensors, left)]
    if rest and found is not None:
        found.masked_fill_(~stack([t.isfinite().all() for t in rest]).all(), 1)  # type: ignore[attr-defined]
    factors: dict[Any, Any] = {}
    for t in rest:
        if t.dtype not in factors:
            factors[t.dtype] = factor.to(t.dtype)
        t.mul_(factors[t.dtype])


def norm_many(tensors: list[Tensor], ord: float) -> Tensor | None:
    """The norm of tensors as one vector, where their device makes it in few launches, or None. Not recorded."""
    if not tensors or not all(isinstance(t, Tensor) for t in tensors) or not _by_device(tensors):
        return None
    dev = tensors[0]._dev
    with dev.backend.here():
        found = dev.backend.norm_many(_arrays(tensors), ord)
    return None if found is None else wrap(found, dev)


def update(
    rule: Callable[..., Any], p: Tensor, g: Tensor, state: dict[str, Any], differentiable: bool, *rest: Any
) -> None:
    """rule(F, p, g, state, *rest), complex tensors as pairs of reals.

    A differentiable step leaves new tensors in `state`, since the graph keeps the old ones.
    """
    if differentiable:
        if p._a.dtype.kind == "c":
            raise RuntimeError("a differentiable optimizer step does not support complex parameters")
        state.update({k: v.clone() for k, v in state.items()})
        rule(F, p, g, state, *rest)
        return
    backend = p._dev.backend
    view = backend.real_view if p._a.dtype.kind == "c" else lambda a: a
    with backend.here():
        if p._a.dtype.itemsize > 2:
            rule(backend, view(p._a), view(g._a), {k: view(v._a) for k, v in state.items()}, *rest)
        else:
            for a, d, *values in backend.widened(p._a, g._a, *[v._a for v in state.values()]):
                rule(backend, a, d, dict(zip(state, values, strict=True)), *rest)
    p._bump()


def lerp_many(tensors: list[Tensor], ends: list[Tensor], weight: float) -> None:
    """x += weight * (end - x) for each of the tensors, in few launches where their device can."""

    def rule(F: Any, x: Any, end: Any, _: Any) -> None:
        if weight < 0.5:
            x += weight * (end - x)
        else:  # all the way is `end` itself
            F.assign(x, end - (1 - weight) * (end - x))

    for i in _changed(rule, tensors, ends):
        x: Any = tensors[i]
        x.lerp_(ends[i], weight)


def clamp_many(tensors: list[Tensor], low: float, high: float) -> None:
    """Clamp tensors in place, in few launches where their device can."""

    def rule(F: Any, x: Any, same: Any, _: Any) -> None:
        F.assign(x, F.clamp(x, low, high))

    for i in _changed(rule, tensors, tensors):
        x: Any = tensors[i]
        x.clamp_(min=low, max=high)


def _changed(rule: Callable[..., None], tensors: list[Tensor], others: list[Tensor]) -> list[int]:
    """Run rule(F, x, other, {}) where the device of the tensors does it for many; the numbers of those left."""
    left = list(range(len(tensors)))
    if tensors and _by_device([*tensors, *others]):
        backend = tensors[0]._dev.backend
        with backend.here():
            left = backend.rule_many(rule, _arrays(tensors), _arrays(others), [{} for _ in tensors], ())
    return _bump(tensors, left)


def update_many(rule: Callable[..., Any], many: list[tuple[Tensor, Tensor, dict[str, Any]]], *rest: Any) -> None:
    """`update` of many (p, g, state), in few launches where their device can."""
    dev, left = many[0][0]._dev, list(range(len(many)))
    if all(p._dev is dev for p, _, _ in many):
        states = [{k: v._a for k, v in s.items()} for _, _, s in many]
        with dev.backend.here():
            left = dev.backend.rule_many(rule, [p._a for p, _, _ in many], [g._a for _, g, _ in many], states, rest)
    for i in _bump([p for p, _, _ in many], left):
        p, g, state = many[i]
        update(rule, p, g, state, False, *rest)


def sgd_step(
    params: list[Tensor], grads: list[Tensor], bufs: list[Tensor] | None, lr: float, momentum: float, dampening: float,
    weight_decay: float, nesterov: bool, maximize: bool, first: bool, found: Tensor | None = None,
) -> None:  # fmt: skip
    """One SGD step; see sgd_rule. Where `found` (float32, 0-dim, on a device) is not 0 it changes nothing."""
    if not params:
        return
    rest = (momentum, dampening, weight_decay, nesterov, maximize, first)
    if isinstance(lr, Tensor):  # a learning rate that stays on the device
        for i, p in enumerate(params):
            backend = p._dev.backend
            rate = _array_on(p._dev, lr)
            buf = None if bufs is None else bufs[i]._a
            with backend.here(), backend.unless(_array_on(p._dev, found), [p._a] if buf is None else [p._a, buf]):
                backend.sgd_rule(p._a, grads[i]._a, buf, rate, *rest)
            p._bump()
        return
    if not _by_device(params):
        for i, p in enumerate(params):
            sgd_step([p], [grads[i]], None if bufs is None else [bufs[i]], lr, *rest, found)
        return
    backend, stop = params[0]._dev.backend, _array_on(params[0]._dev, found)
    lists = _arrays(params), _arrays(grads), None if bufs is None else _arrays(bufs)
    if stop is None:
        backend.sgd_step(*lists, lr, *rest)
    else:
        backend.sgd_step_unless(stop, *lists, lr, *rest)
    for p in params:
        p._bump()


def adam_step(
    params: list[Tensor], grads: list[Tensor], ms: list[Tensor], vs: list[Tensor], vmaxs: list[Tensor] | None, step: int,
    lr: float, beta1: float, beta2: float, eps: float, weight_decay: float, decoupled: bool, maximize: bool,
) -> None:  # fmt: skip
    """One Adam or AdamW step; see adam_rule."""
    if not params:
        return
    rest = (step, lr, beta1, beta2, eps, weight_decay, decoupled, maximize)
    if not _by_device(params):
        for i, p in enumerate(params):
            adam_step([p], [grads[i]], [ms[i]], [vs[i]], None if vmaxs is None else [vmaxs[i]], *rest)
        return
    lists = [_arrays(params), _arrays(grads), _arrays(ms), _arrays(vs)]
    tops = None if vmaxs is None else _arrays(vmaxs)
    backend = params[0]._dev.backend
    if any(p.dtype.kind == "c" for p in lists[0]):
        kinds = [p.dtype.kind == "c" for p in lists[0]]
        lists = [[backend.real_view(a) if c else a for a, c in zip(part, kinds, strict=True)] for part in lists]
        tops = tops and [backend.real_view(a) if c else a for a, c in zip(tops, kinds, strict=True)]
    backend.adam_step(*lists, tops, *rest)
    for p in params:
        p._bump()


def update_scale(scale: Tensor, tracker: Tensor, found: Tensor, growth: float, backoff: float, interval: int) -> None:
    """Let the scale of losses (float32, 0-dim) grow or fall in place; `tracker` (int32) counts the good steps since."""
    backend = scale._dev.backend
    with backend.here():
        backend.update_scale(scale._a, tracker._a, found._a, growth, backoff, interval)
    scale._bump()
    tracker._bump()


def adam_step_on_device(
    params: list[Tensor], grads: list[Tensor], ms: list[Tensor], vs: list[Tensor], vmaxs: list[Tensor] | None,
    steps: list[Tensor], lr: Any, *rest: Any, found: Tensor | None = None,
) -> None:  # fmt: skip
    """One Adam step whose counters, and maybe learning rate, are tensors of the parameters' device; `found`: see sgd_step."""
    if not params:
        return
    for dev in {p._dev for p in params}:
        here = [i for i, p in enumerate(params) if p._dev is dev]
        view = dev.backend.real_view
        lists = [
            [view(a._a) if a._a.dtype.kind == "c" else a._a for a in [part[i] for i in here]]
            for part in (params, grads, ms, vs, *(() if vmaxs is None else (vmaxs,)))
        ]
        tops = None if vmaxs is None else lists.pop()
        rate = _array_on(dev, lr) if isinstance(lr, Tensor) else float(lr)
        dev.backend.adam_step_on_device(*lists, tops, [steps[i]._a for i in here], rate, *rest, _array_on(dev, found))
    for p in params:
        p._bump()
