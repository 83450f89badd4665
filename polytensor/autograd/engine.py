"""The backward pass: iterative, in dependency order, on raw arrays unless a graph of it is wanted."""

from __future__ import annotations

import warnings
from sys import getrefcount
from typing import Any

from ..backends.base import SCALARS
from .modes import ANOMALY, HOOKED, WATCH, mode

OWN_REFERENCES = 3  # in _accumulate: its argument, the caller's variable and getrefcount's own
wrap: Any = None  # tensor.wrap, set by tensor.py: it imports this package first
ASKING: list[Any] = []  # not empty: somebody wants to know which backward pass runs (mode.task)


class Task:
    """One backward pass, for those who ask: multi-gradient hooks, anomaly mode, checkpoints."""

    __slots__ = ("__weakref__", "deps", "masks", "node", "targets")

    def __init__(self, deps: Any, masks: Any, targets: Any) -> None:
        self.deps, self.masks, self.targets = deps, masks, targets
        self.node: Any = None  # the one that runs now, in anomaly mode

    def runs(self, fn: Any) -> bool:
        """Whether a gradient passes `fn` (a Node, or a leaf) in this pass."""
        targets = self.targets
        if fn.is_node:
            if fn not in self.deps:
                return False
            return targets is None or True in self.masks[fn] or any((fn, nr) in targets for nr in range(fn.outputs))
        if targets is not None and (id(fn), -1) not in targets:
            return False
        return any(e is fn for n in self.deps for e in n.edges)


def _count(roots: list[Any]) -> dict[Any, int]:
    """How many edges lead to each node below `roots`."""
    deps: dict[Any, int] = dict.fromkeys(roots, 0)
    stack = list(deps)
    while stack:
        for e in stack.pop().edges:
            if e is not None and e.is_node:
                if e in deps:
                    deps[e] += 1
                else:
                    deps[e] = 1
                    stack.append(e)
    return deps


def _hooked_leaves(deps: dict[Any, int]) -> dict[int, list[Any]] | None:
    """Leaves with hooks, which run once, on the whole gradient: id -> [edges that are still to come, gradient so far]."""
    leaves: dict[int, list[Any]] = {}
    for n in deps:
        for e in n.edges:
            if e is not None and not e.is_node and (e._x.hooks or e._x.post_hooks or e._x.acc):
                leaves.setdefault(id(e), [0, None])[0] += 1
    return leaves or None


def _needed(deps: dict[Any, int], roots: list[Any], targets: dict[Any, Any]) -> dict[Any, tuple[bool, ...]]:
    """For each node, which of its edges lead to a target."""
    left = dict(deps)
    ready = [n for n in roots if left[n] == 0]
    order = []
    while ready:
        n = ready.pop()
        order.append(n)
        for e in n.edges:
            if e is not None and e.is_node:
                left[e] -= 1
                if left[e] == 0:
                    ready.append(e)
    masks: dict[Any, tuple[bool, ...]] = {}
    for n in reversed(order):
        masks[n] = tuple(
            e is not None and (((e, nr) in targets or any(masks[e])) if e.is_node else (id(e), -1) in targets)
            for e, nr in zip(n.edges, n.nrs, strict=True)
        )
    return masks


def _chain(n: Any, nr: int, g: Any, retain: bool) -> list[tuple[Any, int, Any]]:
    """Backward along a graph that does not branch, where no order has to be found: most losses, and whole networks.

    At a node with hooks, and where gradients go to several nodes, it stops; what it returns are roots for `run`.
    """
    on: list[tuple[Any, int, Any]] = []  # where gradients go from here
    while n.is_node and n.fast is not None:
        if n.hooks is not None:
            if len(n.hooks) > 1 or "guard" not in n.hooks:
                break
            for guarded in n.hooks["guard"]:
                guarded.check()
        if n.outputs != 1:
            g = [g if i == nr else None for i in range(n.outputs)]
        grads = n.fast(g)
        g, on = None, []  # what has been used may be freed
        if grads.__class__ is not list:
            grads = list(grads)
        if not retain:
            n.saved = None
        dev = n.dev
        i = 0
        for e in n.edges:
            if e is not None and grads[i] is not None:
                g = grads[i]
                grads[i] = None  # so that a leaf may take an array that nobody else holds
                if g.__class__ in SCALARS:
                    g = dev.backend.asarray(g)
                if e.is_node:
                    on.append((e, n.nrs[i], g))
                else:
                    _accumulate(e, g, e._dev)
            i += 1
        if len(on) != 1:
            return on
        n, nr, g = on[0]
    return [(n, nr, g)]


def run(
    roots: list[tuple[Any, int, Any]], retain: bool, create: bool, targets: dict[Any, Any] | None, accumulate: bool
) -> None:
    """Send gradients from `roots` (node or leaf, output number, gradient) through the graph.

    Gradients are arrays, or Tensors with `create`. `targets` maps (node, output number) or (id(leaf), -1) to a list
    that receives the gradient Tensor; with it only the paths to targets are computed. With `accumulate` leaves' .grad
    are added to.
    """
    plain = targets is None and not (create or HOOKED or ASKING or WATCH)
    if plain and len(roots) == 1:
        roots = _chain(*roots[0], retain)
        if not roots:
            return
    acc: dict[Any, Any] = {}
    starts: list[Any] = []
    masks: dict[Any, tuple[bool, ...]] | None = None
    n: Any = None
    task = check = None
    before = mode.grad
    mode.grad = create
    try:
        for e, nr, g in roots:
            if not e.is_node:
                _leaf(e, g, create, targets, accumulate, e._dev)
                continue
            if e not in acc:
                starts.append(e)
            _add(acc, e, nr, g)
        roots = []  # what is in them may be freed on the way
        deps = _count(starts)
        leaves = _hooked_leaves(deps) if HOOKED else None
        if targets is not None:
            masks = _needed(deps, starts, targets)
        if ASKING or WATCH:
            if mode.levels and accumulate:
                raise RuntimeError(
                    "backward() called inside a functorch transform. This is not supported, please use functorch.grad or "
                    "functorch.vjp instead or call backward() outside of functorch transforms."
                )
            outer = mode.task
            task = mode.task = Task(dict(deps), masks, targets)
            check = ANOMALY["on"]
        ready = [n for n in starts if deps[n] == 0]
        while ready:
            n = ready.pop()
            edges = n.edges
            g = acc.pop(n, None)
            if g is not None:
                wanted = None
                if n.hooks is not None:
                    g = _pre_hooks(
                        n, g, create, None if accumulate else targets, masks is not None and True in masks[n]
                    )
                elif masks is not None:
                    _capture(n, g, create, targets)
                if masks is not None:
                    wanted = masks[n]
                if wanted is None or True in wanted:
                    if check:
                        task.node = n  # type: ignore[union-attr]
                    grads = n.run(g, create, wanted) if create or wanted is not None or n.fast is None else n.fast(g)
                    if grads.__class__ is not list:
                        grads = list(grads)
                    if n.hooks is not None and "post" in n.hooks:
                        grads = _post_hooks(n, grads, g, create)
                    if check:
                        check_nan(n, grads)
                    g = None
                    if not retain:
                        n.saved = None
                    dev = n.dev
                    nrs = n.nrs
                    i = 0
                    for e in edges:
                        if e is not None:
                            gi = grads[i]
                            if gi is not None and (wanted is None or wanted[i]):
                                if gi.__class__ in SCALARS:
                                    gi = dev.backend.asarray(gi)
                                grads[i] = None  # so that a leaf may take an array that nobody else holds
                                if not e.is_node:
                                    if plain:
                                        _accumulate(e, gi, e._dev)
                                    elif leaves is not None and id(e) in leaves:
                                        slot = leaves[id(e)]
                                        slot[1] = gi if slot[1] is None else _sum(e._dev, slot[1], gi)
                                    else:
                                        _leaf(e, gi, create, targets, accumulate, e._dev)
                                elif e.outputs == 1 and e not in acc:
                                    acc[e] = gi
                                else:
                                    _add(acc, e, nrs[i], gi)
                        i += 1
            for e in edges:
                if e is not None and e.is_node:
                    left = deps[e] - 1
                    deps[e] = left
                    if left == 0:
                        ready.append(e)
                elif leaves is not None and e is not None and id(e) in leaves:
                    slot = leaves[id(e)]
                    slot[0] -= 1
                    if slot[0] == 0 and slot[1] is not None:
                        g, slot[1] = slot[1], None
                        _leaf(e, g, create, targets, accumulate, e._dev)
    except Exception:
        if check and n is not None:
            report(n)
        raise
    finally:
        mode.grad = before
        if task is not None:
            mode.task = outer


def check_nan(n: Any, grads: list[Any]) -> None:
    """Anomaly mode: RuntimeError if a gradient that `n` computed has a NaN."""
    if not ANOMALY["check_nan"]:
        return
    for i, g in enumerate(grads):
        a = getattr(g, "_a", g)
        if a is not None and a.dtype.kind not in "biu" and (a != a).any():
            raise RuntimeError(f"Function '{n.name()}' returned nan values in its {i}th output.")


def report(n: Any) -> None:
    """Anomaly mode: warn with the stack of the forward call that made `n`, and of what induced that."""
    said, how = f"Error detected in {n.name()}. ", "caused the error"
    while n is not None:
        stack = n.metadata.get("traceback_")
        if stack is None:
            text = (
                f"Error detected in {n.name()}. No forward pass information available. Enable detect anomaly during "
                "forward pass for more information."
            )
        else:
            text = f"{said}Traceback of forward call that {how}:\n" + "".join(stack)
        warnings.warn(text, UserWarning, stacklevel=4)
        n = stack and n.metadata.get("parent_")
        if n is not None:
            said, how = f"\n\nPrevious calculation was induced by {n.name()}. ", "induced the previous calculation"


def _sum(dev: Any, a: Any, b: Any) -> Any:
    """a + b, arrays or Tensors; arrays of a device with a number are added there, whichever is the current one."""
    return a + b if dev.index is None or hasattr(a, "_a") else dev.backend.add(a, b)


def _add(acc: dict[Any, Any], e: Any, nr: int, g: Any) -> None:
    """Add a gradient for output `nr` of node `e` to what has come so far."""
    if e.outputs == 1:
        have = acc.get(e)
        if have is not None:
            g = have + g if e.dev.index is None else _sum(e.dev, have, g)
            if g.__class__ in SCALARS:
                g = e.dev.backend.asarray(g)
        acc[e] = g
        return
    slots = acc.get(e)
    if slots is None:
        slots = acc[e] = [None] * e.outputs
    slots[nr] = g if slots[nr] is None else _sum(e.dev, slots[nr], g)


def _capture(n: Any, g: Any, create: bool, targets: Any) -> None:
    """Hand the finished gradients of `n`'s outputs to the targets that ask for them."""
    for nr in range(n.outputs):
        slot = targets.get((n, nr))
        gi = g if n.outputs == 1 else g[nr]
        if slot is not None and gi is not None:
            slot[0] = gi if create else wrap(gi, n.dev)


def _hand_over(n: Any, gs: Any, targets: Any) -> None:
    """The same for gradients that are Tensors."""
    for nr, g in enumerate(gs):
        slot = targets.get((n, nr))
        if slot is not None and g is not None:
            slot[0] = g


def _pre_hooks(n: Any, g: Any, create: bool, targets: Any, needed: bool) -> Any:
    """Hooks on the outputs of `n`: of tensors (retain_grad last), then prehooks of the node.

    Targets take theirs before them if gradients are `needed` further down, else after those of tensors and without those of
    the node, as in PyTorch.
    """
    if "guard" in n.hooks:
        for guarded in n.hooks["guard"]:
            guarded.check()
        if len(n.hooks) == 1:
            if targets is not None:
                _capture(n, g, create, targets)
            return g
    gs = [g] if n.outputs == 1 else g
    gs = [x if create or x is None else wrap(x, n.dev) for x in gs]
    if targets is not None and needed:
        _hand_over(n, gs, targets)
    for nr in range(n.outputs):
        for key in (nr, ("retain", nr)):
            for fn in list(n.hooks.get(key, {}).values()):
                if gs[nr] is not None:
                    gs[nr] = replaced(fn, gs[nr])
    if targets is not None and not needed:
        _hand_over(n, gs, targets)
        return g
    for fn in list(n.hooks.get("pre", {}).values()):
        new = fn(tuple(gs))
        if new is not None:
            gs = list(several(new, gs, fn))
    gs = [x if create or x is None else x._a for x in gs]
    return gs[0] if n.outputs == 1 else gs


def _post_hooks(n: Any, grads: Any, g: Any, create: bool) -> Any:
    def tensors(xs: Any) -> tuple[Any, ...]:
        return tuple(x if create or x is None else wrap(x, n.dev) for x in xs)

    outs = tensors([g] if n.outputs == 1 else g)
    for fn in list(n.hooks["post"].values()):
        new = fn(tensors(grads), outs)
        if new is not None:
            grads = [x if create or x is None else x._a for x in several(new, grads, fn)]
    return list(grads)


def _named(fn: Any) -> str:
    return getattr(fn, "__name__", None) or "<unknown>"


def replaced(fn: Any, g: Any) -> Any:
    """What a tensor hook makes of a gradient. TypeError and RuntimeError as PyTorch for a result that does not fit."""
    new = fn(g)
    if new is None:
        return g
    if not hasattr(new, "_fn"):
        raise TypeError("expected Variable, but hook returned '" + type(new).__name__ + "'")
    if new._a.shape != g._a.shape:
        raise RuntimeError(f"hook '{_named(fn)}' has changed the size of value")
    if new._a.dtype != g._a.dtype:
        raise RuntimeError(f"hook '{_named(fn)}' has changed the type of value (was {g.type()} got {new.type()})")
    return new


def several(new: Any, old: Any, fn: Any) -> tuple[Any, ...]:
    """A node hook's result as a tuple of the right length."""
    new = new if isinstance(new, (tuple, list)) else (new,)
    if len(new) != len(old):
        raise RuntimeError(
            f"hook '{_named(fn)}' has returned an incorrect number of values (got {len(new)}, but expected {len(old)})"
        )
    return tuple(new)


def kept(g: Any) -> Any:
    """A copy of a gradient that has a graph of its own, under PyTorch's name."""
    from ..ops.table import renamed

    return renamed(g.clone(), "CopyBackwards")


def _leaf(leaf: Any, g: Any, create: bool, targets: Any, accumulate: bool, dev: Any) -> None:
    """Add `g` to a leaf's .grad, or hand it to the target's slot; call the leaf's hooks."""
    extras = leaf._x
    if not create:
        g = _in_dtype(leaf, g, dev)
    elif leaf._a.dtype.kind == "V":
        g = g.to(leaf.dtype)
    if extras.hooks:
        t = g if create else wrap(g, dev)
        for fn in list(extras.hooks.values()):
            t = replaced(fn, t)
        g = t if create else t._a
    if targets is not None:
        slot = targets.get((id(leaf), -1))
        if slot is None:
            return
        if not accumulate:
            t = g if create else wrap(g, dev)
            slot[0] = t if slot[0] is None else slot[0] + t
            return
    n = None if extras.acc is None else extras.acc()
    if n is not None and n.hooks is not None:
        g = _pre_hooks(n, g, create, None, False)
    if not create:
        _accumulate(leaf, g, dev, 1)
    elif requires_grad(leaf):
        extras.grad = kept(g) if extras.grad is None else extras.grad + g
    if extras.post_hooks and leaf._fn is not None:
        for fn in list(extras.post_hooks.values()):
            if fn(leaf) is not None:
                raise RuntimeError("Tensor post accumulate grad hooks should return None.")
    if n is not None and n.hooks is not None and "post" in n.hooks:
        _post_hooks(n, [], g, create)


def _in_dtype(leaf: Any, g: Any, dev: Any) -> Any:
    """`g` in the dtype of a leaf of bfloat16, whose product with a Python number is float32."""
    dtype = leaf._a.dtype
    return g if dtype.kind != "V" or g.dtype == dtype else dev.backend.cast(g, dtype)


def requires_grad(leaf: Any) -> bool:
    """Whether a leaf still does. RuntimeError if it is none any more."""
    fn = leaf._fn
    if fn is not None and fn.is_node:
        raise RuntimeError("leaf variable has been moved into the graph interior")
    return fn is not None


def _accumulate(leaf: Any, g: Any, dev: Any, frames: int = 0) -> None:
    """Add the array `g` to a leaf's .grad, which owns its memory; `frames`: of callers that hold `g` too."""
    fn = leaf._fn
    if fn is None or fn.is_node:
        if not requires_grad(leaf):
            return
    if g.dtype is not leaf._a.dtype:
        g = _in_dtype(leaf, g, dev)
    extras = leaf._x
    grad = extras.grad
    if grad is None:
        # more than the references of these frames means that somebody else may read or write the array
        flags = g.flags
        fits = flags.c_contiguous and (flags.owndata or dev.backend.alone(g))
        flags = None  # NumPy's hold the array, CuPy's do not
        if not fits or getrefcount(g) > OWN_REFERENCES + frames:
            g = dev.backend.copy(g)
        extras.grad = wrap(g, dev)
    else:
        dev.backend.iadd(grad._a, g)
        grad._bump()
