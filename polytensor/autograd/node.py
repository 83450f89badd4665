"""Graph nodes: what an op saved, and how its derivative rules are called on it."""

from __future__ import annotations

from itertools import count
from typing import Any

from ..backends.base import DTYPE_OF
from ..dtypes import TYPE_NAMES
from .modes import ANOMALY, HOOKED

FREED = (
    "Trying to backward through the graph a second time (or directly access saved tensors after they have already "
    "been freed). Saved intermediate values of the graph are freed when you call .backward() or autograd.grad(). "
    "Specify retain_graph=True if you need to backward through the graph a second time or if you need to access "
    "saved tensors after calling backward."
)


def type_name(array: Any) -> str:
    """What PyTorch's version errors call a dtype: old names for old dtypes."""
    name = TYPE_NAMES[DTYPE_OF[array.dtype].name]
    return (
        f"CPU{name}Type" if name in ("Bool", "BFloat16") or name[0] == "C" and name != "Char" else f"torch.{name}Tensor"
    )


def modified(array: Any, source: tuple[Any, int], now: int, expected: int) -> RuntimeError:
    """The error for a saved array that was written to; `source`: the node that made it (or None), which output of it."""
    node, nr = source
    made = "" if node is None else f", which is output {nr} of {node.name().partition('Backward')[0]},"
    return RuntimeError(
        "one of the variables needed for gradient computation has been modified by an inplace operation: "
        f"[{type_name(array)} {list(array.shape)}]{made} is at version {now}; expected version {expected} instead. Hint: "
        + (
            "the backtrace further above shows the operation that failed to compute its gradient. The variable in "
            "question was changed in there or anywhere later. Good luck!"
            if ANOMALY["on"]
            else "enable anomaly detection to find the operation that failed to compute its gradient, with "
            "torch.autograd.set_detect_anomaly(True, check_nan=False)."
        )
    )


OWN = frozenset(("CopySlices", "CopyBackwards", "NotImplemented"))  # nodes of PyTorch's engine itself


class Guarded:
    """The version that a tensor had when an op took its memory as an attribute."""

    __slots__ = ("cell", "dtype", "shape", "version")

    def __init__(self, t: Any) -> None:
        self.cell = t._cell()
        self.version, self.shape, self.dtype = self.cell[0], t._a.shape, t._a.dtype

    def check(self) -> None:
        if self.cell[0] != self.version:
            raise modified(self, (None, 0), self.cell[0], self.version)


class Node:
    """One recorded op. Edges lead to Nodes or, at the end, to leaf Tensors; None where no gradient is wanted."""

    __slots__ = (
        "__weakref__", "dev", "edges", "hooks", "nrs", "saved", "shapes", "vers",
    )  # fmt: skip
    row: Any = None
    light = False  # no tensor is saved: what the rules need lies in `vers`, which backward does not free
    fast: Any = None  # `run` on arrays for all edges, written out per row (ops.table)
    is_node = True
    hooks: Any
    edges: tuple[Any, ...]
    nrs: tuple[int, ...]
    saved: Any
    vers: Any
    shapes: Any
    outputs = 1
    dev: Any

    def name(self) -> str:
        name = type(self).__name__
        return f"torch::autograd::{name}" if name in OWN else name

    @property
    def next_functions(self) -> tuple[tuple[Any, int], ...]:
        """(node, output index) for each input in PyTorch's order; AccumulateGrad for a leaf, none for an index or a mask."""
        rules = self.row.rules if self.row else ()
        return tuple(
            (e if e is None or e.is_node else e._accumulate_node(), nr)
            for i, (e, nr) in enumerate(zip(self.edges, self.nrs, strict=True))
            if e is not None or not rules or rules[i] is not None
        )

    @property
    def metadata(self) -> dict[str, Any]:
        if self.hooks is None:
            self.hooks = {}
        return self.hooks.setdefault("meta", {})  # type: ignore[no-any-return]

    def register_hook(self, fn: Any) -> Any:
        """Call fn(grad_inputs, grad_outputs) after this node has run; a result replaces grad_inputs."""
        return add_hook(self, "post", fn)

    def register_prehook(self, fn: Any) -> Any:
        """Call fn(grad_outputs) before this node runs; a result replaces them."""
        return add_hook(self, "pre", fn)

    def unpack(self) -> list[Any]:
        """Saved values as arrays, versions checked."""
        if self.light:
            return list(self.vers)
        saved = self.saved
        if saved is None:
            raise RuntimeError(FREED)
        vers = self.vers
        if vers is None:
            return [e._a if hasattr(e, "_a") else e for e in saved]
        vals = []
        for e, v in zip(saved, vers, strict=True):
            if v is None:
                vals.append(e)
                continue
            s = e._s
            if s is not None and s[0] != v:
                raise modified(e._a, self.saved_from(e), s[0], v)
            vals.append(e._a)
        return vals

    def saved_from(self, tensor: Any) -> tuple[Any, int]:
        """The node that made a saved tensor, and which output of it the tensor is."""
        fn = tensor._fn
        if fn is not None:
            return (fn, tensor._nr) if fn.is_node else (None, 0)
        for s, (kind, i) in zip(self.saved or (), self.row.save_spec, strict=False):
            if s is tensor or getattr(s, "_a", None) is tensor._a and kind == "out":
                return (self, i) if kind == "out" else (None, 0)
        return None, 0

    def unpack_tensors(self) -> list[Any]:
        """Saved values as Tensors joined to the graph, for derivatives of derivatives."""
        if self.light:
            return list(self.vers)
        if self.saved is None:
            raise RuntimeError(FREED)
        if self.vers is None:
            return list(self.saved)
        vals: list[Any] = []
        for e, v, (kind, i) in zip(self.saved, self.vers, self.row.save_spec, strict=True):
            if v is None:
                vals.append(e)
                continue
            s = e._s
            if s is not None and s[0] != v:
                raise modified(e._a, self.saved_from(e), s[0], v)
            if kind == "out":
                vals.append(e._alias(*((None, 0) if e._a.dtype.kind in "biu" else (self, i))))
            else:
                vals.append(joined(e, self.edges[i], self.nrs[i]))
        return vals

    def run(self, g: Any, tensors: bool, wanted: Any) -> Any:
        """Gradients for the edges: arrays, or Tensors with `tensors`. `wanted` masks edges (None: all of them)."""
        row = self.row
        if tensors:
            from ..ops.table import F

            vals = self.unpack_tensors()
        else:
            F = self.dev.backend
            vals = self.unpack()
        edges = self.edges
        if row.joint is not None:
            need = tuple(e is not None and (wanted is None or wanted[i]) for i, e in enumerate(edges))
            return row.joint(F, g, need, *[vals[k] for k in row.joint_args])
        result: list[Any] = []
        rules = row.rules
        args = row.rule_args
        shapes = self.shapes
        for i, e in enumerate(edges):
            if e is None or (wanted is not None and not wanted[i]):
                result.append(None)
                continue
            idx = args[i]
            if not idx:
                gi = rules[i](F, g)
            elif len(idx) == 1:
                gi = rules[i](F, g, vals[idx[0]])
            else:
                gi = rules[i](F, g, *[vals[k] for k in idx])
            if shapes is not None and tuple(gi.shape) != shapes[i]:
                gi = F.sum_to(gi, shapes[i])
            result.append(gi)
        return result

    def free(self) -> None:
        self.saved = None

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise TypeError(f"cannot pickle {type(self).__name__!r} object")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} object at {hex(id(self))}>"


def saved_properties(names: dict[str, int]) -> dict[str, Any]:
    """Properties of a Node type for its saved values under PyTorch's names: _saved_self, _raw_saved_self, _saved_dim.

    They are made per type: a __getattr__ would slow down every attribute of every Node.
    """

    def value(k: int, raw: bool) -> property:
        def get(self: Any) -> Any:
            if not self.light and self.saved is None:
                raise RuntimeError(FREED)
            return SavedTensor(self, k) if raw else self.unpack_tensors()[k]

        return property(get)

    forms = (("_saved_", False), ("_raw_saved_", True))
    return {prefix + name: value(k, raw) for name, k in names.items() for prefix, raw in forms}


class SavedTensor:
    """One saved tensor of a Node (grad_fn._raw_saved_self), which may get hooks of its own."""

    def __init__(self, node: Any, k: int) -> None:
        self._node, self._k = node, k

    def register_hooks(self, pack_hook: Any, unpack_hook: Any) -> None:
        """Keep pack_hook(tensor) from now on, and call unpack_hook on it when the tensor is needed."""
        from .watch import Packed, pack

        node, k = self._node, self._k
        if node.saved is None:
            raise RuntimeError(
                "Calling register_hooks on a saved tensor after it has been freed. Saved intermediate values of the graph are "
                "freed when you call .backward() or autograd.grad(). Specify retain_graph=True if you need to backward "
                "through the graph a second time or if you need to access saved variables after calling backward."
            )
        if not (callable(pack_hook) and callable(unpack_hook)):
            raise TypeError("register_hooks(): expected two callables")
        t = node.saved[k]
        if t is None or node.vers[k] is None:
            raise RuntimeError("Calling register_hooks on a saved tensor with value None is forbidden.")
        if t.__class__ is Packed:
            raise RuntimeError(
                "Calling register_hooks on a saved tensor whose hooks have already been set is not supported."
            )
        node.saved = (*node.saved[:k], pack(t, (pack_hook, unpack_hook)), *node.saved[k + 1 :])


def joined(saved: Any, edge: Any, nr: int) -> Any:
    """A saved input with the history that it had when it was saved."""
    if saved is edge or saved._fn is edge and saved._nr == nr:
        return saved
    if edge is None or edge.is_node:
        return saved._alias(edge, nr)
    return aliased(saved, edge)  # hooks gave another tensor, or the leaf lost its flag


def aliased(tensor: Any, origin: Any) -> Any:
    """The memory of `tensor`, recorded as the result of an identity of `origin`; no view."""
    from ..ops.table import ROWS

    r = tensor._alias(None, 0)
    ROWS["alias"].record((origin,), (), (r,))
    return r


class AccumulateGrad(Node):
    """Stands for a leaf in next_functions; the engine itself adds into leaves directly."""

    __slots__ = ("variable",)

    def __init__(self, variable: Any) -> None:
        self.variable = variable
        self.edges, self.nrs, self.hooks, self.saved, self.vers = (), (), None, (), None
        self.dev = variable._dev

    def name(self) -> str:
        return "torch::autograd::AccumulateGrad"  # PyTorch's

    def register_prehook(self, fn: Any) -> Any:
        """Call fn((grad,)) before it is added to .grad, after the leaf's own hooks; a result replaces it."""
        self._stay()
        return super().register_prehook(fn)

    def register_hook(self, fn: Any) -> Any:
        """Call fn((), (grad,)) after it was added to .grad."""
        self._stay()
        return super().register_hook(fn)

    def _stay(self) -> None:
        """Be the leaf's node for good: with hooks there is something to forget."""
        HOOKED[:] = [True]
        self.variable._extras().acc = lambda: self


class Handle:
    """Removes a hook again."""

    def __init__(self, table: dict[int, Any]) -> None:
        self.table = table
        self.id = next(_ids)

    def remove(self) -> None:
        self.table.pop(self.id, None)

    def __enter__(self) -> Handle:
        return self

    def __exit__(self, *exc: object) -> None:
        self.remove()


_ids = count()


def add_to(table: dict[int, Any], fn: Any) -> Handle:
    handle = Handle(table)
    table[handle.id] = fn
    return handle


def add_hook(node: Node, key: Any, fn: Any) -> Handle:
    if node.hooks is None:
        node.hooks = {}
    return add_to(node.hooks.setdefault(key, {}), fn)
