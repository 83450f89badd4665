"""A model's graph for TensorBoard, from what autograd records while it runs."""

from __future__ import annotations

from typing import Any

from ...autograd.modes import enable_grad
from ...autograd.pytree import tree_leaves
from ...tensor import Tensor
from .wire import data, integer

__all__ = ["graph_of"]


def _starts(tree: Any) -> list[Any]:
    return [x.grad_fn for x in tree_leaves(tree) if isinstance(x, Tensor) and x.grad_fn is not None]


def _walk(starts: list[Any], known: dict[int, Any], links: dict[int, Any]) -> list[Any]:
    """The graph's nodes that lead to `starts` and are not in `known`, inputs first.

    `links` keeps the nodes' inputs: some nodes (a linear layer's transpose) are made anew whenever they are asked for.
    """
    order: list[Any] = []
    seen: set[int] = set()
    todo = [(node, False) for node in reversed(starts)]
    while todo:
        node, done = todo.pop()
        if done:
            order.append(node)
        elif id(node) not in seen and id(node) not in known:
            seen.add(id(node))
            todo.append((node, True))
            if id(node) not in links:
                links[id(node)] = [n for n, _ in node.next_functions if n is not None]
            inputs = [n for n in links[id(node)] if not hasattr(n, "variable")]
            todo += [(n, False) for n in reversed(inputs)]
    return order


class _Scopes:
    """Hooks that say in which module a node of the graph was made: the innermost one ends first."""

    def __init__(self, model: Any) -> None:
        self.owner: dict[int, tuple[Any, str]] = {}  # id -> node, module
        self.links: dict[int, Any] = {}
        self.before: list[dict[int, Any]] = []
        self.path = {id(model): type(model).__name__}
        self.handles = []
        for name, module in model.named_modules():
            head, _, last = name.rpartition(".")
            if name:
                self.path[id(module)] = f"{self.path[id(model.get_submodule(head))]}/{type(module).__name__}[{last}]"
            self.handles.append(module.register_forward_pre_hook(self.enter, with_kwargs=True))
            self.handles.append(module.register_forward_hook(self.leave))

    def enter(self, module: Any, args: Any, kwargs: Any) -> None:
        self.before.append({id(node): node for node in _starts((args, kwargs))})

    def leave(self, module: Any, args: Any, output: Any) -> None:
        before = self.before.pop()
        for node in _walk(_starts(output), before, self.links):
            self.owner.setdefault(id(node), (node, self.path[id(module)]))


def graph_of(model: Any, inputs: Any) -> tuple[list[str], bytes]:
    """A description of the nodes, and the GraphDef. The model runs once, in eval mode."""
    args = inputs if isinstance(inputs, tuple) else tuple(inputs) if isinstance(inputs, list) else (inputs,)

    def tracked(x: Any) -> Any:
        floating = isinstance(x, Tensor) and (x.is_floating_point() or x.is_complex())  # type: ignore[attr-defined]
        return x.detach().requires_grad_() if floating else x

    args = tuple(tracked(x) for x in args)
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    scopes = _Scopes(model)
    try:
        with enable_grad():
            output = model(*args)
    finally:
        for handle in scopes.handles:
            handle.remove()
        for module, training in modes:
            module.training = training
    leaves = {id(x): (f"input/{i}", "IO Node") for i, x in enumerate(args)}
    for name, p in model.named_parameters():
        owner, _, last = name.rpartition(".")
        leaves[id(p)] = f"{scopes.path[id(model.get_submodule(owner))]}/{last}", "Parameter"
    names: dict[int, str] = {}
    counts: dict[str, int] = {}
    used: dict[str, str] = {}
    said, body = [], b""
    for node in _walk(_starts(output), {}, scopes.links):
        scope = scopes.owner[id(node)][1]
        kind = node.name().rpartition("::")[2].rstrip("0123456789").removesuffix("Backward")
        counts[scope + kind] = n = counts.get(scope + kind, 0) + 1
        names[id(node)] = name = f"{scope}/{kind}" + (f"_{n}" if n > 1 else "")
        sources = []
        for source in scopes.links[id(node)]:
            if not hasattr(source, "variable"):
                sources.append(names[id(source)])
                continue
            leaf, what = leaves.get(id(source.variable), (f"{scope}/constant_{id(source.variable)}", "Constant"))
            sources.append(leaf)
            used[leaf] = what
        body += _node(name, kind, sources)
        said.append(f"{name} = {kind}({', '.join(sources)})")
    for i, x in enumerate(x for x in tree_leaves(output) if isinstance(x, Tensor)):
        body += _node(f"output/{i}", "IO Node", [names[id(x.grad_fn)]] if x.grad_fn is not None else [])
    used.update({leaf: what for leaf, what in leaves.values() if what == "IO Node"})
    body += b"".join(_node(leaf, what, []) for leaf, what in used.items())
    return said, body + data(4, integer(1, 22))  # versions { producer }


def _node(name: str, kind: str, sources: list[str]) -> bytes:
    return data(1, data(1, name) + data(2, kind) + b"".join(data(3, source) for source in sources))
