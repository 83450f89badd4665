"""Graph nodes: what an op saved, and how its derivative rules are called on it."""

from __future__ import annotations

from typing import Any

FREED = (
    "Trying to backward through the graph a second time (or directly access saved tensors after they have already "
    "been freed). Saved intermediate values of the graph are freed when you call .backward() or autograd.grad(). "
    "Specify retain_graph=True if you need to backward through the graph a second time or if you need to access "
    "saved tensors after calling backward."
)


def type_name(array: Any) -> str:
    names = {"float32": "Float", "float64": "Double", "float16": "Half", "bfloat16": "BFloat16", "int64": "Long"}
    return f"torch.{names.get(str(array.dtype), str(array.dtype))}Tensor"


def modified(array: Any, node: str, now: int, expected: int) -> RuntimeError:
    return RuntimeError(
        "one of the variables needed for gradient computation has been modified by an inplace operation: "
        f"[{type_name(array)} {list(array.shape)}], which is output 0 of {node}, is at version {now}; expected "
        f"version {expected} instead. Hint: the backtrace further above shows the operation that failed to compute "
        "its gradient. The variable in question was changed in there or anywhere later. Good luck!"
    )


class Node:
    """One recorded op. Edges lead to Nodes or, at the end, to leaf Tensors; None where no gradient is wanted."""

    __slots__ = (
        "__weakref__", "dev", "edges", "hooks", "nrs", "saved", "shapes", "vers",
    )  # fmt: skip
    row: Any = None
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
        return type(self).__name__

    @property
    def next_functions(self) -> tuple[tuple[Any, int], ...]:
        """(node, output index) for each input in PyTorch's order; AccumulateGrad for a leaf."""
        return tuple(
            (e if e is None or e.is_node else e._accumulate_node(), nr)
            for e, nr in zip(self.edges, self.nrs, strict=True)
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

    def saved_from(self, tensor: Any) -> str:
        fn = tensor._fn
        return "None" if fn is None or not fn.is_node else fn.name()

    def unpack_tensors(self) -> list[Any]:
        """Saved values as Tensors joined to the graph, for derivatives of derivatives."""
        self.unpack()
        if self.vers is None:
            return list(self.saved)
        vals: list[Any] = []
        for e, v, (kind, i) in zip(self.saved, self.vers, self.row.save_spec, strict=True):
            if v is None:
                vals.append(e)
            elif kind == "out":
                vals.append(e._alias(self, i))
            else:
                edge = self.edges[i]
                vals.append(
                    e._alias(None, 0) if edge is None else e._alias(edge, self.nrs[i]) if edge.is_node else edge
                )
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

    def __repr__(self) -> str:
        return f"<{type(self).__name__} object at {hex(id(self))}>"

    def _saved_value(self, name: str) -> Any:
        for e, spec in zip(self.saved or (), self.row.save_spec if self.row else (), strict=False):
            if spec == name:
                return e
        raise AttributeError(name)


class AccumulateGrad(Node):
    """Stands for a leaf in next_functions; the engine itself adds into leaves directly."""

    __slots__ = ("variable",)

    def __init__(self, variable: Any) -> None:
        self.variable = variable
        self.edges, self.nrs, self.hooks, self.saved = (), (), None, ()

    def name(self) -> str:
        return "torch::autograd::AccumulateGrad"  # PyTorch's


class Handle:
    """Removes a hook again."""

    def __init__(self, table: dict[int, Any]) -> None:
        self.table = table
        self.id = max(table, default=-1) + 1

    def remove(self) -> None:
        self.table.pop(self.id, None)

    def __enter__(self) -> Handle:
        return self

    def __exit__(self, *exc: object) -> None:
        self.remove()


def add_hook(node: Node, key: Any, fn: Any) -> Handle:
    if node.hooks is None:
        node.hooks = {}
    table = node.hooks.setdefault(key, {})
    handle = Handle(table)
    table[handle.id] = fn
    return handle
