"""Nested tuples, lists and dicts of values: taken apart into a flat list, and put together again."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterator
from typing import Any


class TreeSpec:
    """The structure of a tree: its container type, what the container needs besides (keys), its children; or a leaf."""

    __slots__ = ("children", "context", "kind", "leaves")

    def __init__(self, kind: Any, context: Any, children: list[TreeSpec]) -> None:
        self.kind, self.context, self.children = kind, context, children
        self.leaves: int = sum(c.leaves for c in children) if kind is not None else 1

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, TreeSpec)
            and self.kind is other.kind
            and self.context == other.context
            and self.children == other.children
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        if self.kind is None:
            return "*"
        children = ",\n  ".join(repr(c).replace("\n", "\n  ") for c in self.children)
        return f"TreeSpec({self.kind.__name__}, {self.context}, [{children}])"

    def stars(self) -> str:
        """The tree itself, with stars for leaves."""
        return repr(tree_unflatten([_Star()] * self.leaves, self))


class _Star:
    def __repr__(self) -> str:
        return "*"


def _open(tree: Any) -> tuple[Any, Any, list[Any]] | None:
    """Container type, context and children; None for a leaf."""
    kind = type(tree)
    if kind in (tuple, list):
        return kind, None, list(tree)
    if kind in (dict, OrderedDict):
        return kind, list(tree), list(tree.values())
    if kind is defaultdict:
        return kind, [tree.default_factory, list(tree)], list(tree.values())
    if isinstance(tree, tuple):  # named tuples and return types
        return kind, None, list(tree)
    return None


def tree_flatten(tree: Any) -> tuple[list[Any], TreeSpec]:
    """The leaves of a tree in order (None is a leaf), and its structure."""
    leaves: list[Any] = []
    return leaves, _walk(tree, leaves)


def _walk(x: Any, leaves: list[Any]) -> TreeSpec:
    """The structure of `x`; appends its leaves. (A function of the module: a closure that calls itself is a cycle.)"""
    parts = _open(x)
    if parts is None:
        leaves.append(x)
        return TreeSpec(None, None, [])
    kind, context, children = parts
    return TreeSpec(kind, context, [_walk(c, leaves) for c in children])


def tree_unflatten(leaves: Any, spec: TreeSpec) -> Any:
    """The tree of this structure over these leaves."""
    return _build(spec, iter(leaves))


def _build(s: TreeSpec, leaves: Iterator[Any]) -> Any:
    if s.kind is None:
        return next(leaves)
    children = [_build(c, leaves) for c in s.children]
    if s.kind in (tuple, list):
        return s.kind(children)
    if s.kind in (dict, OrderedDict):
        return s.kind(zip(s.context, children, strict=True))
    if s.kind is defaultdict:
        return defaultdict(s.context[0], zip(s.context[1], children, strict=True))
    try:
        return s.kind(*children)
    except TypeError:
        return s.kind(children)


def tree_map(fn: Callable[[Any], Any], tree: Any) -> Any:
    """The tree with `fn` applied to each leaf."""
    leaves, spec = tree_flatten(tree)
    return tree_unflatten([fn(x) for x in leaves], spec)


def tree_leaves(tree: Any) -> list[Any]:
    return tree_flatten(tree)[0]


def broadcast_to_and_flatten(tree: Any, spec: TreeSpec) -> list[Any] | None:
    """Leaves of `tree` repeated so that it has the structure `spec` (a leaf stands for a whole subtree); None if it cannot."""
    parts = _open(tree)
    if parts is None:
        return [tree] * spec.leaves
    kind, context, children = parts
    if spec.kind is None or kind is not spec.kind or len(children) != len(spec.children):
        return None
    if kind in (dict, OrderedDict) and context != spec.context:
        if set(context) != set(spec.context):
            return None
        children = [tree[k] for k in spec.context]
    result: list[Any] = []
    for c, s in zip(children, spec.children, strict=True):
        flat = broadcast_to_and_flatten(c, s)
        if flat is None:
            return None
        result += flat
    return result
